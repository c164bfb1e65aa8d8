//! Softmax and its logarithm over the middle axis of `[outer, axis, inner]`.
//!
//! The maximum of each line is subtracted first, so nothing overflows, and `-inf` entries get probability 0.

use crate::reduce;
use deeplift_simd::Real;

/// `out = exp(x - max) / sum exp(x - max)` along the axis.
///
/// # Panics
/// If a length disagrees with the shape.
pub fn softmax<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    let (top, sum) = normalisers(x, shape, out);
    each(x, shape, out, |x, line| (x - top[line]).exp() / sum[line]);
}

/// `out = x - max - ln sum exp(x - max)` along the axis.
///
/// # Panics
/// If a length disagrees with the shape.
pub fn log_softmax<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    let (top, sum) = normalisers(x, shape, out);
    let log: Vec<T> = sum.iter().map(|s| s.ln()).collect();
    each(x, shape, out, |x, line| (x - top[line]) - log[line]);
}

/// Maximum, and sum of exponentials after its subtraction, of each line.
fn normalisers<T: Real>(x: &[T], shape: [usize; 3], out: &[T]) -> (Vec<T>, Vec<T>) {
    assert_eq!(x.len(), out.len(), "softmax: slices of different lengths");
    let mut top = vec![T::ZERO; shape[0] * shape[2]];
    let mut sum = top.clone();
    reduce::max(x, shape, &mut top);
    // A line of only -inf keeps a finite shift, so that its entries become 0 / 0 only in the sum.
    top.iter_mut().for_each(|t| *t = if *t == T::NEG_INFINITY { T::ZERO } else { *t });
    reduce::sum_of_shifted_exp(x, shape, &top, &mut sum);
    (top, sum)
}

fn each<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T], f: impl Fn(T, usize) -> T) {
    let [_, axis, inner] = shape;
    for (i, (y, x)) in out.iter_mut().zip(x).enumerate() {
        *y = f(*x, i / (axis * inner) * inner + i % inner);
    }
}
