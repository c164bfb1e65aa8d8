//! `eˣ`.
use deeplift_graph::{Build, Operator, Result};
use deeplift_kernels::map;
use deeplift_simd::Real;

use super::{unary, Function};

#[derive(Clone)]
struct Exp;

impl Function for Exp {
    fn value(&self, x: f64) -> f64 {
        x.exp()
    }

    fn derivative(&self, x: f64) -> f64 {
        x.exp()
    }

    fn apply<T: Real>(&self, x: &[T], y: &mut [T]) {
        map::exp(x, y);
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, Exp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Exp, -8.0..8.0);
    }
}
