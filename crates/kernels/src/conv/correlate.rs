//! Convolution as matrix products, without im2col.
//!
//! Rows of the product are outputs along the last axis. For one tap, the activations of consecutive rows lie at a
//! constant distance in the channels-last source, so the tile reads them where they are. Neighbouring taps of
//! dilation 1 are contiguous and merge into one long run of products; any other tap is a run of its own. A run
//! that lies wholly in the padding is left out; one that crosses the border reads a small zero-padded copy.
//!
//! # Narrow outputs
//! One to a few output channels would leave most lanes idle. Then `joined` neighbouring outputs become the
//! columns of one row: `y[j * joined + p, n] = sum_u x[.. + u] w[u - p * step, n]`, with zeros where the tap
//! does not exist. An output is then the same sum with exact zeros in it, but where the sum is cut into blocks
//! depends on its position modulo `joined`.
//!
//! # Cache
//! Rows are taken in blocks whose activations stay in L2, over all lines; for each block the panels are outermost
//! and the tiles of the block innermost, so that a panel is read from L2 (or L1) again for every tile.

mod work;

use super::axis::Axis;
use super::weights::MapWeights;
use crate::lazy::{Holding, LazyWeights};
use crate::{Epilogue, Scratch};
use deeplift_simd::{AlignedVec, Isa, Kernel, Real, Segment, Simd, Tile, Vector, Weights};
use std::ops::Range;

/// Bytes of activations in one row block: a quarter of the smallest L2 in use (1 MiB), beside a panel and what the
/// epilogue reads and writes.
const BLOCK_BYTES: usize = 256 * 1024;

/// Elements that the zero-padded copies of one row block may take, unless a single tile needs more.
const PADDED_LEN: usize = 32 * 1024;

/// One tile of a row block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TileJob {
    rows: usize,
    /// Its products are `segments[first..end]`.
    first: usize,
    end: usize,
    /// Where row 0 starts in the destination.
    to: usize,
    /// Columns that exist in the last row.
    last_columns: usize,
}

/// A convolution, or one phase of an adjoint, packed for one instruction set.
#[derive(Clone, Debug)]
pub(super) struct Correlation<T: Real> {
    isa: Isa,
    axes: [Axis; 3],
    groups: usize,
    /// Channels of the source and of the destination in one group.
    ins: usize,
    outs: usize,
    /// Outputs along the last axis in one row.
    joined: usize,
    /// Taps along the last axis that a row reads.
    reach: usize,
    /// `[group][panel][k][columns]`, `k` over taps and source channels; the last panel may be half as wide.
    /// Shared by maps that differ in the outputs they compute.
    panels: LazyWeights<T>,
    /// `[group][columns of all panels]`.
    bias: AlignedVec<T>,
}

impl<T: Real> Correlation<T> {
    /// `bias` has one value per destination channel or is empty.
    pub fn new(axes: [Axis; 3], weights: &MapWeights<T>, bias: &[T], isa: Isa) -> Self {
        let ([groups, ins, outs], (axes, order)) = (weights.sizes(), simplify(axes));
        let joined = best_join::<T>(&axes[2], [groups, ins, outs], isa);
        let reach =
            if axes[2].taps.is_empty() { 0 } else { axes[2].taps.len() + (joined - 1) * axes[2].from_step };
        let mut packed = Self {
            isa,
            axes,
            groups,
            ins,
            outs,
            joined,
            reach,
            panels: LazyWeights::default(),
            bias: AlignedVec::default(),
        };
        let width = packed.width();
        let (shape, weights) = (packed.clone(), weights.clone());
        let len = groups * packed.depth() * width;
        packed.panels = LazyWeights::new(len, move |panels| shape.pack(order, &weights, panels));
        if !bias.is_empty() {
            packed.bias = AlignedVec::zeroed(groups * width);
            for group in 0..groups {
                for column in 0..joined * outs {
                    packed.bias[group * width + column] = bias[group * outs + column % outs];
                }
            }
        }
        packed
    }

    /// Writes the panels over zeros; axis `a` was axis `order[a]` of the convolution.
    fn pack(&self, order: [usize; 3], weights: &MapWeights<T>, panels: &mut [T]) {
        let (weight, axes) = (weights.read(), &self.axes);
        for group in 0..self.groups {
            for column in 0..self.joined * self.outs {
                let (shift, out) = (column / self.outs * axes[2].from_step, column % self.outs);
                for k in 0..self.depth() {
                    let (tap, channel) = (k / self.ins, k % self.ins);
                    let (line, u) = (tap / self.reach, tap % self.reach);
                    let Some(t2) = u.checked_sub(shift).filter(|&t| t < axes[2].taps.len()) else {
                        continue;
                    };
                    let lines = axes[1].taps.len();
                    let taps = [line / lines, line % lines, t2];
                    let mut kernel = [0; 3];
                    for (axis, &original) in order.iter().enumerate() {
                        kernel[original] = axes[axis].taps[taps[axis]];
                    }
                    panels[self.panel_index(group, column, k)] = weight(group, channel, out, kernel);
                }
            }
        }
    }

    /// The instruction set that it is packed for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Counts the panels.
    pub fn tally(&self, holding: &mut Holding) {
        self.panels.tally(holding);
    }

    /// Multiply-adds of a vector that one output position takes, with all its channels.
    pub fn vectors_per_position(axes: &[Axis; 3], sizes: [usize; 3], isa: Isa) -> f64 {
        let (axes, _) = simplify(axes.clone());
        let joined = best_join::<T>(&axes[2], sizes, isa);
        let lines: usize = axes[..2].iter().map(|axis| axis.taps.len()).product();
        let reach = axes[2].taps.len() + (joined - 1) * axes[2].from_step;
        let vectors = (joined * sizes[2]).div_ceil(isa.tile_columns::<T>() / 2);
        (lines * reach * sizes[1] * vectors) as f64 / joined as f64
    }

    /// The map along the axis that rows run along. No other has more than one position where the convolution is a line.
    pub fn last_axis(&mut self) -> &mut Axis {
        &mut self.axes[2]
    }

    /// Terms of one sum, padding included.
    fn depth(&self) -> usize {
        self.axes[0].taps.len() * self.axes[1].taps.len() * self.reach * self.ins
    }

    /// Columns of all panels of a group.
    fn width(&self) -> usize {
        (self.joined * self.outs).next_multiple_of(self.isa.tile_columns::<T>() / 2)
    }

    /// Index of a weight in `panels`.
    fn panel_index(&self, group: usize, column: usize, k: usize) -> usize {
        let full = self.isa.tile_columns::<T>();
        let first = column / full * full;
        let columns = full.min(self.width() - first);
        (group * self.width() + first) * self.depth() + k * columns + column - first
    }

    /// Rows of one line, and the tiles that they are cut into.
    fn rows_and_tiles(&self) -> (usize, usize) {
        let rows = self.axes[2].count.div_ceil(self.joined);
        (rows, rows.div_ceil(self.isa.tile_rows()))
    }

    /// Source positions that `rows` read through `run` neighbouring taps from `tap` on.
    fn span(&self, rows: &Range<usize>, tap: usize, run: usize) -> Range<isize> {
        let axis = &self.axes[2];
        let step = axis.from_step * self.joined;
        let low = axis.from_first + (rows.start * step + tap * axis.tap_step) as isize;
        low..low + ((rows.len() - 1) * step + run) as isize
    }

    /// Taps along the last axis that are multiplied in one run.
    fn run(&self) -> usize {
        if self.merges() {
            self.reach.max(1)
        } else {
            1
        }
    }

    /// Computes one lane.
    pub fn apply(&self, x: &[T], epilogue: &mut Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        self.isa.run(Run { packed: self, x, epilogue, scratch });
    }
}

/// Drops trivial axes to the front and joins axes without any structure, so that rows are long. Also gives the
/// original index of each axis.
pub(super) fn simplify(mut axes: [Axis; 3]) -> ([Axis; 3], [usize; 3]) {
    for axis in &mut axes {
        if axis.taps.len() == 1 {
            axis.tap_step = 1;
        }
    }
    let mut order = [0, 1, 2];
    order.sort_by_key(|&a| !axes[a].is_trivial());
    if axes.iter().all(Axis::is_identity) {
        let len = axes.iter().map(|axis| axis.count).product();
        for axis in &mut axes {
            (axis.count, axis.to_len, axis.from_len) = (1, 1, 1);
        }
        let last = &mut axes[2];
        (last.count, last.to_len, last.from_len) = (len, len, len);
        return (axes, [0, 1, 2]);
    }
    (order.map(|a| axes[a].clone()), order)
}

/// The number of neighbouring outputs per row that needs the least time per output.
fn best_join<T: Real>(axis: &Axis, [groups, ins, outs]: [usize; 3], isa: Isa) -> usize {
    if groups != 1 || outs == 0 || axis.tap_step != 1 || axis.to_step != 1 || axis.taps.is_empty() {
        return 1;
    }
    let full = isa.tile_columns::<T>();
    let cost = |joined: usize| {
        let columns = (joined * outs).next_multiple_of(full / 2);
        let products = (axis.taps.len() + (joined - 1) * axis.from_step) * columns;
        // A half panel has one chain of additions per row, and eight are needed to keep the multipliers busy.
        let idle = if columns < full { (8.0 / isa.tile_rows() as f64).max(1.0) } else { 1.0 };
        // Rows at this distance share one set of an eight-way L1 cache.
        let stride = joined * axis.from_step * ins * size_of::<T>();
        let thrashing = if stride.is_multiple_of(4096) && isa.tile_rows() > 8 { 1.5 } else { 1.0 };
        products as f64 * idle * thrashing / joined as f64
    };
    let most = (full / outs).min(axis.count).max(1);
    (1..=most).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap_or(1)
}

/// The rows of a tile. Tiles are of almost equal size: one more row costs less than another tile of one row.
fn tile_rows(tile: usize, rows: usize, tiles: usize) -> Range<usize> {
    tile * rows / tiles..(tile + 1) * rows / tiles
}

/// Whether any of the positions is in a source of this length, rather than in its padding.
fn meets(span: &Range<isize>, len: usize) -> bool {
    span.end > 0 && span.start < len as isize
}

/// One lane through a [`Correlation`].
struct Run<'r, 'e, T: Real> {
    packed: &'r Correlation<T>,
    x: &'r [T],
    epilogue: &'r mut Epilogue<'e, T>,
    scratch: &'r mut Scratch<T>,
}

impl<T: Real> Kernel for Run<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Run { packed, x, epilogue, scratch } = self;
        let mut tile = Tile::default();
        for group in 0..packed.groups {
            let mut blocks = Blocks::new(packed, group, x, scratch);
            while blocks.next(scratch) {
                packed.multiply(simd, group, x, epilogue, scratch, &mut tile);
            }
        }
    }
}

impl<T: Real> Correlation<T> {
    /// Multiplies one row block with all panels of a group.
    #[inline(always)]
    fn multiply<S: Simd>(
        &self,
        simd: S,
        group: usize,
        x: &[T],
        epilogue: &mut Epilogue<'_, T>,
        scratch: &Scratch<T>,
        tile: &mut Tile<T>,
    ) {
        let full = S::ISA.tile_columns::<T>();
        for first in (0..self.width()).step_by(full) {
            if self.width() - first >= full {
                self.multiply_panel::<S, 2>(simd, group, first, x, epilogue, scratch, tile);
            } else {
                self.multiply_panel::<S, 1>(simd, group, first, x, epilogue, scratch, tile);
            }
        }
    }

    /// Multiplies one row block with the panel of a group that starts at column `first`, as wide as `VECTORS` registers.
    #[inline(always)]
    fn multiply_panel<S: Simd, const VECTORS: usize>(
        &self,
        simd: S,
        group: usize,
        first: usize,
        x: &[T],
        epilogue: &mut Epilogue<'_, T>,
        scratch: &Scratch<T>,
        tile: &mut Tile<T>,
    ) {
        let columns = VECTORS * S::Vector::<T>::LANES;
        let (depth, width, used) = (self.depth(), self.width(), self.joined * self.outs);
        let row_step = self.axes[2].to_step * self.joined * self.groups * self.outs;
        let panel = &self.panels[(group * width + first) * depth..][..depth * columns];
        let bias = if self.bias.is_empty() { &[] } else { &self.bias[group * width + first..][..columns] };
        let weights = Weights { panel, bias, columns };
        let valid = columns.min(used - first);
        for job in &scratch.jobs {
            let segments = &scratch.segments[job.first..job.end];
            let to = job.to + group * self.outs + first;
            let full_rows = if job.last_columns == used { job.rows } else { job.rows - 1 };
            epilogue.prefetch(simd, (0..full_rows).map(|row| to + row * row_step), columns);
            simd.tile(job.rows, segments, [x, &scratch.padded], &weights, tile);
            epilogue.apply_tile::<S, VECTORS>(simd, full_rows, (to, row_step), valid, tile.values());
            if full_rows < job.rows {
                let rest = &tile.values()[full_rows * columns..][..job.last_columns];
                epilogue.apply(to + full_rows * row_step, rest);
            }
        }
    }
}

/// Cuts the outputs into row blocks and works out the products of their tiles.
struct Blocks<'a, T: Real> {
    packed: &'a Correlation<T>,
    group: usize,
    x: &'a [T],
    /// Next line and next tile in it.
    line: usize,
    tile: usize,
    /// Tiles of a line, and rows in a line.
    tiles: usize,
    rows: usize,
    rows_per_block: usize,
    padded_per_tile: usize,
}

impl<'a, T: Real> Blocks<'a, T> {
    fn new(packed: &'a Correlation<T>, group: usize, x: &'a [T], scratch: &mut Scratch<T>) -> Self {
        let last = &packed.axes[2];
        let (rows, tiles) = packed.rows_and_tiles();
        let step = last.from_step * packed.joined;
        let most = packed.isa.tile_rows();
        let copy = if packed.merges() { (most - 1) * step + packed.reach } else { most * packed.reach };
        let lines = packed.axes[0].taps.len() * packed.axes[1].taps.len();
        let padded_per_tile = lines * copy * packed.ins;
        scratch.padded.resize_at_least(padded_per_tile.max(PADDED_LEN));
        let row_bytes = step * packed.ins * packed.groups * size_of::<T>();
        Self {
            packed,
            group,
            x,
            line: 0,
            tile: 0,
            tiles,
            rows,
            rows_per_block: (BLOCK_BYTES / row_bytes.max(1)).max(most),
            padded_per_tile,
        }
    }

    /// Fills `scratch` with the tiles of the next block; false if there is none.
    fn next(&mut self, scratch: &mut Scratch<T>) -> bool {
        let (axes, mut rows, mut padded) = (&self.packed.axes, 0, 0);
        scratch.jobs.clear();
        scratch.segments.clear();
        while self.line < axes[0].count * axes[1].count && self.tiles > 0 {
            if rows > 0
                && (rows >= self.rows_per_block || padded + self.padded_per_tile > scratch.padded.len())
            {
                break;
            }
            let tile = tile_rows(self.tile, self.rows, self.tiles);
            rows += tile.len();
            self.push_tile(tile, &mut padded, scratch);
            self.tile += 1;
            if self.tile == self.tiles {
                (self.line, self.tile) = (self.line + 1, 0);
            }
        }
        rows > 0
    }

    /// Adds the tile of some rows of the current line.
    fn push_tile(&self, rows: Range<usize>, padded: &mut usize, scratch: &mut Scratch<T>) {
        let (packed, axes) = (self.packed, &self.packed.axes);
        let (o0, o1) = (self.line / axes[1].count, self.line % axes[1].count);
        let first = scratch.segments.len();
        for t0 in axes[0].taps_inside(o0) {
            for t1 in axes[1].taps_inside(o1) {
                let at = [(0, o0, t0), (1, o1, t1)]
                    .map(|(a, o, t): (usize, _, _)| axes[a].position(o, t) as usize);
                let from_line = (at[0] * axes[1].from_len + at[1]) * axes[2].from_len;
                let weight = (t0 * axes[1].taps.len() + t1) * packed.reach;
                let run = packed.run();
                for tap in (0..packed.reach).step_by(run) {
                    self.push_run(&rows, from_line, tap, run, weight + tap, padded, scratch);
                }
            }
        }
        let to = [(0, o0), (1, o1)].map(|(a, o): (usize, _)| axes[a].to_first + o * axes[a].to_step);
        let to_row = axes[2].to_first + rows.start * packed.joined * axes[2].to_step;
        let to = ((to[0] * axes[1].to_len + to[1]) * axes[2].to_len + to_row) * packed.groups * packed.outs;
        let last_outputs = packed.joined.min(axes[2].count - (rows.end - 1) * packed.joined);
        scratch.jobs.push(TileJob {
            rows: rows.len(),
            first,
            end: scratch.segments.len(),
            to,
            last_columns: last_outputs * packed.outs,
        });
    }

    /// Adds the products of `run` neighbouring taps, starting with `tap`, in one line of the source.
    fn push_run(
        &self,
        rows: &Range<usize>,
        from_line: usize,
        tap: usize,
        run: usize,
        weight: usize,
        padded: &mut usize,
        scratch: &mut Scratch<T>,
    ) {
        let (packed, axis) = (self.packed, &self.packed.axes[2]);
        let (ins, channels) = (packed.ins, packed.ins * packed.groups);
        let step = axis.from_step * packed.joined;
        let span = packed.span(rows, tap, run);
        if !meets(&span, axis.from_len) {
            return;
        }
        let (low, high, end) = (span.start, span.end, axis.source_end());
        let mut segment =
            Segment { source: 0, start: 0, stride: step * channels, len: run * ins, weight: weight * ins };
        if low >= 0 && high <= end {
            segment.start = (from_line + low as usize) * channels + self.group * ins;
        } else {
            // Merged runs overlap from row to row and are copied whole; single taps are copied row by row.
            let (copies, distance, stride) = if packed.merges() {
                ((high - low) as usize, 1, step * ins)
            } else {
                (rows.len(), step, ins)
            };
            segment = Segment { source: 1, start: *padded, stride, ..segment };
            for copy in 0..copies {
                let to = &mut scratch.padded[*padded..][..ins];
                let from = low + (copy * distance) as isize;
                if from >= 0 && from < end {
                    let from = (from_line + from as usize) * channels + self.group * ins;
                    to.copy_from_slice(&self.x[from..][..ins]);
                } else {
                    to.fill(T::ZERO);
                }
                *padded += ins;
            }
        }
        scratch.segments.push(segment);
    }
}

impl<T: Real> Correlation<T> {
    /// Whether neighbouring taps are contiguous in the source.
    fn merges(&self) -> bool {
        self.groups == 1 && self.axes[2].tap_step == 1
    }
}
