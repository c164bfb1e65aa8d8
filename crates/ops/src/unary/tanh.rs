//! `tanh x`.
use deeplift_graph::{Build, Operator, Result};
use deeplift_kernels::map;
use deeplift_simd::Real;

use super::{unary, Function};

#[derive(Clone)]
struct Tanh;

impl Function for Tanh {
    fn value(&self, x: f64) -> f64 {
        x.tanh()
    }

    fn derivative(&self, x: f64) -> f64 {
        {
            let c = x.cosh();
            1.0 / (c * c)
        }
    }

    fn apply<T: Real>(&self, x: &[T], y: &mut [T]) {
        map::tanh(x, y);
    }

    fn divided_differences<T: Real>(&self, x: &[T], x0: &[T], d: &mut [T]) {
        map::tanh_slope(x, x0, d);
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, Tanh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Tanh, -6.0..6.0);
    }
}
