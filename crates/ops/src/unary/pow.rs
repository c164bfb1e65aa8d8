//! `xⁿ` for a constant scalar exponent, with the closed forms of SEMANTICS 3.2 where there is no division by the
//! difference.
use deeplift_graph::{bail, Build, Operator, Result};

use super::{divided_difference, unary, Function};

#[derive(Clone)]
struct Pow {
    exponent: f64,
}

impl Function for Pow {
    fn value(&self, x: f64) -> f64 {
        x.powf(self.exponent)
    }

    fn derivative(&self, x: f64) -> f64 {
        if self.exponent == 0.0 {
            0.0
        } else {
            self.exponent * x.powf(self.exponent - 1.0)
        }
    }

    fn divided(&self, x: f64, x0: f64) -> f64 {
        let n = self.exponent;
        if n == 1.0 {
            1.0
        } else if n == 2.0 {
            x + x0
        } else if n == 3.0 {
            x * x + x * x0 + x0 * x0
        } else if n == 0.5 {
            1.0 / (x.sqrt() + x0.sqrt())
        } else if n == -0.5 {
            let (s, s0) = (1.0 / x.sqrt(), 1.0 / x0.sqrt());
            -(s * s * s0 * s0) / (s + s0)
        } else if n == -1.0 {
            -1.0 / (x * x0)
        } else {
            divided_difference(x, x0, |x| self.value(x), |x| self.derivative(x))
        }
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let exponent = match cx.constant(1, "exponent")?.scalar() {
        Some(e) => e,
        None => bail!(UnsupportedOp, "Pow with an exponent per element has no rule; use a scalar exponent"),
    };
    unary(cx, Pow { exponent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        for exponent in [1.0, 2.0, 3.0, 0.5, -0.5, -1.0, 1.7] {
            super::super::laws::check(&Pow { exponent }, 0.1..5.0);
        }
    }
}
