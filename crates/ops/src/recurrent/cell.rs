//! What the three cells have in common: one step forward, its local linear map, one step back.
use deeplift_graph::Constant;
use deeplift_kernels::{Holding, PackedDense, Packing, Scratch};
use deeplift_simd::{Isa, Real};

/// What one step leaves for the next; on the way back, its multipliers. `[rows][units]` each, one row per sequence.
pub struct Carry<T> {
    /// The output.
    pub h: Vec<T>,
    /// The cell of an LSTM; empty for other cells.
    pub c: Vec<T>,
}

/// One step of one sequence, on the example or on the reference.
pub struct Side<'a, T> {
    /// The state that [`Cell::step`] wrote.
    pub state: &'a [T],
    /// Output (and cell) of the step before.
    pub before: &'a [T],
}

/// Temporary vectors; they grow once.
pub struct Work<'s, T: Real> {
    /// Of the packed kernels.
    pub scratch: &'s mut Scratch<T>,
    /// Recurrent products.
    pub product: Vec<T>,
    /// Values of gates.
    pub values: Vec<T>,
}

impl<'s, T: Real> Work<'s, T> {
    /// Without memory yet.
    pub fn new(scratch: &'s mut Scratch<T>) -> Self {
        Work { scratch, product: vec![], values: vec![] }
    }
}

/// A recurrent cell. Weights, products and gates follow the order of gates in ONNX.
pub trait Cell<T: Real>: Send + Sync {
    /// Values per row of a state: the output, the cell if there is one, then what records are made of.
    fn state_len(&self) -> usize;
    /// Values per row of a record.
    fn record_len(&self) -> usize;
    /// Computes `states` of one step from the inputs' part of its gates, `[rows][gates]`, bias included; `carry` goes
    /// from the step before to this one.
    fn step(&self, projected: &[T], carry: &mut Carry<T>, states: &mut [T], work: &mut Work<'_, T>);
    /// The linear map of one step of one sequence.
    fn record(&self, x: &Side<'_, T>, x0: &Side<'_, T>, record: &mut [T], work: &mut Work<'_, T>);
    /// Multipliers of the inputs' part of the gates, `[rows][gates]`, from those of output and cell in `carry`, which
    /// become those of the step before.
    fn back(&self, records: &Records<'_, T>, carry: &mut Carry<T>, gates: &mut [T], work: &mut Work<'_, T>);
    /// Counts the packed weights; those of [`Cell::back`] only if `multipliers` are asked for.
    fn tally(&self, multipliers: bool, holding: &mut Holding);
}

/// Counts a map, and its adjoint if `multipliers` are asked for.
pub fn tally<T: Real>([map, adjoint]: [&PackedDense<T>; 2], multipliers: bool, holding: &mut Holding) {
    map.tally(false, holding);
    if multipliers {
        adjoint.tally(false, holding);
    }
}

/// The records of one step, one per row, among those of all steps.
pub struct Records<'a, T> {
    /// Records of all steps.
    pub all: &'a [T],
    /// Number of the record of each row.
    pub at: &'a [usize],
    /// Values of a record.
    pub len: usize,
}

impl<'a, T> Records<'a, T> {
    /// The record of a row.
    pub fn row(&self, r: usize) -> &'a [T] {
        &self.all[self.at[r] * self.len..][..self.len]
    }
}

/// Weights of some gates among those of all, which are read when they are packed. All weights of recurrent layers are
/// stored `[outputs][inputs]`.
#[derive(Clone)]
pub struct Gates {
    all: Constant,
    /// Elements before the first gate.
    start: usize,
}

impl Gates {
    pub fn new(all: &Constant) -> Self {
        Gates { all: all.clone(), start: 0 }
    }

    /// Those behind so many elements.
    pub fn behind(&self, elements: usize) -> Self {
        Gates { start: self.start + elements, ..self.clone() }
    }

    /// Calls `put` with output, input and weight of a matrix.
    fn read<T: Real>(&self, outputs: usize, inputs: usize, mut put: impl FnMut(usize, usize, T)) {
        let values = self.all.to_real::<T>();
        let own = values[self.start..][..outputs * inputs].iter().enumerate();
        own.for_each(|(i, &weight)| put(i / inputs, i % inputs, weight));
    }

    /// The matrix for `y = W x + b`.
    pub fn packed<T: Real>(&self, outputs: usize, inputs: usize, bias: &[T]) -> PackedDense<T> {
        let gates = self.clone();
        let pack = move |to: &mut Packing<'_, T>| gates.read(outputs, inputs, |o, i, w| to.set(i, o, w));
        PackedDense::filled(inputs, outputs, bias, Isa::active(), pack)
    }

    /// The matrix for `x = Wᵀ y`.
    pub fn packed_adjoint<T: Real>(&self, outputs: usize, inputs: usize) -> PackedDense<T> {
        let gates = self.clone();
        let pack = move |to: &mut Packing<'_, T>| gates.read(outputs, inputs, |o, i, w| to.set(o, i, w));
        PackedDense::filled(outputs, inputs, &[], Isa::active(), pack)
    }
}

/// The mean of two sides.
pub fn mean<T: Real>(a: T, b: T) -> T {
    T::from_f64(0.5) * (a + b)
}

/// Splits a slice into parts of `n` values.
pub fn parts<T, const N: usize>(n: usize, all: &[T]) -> [&[T]; N] {
    std::array::from_fn(|i| &all[i * n..][..n])
}

/// Splits a slice into mutable parts of `n` values; the slice grows to hold them.
pub fn parts_mut<T: Real, const N: usize>(n: usize, all: &mut Vec<T>) -> [&mut [T]; N] {
    all.resize(all.len().max(N * n), T::ZERO);
    let mut rest = &mut all[..];
    std::array::from_fn(|_| {
        let (part, after) = std::mem::take(&mut rest).split_at_mut(n);
        rest = after;
        part
    })
}
