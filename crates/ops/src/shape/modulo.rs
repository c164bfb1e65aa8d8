//! Mod of integers (sign of the divisor) or, with `fmod`, of floats.
use deeplift_graph::{ensure, Build, Fact, Operator, Result};

use super::{common_shape, zip, PlanTime};

/// Both operands are known at plan time.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let divisor = cx.constant(1, "divisor")?;
    ensure!((0..divisor.len()).all(|i| divisor.at(i) != 0.0), InvalidModel, "a divisor is 0");
    let fmod = cx.int("fmod", 0)? != 0;
    Ok(Box::new(PlanTime {
        fact: Fact::data(common_shape(cx)?, cx.input(0)?.dtype),
        evaluate: Box::new(move |c| {
            let (Some(a), Some(b)) = (c[0], c[1]) else {
                deeplift_graph::bail!(InvalidModel, "an operand is missing")
            };
            let int = |a: i64, b: i64| {
                let r = a.wrapping_rem(b);
                if !fmod && r != 0 && (r < 0) != (b < 0) {
                    r.wrapping_add(b)
                } else {
                    r
                }
            };
            zip(a, b, int, |a, b| a % b)
        }),
        from_shapes: false,
        pointwise: None,
    }))
}
