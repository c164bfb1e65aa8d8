//! Dense layers: `y[m, n] = sum_k x[m, k] w[k, n] + b[n]`.
//!
//! The weights are the large operand, often far larger than any cache, and are streamed from memory once for all
//! rows: the loops are, from the outside, blocks of `k`, panels of columns, tiles of rows. Between two blocks the
//! sums so far of all rows and columns are kept in the scratch.

use crate::chunks::update_row;
use crate::reduced::ReducedDense;
use crate::{Epilogue, Scratch, Variant, Work};
use deeplift_simd::{AlignedVec, Isa, Kernel, Real, Segment, Simd, Tile, Weights, SUM_BLOCK};

/// A dense layer with its weights packed.
#[derive(Clone, Debug)]
pub struct PackedDense<T: Real> {
    inputs: usize,
    outputs: usize,
    packed: Packed<T>,
}

/// The two ways to compute one.
#[derive(Clone, Debug)]
enum Packed<T: Real> {
    Matrix(Matrix<T>),
    Reduced(ReducedDense<T>),
}

/// Products of the element type.
#[derive(Clone, Debug)]
struct Matrix<T: Real> {
    isa: Isa,
    inputs: usize,
    outputs: usize,
    /// `[block of k][panel][k in block][columns]`; the last panel may be half as wide.
    panels: AlignedVec<T>,
    /// One value per column of all panels.
    bias: AlignedVec<T>,
}

impl<T: Real> PackedDense<T> {
    /// Packs `weights`, row-major `[k][n]`, and `bias`, `n` values or empty.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn new(k: usize, n: usize, weights: &[T], bias: &[T], isa: Isa) -> Self {
        Self::with_variant(k, n, weights, bias, isa, Variant::Fastest)
    }

    /// Like [`PackedDense::new`], computed in a certain way.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn with_variant(k: usize, n: usize, weights: &[T], bias: &[T], isa: Isa, variant: Variant) -> Self {
        assert_eq!(weights.len(), k * n, "dense: number of weights");
        assert!(bias.is_empty() || bias.len() == n, "dense: {} biases for {n} outputs", bias.len());
        Self::pack(k, n, |k, column| weights[k * n + column], bias, isa, variant)
    }

    /// Packs the adjoint of the layer with the same `weights`, `[k][n]`: `x[m, n]` to `[m, k]`, no bias.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn transposed(k: usize, n: usize, weights: &[T], isa: Isa) -> Self {
        Self::transposed_with_variant(k, n, weights, isa, Variant::Fastest)
    }

    /// Like [`PackedDense::transposed`], computed in a certain way.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn transposed_with_variant(k: usize, n: usize, weights: &[T], isa: Isa, variant: Variant) -> Self {
        assert_eq!(weights.len(), k * n, "dense: number of weights");
        Self::pack(n, k, |row, column| weights[column * n + row], &[], isa, variant)
    }

    fn pack(
        inputs: usize,
        outputs: usize,
        weight: impl Fn(usize, usize) -> T,
        bias: &[T],
        isa: Isa,
        variant: Variant,
    ) -> Self {
        assert!(isa.is_available(), "dense: this processor has no {isa}");
        let reduced = match variant {
            Variant::Reduced(how) => ReducedDense::new(inputs, outputs, &weight, bias, isa, how),
            _ => None,
        };
        let packed = match reduced {
            Some(packed) => Packed::Reduced(packed),
            None => Packed::Matrix(Matrix::new(inputs, outputs, weight, bias, isa)),
        };
        Self { inputs, outputs, packed }
    }

    /// Whether products are in bf16.
    pub fn is_reduced(&self) -> bool {
        matches!(self.packed, Packed::Reduced(_))
    }

    /// Values per row of the input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Values per row of the output.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Counted work of so many rows.
    pub fn work(&self, rows: usize) -> Work {
        match &self.packed {
            Packed::Matrix(packed) => packed.work(rows),
            Packed::Reduced(packed) => packed.work(rows),
        }
    }

    /// Computes `rows` rows; the weights are streamed through the cache once for all of them.
    ///
    /// # Panics
    /// If `x` or a slice of the epilogue has another length.
    pub fn forward(&self, rows: usize, x: &[T], mut epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        assert_eq!(x.len(), rows * self.inputs, "dense: input of {rows} rows of {}", self.inputs);
        epilogue.check(rows * self.outputs);
        match &self.packed {
            Packed::Matrix(packed) => packed.apply(rows, x, &mut epilogue, scratch),
            Packed::Reduced(packed) => packed.apply(rows, x, &mut epilogue, scratch),
        }
    }
}

impl<T: Real> Matrix<T> {
    fn new(inputs: usize, outputs: usize, weight: impl Fn(usize, usize) -> T, bias: &[T], isa: Isa) -> Self {
        let full = isa.tile_columns::<T>();
        let width = outputs.next_multiple_of(full / 2);
        let (mut panels, mut padded_bias) = (AlignedVec::zeroed(inputs * width), AlignedVec::zeroed(width));
        padded_bias[..bias.len()].copy_from_slice(bias);
        let mut rest = &mut panels[..];
        for start in (0..inputs).step_by(SUM_BLOCK) {
            let end = inputs.min(start + SUM_BLOCK);
            for first in (0..width).step_by(full) {
                let columns = full.min(width - first);
                let valid = columns.min(outputs - first);
                let (panel, after) = rest.split_at_mut((end - start) * columns);
                for (k, row) in panel.chunks_exact_mut(columns).enumerate() {
                    for (column, value) in row[..valid].iter_mut().enumerate() {
                        *value = weight(start + k, first + column);
                    }
                }
                rest = after;
            }
        }
        Self { isa, inputs, outputs, panels, bias: padded_bias }
    }

    fn work(&self, rows: usize) -> Work {
        let width = self.bias.len();
        let vectors = if width < self.isa.tile_columns::<T>() { 1 } else { 2 };
        Work {
            kernel: format!("dense {}x{vectors}", self.isa.tile_rows()),
            flops: 2.0 * (rows * self.inputs * width) as f64,
            weight_bytes: self.panels.len() * size_of::<T>(),
        }
    }

    fn apply(&self, rows: usize, x: &[T], epilogue: &mut Epilogue<'_, T>, scratch: &mut Scratch<T>) {
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
