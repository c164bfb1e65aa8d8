//! Elementwise loops that vectorise.

use deeplift_simd::{Isa, Kernel, Simd};

/// Values per array in [`update_row`]: one AVX-512 register of `f32`, two of `f64`.
const LANES: usize = 16;

/// `y = f(y, a, b)`, elementwise, over slices of equal length. For long slices: the compiler checks once that they
/// do not overlap.
#[inline(always)]
pub(crate) fn update<T: Copy>(y: &mut [T], a: &[T], b: &[T], f: impl Fn(T, T, T) -> T) {
    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
        *y = f(*y, *a, *b);
    }
}

/// The same for one row of a tile. An array is read whole before the result is written, so that nothing needs to be
/// checked; on long slices the compiler would turn this form into gathers.
#[inline(always)]
pub(crate) fn update_row<T: Copy>(y: &mut [T], a: &[T], b: &[T], f: impl Fn(T, T, T) -> T) {
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
    update(y, a, b, f);
}

/// Runs a closure in the code of the active instruction set. It must be `#[inline(always)]`, and so must the closures
/// it passes on: one that stays a function is compiled without the features.
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
