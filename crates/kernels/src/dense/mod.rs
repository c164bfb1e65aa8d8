//! Dense layers: `y[m, n] = sum_k x[m, k] w[k, n] + b[n]`, and their adjoints.
//!
//! The weights are the large operand, often far larger than any cache: they are held once for both directions, and
//! streamed from memory once for all rows.

mod adjoint;
mod matrix;

use crate::lazy::{Holding, Source};
use crate::reduced::{Reduced, ReducedDense};
use crate::{Epilogue, Scratch, Work};
use deeplift_simd::{Isa, Real};
use matrix::Matrix;
pub use matrix::Packing;
use std::sync::Arc;

/// Bytes of weights up to which those of the adjoint may be held too: they stay in a cache, where panels of their own
/// are faster. What comes from memory takes as long either way.
const HELD_TWICE: usize = 4 << 20;

/// A dense layer with its weights packed, when they are first used.
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
    forward: Option<ReducedDense<T>>,
    adjoint: Option<ReducedDense<T>>,
}

impl<T: Real> PackedDense<T> {
    /// For `weights`, row-major `[k][n]`, and `bias`, `n` values or empty.
    ///
    /// # Panics
    /// If shapes do not agree or the instruction set is not available.
    pub fn new(k: usize, n: usize, weights: impl Into<Source<T>>, bias: &[T], isa: Isa) -> Self {
        let weights = weights.into();
        assert_eq!(weights.len(), k * n, "dense: number of weights");
        Self::filled(k, n, bias, isa, move |packing| {
            weights.read().into_iter().enumerate().for_each(|(i, w)| packing.set(i / n, i % n, w));
        })
    }

    /// For weights that `pack` sets when they are first used; those that it does not set are 0. `bias` as in
    /// [`PackedDense::new`].
    ///
    /// # Panics
    /// If the number of biases is wrong or the instruction set is not available.
    pub fn filled(
        inputs: usize,
        outputs: usize,
        bias: &[T],
        isa: Isa,
        pack: impl Fn(&mut Packing<'_, T>) + Send + Sync + 'static,
    ) -> Self {
        let matrix = Arc::new(Matrix::new(inputs, outputs, bias, isa, pack));
        PackedDense { matrix, back: None, reduced: None }
    }

    /// With panels of the adjoint's own, if the weights are few.
    pub fn with_adjoint(self) -> Self {
        let m = &self.matrix;
        let few = m.panels.bytes() <= HELD_TWICE;
        let back = few.then(|| Arc::new(m.transposed()));
        Self { back, ..self }
    }

    /// Counts the packed weights; those of the adjoint only if `multipliers` are asked for.
    pub fn tally(&self, multipliers: bool, holding: &mut Holding) {
        // All others are packed from these.
        self.matrix.panels.tally(holding);
        let products = self.reduced.as_deref();
        products.and_then(|r| r.forward.as_ref()).iter().for_each(|reduced| reduced.tally(holding));
        if multipliers {
            products.and_then(|r| r.adjoint.as_ref()).iter().for_each(|reduced| reduced.tally(holding));
            self.back.iter().for_each(|back| back.panels.tally(holding));
        }
    }

    /// The weight of an input for an output.
    ///
    /// # Panics
    /// If there is none.
    pub fn weight(&self, input: usize, output: usize) -> T {
        self.matrix.at(input, output)
    }

    /// The layer in products of bf16, in both directions or the one where that pays; none if in neither.
    pub fn reduced(&self, how: Reduced) -> Option<Self> {
        let (m, isa) = (&self.matrix, self.matrix.isa);
        let (inputs, outputs) = (m.inputs, m.outputs);
        let (own, same) = (m.clone(), m.clone());
        let bias = &m.bias[..outputs];
        let forward = ReducedDense::new(inputs, outputs, move |k, n| own.at(k, n), bias, isa, how);
        let adjoint = ReducedDense::new(outputs, inputs, move |n, k| same.at(k, n), &[], isa, how);
        let some = forward.is_some() || adjoint.is_some();
        some.then(|| Self { reduced: Some(Box::new(Products { forward, adjoint })), ..self.clone() })
    }

    /// The layer without bias and with every weight replaced, in products of the element type; `part` must give 0 for 0.
    pub fn part(&self, part: impl Fn(T) -> T + Send + Sync + 'static) -> Self {
        let plain = Self { matrix: Arc::new(self.matrix.part(part)), back: None, reduced: None };
        if self.back.is_some() {
            plain.with_adjoint()
        } else {
            plain
        }
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
