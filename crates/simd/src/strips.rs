//! Dot products of rows that lie in strips, as those of packed weights do, with a few other rows: a tile of sums in
//! registers, each of which is one vector until the end.
//!
//! No element of a vector is wasted, however few the other rows are, and nothing is transposed.

use crate::dots::sum;
use crate::tile::portable_fma;
use crate::{Isa, Real};

/// Most rows of packed values that go together.
pub const STRIP_ROWS: usize = 6;

/// Most factors that go together.
pub const STRIP_FACTORS: usize = 4;

/// Dot products `[row][factor]`.
pub type StripTile<T> = [[T; STRIP_FACTORS]; STRIP_ROWS];

/// Some terms of every row, in strips of equal width at equal distances. What follows in the rows is multiplied with what
/// follows in the factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strips {
    /// Where row 0 starts in the first strip.
    pub start: usize,
    /// Elements between the starts of two rows in a strip.
    pub stride: usize,
    /// Elements between the starts of two strips.
    pub step: usize,
    /// Number of strips, at least 1.
    pub count: usize,
    /// Values of each row in a strip: [`Isa::tile_columns`], or half of it.
    pub len: usize,
}

/// Rows that a tile multiplies with its factors.
#[derive(Clone, Copy, Debug)]
pub struct StripRows<'a, T> {
    /// What the strips lie in.
    pub source: &'a [T],
    /// The strips of each row, in order.
    pub strips: &'a [Strips],
    /// Number of rows, at most [`Isa::strip_rows`].
    pub rows: usize,
    /// Whether to bring near (to the second-level cache) the rows that follow, as many, where the set has an instruction for
    /// it.
    pub ahead: bool,
}

/// Other rows, without gaps: as long as all strips together.
#[derive(Clone, Copy, Debug)]
pub struct Factors<'a, T> {
    /// The factors, one after the other.
    pub values: &'a [T],
    /// Length of one.
    pub len: usize,
}

impl Isa {
    /// Most rows of a tile of dot products.
    #[inline(always)]
    pub const fn strip_rows(self) -> usize {
        match self {
            Isa::Scalar | Isa::Avx2 => 3,
            Isa::Avx512 => STRIP_ROWS,
        }
    }
}

/// Everything the unsafe functions rely on.
#[inline(always)]
pub(crate) fn check<T: Real>(isa: Isa, rows: StripRows<'_, T>, factors: Factors<'_, T>) {
    assert!(rows.rows >= 1 && rows.rows <= isa.strip_rows(), "strips: {} rows", rows.rows);
    let count = factors.values.len().checked_div(factors.len).unwrap_or(0);
    assert!(
        (1..=STRIP_FACTORS).contains(&count) && count * factors.len == factors.values.len(),
        "strips: factors"
    );
    let full = isa.tile_columns::<T>();
    let mut terms = 0usize;
    for s in rows.strips {
        assert!(s.count > 0 && (s.len == full || s.len == full / 2), "strips: {s:?} of no width");
        let row = (rows.rows - 1).checked_mul(s.stride).and_then(|row| row.checked_add(s.start));
        let strip = (s.count - 1).checked_mul(s.step).and_then(|strip| strip.checked_add(s.len));
        let end = row.zip(strip).and_then(|(row, strip)| row.checked_add(strip));
        assert!(end.is_some_and(|end| end <= rows.source.len()), "strips: {s:?} leaves its source");
        terms = s.count.checked_mul(s.len).and_then(|len| len.checked_add(terms)).expect("strips: terms");
    }
    assert!(terms == factors.len, "strips: {terms} terms, factors of {}", factors.len);
}

/// The dot products of one element type. Term `k` is added to the chain `k` modulo the elements of a vector; chains are
/// added in an order of the set. So neither the number of rows nor that of factors can be seen in the bits of a product.
///
/// # Safety
/// For all functions: [`check`] must have accepted the arguments for the set, and the processor must have it.
pub trait StripDots: Sized {
    /// Dot products of [`Isa::Scalar`].
    ///
    /// # Safety
    /// See the trait.
    unsafe fn strips_portable(
        rows: StripRows<'_, Self>,
        factors: Factors<'_, Self>,
        tile: &mut StripTile<Self>,
    );
    /// Dot products of [`Isa::Avx2`].
    ///
    /// # Safety
    /// See the trait.
    #[cfg(target_arch = "x86_64")]
    unsafe fn strips_avx2(rows: StripRows<'_, Self>, factors: Factors<'_, Self>, tile: &mut StripTile<Self>);
    /// Dot products of [`Isa::Avx512`].
    ///
    /// # Safety
    /// See the trait.
    #[cfg(target_arch = "x86_64")]
    unsafe fn strips_avx512(
        rows: StripRows<'_, Self>,
        factors: Factors<'_, Self>,
        tile: &mut StripTile<Self>,
    );
}

/// One vector of every row times that of every factor.
macro_rules! strips_terms {
    ($row:ident, $factor:ident, $sums:ident, $ahead:ident, $at:literal, $lanes:literal, $zero:expr, $load:expr, $near:expr, $fma:expr) => {
        let mut left = [$zero; ROWS];
        for r in 0..ROWS {
            // SAFETY: `check`: every row has `len` values in each strip, one vector or two.
            left[r] = unsafe { $load($row[r].wrapping_add($at * $lanes)) };
            if let Some(ahead) = $ahead {
                $near($row[r].wrapping_add(ahead + $at * $lanes));
            }
        }
        for f in 0..FACTORS {
            // SAFETY: `check`: each factor is as long as all strips together.
            let right = unsafe { $load($factor[f].wrapping_add($at * $lanes)) };
            for r in 0..ROWS {
                $sums[r][f] = $fma(left[r], right, $sums[r][f]);
            }
        }
    };
}

/// The body of all of them, given the operations of one vector type. `ROWS` and `FACTORS` are constants of the
/// surrounding function, so that inner loops unroll and the sums are registers: nothing indexes them by a variable. Rows
/// that are too many repeat the last.
macro_rules! strips_body {
    ($rows:ident, $factors:ident, $tile:ident, $type:ty, $lanes:literal, zero: $zero:expr, load: $load:expr,
     near: $near:expr, fma: $fma:expr, sums: $sums:expr) => {{
        let mut sums = [[$zero; STRIP_FACTORS]; ROWS];
        let mut factor: [*const $type; FACTORS] = [$factors.values.as_ptr(); FACTORS];
        for f in 0..FACTORS {
            factor[f] = factor[f].wrapping_add(f * $factors.len);
        }
        for s in $rows.strips {
            let mut row: [*const $type; ROWS] = [$rows.source.as_ptr().wrapping_add(s.start); ROWS];
            for r in 1..ROWS {
                row[r] = row[r - 1].wrapping_add(if r < $rows.rows { s.stride } else { 0 });
            }
            let ahead = $rows.ahead.then_some($rows.rows * s.stride);
            if s.len > $lanes {
                for _ in 0..s.count {
                    strips_terms!(row, factor, sums, ahead, 0, $lanes, $zero, $load, $near, $fma);
                    strips_terms!(row, factor, sums, ahead, 1, $lanes, $zero, $load, $near, $fma);
                    row.iter_mut().for_each(|row| *row = row.wrapping_add(s.step));
                    factor.iter_mut().for_each(|factor| *factor = factor.wrapping_add(2 * $lanes));
                }
            } else {
                for _ in 0..s.count {
                    strips_terms!(row, factor, sums, ahead, 0, $lanes, $zero, $load, $near, $fma);
                    row.iter_mut().for_each(|row| *row = row.wrapping_add(s.step));
                    factor.iter_mut().for_each(|factor| *factor = factor.wrapping_add($lanes));
                }
            }
        }
        $tile[..ROWS].copy_from_slice(&sums.map(|row| $sums(row)));
    }};
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{sum, STRIP_FACTORS};
    use std::arch::x86_64::*;

    /// Quarters first, then neighbours, of all vectors at once.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512_f32(v: [__m512; STRIP_FACTORS]) -> [f32; STRIP_FACTORS] {
        avx2_f32(v.map(|v| {
            let upper = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(v)));
            _mm256_add_ps(_mm512_castps512_ps256(v), upper)
        }))
    }

    /// Halves first, then neighbours, of all vectors at once.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2_f32(v: [__m256; STRIP_FACTORS]) -> [f32; STRIP_FACTORS] {
        let [a, b, c, d] = v.map(|v| _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v)));
        let all = _mm_hadd_ps(_mm_hadd_ps(a, b), _mm_hadd_ps(c, d));
        let mut sums = [0.0; STRIP_FACTORS];
        // SAFETY: four floats.
        unsafe { _mm_storeu_ps(sums.as_mut_ptr(), all) };
        sums
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512_f64(v: [__m512d; STRIP_FACTORS]) -> [f64; STRIP_FACTORS] {
        v.map(|v| {
            let mut terms = [0.0; 8];
            // SAFETY: eight doubles.
            unsafe { _mm512_storeu_pd(terms.as_mut_ptr(), v) };
            sum(terms)
        })
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2_f64(v: [__m256d; STRIP_FACTORS]) -> [f64; STRIP_FACTORS] {
        v.map(|v| {
            let mut terms = [0.0; 4];
            // SAFETY: four doubles.
            unsafe { _mm256_storeu_pd(terms.as_mut_ptr(), v) };
            sum(terms)
        })
    }
}

/// Picks the instantiation for the number of factors.
macro_rules! by_factors {
    ($fixed:ident, $rows:ident, $factors:ident, $tile:ident) => {
        // SAFETY: the contract is passed on, with the factors that there are.
        unsafe {
            match $factors.values.len() / $factors.len {
                1 => $fixed::<1>($rows, $factors, $tile),
                2 => $fixed::<2>($rows, $factors, $tile),
                3 => $fixed::<3>($rows, $factors, $tile),
                _ => $fixed::<STRIP_FACTORS>($rows, $factors, $tile),
            }
        }
    };
}

macro_rules! strips {
    ($type:ty, portable: $lanes:literal, avx2: $avx2:tt, avx512: $avx512:tt) => {
        impl StripDots for $type {
            unsafe fn strips_portable(
                rows: StripRows<'_, Self>,
                factors: Factors<'_, Self>,
                tile: &mut StripTile<Self>,
            ) {
                /// # Safety
                /// See [`StripDots`]; `FACTORS` is the number of factors.
                unsafe fn fixed<const FACTORS: usize>(
                    rows: StripRows<'_, $type>,
                    factors: Factors<'_, $type>,
                    tile: &mut StripTile<$type>,
                ) {
                    const ROWS: usize = Isa::Scalar.strip_rows();
                    type Vector = [$type; $lanes];
                    strips_body!(
                        rows,
                        factors,
                        tile,
                        $type,
                        $lanes,
                        zero: [0.0; $lanes],
                        load: |from: *const $type| from.cast::<Vector>().read_unaligned(),
                        near: |_: *const $type| (),
                        fma: |a: Vector, b: Vector, c: Vector| -> Vector {
                            std::array::from_fn(|i| portable_fma(a[i], b[i], c[i]))
                        },
                        sums: |vectors: [Vector; STRIP_FACTORS]| vectors.map(sum)
                    )
                }
                by_factors!(fixed, rows, factors, tile)
            }
            strips!(@x86 $type, strips_avx2, Isa::Avx2, "avx2,fma", $avx2);
            strips!(@x86 $type, strips_avx512, Isa::Avx512, "avx512f", $avx512);
        }
    };
    (@x86 $type:ty, $name:ident, $isa:expr, $features:literal,
     ($lanes:literal, $zero:ident, $load:ident, $fma:ident, $sums:ident)) => {
        #[cfg(target_arch = "x86_64")]
        unsafe fn $name(rows: StripRows<'_, Self>, factors: Factors<'_, Self>, tile: &mut StripTile<Self>) {
            use std::arch::x86_64::*;

            /// # Safety
            /// See [`StripDots`]; `FACTORS` is the number of factors.
            #[target_feature(enable = $features)]
            unsafe fn fixed<const FACTORS: usize>(
                rows: StripRows<'_, $type>,
                factors: Factors<'_, $type>,
                tile: &mut StripTile<$type>,
            ) {
                const ROWS: usize = $isa.strip_rows();
                strips_body!(rows, factors, tile, $type, $lanes, zero: $zero(), load: $load,
                    near: |at: *const $type| _mm_prefetch::<_MM_HINT_T1>(at.cast()), fma: $fma,
                    sums: x86::$sums)
            }
            by_factors!(fixed, rows, factors, tile)
        }
    };
}

strips!(f32, portable: 4,
    avx2: (8, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_fmadd_ps, avx2_f32),
    avx512: (16, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_fmadd_ps, avx512_f32));
strips!(f64, portable: 2,
    avx2: (4, _mm256_setzero_pd, _mm256_loadu_pd, _mm256_fmadd_pd, avx2_f64),
    avx512: (8, _mm512_setzero_pd, _mm512_loadu_pd, _mm512_fmadd_pd, avx512_f64));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kernel, Simd};

    struct Run<'a, T> {
        rows: StripRows<'a, T>,
        factors: Factors<'a, T>,
    }

    impl<T: Real> Kernel for Run<'_, T> {
        type Output = StripTile<T>;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> StripTile<T> {
            let mut tile = [[T::ZERO; STRIP_FACTORS]; STRIP_ROWS];
            simd.strips(self.rows, self.factors, &mut tile);
            tile
        }
    }

    /// Small integers, so that sums are exact in any order.
    fn whole<T: Real>(len: usize, step: usize) -> Vec<T> {
        (0..len).map(|i| T::from_f64((i * step % 17) as f64 - 8.0)).collect()
    }

    fn agrees_with_plain_loops<T: Real>() {
        for isa in Isa::available() {
            let full = isa.tile_columns::<T>();
            let strips = [
                Strips { start: 3, stride: full, step: 7 * full + 1, count: 3, len: full },
                Strips { start: 1000, stride: full / 2 + 1, step: 0, count: 1, len: full / 2 },
            ];
            let (source, len) = (whole::<T>(1200, 5), 3 * full + full / 2);
            let sizes = (1..=isa.strip_rows()).flat_map(|r| (1..=STRIP_FACTORS).map(move |f| (r, f)));
            for (rows, count) in sizes {
                let values = whole::<T>(count * len, 7);
                let rows = StripRows { source: &source, strips: &strips, rows, ahead: count % 2 == 1 };
                let found = isa.run(Run { rows, factors: Factors { values: &values, len } });
                for (r, f) in (0..rows.rows).flat_map(|r| (0..count).map(move |f| (r, f))) {
                    let row = strips.iter().flat_map(|s| {
                        let at = s.start + r * s.stride;
                        (0..s.count).flat_map(move |i| at + i * s.step..at + i * s.step + s.len)
                    });
                    let terms = row.zip(&values[f * len..]).map(|(at, v)| source[at].to_f64() * v.to_f64());
                    let expected: f64 = terms.sum();
                    assert_eq!(found[r][f].to_f64(), expected, "{isa}: row {r} of {}, factor {f}", rows.rows);
                }
            }
        }
    }

    #[test]
    fn every_size_agrees_with_plain_loops() {
        agrees_with_plain_loops::<f32>();
        agrees_with_plain_loops::<f64>();
    }

    #[test]
    fn rows_that_leave_their_source_are_refused() {
        for isa in Isa::available() {
            let full = isa.tile_columns::<f32>();
            let (source, values) = (vec![1.0f32; 4 * full], vec![1.0f32; 2 * full]);
            let run = |start: usize, step: usize| {
                let strips = [Strips { start, stride: full, step, count: 2, len: full }];
                let rows = StripRows { source: &source, strips: &strips, rows: 2, ahead: true };
                isa.run(Run { rows, factors: Factors { values: &values, len: 2 * full } })
            };
            assert_eq!(run(0, 2 * full)[1][0], 2.0 * full as f32, "{isa}");
            for (start, step) in [(1, 2 * full), (0, 2 * full + 1), (usize::MAX, 0), (0, usize::MAX)] {
                assert!(std::panic::catch_unwind(|| run(start, step)).is_err(), "{isa} {start} {step}");
            }
        }
    }
}
