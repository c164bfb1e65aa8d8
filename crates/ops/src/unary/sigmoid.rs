//! `σ(x) = 1/(1 + e⁻ˣ)`, with `σ' = σ(x) σ(-x)`.
use deeplift_graph::{Build, Operator, Result};
use deeplift_kernels::map;
use deeplift_simd::Real;

use super::{unary, Function};

/// `σ(x)` without overflow.
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

#[derive(Clone)]
struct Sigmoid;

impl Function for Sigmoid {
    fn value(&self, x: f64) -> f64 {
        sigmoid(x)
    }

    fn derivative(&self, x: f64) -> f64 {
        sigmoid(x) * sigmoid(-x)
    }

    fn apply<T: Real>(&self, x: &[T], y: &mut [T]) {
        map::sigmoid(x, y);
    }

    fn divided_differences<T: Real>(&self, x: &[T], x0: &[T], d: &mut [T]) {
        map::sigmoid_slope(x, x0, d);
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, Sigmoid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Sigmoid, -12.0..12.0);
    }
}
