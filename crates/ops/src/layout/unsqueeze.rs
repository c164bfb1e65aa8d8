//! Unsqueeze: inserts axes of length 1.
use deeplift_graph::broadcast::axis_indices;
use deeplift_graph::{bail, Build, Operator, Result};

/// Axes are an attribute up to opset 12, an input from 13 on; they count in the output.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let Some(axes) = cx.ints_from("axes", 1)? else { bail!(InvalidModel, "axes are missing") };
    let axes = axis_indices(&axes, x.shape.len() + axes.len())?;
    let mut shape = x.shape.clone();
    for a in axes {
        shape.insert(a, 1);
    }
    super::view(cx, shape, x.dtype)
}
