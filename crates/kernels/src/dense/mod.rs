//! Dense layers: `y[m, n] = sum_k x[m, k] w[k, n] + b[n]`, and their adjoints.
//!
//! The weights are the large operand, often far larger than any cache: they are held once for both directions, and
//! streamed from memory once for all rows.

mod adjoint;
mod matrix;

use crate::reduced::{Reduced, ReducedDense};
use crate::{Epilogue, Scratch, Work};
use deeplift_simd::{Isa, Real};
use matrix::Matrix;
use std::sync::Arc;

/// Bytes of weights up to which those of the adjoint may be held too: they stay in a cache, where panels of their own
/// are faster. What comes from memory takes as long either way.
const HELD_TWICE: usize = 4 << 20;

/// A dense layer with its weights packed.
#[derive(Clone, Debug)]
pub struct PackedDense<T: Real> {
    matrix: Arc<Matrix<T>>,
    /// Panels of the adjoint's own.
    back: Option<Arc<Matrix<T>>>,
    reduced: Option<Box<Products<T>>>,
}

/// Products of bf16 in place of the element type's, in the directions where they pay.
#[derive(Clone, Debug)]
struct Products<T: Real> {
    how: Reduced,
    forward: Option<ReducedDense<T>>,
    adjoint: Option<ReducedDense<T>>,
}

/// A dense layer that gets its weights one by one, in any order, so that they need not exist in another form too.
#[derive(Debug)]
pub struct Packing<T: Real>(Matrix<T>);

impl<T: Real> Packing<T> {
    /// A layer with weights of 0; `bias` as in [`PackedDense::new`].
    ///
    /// # Panics
    /// If the number of biases is wrong or the instruction set is not available.
    pub fn new(inputs: usize, outputs: usize, bias: &[T], isa: Isa) -> Self {
        Packing(Matrix::new(inputs, outputs, bias, isa))
    }

    /// Sets the weight of an input for an output.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub fn set(&mut self, input: usize, output: usize, weight: T) {
        self.0.set(input, output, weight);
    }

    /// The layer.
    pub fn finish(self) -> PackedDense<T> {
        PackedDense { matrix: Arc::new(self.0), back: None, reduced: None }
    }
}

impl<T: Real> PackedDense<T> {
    /// Packs `weights`, row-major `[k][n]`, and `bias`, `n` values or empty.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn new(k: usize, n: usize, weights: &[T], bias: &[T], isa: Isa) -> Self {
        assert_eq!(weights.len(), k * n, "dense: number of weights");
        let mut packing = Packing::new(k, n, bias, isa);
        weights.iter().enumerate().for_each(|(i, &weight)| packing.set(i / n, i % n, weight));
        packing.finish()
    }

    /// Also packs the adjoint, if the weights are few.
    pub fn with_adjoint(self) -> Self {
        let m = &self.matrix;
        let few = size_of_val(&m.panels[..]) <= HELD_TWICE;
        let back = few.then(|| Arc::new(m.transposed()));
        Self { back, ..self }
    }

    /// Drops what only the adjoint needs.
    pub fn forward_only(&mut self) {
        self.back = None;
        if let Some(products) = &mut self.reduced {
            products.adjoint = None;
        }
    }

    /// The layer in products of bf16, in both directions or the one where that pays; none if in neither.
    pub fn reduced(&self, how: Reduced) -> Option<Self> {
        let (m, isa) = (&self.matrix, self.matrix.isa);
        let (inputs, outputs) = (m.inputs, m.outputs);
        let forward = ReducedDense::new(inputs, outputs, |k, n| m.at(k, n), &m.bias[..outputs], isa, how);
        let adjoint = ReducedDense::new(outputs, inputs, |n, k| m.at(k, n), &[], isa, how);
        let some = forward.is_some() || adjoint.is_some();
        some.then(|| Self { reduced: Some(Box::new(Products { how, forward, adjoint })), ..self.clone() })
    }

    /// The layer without bias and with every weight replaced, with products as here; `part` must give 0 for 0.
    pub fn part(&self, part: impl Fn(T) -> T) -> Self {
        let plain = Self { matrix: Arc::new(self.matrix.part(part)), back: None, reduced: None };
        let plain = if self.back.is_some() { plain.with_adjoint() } else { plain };
        self.reduced.as_ref().and_then(|r| plain.reduced(r.how)).unwrap_or(plain)
    }

    /// Values per row of the input.
    pub fn inputs(&self) -> usize {
        self.matrix.inputs
    }

    /// Values per row of the output.
    pub fn outputs(&self) -> usize {
        self.matrix.outputs
    }

    /// What computes one of the directions in products of bf16.
    fn reduced_in(
        &self,
        direction: fn(&Products<T>) -> &Option<ReducedDense<T>>,
    ) -> Option<&ReducedDense<T>> {
        direction(self.reduced.as_deref()?).as_ref()
    }

    /// Counted work of so many rows.
    pub fn work(&self, rows: usize) -> Work {
        match self.reduced_in(|r| &r.forward) {
            Some(reduced) => reduced.work(rows),
            None => self.matrix.work(rows),
        }
    }

    /// Counted work of the adjoint of so many rows.
    pub fn adjoint_work(&self, rows: usize) -> Work {
        match (self.reduced_in(|r| &r.adjoint), &self.back) {
            (Some(reduced), _) => reduced.work(rows),
            (None, Some(back)) => back.work(rows),
            (None, None) => self.matrix.adjoint_work(rows),
        }
    }

    /// Computes `rows` rows; the weights are streamed through the cache once for all of them.
    ///
    /// # Panics
    /// If `x` or a slice of the epilogue has another length.
    pub fn forward(&self, rows: usize, x: &[T], mut epilogue: Epilogue<'_, T>, scratch: &mut Scratch<T>) {
        assert_eq!(x.len(), rows * self.inputs(), "dense: input of {rows} rows of {}", self.inputs());
        epilogue.check(rows * self.outputs());
        match self.reduced_in(|r| &r.forward) {
            None => self.matrix.apply(rows, x, &mut epilogue, scratch),
            Some(reduced) => reduced.apply(rows, x, &mut epilogue, scratch),
        }
    }

    /// Maps multipliers of the outputs, `[rows][outputs]`, to those of the inputs, `[rows][inputs]`, added if
    /// `accumulate`. A row does not depend on the others.
    ///
    /// # Panics
    /// If `my` or `mx` has another length.
    pub fn adjoint(&self, rows: usize, my: &[T], mx: &mut [T], accumulate: bool, scratch: &mut Scratch<T>) {
        assert_eq!(
            my.len(),
            rows * self.outputs(),
            "dense: multipliers of {rows} rows of {}",
            self.outputs()
        );
        assert_eq!(mx.len(), rows * self.inputs(), "dense: multipliers of {rows} rows of {}", self.inputs());
        let epilogue = |out| if accumulate { Epilogue::Add { out } } else { Epilogue::Store { out } };
        match (self.reduced_in(|r| &r.adjoint), &self.back) {
            (Some(reduced), _) => reduced.apply(rows, my, &mut epilogue(mx), scratch),
            (None, Some(back)) => back.apply(rows, my, &mut epilogue(mx), scratch),
            (None, None) => self.matrix.adjoint(rows, my, mx, accumulate, scratch),
        }
    }
}
