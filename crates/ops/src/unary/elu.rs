//! `x` above 0, `α (eˣ - 1)` below.
use deeplift_graph::{Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct Elu {
    alpha: f64,
}

impl Function for Elu {
    fn value(&self, x: f64) -> f64 {
        if x > 0.0 {
            x
        } else {
            self.alpha * x.exp_m1()
        }
    }

    fn derivative(&self, x: f64) -> f64 {
        if x > 0.0 {
            1.0
        } else {
            self.alpha * x.exp()
        }
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, Elu { alpha: cx.float("alpha", 1.0)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Elu { alpha: 1.0 }, -5.0..5.0);
    }
}
