//! Convolutions over images in fewer products (Winograd in two dimensions), for maps that are small enough to be transformed
//! as a whole, and their adjoints.
//!
//! Inputs whose positions have the same residue modulo the stride are channels of their own, so that a kernel of 4 × 4 with
//! strides of 2 is one of 2 × 2 over four times the channels. Each tile of outputs is 3 × 3 or 4 × 4 products over the
//! channels ([`points`]), with other weights for each point. A tile is one row of such a product, and there are few of
//! them: rows of several lanes are multiplied together.
//!
//! # Promises
//! An output depends on all inputs of its tile, also on those that its own taps do not reach, with a weight that is 0 up to
//! rounding: infinite or huge values spread further than in the direct sum.

mod points;
mod run;
mod tiling;

use super::weights::MapWeights;
use super::{ConvGeometry, Variant};
use crate::lazy::{Holding, LazyWeights};
use crate::{Epilogue, Epilogues, Scratch, Work};
use deeplift_simd::{AlignedVec, Isa, Real};
use points::LARGE;
use tiling::Tiling;

/// Bytes of an element: who asks for float64 asks for accuracy. No code is made for it.
const MOST_BYTES: usize = 4;

/// Fewest channels on each side: transforms take whole vectors of them.
const LEAST_CHANNELS: usize = 16;

/// Cost of the transforms per vector of elements and point, in multiply-adds.
const TRANSFORM_COST: f64 = 6.0;

/// Bytes of transformed inputs and of products of the lanes that are multiplied together: half of the smallest L2 in use
/// (1 MiB).
const LANES_BYTES: usize = 512 * 1024;

/// Pairs of points, one of each axis.
const POINTS: usize = LARGE * LARGE;

/// The forward pass or the adjoint, packed for one instruction set.
#[derive(Clone, Debug)]
pub(super) struct Image<T: Real> {
    isa: Isa,
    geometry: ConvGeometry,
    adjoint: bool,
    sides: [Tiling; 2],
    /// Taps per axis that meet the inputs of one residue.
    taps: usize,
    /// Terms of a sum of products.
    depth: usize,
    /// Columns of all panels.
    width: usize,
    /// `[points][panel][k][columns]`; the last panel of a point may be half as wide. `[residue][channel]` of the convolution's
    /// input are rows forward and, in whole vectors of channels, columns backward.
    panels: LazyWeights<T>,
    /// Forward one per column; backward one per channel of the convolution's input, or empty.
    bias: AlignedVec<T>,
    /// What positions in the padding hold.
    zeros: AlignedVec<T>,
}

impl<T: Real> Image<T> {
    /// `None` if the shapes or the variant do not suit, or `direct`, multiply-adds of a vector, are fewer and the variant does
    /// not ask for it.
    pub fn new(
        g: &ConvGeometry,
        weights: &MapWeights<T>,
        adjoint: bool,
        bias: &[T],
        isa: Isa,
        variant: Variant,
        direct: f64,
    ) -> Option<Self> {
        let line = g.input[0] == 1 && g.output[0] == 1 && g.kernel[0] == 1 && g.pad[0] == 0;
        let narrow = g.in_channels.min(g.out_channels) < LEAST_CHANNELS;
        let other = matches!(variant, Variant::Direct | Variant::Reduced(_));
        if other || !line || g.groups != 1 || narrow || size_of::<T>() > MOST_BYTES {
            return None;
        }
        let sides = [Tiling::new(g, 1)?, Tiling::new(g, 2)?];
        let taps = sides[0].taps;
        if sides[1].taps != taps {
            return None;
        }
        let residues = sides[0].stride * sides[1].stride;
        let vector = isa.tile_columns::<T>() / 2;
        let (depth, width) = if adjoint {
            (g.out_channels, g.in_channels.next_multiple_of(vector).checked_mul(residues)?)
        } else {
            (g.in_channels.checked_mul(residues)?, g.out_channels.next_multiple_of(vector))
        };
        let mut packed = Self {
            isa,
            geometry: g.clone(),
            adjoint,
            sides,
            taps,
            depth,
            width,
            panels: LazyWeights::default(),
            bias: AlignedVec::zeroed(if adjoint { bias.len() } else { width }),
            zeros: AlignedVec::zeroed(g.in_channels.max(g.out_channels)),
        };
        packed.bias[..bias.len()].copy_from_slice(bias);
        let vectors = (depth.div_ceil(vector) + width / vector) as f64;
        let cost = packed.rows() as f64 * ((depth * width / vector) as f64 + TRANSFORM_COST * vectors);
        let small = packed.lane_len().checked_mul(size_of::<T>())? <= LANES_BYTES;
        if !small || (variant != Variant::Winograd && cost >= 0.95 * direct) {
            return None;
        }
        let (shape, weights) = (packed.clone(), weights.clone());
        let len = POINTS.checked_mul(depth)?.checked_mul(width)?;
        packed.panels = LazyWeights::new(len, move |panels| shape.pack(&weights, panels));
        Some(packed)
    }

    /// Writes the transformed weights over zeros.
    fn pack(&self, weights: &MapWeights<T>, panels: &mut [T]) {
        let (g, weight) = (&self.geometry, weights.read());
        let filters = [points::filters(self.sides[0].taps), points::filters(self.sides[1].taps)];
        let strides = [self.sides[0].stride, self.sides[1].stride];
        let inner = strides[0] * strides[1] * g.in_channels;
        let mut taps = vec![0.0; self.sides[0].taps * self.sides[1].taps];
        for out in 0..g.out_channels {
            for i in 0..inner {
                let (residue, channel) = (i / g.in_channels, i % g.in_channels);
                let residues = [residue / strides[1], residue % strides[1]];
                let (from, to) = if self.adjoint { (out, channel) } else { (channel, out) };
                for (t, value) in taps.iter_mut().enumerate() {
                    let t = [t / self.sides[1].taps, t % self.sides[1].taps];
                    let tap = [0, t[0] * strides[0] + residues[0], t[1] * strides[1] + residues[1]];
                    let inside = tap[1] < g.kernel[1] && tap[2] < g.kernel[2];
                    *value = if inside { weight(0, from, to, tap).to_f64() } else { 0.0 };
                }
                let column = residue * self.padded_channels() + channel;
                let (k, column) = if self.adjoint { (out, column) } else { (i, out) };
                for point in 0..POINTS {
                    let [g0, g1] = [&filters[0][point / LARGE], &filters[1][point % LARGE]];
                    let lines = taps.chunks_exact(g1.len()).zip(g0);
                    let line = |line: &[f64]| line.iter().zip(g1).map(|(w, g)| w * g).sum::<f64>();
                    let value: f64 = lines.map(|(taps, g)| g * line(taps)).sum();
                    panels[self.panel_index(point, k, column)] = T::from_f64(value);
                }
            }
        }
    }

    /// Index of a weight in `panels`.
    fn panel_index(&self, point: usize, k: usize, column: usize) -> usize {
        let full = self.isa.tile_columns::<T>();
        let first = column / full * full;
        let columns = full.min(self.width - first);
        (point * self.width + first) * self.depth + k * columns + column - first
    }

    /// Channels of the convolution's input, up to whole vectors.
    fn padded_channels(&self) -> usize {
        self.geometry.in_channels.next_multiple_of(self.isa.tile_columns::<T>() / 2)
    }

    /// Tiles of a lane that have a pair of points.
    fn tiles_with(&self, point: usize) -> usize {
        self.sides[0].with_point(point / LARGE) * self.sides[1].with_point(point % LARGE)
    }

    /// Rows that a lane has in the products of all points.
    fn rows(&self) -> usize {
        (0..POINTS).map(|point| self.tiles_with(point)).sum()
    }

    /// Elements between two transformed rows: an odd number of cache lines, so that the rows of a tile of products spread over
    /// the sets of the L1 cache.
    fn stride(&self) -> usize {
        let line = 64 / size_of::<T>();
        (self.depth.div_ceil(line) | 1) * line
    }

    /// Elements of the transformed inputs and of the products of a lane.
    fn lane_len(&self) -> usize {
        self.rows() * (self.stride() + self.width)
    }

    /// Counts the transformed weights.
    pub fn tally(&self, holding: &mut Holding) {
        self.panels.tally(holding);
    }

    /// Counted work of one lane.
    pub fn work(&self) -> Work {
        let points = |side: &Tiling| LARGE - usize::from(side.large == 0);
        let outputs = self.sides.each_ref().map(|side| points(side) - side.taps + 1);
        Work {
            kernel: format!(
                "winograd F({} x {}, {} x {})",
                outputs[0], outputs[1], self.sides[0].taps, self.sides[1].taps
            ),
            flops: 2.0 * (self.rows() * self.depth * self.width) as f64,
            weight_bytes: self.panels.bytes(),
        }
    }

    /// Bound on the growth of rounding errors over those of the direct sum.
    pub fn amplification(&self) -> f64 {
        let side = |(side, axis): (&Tiling, usize)| {
            let padded = (side.taps * side.stride) as f64 / self.geometry.kernel[axis] as f64;
            side.amplification(self.adjoint) * padded
        };
        self.sides.iter().zip(1..).map(side).product()
    }

    /// Computes one lane.
    pub fn apply(&self, x: &[T], epilogue: &mut Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        run::products(self, 1, x, scratch);
        run::finish(self, 1, 0, epilogue, scratch);
    }

    /// Computes lanes, which lie behind each other in `x`.
    pub fn apply_lanes(&self, lanes: usize, x: &[T], epilogues: Epilogues<'_, T>, scratch: &mut Scratch<T>) {
        let most = (LANES_BYTES / size_of::<T>() / self.lane_len()).max(1);
        let len = x.len() / lanes.max(1);
        let to = if self.adjoint { self.geometry.input_len() } else { self.geometry.output_len() };
        for first in (0..lanes).step_by(most) {
            let count = most.min(lanes - first);
            run::products(self, count, &x[first * len..][..count * len], scratch);
            for lane in 0..count {
                epilogues(first + lane, &mut |mut epilogue| {
                    epilogue.check(to);
                    run::finish(self, count, lane, &mut epilogue, scratch);
                });
            }
        }
    }
}
