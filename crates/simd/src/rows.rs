//! Vectors of several rows of one slice at the same place in each, with one check for all of them.

use crate::vector::Vector;
use crate::Real;

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
        let mut end = len;
        for start in starts {
            end = end.max(start.checked_add(len).expect("rows: an end"));
        }
        Self { starts, len, end }
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
        for (vector, start) in vectors.iter_mut().zip(self.starts).skip(1) {
            // SAFETY: as above.
            *vector = unsafe { V::read(from.as_ptr().wrapping_add(start + at)) };
        }
        vectors
    }

    #[inline(always)]
    pub(crate) fn store<T: Real, V: Vector<T>>(&self, vectors: [V; N], to: &mut [T], at: usize) {
        self.check(at, V::LANES, to.len());
        for (vector, start) in vectors.into_iter().zip(self.starts) {
            // SAFETY: `check`: `start + at + lanes <= start + len <= end <= to.len()`.
            unsafe { vector.write(to.as_mut_ptr().wrapping_add(start + at)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, Kernel, Simd};

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
}
