//! ReduceProd, as shape arithmetic uses it.
use deeplift_graph::{Build, Constant, Fact, Operator, Result};

use super::{as_dtype, PlanTime};
use crate::reduce::Axes;

/// Evaluated at plan time only.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let axes = Axes::read(cx)?;
    let dtype = cx.input(0)?.dtype;
    let fact = Fact::data(axes.output.clone(), dtype);
    let evaluate = move |c: &[Option<&Constant>]| {
        let Some(x) = c[0] else { deeplift_graph::bail!(InvalidModel, "input 0 is missing") };
        let product = |base: usize| axes.offsets.iter().map(|&r| x.at(base + r)).product();
        let values = axes.bases.iter().map(|&b| product(b)).collect();
        Ok(as_dtype(Constant::f64(axes.output.clone(), values), dtype))
    };
    Ok(Box::new(PlanTime { fact, evaluate: Box::new(evaluate), from_shapes: false, pointwise: None }))
}
