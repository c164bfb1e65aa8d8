//! Lanes from inputs to products of all points, and each from its products to the epilogue.
//!
//! # Cache
//! Transformed inputs `[points][lane][tile][k]` and products `[points][lane][tile][column]` stay in L2. Weights are read once
//! for all lanes that are multiplied together, a panel from L1 for every tile of rows.

#![allow(clippy::needless_range_loop, reason = "points, positions and offsets go by the same index")]

use super::points::{self, LARGE, SMALL};
use super::{Image, MOST_BYTES, POINTS};
use crate::{Epilogue, Scratch};
use deeplift_simd::{AlignedVec, Kernel, Real, Rows, Segment, Simd, Slices, Tile, Vector, Weights};

/// Transforms and multiplies `lanes` lanes.
pub(super) fn products<T: Real>(packed: &Image<T>, lanes: usize, x: &[T], scratch: &mut Scratch<T>) {
    if const { size_of::<T>() > MOST_BYTES } {
        unreachable!("float64 has direct sums only");
    }
    match packed.taps {
        2 => packed.isa.run(Products::<_, 2> { packed, lanes, x, scratch }),
        _ => packed.isa.run(Products::<_, 3> { packed, lanes, x, scratch }),
    }
}

/// Finishes the lane `lane` of `lanes` whose products lie in `scratch`.
pub(super) fn finish<T: Real>(
    packed: &Image<T>,
    lanes: usize,
    lane: usize,
    epilogue: &mut Epilogue<'_, T>,
    scratch: &mut Scratch<T>,
) {
    if const { size_of::<T>() > MOST_BYTES } {
        unreachable!("float64 has direct sums only");
    }
    let at = Place { lanes, lane };
    match packed.taps {
        2 => packed.isa.run(Finish::<_, 2> { packed, at, epilogue, scratch }),
        _ => packed.isa.run(Finish::<_, 3> { packed, at, epilogue, scratch }),
    }
}

/// A lane among those that are multiplied together.
#[derive(Clone, Copy)]
struct Place {
    lanes: usize,
    lane: usize,
}

/// A tile of a lane.
struct TileOf {
    /// Per axis.
    points: [usize; 2],
    /// First output per axis.
    first: [usize; 2],
    /// Rows of its points among those of all lanes. What stands for points that it has not is the row of another.
    rows: [usize; POINTS],
}

impl TileOf {
    /// Where the rows of its points lie, `len` elements from `from` on in rows of `stride`.
    #[inline(always)]
    fn rows<const N0: usize, const N1: usize>(
        &self,
        stride: usize,
        from: usize,
        len: usize,
    ) -> [Rows<N1>; N0] {
        let mut rows = [Rows::new([0; N1], len); N0];
        for n0 in 0..N0 {
            let mut starts = [0; N1];
            for n1 in 0..N1 {
                starts[n1] = self.rows[n0 * LARGE + n1] * stride + from;
            }
            rows[n0] = Rows::new(starts, len);
        }
        rows
    }
}

/// Calls a method for the points of a tile. (Loops over tiles take no closure: one that the optimiser leaves a function is
/// compiled without the features of the instruction set.)
macro_rules! by_points {
    ($packed:ident.$method:ident($simd:ident, $tile:ident, $($argument:expr),*)) => {
        match $tile.points {
            [LARGE, LARGE] => $packed.$method::<S, LARGE, LARGE, TAPS>($simd, $tile, $($argument),*),
            [LARGE, _] => $packed.$method::<S, LARGE, SMALL, TAPS>($simd, $tile, $($argument),*),
            [_, LARGE] => $packed.$method::<S, SMALL, LARGE, TAPS>($simd, $tile, $($argument),*),
            _ => $packed.$method::<S, SMALL, SMALL, TAPS>($simd, $tile, $($argument),*),
        }
    };
}

/// Transforms the columns of `N0` rows of `N1` vectors.
macro_rules! columns {
    ($v:ident, $transform:expr) => {
        for n1 in 0..N1 {
            let mut column = [$v[0][n1]; N0];
            for n0 in 0..N0 {
                column[n0] = $v[n0][n1];
            }
            let column = $transform(column);
            for n0 in 0..N0 {
                $v[n0][n1] = column[n0];
            }
        }
    };
}

struct Products<'r, T: Real, const TAPS: usize> {
    packed: &'r Image<T>,
    lanes: usize,
    x: &'r [T],
    scratch: &'r mut Scratch<T>,
}

impl<T: Real, const TAPS: usize> Kernel for Products<'_, T, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Products { packed, lanes, x, scratch: Scratch { transformed, products, .. } } = self;
        let (rows, len) = (lanes * packed.rows(), x.len() / lanes);
        transformed.resize_at_least(rows * packed.stride());
        products.resize_at_least(rows * packed.width);
        let transformed = &mut transformed[..rows * packed.stride()];
        for lane in 0..lanes {
            let x = &x[lane * len..][..len];
            for tile in 0..packed.tiles() {
                let tile = &packed.tile(Place { lanes, lane }, tile);
                if packed.adjoint {
                    by_points!(packed.outputs(simd, tile, x, transformed));
                } else {
                    by_points!(packed.inputs(simd, tile, x, transformed));
                }
            }
        }
        packed.multiply(simd, lanes, transformed, &mut products[..rows * packed.width]);
    }
}

struct Finish<'r, 'e, T: Real, const TAPS: usize> {
    packed: &'r Image<T>,
    at: Place,
    epilogue: &'r mut Epilogue<'e, T>,
    scratch: &'r mut Scratch<T>,
}

impl<T: Real, const TAPS: usize> Kernel for Finish<'_, '_, T, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Finish { packed, at, epilogue, scratch: Scratch { products, sums, .. } } = self;
        let products = &products[..at.lanes * packed.rows() * packed.width];
        if packed.adjoint {
            packed.finish_adjoint::<S, TAPS>(simd, at, products, sums, epilogue);
        } else {
            packed.finish_forward::<S, TAPS>(simd, at, products, sums, epilogue);
        }
    }
}

impl<T: Real> Image<T> {
    /// Number of tiles of a lane.
    fn tiles(&self) -> usize {
        self.sides.iter().map(|side| side.large + side.small).product()
    }

    /// A tile of a lane.
    #[inline(always)]
    fn tile(&self, at: Place, tile: usize) -> TileOf {
        let across = self.sides[1].large + self.sides[1].small;
        let (t0, t1) = (tile / across, tile % across);
        let ((n0, o0), (n1, o1)) = (self.sides[0].tile(t0), self.sides[1].tile(t1));
        let (mut rows, mut first) = ([0; POINTS], 0);
        for point in 0..POINTS {
            let tiles = self.tiles_with(point);
            rows[point] = first + at.lane * tiles + t0 * self.sides[1].with_point(point % LARGE) + t1;
            first += at.lanes * tiles;
        }
        TileOf { points: [n0, n1], first: [o0, o1], rows }
    }

    /// Transforms the inputs of a tile, all residues.
    #[inline(always)]
    fn inputs<S: Simd, const N0: usize, const N1: usize, const TAPS: usize>(
        &self,
        simd: S,
        tile: &TileOf,
        x: &[T],
        transformed: &mut [T],
    ) {
        let [side0, side1] = &self.sides;
        let channels = self.geometry.in_channels;
        for residue in 0..side0.stride * side1.stride {
            let [p0, p1] = [residue / side1.stride, residue % side1.stride];
            let mut sources: [[&[T]; N1]; N0] = [[&self.zeros[..channels]; N1]; N0];
            for j0 in 0..N0 {
                let Some(i0) = side0.position(tile.first[0] + j0, p0) else { continue };
                for j1 in 0..N1 {
                    if let Some(i1) = side1.position(tile.first[1] + j1, p1) {
                        sources[j0][j1] = &x[(i0 * side1.input + i1) * channels..][..channels];
                    }
                }
            }
            let rows = tile.rows::<N0, N1>(self.stride(), residue * channels, channels);
            for at in (0..channels).step_by(S::Vector::<T>::LANES) {
                // The last vector overlaps the one before.
                let at = at.min(channels - S::Vector::<T>::LANES);
                let mut v = [[simd.splat(T::ZERO); N1]; N0];
                for n0 in 0..N0 {
                    v[n0] = simd.load_each(&Slices::new(sources[n0]), at);
                }
                columns!(v, points::inputs);
                for n0 in 0..N0 {
                    simd.store_rows(points::inputs(v[n0]), transformed, &rows[n0], at);
                }
            }
        }
    }

    /// Transforms the multipliers of a tile's outputs.
    #[inline(always)]
    fn outputs<S: Simd, const N0: usize, const N1: usize, const TAPS: usize>(
        &self,
        simd: S,
        tile: &TileOf,
        my: &[T],
        transformed: &mut [T],
    ) {
        let (across, channels) = (self.sides[1].output, self.geometry.out_channels);
        let rows = tile.rows::<N0, N1>(self.stride(), 0, channels);
        for at in (0..channels).step_by(S::Vector::<T>::LANES) {
            // The last vector overlaps the one before.
            let at = at.min(channels - S::Vector::<T>::LANES);
            let mut v = [[simd.splat(T::ZERO); N1]; N0];
            for m0 in 0..=N0 - TAPS {
                for m1 in 0..=N1 - TAPS {
                    let position = (tile.first[0] + m0) * across + tile.first[1] + m1;
                    v[m0][m1] = simd.load(my, position * channels + at);
                }
            }
            columns!(v, points::outputs_adjoint::<_, _, N0, TAPS>);
            for n0 in 0..N0 {
                let line = points::outputs_adjoint::<_, _, N1, TAPS>(v[n0]);
                simd.store_rows(line, transformed, &rows[n0], at);
            }
        }
    }

    /// Products of all points and lanes.
    #[inline(always)]
    fn multiply<S: Simd>(&self, simd: S, lanes: usize, transformed: &[T], products: &mut [T]) {
        let (full, stride) = (S::ISA.tile_columns::<T>(), self.stride());
        let mut tile = Tile::default();
        let mut first = 0;
        for point in 0..POINTS {
            let rows = lanes * self.tiles_with(point);
            let tiles = rows.div_ceil(S::ISA.tile_rows());
            for column in (0..self.width).step_by(full) {
                let columns = full.min(self.width - column);
                let panel =
                    &self.panels[(point * self.width + column) * self.depth..][..self.depth * columns];
                let weights = Weights { panel, bias: &[], columns };
                for t in 0..tiles {
                    // Tiles of almost equal size: one more row costs less than another tile of one row.
                    let [start, end] = [t, t + 1].map(|t| first + t * rows / tiles);
                    let segment =
                        Segment { source: 0, start: start * stride, stride, len: self.depth, weight: 0 };
                    simd.tile(end - start, &[segment], [transformed, &[]], &weights, &mut tile);
                    for (row, values) in (start..end).zip(tile.values().chunks_exact(columns)) {
                        let to = &mut products[row * self.width + column..][..columns];
                        for at in (0..columns).step_by(S::Vector::<T>::LANES) {
                            simd.load(values, at).store(to, at);
                        }
                    }
                }
            }
            first += rows;
        }
    }

    /// Outputs of one lane.
    #[inline(always)]
    fn finish_forward<S: Simd, const TAPS: usize>(
        &self,
        simd: S,
        at: Place,
        products: &[T],
        sums: &mut AlignedVec<T>,
        epilogue: &mut Epilogue<'_, T>,
    ) {
        let positions = self.sides[0].output * self.sides[1].output;
        sums.resize_at_least(positions * self.width);
        let sums = &mut sums[..positions * self.width];
        for tile in 0..self.tiles() {
            let tile = &self.tile(at, tile);
            by_points!(self.tile_outputs(simd, tile, products, sums));
        }
        apply_positions(simd, 0, self.geometry.out_channels, self.width, sums, epilogue);
    }

    /// Transforms the products of a tile to its outputs.
    #[inline(always)]
    fn tile_outputs<S: Simd, const N0: usize, const N1: usize, const TAPS: usize>(
        &self,
        simd: S,
        tile: &TileOf,
        products: &[T],
        sums: &mut [T],
    ) {
        let (across, width) = (self.sides[1].output, self.width);
        let rows = tile.rows::<N0, N1>(width, 0, width);
        for column in (0..width).step_by(S::Vector::<T>::LANES) {
            let bias = simd.load(&self.bias, column);
            let mut v = [[bias; N1]; N0];
            for n0 in 0..N0 {
                v[n0] = simd.load_rows(products, &rows[n0], column);
            }
            columns!(v, points::outputs::<_, _, N0, TAPS>);
            for m0 in 0..=N0 - TAPS {
                let line = points::outputs::<_, _, N1, TAPS>(v[m0]);
                for m1 in 0..=N1 - TAPS {
                    let position = (tile.first[0] + m0) * across + tile.first[1] + m1;
                    (line[m1] + bias).store(sums, position * width + column);
                }
            }
        }
    }

    /// Multipliers of the inputs of one lane.
    #[inline(always)]
    fn finish_adjoint<S: Simd, const TAPS: usize>(
        &self,
        simd: S,
        at: Place,
        products: &[T],
        sums: &mut AlignedVec<T>,
        epilogue: &mut Epilogue<'_, T>,
    ) {
        let ([side0, side1], padded) = (&self.sides, self.padded_channels());
        let across = side1.reach() * side1.stride;
        let len = side0.reach() * side0.stride * across * padded;
        sums.resize_at_least(len);
        let sums = &mut sums[..len];
        sums.fill(T::ZERO);
        for tile in 0..self.tiles() {
            let tile = &self.tile(at, tile);
            by_points!(self.tile_inputs(simd, tile, products, sums));
        }
        let channels = self.geometry.in_channels;
        for i0 in 0..side0.input {
            let from = ((i0 + side0.pad) * across + side1.pad) * padded;
            let sums = &mut sums[from..][..side1.input * padded];
            if !self.bias.is_empty() {
                for sums in sums.chunks_exact_mut(padded) {
                    sums.iter_mut().zip(self.bias.iter()).for_each(|(sum, &bias)| *sum += bias);
                }
            }
            apply_positions(simd, i0 * side1.input * channels, channels, padded, sums, epilogue);
        }
    }

    /// Adds what the products of a tile are to the multipliers of its inputs, `[position][channel]` from the padding on.
    #[inline(always)]
    fn tile_inputs<S: Simd, const N0: usize, const N1: usize, const TAPS: usize>(
        &self,
        simd: S,
        tile: &TileOf,
        products: &[T],
        sums: &mut [T],
    ) {
        let ([side0, side1], width, padded) = (&self.sides, self.width, self.padded_channels());
        let across = side1.reach() * side1.stride;
        let rows = tile.rows::<N0, N1>(width, 0, width);
        for residue in 0..side0.stride * side1.stride {
            let (p0, p1) = (residue / side1.stride, residue % side1.stride);
            let mut to = rows;
            for n0 in 0..N0 {
                let mut starts = [0; N1];
                for n1 in 0..N1 {
                    let i0 = (tile.first[0] + n0) * side0.stride + p0;
                    let i1 = (tile.first[1] + n1) * side1.stride + p1;
                    starts[n1] = (i0 * across + i1) * padded;
                }
                to[n0] = Rows::new(starts, padded);
            }
            for at in (0..padded).step_by(S::Vector::<T>::LANES) {
                let mut v = [[simd.splat(T::ZERO); N1]; N0];
                for n0 in 0..N0 {
                    v[n0] = simd.load_rows(products, &rows[n0], residue * padded + at);
                }
                columns!(v, points::inputs_adjoint);
                for n0 in 0..N0 {
                    let mut sum = simd.load_rows(sums, &to[n0], at);
                    let line = points::inputs_adjoint(v[n0]);
                    for n1 in 0..N1 {
                        sum[n1] = sum[n1] + line[n1];
                    }
                    simd.store_rows(sum, sums, &to[n0], at);
                }
            }
        }
    }
}

/// Hands over positions of `channels` channels, of which each is followed by others up to `width`; the first belongs at `at`.
#[inline(always)]
fn apply_positions<S: Simd, T: Real>(
    simd: S,
    at: usize,
    channels: usize,
    width: usize,
    sums: &[T],
    epilogue: &mut Epilogue<'_, T>,
) {
    let full = S::ISA.tile_columns::<T>();
    if channels == width {
        // Rows of a constant width, whatever the positions are.
        let rows = sums.len() / full;
        epilogue.apply_tile::<S, 2>(simd, rows, (at, full), full, sums);
        return epilogue.apply(at + rows * full, &sums[rows * full..]);
    }
    for (position, sums) in sums.chunks_exact(width).enumerate() {
        epilogue.apply(at + position * channels, &sums[..channels]);
    }
}
