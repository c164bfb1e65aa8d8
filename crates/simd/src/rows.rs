//! Vectors of several rows at the same place in each, with one check for all of them: rows of one slice ([`Rows`]), or
//! slices ([`Slices`]).

#![allow(
    clippy::needless_range_loop,
    reason = "rows and their vectors go by the same index, in loops that must unroll"
)]

use crate::vector::{check, Vector};
use crate::Real;
use std::marker::PhantomData;

/// Rows of one length in a slice; they may overlap.
#[derive(Clone, Copy, Debug)]
pub struct Rows<const N: usize> {
    starts: [usize; N],
    len: usize,
    /// End of the last one.
    end: usize,
}

impl<const N: usize> Rows<N> {
    /// Rows of `len` elements.
    ///
    /// # Panics
    /// If one ends beyond what can be counted.
    #[inline(always)]
    pub fn new(starts: [usize; N], len: usize) -> Self {
        let mut last = 0;
        for n in 0..N {
            last = last.max(starts[n]);
        }
        Self { starts, len, end: last.checked_add(len).expect("rows: an end") }
    }

    /// Whether vectors of `lanes` elements at `at` lie inside all rows, and all rows inside a slice of `len` elements.
    #[inline(always)]
    fn check(&self, at: usize, lanes: usize, len: usize) {
        let inside = at <= self.len && self.len - at >= lanes;
        assert!(inside && self.end <= len, "rows: a vector beyond its row, or a row beyond its slice");
    }

    /// # Safety
    /// The processor must have the instruction set.
    #[inline(always)]
    pub(crate) unsafe fn load<T: Real, V: Vector<T>>(&self, from: &[T], at: usize) -> [V; N] {
        self.check(at, V::LANES, from.len());
        // SAFETY: `check`: `start + at + lanes <= start + len <= end <= from.len()`; the caller promises the set.
        let mut vectors = [unsafe { V::read(from.as_ptr().wrapping_add(self.starts[0] + at)) }; N];
        for n in 1..N {
            // SAFETY: as above.
            vectors[n] = unsafe { V::read(from.as_ptr().wrapping_add(self.starts[n] + at)) };
        }
        vectors
    }

    #[inline(always)]
    pub(crate) fn store<T: Real, V: Vector<T>>(&self, vectors: [V; N], to: &mut [T], at: usize) {
        self.check(at, V::LANES, to.len());
        for n in 0..N {
            // SAFETY: `check`: `start + at + lanes <= start + len <= end <= to.len()`.
            unsafe { vectors[n].write(to.as_mut_ptr().wrapping_add(self.starts[n] + at)) };
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, Kernel, Simd};
    use std::panic::{catch_unwind, AssertUnwindSafe};

    /// Copies vectors at `at` of three rows of `len` to the rows behind them.
    struct Copy<'a> {
        values: &'a mut [f32],
        starts: [usize; 3],
        len: usize,
        at: usize,
    }

    impl Kernel for Copy<'_> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let rows = simd.load_rows(self.values, &Rows::new(self.starts, self.len), self.at);
            let to = Rows::new(self.starts.map(|start| start + self.len), self.len);
            simd.store_rows(rows, self.values, &to, self.at);
        }
    }

    #[test]
    fn vectors_of_rows_are_where_they_should_be() {
        for isa in Isa::available() {
            let (lanes, len) = (isa.tile_columns::<f32>() / 2, isa.tile_columns::<f32>() / 2 + 3);
            let first: Vec<f32> = (0..6 * len).map(|i| i as f32).collect();
            let (mut found, mut expected) = (first.clone(), first.clone());
            let starts = [2 * len, 0, 4 * len];
            isa.run(Copy { values: &mut found, starts, len, at: 2 });
            for start in starts {
                expected[start + len + 2..][..lanes].copy_from_slice(&first[start + 2..][..lanes]);
            }
            assert_eq!(found, expected, "{isa}");
        }
    }

    #[test]
    fn vectors_and_rows_that_are_too_long_are_refused() {
        for isa in Isa::available() {
            let len = isa.tile_columns::<f32>() / 2;
            let run = |start: usize, len: usize, at: usize| {
                let mut values = vec![1.0; 2 * isa.tile_columns::<f32>()];
                isa.run(Copy { values: &mut values, starts: [0, start, 0], len, at });
            };
            run(2 * len, len, 0);
            for (start, len, at) in
                [(2 * len, len, 1), (2 * len + 1, len, 0), (usize::MAX, len, 0), (0, len, usize::MAX)]
            {
                assert!(std::panic::catch_unwind(|| run(start, len, at)).is_err(), "{isa} {start} {at}");
            }
        }
    }

    /// Copies vectors at `at` of two slices to the same place of two rows of a third.
    struct Gather<'a> {
        from: [&'a [f32]; 2],
        to: &'a mut [f32],
        len: usize,
        at: usize,
    }

    impl Kernel for Gather<'_> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let vectors = simd.load_each(&Slices::new(self.from), self.at);
            simd.store_rows(vectors, self.to, &Rows::new([0, self.len], self.len), self.at);
        }
    }

    #[test]
    fn slices_are_read_inside_of_them_only() {
        for isa in Isa::available() {
            let lanes = isa.tile_columns::<f32>() / 2;
            let values: Vec<f32> = (0..2 * lanes + 3).map(|i| i as f32).collect();
            let (a, b) = values.split_at(lanes + 1);
            let run = |b: &[f32], to: &mut [f32], at: usize| {
                let len = to.len() / 2;
                isa.run(Gather { from: [a, b], to, len, at });
            };
            let mut found = vec![-1.0; 2 * lanes + 2];
            run(b, &mut found, 1);
            assert_eq!(found, [&[-1.0], &a[1..], &[-1.0], &b[1..lanes + 1]].concat(), "{isa}");
            // A slice too short, and places that are too far or overflow.
            for (b, at) in [(&b[..lanes], 1), (b, 2), (b, usize::MAX)] {
                let mut to = vec![0.0; 4 * lanes];
                let refused = catch_unwind(AssertUnwindSafe(|| run(b, &mut to, at)));
                assert!(refused.is_err(), "{isa}: {} {at}", b.len());
            }
        }
    }
}
