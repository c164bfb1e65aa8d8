//! Tile: repeats along each axis.
use deeplift_graph::broadcast::strides;
use deeplift_graph::{ensure, Build, Fact, Operator, Result};

/// One repeat count per axis, known at plan time.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let repeats = cx.constant(1, "repeats")?.to_i64()?;
    ensure!(
        repeats.len() == x.shape.len() && repeats.iter().all(|&r| r >= 0),
        InvalidModel,
        "repeats {repeats:?} do not fit shape {:?}",
        x.shape
    );
    let mut shape = Vec::new();
    for (&d, &r) in x.shape.iter().zip(&repeats) {
        shape.push(d.saturating_mul(r as usize));
    }
    let n = crate::index_map::check_size(&shape)?;
    let (own, new) = (strides(&x.shape), strides(&shape));
    let source = |i: usize| (0..shape.len()).map(|a| (i / new[a]) % shape[a] % x.shape[a] * own[a]).sum();
    let index: Vec<usize> = (0..n).map(source).collect();
    Ok(Box::new(crate::index_map::Moves::new(Fact::data(shape.clone(), x.dtype), x.len(), index)))
}
