//! `x` above `α`, 0 below.
use deeplift_graph::{Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct ThresholdedRelu {
    alpha: f64,
}

impl Function for ThresholdedRelu {
    fn value(&self, x: f64) -> f64 {
        if x > self.alpha {
            x
        } else {
            0.0
        }
    }

    fn derivative(&self, x: f64) -> f64 {
        if x > self.alpha {
            1.0
        } else {
            0.0
        }
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, ThresholdedRelu { alpha: cx.float("alpha", 1.0)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&ThresholdedRelu { alpha: 1.0 }, 1.1..5.0);
    }
}
