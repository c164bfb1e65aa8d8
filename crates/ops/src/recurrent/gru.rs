//! The GRU cell, gates in the order z, r, h of ONNX:
//!
//! ```text
//! z = f(W_z x + R_z h′ + b)   r = f(W_r x + R_r h′ + b)   h = (1 − z)⊙n + z⊙h′
//! n = g(W_h x + R_h (r⊙h′) + b)                           or, with linear_before_reset,
//! n = g(W_h x + r⊙q + b),  q = R_h h′ + b_q
//! ```
//!
//! Products are shared by averages, functions have their divided differences (SEMANTICS 3.2, row LSTM):
//!
//! ```text
//! M_zz = (h̄′ − n̄) D_z M_h     M_zn = (1 − z̄) D_n M_h     M_h′ = z̄ M_h + R_zᵀ M_zz + R_rᵀ M_zr + …
//! M_p = R_hᵀ M_zn, M_zr = h̄′ D_r M_p, … = r̄ M_p          or
//! M_q = r̄ M_zn,    M_zr = q̄ D_r M_zn, … = R_hᵀ M_q
//! ```
use deeplift_graph::operator::Precision;
use deeplift_kernels::{map, Epilogue, Holding, PackedDense};

use super::activations::Activation;
use super::cell::{mean, parts, parts_mut, tally, Carry, Cell, Gates, Records, Side, Work};

pub struct Gru<T: Precision> {
    units: usize,
    gate: Activation<T>,
    candidate: Activation<T>,
    form: Form<T>,
}

/// Where the reset gate acts.
enum Form<T: Precision> {
    /// Behind the candidate's product, which has a bias of its own: one product of all gates.
    After { recurrent: PackedDense<T>, adjoint: PackedDense<T> },
    /// Before it: the product of z and r, then that of the candidate.
    Before { gates: [PackedDense<T>; 2], candidate: [PackedDense<T>; 2] },
}

impl<T: Precision> Gru<T> {
    /// `recurrent` is `[3 units][units]`; `bias`, `[units]`, is that of the candidate's product if the reset gate acts
    /// behind it.
    pub fn new(
        units: usize,
        recurrent: &Gates,
        bias: Option<&[T]>,
        [gate, candidate]: [Activation<T>; 2],
    ) -> Self {
        let form = match bias {
            Some(own) => {
                let mut bias = vec![T::ZERO; 3 * units];
                bias[2 * units..].copy_from_slice(own);
                Form::After {
                    recurrent: recurrent.packed(3 * units, units, &bias),
                    adjoint: recurrent.packed_adjoint(3 * units, units),
                }
            }
            None => {
                let both = |outputs: usize, w: &Gates| {
                    [w.packed(outputs, units, &[]), w.packed_adjoint(outputs, units)]
                };
                let own = recurrent.behind(2 * units * units);
                Form::Before { gates: both(2 * units, recurrent), candidate: both(units, &own) }
            }
        };
        Gru { units, gate, candidate, form }
    }

    /// Arguments of gates, and the candidate's product where it is kept.
    fn kept(&self) -> usize {
        match self.form {
            Form::After { .. } => 4,
            Form::Before { .. } => 3,
        }
    }

    /// z, r and n from the gates' arguments.
    fn values(&self, gates: &[T], [z, r, n]: [&mut [T]; 3]) {
        let [az, ar, an] = parts(self.units, gates);
        self.gate.apply(az, z);
        self.gate.apply(ar, r);
        self.candidate.apply(an, n);
    }
}

impl<T: Precision> Cell<T> for Gru<T> {
    fn state_len(&self) -> usize {
        (1 + self.kept()) * self.units
    }

    fn record_len(&self) -> usize {
        5 * self.units
    }

    fn tally(&self, multipliers: bool, holding: &mut Holding) {
        match &self.form {
            Form::After { recurrent, adjoint } => tally([recurrent, adjoint], multipliers, holding),
            Form::Before { gates, candidate } => {
                [gates, candidate].into_iter().for_each(|both| tally(both.each_ref(), multipliers, holding));
            }
        }
    }

    fn step(&self, projected: &[T], carry: &mut Carry<T>, states: &mut [T], work: &mut Work<'_, T>) {
        let (n, len) = (self.units, self.state_len());
        let rows = carry.h.len() / n;
        let width = if matches!(self.form, Form::After { .. }) { 3 * n } else { 2 * n };
        work.product.resize(rows * width, T::ZERO);
        let first = match &self.form {
            Form::After { recurrent, .. } => recurrent,
            Form::Before { gates, .. } => &gates[0],
        };
        first.forward(rows, &carry.h, Epilogue::Store { out: &mut work.product }, work.scratch);
        for r in 0..rows {
            let gates = &mut states[r * len + n..][..len - n];
            let (projected, product) =
                (&projected[r * 3 * n..][..3 * n], &work.product[r * width..][..width]);
            map::add(&projected[..2 * n], &product[..2 * n], &mut gates[..2 * n]);
            gates[2 * n..3 * n].copy_from_slice(&projected[2 * n..]);
        }
        self.reset(carry, states, work);
        let [z, reset, candidate] = parts_mut(n, &mut work.values);
        for r in 0..rows {
            let (h, gates) = states[r * len..][..len].split_at_mut(n);
            let before = &mut carry.h[r * n..][..n];
            self.values(gates, [z, reset, candidate]);
            (0..n).for_each(|k| h[k] = (T::ONE - z[k]) * candidate[k] + z[k] * before[k]);
            before.copy_from_slice(h);
        }
    }

    fn record(&self, x: &Side<'_, T>, x0: &Side<'_, T>, record: &mut [T], work: &mut Work<'_, T>) {
        let n = self.units;
        let [z, r, c, z0, r0, c0, d] = parts_mut(n, &mut work.values);
        let (gates, gates0) = (&x.state[n..], &x0.state[n..]);
        self.values(gates, [z, r, c]);
        self.values(gates0, [z0, r0, c0]);
        let [az, ar, an] = parts(n, gates);
        let [az0, ar0, an0] = parts(n, gates0);
        let (of_z, rest) = record.split_at_mut(n);
        let (of_n, rest) = rest.split_at_mut(n);
        let (keep, rest) = rest.split_at_mut(n);
        let (reset, of_r) = rest.split_at_mut(n);
        self.gate.divided_difference(az, az0, d);
        (0..n).for_each(|k| of_z[k] = (mean(x.before[k], x0.before[k]) - mean(c[k], c0[k])) * d[k]);
        self.candidate.divided_difference(an, an0, d);
        (0..n).for_each(|k| of_n[k] = (T::ONE - mean(z[k], z0[k])) * d[k]);
        (0..n).for_each(|k| keep[k] = mean(z[k], z0[k]));
        (0..n).for_each(|k| reset[k] = mean(r[k], r0[k]));
        // What the reset gate is multiplied with: the candidate's product, or the output of the step before.
        let (other, other0) = match self.form {
            Form::After { .. } => (&gates[3 * n..], &gates0[3 * n..]),
            Form::Before { .. } => (x.before, x0.before),
        };
        self.gate.divided_difference(ar, ar0, d);
        (0..n).for_each(|k| of_r[k] = mean(other[k], other0[k]) * d[k]);
    }

    fn back(&self, records: &Records<'_, T>, carry: &mut Carry<T>, gates: &mut [T], work: &mut Work<'_, T>) {
        let n = self.units;
        let rows = carry.h.len() / n;
        for r in 0..rows {
            let [of_z, of_n, keep, ..]: [&[T]; 5] = parts(n, records.row(r));
            let (mh, gates) = (&mut carry.h[r * n..][..n], &mut gates[r * 3 * n..][..3 * n]);
            map::mul(mh, of_z, &mut gates[..n]);
            map::mul(mh, of_n, &mut gates[2 * n..]);
            mh.iter_mut().zip(keep).for_each(|(mh, &keep)| *mh *= keep);
        }
        let own = |r: usize| -> [&[T]; 2] { parts(n, &records.row(r)[3 * n..]) };
        match &self.form {
            Form::After { adjoint, .. } => {
                work.product.resize(rows * 3 * n, T::ZERO);
                for r in 0..rows {
                    let [reset, of_r] = own(r);
                    let (before, mn) = gates[r * 3 * n..][..3 * n].split_at_mut(2 * n);
                    map::mul(mn, of_r, &mut before[n..]);
                    let product = &mut work.product[r * 3 * n..][..3 * n];
                    product[..2 * n].copy_from_slice(before);
                    map::mul(mn, reset, &mut product[2 * n..]);
                }
                adjoint.forward(rows, &work.product, Epilogue::Add { out: &mut carry.h }, work.scratch);
            }
            Form::Before { gates: [_, of_gates], candidate: [_, of_candidate] } => {
                work.product.resize(rows * 2 * n, T::ZERO);
                work.values.resize(work.values.len().max(2 * rows * n), T::ZERO);
                let (mn, mp) = work.values.split_at_mut(rows * n);
                let mp = &mut mp[..rows * n];
                for r in 0..rows {
                    mn[r * n..][..n].copy_from_slice(&gates[r * 3 * n + 2 * n..][..n]);
                }
                of_candidate.forward(rows, mn, Epilogue::Store { out: mp }, work.scratch);
                for r in 0..rows {
                    let [reset, of_r] = own(r);
                    let mp = &mp[r * n..][..n];
                    map::mul(mp, of_r, &mut gates[r * 3 * n + n..][..n]);
                    map::mul_add_assign(&mut carry.h[r * n..][..n], mp, reset);
                    work.product[r * 2 * n..][..2 * n].copy_from_slice(&gates[r * 3 * n..][..2 * n]);
                }
                of_gates.forward(rows, &work.product, Epilogue::Add { out: &mut carry.h }, work.scratch);
            }
        }
    }
}

impl<T: Precision> Gru<T> {
    /// Completes the candidate's argument in the states of all rows.
    fn reset(&self, carry: &Carry<T>, states: &mut [T], work: &mut Work<'_, T>) {
        let (n, len) = (self.units, self.state_len());
        let rows = carry.h.len() / n;
        match &self.form {
            Form::After { .. } => {
                let [reset] = parts_mut(n, &mut work.values);
                for r in 0..rows {
                    let gates = &mut states[r * len + n..][..4 * n];
                    let product = &work.product[r * 3 * n + 2 * n..][..n];
                    self.gate.apply(&gates[n..2 * n], reset);
                    map::mul_add_assign(&mut gates[2 * n..3 * n], reset, product);
                    gates[3 * n..].copy_from_slice(product);
                }
            }
            Form::Before { candidate, .. } => {
                let [all, product] = parts_mut(rows * n, &mut work.values);
                for r in 0..rows {
                    let own = &mut all[r * n..][..n];
                    self.gate.apply(&states[r * len + 2 * n..][..n], own);
                    own.iter_mut().zip(&carry.h[r * n..]).for_each(|(own, &h)| *own *= h);
                }
                candidate[0].forward(rows, all, Epilogue::Store { out: product }, work.scratch);
                for r in 0..rows {
                    map::add_assign(&mut states[r * len + 3 * n..][..n], &product[r * n..][..n]);
                }
            }
        }
    }
}
