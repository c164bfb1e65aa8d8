//! Tiles for AVX2 and AVX-512.

use super::{each_row, tile_body, tile_rows, Segment, Tile, Weights, CHAIN};
use std::arch::x86_64::*;

macro_rules! x86_tile {
    ($name:ident, $type:ty, $lanes:literal, $features:literal, rows: $($rows:literal)*,
     $zero:ident, $load:ident, $store:ident, $splat:ident, $add:ident, $fma:ident) => {
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
            /// # Safety
            /// See [`Tiles`](super::Tiles); `ROWS` is `rows`, `VECTORS * lanes` is `weights.columns`.
            #[target_feature(enable = $features)]
            unsafe fn fixed<const ROWS: usize, const VECTORS: usize>(
                segments: &[Segment],
                sources: [&[$type]; 2],
                weights: &Weights<'_, $type>,
                tile: *mut $type,
            ) {
                tile_body!(segments, sources, weights, tile, lanes: $lanes, zero: $zero(), load: $load,
                    store: $store, splat: $splat, add: $add, fma: $fma);
            }
            let tile = tile.values.as_mut_ptr();
// SAFETY: the contract is passed on, with the rows and vectors that were asked for.
            unsafe {
                match (rows, weights.columns > $lanes) {
                    $(($rows, true) => fixed::<$rows, 2>(segments, sources, weights, tile),
                    ($rows, false) => fixed::<$rows, 1>(segments, sources, weights, tile),)*
                    _ => unreachable!("check limits the rows"),
                }
            }
        }
    };
}

x86_tile!(avx2_f32, f32, 8, "avx2,fma", rows: 1 2 3 4 5 6,
    _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_add_ps, _mm256_fmadd_ps);
x86_tile!(avx2_f64, f64, 4, "avx2,fma", rows: 1 2 3 4 5 6,
    _mm256_setzero_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_set1_pd, _mm256_add_pd, _mm256_fmadd_pd);
x86_tile!(avx512_f32, f32, 16, "avx512f", rows: 1 2 3 4 5 6 7 8 9 10 11 12 13 14,
    _mm512_setzero_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_set1_ps, _mm512_add_ps, _mm512_fmadd_ps);
x86_tile!(avx512_f64, f64, 8, "avx512f", rows: 1 2 3 4 5 6 7 8 9 10 11 12 13 14,
    _mm512_setzero_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_set1_pd, _mm512_add_pd, _mm512_fmadd_pd);
