//! Dense layers in products of bf16.
//!
//! As with floats, weights are streamed once for all rows, in blocks of `k`; the sums over the blocks so far are kept in
//! the scratch. A plane is `[32 values of k][row][32]`.

use super::{split_row, Panels, Reduced, TILE};
use crate::lazy::Holding;
use crate::{Epilogue, Scratch, Work};
use deeplift_simd::amx::{Block, Operand, Tiles, SPAN, STEP};
use deeplift_simd::{Isa, Kernel, Real, Simd, SUM_BLOCK};

/// Steps in one block of `k`.
const BLOCK_STEPS: usize = SUM_BLOCK / STEP;

/// A dense layer with its weights split and packed.
#[derive(Clone, Debug)]
pub(crate) struct ReducedDense<T: Real> {
    isa: Isa,
    reduced: Reduced,
    inputs: usize,
    outputs: usize,
    /// One per block of `k`; the last one has the bias.
    blocks: Vec<Panels<T>>,
}

impl<T: Real> ReducedDense<T> {
    /// For weights given as `weight(k, column)`, if tiles are worth it; `bias` has one value per output or is empty.
    pub fn new(
        inputs: usize,
        outputs: usize,
        weight: impl Fn(usize, usize) -> T + Clone + Send + Sync + 'static,
        bias: &[T],
        isa: Isa,
        reduced: Reduced,
    ) -> Option<Self> {
        let steps = inputs.div_ceil(STEP);
        if inputs == 0 || !reduced.pays(steps, inputs, outputs) {
            return None;
        }
        let blocks = (0..steps).step_by(BLOCK_STEPS).map(|first| {
            let weight = weight.clone();
            let read = move || {
                let weight = weight.clone();
                move |step: usize, k: usize, column: usize| match (first + step) * STEP + k {
                    k if k < inputs => weight(k, column),
                    _ => T::ZERO,
                }
            };
            let is_last = first + BLOCK_STEPS >= steps;
            let bias = |c: usize| bias.get(c).copied().filter(|_| is_last).unwrap_or(T::ZERO);
            Panels::new(reduced.products, BLOCK_STEPS.min(steps - first), outputs, read, bias)
        });
        Some(Self { isa, reduced, inputs, outputs, blocks: blocks.collect() })
    }

    /// Counts the panels.
    pub fn tally(&self, holding: &mut Holding) {
        self.blocks.iter().for_each(|panels| panels.tally(holding));
    }

    /// Counted work of so many rows.
    pub fn work(&self, rows: usize) -> Work {
        let tiles = rows.next_multiple_of(TILE) * self.inputs.next_multiple_of(STEP);
        let terms = tiles * self.outputs.next_multiple_of(TILE) * self.reduced.products.count();
        Work {
            kernel: self.reduced.kernel(),
            flops: 2.0 * terms as f64,
            weight_bytes: self.blocks.iter().map(Panels::bytes).sum(),
        }
    }

    /// Computes `rows` rows.
    pub fn apply(&self, rows: usize, x: &[T], epilogue: &mut Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        self.isa.run(Run { packed: self, rows, x, epilogue, scratch });
    }
}

struct Run<'r, 'e, T: Real> {
    packed: &'r ReducedDense<T>,
    rows: usize,
    x: &'r [T],
    epilogue: &'r mut Epilogue<'e, T>,
    scratch: &'r mut Scratch<T>,
}

impl<T: Real> Kernel for Run<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Run { packed, rows, x, epilogue, scratch } = self;
        // Tiles read rows in sixteens.
        let step_len = rows.next_multiple_of(TILE) * STEP;
        let plane_len = packed.inputs.div_ceil(STEP) * step_len;
        let (len, width) =
            (plane_len * packed.reduced.products.planes(), packed.outputs.next_multiple_of(SPAN));
        scratch.planes.resize_at_least(len);
        scratch.sums.resize_at_least(rows * width);
        scratch.steps.clear();
        scratch.steps.extend((0..BLOCK_STEPS).map(|step| step * step_len));
        let Scratch { planes, sums, steps, .. } = scratch;
        let (planes, sums) = (&mut planes[..len], &mut sums[..rows * width]);
        packed.split(x, planes, plane_len, step_len);
        sums.fill(T::ZERO);
        let (mut tiles, mut block) = (Tiles::new(packed.reduced.unit), Block::default());
        for (b, panels) in packed.blocks.iter().enumerate() {
            let is_last = b + 1 == packed.blocks.len();
            for index in 0..panels.count() {
                let panel = panels.panel(index, 0..panels.steps());
                for first in (0..rows).step_by(SPAN) {
                    let operand = Operand {
                        planes,
                        plane_len,
                        start: b * BLOCK_STEPS * step_len + first * STEP,
                        stride: STEP,
                        rows: SPAN.min(rows - first),
                    };
                    panel.multiply(&mut tiles, operand, &steps[..panels.steps()], &mut block);
                    for (row, new) in (first..rows).zip(block.rows()) {
                        let sums = &mut sums[row * width + panel.first..][..panel.width];
                        for (sum, &new) in sums.iter_mut().zip(new) {
                            *sum += T::from_f64(f64::from(new));
                        }
                        if is_last {
                            panel.finish(sums, row * packed.outputs + panel.first, epilogue);
                        }
                    }
                }
            }
        }
    }
}

impl<T: Real> ReducedDense<T> {
    /// Splits all rows into planes; the last step of a row is filled up with zeros.
    #[inline(always)]
    fn split(&self, x: &[T], planes: &mut [u16], plane_len: usize, step_len: usize) {
        for (r, row) in x.chunks_exact(self.inputs).enumerate() {
            for (step, values) in row.chunks(STEP).enumerate() {
                let at = step * step_len + r * STEP;
                split_row(self.reduced.products, values, planes, plane_len, at);
                if values.len() < STEP {
                    for plane in planes.chunks_exact_mut(plane_len) {
                        plane[at + values.len()..at + STEP].fill(0);
                    }
                }
            }
        }
    }
}
