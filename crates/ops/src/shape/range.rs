//! Range: `start, start + delta, …` below `limit`.
use deeplift_graph::{ensure, Build, Constant, Fact, Operator, Result};

use super::{as_dtype, PlanTime};

/// Most elements of a range; longer ones are taken as a defect of the file.
const MAX: f64 = 1e8;

/// All three bounds are known at plan time.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let at = |i: usize, role: &str| cx.constant(i, role).map(|c| c.scalar().unwrap_or(f64::NAN));
    let (start, limit, delta) = (at(0, "start")?, at(1, "limit")?, at(2, "delta")?);
    let n = ((limit - start) / delta).ceil().max(0.0);
    ensure!(
        n.is_finite() && n <= MAX,
        InvalidModel,
        "range from {start} to {limit} by {delta} is not usable"
    );
    let dtype = cx.input(0)?.dtype;
    let values: Vec<f64> = (0..n as usize).map(|i| start + i as f64 * delta).collect();
    let value = as_dtype(Constant::f64(vec![values.len()], values), dtype);
    Ok(Box::new(PlanTime {
        fact: Fact::data(value.shape.clone(), dtype),
        evaluate: Box::new(move |_| Ok(value.clone())),
        from_shapes: false,
        pointwise: None,
    }))
}
