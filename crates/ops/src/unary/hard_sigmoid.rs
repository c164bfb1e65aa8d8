//! `max(0, min(1, α x + β))`.
use deeplift_graph::{Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct HardSigmoid {
    alpha: f64,
    beta: f64,
}

impl Function for HardSigmoid {
    fn value(&self, x: f64) -> f64 {
        (self.alpha * x + self.beta).clamp(0.0, 1.0)
    }

    fn derivative(&self, x: f64) -> f64 {
        {
            let y = self.alpha * x + self.beta;
            if y > 0.0 && y < 1.0 {
                self.alpha
            } else {
                0.0
            }
        }
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, HardSigmoid { alpha: cx.float("alpha", 0.2)?, beta: cx.float("beta", 0.5)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&HardSigmoid { alpha: 0.2, beta: 0.5 }, -2.4..2.4);
    }
}
