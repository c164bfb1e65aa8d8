//! The forward pass: blocks of `k` from the outside, then panels of columns, then tiles of rows. Between two blocks the
//! sums so far of all rows and columns are kept in the scratch.

use crate::chunks::update_row;
use crate::{Epilogue, Scratch, Work};
use deeplift_simd::{AlignedVec, Isa, Kernel, Real, Segment, Simd, Tile, Weights, SUM_BLOCK};

/// Weights of the element type.
#[derive(Clone, Debug)]
pub(super) struct Matrix<T: Real> {
    pub isa: Isa,
    pub inputs: usize,
    pub outputs: usize,
    /// `[block of k][panel][k in block][columns]`; the last panel may be half as wide.
    pub panels: AlignedVec<T>,
    /// One value per column of all panels.
    pub bias: AlignedVec<T>,
}

impl<T: Real> Matrix<T> {
    /// Weights of 0 until they are set.
    pub fn new(inputs: usize, outputs: usize, bias: &[T], isa: Isa) -> Self {
        assert!(isa.is_available(), "dense: this processor has no {isa}");
        let biases = bias.len();
        assert!(biases == 0 || biases == outputs, "dense: {biases} biases for {outputs} outputs");
        let width = outputs.next_multiple_of(isa.tile_columns::<T>() / 2);
        let (panels, mut padded_bias) = (AlignedVec::zeroed(inputs * width), AlignedVec::zeroed(width));
        padded_bias[..bias.len()].copy_from_slice(bias);
        Self { isa, inputs, outputs, panels, bias: padded_bias }
    }

    /// The weights of the adjoint.
    pub fn transposed(&self) -> Self {
        let mut flipped = Self::new(self.outputs, self.inputs, &[], self.isa);
        for k in 0..self.inputs {
            (0..self.outputs).for_each(|n| flipped.set(n, k, self.at(k, n)));
        }
        flipped
    }

    /// Where a weight lies.
    #[inline]
    fn place(&self, k: usize, n: usize) -> usize {
        assert!(k < self.inputs && n < self.outputs, "dense: no weight {k}, {n}");
        let (full, width) = (self.isa.tile_columns::<T>(), self.bias.len());
        // Panels are as wide as a power of two.
        let (start, first) = (k / SUM_BLOCK * SUM_BLOCK, n & !(full - 1));
        let (depth, columns) = (SUM_BLOCK.min(self.inputs - start), full.min(width - first));
        start * width + depth * first + (k - start) * columns + n - first
    }

    #[inline]
    pub fn set(&mut self, k: usize, n: usize, weight: T) {
        let place = self.place(k, n);
        self.panels[place] = weight;
    }

    /// One weight.
    #[inline]
    pub fn at(&self, k: usize, n: usize) -> T {
        self.panels[self.place(k, n)]
    }

    /// Without bias and with every weight replaced.
    pub fn part(&self, part: impl Fn(T) -> T) -> Self {
        let mut panels = self.panels.clone();
        panels.iter_mut().for_each(|w| *w = part(*w));
        Self { panels, bias: AlignedVec::zeroed(self.bias.len()), ..*self }
    }

    pub fn work(&self, rows: usize) -> Work {
        let width = self.bias.len();
        let vectors = if width < self.isa.tile_columns::<T>() { 1 } else { 2 };
        Work {
            kernel: format!("dense {}x{vectors}", self.isa.tile_rows()),
            flops: 2.0 * (rows * self.inputs * width) as f64,
            weight_bytes: self.panels.len() * size_of::<T>(),
        }
    }

    pub fn apply(&self, rows: usize, x: &[T], epilogue: &mut Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        let sums_len = rows * self.bias.len();
        scratch.sums.resize_at_least(sums_len);
        let sums = &mut scratch.sums[..sums_len];
        self.isa.run(Run { packed: self, rows, x, epilogue, sums });
    }
}

struct Run<'r, 'e, T: Real> {
    packed: &'r Matrix<T>,
    rows: usize,
    x: &'r [T],
    epilogue: &'r mut Epilogue<'e, T>,
    /// `[rows][columns of all panels]`.
    sums: &'r mut [T],
}

impl<T: Real> Kernel for Run<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Run { packed, rows, x, epilogue, sums } = self;
        let (full, width) = (S::ISA.tile_columns::<T>(), packed.bias.len());
        let mut tile = Tile::default();
        sums.fill(T::ZERO);
        // Without inputs there is still one block: of no products, so that the bias is the result.
        for start in (0..packed.inputs.max(1)).step_by(SUM_BLOCK) {
            let depth = (packed.inputs - start).min(SUM_BLOCK);
            let is_last = start + depth == packed.inputs;
            for first in (0..width).step_by(full) {
                let columns = full.min(width - first);
                let panel = &packed.panels[start * width + depth * first..][..depth * columns];
                let weights = Weights { panel, bias: &[], columns };
                let tiles = rows.div_ceil(S::ISA.tile_rows());
                for t in 0..tiles {
                    let (from, to) = (t * rows / tiles, (t + 1) * rows / tiles);
                    let segment = Segment {
                        source: 0,
                        start: from * packed.inputs + start,
                        stride: packed.inputs,
                        len: depth,
                        weight: 0,
                    };
                    let segments = if depth == 0 { &[][..] } else { &[segment] };
                    simd.tile(to - from, segments, [x, &[]], weights, &mut tile);
                    for (row, block) in (from..to).zip(tile.values().chunks_exact(columns)) {
                        let sum = &mut sums[row * width + first..][..columns];
                        update_row(sum, block, block, |sum, block, _| sum + block);
                        if is_last {
                            let bias = &packed.bias[first..][..columns];
                            update_row(sum, bias, bias, |sum, bias, _| sum + bias);
                            let valid = columns.min(packed.outputs - first);
                            epilogue.apply(row * packed.outputs + first, &sum[..valid]);
                        }
                    }
                }
            }
        }
    }
}
