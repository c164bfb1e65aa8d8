//! `x` above 0, `α (e^{x/α} - 1)` below.
use deeplift_graph::{ensure, Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct Celu {
    alpha: f64,
}

impl Function for Celu {
    fn value(&self, x: f64) -> f64 {
        if x > 0.0 {
            x
        } else {
            self.alpha * (x / self.alpha).exp_m1()
        }
    }

    fn derivative(&self, x: f64) -> f64 {
        if x > 0.0 {
            1.0
        } else {
            (x / self.alpha).exp()
        }
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let alpha = cx.float("alpha", 1.0)?;
    ensure!(alpha != 0.0, InvalidModel, "alpha is 0, by which the input is divided");
    unary(cx, Celu { alpha })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Celu { alpha: 2.0 }, -5.0..5.0);
    }
}
