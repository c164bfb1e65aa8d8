//! Convolution as matrix products in bf16.
//!
//! Rows of a product are outputs along the last axis, as in `correlate`. The source is split into planes of bf16 that
//! hold exactly the positions which are read, zeros in the padding included: no tile needs to know of borders, and what a
//! tap reads is an offset from where the row starts.
//!
//! # Layout
//! A plane is `[block of 32 channels][positions][32]`, so that 16 rows of a tile are 1 KiB without gaps. Where taps are
//! neighbours and channels few or odd in number, it is `[positions][channels]`, and one run of products goes over all taps.

use super::axis::Axis;
use super::correlate::simplify;
use super::weights::MapWeights;
use crate::lazy::Holding;
use crate::reduced::{split_row, Panels, TILE};
use crate::{Epilogue, Reduced, Scratch, Work};
use deeplift_simd::amx::{Block, Operand, Tiles, SPAN, STEP};
use deeplift_simd::{Isa, Kernel, Real, Simd};
use std::ops::Range;

/// Bytes of split activations in one row block: a quarter of the L2 of processors with AMX (2 MiB), beside a panel and
/// what the epilogue reads and writes.
const BLOCK_BYTES: usize = 512 * 1024;

/// A convolution, or one phase of an adjoint, packed as products in bf16.
#[derive(Clone, Debug)]
pub(super) struct ReducedCorrelation<T: Real> {
    isa: Isa,
    reduced: Reduced,
    axes: [Axis; 3],
    groups: usize,
    /// Channels of the source and of the destination in one group.
    ins: usize,
    outs: usize,
    /// Whether one run of products goes over all taps along the last axis.
    merged: bool,
    planes: Planes,
    /// Offset of each step from the start of a row.
    steps: Vec<usize>,
    /// One per group.
    panels: Vec<Panels<T>>,
}

/// Where the values of one plane lie.
#[derive(Clone, Copy, Debug)]
struct Planes {
    /// Positions that are read along each axis.
    extent: [usize; 3],
    /// Values of one position in one block, and blocks of each group.
    unit: usize,
    blocks: usize,
    /// Values of all blocks of a group.
    group_len: usize,
    /// Values of the plane. Behind the last position are zeros, which tiles read: their rows beyond the last output, and
    /// what fills up a step.
    len: usize,
}

impl<T: Real> ReducedCorrelation<T> {
    /// None unless tiles are worth it. `bias` has one value per destination channel or is empty.
    pub fn new(
        axes: &[Axis; 3],
        weights: &MapWeights<T>,
        bias: &[T],
        isa: Isa,
        reduced: Reduced,
    ) -> Option<Self> {
        let ([groups, ins, outs], (axes, order)) = (weights.sizes(), simplify(axes.clone()));
        let taps = [0, 1, 2].map(|a: usize| axes[a].taps.len());
        let depth = ins * taps.iter().product::<usize>();
        let blocks = ins.div_ceil(STEP);
        let merged =
            axes[2].tap_step == 1 && groups == 1 && (taps[2] * ins).div_ceil(STEP) < taps[2] * blocks;
        let (unit, blocks) = if merged { (ins, 1) } else { (STEP, blocks) };
        let lens = axes.iter().fold([ins, outs].map(|n| n * groups), |[from, to], a| {
            [from.saturating_mul(a.from_len), to.saturating_mul(a.to_len)]
        });
        // Padding and taps far apart must not make planes much larger than what is read and written.
        let read = axes.iter().fold(unit * blocks * groups, |n, a| n.saturating_mul(a.extent()));
        let most = lens[0].saturating_add(lens[1]).saturating_mul(4).saturating_add(1 << 16);
        let mut packed = Self {
            isa,
            reduced,
            axes,
            groups,
            ins,
            outs,
            merged,
            planes: Planes { extent: [0; 3], unit, blocks, group_len: 0, len: 0 },
            steps: vec![],
            panels: vec![],
        };
        let steps = taps[0] * taps[1] * packed.steps_per_line();
        if depth == 0 || read > most || !reduced.pays(steps, depth, outs) {
            return None;
        }
        let panels = (0..groups).map(|g| {
            let bias = |c: usize| bias.get(g * outs + c).copied().unwrap_or(T::ZERO);
            let (shape, weights) = (packed.clone(), weights.clone());
            let read = move || {
                let (shape, weight) = (shape.clone(), weights.read());
                move |step: usize, k: usize, out: usize| {
                    shape
                        .kernel(order, step, k)
                        .map_or(T::ZERO, |(channel, taps)| weight(g, channel, out, taps))
                }
            };
            Panels::new(reduced.products, steps, outs, read, bias)
        });
        packed.panels = panels.collect();
        packed.lay_out();
        Some(packed)
    }

    /// Source channel and kernel taps of product `k` of a step, if they exist; axis `a` was axis `order[a]` of the
    /// convolution.
    fn kernel(&self, order: [usize; 3], step: usize, k: usize) -> Option<(usize, [usize; 3])> {
        let (line, tap, channel) = self.product(step, k);
        if tap >= self.axes[2].taps.len() || channel >= self.ins {
            return None;
        }
        let (lines, mut kernel) = (self.axes[1].taps.len(), [0; 3]);
        for (axis, t) in [line / lines, line % lines, tap].into_iter().enumerate() {
            kernel[order[axis]] = self.axes[axis].taps[t];
        }
        Some((channel, kernel))
    }

    /// Counts the panels.
    pub fn tally(&self, holding: &mut Holding) {
        self.panels.iter().for_each(|panels| panels.tally(holding));
    }

    /// Steps for the taps along the last axis.
    fn steps_per_line(&self) -> usize {
        let taps = self.axes[2].taps.len();
        if self.merged {
            (taps * self.ins).div_ceil(STEP)
        } else {
            taps * self.planes.blocks
        }
    }

    /// The line of taps, the tap in it and the channel of product `k` of a step; the last two may not exist.
    fn product(&self, step: usize, k: usize) -> (usize, usize, usize) {
        let (line, step) = (step / self.steps_per_line(), step % self.steps_per_line());
        if self.merged {
            (line, (step * STEP + k) / self.ins, (step * STEP + k) % self.ins)
        } else {
            (line, step / self.planes.blocks, step % self.planes.blocks * STEP + k)
        }
    }

    /// Works out where everything is read.
    fn lay_out(&mut self) {
        let (axes, unit) = (&self.axes, self.planes.unit);
        let extent = [0, 1, 2].map(|a: usize| axes[a].extent());
        let block_len = extent.iter().product::<usize>() * unit;
        let group_len = block_len * self.planes.blocks;
        let slack = SPAN * axes[2].from_step * unit + STEP;
        self.planes = Planes { extent, group_len, len: group_len * self.groups + slack, ..self.planes };
        let lines = axes[0].taps.len() * axes[1].taps.len();
        let steps = (0..lines * self.steps_per_line()).map(|step| {
            let (line, tap, channel) = self.product(step, 0);
            let tap = if self.merged { 0 } else { tap };
            let t = [line / axes[1].taps.len(), line % axes[1].taps.len(), tap];
            let position = self.planes.position([0, 1, 2].map(|a: usize| t[a] * axes[a].tap_step));
            let inside =
                if self.merged { step % self.steps_per_line() * STEP } else { channel / STEP * block_len };
            position * unit + inside
        });
        self.steps = steps.collect();
    }

    /// Changes the map along the last axis.
    pub fn narrow(&mut self, narrow: impl FnOnce(&mut Axis)) {
        narrow(&mut self.axes[2]);
        self.lay_out();
    }

    /// Counted work of one lane: products of bf16, of which several stand for one of floats.
    pub fn work(&self) -> Work {
        let lines = self.axes[0].count * self.axes[1].count;
        let tiles = (0..self.axes[2].count).step_by(SPAN).map(|start| {
            let rows = start..self.axes[2].count.min(start + SPAN);
            rows.len().next_multiple_of(TILE) * self.steps_inside(&rows).len() * STEP
        });
        let terms = self.groups * lines * tiles.sum::<usize>() * self.reduced.products.count();
        Work {
            kernel: self.reduced.kernel(),
            flops: 2.0 * terms as f64 * self.outs.next_multiple_of(TILE) as f64,
            weight_bytes: self.panels.iter().map(Panels::bytes).sum(),
        }
    }

    /// Computes one lane.
    pub fn apply(&self, x: &[T], epilogue: &mut Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        self.isa.run(Run { packed: self, x, epilogue, scratch });
    }
}

impl Planes {
    /// Index of a position.
    fn position(&self, at: [usize; 3]) -> usize {
        (at[0] * self.extent[1] + at[1]) * self.extent[2] + at[2]
    }

    /// Values of one block.
    fn block_len(&self) -> usize {
        self.group_len / self.blocks
    }
}

/// One lane through a [`ReducedCorrelation`].
struct Run<'r, 'e, T: Real> {
    packed: &'r ReducedCorrelation<T>,
    x: &'r [T],
    epilogue: &'r mut Epilogue<'e, T>,
    scratch: &'r mut Scratch<T>,
}

impl<T: Real> Kernel for Run<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Run { packed, x, epilogue, scratch } = self;
        let len = packed.planes.len * packed.reduced.products.planes();
        scratch.planes.resize_at_least(len);
        let planes = &mut scratch.planes[..len];
        packed.split(x, planes);
        let mut tiles = Tiles::new(packed.reduced.unit);
        let count = packed.axes[0].count * packed.axes[1].count * packed.tiles_per_line();
        let row = packed.axes[2].from_step * packed.planes.unit * packed.planes.blocks * packed.groups;
        let row_bytes = row * size_of::<u16>() * packed.reduced.products.planes();
        let in_block = (BLOCK_BYTES / (row_bytes * SPAN)).max(1);
        for first in (0..count).step_by(in_block) {
            let block = first..count.min(first + in_block);
            for group in 0..packed.groups {
                packed.multiply(group, block.clone(), planes, &mut tiles, epilogue);
            }
        }
    }
}

impl<T: Real> ReducedCorrelation<T> {
    fn tiles_per_line(&self) -> usize {
        self.axes[2].count.div_ceil(SPAN)
    }

    /// Multiplies a block of row tiles with all panels of a group.
    #[inline(always)]
    fn multiply(
        &self,
        group: usize,
        block: Range<usize>,
        planes: &[u16],
        tiles: &mut Tiles,
        epilogue: &mut Epilogue<'_, T>,
    ) {
        let (axes, mut sums) = (&self.axes, Block::default());
        let panels = &self.panels[group];
        let row_step = axes[2].to_step * self.groups * self.outs;
        for index in 0..panels.count() {
            for tile in block.clone() {
                let (line, start) = (tile / self.tiles_per_line(), tile % self.tiles_per_line() * SPAN);
                let outputs = start..axes[2].count.min(start + SPAN);
                let at = [line / axes[1].count, line % axes[1].count, start];
                let used = self.steps_inside(&outputs);
                let panel = panels.panel(index, used.clone());
                let operand = Operand {
                    planes,
                    plane_len: self.planes.len,
                    start: group * self.planes.group_len + self.position(at) * self.planes.unit,
                    stride: axes[2].from_step * self.planes.unit,
                    rows: outputs.len(),
                };
                panel.multiply(tiles, operand, &self.steps[used], &mut sums);
                let to = self.destination(at) + group * self.outs + panel.first;
                for (r, row) in sums.rows().take(outputs.len()).enumerate() {
                    panel.finish(row, to + r * row_step, epilogue);
                }
            }
        }
    }

    /// Position in a plane that the first tap of an output reads.
    fn position(&self, output: [usize; 3]) -> usize {
        self.planes.position([0, 1, 2].map(|a: usize| output[a] * self.axes[a].from_step))
    }

    /// Where the first channel of an output belongs.
    fn destination(&self, output: [usize; 3]) -> usize {
        let [q0, q1, q2] = [0, 1, 2].map(|a: usize| self.axes[a].to_first + output[a] * self.axes[a].to_step);
        ((q0 * self.axes[1].to_len + q1) * self.axes[2].to_len + q2) * self.groups * self.outs
    }

    /// The steps whose taps read more than zeros for some of these rows. The others would add zeros.
    fn steps_inside(&self, rows: &Range<usize>) -> Range<usize> {
        if self.merged || self.axes[0].taps.len() * self.axes[1].taps.len() > 1 {
            return 0..self.steps.len();
        }
        let per_tap = self.planes.blocks;
        let (first, last) = (self.axes[2].taps_inside(rows.start), self.axes[2].taps_inside(rows.end - 1));
        // Later rows read further on: the last one meets the earliest taps, the first one the latest.
        last.start * per_tap..first.end * per_tap
    }

    /// Splits one lane into planes.
    #[inline(always)]
    fn split(&self, x: &[T], planes: &mut [u16]) {
        let (len, products) = (self.planes.len, self.reduced.products);
        for plane in planes.chunks_exact_mut(len) {
            plane[self.planes.group_len * self.groups..].fill(0);
        }
        let [lines0, lines1, positions] = self.planes.extent;
        let inside = [0, 1, 2].map(|a: usize| self.axes[a].inside());
        for line in 0..lines0 * lines1 {
            let (q0, q1) = (line / lines1, line % lines1);
            if !inside[0].contains(&q0) || !inside[1].contains(&q1) || inside[2].is_empty() {
                self.zero_line(line * positions, &(0..0), planes);
                continue;
            }
            self.zero_line(line * positions, &inside[2], planes);
            let [p0, p1, p2] = [(0, q0), (1, q1), (2, inside[2].start)]
                .map(|(a, q): (usize, usize)| (q as isize + self.axes[a].from_first) as usize);
            let from = ((p0 * self.axes[1].from_len + p1) * self.axes[2].from_len + p2) * self.channels();
            let source = &x[from..][..inside[2].len() * self.channels()];
            let to = line * positions + inside[2].start;
            if self.groups == 1 && self.planes.unit == self.ins {
                split_row(products, source, planes, len, to * self.planes.unit);
                continue;
            }
            for (i, row) in source.chunks_exact(self.channels()).enumerate() {
                self.split_position(row, to + i, planes);
            }
        }
    }

    /// Splits the channels of one position into blocks of 32, the last one of each group filled up with zeros.
    #[inline(always)]
    fn split_position(&self, row: &[T], position: usize, planes: &mut [u16]) {
        let (len, unit) = (self.planes.len, self.planes.unit);
        let mut block = 0;
        for channels in row.chunks_exact(self.ins) {
            for values in channels.chunks(unit) {
                let at = block * self.planes.block_len() + position * unit;
                split_row(self.reduced.products, values, planes, len, at);
                if values.len() < unit {
                    for plane in planes.chunks_exact_mut(len) {
                        plane[at + values.len()..at + unit].fill(0);
                    }
                }
                block += 1;
            }
        }
    }

    /// Makes the positions of a line zero that lie outside the source.
    fn zero_line(&self, line: usize, inside: &Range<usize>, planes: &mut [u16]) {
        let (len, unit, positions) = (self.planes.len, self.planes.unit, self.planes.extent[2]);
        for plane in planes.chunks_exact_mut(len) {
            for block in 0..self.planes.blocks * self.groups {
                let line = block * self.planes.block_len() + line * unit;
                plane[line..][..inside.start * unit].fill(0);
                plane[line + inside.end * unit..line + positions * unit].fill(0);
            }
        }
    }

    /// Channels of the source.
    fn channels(&self) -> usize {
        self.ins * self.groups
    }
}
