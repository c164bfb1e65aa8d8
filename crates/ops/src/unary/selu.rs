//! `γ x` above 0, `γ α (eˣ - 1)` below.
use deeplift_graph::{Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct Selu {
    alpha: f64,
    gamma: f64,
}

impl Function for Selu {
    fn value(&self, x: f64) -> f64 {
        if x > 0.0 {
            self.gamma * x
        } else {
            self.gamma * self.alpha * x.exp_m1()
        }
    }

    fn derivative(&self, x: f64) -> f64 {
        if x > 0.0 {
            self.gamma
        } else {
            self.gamma * self.alpha * x.exp()
        }
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let (alpha, gamma) =
        (cx.float("alpha", 1.673_263_192_176_818_8)?, cx.float("gamma", 1.050_701_022_148_132_3)?);
    unary(cx, Selu { alpha, gamma })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Selu { alpha: 1.67, gamma: 1.05 }, -5.0..-0.01);
    }
}
