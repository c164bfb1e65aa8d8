//! Reductions over the middle axis of `[outer, axis, inner]`, into `[outer, inner]`.

use deeplift_simd::Real;

fn check(shape: [usize; 3], x: usize, out: usize) {
    assert_eq!(x, shape.iter().product::<usize>(), "reduction: input of shape {shape:?}");
    assert_eq!(out, shape[0] * shape[2], "reduction: output of shape {shape:?}");
}

/// Calls `f(values along the axis)` for each output element.
fn each<T: Real, O>(x: &[T], shape: [usize; 3], out: &mut [O], f: impl Fn(&mut dyn Iterator<Item = T>) -> O) {
    check(shape, x.len(), out.len());
    let [_, axis, inner] = shape;
    for (at, y) in out.iter_mut().enumerate() {
        let start = (at / inner) * axis * inner + at % inner;
        *y = f(&mut (0..axis).map(|a| x[start + a * inner]));
    }
}

/// Sum, accumulated in float64.
///
/// # Panics
/// If a length disagrees with the shape.
pub fn sum<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    each(x, shape, out, |line| T::from_f64(line.map(T::to_f64).sum()));
}

/// Mean, accumulated in float64.
///
/// # Panics
/// If a length disagrees with the shape.
pub fn mean<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    each(x, shape, out, |line| T::from_f64(line.map(T::to_f64).sum::<f64>() / shape[1] as f64));
}

/// Maximum; negative infinity of an empty axis.
///
/// # Panics
/// If a length disagrees with the shape.
pub fn max<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    each(x, shape, out, |line| line.fold(T::NEG_INFINITY, |m, v| v.max(m)));
}

/// Minimum; infinity of an empty axis.
///
/// # Panics
/// If a length disagrees with the shape.
pub fn min<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    each(x, shape, out, |line| line.fold(T::INFINITY, |m, v| v.min(m)));
}

/// Position along the axis of the first maximum.
///
/// # Panics
/// If a length disagrees with the shape.
pub fn max_index<T: Real>(x: &[T], shape: [usize; 3], out: &mut [u32]) {
    first_best(x, shape, out, |a, b| a > b);
}

/// Position along the axis of the first minimum.
///
/// # Panics
/// If a length disagrees with the shape.
pub fn min_index<T: Real>(x: &[T], shape: [usize; 3], out: &mut [u32]) {
    first_best(x, shape, out, |a, b| a < b);
}

fn first_best<T: Real>(x: &[T], shape: [usize; 3], out: &mut [u32], better: impl Fn(T, T) -> bool) {
    each(x, shape, out, |line| {
        let best = line.enumerate().reduce(|best, next| if better(next.1, best.1) { next } else { best });
        best.map_or(0, |(at, _)| at as u32)
    });
}

/// `ln sum exp`, with the maximum taken out so that nothing overflows; negative infinity if all values are.
///
/// # Panics
/// If a length disagrees with the shape.
pub fn log_sum_exp<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    let mut top = vec![T::ZERO; out.len()];
    max(x, shape, &mut top);
    sum_of_shifted_exp(x, shape, &top, out);
    for (y, top) in out.iter_mut().zip(&top) {
        *y = if top.is_finite() { *top + y.ln() } else { *top };
    }
}

/// `sum exp(x - top)`, accumulated in float64.
pub(crate) fn sum_of_shifted_exp<T: Real>(x: &[T], shape: [usize; 3], top: &[T], out: &mut [T]) {
    check(shape, x.len(), out.len());
    let [_, axis, inner] = shape;
    for (at, y) in out.iter_mut().enumerate() {
        let start = (at / inner) * axis * inner + at % inner;
        *y = T::from_f64((0..axis).map(|a| (x[start + a * inner] - top[at]).exp().to_f64()).sum());
    }
}
