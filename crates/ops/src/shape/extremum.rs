//! Max and Min of several tensors: exact at plan time and within functions of one element (a clamp, for example).
use deeplift_graph::{Build, Fact, Operator, Result};

use super::{common_shape, evaluate, partial, PlanTime};

/// Any number of broadcast operands.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let sign = if cx.op == "Max" { 1.0 } else { -1.0 };
    let dtype = cx.input(0)?.dtype;
    let function = move |a: &[f64], d: &mut [f64]| {
        let best = (1..a.len()).fold(0, |b, i| if sign * a[i] > sign * a[b] { i } else { b });
        d.fill(0.0);
        d[best] = 1.0;
        a[best]
    };
    Ok(Box::new(PlanTime {
        fact: Fact::data(common_shape(cx)?, dtype),
        evaluate: Box::new(move |c| evaluate(c, &function, dtype)),
        from_shapes: false,
        pointwise: partial(cx, function),
    }))
}
