//! Pow of two activations, of a constant, or with an exponent per element: `aᵇ = exp(b log a)` where both bases are
//! positive (SEMANTICS 3.2), whose pieces have closed forms. A constant scalar exponent is a function of one element.
use deeplift_graph::{Build, Constant, Operator, Result};

use super::{joint, telescope, Joint};
use crate::unary::{exp, log, pow};

#[derive(Clone)]
struct Power;

impl Joint<2> for Power {
    fn value(&self, [a, b]: [f64; 2]) -> f64 {
        a.powf(b)
    }

    fn multipliers(&self, a: [f64; 2], a0: [f64; 2]) -> [f64; 2] {
        let ([x, n], [x0, n0]) = (a, a0);
        if x <= 0.0 || x0 <= 0.0 {
            let in_exponent = |x: f64, n: f64| if x > 0.0 { x.powf(n) * x.ln() } else { 0.0 };
            return telescope(a, a0, f64::powf, |x, n| pow::divided(n, x, x), in_exponent);
        }
        let (log_x, log_x0) = (x.ln(), x0.ln());
        let outer = exp::divided(n * log_x, n0 * log_x0);
        let in_base =
            if n == n0 { pow::divided(n, x, x0) } else { outer * 0.5 * (n + n0) * log::divided(x, x0) };
        [in_base, outer * 0.5 * (log_x + log_x0)]
    }
}

/// Base and exponent, broadcast; the output has the base's element type.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let (base, exponent) = (cx.input(0)?, cx.input(1)?);
    if let Some(n) = exponent.constant.as_ref().and_then(Constant::scalar) {
        if exponent.shape.len() <= base.shape.len() {
            return pow::build(cx, n);
        }
    }
    joint(cx, Power, base.dtype)
}

#[cfg(test)]
mod tests {
    use super::super::laws;
    use super::*;

    #[test]
    fn laws() {
        for (a, a0) in [
            ([2.0, 3.0], [0.5, -1.0]),
            ([2.0, 3.0], [2.0 + 1e-9, 3.0 - 1e-9]),
            ([1.7, 0.3], [0.2, 0.3]),
            ([2.0, 1.5], [2.0, -0.5]),
            ([-2.0, 3.0], [1.0, 2.0]),
            ([0.0, 2.0], [1.5, 0.5]),
        ] {
            laws::check(&Power, a, a0);
        }
        laws::check_gradient(&Power, [1.3, 0.7]);
        laws::check_gradient(&Power, [0.4, -2.0]);
    }

    /// One exponent on both sides: the multiplier of the function of one element.
    #[test]
    fn a_shared_exponent_is_a_function_of_the_base() {
        assert_eq!(Power.multipliers([3.0, 2.0], [1.0, 2.0])[0], 4.0);
        assert_eq!(Power.multipliers([-3.0, 2.0], [1.0, 2.0])[0], -2.0);
    }
}
