//! Flatten: axes before `axis` become one, the others another.
use deeplift_graph::broadcast::axis_index;
use deeplift_graph::{Build, Operator, Result};

/// `axis` may equal the rank.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let axis = cx.int("axis", 1)?;
    let rank = x.shape.len();
    let at = if axis == rank as i64 { rank } else { axis_index(axis, rank)? };
    let shape = vec![x.shape[..at].iter().product(), x.shape[at..].iter().product()];
    super::view(cx, shape, x.dtype)
}
