//! ReduceMean.
use deeplift_graph::{Build, Fact, Operator, Result};

use super::{sum::Sum, Axes};

/// Means over the given axes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let axes = Axes::read(cx)?;
    let fact = Fact::data(axes.output.clone(), cx.input(0)?.dtype);
    let factor = 1.0 / axes.offsets.len() as f64;
    Ok(Box::new(Sum { axes, fact, factor }))
}
