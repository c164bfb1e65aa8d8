//! Squeeze: removes axes of length 1.
use deeplift_graph::broadcast::axis_indices;
use deeplift_graph::{ensure, Build, Operator, Result};

/// Axes are an attribute up to opset 12, an input from 13 on; none means all of length 1.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let axes = match cx.ints_from("axes", 1)? {
        Some(axes) => axis_indices(&axes, x.shape.len())?,
        None => (0..x.shape.len()).filter(|&a| x.shape[a] == 1).collect(),
    };
    for &a in &axes {
        ensure!(x.shape[a] == 1, InvalidModel, "axis {a} of {:?} has not length 1", x.shape);
    }
    let keep = (0..x.shape.len()).filter(|a| !axes.contains(a));
    super::view(cx, keep.map(|a| x.shape[a]).collect(), x.dtype)
}
