//! `xⁿ` for a constant scalar exponent, with the closed forms of SEMANTICS 3.2 where there is no division by the
//! difference.
use deeplift_graph::{Build, Operator, Result};

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
        divided(self.exponent, x, x)
    }

    fn divided(&self, x: f64, x0: f64) -> f64 {
        divided(self.exponent, x, x0)
    }
}

/// `(xⁿ - x0ⁿ) / (x - x0)`.
pub(crate) fn divided(n: f64, x: f64, x0: f64) -> f64 {
    if n == 0.0 {
        0.0
    } else if n == 1.0 {
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
        divided_difference(x, x0, |x| x.powf(n), |x| n * x.powf(n - 1.0))
    }
}

/// Builds the power of input 0; Pow with other exponents is a function of two operands.
pub fn build(cx: &Build<'_>, exponent: f64) -> Result<Box<dyn Operator>> {
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
