//! The plain cell: `h = f(W x + R h′ + b)`, so that `M_z = D M_h` and `M_h′ = Rᵀ M_z`.
use deeplift_graph::operator::Precision;
use deeplift_kernels::{map, Epilogue, Holding, PackedDense};

use super::activations::Activation;
use super::cell::{tally, Carry, Cell, Gates, Records, Side, Work};

pub struct Rnn<T: Precision> {
    units: usize,
    recurrent: PackedDense<T>,
    adjoint: PackedDense<T>,
    function: Activation<T>,
}

impl<T: Precision> Rnn<T> {
    /// `recurrent` is `[units][units]`.
    pub fn new(units: usize, recurrent: &Gates, function: Activation<T>) -> Self {
        Rnn {
            units,
            recurrent: recurrent.packed(units, units, &[]),
            adjoint: recurrent.packed_adjoint(units, units),
            function,
        }
    }
}

impl<T: Precision> Cell<T> for Rnn<T> {
    fn state_len(&self) -> usize {
        2 * self.units
    }

    fn record_len(&self) -> usize {
        self.units
    }

    fn tally(&self, multipliers: bool, holding: &mut Holding) {
        tally([&self.recurrent, &self.adjoint], multipliers, holding);
    }

    fn step(&self, projected: &[T], carry: &mut Carry<T>, states: &mut [T], work: &mut Work<'_, T>) {
        let n = self.units;
        let rows = carry.h.len() / n;
        work.product.resize(rows * n, T::ZERO);
        self.recurrent.forward(rows, &carry.h, Epilogue::Store { out: &mut work.product }, work.scratch);
        for r in 0..rows {
            let (h, z) = states[r * 2 * n..][..2 * n].split_at_mut(n);
            map::add(&projected[r * n..][..n], &work.product[r * n..][..n], z);
            self.function.apply(z, h);
            carry.h[r * n..][..n].copy_from_slice(h);
        }
    }

    fn record(&self, x: &Side<'_, T>, x0: &Side<'_, T>, record: &mut [T], _: &mut Work<'_, T>) {
        self.function.divided_difference(&x.state[self.units..], &x0.state[self.units..], record);
    }

    fn back(&self, records: &Records<'_, T>, carry: &mut Carry<T>, gates: &mut [T], work: &mut Work<'_, T>) {
        let n = self.units;
        let rows = carry.h.len() / n;
        for r in 0..rows {
            map::mul(&carry.h[r * n..][..n], records.row(r), &mut gates[r * n..][..n]);
        }
        self.adjoint.forward(rows, gates, Epilogue::Store { out: &mut carry.h }, work.scratch);
    }
}
