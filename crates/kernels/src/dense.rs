//! Dense layers: `y[m, n] = sum_k x[m, k] w[k, n] + b[n]`.

use crate::{oracle, Epilogue, Scratch};
use deeplift_simd::{Isa, Real};

/// A dense layer with its weights packed.
#[derive(Clone, Debug)]
pub struct PackedDense<T: Real> {
    inputs: usize,
    outputs: usize,
    weights: Vec<T>,
    bias: Vec<T>,
}

impl<T: Real> PackedDense<T> {
    /// Packs `weights`, row-major `[k][n]`, and `bias`, `n` values or empty.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn new(k: usize, n: usize, weights: &[T], bias: &[T], isa: Isa) -> Self {
        assert!(isa.is_available(), "dense: this processor has no {isa}");
        assert_eq!(weights.len(), k * n, "dense: number of weights");
        assert!(bias.is_empty() || bias.len() == n, "dense: {} biases for {n} outputs", bias.len());
        Self { inputs: k, outputs: n, weights: weights.to_vec(), bias: bias.to_vec() }
    }

    /// Packs the adjoint of the layer with the same `weights`, `[k][n]`: `x[m, n]` to `[m, k]`, no bias.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn transposed(k: usize, n: usize, weights: &[T], isa: Isa) -> Self {
        let flipped: Vec<T> = (0..n * k).map(|i| weights[(i % k) * n + i / k]).collect();
        Self::new(n, k, &flipped, &[], isa)
    }

    /// Values per row of the input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Values per row of the output.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Computes `rows` rows; the weights are streamed through the cache once for all of them.
    ///
    /// # Panics
    /// If `x` or a slice of the epilogue has another length.
    pub fn forward(&self, rows: usize, x: &[T], mut epilogue: Epilogue<'_, T>, _scratch: &mut Scratch<T>) {
        assert_eq!(x.len(), rows * self.inputs, "dense: input of {rows} rows of {}", self.inputs);
        epilogue.check(rows * self.outputs);
        let wide = |v: &[T]| v.iter().map(|v| v.to_f64()).collect::<Vec<_>>();
        let y =
            oracle::dense(rows, self.inputs, self.outputs, &wide(x), &wide(&self.weights), &wide(&self.bias));
        epilogue.apply(0, &y.into_iter().map(T::from_f64).collect::<Vec<_>>());
    }
}
