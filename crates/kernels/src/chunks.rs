//! Elementwise loops that vectorise.
//!
//! Slices are walked in arrays of one AVX-512 register. An array is read whole before the result is written, so
//! that the compiler need not prove that the slices are distinct.

use std::array::from_fn;

/// Values per array: one AVX-512 register of `f32`, two of `f64`.
const LANES: usize = 16;

/// `y = f(y, a, b)`, elementwise, over slices of equal length.
#[inline(always)]
pub(crate) fn update<T: Copy>(y: &mut [T], a: &[T], b: &[T], f: impl Fn(T, T, T) -> T) {
    let ((ys, y), (xs, a), (zs, b)) =
        (y.as_chunks_mut::<LANES>(), a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for ((y, a), b) in ys.iter_mut().zip(xs).zip(zs) {
        *y = from_fn(|i| f(y[i], a[i], b[i]));
    }
    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
        *y = f(*y, *a, *b);
    }
}
