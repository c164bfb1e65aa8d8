//! Sign: -1, 0 or 1.
use deeplift_graph::{Build, Fact, Operator, Result};

use super::{evaluate, partial, PlanTime};

/// A step; exact within functions of one element and at plan time.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let dtype = x.dtype;
    let function = |a: &[f64], _: &mut [f64]| if a[0] == 0.0 { 0.0 } else { a[0].signum() };
    Ok(Box::new(PlanTime {
        fact: Fact::data(x.shape.clone(), dtype),
        evaluate: Box::new(move |c| evaluate(c, &function, dtype)),
        from_shapes: false,
        pointwise: partial(cx, function),
    }))
}
