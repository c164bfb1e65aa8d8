//! Pairs of examples and references: the reference's forward pass, and a record of every non-linear step on the way.
//!
//! References that are the same for all examples were run before, on a tape of their own; then only records are made.
use deeplift_graph::rule::Pair;
use deeplift_kernels::{Epilogue, Scratch};
use deeplift_simd::{AlignedVec, Real};

use crate::forward::{evaluate, lane, lane_mut, layer, Tape};
use crate::letters::Letters;
use crate::plan::{Kind, Plan};
use crate::record::Records;
use crate::timing::{Clock, Timed};

/// Everything that belongs to a block of pairs, one lane per pair.
pub struct Pairs<T: Real> {
    pub(crate) values: Vec<AlignedVec<T>>,
    pub(crate) positive: Vec<AlignedVec<T>>,
    pub(crate) negative: Vec<AlignedVec<T>>,
    pub(crate) multipliers: Vec<AlignedVec<T>>,
    pub(crate) negative_multipliers: Vec<AlignedVec<T>>,
    pub(crate) records: Vec<(AlignedVec<T>, AlignedVec<T>)>,
    pub(crate) winners: Vec<Vec<u32>>,
    /// Of references, and of the examples they are compared with.
    pub(crate) letters: Letters,
    pub(crate) example_letters: Letters,
    pub(crate) scratch: Scratch<T>,
    pub(crate) work: Work<T>,
    pub(crate) clock: Clock,
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
            letters: Letters::new(plan, lanes),
            example_letters: Letters::new(plan, lanes),
            scratch: Scratch::default(),
            work: Work::default(),
            clock: Clock::new(plan.steps.len(), plan.options.timed),
        }
    }

    pub(crate) fn slot(plan: &Plan<T>, tensor: usize) -> usize {
        plan.layout.reference.slot[tensor].expect("the tensor has a value on references")
    }

    /// Value of a tensor on the reference of one pair.
    pub fn value(&self, plan: &Plan<T>, tensor: usize, at: usize) -> &[T] {
        lane(&self.values[Self::slot(plan, tensor)], plan.tensors.len[tensor], at)
    }

    /// Writes an input of one reference.
    pub fn write_input(&mut self, plan: &Plan<T>, tensor: usize, at: usize, write: impl FnOnce(&mut [T])) {
        let own = lane_mut(&mut self.values[Self::slot(plan, tensor)], plan.tensors.len[tensor], at);
        write(own);
        self.letters.read(tensor, at, own);
    }

    /// Runs the references whose inputs are written and records every pair.
    pub fn run(&mut self, plan: &Plan<T>, example: &Tape<T>, owners: &[usize]) {
        self.pass(&Records { plan, example, owners, shared: None });
    }

    /// Records every pair of examples with references that were run before: pair `l` is example `owners[l]` with
    /// reference `which[l]` of the tape `references`.
    pub fn record(
        &mut self,
        plan: &Plan<T>,
        example: &Tape<T>,
        owners: &[usize],
        references: &Tape<T>,
        which: &[usize],
    ) {
        self.pass(&Records { plan, example, owners, shared: Some((references, which)) });
    }

    fn pass(&mut self, records: &Records<'_, T>) {
        let plan = records.plan;
        records.input_parts(self);
        for (l, &owner) in records.owners.iter().enumerate() {
            self.example_letters.copy(l, &records.example.letters, owner);
            if let Some((references, which)) = records.shared {
                self.letters.copy(l, &references.letters, which[l]);
            }
        }
        self.clock.pass(Timed::Pair, records.owners.len());
        let mut i = 0;
        while i < plan.steps.len() {
            let start = self.clock.start();
            let fused = plan.steps[i].relu_fused;
            let behind = plan.steps[i].fused_behind();
            match (records.shared, fused) {
                (None, true) => self.fused_relu(records, i),
                (None, false) => {
                    if !records.computes(i) {
                        self.forward(plan, i, records.owners.len());
                    }
                    records.step(self, i);
                }
                (Some(_), true) => records.step(self, i + 1),
                (Some(_), false) => records.step(self, i),
            }
            self.clock.stop(Timed::Pair, i, start);
            i += 1 + behind;
        }
    }

    /// Computes a step's output on the references.
    fn forward(&mut self, plan: &Plan<T>, i: usize, lanes: usize) {
        let step = &plan.steps[i];
        let slot = Self::slot(plan, step.output);
        let mut out = std::mem::take(&mut self.values[slot]);
        let values = &self.values;
        let input = |t: usize| &values[Self::slot(plan, t)][..];
        evaluate(plan, step, lanes, &input, &self.letters, &mut out, &mut self.scratch);
        self.values[slot] = out;
    }

    /// A layer, the ReLU behind it and perhaps a residual sum in one pass of the kernel, which also leaves the ReLU's record.
    fn fused_relu(&mut self, r: &Records<'_, T>, i: usize) {
        let plan = r.plan;
        let (step, relu) = (&plan.steps[i], &plan.steps[i + 1]);
        let (x, z, y) = (step.inputs[0], step.output, plan.steps[i + step.fused_behind()].output);
        let len = &plan.tensors.len;
        let Kind::Elementwise(f, rule) = &relu.kind else { unreachable!("a ReLU is element-wise") };
        let slot = Self::slot(plan, y);
        let mut out = std::mem::take(&mut self.values[slot]);
        let lanes = r.owners.len();
        let input = &self.values[Self::slot(plan, x)][..lanes * len[x]];
        let mut records = std::mem::take(&mut self.records[i + 1].0);
        let mut epilogues = |l: usize, finish: &mut dyn FnMut(Epilogue<'_, T>)| {
            let out = lane_mut(&mut out, len[y], l);
            let base = step.base.map(|b| lane(&self.values[Self::slot(plan, b)], len[b], l));
            let record = lane_mut(&mut records, len[z], l);
            finish(match rule.uses_reference() {
                true => Epilogue::ReluRatio { out, base, ratio: record, actual: r.x(z, l) },
                false => Epilogue::Relu { out, pre: (plan.points > 0).then_some(record), base },
            });
        };
        layer(step, lanes, input, &self.letters, &mut epilogues, &mut self.scratch);
        for l in (0..lanes).filter(|_| !rule.uses_reference()) {
            let record = lane_mut(&mut records, len[z], l);
            if plan.points > 0 {
                // The derivative at the pair's own point.
                record.iter_mut().for_each(|m| *m = if *m > T::ZERO { T::ONE } else { T::ZERO });
            } else {
                let actual = r.x(z, l);
                let pair = Pair { x: actual, x0: actual, positive: &[], negative: &[] };
                rule.local(f.as_ref(), &pair, record, &mut [], &mut self.work.rule);
            }
        }
        self.records[i + 1].0 = records;
        self.values[slot] = out;
    }
}
