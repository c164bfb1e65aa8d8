//! Records: the local linear map of every non-linear step for one pair, and the parts of differences that RevealCancel
//! needs.
use deeplift_graph::operator::{Elementwise, Parts, Selection};
use deeplift_graph::rule::{Carry, Pair, Rule};
use deeplift_kernels::{map, Scratch};
use deeplift_rules::MaxRule;
use deeplift_simd::{AlignedVec, Real};

use crate::forward::{lane, lane_mut, Tape};
use crate::pairs::Pairs;
use crate::plan::{Kind, Plan};

/// The pairs that records are made of.
pub(crate) struct Records<'a, T: Real> {
    pub plan: &'a Plan<T>,
    /// Values on examples.
    pub example: &'a Tape<T>,
    /// Example of each pair.
    pub owners: &'a [usize],
    /// Values on references that serve many examples, and the reference of each pair; otherwise references are run
    /// with the pairs and their values are there.
    pub shared: Option<(&'a Tape<T>, &'a [usize])>,
}

impl<T: Real> Records<'_, T> {
    /// Value on the example of a pair.
    pub fn x(&self, tensor: usize, l: usize) -> &[T] {
        self.example.value(self.plan, tensor, self.owners[l])
    }

    /// Value on the reference of a pair; `own` are the pairs' values.
    fn x0<'b>(&'b self, own: &'b [AlignedVec<T>], tensor: usize, l: usize) -> &'b [T] {
        match self.shared {
            Some((tape, which)) => tape.value(self.plan, tensor, which[l]),
            None => lane(&own[Pairs::slot(self.plan, tensor)], self.len(tensor), l),
        }
    }

    fn len(&self, tensor: usize) -> usize {
        self.plan.tensors.len[tensor]
    }

    fn part_slot(&self, tensor: usize) -> usize {
        self.plan.layout.parts.slot[tensor].expect("parts are planned for this tensor")
    }

    /// The value that derivatives are taken at where a rule does not compare with the reference: the example, or for
    /// integrated gradients the pair's own point on the path.
    fn point<'b>(&'b self, own: &'b [AlignedVec<T>], tensor: usize, l: usize) -> &'b [T] {
        if self.plan.points > 0 {
            self.x0(own, tensor, l)
        } else {
            self.x(tensor, l)
        }
    }

    /// At the model's inputs the parts are the positive and negative differences (SEMANTICS 1.1).
    pub fn input_parts(&self, p: &mut Pairs<T>) {
        for t in self.plan.inputs.iter().filter_map(|i| i.tensor) {
            self.source_parts(p, t);
        }
    }

    /// Parts of a tensor at which they start.
    fn source_parts(&self, p: &mut Pairs<T>, t: usize) {
        if self.plan.tensors.source[t] && self.plan.tensors.parts[t] {
            self.net_parts(p, t, self.part_slot(t));
        }
    }

    /// Splits the net difference of a tensor by sign.
    fn net_parts(&self, p: &mut Pairs<T>, t: usize, slot: usize) {
        for l in 0..self.owners.len() {
            let (x, x0) = (self.x(t, l), self.x0(&p.values, t, l));
            let positive = lane_mut(&mut p.positive[slot], x.len(), l);
            let negative = lane_mut(&mut p.negative[slot], x.len(), l);
            by_sign(x, x0, positive, negative);
        }
    }

    /// Records one step.
    pub fn step(&self, p: &mut Pairs<T>, i: usize) {
        let (plan, step) = (self.plan, &self.plan.steps[i]);
        if step.attributed {
            self.attributed(p, i);
        }
        self.source_parts(p, step.output);
        debug_assert!(step.attributed || plan.tensors.source[step.output]);
    }

    fn attributed(&self, p: &mut Pairs<T>, i: usize) {
        let step = &self.plan.steps[i];
        match &step.kind {
            Kind::Linear(_, parts) => self.linear(p, i, parts.as_ref()),
            Kind::Elementwise(f, rule) => {
                if rule.carry() != Carry::Apply {
                    self.elementwise(p, i, f.as_ref(), rule.as_ref());
                }
                if rule.is_complete() {
                    self.scale_parts(p, i, rule.splits());
                } else if self.made_here(step.output) {
                    self.net_parts(p, step.output, self.part_slot(step.output));
                }
            }
            Kind::Selection(s) => {
                self.selection(p, i, s.as_ref());
                self.route_parts(p, i);
            }
            Kind::ClosedForm(c) => {
                for l in 0..self.owners.len() {
                    let own = &p.values;
                    let pair = |t: usize| match step.rule.uses_reference() {
                        true => (self.x(t, l), self.x0(own, t, l)),
                        false => (self.point(own, t, l), self.point(own, t, l)),
                    };
                    let (x, x0): (Vec<&[T]>, Vec<&[T]>) = step.inputs.iter().map(|&t| pair(t)).unzip();
                    let record = lane_mut(&mut p.records[i].0, c.record_len(), l);
                    if c.reads_outputs() {
                        let (y, y0) = pair(step.output);
                        c.record_from_outputs(&x, &x0, y, y0, record);
                    } else {
                        c.record(&x, &x0, record);
                    }
                }
                self.net_record(p, i, step.output, true);
                if self.made_here(step.output) {
                    self.net_parts(p, step.output, self.part_slot(step.output));
                }
            }
            Kind::Forward(_) => unreachable!("contributions do not pass what is only computed"),
        }
    }

    /// Whether the parts of a tensor come from those of what it is made of.
    fn made_here(&self, t: usize) -> bool {
        self.plan.tensors.parts[t] && !self.plan.tensors.source[t]
    }

    /// Keeps the net difference of a tensor where multipliers above it are split by its sign.
    fn net_record(&self, p: &mut Pairs<T>, i: usize, t: usize, second: bool) {
        if !self.plan.tensors.split[self.plan.steps[i].output] {
            return;
        }
        for l in 0..self.owners.len() {
            let x0 = self.x0(&p.values, t, l);
            let record = if second { &mut p.records[i].1 } else { &mut p.records[i].0 };
            map::sub(self.x(t, l), x0, lane_mut(record, self.len(t), l));
        }
    }

    fn linear(&self, p: &mut Pairs<T>, i: usize, parts: Option<&Parts<T>>) {
        let step = &self.plan.steps[i];
        let Some(parts) = parts else { return };
        let net = step.splits_net();
        if net {
            self.net_record(p, i, step.inputs[0], false);
        }
        if !self.made_here(step.output) {
            return;
        }
        let lanes = self.owners.len();
        let n = self.len(step.output) * lanes;
        let slot = self.part_slot(step.output);
        let mut positive = std::mem::take(&mut p.positive[slot]);
        let mut negative = std::mem::take(&mut p.negative[slot]);
        let mut work = std::mem::take(&mut p.work);
        if net {
            // Δ⁺ of the input in `a`, Δ⁻ in `b`: their own memory, for the input itself needs no parts.
            let t = step.inputs[0];
            let m = self.len(t) * lanes;
            work.a.resize_at_least(m);
            work.b.resize_at_least(m);
            for l in 0..lanes {
                let (x, x0) = (self.x(t, l), self.x0(&p.values, t, l));
                let (a, b) = (lane_mut(&mut work.a, x.len(), l), lane_mut(&mut work.b, x.len(), l));
                by_sign(x, x0, a, b);
            }
            let (a, b) = (&work.a[..m], &work.b[..m]);
            sum_parts(parts, lanes, &[a], &[b], &mut positive[..n], &mut work.c, &mut p.scratch);
            sum_parts(parts, lanes, &[b], &[a], &mut negative[..n], &mut work.c, &mut p.scratch);
        } else {
            let ups: Vec<&[T]> =
                step.inputs.iter().map(|&t| &p.positive[self.part_slot(t)][..lanes * self.len(t)]).collect();
            let downs: Vec<&[T]> =
                step.inputs.iter().map(|&t| &p.negative[self.part_slot(t)][..lanes * self.len(t)]).collect();
            sum_parts(parts, lanes, &ups, &downs, &mut positive[..n], &mut work.c, &mut p.scratch);
            sum_parts(parts, lanes, &downs, &ups, &mut negative[..n], &mut work.c, &mut p.scratch);
        }
        p.positive[slot] = positive;
        p.negative[slot] = negative;
        p.work = work;
    }

    fn elementwise(&self, p: &mut Pairs<T>, i: usize, f: &dyn Elementwise<T>, rule: &dyn Rule<T>) {
        let t = self.plan.steps[i].inputs[0];
        let n = self.len(t);
        let mut record = std::mem::take(&mut p.records[i]);
        for l in 0..self.owners.len() {
            let (positive, negative): (&[T], &[T]) = if rule.splits() {
                let slot = self.part_slot(t);
                (lane(&p.positive[slot], n, l), lane(&p.negative[slot], n, l))
            } else {
                (&[], &[])
            };
            let x0 = self.x0(&p.values, t, l);
            let x = if rule.uses_reference() { self.x(t, l) } else { self.point(&p.values, t, l) };
            let pair = Pair { x, x0, positive, negative };
            let second: &mut [T] = if rule.splits() { lane_mut(&mut record.1, n, l) } else { &mut [] };
            rule.local(f, &pair, lane_mut(&mut record.0, n, l), second, &mut p.work.rule);
        }
        p.records[i] = record;
    }

    /// Δy± of an element-wise step: each part times its multiplier; a negative multiplier swaps the parts.
    fn scale_parts(&self, p: &mut Pairs<T>, i: usize, splits: bool) {
        let step = &self.plan.steps[i];
        if !self.made_here(step.output) {
            return;
        }
        let (from, to) = (self.part_slot(step.inputs[0]), self.part_slot(step.output));
        let n = self.len(step.output) * self.owners.len();
        let mut up = std::mem::take(&mut p.positive[to]);
        let mut down = std::mem::take(&mut p.negative[to]);
        let (m, m2) = (&p.records[i].0, &p.records[i].1);
        for k in 0..n {
            let (a, b) = (p.positive[from][k], p.negative[from][k]);
            let (a, b) = if splits { (m[k] * a, m2[k] * b) } else { (m[k] * a, m[k] * b) };
            (up[k], down[k]) = if !splits && m[k] < T::ZERO { (b, a) } else { (a, b) };
        }
        p.positive[to] = up;
        p.negative[to] = down;
    }

    /// Whether recording a step also computes its output on the references.
    pub fn computes(&self, i: usize) -> bool {
        self.shared.is_none() && self.crosses(i)
    }

    /// Whether a step is a maximum under the rule `cross`; others pass on a derivative.
    fn crosses(&self, i: usize) -> bool {
        let step = &self.plan.steps[i];
        let selects = step.attributed && matches!(step.kind, Kind::Selection(_));
        selects && step.rule.uses_reference() && step.max != Some(MaxRule::ArgMax)
    }

    /// Who takes the differences of maxima, and with which multipliers.
    fn selection(&self, p: &mut Pairs<T>, i: usize, s: &dyn Selection<T>) {
        let step = &self.plan.steps[i];
        let (t, n) = (step.inputs[0], self.len(step.output));
        let crosses = self.crosses(i);
        // References that were run before have their outputs on a tape: here they are written and forgotten.
        let slot = self.computes(i).then(|| Pairs::slot(self.plan, step.output));
        let mut y0 = std::mem::take(slot.map_or(&mut p.work.a, |slot| &mut p.values[slot]));
        if slot.is_none() {
            y0.resize_at_least(n * self.owners.len());
        }
        for l in 0..self.owners.len() {
            let m = lane_mut(&mut p.records[i].0, n, l);
            let taken = lane_mut(&mut p.winners[i], n, l);
            if crosses {
                let (x, x0) = (self.x(t, l), self.x0(&p.values, t, l));
                s.cross(x, x0, lane_mut(&mut y0, n, l), taken, m, &mut p.work.index);
            } else {
                s.winners(self.point(&p.values, t, l), taken);
                m.fill(T::ONE);
            }
        }
        *slot.map_or(&mut p.work.a, |slot| &mut p.values[slot]) = y0;
    }

    fn route_parts(&self, p: &mut Pairs<T>, i: usize) {
        let step = &self.plan.steps[i];
        if !self.made_here(step.output) {
            return;
        }
        let (t, n) = (step.inputs[0], self.len(step.output));
        let (from, to) = (self.part_slot(t), self.part_slot(step.output));
        for l in 0..self.owners.len() {
            for k in 0..n {
                let at = l * self.len(t) + p.winners[i][l * n + k] as usize;
                let m = p.records[i].0[l * n + k];
                let (a, b) = (m * p.positive[from][at], m * p.negative[from][at]);
                p.positive[to][l * n + k] = a;
                p.negative[to][l * n + k] = b;
            }
        }
    }
}

/// Positive and negative part of `x - x0`.
fn by_sign<T: Real>(x: &[T], x0: &[T], positive: &mut [T], negative: &mut [T]) {
    map::sub(x, x0, negative);
    map::relu(negative, positive);
    // d − max(d, 0) is min(d, 0) without rounding.
    map::axpy(-T::ONE, positive, negative);
}

/// `A⁺ up + A⁻ down`.
fn sum_parts<T: Real>(
    parts: &Parts<T>,
    lanes: usize,
    up: &[&[T]],
    down: &[&[T]],
    out: &mut [T],
    second: &mut AlignedVec<T>,
    scratch: &mut Scratch<T>,
) {
    match (&parts.positive, &parts.negative) {
        (Some(a), Some(b)) => {
            second.resize_at_least(out.len());
            a.forward(lanes, up, out, scratch);
            b.forward(lanes, down, &mut second[..out.len()], scratch);
            map::add_assign(out, &second[..out.len()]);
        }
        (Some(a), None) => a.forward(lanes, up, out, scratch),
        (None, Some(b)) => b.forward(lanes, down, out, scratch),
        (None, None) => out.fill(T::ZERO),
    }
}
