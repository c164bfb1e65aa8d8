//! One lane: blocks of rows are transformed, multiplied and transformed back.
//!
//! # Cache
//! Transformed inputs of a block stay in L2. The panels of weights are outermost, so that each is read from L3 once per
//! block; the sums of all points of one tile stay in L1.

use super::points;
use super::scheme::Scheme;
use super::tail::{Sums, Tail, MOST_ROWS};
use super::Winograd;
use crate::{Epilogue, Scratch};
use deeplift_simd::{Isa, Kernel, Lanes, Real, Segment, Simd, Strips, Tile, Vector, Weights, STRIP_FACTORS};
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

impl<T: Real, const N: usize, const M: usize> Kernel for Run<'_, '_, T, N, M> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match const { S::ISA.tile_columns::<T>() } {
            32 => self.blocks::<S, 32>(simd),
            16 => self.blocks::<S, 16>(simd),
            8 => self.blocks::<S, 8>(simd),
            _ => self.blocks::<S, 4>(simd),
        }
    }
}

impl<T: Real, const N: usize, const M: usize> Run<'_, '_, T, N, M> {
    #[inline(always)]
    fn blocks<S: Simd, const COLUMNS: usize>(self, simd: S) {
        let Run { packed, x, epilogue, scratch } = self;
        let (rows, width) = (packed.tiling.rows, packed.bias.len());
        let row_len = N * stride::<T>(packed.ins);
        let halo = halo(packed.scheme, packed.axis.taps.len(), packed.tiling.step);
        let tiles = rows.div_ceil(S::ISA.tile_rows());
        let blocks = blocks::<T>(packed.scheme, rows, packed.ins, S::ISA);
        // Tiles of almost equal size: one more row costs less than another tile of one row.
        let bound = |tile: usize| tile * rows / tiles;
        let mut products: [Tile<T>; N] = from_fn(|_| Tile::default());
        let mut outputs = [0; MOST_ROWS];
        let Scratch { transformed, segments, strips, .. } = scratch;
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
            let (start, end) = (bound(tiles.start), bound(tiles.end) + halo);
            transformed.resize_at_least((end - start) * row_len);
            let transformed = &mut transformed[..(end - start) * row_len];
            packed.transform::<S, N>(simd, start..end, x, transformed);
            for first in (0..width).step_by(S::ISA.tile_columns::<T>()) {
                for tile in tiles.clone() {
                    let rows = bound(tile)..bound(tile + 1);
                    let source = &transformed[(rows.start - start) * row_len..];
                    let outputs = &mut outputs[..rows.len()];
                    outputs
                        .iter_mut()
                        .zip(packed.tiling.first_outputs(rows.start))
                        .for_each(|(to, o)| *to = o);
                    if width - first >= COLUMNS {
                        let near = |outputs: &[usize]| {
                            packed.prefetch::<S, M>(simd, first, COLUMNS, outputs, epilogue)
                        };
                        packed.multiply(simd, first, outputs, source, segments, near, &mut products);
                        packed.finish::<S, N, M, COLUMNS>(simd, first, COLUMNS, outputs, &products, epilogue);
                    } else {
                        let half = COLUMNS / 2;
                        let near =
                            |outputs: &[usize]| packed.prefetch::<S, M>(simd, first, half, outputs, epilogue);
                        packed.multiply(simd, first, outputs, source, segments, near, &mut products);
                        packed.finish::<S, N, M, COLUMNS>(simd, first, half, outputs, &products, epilogue);
                    }
                }
            }
            if let Some(tail) = &packed.tail {
                for tile in tiles {
                    let rows = bound(tile)..bound(tile + 1);
                    let at = (rows.start - start) * row_len;
                    packed.finish_tail::<S, N, M>(simd, tail, rows, at, transformed, strips, epilogue);
                }
            }
        }
    }
}

impl<T: Real> Winograd<T> {
    /// Transforms the inputs of rows, to `[row][point][channel]`.
    #[inline(always)]
    fn transform<S: Simd, const N: usize>(
        &self,
        simd: S,
        rows: Range<usize>,
        x: &[T],
        transformed: &mut [T],
    ) {
        let (ins, stride, step) = (self.ins, stride::<T>(self.ins), self.tiling.step);
        let lanes = S::Vector::<T>::LANES;
        let outputs = self.tiling.first_outputs(rows.start);
        for (output, to) in outputs.zip(transformed.chunks_exact_mut(N * stride)) {
            let first = self.axis.from_first + output as isize;
            let sources: [&[T]; N] = from_fn(|n| {
                let position = first + (n * step) as isize;
                let inside = position >= 0 && position < self.axis.from_len as isize;
                if inside {
                    &x[position as usize * ins..][..ins]
                } else {
                    &self.zeros[..ins]
                }
            });
            let mut chunks = to.chunks_exact_mut(stride);
            let mut points: [&mut [T]; N] = from_fn(|_| chunks.next().expect("a row has all points"));
            if let Some(tail) = &self.tail {
                // What lies behind the channels meets weights of 0, but has to be finite.
                for point in &mut points {
                    point[tail.terms - lanes..tail.terms].fill(T::ZERO);
                }
            }
            for at in (0..ins).step_by(lanes) {
                // The last vector overlaps the one before.
                let at = at.min(ins - lanes);
                let values = points::input(simd.load_each(&sources, at));
                for n in 0..N {
                    values[n].store(&mut points[n][at..]);
                }
            }
        }
    }

    /// Multiplies rows with these first outputs, of which the first row starts `source`, with the panels of all points that start at column `first`. Asks
    /// for what the epilogue of the rows needs a part before each point: more at once than the cache can wait for would
    /// hold up the products.
    #[inline(always)]
    fn multiply<S: Simd, const N: usize>(
        &self,
        simd: S,
        first: usize,
        outputs: &[usize],
        source: &[T],
        segments: &[Segment],
        near: impl Fn(&[usize]),
        products: &mut [Tile<T>; N],
    ) {
        let (stride, depth) = (stride::<T>(self.ins), self.depth());
        let columns = S::ISA.tile_columns::<T>().min(self.bias.len() - first);
        let panels = &self.panels[first * N * depth..][..N * depth * columns];
        let part = |point: usize| outputs.len() * point / N;
        for (point, (tile, panel)) in
            products.iter_mut().zip(panels.chunks_exact(depth * columns)).enumerate()
        {
            near(&outputs[part(point)..part(point + 1)]);
            let weights = Weights { panel, bias: &[], columns };
            simd.tile(outputs.len(), segments, [&source[point * stride..], &[]], &weights, tile);
        }
    }

    /// Position in the destination of output `m` of the row whose first output is `first`, if it exists.
    #[inline(always)]
    fn position(&self, first: usize, m: usize) -> Option<usize> {
        let output = first + m * self.tiling.step;
        (output < self.axis.count).then_some(self.axis.to_first + output)
    }

    /// Brings near what the epilogue touches for the columns from `first` on.
    #[inline(always)]
    fn prefetch<S: Simd, const M: usize>(
        &self,
        simd: S,
        first: usize,
        columns: usize,
        outputs: &[usize],
        epilogue: &Epilogue<'_, T>,
    ) {
        for &output in outputs {
            for position in (0..M).filter_map(|m| self.position(output, m)) {
                let at = position * self.outs + first;
                if columns <= self.outs - first {
                    epilogue.prefetch(simd, at, columns);
                } else {
                    epilogue.prefetch(simd, at, self.outs - first);
                }
            }
        }
    }

    /// Transforms the sums of rows to outputs and hands them to the epilogue.
    #[inline(always)]
    fn finish<S: Simd, const N: usize, const M: usize, const COLUMNS: usize>(
        &self,
        simd: S,
        first: usize,
        columns: usize,
        outputs: &[usize],
        products: &[Tile<T>; N],
        epilogue: &mut Epilogue<'_, T>,
    ) {
        let valid = columns.min(self.outs - first);
        let sources: [&[T]; N] = from_fn(|n| products[n].values());
        for (r, &output) in outputs.iter().enumerate() {
            let mut values = [[T::ZERO; COLUMNS]; M];
            for column in (0..columns).step_by(S::Vector::<T>::LANES) {
                let sums = simd.load_each(&sources, r * columns + column);
                let bias = simd.load(&self.bias[first + column..]);
                let results: [_; M] = points::output(sums);
                for m in 0..M {
                    (results[m] + bias).store(&mut values[m][column..]);
                }
            }
            for (m, values) in values.iter().enumerate() {
                let Some(position) = self.position(output, m) else { break };
                let at = position * self.outs + first;
                if valid == COLUMNS {
                    epilogue.apply(at, values);
                } else {
                    epilogue.apply(at, &values[..valid]);
                }
            }
        }
    }

    /// The last channels of rows, from dot products to the epilogue.
    #[inline(always)]
    fn finish_tail<S: Simd, const N: usize, const M: usize>(
        &self,
        simd: S,
        tail: &Tail<T>,
        rows: Range<usize>,
        at: usize,
        transformed: &[T],
        strips: &mut Vec<Strips>,
        epilogue: &mut Epilogue<'_, T>,
    ) {
        let stride = stride::<T>(self.ins);
        let distances = [N * stride, self.scheme.shift() * self.tiling.step];
        let mut sums: [Sums<T>; N] = [[[T::ZERO; STRIP_FACTORS]; MOST_ROWS]; N];
        for (point, sums) in sums.iter_mut().enumerate() {
            let at = at + point * stride;
            tail.multiply(simd, point, rows.len(), at, distances, transformed, strips, sums);
        }
        for (r, output) in (0..rows.len()).zip(self.tiling.first_outputs(rows.start)) {
            let results: [_; M] = points::output(from_fn::<_, N, _>(|n| Lanes(sums[n][r])));
            for (m, Lanes(results)) in results.iter().enumerate() {
                let Some(position) = self.position(output, m) else { break };
                let values: [T; STRIP_FACTORS] = from_fn(|c| results[c] + tail.bias[c]);
                let first = self.outs - tail.channels;
                epilogue.apply(position * self.outs + first, &values[..tail.channels]);
            }
        }
    }
}
