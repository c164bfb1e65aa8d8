//! `x max(0, min(1, x/6 + 1/2))`.
use deeplift_graph::{Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct HardSwish;

impl Function for HardSwish {
    fn value(&self, x: f64) -> f64 {
        x * (x / 6.0 + 0.5).clamp(0.0, 1.0)
    }

    fn derivative(&self, x: f64) -> f64 {
        if x <= -3.0 {
            0.0
        } else if x < 3.0 {
            x / 3.0 + 0.5
        } else {
            1.0
        }
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, HardSwish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&HardSwish, -2.9..2.9);
    }
}
