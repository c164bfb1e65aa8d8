//! Equal, Greater, GreaterOrEqual, Less, LessOrEqual.
use deeplift_graph::{Build, DType, Fact, Operator, Result};

use super::{common_shape, evaluate, partial, PlanTime};

/// Comparison of two broadcast tensors.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let compare: fn(f64, f64) -> bool = match cx.op {
        "Equal" => |a, b| a == b,
        "Greater" => |a, b| a > b,
        "GreaterOrEqual" => |a, b| a >= b,
        "Less" => |a, b| a < b,
        _ => |a, b| a <= b,
    };
    let function = move |a: &[f64], _: &mut [f64]| f64::from(u8::from(compare(a[0], a[1])));
    Ok(Box::new(PlanTime {
        fact: Fact::data(common_shape(cx)?, DType::Bool),
        evaluate: Box::new(move |c| evaluate(c, &function, DType::Bool)),
        from_shapes: false,
        pointwise: partial(cx, function),
    }))
}
