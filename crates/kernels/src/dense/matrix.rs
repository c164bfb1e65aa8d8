//! The forward pass: blocks of `k` from the outside, then panels of columns, then tiles of rows. Between two blocks the
//! sums so far of all rows and columns are kept in the scratch.

use crate::chunks::update_row;
use crate::lazy::LazyWeights;
use crate::{Epilogue, Scratch, Work};
use deeplift_simd::{AlignedVec, Isa, Kernel, Real, Segment, Simd, Tile, Weights, SUM_BLOCK};

/// Where the weights of a matrix lie.
#[derive(Clone, Copy, Debug)]
struct Shape {
    inputs: usize,
    outputs: usize,
    /// Columns of all panels, and of a full one.
    width: usize,
    full: usize,
}

impl Shape {
    #[inline]
    fn place(self, k: usize, n: usize) -> usize {
        assert!(k < self.inputs && n < self.outputs, "dense: no weight {k}, {n}");
        // Panels are as wide as a power of two.
        let (start, first) = (k / SUM_BLOCK * SUM_BLOCK, n & !(self.full - 1));
        let (depth, columns) = (SUM_BLOCK.min(self.inputs - start), self.full.min(self.width - first));
        start * self.width + depth * first + (k - start) * columns + n - first
    }
}

/// The weights of a dense layer while they are packed: they come one by one, in any order, so that they need not exist
/// in another form too.
pub struct Packing<'a, T> {
    shape: Shape,
    panels: &'a mut [T],
}

impl<T> Packing<'_, T> {
    /// Sets the weight of an input for an output.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub fn set(&mut self, input: usize, output: usize, weight: T) {
        self.panels[self.shape.place(input, output)] = weight;
    }

    /// Sets the weights of an input for neighbouring outputs from `output` on.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline]
    pub fn set_run(&mut self, input: usize, mut output: usize, mut weights: &[T])
    where
        T: Copy,
    {
        assert!(
            output + weights.len() <= self.shape.outputs,
            "dense: no weights up to {}",
            output + weights.len()
        );
        while !weights.is_empty() {
            let count = weights.len().min(self.shape.full - output % self.shape.full);
            let (run, rest) = weights.split_at(count);
            self.panels[self.shape.place(input, output)..][..count].copy_from_slice(run);
            (output, weights) = (output + count, rest);
        }
    }
}

/// Weights of the element type.
#[derive(Clone, Debug)]
pub(super) struct Matrix<T: Real> {
    pub isa: Isa,
    pub inputs: usize,
    pub outputs: usize,
    /// `[block of k][panel][k in block][columns]`; the last panel may be half as wide.
    pub panels: LazyWeights<T>,
    /// One value per column of all panels.
    pub bias: AlignedVec<T>,
}

impl<T: Real> Matrix<T> {
    /// Weights of 0 but for those that `pack` sets.
    pub fn new(
        inputs: usize,
        outputs: usize,
        bias: &[T],
        isa: Isa,
        pack: impl Fn(&mut Packing<'_, T>) + Send + Sync + 'static,
    ) -> Self {
        assert!(isa.is_available(), "dense: this processor has no {isa}");
        let biases = bias.len();
        assert!(biases == 0 || biases == outputs, "dense: {biases} biases for {outputs} outputs");
        let full = isa.tile_columns::<T>();
        let width = outputs.next_multiple_of(full / 2);
        let mut padded_bias = AlignedVec::zeroed(width);
        padded_bias[..bias.len()].copy_from_slice(bias);
        let shape = Shape { inputs, outputs, width, full };
        let pack = move |panels: &mut [T]| pack(&mut Packing { shape, panels });
        Self { isa, inputs, outputs, panels: LazyWeights::new(inputs * width, pack), bias: padded_bias }
    }

    /// The weights of the adjoint.
    pub fn transposed(&self) -> Self {
        let own = self.clone();
        Self::new(self.outputs, self.inputs, &[], self.isa, move |flipped| {
            for k in 0..own.inputs {
                (0..own.outputs).for_each(|n| flipped.set(n, k, own.at(k, n)));
            }
        })
    }

    fn shape(&self) -> Shape {
        let (width, full) = (self.bias.len(), self.isa.tile_columns::<T>());
        Shape { inputs: self.inputs, outputs: self.outputs, width, full }
    }

    /// One weight.
    #[inline]
    pub fn at(&self, k: usize, n: usize) -> T {
        self.panels[self.shape().place(k, n)]
    }

    /// Without bias and with every weight replaced.
    pub fn part(&self, part: impl Fn(T) -> T + Send + Sync + 'static) -> Self {
        let panels = self.panels.clone();
        let pack = move |to: &mut [T]| to.iter_mut().zip(&panels[..]).for_each(|(to, &w)| *to = part(w));
        let panels = LazyWeights::new(self.panels.len(), pack);
        Self { panels, bias: AlignedVec::zeroed(self.bias.len()), ..*self }
    }

    pub fn work(&self, rows: usize) -> Work {
        let width = self.bias.len();
        let vectors = if width < self.isa.tile_columns::<T>() { 1 } else { 2 };
        Work {
            kernel: format!("dense {}x{vectors}", self.isa.tile_rows()),
            flops: 2.0 * (rows * self.inputs * width) as f64,
            weight_bytes: self.panels.bytes(),
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
                    simd.tile(to - from, segments, [x, &[]], &weights, &mut tile);
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
