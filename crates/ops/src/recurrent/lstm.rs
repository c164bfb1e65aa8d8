//! The LSTM cell, gates in the order i, o, f, c of ONNX:
//!
//! ```text
//! i = f(zᵢ + Pᵢ⊙c′)   f = f(z_f + P_f⊙c′)   g = g(z_c)        z = W x + R h′ + b, c′ and h′ of the step before
//! c = f⊙c′ + i⊙g      o = f(zₒ + Pₒ⊙c)      h = o⊙h(c)
//! ```
//!
//! With `input_forget`, f = 1 − i. Every product is shared between its factors by averages, every function has its
//! divided difference (SEMANTICS 3.2, row LSTM), so that a step is the linear map of
//!
//! ```text
//! M_zo = ū Dₒ M_h          M_c += ō D_u M_h + Pₒ M_zo       u = h(c)
//! M_zi = ḡ Dᵢ M_c          M_zc = ī D_g M_c                 M_zf = c̄′ D_f M_c
//! M_c′ = f̄ M_c + Pᵢ M_zi + P_f M_zf                         M_h′ = Rᵀ M_z
//! ```
use deeplift_graph::operator::Precision;
use deeplift_kernels::{map, Epilogue, Holding, PackedDense};

use super::activations::Activation;
use super::cell::{mean, parts, parts_mut, tally, Carry, Cell, Gates, Records, Side, Work};

/// Factors of i, o, f on the cell.
pub struct Peepholes<T> {
    i: Vec<T>,
    o: Vec<T>,
    f: Vec<T>,
}

pub struct Lstm<T: Precision> {
    units: usize,
    recurrent: PackedDense<T>,
    adjoint: PackedDense<T>,
    peepholes: Option<Peepholes<T>>,
    gate: Activation<T>,
    candidate: Activation<T>,
    output: Activation<T>,
    /// Whether f = 1 − i.
    coupled: bool,
}

impl<T: Precision> Lstm<T> {
    /// `recurrent` is `[4 units][units]`, `peepholes` `[3 units]` or empty; `output` is not subject to clipping.
    pub fn new(
        units: usize,
        recurrent: &Gates,
        peepholes: &[T],
        [gate, candidate, output]: [Activation<T>; 3],
        coupled: bool,
    ) -> Self {
        let peepholes = (!peepholes.is_empty()).then(|| {
            let [i, o, f] = parts(units, peepholes).map(<[T]>::to_vec);
            Peepholes { i, o, f }
        });
        Lstm {
            units,
            recurrent: recurrent.packed(4 * units, units, &[]),
            adjoint: recurrent.packed_adjoint(4 * units, units),
            peepholes,
            gate,
            candidate,
            output,
            coupled,
        }
    }

    /// i, f and g from the gates' arguments.
    fn inner(&self, gates: &[T], [i, f, g]: [&mut [T]; 3]) {
        let [zi, _, zf, zc] = parts(self.units, gates);
        self.gate.apply(zi, i);
        if self.coupled {
            f.iter_mut().zip(&*i).for_each(|(f, &i)| *f = T::ONE - i);
        } else {
            self.gate.apply(zf, f);
        }
        self.candidate.apply(zc, g);
    }

    /// o and u from the gates' arguments and the cell.
    fn outer(&self, gates: &[T], c: &[T], [o, u]: [&mut [T]; 2]) {
        self.gate.apply(&gates[self.units..2 * self.units], o);
        self.output.apply(c, u);
    }
}

impl<T: Precision> Cell<T> for Lstm<T> {
    fn state_len(&self) -> usize {
        6 * self.units
    }

    fn record_len(&self) -> usize {
        6 * self.units
    }

    fn tally(&self, multipliers: bool, holding: &mut Holding) {
        tally([&self.recurrent, &self.adjoint], multipliers, holding);
    }

    fn step(&self, projected: &[T], carry: &mut Carry<T>, states: &mut [T], work: &mut Work<'_, T>) {
        let n = self.units;
        let rows = carry.h.len() / n;
        work.product.resize(rows * 4 * n, T::ZERO);
        self.recurrent.forward(rows, &carry.h, Epilogue::Store { out: &mut work.product }, work.scratch);
        let [i, f, g, o, u] = parts_mut(n, &mut work.values);
        for r in 0..rows {
            let (h, rest) = states[r * 6 * n..][..6 * n].split_at_mut(n);
            let (c, gates) = rest.split_at_mut(n);
            let before = &mut carry.c[r * n..][..n];
            map::add(&projected[r * 4 * n..][..4 * n], &work.product[r * 4 * n..][..4 * n], gates);
            if let Some(p) = &self.peepholes {
                map::mul_add_assign(&mut gates[..n], &p.i, before);
                map::mul_add_assign(&mut gates[2 * n..3 * n], &p.f, before);
            }
            self.inner(gates, [i, f, g]);
            map::mul(i, g, c);
            map::mul_add_assign(c, f, before);
            if let Some(p) = &self.peepholes {
                map::mul_add_assign(&mut gates[n..2 * n], &p.o, c);
            }
            self.outer(gates, c, [o, u]);
            map::mul(o, u, h);
            before.copy_from_slice(c);
            carry.h[r * n..][..n].copy_from_slice(h);
        }
    }

    fn record(&self, x: &Side<'_, T>, x0: &Side<'_, T>, record: &mut [T], work: &mut Work<'_, T>) {
        let n = self.units;
        let [i, f, g, o, u, i0, f0, g0, o0, u0, d] = parts_mut(n, &mut work.values);
        let [(c, gates), (c0, gates0)] = [x, x0].map(|s| (&s.state[n..2 * n], &s.state[2 * n..]));
        let (before, before0) = (&x.before[n..], &x0.before[n..]);
        self.inner(gates, [i, f, g]);
        self.outer(gates, c, [o, u]);
        self.inner(gates0, [i0, f0, g0]);
        self.outer(gates0, c0, [o0, u0]);
        let [zi, zo, zf, zc] = parts(n, gates);
        let [zi0, zo0, zf0, zc0] = parts(n, gates0);
        let mut rest = record;
        let mut next = || {
            let (part, after) = std::mem::take(&mut rest).split_at_mut(n);
            rest = after;
            part
        };
        let (of_o, of_u, of_i, of_g, keep, of_f) = (next(), next(), next(), next(), next(), next());
        self.gate.divided_difference(zo, zo0, d);
        (0..n).for_each(|k| of_o[k] = mean(u[k], u0[k]) * d[k]);
        self.output.divided_difference(c, c0, d);
        (0..n).for_each(|k| of_u[k] = mean(o[k], o0[k]) * d[k]);
        self.candidate.divided_difference(zc, zc0, d);
        (0..n).for_each(|k| of_g[k] = mean(i[k], i0[k]) * d[k]);
        (0..n).for_each(|k| keep[k] = mean(f[k], f0[k]));
        self.gate.divided_difference(zi, zi0, d);
        if self.coupled {
            // c = (1 − i)⊙c′ + i⊙g: what i gains, f loses.
            (0..n).for_each(|k| of_i[k] = (mean(g[k], g0[k]) - mean(before[k], before0[k])) * d[k]);
            of_f.fill(T::ZERO);
        } else {
            (0..n).for_each(|k| of_i[k] = mean(g[k], g0[k]) * d[k]);
            self.gate.divided_difference(zf, zf0, d);
            (0..n).for_each(|k| of_f[k] = mean(before[k], before0[k]) * d[k]);
        }
    }

    fn back(&self, records: &Records<'_, T>, carry: &mut Carry<T>, gates: &mut [T], work: &mut Work<'_, T>) {
        let n = self.units;
        let rows = carry.h.len() / n;
        for r in 0..rows {
            let [of_o, of_u, of_i, of_g, keep, of_f] = parts(n, records.row(r));
            let (mh, mc) = (&carry.h[r * n..][..n], &mut carry.c[r * n..][..n]);
            let (mi, rest) = gates[r * 4 * n..][..4 * n].split_at_mut(n);
            let (mo, rest) = rest.split_at_mut(n);
            let (mf, mg) = rest.split_at_mut(n);
            map::mul(mh, of_o, mo);
            map::mul_add_assign(mc, mh, of_u);
            if let Some(p) = &self.peepholes {
                map::mul_add_assign(mc, mo, &p.o);
            }
            map::mul(mc, of_i, mi);
            map::mul(mc, of_f, mf);
            map::mul(mc, of_g, mg);
            mc.iter_mut().zip(keep).for_each(|(mc, &keep)| *mc *= keep);
            if let Some(p) = &self.peepholes {
                map::mul_add_assign(mc, mi, &p.i);
                map::mul_add_assign(mc, mf, &p.f);
            }
        }
        self.adjoint.forward(rows, gates, Epilogue::Store { out: &mut carry.h }, work.scratch);
    }
}
