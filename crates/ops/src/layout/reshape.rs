//! Reshape: 0 copies a dimension (unless `allowzero`), -1 is inferred.
use deeplift_graph::{ensure, Build, Operator, Result};

/// The shape is a constant input.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let want = cx.constant(1, "shape")?.to_i64()?;
    let allow_zero = cx.int("allowzero", 0)? != 0;
    let mut shape = Vec::with_capacity(want.len());
    let mut inferred = None;
    for (a, &d) in want.iter().enumerate() {
        shape.push(match d {
            -1 => {
                ensure!(inferred.replace(a).is_none(), InvalidModel, "shape {want:?} has more than one -1");
                1
            }
            0 if !allow_zero => {
                ensure!(
                    a < x.shape.len(),
                    InvalidModel,
                    "shape {want:?} copies an axis that {:?} lacks",
                    x.shape
                );
                x.shape[a]
            }
            d => {
                ensure!(d >= 0, InvalidModel, "shape {want:?} has a negative dimension");
                d as usize
            }
        });
    }
    if let Some(a) = inferred {
        let rest = deeplift_graph::constant::element_count(&shape)?;
        ensure!(
            rest > 0 && x.len().is_multiple_of(rest),
            InvalidModel,
            "shape {want:?} does not divide {:?}",
            x.shape
        );
        shape[a] = x.len() / rest;
    }
    super::view(cx, shape, x.dtype)
}
