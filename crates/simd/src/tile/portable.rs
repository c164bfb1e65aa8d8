//! Tiles for any processor: short arrays that the compiler turns into the vectors of its baseline.

use super::{each_row, tile_body, tile_rows, Segment, Tile, Weights, CHAIN};
use crate::Real;

/// Fused where the baseline of the target has it; a call to a software `fma` would be 50 times slower.
#[inline(always)]
pub(crate) fn portable_fma<T: Real>(a: T, b: T, c: T) -> T {
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

macro_rules! portable_tile {
    ($name:ident, $type:ty, $lanes:literal) => {
        /// Picks the instantiation for the number of rows and columns.
        ///
        /// # Safety
        /// See [`Tiles`](super::Tiles).
        pub(super) unsafe fn $name(
            rows: usize,
            segments: &[Segment],
            sources: [&[$type]; 2],
            weights: &Weights<'_, $type>,
            tile: &mut Tile<$type>,
        ) {
            type Vector = [$type; $lanes];

            /// # Safety
            /// See [`Tiles`](super::Tiles); `ROWS` is `rows`, `VECTORS * lanes` is `weights.columns`.
            unsafe fn fixed<const ROWS: usize, const VECTORS: usize>(
                segments: &[Segment],
                sources: [&[$type]; 2],
                weights: &Weights<'_, $type>,
                tile: *mut $type,
            ) {
                tile_body!(segments, sources, weights, tile, lanes: $lanes, zero: [0.0; $lanes],
                    load: |from: *const $type| from.cast::<Vector>().read_unaligned(),
                    store: |to: *mut $type, vector: Vector| to.cast::<Vector>().write_unaligned(vector),
                    splat: |value: $type| [value; $lanes],
                    add: |a: Vector, b: Vector| -> Vector { std::array::from_fn(|i| a[i] + b[i]) },
                    fma: |a: Vector, b: Vector, c: Vector| -> Vector {
                        std::array::from_fn(|i| portable_fma(a[i], b[i], c[i]))
                    });
            }
            let tile = tile.values.as_mut_ptr();
// SAFETY: the contract is passed on, with the rows and vectors that were asked for.
            unsafe {
                match (rows, weights.columns > $lanes) {
                    (1, true) => fixed::<1, 2>(segments, sources, weights, tile),
                    (2, true) => fixed::<2, 2>(segments, sources, weights, tile),
                    (3, true) => fixed::<3, 2>(segments, sources, weights, tile),
                    (4, true) => fixed::<4, 2>(segments, sources, weights, tile),
                    (5, true) => fixed::<5, 2>(segments, sources, weights, tile),
                    (6, true) => fixed::<6, 2>(segments, sources, weights, tile),
                    (1, false) => fixed::<1, 1>(segments, sources, weights, tile),
                    (2, false) => fixed::<2, 1>(segments, sources, weights, tile),
                    (3, false) => fixed::<3, 1>(segments, sources, weights, tile),
                    (4, false) => fixed::<4, 1>(segments, sources, weights, tile),
                    (5, false) => fixed::<5, 1>(segments, sources, weights, tile),
                    (6, false) => fixed::<6, 1>(segments, sources, weights, tile),
                    _ => unreachable!("check limits the rows"),
                }
            }
        }
    };
}

portable_tile!(tile_f32, f32, 4);
portable_tile!(tile_f64, f64, 2);
