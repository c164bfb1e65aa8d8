//! The error function.
use deeplift_graph::{Build, Operator, Result};
use deeplift_kernels::map;
use deeplift_simd::Real;

use super::{unary, Function};

#[derive(Clone)]
struct Erf;

impl Function for Erf {
    fn value(&self, x: f64) -> f64 {
        libm::erf(x)
    }

    fn derivative(&self, x: f64) -> f64 {
        std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp()
    }

    fn apply<T: Real>(&self, x: &[T], y: &mut [T]) {
        map::erf(x, y);
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, Erf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Erf, -4.0..4.0);
    }
}
