//! Elementwise kernels on slices of equal length.

use crate::epilogue;
use deeplift_simd::Real;

fn binary<T: Real>(a: &[T], b: &[T], out: &mut [T], f: impl Fn(T, T) -> T) {
    assert!(a.len() == out.len() && b.len() == out.len(), "elementwise: slices of different lengths");
    for ((y, a), b) in out.iter_mut().zip(a).zip(b) {
        *y = f(*a, *b);
    }
}

fn unary<T: Real>(x: &[T], out: &mut [T], f: impl Fn(T) -> T) {
    assert_eq!(x.len(), out.len(), "elementwise: slices of different lengths");
    for (y, x) in out.iter_mut().zip(x) {
        *y = f(*x);
    }
}

fn assign<T: Real>(out: &mut [T], x: &[T], f: impl Fn(T, T) -> T) {
    assert_eq!(x.len(), out.len(), "elementwise: slices of different lengths");
    for (y, x) in out.iter_mut().zip(x) {
        *y = f(*y, *x);
    }
}

/// `out = a + b`.
pub fn add<T: Real>(a: &[T], b: &[T], out: &mut [T]) {
    binary(a, b, out, |a, b| a + b);
}

/// `out = a - b`.
pub fn sub<T: Real>(a: &[T], b: &[T], out: &mut [T]) {
    binary(a, b, out, |a, b| a - b);
}

/// `out = a * b`.
pub fn mul<T: Real>(a: &[T], b: &[T], out: &mut [T]) {
    binary(a, b, out, |a, b| a * b);
}

/// `out += x`.
pub fn add_assign<T: Real>(out: &mut [T], x: &[T]) {
    assign(out, x, |y, x| y + x);
}

/// `out *= x`.
pub fn mul_assign<T: Real>(out: &mut [T], x: &[T]) {
    assign(out, x, |y, x| y * x);
}

/// `out += alpha * x`.
pub fn axpy<T: Real>(alpha: T, x: &[T], out: &mut [T]) {
    assign(out, x, |y, x| alpha * x + y);
}

/// `out *= alpha`.
pub fn scale<T: Real>(alpha: T, out: &mut [T]) {
    out.iter_mut().for_each(|y| *y *= alpha);
}

/// `out = max(x, 0)`.
pub fn relu<T: Real>(x: &[T], out: &mut [T]) {
    unary(x, out, |x| x.max(T::ZERO));
}

/// `out = max(x, 0)`, the positive part of a difference.
pub fn positive_part<T: Real>(x: &[T], out: &mut [T]) {
    unary(x, out, |x| x.max(T::ZERO));
}

/// `out = min(x, 0)`, the negative part of a difference.
pub fn negative_part<T: Real>(x: &[T], out: &mut [T]) {
    unary(x, out, |x| x.min(T::ZERO));
}

/// Divided difference of ReLU between `z` and `z0`; see [`epilogue::relu_ratio`].
pub fn relu_ratio<T: Real>(z: &[T], z0: &[T], out: &mut [T]) {
    binary(z, z0, out, epilogue::relu_ratio);
}

/// `sum a * b`, accumulated in float64.
pub fn dot<T: Real>(a: &[T], b: &[T]) -> f64 {
    assert_eq!(a.len(), b.len(), "elementwise: slices of different lengths");
    a.iter().zip(b).map(|(a, b)| a.to_f64() * b.to_f64()).sum()
}

/// `out = e^x`.
pub fn exp<T: Real>(x: &[T], out: &mut [T]) {
    unary(x, out, T::exp);
}

/// `out = 1 / (1 + e^-x)`.
pub fn sigmoid<T: Real>(x: &[T], out: &mut [T]) {
    unary(x, out, |x| T::ONE / (T::ONE + (-x).exp()));
}

/// `out = tanh x`.
pub fn tanh<T: Real>(x: &[T], out: &mut [T]) {
    unary(x, out, T::tanh);
}

/// `out = erf x`.
pub fn erf<T: Real>(x: &[T], out: &mut [T]) {
    unary(x, out, T::erf);
}

/// `out = ln(1 + e^x)`.
pub fn softplus<T: Real>(x: &[T], out: &mut [T]) {
    unary(x, out, |x| x.max(T::ZERO) + (-x.abs()).exp().ln_1p());
}
