//! One lane: blocks of rows are transformed, multiplied and transformed back.
//!
//! # Cache
//! Transformed inputs of a block stay in L2. The panels of weights are outermost, so that each is read from L3 once per
//! block; the sums of all points of one tile stay in L1.

#![allow(
    clippy::needless_range_loop,
    reason = "points, outputs and rows go by the same index, in loops that must unroll"
)]

use super::points;
use super::scheme::Scheme;
use super::tail::{Sums, Tail, MOST_ROWS};
use super::Winograd;
use crate::{Epilogue, Scratch};
use deeplift_simd::{
    Isa, Kernel, Lanes, Real, Rows, Segment, Simd, Slices, Strips, Tile, Vector, STRIP_FACTORS,
};
use std::array::from_fn;
use std::ops::Range;

/// Bytes of transformed inputs in one block: a quarter of the smallest L2 in use (1 MiB), beside panels and what the
/// epilogue reads and writes.
const BLOCK_BYTES: usize = 256 * 1024;

/// Rows that the later segments of a block read beyond its own.
pub(super) fn halo(scheme: Scheme, taps: usize, step: usize) -> usize {
    (scheme.segments(taps) - 1) * scheme.shift() * step
}

/// Elements between the values of two points, and, times the points, of two rows: an odd number of cache lines, so that
/// the rows of a tile spread over the sets of the L1 cache.
pub(super) fn stride<T: Real>(ins: usize) -> usize {
    let line = 64 / size_of::<T>();
    (ins.div_ceil(line) | 1) * line
}

/// Number of blocks that the rows are cut into.
pub(super) fn blocks<T: Real>(scheme: Scheme, rows: usize, ins: usize, isa: Isa) -> usize {
    let most = BLOCK_BYTES / (scheme.points * stride::<T>(ins) * size_of::<T>()) / isa.tile_rows();
    rows.div_ceil(isa.tile_rows()).div_ceil(most.max(1))
}

/// Computes the rows of one lane.
pub(super) fn run<T: Real>(
    packed: &Winograd<T>,
    x: &[T],
    epilogue: &mut Epilogue<'_, T>,
    scratch: &mut Scratch<T>,
) {
    match (packed.scheme.points, packed.scheme.outputs) {
        (4, 2) => packed.isa.run(Run::<_, 4, 2> { packed, x, epilogue, scratch }),
        (5, 3) => packed.isa.run(Run::<_, 5, 3> { packed, x, epilogue, scratch }),
        (6, 4) => packed.isa.run(Run::<_, 6, 4> { packed, x, epilogue, scratch }),
        (7, 4) => packed.isa.run(Run::<_, 7, 4> { packed, x, epilogue, scratch }),
        _ => unreachable!("all schemes are listed"),
    }
}

/// One lane by F(M, N - M + 1).
struct Run<'r, 'e, T: Real, const N: usize, const M: usize> {
    packed: &'r Winograd<T>,
    x: &'r [T],
    epilogue: &'r mut Epilogue<'e, T>,
    scratch: &'r mut Scratch<T>,
}

/// Rows of `M` outputs whose inputs were transformed.
struct Block<'b, T> {
    /// Rows of each tile: `least`, and one more in the first `more` tiles of all.
    tiles: Range<usize>,
    least: usize,
    more: usize,
    /// Where the first output of each row lies in the destination.
    outputs: &'b [usize],
    /// `[row][point][channel]`.
    transformed: &'b [T],
    segments: &'b [Segment],
}

impl<T> Block<'_, T> {
    /// Rows of a tile, counted from the first of the block. Tiles are of almost equal size: one more row costs less than
    /// another tile of one row.
    #[inline(always)]
    fn rows(&self, tile: usize) -> Range<usize> {
        let start = first_row(self.tiles.start, self.least, self.more);
        first_row(tile, self.least, self.more) - start..first_row(tile + 1, self.least, self.more) - start
    }
}

/// The first row of a tile, if `more` tiles have one row more than `least`.
#[inline(always)]
fn first_row(tile: usize, least: usize, more: usize) -> usize {
    tile * least + tile.min(more)
}

impl<T: Real, const N: usize, const M: usize> Kernel for Run<'_, '_, T, N, M> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Run { packed, x, epilogue, scratch } = self;
        let (rows, width, lanes) = (packed.tiling.rows, packed.bias.len(), S::Vector::<T>::LANES);
        let row_len = N * stride::<T>(packed.ins);
        let halo = halo(packed.scheme, packed.axis.taps.len(), packed.tiling.step);
        let tiles = rows.div_ceil(S::ISA.tile_rows());
        let (least, more) = (rows / tiles.max(1), rows % tiles.max(1));
        let blocks = blocks::<T>(packed.scheme, rows, packed.ins, S::ISA);
        let mut products: [Tile<T>; N] = from_fn(|_| Tile::default());
        let Scratch { transformed, segments, strips, outputs, .. } = scratch;
        segments.clear();
        segments.extend((0..packed.depth() / packed.ins).map(|segment| Segment {
            source: 0,
            start: segment * packed.scheme.shift() * packed.tiling.step * row_len,
            stride: row_len,
            len: packed.ins,
            weight: segment * packed.ins,
        }));
        for block in 0..blocks {
            let tiles = block * tiles / blocks..(block + 1) * tiles / blocks;
            let start = first_row(tiles.start, least, more);
            let rows = first_row(tiles.end, least, more) - start;
            outputs.clear();
            let firsts = packed.tiling.first_outputs(start).take(rows);
            outputs.extend(firsts.map(|first| (packed.axis.to_first + first) * packed.outs));
            transformed.resize_at_least((rows + halo) * row_len);
            let transformed = &mut transformed[..(rows + halo) * row_len];
            packed.transform::<S, N>(simd, start, x, transformed);
            let block = Block { tiles, least, more, outputs, transformed, segments };
            for first in (0..width).step_by(2 * lanes) {
                if width - first >= 2 * lanes {
                    packed.panel::<S, N, M, 2>(simd, first, &block, &mut products, epilogue);
                } else {
                    packed.panel::<S, N, M, 1>(simd, first, &block, &mut products, epilogue);
                }
            }
            if let Some(tail) = &packed.tail {
                for tile in block.tiles.clone() {
                    packed.finish_tail::<S, N, M>(simd, tail, block.rows(tile), &block, strips, epilogue);
                }
            }
        }
    }
}

impl<T: Real> Winograd<T> {
    /// Where the outputs of a row lie in the destination if its first one lies at `first`, and where those end that exist.
    #[inline(always)]
    fn places<const M: usize>(&self, first: usize) -> ([usize; M], usize) {
        let mut places = [first; M];
        for m in 1..M {
            places[m] = places[m - 1] + self.tiling.step * self.outs;
        }
        (places, (self.axis.to_first + self.axis.count) * self.outs)
    }

    /// The same, `columns` elements at each, if all exist.
    #[inline(always)]
    fn complete<const M: usize>(&self, first: usize, columns: usize) -> Option<Rows<M>> {
        let (places, end) = self.places::<M>(first);
        (places[M - 1] < end).then(|| Rows::new(places, columns))
    }

    /// Transforms the inputs of rows from `start` on, to `[row][point][channel]`.
    #[inline(always)]
    fn transform<S: Simd, const N: usize>(&self, simd: S, start: usize, x: &[T], transformed: &mut [T]) {
        let (ins, stride, step) = (self.ins, stride::<T>(self.ins), self.tiling.step);
        let (lanes, end) = (S::Vector::<T>::LANES, self.axis.source_end());
        let mut points = [0; N];
        for n in 1..N {
            points[n] = n * stride;
        }
        let points = Rows::new(points, stride);
        let outputs = self.tiling.first_outputs(start);
        for (output, to) in outputs.zip(transformed.chunks_exact_mut(N * stride)) {
            let mut position = self.axis.from_first + output as isize;
            let mut sources: [&[T]; N] = [&self.zeros[..ins]; N];
            for source in &mut sources {
                if position >= 0 && position < end {
                    *source = &x[position as usize * ins..][..ins];
                }
                position += step as isize;
            }
            if let Some(tail) = &self.tail {
                // What lies behind the channels meets weights of 0, but has to be finite.
                for point in to.chunks_exact_mut(stride) {
                    point[tail.terms - lanes..tail.terms].fill(T::ZERO);
                }
            }
            let sources = Slices::new(sources);
            for at in (0..ins).step_by(lanes) {
                // The last vector overlaps the one before.
                let at = at.min(ins - lanes);
                simd.store_rows(points::input(simd.load_each(&sources, at)), to, &points, at);
            }
        }
    }

    /// Computes the columns of a block from `first` on, as many as `VECTORS` registers hold.
    #[inline(always)]
    fn panel<S: Simd, const N: usize, const M: usize, const VECTORS: usize>(
        &self,
        simd: S,
        first: usize,
        block: &Block<'_, T>,
        products: &mut [Tile<T>; N],
        epilogue: &mut Epilogue<'_, T>,
    ) {
        let (stride, lanes) = (stride::<T>(self.ins), S::Vector::<T>::LANES);
        let columns = VECTORS * lanes;
        let (depth, valid) = (self.depth(), columns.min(self.outs - first));
        let panels = &self.panels[first * N * depth..][..N * depth * columns];
        for tile in block.tiles.clone() {
            let rows = block.rows(tile);
            let source = &block.transformed[rows.start * N * stride..];
            let outputs = &block.outputs[rows];
            let (rows, part) = (outputs.len(), outputs.len().div_ceil(N));
            simd.tiles(
                rows,
                block.segments,
                (source, stride),
                (panels, columns),
                products,
                #[inline(always)]
                |point| {
                    // What the epilogue of the rows needs is asked for a part before each point: more at once than the
                    // cache can wait for would hold up the products.
                    let outputs = outputs.iter().skip(part * point).take(part);
                    let places = outputs.flat_map(|&at| self.places::<M>(at + first).0);
                    epilogue.prefetch(simd, places, columns);
                },
            );
            epilogue.apply_rows::<S, M, VECTORS>(
                simd,
                if valid == columns { rows } else { 0 },
                #[inline(always)]
                |r| self.complete(outputs[r] + first, columns),
                #[inline(always)]
                |r, v| self.sums::<S, N, M>(simd, products, (r * VECTORS + v) * lanes, first + v * lanes),
            );
            for r in 0..rows {
                if valid == columns && self.complete::<M>(outputs[r] + first, columns).is_some() {
                    continue;
                }
                for v in 0..VECTORS {
                    let at = (r * VECTORS + v) * lanes;
                    let sums = self.sums::<S, N, M>(simd, products, at, first + v * lanes);
                    for m in 0..M {
                        sums[m].store(products[m].values_mut(), at);
                    }
                }
                let (places, end) = self.places::<M>(outputs[r] + first);
                for m in 0..M {
                    if places[m] < end {
                        epilogue.apply(places[m], &products[m].values()[r * columns..][..valid]);
                    }
                }
            }
        }
    }

    /// Transforms the sums of all points, which lie at `at`, to the outputs of a row, for the channels from `first` on.
    #[inline(always)]
    fn sums<S: Simd, const N: usize, const M: usize>(
        &self,
        simd: S,
        products: &[Tile<T>; N],
        at: usize,
        first: usize,
    ) -> [S::Vector<T>; M] {
        let bias = simd.load(&self.bias, first);
        let mut sums = [bias; N];
        for n in 0..N {
            sums[n] = simd.load(products[n].values(), at);
        }
        let mut results: [_; M] = points::output(sums);
        for m in 0..M {
            results[m] = results[m] + bias;
        }
        results
    }

    /// The last channels of rows, from dot products to the epilogue.
    #[inline(always)]
    fn finish_tail<S: Simd, const N: usize, const M: usize>(
        &self,
        simd: S,
        tail: &Tail<T>,
        rows: Range<usize>,
        block: &Block<'_, T>,
        strips: &mut Vec<Strips>,
        epilogue: &mut Epilogue<'_, T>,
    ) {
        let stride = stride::<T>(self.ins);
        let distances = [N * stride, self.scheme.shift() * self.tiling.step];
        let mut sums: [Sums<T>; N] = [[[T::ZERO; STRIP_FACTORS]; MOST_ROWS]; N];
        for (point, sums) in sums.iter_mut().enumerate() {
            let at = (rows.start * N + point) * stride;
            tail.multiply(simd, point, rows.len(), at, distances, block.transformed, strips, sums);
        }
        for (r, &first) in block.outputs[rows].iter().enumerate() {
            let (places, end) = self.places::<M>(first);
            let results: [_; M] = points::output(from_fn::<_, N, _>(|n| Lanes(sums[n][r])));
            for (m, Lanes(results)) in results.iter().enumerate() {
                if places[m] >= end {
                    continue;
                }
                let values: [T; STRIP_FACTORS] = from_fn(|c| results[c] + tail.bias[c]);
                epilogue.apply(places[m] + self.outs - tail.channels, &values[..tail.channels]);
            }
        }
    }
}
