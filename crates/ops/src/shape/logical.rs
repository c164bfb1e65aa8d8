//! And, Or, Xor, Not.
use deeplift_graph::{Build, DType, Fact, Operator, Result};

use super::{common_shape, evaluate, partial, PlanTime};

/// Logic of broadcast bool tensors.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let combine: fn(&[f64]) -> bool = match cx.op {
        "And" => |a| a[0] != 0.0 && a[1] != 0.0,
        "Or" => |a| a[0] != 0.0 || a[1] != 0.0,
        "Xor" => |a| (a[0] != 0.0) != (a[1] != 0.0),
        _ => |a| a[0] == 0.0,
    };
    let function = move |a: &[f64], _: &mut [f64]| f64::from(u8::from(combine(a)));
    Ok(Box::new(PlanTime {
        fact: Fact::data(common_shape(cx)?, DType::Bool),
        evaluate: Box::new(move |c| evaluate(c, &function, DType::Bool)),
        from_shapes: false,
        pointwise: partial(cx, function),
    }))
}
