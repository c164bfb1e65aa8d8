//! Shrink: `x + bias` below `-lambd`, `x - bias` above `lambd`, 0 between.
use deeplift_graph::{Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct Shrink {
    lambda: f64,
    bias: f64,
}

impl Function for Shrink {
    fn value(&self, x: f64) -> f64 {
        if x < -self.lambda {
            x + self.bias
        } else if x > self.lambda {
            x - self.bias
        } else {
            0.0
        }
    }

    fn derivative(&self, x: f64) -> f64 {
        f64::from(u8::from(x < -self.lambda || x > self.lambda))
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, Shrink { lambda: cx.float("lambd", 0.5)?, bias: cx.float("bias", 0.0)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        let soft = Shrink { lambda: 0.5, bias: 0.5 };
        super::super::laws::check(&soft, 0.51..5.0);
        super::super::laws::check(&soft, -5.0..-0.51);
    }

    #[test]
    fn a_jump_has_the_quotient() {
        let hard = Shrink { lambda: 0.5, bias: 0.0 };
        assert_eq!(hard.divided(0.505, 0.495), 0.505 / (0.505 - 0.495));
        assert_eq!((hard.value(0.5), hard.value(-0.5)), (0.0, 0.0));
    }
}
