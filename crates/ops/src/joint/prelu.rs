//! PRelu with a slope that depends on the input: `max(x, 0) + s min(x, 0)`, a sum of a function of `x` and a product.
use super::Joint;

#[derive(Clone)]
pub(crate) struct ComputedSlope;

/// Divided difference of `max(x, 0)`, 0 at the kink.
fn relu(x: f64, x0: f64) -> f64 {
    if x == x0 {
        f64::from(u8::from(x > 0.0))
    } else {
        (x.max(0.0) - x0.max(0.0)) / (x - x0)
    }
}

impl Joint<2> for ComputedSlope {
    fn value(&self, [x, s]: [f64; 2]) -> f64 {
        x.max(0.0) + s * x.min(0.0)
    }

    fn multipliers(&self, [x, s]: [f64; 2], [x0, s0]: [f64; 2]) -> [f64; 2] {
        let above = relu(x, x0);
        // min(x, 0) = x - max(x, 0).
        [above + 0.5 * (s + s0) * (1.0 - above), 0.5 * (x.min(0.0) + x0.min(0.0))]
    }
}

#[cfg(test)]
mod tests {
    use super::super::laws;
    use super::*;

    #[test]
    fn laws() {
        laws::check(&ComputedSlope, [-2.0, 0.5], [3.0, -0.25]);
        laws::check(&ComputedSlope, [-2.0, 0.5], [-1.0, -0.25]);
        laws::check(&ComputedSlope, [2.0, 0.5], [1.0, -0.25]);
        laws::check_gradient(&ComputedSlope, [-2.0, 0.5]);
        laws::check_gradient(&ComputedSlope, [2.0, 0.5]);
    }
}
