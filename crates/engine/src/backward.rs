//! The backward pass: multipliers from the target to the inputs, through the records of the pairs.
use deeplift_graph::operator::{Elementwise, FusedLinear, Linear, Parts, Selection};
use deeplift_graph::rule::Carry;
use deeplift_kernels::{map, Epilogue, Scratch};
use deeplift_simd::Real;

use crate::forward::{lane, lane_mut};
use crate::pairs::Pairs;
use crate::plan::{Kind, Plan};
use crate::timing::Timed;

/// Multipliers of the target's tensor for one lane.
pub type Seed<'a, T> = &'a dyn Fn(&Pairs<T>, usize, &mut [T]);

/// Runs the backward pass of one target for all `lanes` pairs; afterwards the multipliers of what is scored can be
/// read with [`scored_multipliers`].
pub fn run<T: Real>(plan: &Plan<T>, p: &mut Pairs<T>, lanes: usize, target: usize, seed: Seed<'_, T>) {
    let mut pass = Backward::new(plan, lanes);
    pass.seed(p, target, seed);
    p.clock.pass(Timed::Multipliers, lanes);
    for i in (0..plan.steps.len()).rev() {
        let start = p.clock.start();
        pass.step(p, i);
        p.clock.stop(Timed::Multipliers, i, start);
    }
    // A tensor that no path reaches has multipliers of zero.
    for t in plan.scored.iter().filter_map(|i| i.tensor).filter(|&t| !pass.written[t]) {
        p.multipliers[slot(plan, t)].fill(T::ZERO);
        if plan.tensors.split[t] {
            p.negative_multipliers[negative_slot(plan, t)].fill(T::ZERO);
        }
    }
}

/// Multipliers of a scored tensor of one pair. Where those of the two parts differ, each element takes the one of the sign
/// of its difference, and the mean where there is none, so that multiplier times difference is the contribution.
pub fn scored_multipliers<T: Real>(
    plan: &Plan<T>,
    p: &Pairs<T>,
    t: usize,
    at: usize,
    (x, x0): (&[T], &[T]),
    out: &mut [T],
) {
    let n = plan.tensors.len[t];
    let m = lane(&p.multipliers[slot(plan, t)], n, at);
    if !plan.tensors.split[t] {
        out.copy_from_slice(m);
        return;
    }
    let negative = lane(&p.negative_multipliers[negative_slot(plan, t)], n, at);
    for i in 0..n {
        out[i] = by_sign(x[i] - x0[i], m[i], negative[i]);
    }
}

/// The multiplier of the part that a net difference belongs to.
fn by_sign<T: Real>(d: T, positive: T, negative: T) -> T {
    if d > T::ZERO {
        positive
    } else if d < T::ZERO {
        negative
    } else {
        T::from_f64(0.5) * (positive + negative)
    }
}

fn slot<T: Real>(plan: &Plan<T>, t: usize) -> usize {
    plan.layout.multipliers.slot[t].expect("every tensor of a step has multipliers")
}

fn negative_slot<T: Real>(plan: &Plan<T>, t: usize) -> usize {
    plan.layout.negative.slot[t].expect("split multipliers are planned for this tensor")
}

pub(crate) struct Backward<'a, T: Real> {
    plan: &'a Plan<T>,
    lanes: usize,
    /// Whether a tensor's multipliers hold a value to add to.
    pub written: Vec<bool>,
    /// Steps whose part another kernel did.
    done: Vec<bool>,
}

impl<'a, T: Real> Backward<'a, T> {
    pub fn new(plan: &'a Plan<T>, lanes: usize) -> Self {
        let done = vec![false; plan.steps.len()];
        Backward { plan, lanes, written: vec![false; plan.tensors.len.len()], done }
    }

    fn len(&self, t: usize) -> usize {
        self.plan.tensors.len[t] * self.lanes
    }

    pub fn seed(&mut self, p: &mut Pairs<T>, t: usize, seed: Seed<'_, T>) {
        let n = self.plan.tensors.len[t];
        let mut m = std::mem::take(&mut p.multipliers[slot(self.plan, t)]);
        for l in 0..self.lanes {
            seed(p, l, lane_mut(&mut m, n, l));
        }
        if self.plan.tensors.split[t] {
            let all = n * self.lanes;
            p.negative_multipliers[negative_slot(self.plan, t)][..all].copy_from_slice(&m[..all]);
        }
        p.multipliers[slot(self.plan, t)] = m;
        self.written[t] = true;
    }

    /// Inputs of a step that contributions flow to, with their ports.
    fn ports(&self, i: usize) -> impl Iterator<Item = (usize, usize)> + use<'a, T> {
        let (step, attributed) = (&self.plan.steps[i], &self.plan.tensors.attributed);
        step.inputs.iter().copied().enumerate().filter(|&(_, t)| attributed[t])
    }

    pub fn step(&mut self, p: &mut Pairs<T>, i: usize) {
        let step = &self.plan.steps[i];
        let out = step.output;
        if !self.written[out] || !step.attributed || self.done[i] {
            return;
        }
        self.clear_dead(p, i);
        let split = self.plan.tensors.split[out];
        match &step.kind {
            Kind::Linear(_, Some(parts)) if split && step.splits_net() => self.net_linear(p, i, parts),
            Kind::Linear(_, Some(parts)) if split => {
                for (port, t) in self.ports(i) {
                    self.parts_linear(p, parts, port, t, out);
                }
            }
            Kind::Linear(l, _) => {
                if let (Some(r), Some(kernel)) = (step.product, l.fused()) {
                    return self.with_product(p, i, r, kernel);
                }
                if let (true, Some(kernel)) = (step.differences && !self.written[step.inputs[0]], l.fused()) {
                    return self.where_different(p, i, kernel);
                }
                for (port, t) in self.ports(i) {
                    if slot(self.plan, t) == slot(self.plan, out) {
                        // A plain sum in place.
                        self.written[t] = true;
                        continue;
                    }
                    self.single(p, t, |p, mx, accumulate| {
                        let my = &p.multipliers[slot(self.plan, out)][..self.len(out)];
                        l.adjoint(self.lanes, port, my, mx, accumulate, &mut p.scratch);
                    });
                    self.written[t] = true;
                }
            }
            Kind::Elementwise(..) => self.elementwise(p, i),
            Kind::Selection(s) => self.selection(p, i, s.as_ref()),
            Kind::ClosedForm(c) => {
                if split {
                    self.collapse(p, i);
                }
                for (port, t) in self.ports(i) {
                    self.single(p, t, |p, mx, accumulate| {
                        let my = &p.multipliers[slot(self.plan, out)][..self.len(out)];
                        let record = &p.records[i].0[..self.lanes * c.record_len()];
                        c.adjoint_lanes(self.lanes, port, record, my, mx, accumulate, &mut p.scratch);
                    });
                    self.written[t] = true;
                }
            }
            Kind::Forward(_) => unreachable!("contributions do not pass what is only computed"),
        }
    }

    /// Multipliers of outputs that nothing depends on are zero; buffers hold anything there.
    fn clear_dead(&self, p: &mut Pairs<T>, i: usize) {
        let (step, tensors) = (&self.plan.steps[i], &self.plan.tensors);
        let (out, live) = (step.output, &tensors.live[step.output]);
        let n = tensors.len[out];
        let passed_on = matches!(step.kind, Kind::Elementwise(..)) && tensors.live[step.inputs[0]] == *live;
        if live.len() == n || step.skips_dead || passed_on {
            return;
        }
        let m = &mut p.multipliers[slot(self.plan, out)];
        for l in 0..self.lanes {
            let m = lane_mut(m, n, l);
            m[..live.start].fill(T::ZERO);
            m[live.end..].fill(T::ZERO);
        }
    }

    /// The adjoint of a layer, and the product with the record of step `r` while results are in registers.
    fn with_product(&mut self, p: &mut Pairs<T>, i: usize, r: usize, kernel: &dyn FusedLinear<T>) {
        let (step, len) = (&self.plan.steps[i], &self.plan.tensors.len);
        let (t, out, z) = (step.inputs[0], step.output, self.plan.steps[r].inputs[0]);
        let mut mz = std::mem::take(&mut p.multipliers[slot(self.plan, z)]);
        // Without other readers, the multipliers of the input itself are not kept.
        let kept = (self.plan.steps[r].output != t).then(|| slot(self.plan, t));
        let mut mx = kept.map(|s| std::mem::take(&mut p.multipliers[s]));
        if let (Some(mx), false) = (&mut mx, self.written[t]) {
            mx[..self.len(t)].fill(T::ZERO);
        }
        let my = &p.multipliers[slot(self.plan, out)][..self.len(out)];
        let mut epilogues = |l: usize, finish: &mut dyn FnMut(Epilogue<'_, T>)| {
            let (ratio, scaled) = (lane(&p.records[r].0, len[z], l), lane_mut(&mut mz, len[z], l));
            finish(match &mut mx {
                Some(mx) => Epilogue::AddThenScale { out: lane_mut(mx, len[t], l), ratio, scaled },
                None => Epilogue::Scale { out: scaled, ratio },
            });
        };
        kernel.adjoint_lanes(self.lanes, my, &mut epilogues, &mut p.scratch);
        if let (Some(s), Some(mx)) = (kept, mx) {
            p.multipliers[s] = mx;
            self.written[t] = true;
        }
        p.multipliers[slot(self.plan, z)] = mz;
        self.written[z] = true;
        self.done[r] = true;
    }

    /// The adjoint of the layer behind a sequence of letters, as far as contributions see it. Pairs of anything but
    /// letters take the whole adjoint `kernel`.
    fn where_different(&mut self, p: &mut Pairs<T>, i: usize, kernel: &dyn FusedLinear<T>) {
        let (step, len) = (&self.plan.steps[i], &self.plan.tensors.len);
        let (t, out) = (step.inputs[0], step.output);
        let mut mx = std::mem::take(&mut p.multipliers[slot(self.plan, t)]);
        for l in 0..self.lanes {
            let my = lane(&p.multipliers[slot(self.plan, out)], len[out], l);
            let mx = lane_mut(&mut mx, len[t], l);
            match (&step.one_hot, p.example_letters.codes(t, l), p.letters.codes(t, l)) {
                (Some(letters), Some(x), Some(x0)) => letters.adjoint(my, x, x0, mx, &mut p.scratch),
                _ => kernel.adjoint_with(my, Epilogue::Store { out: mx }, &mut p.scratch),
            }
        }
        p.multipliers[slot(self.plan, t)] = mx;
        self.written[t] = true;
    }

    /// Writes or adds multipliers that are the same for both parts.
    fn single(&self, p: &mut Pairs<T>, t: usize, write: impl Fn(&mut Pairs<T>, &mut [T], bool)) {
        let s = slot(self.plan, t);
        let n = self.len(t);
        let mut mx = std::mem::take(&mut p.multipliers[s]);
        if self.plan.tensors.split[t] {
            // Both parts get the same: computed once, then added to each.
            let mut fresh = std::mem::take(&mut p.work.a);
            fresh.resize_at_least(n);
            write(p, &mut fresh[..n], false);
            for part in [&mut mx, &mut p.negative_multipliers[negative_slot(self.plan, t)]] {
                if self.written[t] {
                    map::add_assign(&mut part[..n], &fresh[..n]);
                } else {
                    part[..n].copy_from_slice(&fresh[..n]);
                }
            }
            p.work.a = fresh;
        } else {
            write(p, &mut mx[..n], self.written[t]);
        }
        p.multipliers[s] = mx;
    }

    /// Dense and convolution under split multipliers (SEMANTICS 1.2): inputs that rise meet `M⁺W⁺ + M⁻W⁻`, inputs
    /// that fall `M⁺W⁻ + M⁻W⁺`, inputs that stay the mean of both.
    fn net_linear(&mut self, p: &mut Pairs<T>, i: usize, parts: &Parts<T>) {
        let step = &self.plan.steps[i];
        let (t, out) = (step.inputs[0], step.output);
        let (n, m) = (self.len(t), self.len(out));
        let mut rise = std::mem::take(&mut p.work.b);
        let mut fall = std::mem::take(&mut p.work.c);
        rise.resize_at_least(n);
        fall.resize_at_least(n);
        {
            let up = &p.multipliers[slot(self.plan, out)][..m];
            let down = &p.negative_multipliers[negative_slot(self.plan, out)][..m];
            adjoint_sum(parts, self.lanes, 0, up, down, &mut rise[..n], false, &mut p.scratch);
            adjoint_sum(parts, self.lanes, 0, down, up, &mut fall[..n], false, &mut p.scratch);
        }
        for k in 0..n {
            rise[k] = by_sign(p.records[i].0[k], rise[k], fall[k]);
        }
        self.single(p, t, |_, mx, accumulate| {
            if accumulate {
                map::add_assign(mx, &rise[..n]);
            } else {
                mx.copy_from_slice(&rise[..n]);
            }
        });
        self.written[t] = true;
        p.work.b = rise;
        p.work.c = fall;
    }

    /// Sums, layout and scales pass each part's multipliers through positive and negative weights.
    fn parts_linear(&mut self, p: &mut Pairs<T>, parts: &Parts<T>, port: usize, t: usize, out: usize) {
        let (n, m) = (self.len(t), self.len(out));
        let (s, ns) = (slot(self.plan, t), negative_slot(self.plan, t));
        let mut up = std::mem::take(&mut p.multipliers[s]);
        let mut down = std::mem::take(&mut p.negative_multipliers[ns]);
        let my_up = &p.multipliers[slot(self.plan, out)][..m];
        let my_down = &p.negative_multipliers[negative_slot(self.plan, out)][..m];
        let add = self.written[t];
        adjoint_sum(parts, self.lanes, port, my_up, my_down, &mut up[..n], add, &mut p.scratch);
        adjoint_sum(parts, self.lanes, port, my_down, my_up, &mut down[..n], add, &mut p.scratch);
        self.written[t] = true;
        p.multipliers[s] = up;
        p.negative_multipliers[ns] = down;
    }

    fn elementwise(&mut self, p: &mut Pairs<T>, i: usize) {
        let step = &self.plan.steps[i];
        let (t, out) = (step.inputs[0], step.output);
        let n = self.len(t);
        let Kind::Elementwise(f, rule) = &step.kind else { unreachable!("called for element-wise steps") };
        if rule.carry() != Carry::Product {
            return self.carried(p, i, f.as_ref(), rule.carry());
        }
        if !self.plan.tensors.split[t] {
            self.single(p, t, |p, mx, accumulate| {
                let my = &p.multipliers[slot(self.plan, out)][..n];
                product(my, &p.records[i].0[..n], mx, accumulate);
            });
            self.written[t] = true;
            return;
        }
        let (s, ns) = (slot(self.plan, t), negative_slot(self.plan, t));
        let mut up = std::mem::take(&mut p.multipliers[s]);
        let mut down = std::mem::take(&mut p.negative_multipliers[ns]);
        let my_up = &p.multipliers[slot(self.plan, out)][..n];
        let my_down = match self.plan.tensors.split[out] {
            true => &p.negative_multipliers[negative_slot(self.plan, out)][..n],
            false => my_up,
        };
        let (m, m2) = (&p.records[i].0, if rule.splits() { &p.records[i].1 } else { &p.records[i].0 });
        let add = self.written[t];
        for k in 0..n {
            // A negative multiplier turns a rise into a fall (SEMANTICS 3.2, last paragraph); RevealCancel keeps
            // each part's own bookkeeping.
            let swap = !rule.splits() && m[k] < T::ZERO;
            let (a, b) = if swap { (my_down[k], my_up[k]) } else { (my_up[k], my_down[k]) };
            let (a, b) = (m[k] * a, m2[k] * b);
            up[k] = if add { up[k] + a } else { a };
            down[k] = if add { down[k] + b } else { b };
        }
        self.written[t] = true;
        p.multipliers[s] = up;
        p.negative_multipliers[ns] = down;
    }

    /// Rules that change the multipliers which arrive, those of each part by themselves.
    fn carried(&mut self, p: &mut Pairs<T>, i: usize, f: &dyn Elementwise<T>, carry: Carry) {
        let step = &self.plan.steps[i];
        let (t, out) = (step.inputs[0], step.output);
        let n = self.len(t);
        let change = |my: &[T], record: &[T], changed: &mut [T]| match carry {
            Carry::Apply => f.apply(my, changed),
            _ => {
                map::relu(my, changed);
                changed.iter_mut().zip(record).for_each(|(c, &m)| *c *= m);
            }
        };
        let mut fresh = std::mem::take(&mut p.work.b);
        fresh.resize_at_least(n);
        let fresh_n = &mut fresh[..n];
        change(&p.multipliers[slot(self.plan, out)][..n], &p.records[i].0, fresh_n);
        let write = |fresh: &[T], mx: &mut [T]| match self.written[t] {
            true => map::add_assign(mx, fresh),
            false => mx.copy_from_slice(fresh),
        };
        write(fresh_n, &mut p.multipliers[slot(self.plan, t)][..n]);
        if self.plan.tensors.split[t] {
            if self.plan.tensors.split[out] {
                let my = &p.negative_multipliers[negative_slot(self.plan, out)][..n];
                change(my, &p.records[i].0, fresh_n);
            }
            write(fresh_n, &mut p.negative_multipliers[negative_slot(self.plan, t)][..n]);
        }
        self.written[t] = true;
        p.work.b = fresh;
    }

    fn selection(&mut self, p: &mut Pairs<T>, i: usize, s: &dyn Selection<T>) {
        let (step, len) = (&self.plan.steps[i], &self.plan.tensors.len);
        let (t, out) = (step.inputs[0], step.output);
        let (n, m) = (len[t], len[out]);
        // `scale`: the record of the element-wise step before it, whose multipliers are written at once.
        let route = |p: &Pairs<T>, my: &[T], scale: Option<&[T]>, mx: &mut [T], accumulate: bool| {
            for l in 0..self.lanes {
                let (taken, record) = (lane(&p.winners[i], m, l), lane(&p.records[i].0, m, l));
                let scale = scale.map(|s| lane(s, n, l));
                s.route(taken, record, lane(my, m, l), scale, lane_mut(mx, n, l), accumulate);
            }
        };
        if let Some(r) = step.product {
            let z = self.plan.steps[r].inputs[0];
            let mut mz = std::mem::take(&mut p.multipliers[slot(self.plan, z)]);
            route(p, &p.multipliers[slot(self.plan, out)], Some(&p.records[r].0), &mut mz, false);
            p.multipliers[slot(self.plan, z)] = mz;
            self.written[z] = true;
            self.done[r] = true;
            return;
        }
        if self.plan.tensors.split[out] {
            let (s, ns) = (slot(self.plan, t), negative_slot(self.plan, t));
            let mut up = std::mem::take(&mut p.multipliers[s]);
            let mut down = std::mem::take(&mut p.negative_multipliers[ns]);
            let my_down = &p.negative_multipliers[negative_slot(self.plan, out)];
            route(p, &p.multipliers[slot(self.plan, out)], None, &mut up, self.written[t]);
            route(p, my_down, None, &mut down, self.written[t]);
            p.multipliers[s] = up;
            p.negative_multipliers[ns] = down;
        } else {
            self.single(p, t, |p, mx, accumulate| {
                route(p, &p.multipliers[slot(self.plan, out)], None, mx, accumulate);
            });
        }
        self.written[t] = true;
    }

    /// Closed forms see one multiplier: that of the part that the output's net difference belongs to.
    fn collapse(&self, p: &mut Pairs<T>, i: usize) {
        let out = self.plan.steps[i].output;
        let n = self.len(out);
        let down = &p.negative_multipliers[negative_slot(self.plan, out)];
        let up = &mut p.multipliers[slot(self.plan, out)];
        for k in 0..n {
            up[k] = by_sign(p.records[i].1[k], up[k], down[k]);
        }
    }
}

/// `mx (+)= my ⊙ record`.
fn product<T: Real>(my: &[T], record: &[T], mx: &mut [T], accumulate: bool) {
    if accumulate {
        map::mul_add_assign(mx, my, record);
    } else {
        map::mul(my, record, mx);
    }
}

/// `A⁺ᵀ up + A⁻ᵀ down`, added to `mx` if `accumulate`.
fn adjoint_sum<T: Real>(
    parts: &Parts<T>,
    lanes: usize,
    port: usize,
    up: &[T],
    down: &[T],
    mx: &mut [T],
    accumulate: bool,
    scratch: &mut Scratch<T>,
) {
    let mut add = accumulate;
    let mut go = |a: &Option<Box<dyn Linear<T>>>, my: &[T], mx: &mut [T]| {
        if let Some(a) = a {
            a.adjoint(lanes, port, my, mx, add, scratch);
            add = true;
        }
    };
    go(&parts.positive, up, mx);
    go(&parts.negative, down, mx);
    if !add {
        mx.fill(T::ZERO);
    }
}
