//! Convolution of images of very few channels: what each output sees is copied together first.
//!
//! Where taps of one line are a run of a few values, a product of many short runs is mostly overhead, and lines of outputs
//! may leave tiles of rows half empty. Copies are short here, and all outputs of a lane are rows of one product.

use super::weights::MapWeights;
use super::ConvGeometry;
use crate::lazy::{Holding, LazyWeights};
use crate::{Epilogue, Scratch, Work};
use deeplift_simd::{AlignedVec, Isa, Kernel, Real, Segment, Simd, Tile, Weights};

/// Most values of a run that are copied.
const MOST_RUN: usize = 16;

/// Bytes of copies that are multiplied together: half of an L1 cache.
const BLOCK_BYTES: usize = 16 * 1024;

/// The forward pass of a convolution.
#[derive(Clone, Debug)]
pub(super) struct Patches<T: Real> {
    isa: Isa,
    geometry: ConvGeometry,
    /// Values of a run, and of all runs that an output sees.
    run: usize,
    depth: usize,
    /// `[panel][k][columns]`; the last panel may be half as wide.
    panels: LazyWeights<T>,
    /// One value per column of all panels.
    bias: AlignedVec<T>,
}

impl<T: Real> Patches<T> {
    /// `None` if the shapes do not suit.
    pub fn new(g: &ConvGeometry, weights: &MapWeights<T>, bias: &[T], isa: Isa) -> Option<Self> {
        let lines = g.kernel[0].checked_mul(g.kernel[1])?;
        let run = g.kernel[2].checked_mul(g.in_channels)?;
        let depth = lines.checked_mul(run)?;
        let bytes = depth.checked_mul(g.output[2])?.checked_mul(size_of::<T>())?;
        let short = lines > 1 && run <= MOST_RUN && (1..=BLOCK_BYTES).contains(&bytes);
        // Copying takes about a tenth of the time.
        let (rows, most) = (g.output[0] * g.output[1], isa.tile_rows());
        let fuller =
            1.1 * (rows * g.output[2]).div_ceil(most) as f64 <= (rows * g.output[2].div_ceil(most)) as f64;
        let sized = g.output_len() > 0 && g.input_len() > 0;
        if !(short && sized && fuller) || g.groups != 1 || g.dilation[2] != 1 {
            return None;
        }
        let (full, outs) = (isa.tile_columns::<T>(), g.out_channels);
        let width = outs.next_multiple_of(full / 2);
        let mut aligned = AlignedVec::zeroed(width);
        aligned[..bias.len()].copy_from_slice(bias);
        let (own, [_, k1, k2], channels) = (weights.clone(), g.kernel, g.in_channels);
        let panels = LazyWeights::new(width * depth, move |panels| {
            let weight = own.read();
            for out in 0..outs {
                let first = out / full * full;
                let columns = full.min(width - first);
                for k in 0..depth {
                    let (tap, channel) = (k / channels, k % channels);
                    let tap = [tap / (k1 * k2), tap / k2 % k1, tap % k2];
                    panels[first * depth + k * columns + out - first] = weight(0, channel, out, tap);
                }
            }
        });
        Some(Self { isa, geometry: g.clone(), run, depth, panels, bias: aligned })
    }

    /// Counts the weights.
    pub fn tally(&self, holding: &mut Holding) {
        self.panels.tally(holding);
    }

    /// Counted work of one lane.
    pub fn work(&self) -> Work {
        let positions: usize = self.geometry.output.iter().product();
        Work {
            kernel: format!("patches {}x2", self.isa.tile_rows()),
            flops: 2.0 * (positions * self.panels.len()) as f64,
            weight_bytes: self.panels.bytes(),
        }
    }

    /// Computes one lane.
    pub fn apply(&self, x: &[T], epilogue: &mut Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        self.isa.run(Run { packed: self, x, epilogue, scratch });
    }
}

struct Run<'r, 'e, T: Real> {
    packed: &'r Patches<T>,
    x: &'r [T],
    epilogue: &'r mut Epilogue<'e, T>,
    scratch: &'r mut Scratch<T>,
}

impl<T: Real> Kernel for Run<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Run { packed, x, epilogue, scratch: Scratch { padded: patches, .. } } = self;
        let g = &packed.geometry;
        let (lines, line_len) = (g.output[0] * g.output[1], g.output[2] * packed.depth);
        let most = (BLOCK_BYTES / (line_len * size_of::<T>())).max(1);
        patches.resize_at_least(most.min(lines) * line_len);
        let mut tile = Tile::default();
        for first in (0..lines).step_by(most) {
            let count = most.min(lines - first);
            for line in 0..count {
                packed.copy(first + line, x, &mut patches[line * line_len..][..line_len]);
            }
            let patches = &patches[..count * line_len];
            packed.multiply(simd, first * g.output[2], patches, epilogue, &mut tile);
        }
    }
}

impl<T: Real> Patches<T> {
    /// What the outputs of a line see, `[output][k]`.
    #[inline(always)]
    fn copy(&self, line: usize, x: &[T], patches: &mut [T]) {
        let (g, run) = (&self.geometry, self.run);
        let [o0, o1] = [line / g.output[1], line % g.output[1]];
        let input = |axis: usize, o: usize, k: usize| {
            let i = (o * g.stride[axis] + k * g.dilation[axis]).checked_sub(g.pad[axis]);
            i.filter(|&i| i < g.input[axis])
        };
        let line_len = g.input[2] * g.in_channels;
        let (step, pad) = (g.stride[2] * g.in_channels, g.pad[2] * g.in_channels);
        for tap in 0..g.kernel[0] * g.kernel[1] {
            let (k0, k1) = (tap / g.kernel[1], tap % g.kernel[1]);
            let source: &[T] = match (input(0, o0, k0), input(1, o1, k1)) {
                (Some(i0), Some(i1)) => &x[(i0 * g.input[1] + i1) * line_len..][..line_len],
                _ => &[],
            };
            for (o2, patch) in patches.chunks_exact_mut(self.depth).enumerate() {
                let patch = &mut patch[tap * run..][..run];
                let inside = (o2 * step).checked_sub(pad).and_then(|from| source.get(from..from + run));
                match inside {
                    Some(values) => copy_short(values, patch),
                    None => copy_clipped(source, o2 * step, pad, patch),
                }
            }
        }
    }

    /// Multiplies the rows whose first is output `first`.
    #[inline(always)]
    fn multiply<S: Simd>(
        &self,
        simd: S,
        first: usize,
        patches: &[T],
        epilogue: &mut Epilogue<'_, T>,
        tile: &mut Tile<T>,
    ) {
        let (full, outs, depth) = (S::ISA.tile_columns::<T>(), self.geometry.out_channels, self.depth);
        let rows = patches.len() / depth;
        let tiles = rows.div_ceil(S::ISA.tile_rows());
        for column in (0..self.bias.len()).step_by(full) {
            let columns = full.min(self.bias.len() - column);
            let panel = &self.panels[column * depth..][..columns * depth];
            let weights = Weights { panel, bias: &self.bias[column..][..columns], columns };
            for t in 0..tiles {
                // Tiles of almost equal size: one more row costs less than another tile of one row.
                let [start, end] = [t, t + 1].map(|t| t * rows / tiles);
                let to = (first + start) * outs + column;
                let valid = columns.min(outs - column);
                let rows = end - start;
                epilogue.prefetch(simd, (0..rows).map(|row| to + row * outs), columns);
                let segment =
                    Segment { source: 0, start: start * depth, stride: depth, len: depth, weight: 0 };
                simd.tile(rows, &[segment], [patches, &[]], &weights, tile);
                if columns == full {
                    epilogue.apply_tile::<S, 2>(simd, rows, (to, outs), valid, tile.values());
                } else {
                    epilogue.apply_tile::<S, 1>(simd, rows, (to, outs), valid, tile.values());
                }
            }
        }
    }
}

/// A few values, four at a time: a call of a function would take longer.
#[inline(always)]
fn copy_short<T: Real>(from: &[T], to: &mut [T]) {
    let ((from, last), (to, rest)) = (from.as_chunks::<4>(), to.as_chunks_mut::<4>());
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    rest.iter_mut().zip(last).for_each(|(to, from)| *to = *from);
}

/// Values from `from - pad` on, and zeros where there are none.
#[inline(never)]
fn copy_clipped<T: Real>(source: &[T], from: usize, pad: usize, to: &mut [T]) {
    for (i, to) in to.iter_mut().enumerate() {
        let value = (from + i).checked_sub(pad).and_then(|at| source.get(at));
        *to = value.copied().unwrap_or(T::ZERO);
    }
}
