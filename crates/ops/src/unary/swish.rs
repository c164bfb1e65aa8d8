//! `x σ(α x)`.
use deeplift_graph::{Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct Swish {
    alpha: f64,
}

impl Function for Swish {
    fn value(&self, x: f64) -> f64 {
        x * super::sigmoid::sigmoid(self.alpha * x)
    }

    fn derivative(&self, x: f64) -> f64 {
        {
            let s = super::sigmoid::sigmoid;
            let a = self.alpha * x;
            s(a) + a * s(a) * s(-a)
        }
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, Swish { alpha: cx.float("alpha", 1.0)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Swish { alpha: 1.702 }, -6.0..6.0);
    }
}
