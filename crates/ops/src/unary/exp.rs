//! `eˣ`.
use deeplift_graph::{Build, Operator, Result};
use deeplift_kernels::map;
use deeplift_simd::Real;

use super::{divided_difference, unary, Function};

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

/// `(exp x - exp x0) / (x - x0)`.
pub(crate) fn divided(x: f64, x0: f64) -> f64 {
    divided_difference(x, x0, f64::exp, f64::exp)
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
