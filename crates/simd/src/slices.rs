//! Several slices of which the same elements are read, or written, with one check for all.

use crate::vector::{check, Vector};
use std::marker::PhantomData;

/// Slices of which the same elements are read together, with one check for all.
#[derive(Clone, Copy, Debug)]
pub struct Slices<'a, T, const N: usize> {
    starts: [*const T; N],
    len: usize,
    slices: PhantomData<&'a [T]>,
}

impl<'a, T, const N: usize> Slices<'a, T, N> {
    /// As much of the slices as the shortest has.
    #[inline(always)]
    pub fn new(slices: [&'a [T]; N]) -> Self {
        let (mut starts, mut len) = ([std::ptr::null(); N], usize::MAX);
        for (start, slice) in starts.iter_mut().zip(slices) {
            (*start, len) = (slice.as_ptr(), len.min(slice.len()));
        }
        Self { starts, len, slices: PhantomData }
    }

    /// The elements of each slice from `at` on.
    ///
    /// # Safety
    /// The processor must have the instruction set of the vector.
    ///
    /// # Panics
    /// If those of one do not fill a vector.
    #[inline(always)]
    pub(crate) unsafe fn load<V: Vector<T>>(&self, at: usize) -> [V; N] {
        check(self.len, at, V::LANES);
        // No closure: one that the optimiser leaves a function is compiled without the set's features.
        let mut vectors = [const { std::mem::MaybeUninit::<V>::uninit() }; N];
        for (vector, start) in vectors.iter_mut().zip(self.starts) {
            // SAFETY: `check`: every slice has the elements; the caller promises the set.
            vector.write(unsafe { V::read(start.add(at)) });
        }
        // SAFETY: all were written, and `MaybeUninit` has the layout of what it holds.
        unsafe { std::mem::transmute_copy(&vectors) }
    }
}

/// Parts of a slice, each as long and at the same distance from the one before, that are written together with one check for
/// all.
#[derive(Debug)]
pub struct Parts<'a, T, const N: usize> {
    starts: [*mut T; N],
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

impl<'a, T, const N: usize> Parts<'a, T, N> {
    /// The first `N` parts of `len` elements.
    ///
    /// # Panics
    /// If the slice has fewer.
    #[inline(always)]
    pub fn new(slice: &'a mut [T], len: usize) -> Self {
        assert!(len.checked_mul(N).is_some_and(|all| all <= slice.len()), "a slice shorter than its parts");
        let mut starts = [slice.as_mut_ptr(); N];
        for (n, start) in starts.iter_mut().enumerate() {
            *start = start.wrapping_add(n * len);
        }
        Self { starts, len, slice: PhantomData }
    }

    /// Writes a vector to each part, from `at` on.
    ///
    /// # Panics
    /// If it does not lie in the part.
    #[inline(always)]
    pub fn store<V: Vector<T>>(&mut self, vectors: [V; N], at: usize) {
        check(self.len, at, V::LANES);
        for (vector, start) in vectors.into_iter().zip(self.starts) {
            // SAFETY: `check`: the elements lie in the part, which lies in the slice.
            unsafe { vector.write(start.add(at)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, Kernel, Simd};

    /// Copies vectors at `at` of two slices to two parts of a third, each `len` long.
    struct Copy<'a> {
        from: [&'a [f32]; 2],
        to: &'a mut [f32],
        len: usize,
        at: usize,
    }

    impl Kernel for Copy<'_> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let vectors = simd.load_each(&Slices::new(self.from), self.at);
            Parts::<_, 2>::new(self.to, self.len).store(vectors, self.at);
        }
    }

    #[test]
    fn slices_and_parts_are_read_and_written_inside_of_them_only() {
        for isa in Isa::available() {
            let lanes = isa.tile_columns::<f32>() / 2;
            let values: Vec<f32> = (0..2 * lanes + 3).map(|i| i as f32).collect();
            let (a, b) = values.split_at(lanes + 1);
            let run = |a: &[f32], b: &[f32], to: &mut [f32], len: usize, at: usize| {
                isa.run(Copy { from: [a, b], to, len, at });
            };
            let mut found = vec![-1.0; 2 * lanes + 2];
            run(a, b, &mut found, lanes + 1, 1);
            let expected = [&[-1.0], &a[1..], &[-1.0], &b[1..lanes + 1]].concat();
            assert_eq!(found, expected, "{isa}");
            // A slice, a part, the slice of all parts too short; a place that overflows.
            for (b, all, len, at) in [
                (&b[..lanes], 2 * lanes + 2, lanes + 1, 1),
                (b, 2 * lanes + 2, lanes, 1),
                (b, 2 * lanes + 1, lanes + 1, 0),
                (b, 2 * lanes + 2, usize::MAX, 0),
                (b, 2 * lanes + 2, lanes + 1, usize::MAX),
            ] {
                let mut to = vec![0.0; all];
                let refused =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(a, b, &mut to, len, at)));
                assert!(refused.is_err(), "{isa}: {} {all} {len} {at}", b.len());
            }
        }
    }
}
