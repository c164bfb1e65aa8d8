//! How the outputs of one axis are cut into tiles.

use super::super::ConvGeometry;
use super::points::{LARGE, SMALL};

/// Tiles of one axis: the larger ones first, then the smaller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tiling {
    /// Taps that meet the inputs of one residue modulo the stride.
    pub taps: usize,
    pub large: usize,
    pub small: usize,
    pub stride: usize,
    pub pad: usize,
    /// Positions of the convolution's input and output.
    pub input: usize,
    pub output: usize,
}

impl Tiling {
    /// `None` if the axis has no such tiles.
    pub fn new(g: &ConvGeometry, axis: usize) -> Option<Self> {
        let (output, stride) = (g.output[axis], g.stride[axis]);
        let taps = g.kernel[axis].div_ceil(stride);
        if g.dilation[axis] != 1 || !(2..=3).contains(&taps) || output < 2 {
            return None;
        }
        let [most, least] = [LARGE, SMALL].map(|points| points - taps + 1);
        let (mut large, mut rest) = (output / most, output % most);
        while !rest.is_multiple_of(least) {
            (large, rest) = (large.checked_sub(1)?, rest + most);
        }
        let small = rest / least;
        Some(Self { taps, large, small, stride, pad: g.pad[axis], input: g.input[axis], output })
    }

    /// Number of tiles that have a point.
    pub fn with_point(&self, point: usize) -> usize {
        if point < SMALL {
            self.large + self.small
        } else {
            self.large
        }
    }

    /// Points of a tile, and its first output.
    #[inline(always)]
    pub fn tile(&self, tile: usize) -> (usize, usize) {
        let [most, least] = [LARGE, SMALL].map(|points| points - self.taps + 1);
        match tile.checked_sub(self.large) {
            None => (LARGE, tile * most),
            Some(small) => (SMALL, self.large * most + small * least),
        }
    }

    /// The `u`-th input position of a residue, unless it lies in the padding.
    #[inline(always)]
    pub fn position(&self, u: usize, residue: usize) -> Option<usize> {
        (u * self.stride + residue).checked_sub(self.pad).filter(|&i| i < self.input)
    }

    /// Input positions of one residue that tiles or the input reach.
    pub fn reach(&self) -> usize {
        (self.output + self.taps - 1).max((self.input + self.pad).div_ceil(self.stride))
    }

    /// Bound on the growth of rounding errors over those of the direct sum.
    pub fn amplification(&self, adjoint: bool) -> f64 {
        // Magnitudes of the terms of one output, by hand from the transforms, over its taps.
        match (adjoint, self.taps) {
            (false, 2) => 6.0 / 2.0,
            (false, _) => 8.0 / 3.0,
            (true, 2) => 7.0 / 2.0,
            (true, _) => 8.0 / 3.0,
        }
    }
}
