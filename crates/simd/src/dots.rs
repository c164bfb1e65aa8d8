//! Dot products of a few slices with two others, in registers: eight chains of multiply-adds, enough to hide their
//! latency, and fewer loads than multiply-adds.

use crate::tile::portable_fma;
use crate::Real;

/// Slices that share both factors.
pub const DOT_ROWS: usize = 4;

/// Lengths of slices are multiples of so many elements: a vector of any instruction set.
pub const DOT_BLOCK: usize = 16;

/// Dot products `[row][factor]`.
pub type DotTile<T> = [[T; 2]; DOT_ROWS];

/// Everything the unsafe functions rely on.
#[inline(always)]
pub(crate) fn check<T>(rows: [&[T]; DOT_ROWS], factors: [&[T]; 2]) {
    let len = factors[0].len();
    assert!(len.is_multiple_of(DOT_BLOCK), "dot products: {len} terms");
    assert!(factors[1].len() == len && rows.iter().all(|row| row.len() == len), "dot products: lengths");
}

/// The dot products of one element type. Term `k` is added to the chain `k` modulo the elements of a vector; chains are
/// added half to half.
///
/// # Safety
/// For all functions: [`check`] must have accepted the slices, and the processor must have the instruction set.
pub trait Dots: Sized {
    /// Dot products of [`Isa::Scalar`](crate::Isa::Scalar).
    ///
    /// # Safety
    /// See the trait.
    unsafe fn dots_portable(rows: [&[Self]; DOT_ROWS], factors: [&[Self]; 2]) -> DotTile<Self>;
    /// Dot products of [`Isa::Avx2`](crate::Isa::Avx2).
    ///
    /// # Safety
    /// See the trait.
    #[cfg(target_arch = "x86_64")]
    unsafe fn dots_avx2(rows: [&[Self]; DOT_ROWS], factors: [&[Self]; 2]) -> DotTile<Self>;
    /// Dot products of [`Isa::Avx512`](crate::Isa::Avx512).
    ///
    /// # Safety
    /// See the trait.
    #[cfg(target_arch = "x86_64")]
    unsafe fn dots_avx512(rows: [&[Self]; DOT_ROWS], factors: [&[Self]; 2]) -> DotTile<Self>;
}

/// The sum of the elements of a vector, halves first.
#[inline(always)]
pub(crate) fn sum<T: Real, const LANES: usize>(mut terms: [T; LANES]) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            terms[i] += terms[i + half];
        }
        half /= 2;
    }
    terms[0]
}

/// The body of all of them, given the operations of one vector type.
macro_rules! dots_body {
    ($rows:ident, $factors:ident, $type:ty, $lanes:literal, $zero:expr, $load:expr, $store:expr, $fma:expr) => {{
        let mut chains = [[$zero; 2]; DOT_ROWS];
        let (rows, factors) = ($rows.map(<[$type]>::as_ptr), $factors.map(<[$type]>::as_ptr));
        for k in (0..$factors[0].len()).step_by($lanes) {
            // SAFETY: `check`: all slices have the same length, a multiple of `lanes`.
            let factors = factors.map(|f| unsafe { $load(f.add(k)) });
            for r in 0..DOT_ROWS {
                // SAFETY: as above.
                let row = unsafe { $load(rows[r].add(k)) };
                chains[r][0] = $fma(row, factors[0], chains[r][0]);
                chains[r][1] = $fma(row, factors[1], chains[r][1]);
            }
        }
        chains.map(|row| {
            row.map(|chain| {
                let mut terms = [0.0; $lanes];
                // SAFETY: `terms` has room for one vector.
                unsafe { $store(terms.as_mut_ptr(), chain) };
                sum::<$type, $lanes>(terms)
            })
        })
    }};
}

/// The portable vectors are short arrays.
macro_rules! portable_dots {
    ($rows:ident, $factors:ident, $type:ty, $lanes:literal) => {{
        type Vector = [$type; $lanes];
        dots_body!(
            $rows,
            $factors,
            $type,
            $lanes,
            [0.0; $lanes],
            |from: *const $type| from.cast::<Vector>().read_unaligned(),
            |to: *mut $type, vector: Vector| to.cast::<Vector>().write_unaligned(vector),
            |a: Vector, b: Vector, c: Vector| -> Vector {
                std::array::from_fn(|i| portable_fma(a[i], b[i], c[i]))
            }
        )
    }};
}

macro_rules! dots {
    ($type:ty, portable: $lanes:literal, avx2: $avx2:tt, avx512: $avx512:tt) => {
        impl Dots for $type {
            unsafe fn dots_portable(rows: [&[Self]; DOT_ROWS], factors: [&[Self]; 2]) -> DotTile<Self> {
                portable_dots!(rows, factors, $type, $lanes)
            }
            dots!(@x86 $type, dots_avx2, "avx2,fma", $avx2);
            dots!(@x86 $type, dots_avx512, "avx512f", $avx512);
        }
    };
    (@x86 $type:ty, $name:ident, $features:literal,
     ($lanes:literal, $zero:ident, $load:ident, $store:ident, $fma:ident)) => {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = $features)]
        unsafe fn $name(rows: [&[Self]; DOT_ROWS], factors: [&[Self]; 2]) -> DotTile<Self> {
            use std::arch::x86_64::*;
            dots_body!(rows, factors, $type, $lanes, $zero(), $load, $store, $fma)
        }
    };
}

dots!(f32, portable: 4,
    avx2: (8, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps),
    avx512: (16, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps));
dots!(f64, portable: 2,
    avx2: (4, _mm256_setzero_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_fmadd_pd),
    avx512: (8, _mm512_setzero_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_fmadd_pd));
