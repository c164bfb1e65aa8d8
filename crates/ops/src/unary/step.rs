//! Steps: functions that are constant between jumps. The multiplier of a pair is `Δy/Δx` (SEMANTICS 3.2), 0 where the
//! output does not change, and the gradient is 0 everywhere.
use deeplift_graph::{bail, Build, DType, Operator, Result};

use super::{unary_as, Function};

/// What a plan says about every step on a path.
pub(crate) const WARNING: &str =
    "is a step: its multiplier Δy/Δx grows without bound as the input comes close to a jump, and its gradient is 0";

/// The multiplier of a step.
pub(crate) fn quotient(y: f64, y0: f64, delta: f64) -> f64 {
    if y == y0 {
        0.0
    } else {
        (y - y0) / delta
    }
}

#[derive(Clone)]
struct Step<F>(F);

impl<F: Fn(f64) -> f64 + Clone + Send + Sync + 'static> Function for Step<F> {
    fn value(&self, x: f64) -> f64 {
        (self.0)(x)
    }

    fn derivative(&self, _x: f64) -> f64 {
        0.0
    }

    fn divided(&self, x: f64, x0: f64) -> f64 {
        quotient(self.value(x), self.value(x0), x - x0)
    }

    fn warning(&self) -> Option<String> {
        Some(WARNING.into())
    }
}

fn sign(x: f64) -> f64 {
    if x == 0.0 {
        0.0
    } else {
        x.signum()
    }
}

/// Floor, Ceil, Round (halves to even) and Sign (0 at 0) keep the element type.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let f = match cx.op {
        "Floor" => f64::floor,
        "Ceil" => f64::ceil,
        "Round" => f64::round_ties_even,
        "Sign" => sign,
        _ => bail!(Internal, "{} is no step", cx.op),
    };
    unary_as(cx, Step(f), cx.input(0)?.dtype)
}

/// Whether input 0 differs from 0.
pub fn to_bool(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary_as(cx, Step(|x: f64| f64::from(u8::from(x != 0.0))), DType::Bool)
}

/// Input 0 without its fraction.
pub fn to_integer(cx: &Build<'_>, dtype: DType) -> Result<Box<dyn Operator>> {
    unary_as(cx, Step(f64::trunc), dtype)
}

/// IsNaN, and IsInf of either sign: false wherever the network computes numbers.
pub fn build_is_special(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let number = |yes: bool| f64::from(u8::from(yes));
    if cx.op == "IsNaN" {
        return unary_as(cx, Step(move |x: f64| number(x.is_nan())), DType::Bool);
    }
    let (below, above) = (cx.int("detect_negative", 1)? != 0, cx.int("detect_positive", 1)? != 0);
    let is = move |x: f64| x.is_infinite() && if x < 0.0 { below } else { above };
    unary_as(cx, Step(move |x| number(is(x))), DType::Bool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quotient_across_a_jump_and_nothing_within_one_level() {
        let floor = Step(f64::floor);
        assert_eq!(floor.divided(2.25, 1.5), 1.0 / 0.75);
        assert_eq!(floor.divided(1.5, 2.25), 1.0 / 0.75);
        assert_eq!((floor.divided(1.25, 1.5), floor.divided(1.5, 1.5)), (0.0, 0.0));
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let values = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5].map(f64::round_ties_even);
        assert_eq!(values, [0.0, 2.0, 2.0, 0.0, -2.0, -2.0]);
    }

    #[test]
    fn no_sign_at_zero() {
        assert_eq!([-3.0, -0.0, 0.0, 0.5].map(sign), [-1.0, 0.0, 0.0, 1.0]);
    }
}
