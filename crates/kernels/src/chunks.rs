//! Elementwise loops that vectorise.
//!
//! Slices are walked in arrays of one AVX-512 register. An array is read whole before the result is written, so
//! that the compiler need not prove that the slices are distinct.

use deeplift_simd::{Isa, Kernel, Simd};

/// Values per array: one AVX-512 register of `f32`, two of `f64`.
const LANES: usize = 16;

/// `y = f(y, a, b)`, elementwise, over slices of equal length.
#[inline(always)]
pub(crate) fn update<T: Copy>(y: &mut [T], a: &[T], b: &[T], f: impl Fn(T, T, T) -> T) {
    let ((ys, y), (xs, a), (zs, b)) =
        (y.as_chunks_mut::<LANES>(), a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for ((y, a), b) in ys.iter_mut().zip(xs).zip(zs) {
        let (old, a, b) = (*y, *a, *b);
        let mut new = old;
        for i in 0..LANES {
            new[i] = f(old[i], a[i], b[i]);
        }
        *y = new;
    }
    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
        *y = f(*y, *a, *b);
    }
}

/// Runs a closure in the code of the active instruction set. It must be `#[inline(always)]`.
pub(crate) fn vectorised<F: FnOnce()>(work: F) {
    struct Work<F>(F);

    impl<F: FnOnce()> Kernel for Work<F> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, _: S) {
            (self.0)();
        }
    }
    Isa::active().run(Work(work));
}
