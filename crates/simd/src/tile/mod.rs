//! The register-blocked matrix tile: up to 14 rows of activations times a panel of packed weights.
//!
//! Each row of the tile lives in one or two vector registers. Every step loads one row of the panel, broadcasts
//! one value of each activation row and issues `rows * vectors` independent fused multiply-adds, enough to hide
//! their latency. 14 x 2 accumulators fill the 32 registers of AVX-512 but for what the operands need; 6 x 2 the
//! 16 registers of AVX2.
//!
//! All instantiations, whatever their number of rows and vectors, perform the same chain of operations for an
//! element, so which tile computed an element cannot be seen in its bits.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::{Isa, Real};
pub(crate) use portable::portable_fma;

/// Terms of a sum that are added in one chain. Longer sums add the sums of such chains, in order: the rounding
/// error then grows with 64 plus the number of chains rather than with the number of terms. Shorter chains cost time.
const CHAIN: usize = 64;

/// Inputs of a dense layer that are multiplied before the next are looked at, a multiple of [`CHAIN`]: rows of so many
/// values and as many rows of a panel fit into the caches.
pub const SUM_BLOCK: usize = 8 * CHAIN;

/// Most rows of any tile, and most bytes in one of its rows.
const MAX_ROWS: usize = 14;
const MAX_ROW_BYTES: usize = 128;

/// A run of products: `len` consecutive values of each activation row times `len` rows of the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Which of the two sources holds the activations, 0 or 1.
    pub source: usize,
    /// Where row 0 starts in the source.
    pub start: usize,
    /// Elements between the starts of two rows.
    pub stride: usize,
    /// Number of products per row, at least 1.
    pub len: usize,
    /// The panel row that the first value is multiplied with.
    pub weight: usize,
}

/// A panel of packed weights, `[k][columns]`.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a, T> {
    /// The panel, row-major.
    pub panel: &'a [T],
    /// Values added to the finished sums, one per column, or empty.
    pub bias: &'a [T],
    /// Values in a panel row: [`Isa::tile_columns`], or half of it.
    pub columns: usize,
}

/// The results of one tile, `[rows][columns]`.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Tile<T> {
    values: [T; MAX_ROWS * MAX_ROW_BYTES / 4],
}

impl<T: Real> Default for Tile<T> {
    #[inline]
    fn default() -> Self {
        Self { values: [T::ZERO; MAX_ROWS * MAX_ROW_BYTES / 4] }
    }
}

impl<T> Tile<T> {
    /// The results, row by row, without gaps.
    #[inline(always)]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The same, to work on.
    #[inline(always)]
    pub fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }
}

impl Isa {
    /// Most rows of a tile.
    #[inline(always)]
    pub const fn tile_rows(self) -> usize {
        match self {
            Isa::Scalar | Isa::Avx2 => 6,
            Isa::Avx512 => MAX_ROWS,
        }
    }

    /// Columns of a full tile, two vectors. A tile may also be half as wide.
    #[inline(always)]
    pub const fn tile_columns<T: Real>(self) -> usize {
        let bytes = match self {
            Isa::Scalar => 32,
            Isa::Avx2 => 64,
            Isa::Avx512 => MAX_ROW_BYTES,
        };
        bytes / size_of::<T>()
    }
}

/// Everything the unsafe tiles rely on, checked once per tile.
#[inline(always)]
pub(crate) fn check<T: Real>(
    isa: Isa,
    rows: usize,
    segments: &[Segment],
    source_lens: [usize; 2],
    weights: &Weights<'_, T>,
) {
    let full = isa.tile_columns::<T>();
    assert!(rows >= 1 && rows <= isa.tile_rows(), "tile: {rows} rows");
    assert!(weights.columns == full || weights.columns == full / 2, "tile: {} columns", weights.columns);
    assert!(weights.bias.is_empty() || weights.bias.len() == weights.columns, "tile: bias of another width");
    for s in segments {
        assert!(s.len > 0, "tile: {s:?} is empty");
        let last = (rows - 1).checked_mul(s.stride).and_then(|last| last.checked_add(s.start));
        let end = last.and_then(|last| last.checked_add(s.len));
        assert!(end.is_some_and(|end| end <= source_lens[s.source]), "tile: {s:?} leaves its source");
        // No division: it would take longer than the rest of the checks.
        let end = s.weight.checked_add(s.len).and_then(|end| end.checked_mul(weights.columns));
        let len = weights.panel.len();
        assert!(end.is_some_and(|end| end <= len), "tile: {s:?} leaves the panel of {len} weights");
    }
}

/// The tiles of one element type.
///
/// # Safety
/// For all functions: [`check`] must have accepted the arguments for the set, and the processor must have it.
pub trait Tiles: Sized {
    /// Tile of [`Isa::Scalar`].
    ///
    /// # Safety
    /// See the trait.
    unsafe fn tile_portable(
        rows: usize,
        segments: &[Segment],
        sources: [&[Self]; 2],
        weights: &Weights<'_, Self>,
        tile: &mut Tile<Self>,
    );
    /// Tile of [`Isa::Avx2`].
    ///
    /// # Safety
    /// See the trait.
    #[cfg(target_arch = "x86_64")]
    unsafe fn tile_avx2(
        rows: usize,
        segments: &[Segment],
        sources: [&[Self]; 2],
        weights: &Weights<'_, Self>,
        tile: &mut Tile<Self>,
    );
    /// Tile of [`Isa::Avx512`].
    ///
    /// # Safety
    /// See the trait.
    #[cfg(target_arch = "x86_64")]
    unsafe fn tile_avx512(
        rows: usize,
        segments: &[Segment],
        sources: [&[Self]; 2],
        weights: &Weights<'_, Self>,
        tile: &mut Tile<Self>,
    );
}

macro_rules! tiles {
    ($type:ty, $portable:ident, $avx2:ident, $avx512:ident) => {
        impl Tiles for $type {
            #[inline]
            unsafe fn tile_portable(
                rows: usize,
                segments: &[Segment],
                sources: [&[Self]; 2],
                weights: &Weights<'_, Self>,
                tile: &mut Tile<Self>,
            ) {
                // SAFETY: the contract is passed on.
                unsafe { portable::$portable(rows, segments, sources, weights, tile) }
            }

            #[cfg(target_arch = "x86_64")]
            #[inline]
            unsafe fn tile_avx2(
                rows: usize,
                segments: &[Segment],
                sources: [&[Self]; 2],
                weights: &Weights<'_, Self>,
                tile: &mut Tile<Self>,
            ) {
                // SAFETY: the contract is passed on.
                unsafe { x86::$avx2(rows, segments, sources, weights, tile) }
            }

            #[cfg(target_arch = "x86_64")]
            #[inline]
            unsafe fn tile_avx512(
                rows: usize,
                segments: &[Segment],
                sources: [&[Self]; 2],
                weights: &Weights<'_, Self>,
                tile: &mut Tile<Self>,
            ) {
                // SAFETY: the contract is passed on.
                unsafe { x86::$avx512(rows, segments, sources, weights, tile) }
            }
        }
    };
}

tiles!(f32, tile_f32, avx2_f32, avx512_f32);
tiles!(f64, tile_f64, avx2_f64, avx512_f64);

/// Repeats a block for each row. Written out, because the optimiser gives up unrolling loops of 12 rows, and
/// accumulators that are indexed by a variable live in memory.
macro_rules! each_row {
    ($r:ident, $body:block) => {
        each_row!(@ $r, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    (@ $r:ident, $body:block, $($row:literal)*) => {
        $(if $row < ROWS {
            #[allow(non_upper_case_globals)]
            const $r: usize = $row;
            $body
        })*
    };
}
use each_row;

/// Repeats a statement for each vector of each row, with a pointer to its place in the tile.
macro_rules! tile_rows {
    ($out:ident, $lanes:expr, |$r:ident, $v:ident, $cell:ident| $statement:expr) => {
        each_row!($r, {
            for $v in 0..VECTORS {
                // SAFETY: `check`: at most 14 rows of at most 128 bytes, the size of a `Tile`.
                unsafe {
                    let $cell = $out.add(($r * VECTORS + $v) * $lanes);
                    $statement;
                }
            }
        });
    };
}
use tile_rows;

/// The body shared by all tiles: how segments and chains are walked, given the operations of one vector type.
/// `check` refused empty segments, so all loops run at least once: with a way around them the optimiser keeps two
/// copies of all accumulators.
///
/// `ROWS` and `VECTORS` are constants of the surrounding function, so that all inner loops unroll and the
/// accumulators are registers. The tile is a raw pointer, which may alias the sources as far as the optimiser knows:
/// it would otherwise keep the tile in registers too, and spill.
macro_rules! tile_body {
    ($segments:ident, $sources:ident, $weights:ident, $tile:ident, lanes: $lanes:expr, zero: $zero:expr,
     load: $load:expr, store: $store:expr, splat: $splat:expr, add: $add:expr, fma: $fma:expr) => {{
        let columns = VECTORS * $lanes;
        let out = $tile;
        let mut acc = [[$zero; VECTORS]; ROWS];
        let (mut block, mut flushed) = (0, false);
        for s in $segments {
            let (mut k, end) = (s.weight, s.weight + s.len);
            loop {
                if k / CHAIN != block {
                    if !flushed {
                        tile_rows!(out, $lanes, |r, v, cell| $store(cell, $zero));
                    }
                    tile_rows!(out, $lanes, |r, v, cell| {
                        $store(cell, $add($load(cell), acc[r][v]));
                        acc[r][v] = $zero;
                    });
                    (block, flushed) = (k / CHAIN, true);
                }
                let stop = end.min((block + 1) * CHAIN);
                let first = $sources[s.source].as_ptr().wrapping_add(s.start + (k - s.weight));
                // Three rows share a base register: the address of each is base + {0, 1, 2} * stride.
                let mut base = [first; 5];
                for g in 1..5 {
                    base[g] = base[g - 1].wrapping_add(3usize.wrapping_mul(s.stride));
                }
                let mut w = $weights.panel.as_ptr().wrapping_add(k * columns);
                loop {
                    let mut row = [$zero; VECTORS];
                    for v in 0..VECTORS {
                        // SAFETY: `check`: the panel has rows up to `s.weight + s.len`, and `w` is row `k`.
                        row[v] = unsafe { $load(w.wrapping_add(v * $lanes)) };
                    }
                    each_row!(r, {
                        let a = base[r / 3].wrapping_add(r % 3 * s.stride);
                        // SAFETY: `check`: row `r <= rows - 1` of the segment has `s.len` values in the source.
                        let a = unsafe { $splat(*a) };
                        for v in 0..VECTORS {
                            acc[r][v] = $fma(a, row[v], acc[r][v]);
                        }
                    });
                    base.iter_mut().for_each(|a| *a = a.wrapping_add(1));
                    w = w.wrapping_add(columns);
                    k += 1;
                    if k == stop {
                        break;
                    }
                }
                if k == end {
                    break;
                }
            }
        }
        if flushed {
            tile_rows!(out, $lanes, |r, v, cell| acc[r][v] = $add($load(cell), acc[r][v]));
        }
        if !$weights.bias.is_empty() {
            for v in 0..VECTORS {
                // SAFETY: `check`: a bias that is not empty has `columns` values.
                let bias = unsafe { $load($weights.bias.as_ptr().add(v * $lanes)) };
                each_row!(r, { acc[r][v] = $add(acc[r][v], bias) });
            }
        }
        tile_rows!(out, $lanes, |r, v, cell| $store(cell, acc[r][v]));
    }};
}
use tile_body;

#[cfg(test)]
mod tests;
