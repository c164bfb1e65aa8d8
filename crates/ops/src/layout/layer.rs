//! Layer: marks an inner tensor that is scored. It changes nothing, and stays in the file's order of axes, so that
//! scores have the shape that the file gives the tensor.
use deeplift_graph::{Build, Fact, Operator, Result};

use crate::index_map::Moves;

/// Made by the engine, between a tensor and its readers. It is a copy rather than a view: what else looks at the same
/// memory is not behind the layer.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    Ok(Box::new(Moves::new(Fact::data(x.shape.clone(), x.dtype), x.len(), 0..x.len())))
}
