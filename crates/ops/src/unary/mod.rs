//! Element-wise functions of one variable. Each file states the function and its derivative, written without
//! cancellation; everything else follows from [`Function`].
use std::sync::Arc;

use deeplift_graph::operator::{Elementwise, Permuted, Pointwise};
use deeplift_graph::{structures, Build, Constant, DType, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

use crate::shape::as_dtype;

pub mod abs;
pub mod celu;
pub mod clip;
pub mod elu;
pub mod erf;
pub mod exp;
pub mod gelu;
pub mod hard_sigmoid;
pub mod hard_swish;
pub mod leaky_relu;
pub mod log;
pub mod mish;
pub mod neg;
pub mod pow;
pub mod prelu;
pub mod reciprocal;
pub mod relu;
pub mod selu;
pub mod shrink;
pub mod sigmoid;
pub mod softplus;
pub mod softsign;
pub mod sqrt;
pub mod step;
pub mod swish;
pub mod tanh;
pub mod thresholded_relu;
pub mod trigonometric;

/// A function of one variable in double precision.
pub trait Function: Clone + Send + Sync + 'static {
    /// `f(x)`.
    fn value(&self, x: f64) -> f64;
    /// `f'(x)`; 0 on the left edge of a kink, as every peer has it for ReLU.
    fn derivative(&self, x: f64) -> f64;
    /// `(f(x) - f(x0)) / (x - x0)`.
    fn divided(&self, x: f64, x0: f64) -> f64 {
        divided_difference(x, x0, |x| self.value(x), |x| self.derivative(x))
    }
    /// `y = f(x)` for many values; functions with a vector kernel use it.
    fn apply<T: Real>(&self, x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = T::from_f64(self.value(x.to_f64()));
        }
    }
    /// Divided differences of many pairs; functions with a vector kernel use it.
    fn divided_differences<T: Real>(&self, x: &[T], x0: &[T], d: &mut [T]) {
        for ((d, &x), &x0) in d.iter_mut().zip(x).zip(x0) {
            *d = T::from_f64(self.divided(x.to_f64(), x0.to_f64()));
        }
    }
    /// What a plan says about the function.
    fn warning(&self) -> Option<String> {
        None
    }
}

/// Below this difference the quotient of doubles has a relative error near 1e-14 and three-point Gauss quadrature of
/// the derivative one below 1e-16, for functions whose seventh derivative is of the order of 100.
const NEAR: f64 = 0.02;

/// The divided difference of a function that is smooth almost everywhere (SEMANTICS 3.5): the quotient for distant
/// arguments; for near ones Gauss-Legendre quadrature of the derivative, where that agrees with the quotient within
/// the quotient's rounding error. Where it does not (a kink lies between the arguments, or the derivative is too
/// steep), the quotient is kept, because contributions then still sum to the difference.
pub fn divided_difference(x: f64, x0: f64, f: impl Fn(f64) -> f64, df: impl Fn(f64) -> f64) -> f64 {
    divided_difference_of_sums(x, x0, |x| (f(x), 0.0), df)
}

/// The same for a function that adds terms which may cancel: `f` also gives the magnitude of what it rounded.
pub fn divided_difference_of_sums(
    x: f64,
    x0: f64,
    f: impl Fn(f64) -> (f64, f64),
    df: impl Fn(f64) -> f64,
) -> f64 {
    // Both may be the −∞ of a mask, between which there is no difference.
    if x == x0 {
        return df(x);
    }
    let delta = x - x0;
    let ((y, rounded), (y0, rounded0)) = (f(x), f(x0));
    let quotient = (y - y0) / delta;
    if delta.abs() >= NEAR {
        return quotient;
    }
    let (mid, half) = (0.5 * (x + x0), 0.5 * delta * 0.6f64.sqrt());
    let gauss = (5.0 * df(mid - half) + 8.0 * df(mid) + 5.0 * df(mid + half)) / 18.0;
    // Rounding of the two values, and of the arguments of a function that was evaluated in several steps.
    let magnitude = y.abs().max(y0.abs()).max(rounded).max(rounded0) + gauss.abs() * x.abs().max(x0.abs());
    if gauss.is_finite() && (gauss - quotient).abs() <= 16.0 * f64::EPSILON * magnitude / delta.abs() {
        gauss
    } else {
        quotient
    }
}

/// The operator of a [`Function`].
pub struct Unary<F> {
    fact: Fact,
    function: F,
}

/// Builds the operator of a function on input 0.
pub fn unary<F: Function>(cx: &Build<'_>, function: F) -> Result<Box<dyn Operator>> {
    unary_as(cx, function, cx.input(0)?.dtype)
}

/// The same, its output of another element type.
pub fn unary_as<F: Function>(cx: &Build<'_>, function: F, dtype: DType) -> Result<Box<dyn Operator>> {
    Ok(Box::new(Unary { fact: Fact::data(cx.input(0)?.shape.clone(), dtype), function }))
}

impl<F: Function> Unary<F> {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Elementwise(Box::new(Map(self.function.clone()))))
    }
}

impl<F: Function> Operator for Unary<F> {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let Some(x) = inputs[0] else { return Ok(None) };
        let values = x.to_f64().into_iter().map(|x| self.function.value(x)).collect();
        Ok(Some(vec![as_dtype(Constant::f64(x.shape.clone(), values), self.fact.dtype)]))
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        Some(Permuted { attrs: cx.attrs.clone(), constants: vec![], perm: perm.to_vec() })
    }

    fn pointwise(&self) -> Option<Arc<dyn Pointwise>> {
        Some(Arc::new(Map(self.function.clone())))
    }

    fn warning(&self) -> Option<String> {
        self.function.warning()
    }

    structures!();
}

struct Map<F>(F);

impl<T: Real, F: Function> Elementwise<T> for Map<F> {
    fn is_uniform(&self) -> bool {
        true
    }

    fn apply(&self, x: &[T], y: &mut [T]) {
        self.0.apply(x, y);
    }

    fn divided_difference(&self, x: &[T], x0: &[T], d: &mut [T]) {
        self.0.divided_differences(x, x0, d);
    }
}

impl<F: Function> Pointwise for Map<F> {
    fn eval(&self, args: &[f64], d: &mut [f64]) -> f64 {
        d[0] = self.0.derivative(args[0]);
        self.0.value(args[0])
    }
}

#[cfg(test)]
pub(crate) mod laws {
    use super::Function;

    /// Laws of every divided difference: it is the quotient, symmetric, and the derivative in the limit.
    pub fn check(f: &impl Function, range: std::ops::Range<f64>) {
        let at = |i: usize| range.start + (range.end - range.start) * (i as f64 + 0.37) / 211.0;
        for i in 0..211 {
            let x = at(i);
            let h = 1e-5 * x.abs().max(1.0);
            let numeric = (f.value(x + h) - f.value(x - h)) / (2.0 * h);
            assert!((f.derivative(x) - numeric).abs() < 1e-5 * (1.0 + numeric.abs()), "f' at {x}");
            for step in [1e-13, 1e-7, 1e-3, 0.019, 0.3, 4.0] {
                let x0 = (x + step).min(range.end);
                let d = f.divided(x, x0);
                assert!((d - f.divided(x0, x)).abs() <= 1e-12 * d.abs().max(1.0), "symmetric at {x}, {x0}");
                let residual = d * (x - x0) - (f.value(x) - f.value(x0));
                let scale = f.value(x).abs().max(f.value(x0).abs()).max(x.abs() * d.abs()).max(1e-300);
                assert!(residual.abs() <= 1e-12 * scale, "complete at {x}, {x0}: {residual}");
            }
        }
    }
}
