//! IsNaN and IsInf: guards that exporters put around exponentials.
use deeplift_graph::{Build, DType, Fact, Operator, Result};

use super::{evaluate, partial, PlanTime};

/// Exact at plan time and within functions of one element.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let is: fn(f64) -> bool = if cx.op == "IsNaN" { f64::is_nan } else { f64::is_infinite };
    let function = move |a: &[f64], _: &mut [f64]| f64::from(u8::from(is(a[0])));
    Ok(Box::new(PlanTime {
        fact: Fact::data(cx.input(0)?.shape.clone(), DType::Bool),
        evaluate: Box::new(move |c| evaluate(c, &function, DType::Bool)),
        from_shapes: false,
        pointwise: partial(cx, function),
    }))
}
