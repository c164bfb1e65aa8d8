//! Safe code compiled once per instruction set.
//!
//! A [`Kernel`] is a closure that is generic over the instruction set. [`Isa::run`] calls it from a function that
//! has the set's features enabled; everything inlined into it is then compiled, and vectorised, with them. A
//! token ([`Simd`]) proves that the processor has the set: it can only be had after that was checked.

use crate::dots::{self, DotTile, DOT_ROWS};
use crate::rows::{Rows, Slices};
use crate::strips::{self, Factors, StripRows, StripTile};
use crate::tile::{self, Segment, Tile, Weights};
use crate::vector::{self, Vector};
use crate::{Isa, Real};

/// Work that is compiled once per instruction set.
pub trait Kernel {
    /// What the work returns.
    type Output;

    /// Does the work. Implementations must be `#[inline(always)]`, and so must what they call: a function that
    /// stays a function is compiled without the features.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Proof that this processor has an instruction set. Sealed.
pub trait Simd: sealed::Token + Copy {
    /// The set.
    const ISA: Isa;

    /// A register.
    type Vector<T: Real>: Vector<T>;

    /// The same value in each element of a register.
    #[inline(always)]
    fn splat<T: Real>(self, value: T) -> Self::Vector<T> {
        // SAFETY: `self` proves the set.
        unsafe { Self::Vector::splat(value) }
    }

    /// The elements of a slice from `at` on.
    ///
    /// # Panics
    /// If they do not fill a register.
    #[inline(always)]
    fn load<T: Real>(self, from: &[T], at: usize) -> Self::Vector<T> {
        vector::check(from.len(), at, Self::Vector::<T>::LANES);
        // SAFETY: the elements were checked to lie in the slice; `self` proves the set.
        unsafe { Self::Vector::read(from.as_ptr().add(at)) }
    }

    /// The elements of each slice from `at` on.
    ///
    /// # Panics
    /// If those of one do not fill a register.
    #[inline(always)]
    fn load_each<T: Real, const N: usize>(self, from: &Slices<'_, T, N>, at: usize) -> [Self::Vector<T>; N] {
        // SAFETY: `self` proves the set.
        unsafe { from.load(at) }
    }

    /// The elements of each row from `at` on.
    ///
    /// # Panics
    /// If those of one do not fill a register, or a row leaves its slice.
    #[inline(always)]
    fn load_rows<T: Real, const N: usize>(
        self,
        from: &[T],
        rows: &Rows<N>,
        at: usize,
    ) -> [Self::Vector<T>; N] {
        // SAFETY: `self` proves the set.
        unsafe { rows.load(from, at) }
    }

    /// Writes a vector to each row, from `at` on.
    ///
    /// # Panics
    /// If one would leave its row, or a row its slice.
    #[inline(always)]
    fn store_rows<T: Real, const N: usize>(
        self,
        vectors: [Self::Vector<T>; N],
        to: &mut [T],
        rows: &Rows<N>,
        at: usize,
    ) {
        rows.store(vectors, to, at);
    }

    /// `a * b + c`, fused where the set has it.
    fn fma<T: Real>(self, a: T, b: T, c: T) -> T;

    /// Asks for `len` elements from `at` on to be brought near (to the second-level cache), where the set has an instruction for it
    /// and they exist.
    #[inline(always)]
    fn prefetch<T: Real>(self, _values: &[T], _at: usize, _len: usize) {}

    /// Multiplies a few rows with a panel of packed weights, in registers; see [`Tile`].
    ///
    /// Row `r` of the result is `sum over segments s and k < s.len of a[k] * w[s.weight + k]`, plus the bias,
    /// where `a` starts at `s.start + r * s.stride` of the segment's source and `w[k]` is one row of the panel.
    /// Products are added in the order of the segments, which must ascend in `weight`. The sum is cut where
    /// `weight` is a multiple of 64, into chains whose sums are added.
    ///
    /// # Panics
    /// If a segment leaves its source or the panel, or `rows` is not in `1..=ISA.tile_rows()`.
    #[inline(always)]
    fn tile<T: Real>(
        self,
        rows: usize,
        segments: &[Segment],
        sources: [&[T]; 2],
        weights: &Weights<'_, T>,
        tile: &mut Tile<T>,
    ) {
        tile::check(Self::ISA, rows, segments, sources.map(<[T]>::len), weights);
        // SAFETY: `check` accepted these arguments for this set.
        unsafe { self.tile_unchecked(rows, segments, sources, weights, tile) }
    }

    /// [`Simd::tile`] `N` times with one check: product `n` is of the elements of `source` from `n * distance` on and the `n`-th
    /// of the panels, which are equally long and `columns` wide. `before(n)` is called before each.
    ///
    /// # Panics
    /// Like `tile`.
    #[inline(always)]
    fn tiles<T: Real, const N: usize>(
        self,
        rows: usize,
        segments: &[Segment],
        (source, distance): (&[T], usize),
        (panels, columns): (&[T], usize),
        tiles: &mut [Tile<T>; N],
        mut before: impl FnMut(usize),
    ) {
        let (len, last) = (panels.len() / N, N.saturating_sub(1).saturating_mul(distance));
        let panel = |n: usize| Weights { panel: &panels[n * len..][..len], bias: &[], columns };
        assert!(
            last <= source.len(),
            "tile: a source of {} elements ends before its last part",
            source.len()
        );
        tile::check(Self::ISA, rows, segments, [source.len() - last, 0], &panel(0));
        for (n, tile) in tiles.iter_mut().enumerate() {
            before(n);
            // SAFETY: `check` accepted the arguments with the source of the last product, which is the shortest, and with a
            // panel as long as this.
            unsafe { self.tile_unchecked(rows, segments, [&source[n * distance..], &[]], &panel(n), tile) }
        }
    }

    /// [`Simd::tile`] without its checks.
    ///
    /// # Safety
    /// They must accept the arguments.
    unsafe fn tile_unchecked<T: Real>(
        self,
        rows: usize,
        segments: &[Segment],
        sources: [&[T]; 2],
        weights: &Weights<'_, T>,
        tile: &mut Tile<T>,
    );

    /// Dot products of each row with both factors, see [`Dots`](crate::Dots).
    ///
    /// # Panics
    /// If lengths differ or are not a multiple of [`DOT_BLOCK`](crate::DOT_BLOCK).
    fn dots<T: Real>(self, rows: [&[T]; DOT_ROWS], factors: [&[T]; 2]) -> DotTile<T>;

    /// Dot products of rows that lie in strips with a few factors, see [`StripDots`](crate::StripDots). Entries of other rows
    /// and factors of the tile hold anything.
    ///
    /// # Panics
    /// If a strip leaves its source, or numbers are out of range: [`StripRows`], [`Factors`].
    fn strips<T: Real>(self, rows: StripRows<'_, T>, factors: Factors<'_, T>, tile: &mut StripTile<T>);
}

mod sealed {
    pub trait Token {}
}

/// The portable set, which every processor has.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

impl sealed::Token for Portable {}

impl Simd for Portable {
    const ISA: Isa = Isa::Scalar;
    type Vector<T: Real> = T::Portable;

    #[inline(always)]
    fn fma<T: Real>(self, a: T, b: T, c: T) -> T {
        tile::portable_fma(a, b, c)
    }

    #[inline(always)]
    unsafe fn tile_unchecked<T: Real>(
        self,
        rows: usize,
        segments: &[Segment],
        sources: [&[T]; 2],
        weights: &Weights<'_, T>,
        tile: &mut Tile<T>,
    ) {
        // SAFETY: the caller's promise; the portable tile needs no feature.
        unsafe { T::tile_portable(rows, segments, sources, weights, tile) }
    }

    #[inline(always)]
    fn dots<T: Real>(self, rows: [&[T]; DOT_ROWS], factors: [&[T]; 2]) -> DotTile<T> {
        dots::check(rows, factors);
        // SAFETY: `check` accepted these slices; the portable code needs no feature.
        unsafe { T::dots_portable(rows, factors) }
    }

    #[inline(always)]
    fn strips<T: Real>(self, rows: StripRows<'_, T>, factors: Factors<'_, T>, tile: &mut StripTile<T>) {
        strips::check(Isa::Scalar, rows, factors);
        // SAFETY: `check` accepted these arguments for this set; the portable code needs no feature.
        unsafe { T::strips_portable(rows, factors, tile) }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{
        dots, sealed, strips, DotTile, Factors, Isa, Kernel, Real, Segment, Simd, StripRows, StripTile, Tile,
        Weights, DOT_ROWS,
    };
    use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T1};

    /// Bytes.
    const CACHE_LINE: usize = 64;

    macro_rules! token {
        ($name:ident, $isa:expr, $features:literal, $tile:ident, $dots:ident, $strips:ident, $doc:literal) => {
            #[doc = $doc]
            #[derive(Clone, Copy, Debug)]
            pub struct $name(());

            impl $name {
                /// The token, if this processor has the set.
                pub fn new() -> Option<Self> {
                    $isa.is_available().then_some(Self(()))
                }

                /// Runs work compiled for the set.
                #[inline]
                pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
                    #[target_feature(enable = $features)]
                    fn with_features<K: Kernel>(token: $name, kernel: K) -> K::Output {
                        kernel.run(token)
                    }
                    // SAFETY: `self` exists only if `new` found the set, that is, all of these features.
                    unsafe { with_features(self, kernel) }
                }
            }

            impl sealed::Token for $name {}

            impl Simd for $name {
                const ISA: Isa = $isa;
                type Vector<T: Real> = T::$name;

                #[inline(always)]
                fn fma<T: Real>(self, a: T, b: T, c: T) -> T {
                    a.mul_add(b, c)
                }

                #[inline(always)]
                fn prefetch<T: Real>(self, values: &[T], at: usize, len: usize) {
                    let first = values.as_ptr().wrapping_add(at);
                    for line in (0..len * size_of::<T>()).step_by(CACHE_LINE) {
                        // SAFETY: a prefetch of any address neither faults nor changes what a program sees; all x86-64
                        // processors have the instruction.
                        unsafe { _mm_prefetch::<_MM_HINT_T1>(first.wrapping_byte_add(line).cast()) }
                    }
                }

                #[inline(always)]
                unsafe fn tile_unchecked<T: Real>(
                    self,
                    rows: usize,
                    segments: &[Segment],
                    sources: [&[T]; 2],
                    weights: &Weights<'_, T>,
                    tile: &mut Tile<T>,
                ) {
                    // SAFETY: the caller's promise, and `self` proves the set's features.
                    unsafe { T::$tile(rows, segments, sources, weights, tile) }
                }

                #[inline(always)]
                fn dots<T: Real>(self, rows: [&[T]; DOT_ROWS], factors: [&[T]; 2]) -> DotTile<T> {
                    dots::check(rows, factors);
                    // SAFETY: `check` accepted these slices, and `self` proves the set's features.
                    unsafe { T::$dots(rows, factors) }
                }

                #[inline(always)]
                fn strips<T: Real>(
                    self,
                    rows: StripRows<'_, T>,
                    factors: Factors<'_, T>,
                    tile: &mut StripTile<T>,
                ) {
                    strips::check($isa, rows, factors);
                    // SAFETY: `check` accepted these arguments for this set, and `self` proves its features.
                    unsafe { T::$strips(rows, factors, tile) }
                }
            }
        };
    }

    token!(Avx2, Isa::Avx2, "avx2,fma", tile_avx2, dots_avx2, strips_avx2, "AVX2 with fused multiply-add.");
    token!(
        Avx512,
        Isa::Avx512,
        "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma",
        tile_avx512,
        dots_avx512,
        strips_avx512,
        "AVX-512 F, VL, DQ and BW."
    );
}

impl Isa {
    /// Runs work compiled for this instruction set.
    ///
    /// # Panics
    /// If this processor does not have it.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Isa::Scalar => kernel.run(Portable),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => x86::Avx2::new().expect("this processor has no avx2").run(kernel),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => x86::Avx512::new().expect("this processor has no avx512").run(kernel),
            #[cfg(not(target_arch = "x86_64"))]
            _ => panic!("this processor has no {self}"),
        }
    }
}
