//! Softmax and its logarithm over the middle axis of `[outer, axis, inner]`.
//!
//! The maximum of each line is subtracted first, so nothing overflows, and `-inf` entries get probability 0. A line
//! of only `-inf` has no softmax and gives NaN. All panic if a length disagrees with the shape.

use crate::{map, reduce};
use deeplift_simd::Real;

/// `out = exp(x - max) / sum exp(x - max)` along the axis.
pub fn softmax<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    let (_, sum) = normalisers(x, shape, out);
    for_each_value(shape, out, |y, line| *y /= sum[line]);
}

/// `out = x - max - ln sum exp(x - max)` along the axis.
pub fn log_softmax<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    let (top, mut sum) = normalisers(x, shape, out);
    sum.iter_mut().for_each(|s| *s = s.ln());
    out.copy_from_slice(x);
    for_each_value(shape, out, |y, line| *y = (*y - top[line]) - sum[line]);
}

/// Maximum, and sum of exponentials after its subtraction, of each line; leaves the exponentials in `out`.
fn normalisers<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) -> (Vec<T>, Vec<T>) {
    let mut top = vec![T::ZERO; shape[0] * shape[2]];
    let mut sum = top.clone();
    reduce::max(x, shape, &mut top);
    shifted_exp(x, shape, &top, out);
    reduce::sum(out, shape, &mut sum);
    (top, sum)
}

/// `out = exp(x - top)`, with one `top` per line.
pub(crate) fn shifted_exp<T: Real>(x: &[T], shape: [usize; 3], top: &[T], out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "softmax: slices of different lengths");
    let mut shifted = x.to_vec();
    for_each_value(shape, &mut shifted, |y, line| *y -= top[line]);
    map::exp(&shifted, out);
}

/// Calls `f(value, its line)` for every value.
fn for_each_value<T>(shape: [usize; 3], values: &mut [T], f: impl Fn(&mut T, usize)) {
    let [_, axis, inner] = shape;
    if inner == 1 {
        for (line, row) in values.chunks_exact_mut(axis.max(1)).enumerate() {
            row.iter_mut().for_each(|y| f(y, line));
        }
    } else {
        for (i, row) in values.chunks_exact_mut(inner.max(1)).enumerate() {
            row.iter_mut().enumerate().for_each(|(j, y)| f(y, i / axis * inner + j));
        }
    }
}
