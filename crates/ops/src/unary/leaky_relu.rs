//! `x` above 0, `α x` below.
use deeplift_graph::{Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct LeakyRelu {
    alpha: f64,
}

impl Function for LeakyRelu {
    fn value(&self, x: f64) -> f64 {
        if x > 0.0 {
            x
        } else {
            self.alpha * x
        }
    }

    fn derivative(&self, x: f64) -> f64 {
        if x > 0.0 {
            1.0
        } else {
            self.alpha
        }
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, LeakyRelu { alpha: cx.float("alpha", 0.01)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&LeakyRelu { alpha: 0.1 }, 0.01..5.0);
    }
}
