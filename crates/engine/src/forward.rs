//! The forward passes: the example once, then each reference, recording local multipliers of the pair on the way.
use deeplift_kernels::{map, Epilogue, Scratch};
use deeplift_simd::{AlignedVec, Real};

use deeplift_graph::operator::{Elementwise, FusedLinear, Parts, Selection};
use deeplift_graph::rule::{Pair, Rule};
use deeplift_rules::RuleName;

use crate::plan::{Kind, Plan, Step};

/// Values on examples, one lane per example. Tensors that the pairs need stay valid until the next run.
pub struct Tape<T: Real> {
    buffers: Vec<AlignedVec<T>>,
}

/// Everything that belongs to a block of pairs, one lane per pair.
pub struct Pairs<T: Real> {
    pub(crate) values: Vec<AlignedVec<T>>,
    pub(crate) positive: Vec<AlignedVec<T>>,
    pub(crate) negative: Vec<AlignedVec<T>>,
    pub(crate) multipliers: Vec<AlignedVec<T>>,
    pub(crate) negative_multipliers: Vec<AlignedVec<T>>,
    pub(crate) records: Vec<(AlignedVec<T>, AlignedVec<T>)>,
    pub(crate) winners: Vec<Vec<u32>>,
    pub(crate) scratch: Scratch<T>,
    pub(crate) work: Work<T>,
}

/// Temporary vectors of one thread; they grow once.
#[derive(Default)]
pub(crate) struct Work<T: Real> {
    pub rule: Vec<T>,
    pub a: AlignedVec<T>,
    pub b: AlignedVec<T>,
    pub c: AlignedVec<T>,
    pub index: Vec<u32>,
}

/// Lane `lane` of a buffer whose lanes have `len` elements.
pub(crate) fn lane<T>(buffer: &[T], len: usize, lane: usize) -> &[T] {
    &buffer[lane * len..][..len]
}

/// Lane `lane` of a buffer whose lanes have `len` elements.
pub(crate) fn lane_mut<T>(buffer: &mut [T], len: usize, lane: usize) -> &mut [T] {
    &mut buffer[lane * len..][..len]
}

impl<T: Real> Tape<T> {
    /// Buffers for so many examples.
    pub fn new(plan: &Plan<T>, lanes: usize) -> Self {
        Tape { buffers: plan.layout.tape.allocate(lanes) }
    }

    fn slot(plan: &Plan<T>, tensor: usize) -> usize {
        plan.layout.tape.slot[tensor].expect("every tensor of a step is on the tape")
    }

    /// Value of a tensor on one example.
    pub fn value(&self, plan: &Plan<T>, tensor: usize, at: usize) -> &[T] {
        lane(&self.buffers[Self::slot(plan, tensor)], plan.tensors.len[tensor], at)
    }

    /// Where the caller writes an input of one example.
    pub fn input_mut(&mut self, plan: &Plan<T>, tensor: usize, at: usize) -> &mut [T] {
        lane_mut(&mut self.buffers[Self::slot(plan, tensor)], plan.tensors.len[tensor], at)
    }

    /// Runs the examples in the first `lanes` lanes; their inputs are written already.
    pub fn run(&mut self, plan: &Plan<T>, lanes: usize, scratch: &mut Scratch<T>) {
        let mut i = 0;
        while i < plan.steps.len() {
            let step = &plan.steps[i];
            if step.relu_fused {
                self.fused_relu(plan, i, lanes, scratch);
                i += 2;
                continue;
            }
            let slot = Self::slot(plan, step.output);
            let mut out = std::mem::take(&mut self.buffers[slot]);
            let input = |t: usize| &self.buffers[Self::slot(plan, t)][..];
            evaluate(plan, step, lanes, &input, &mut out, scratch);
            self.buffers[slot] = out;
            i += 1;
        }
    }

    fn fused_relu(&mut self, plan: &Plan<T>, i: usize, lanes: usize, scratch: &mut Scratch<T>) {
        let (step, relu) = (&plan.steps[i], &plan.steps[i + 1]);
        let len = &plan.tensors.len;
        let (x, z, y) = (step.inputs[0], step.output, relu.output);
        let mut pre = std::mem::take(&mut self.buffers[Self::slot(plan, z)]);
        let mut out = std::mem::take(&mut self.buffers[Self::slot(plan, y)]);
        let fused = fused(step);
        for l in 0..lanes {
            let epilogue = Epilogue::Relu {
                out: lane_mut(&mut out, len[y], l),
                pre: Some(lane_mut(&mut pre, len[z], l)),
            };
            fused.forward_with(lane(&self.buffers[Self::slot(plan, x)], len[x], l), epilogue, scratch);
        }
        self.buffers[Self::slot(plan, z)] = pre;
        self.buffers[Self::slot(plan, y)] = out;
    }
}

fn fused<T: Real>(step: &Step<T>) -> &dyn FusedLinear<T> {
    match &step.kind {
        Kind::Linear(l, _) => l.fused().expect("only steps with an epilogue are fused"),
        _ => unreachable!("only linear steps are fused"),
    }
}

/// Computes a step's output for all lanes.
fn evaluate<'a, T: Real>(
    plan: &Plan<T>,
    step: &Step<T>,
    lanes: usize,
    input: &dyn Fn(usize) -> &'a [T],
    out: &mut [T],
    scratch: &mut Scratch<T>,
) {
    let len = &plan.tensors.len;
    let n = len[step.output];
    match &step.kind {
        Kind::Linear(l, _) => {
            let x: Vec<&[T]> = step.inputs.iter().map(|&t| &input(t)[..lanes * len[t]]).collect();
            l.forward(lanes, &x, &mut out[..lanes * n], scratch);
        }
        Kind::Elementwise(f, ..) => {
            let x = input(step.inputs[0]);
            (0..lanes).for_each(|l| f.apply(lane(x, n, l), lane_mut(out, n, l)));
        }
        Kind::Selection(s) => {
            let t = step.inputs[0];
            (0..lanes).for_each(|l| s.forward(lane(input(t), len[t], l), lane_mut(out, n, l)));
        }
        Kind::ClosedForm(c) => {
            for l in 0..lanes {
                let x: Vec<&[T]> = step.inputs.iter().map(|&t| lane(input(t), len[t], l)).collect();
                c.forward(&x, lane_mut(out, n, l));
            }
        }
    }
}

impl<T: Real> Pairs<T> {
    /// Buffers for so many pairs.
    pub fn new(plan: &Plan<T>, lanes: usize) -> Self {
        let l = &plan.layout;
        let record =
            |&(a, b): &(usize, usize)| (AlignedVec::zeroed(a * lanes), AlignedVec::zeroed(b * lanes));
        Pairs {
            values: l.reference.allocate(lanes),
            positive: l.parts.allocate(lanes),
            negative: l.parts.allocate(lanes),
            multipliers: l.multipliers.allocate(lanes),
            negative_multipliers: l.negative.allocate(lanes),
            records: l.records.iter().map(record).collect(),
            winners: l.winners.iter().map(|n| vec![0; n * lanes]).collect(),
            scratch: Scratch::default(),
            work: Work::default(),
        }
    }

    fn slot(plan: &Plan<T>, tensor: usize) -> usize {
        plan.layout.reference.slot[tensor].expect("the tensor has a value on references")
    }

    /// Value of a tensor on the reference of one pair.
    pub fn value(&self, plan: &Plan<T>, tensor: usize, at: usize) -> &[T] {
        lane(&self.values[Self::slot(plan, tensor)], plan.tensors.len[tensor], at)
    }

    /// Where the caller writes an input of one reference.
    pub fn input_mut(&mut self, plan: &Plan<T>, tensor: usize, at: usize) -> &mut [T] {
        lane_mut(&mut self.values[Self::slot(plan, tensor)], plan.tensors.len[tensor], at)
    }

    /// Runs the references whose inputs are written; pair `l` belongs to the tape's example `owners[l]`.
    pub fn run(&mut self, plan: &Plan<T>, tape: &Tape<T>, owners: &[usize]) {
        let pass = PairPass { plan, tape, owners };
        pass.input_parts(self);
        let mut i = 0;
        while i < plan.steps.len() {
            if plan.steps[i].relu_fused {
                pass.fused_relu(self, i);
                i += 2;
                continue;
            }
            pass.step(self, i);
            i += 1;
        }
    }
}

struct PairPass<'a, T: Real> {
    plan: &'a Plan<T>,
    tape: &'a Tape<T>,
    owners: &'a [usize],
}

impl<T: Real> PairPass<'_, T> {
    fn x(&self, tensor: usize, l: usize) -> &[T] {
        self.tape.value(self.plan, tensor, self.owners[l])
    }

    fn len(&self, tensor: usize) -> usize {
        self.plan.tensors.len[tensor]
    }

    fn part_slot(&self, tensor: usize) -> usize {
        self.plan.layout.parts.slot[tensor].expect("parts are planned for this tensor")
    }

    /// At the model's inputs the parts are the positive and negative differences (SEMANTICS 1.1).
    fn input_parts(&self, p: &mut Pairs<T>) {
        for t in self.plan.inputs.iter().filter_map(|i| i.tensor).filter(|&t| self.plan.tensors.parts[t]) {
            self.net_parts(p, t, self.part_slot(t));
        }
    }

    /// Splits the net difference of a tensor by sign.
    fn net_parts(&self, p: &mut Pairs<T>, t: usize, slot: usize) {
        for l in 0..self.owners.len() {
            let (x, x0) = (self.x(t, l), lane(&p.values[Pairs::slot(self.plan, t)], self.len(t), l));
            let positive = lane_mut(&mut p.positive[slot], x.len(), l);
            let negative = lane_mut(&mut p.negative[slot], x.len(), l);
            for i in 0..x.len() {
                let d = x[i] - x0[i];
                positive[i] = d.max(T::ZERO);
                negative[i] = d.min(T::ZERO);
            }
        }
    }

    fn fused_relu(&self, p: &mut Pairs<T>, i: usize) {
        let (step, relu) = (&self.plan.steps[i], &self.plan.steps[i + 1]);
        let (x, z, y) = (step.inputs[0], step.output, relu.output);
        let Kind::Elementwise(f, name, rule) = &relu.kind else { unreachable!("a ReLU is element-wise") };
        let slot = Pairs::slot(self.plan, y);
        let mut out = std::mem::take(&mut p.values[slot]);
        let kernel = fused(step);
        for l in 0..self.owners.len() {
            let input = lane(&p.values[Pairs::slot(self.plan, x)], self.len(x), l);
            let out = lane_mut(&mut out, self.len(y), l);
            let record = lane_mut(&mut p.records[i + 1].0, self.len(z), l);
            if *name == RuleName::Rescale {
                let epilogue = Epilogue::ReluRatio { out, ratio: record, actual: self.x(z, l) };
                kernel.forward_with(input, epilogue, &mut p.scratch);
            } else {
                kernel.forward_with(input, Epilogue::Relu { out, pre: None }, &mut p.scratch);
                let actual = self.x(z, l);
                let pair = Pair { x: actual, x0: actual, positive: &[], negative: &[] };
                rule.local(f.as_ref(), &pair, record, &mut [], &mut p.work.rule);
            }
        }
        p.values[slot] = out;
    }

    fn step(&self, p: &mut Pairs<T>, i: usize) {
        let (plan, step) = (self.plan, &self.plan.steps[i]);
        let lanes = self.owners.len();
        let slot = Pairs::slot(plan, step.output);
        let mut out = std::mem::take(&mut p.values[slot]);
        let values = &p.values;
        let input = |t: usize| &values[Pairs::slot(plan, t)][..];
        evaluate(plan, step, lanes, &input, &mut out, &mut p.scratch);
        p.values[slot] = out;
        match &step.kind {
            Kind::Linear(_, parts) => self.linear(p, i, parts.as_ref()),
            Kind::Elementwise(f, _, rule) => {
                self.elementwise(p, i, f.as_ref(), rule.as_ref());
                self.scale_parts(p, i, rule.splits());
            }
            Kind::Selection(s) => {
                self.selection(p, i, s.as_ref());
                self.route_parts(p, i);
            }
            Kind::ClosedForm(c) => {
                for l in 0..lanes {
                    let x: Vec<&[T]> = step.inputs.iter().map(|&t| self.x(t, l)).collect();
                    let x0: Vec<&[T]> = step
                        .inputs
                        .iter()
                        .map(|&t| lane(&p.values[Pairs::slot(plan, t)], self.len(t), l))
                        .collect();
                    let x0 = if plan.policy.uses_reference() { x0 } else { x.clone() };
                    c.record(&x, &x0, lane_mut(&mut p.records[i].0, c.record_len(), l));
                }
                self.net_record(p, i, step.output, true);
                if plan.tensors.parts[step.output] {
                    self.net_parts(p, step.output, self.part_slot(step.output));
                }
            }
        }
    }

    /// Keeps the net difference of a tensor where multipliers above it are split by its sign.
    fn net_record(&self, p: &mut Pairs<T>, i: usize, t: usize, second: bool) {
        if !self.plan.tensors.split[self.plan.steps[i].output] {
            return;
        }
        for l in 0..self.owners.len() {
            let x0 = lane(&p.values[Pairs::slot(self.plan, t)], self.len(t), l);
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
        if !self.plan.tensors.parts[step.output] {
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
                let (x, x0) = (self.x(t, l), lane(&p.values[Pairs::slot(self.plan, t)], self.len(t), l));
                let (a, b) = (lane_mut(&mut work.a, x.len(), l), lane_mut(&mut work.b, x.len(), l));
                for k in 0..x.len() {
                    let d = x[k] - x0[k];
                    a[k] = d.max(T::ZERO);
                    b[k] = d.min(T::ZERO);
                }
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
            let x0 = lane(&p.values[Pairs::slot(self.plan, t)], n, l);
            let pair = Pair { x: self.x(t, l), x0, positive, negative };
            let second: &mut [T] = if rule.splits() { lane_mut(&mut record.1, n, l) } else { &mut [] };
            rule.local(f, &pair, lane_mut(&mut record.0, n, l), second, &mut p.work.rule);
        }
        p.records[i] = record;
    }

    /// Δy± of an element-wise step: each part times its multiplier; a negative multiplier swaps the parts.
    fn scale_parts(&self, p: &mut Pairs<T>, i: usize, splits: bool) {
        let step = &self.plan.steps[i];
        if !self.plan.tensors.parts[step.output] {
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

    /// Winners and multipliers of maxima: SEMANTICS 3.2, `cross`.
    fn selection(&self, p: &mut Pairs<T>, i: usize, s: &dyn Selection<T>) {
        let step = &self.plan.steps[i];
        let (t, n) = (step.inputs[0], self.len(step.output));
        p.work.index.resize(n, 0);
        for l in 0..self.owners.len() {
            let x = self.x(t, l);
            let x0 = lane(&p.values[Pairs::slot(self.plan, t)], self.len(t), l);
            let m = lane_mut(&mut p.records[i].0, n, l);
            let winners = lane_mut(&mut p.winners[i], n, l);
            s.winners(x, winners);
            if !self.plan.policy.uses_reference() {
                m.fill(T::ONE);
                continue;
            }
            s.winners(x0, &mut p.work.index);
            for k in 0..n {
                let (w, w0) = (winners[k] as usize, p.work.index[k] as usize);
                let (top, top0) = (x[w], x0[w0]);
                let ahead = if s.largest() { top >= top0 } else { top <= top0 };
                let at = if ahead { w } else { w0 };
                let d = x[at] - x0[at];
                m[k] = if d == T::ZERO { T::ONE } else { (top - top0) / d };
                winners[k] = at as u32;
            }
        }
    }

    fn route_parts(&self, p: &mut Pairs<T>, i: usize) {
        let step = &self.plan.steps[i];
        if !self.plan.tensors.parts[step.output] {
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
