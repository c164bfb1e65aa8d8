//! Equal, Greater, GreaterOrEqual, Less, LessOrEqual: steps in `a - b`, their values 0 and 1 (SEMANTICS 3.2, row Where).
use deeplift_graph::{bail, Build, DType, Operator, Result};

use super::{joint, Joint};
use crate::unary::step;

#[derive(Clone)]
struct Compare(fn(f64, f64) -> bool);

impl Joint<2> for Compare {
    fn value(&self, [a, b]: [f64; 2]) -> f64 {
        f64::from(u8::from((self.0)(a, b)))
    }

    fn multipliers(&self, a: [f64; 2], a0: [f64; 2]) -> [f64; 2] {
        let delta = (a[0] - a[1]) - (a0[0] - a0[1]);
        let m = step::quotient(self.value(a), self.value(a0), delta);
        [m, -m]
    }

    fn warning(&self) -> Option<String> {
        Some(step::WARNING.into())
    }
}

/// Two broadcast operands.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let holds: fn(f64, f64) -> bool = match cx.op {
        "Equal" => |a, b| a == b,
        "Greater" => |a, b| a > b,
        "GreaterOrEqual" => |a, b| a >= b,
        "Less" => |a, b| a < b,
        "LessOrEqual" => |a, b| a <= b,
        _ => bail!(Internal, "{} is no comparison", cx.op),
    };
    joint(cx, Compare(holds), DType::Bool)
}

#[cfg(test)]
mod tests {
    use super::super::laws;
    use super::*;

    #[test]
    fn a_step_in_the_difference() {
        let greater = Compare(|a, b| a > b);
        // 3 > 1 against 0 > 2: the difference goes from -2 to 2.
        assert_eq!(greater.multipliers([3.0, 1.0], [0.0, 2.0]), [0.25, -0.25]);
        assert_eq!(greater.multipliers([3.0, 1.0], [5.0, 2.0]), [0.0, 0.0]);
        laws::check(&greater, [3.0, 1.0], [0.0, 2.0]);
        laws::check(&Compare(|a, b| a == b), [1.0, 1.0], [0.5, 2.0]);
        laws::check_gradient(&greater, [3.0, 1.0]);
    }
}
