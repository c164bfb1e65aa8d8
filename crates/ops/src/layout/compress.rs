//! Compress: the slices of an axis, or the elements of the flat tensor, where a condition holds.
use deeplift_graph::broadcast::{around, axis_index};
use deeplift_graph::{ensure, Build, Fact, Operator, Result};

use crate::index_map::{check_size, Moves};

/// The condition is known at plan time; beyond its end nothing is selected.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let condition = cx.constant(1, "condition")?.to_i64()?;
    let axis = if cx.attrs.contains_key("axis") {
        Some(axis_index(cx.int("axis", 0)?, x.shape.len())?)
    } else {
        None
    };
    let (outer, n, inner) = axis.map_or((1, x.len(), 1), |a| around(&x.shape, a));
    ensure!(
        condition.len() <= n,
        InvalidModel,
        "a condition of {} values for {n} slices of shape {:?}",
        condition.len(),
        x.shape
    );
    let at: Vec<usize> = (0..condition.len()).filter(|&i| condition[i] != 0).collect();
    let shape = match axis {
        Some(a) => [&x.shape[..a], &[at.len()], &x.shape[a + 1..]].concat(),
        None => vec![at.len()],
    };
    check_size(&shape)?;
    let at = &at;
    let index = (0..outer)
        .flat_map(|o| at.iter().flat_map(move |&a| (0..inner).map(move |i| (o * n + a) * inner + i)));
    Ok(Box::new(Moves::new(Fact::data(shape, x.dtype), x.len(), index)))
}
