//! The adjoint of a dense layer, `mx[m, k] = sum_n my[m, n] w[k, n]`, from the panels of its forward pass.
//!
//! A row of a panel holds neighbouring `n` of one `k`, so a sum over `n` is a dot product of vectors: of the strips that
//! the panels hold of one `k`, and a row of multipliers.

use super::matrix::Matrix;
use crate::{Scratch, Work};
use deeplift_simd::{
    AlignedVec, Factors, Kernel, Real, Simd, StripRows, Strips, STRIP_FACTORS, STRIP_ROWS, SUM_BLOCK,
};

/// Bytes of multipliers that one pass over the weights may use: they are read again for every tile.
const FACTOR_BYTES: usize = 512 * 1024;

impl<T: Real> Matrix<T> {
    pub fn adjoint(&self, rows: usize, my: &[T], mx: &mut [T], accumulate: bool, scratch: &mut Scratch<T>) {
        if self.outputs == 0 {
            return mx.iter_mut().filter(|_| !accumulate).for_each(|m| *m = T::ZERO);
        }
        let fitting = FACTOR_BYTES / (self.bias.len() * size_of::<T>()) / STRIP_FACTORS * STRIP_FACTORS;
        let block = fitting.max(STRIP_FACTORS);
        for first in (0..rows).step_by(block) {
            let count = block.min(rows - first);
            let my = &my[first * self.outputs..][..count * self.outputs];
            let mx = &mut mx[first * self.inputs..][..count * self.inputs];
            self.isa.run(Adjoint { packed: self, my, mx, accumulate, scratch });
        }
    }

    pub fn adjoint_work(&self, rows: usize) -> Work {
        let width = self.bias.len();
        Work {
            kernel: format!("dense adjoint {}x{STRIP_FACTORS}", self.isa.strip_rows()),
            flops: 2.0 * (rows * self.inputs * width) as f64,
            weight_bytes: self.panels.bytes(),
        }
    }

    /// Where the weights of `k` and its neighbours lie: in panels, of which the last may be half as wide.
    fn strips(&self, k: usize) -> [Strips; 2] {
        let (full, width) = (self.isa.tile_columns::<T>(), self.bias.len());
        let start = k / SUM_BLOCK * SUM_BLOCK;
        let (depth, count) = (SUM_BLOCK.min(self.inputs - start), width / full);
        let strips = |first: usize, columns: usize, count: usize| Strips {
            start: start * width + depth * first + (k - start) * columns,
            stride: columns,
            step: depth * columns,
            count,
            len: columns,
        };
        [strips(0, full, count), strips(count * full, full / 2, (width - count * full).div_ceil(full))]
    }
}

struct Adjoint<'r, T: Real> {
    packed: &'r Matrix<T>,
    my: &'r [T],
    mx: &'r mut [T],
    accumulate: bool,
    scratch: &'r mut Scratch<T>,
}

impl<T: Real> Kernel for Adjoint<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Adjoint { packed, my, mx, accumulate, scratch } = self;
        let (inputs, outputs, width) = (packed.inputs, packed.outputs, packed.bias.len());
        let factors = pad(my, outputs, width, &mut scratch.panel);
        let mut tile = [[T::ZERO; STRIP_FACTORS]; STRIP_ROWS];
        let mut from = 0;
        while from < inputs {
            // A tile lies in one block.
            let count = S::ISA.strip_rows().min(inputs.min((from / SUM_BLOCK + 1) * SUM_BLOCK) - from);
            let strips = packed.strips(from);
            let strips = &strips[usize::from(strips[0].count == 0)..2 - usize::from(strips[1].count == 0)];
            for (group, values) in factors.chunks(STRIP_FACTORS * width).enumerate() {
                // The weights of the next tile arrive while the first factors of this one are multiplied.
                let rows = StripRows { source: &packed.panels, strips, rows: count, ahead: group == 0 };
                simd.strips(rows, Factors { values, len: width }, &mut tile);
                for f in 0..values.len() / width {
                    let at = (group * STRIP_FACTORS + f) * inputs + from;
                    for (mx, row) in mx[at..][..count].iter_mut().zip(&tile) {
                        *mx = if accumulate { *mx + row[f] } else { row[f] };
                    }
                }
            }
            from += count;
        }
    }
}

/// Rows of multipliers as long as the panels are wide.
#[inline(always)]
fn pad<'a, T: Real>(my: &'a [T], outputs: usize, width: usize, panel: &'a mut AlignedVec<T>) -> &'a [T] {
    if outputs == width {
        return my;
    }
    let len = my.len() / outputs * width;
    panel.resize_at_least(len);
    for (padded, row) in panel[..len].chunks_exact_mut(width).zip(my.chunks_exact(outputs)) {
        padded[..outputs].copy_from_slice(row);
        padded[outputs..].fill(T::ZERO);
    }
    &panel[..len]
}
