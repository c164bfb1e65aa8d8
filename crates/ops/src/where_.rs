//! Where: exact where the condition is known at plan time, at plan time, and within functions of one element (the
//! guard that exporters put around Softplus, for example).
use deeplift_graph::{Build, Fact, Operator, Result};

use crate::shape::{common_shape, evaluate, partial, PlanTime};

/// Condition, value where true, value where false; all broadcast.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let dtype = cx.input(1)?.dtype;
    let function = |a: &[f64], d: &mut [f64]| {
        let yes = a[0] != 0.0;
        d[0] = 0.0;
        d[1] = f64::from(u8::from(yes));
        d[2] = f64::from(u8::from(!yes));
        if yes {
            a[1]
        } else {
            a[2]
        }
    };
    Ok(Box::new(PlanTime {
        fact: Fact::data(common_shape(cx)?, dtype),
        evaluate: Box::new(move |c| evaluate(c, &function, dtype)),
        from_shapes: false,
        pointwise: partial(cx, function),
    }))
}
