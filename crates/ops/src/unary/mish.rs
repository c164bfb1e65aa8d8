//! `x tanh(softplus(x))`.
use deeplift_graph::{Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct Mish;

impl Function for Mish {
    fn value(&self, x: f64) -> f64 {
        x * super::softplus::softplus(x).tanh()
    }

    fn derivative(&self, x: f64) -> f64 {
        {
            let t = super::softplus::softplus(x).tanh();
            t + x * (1.0 - t * t) * super::sigmoid::sigmoid(x)
        }
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, Mish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Mish, -8.0..8.0);
    }
}
