//! `log(1 + eˣ)`.
use deeplift_graph::{Build, Operator, Result};
use deeplift_kernels::map;
use deeplift_simd::Real;

use super::{unary, Function};

/// `log(1 + eˣ)` without overflow.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[derive(Clone)]
struct Softplus;

impl Function for Softplus {
    fn value(&self, x: f64) -> f64 {
        softplus(x)
    }

    fn derivative(&self, x: f64) -> f64 {
        super::sigmoid::sigmoid(x)
    }

    fn apply<T: Real>(&self, x: &[T], y: &mut [T]) {
        map::softplus(x, y);
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, Softplus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Softplus, -20.0..30.0);
    }
}
