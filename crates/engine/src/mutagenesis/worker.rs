//! One thread's copy of the values of a sequence, in which letters are changed and taken back.
use deeplift_graph::operator::Precision;
use deeplift_kernels::{map, Scratch};
use deeplift_simd::Real;

use super::block::{Block, Part};
use super::Mutator;
use crate::forward::{lane, lane_mut, Tape};
use crate::plan::{Kind, Plan};

/// A position, and the letter that is put there.
pub(super) type Change = (usize, usize);

/// Buffers of one thread, one lane per change that is computed at the same time.
pub(super) struct Worker<T: Real> {
    tape: Tape<T>,
    scratch: Scratch<T>,
    /// The sequence whose values all lanes have.
    pub holds: Option<u64>,
}

impl<T: Precision> Worker<T> {
    pub fn new(plan: &Plan<T>) -> Self {
        Worker { tape: Tape::new(plan, plan.lanes), scratch: Scratch::default(), holds: None }
    }

    /// Runs a sequence as it is on a tape of one lane.
    pub fn base(&mut self, plan: &Plan<T>, tape: &mut Tape<T>) {
        tape.run(plan, 1, &mut self.scratch);
    }

    /// Takes over the values of a sequence.
    pub fn load(&mut self, plan: &Plan<T>, base: &Tape<T>) {
        for (own, base) in self.tape.buffers.iter_mut().zip(&base.buffers) {
            own.chunks_exact_mut(base.len().max(1))
                .take(plan.lanes)
                .for_each(|own| own.copy_from_slice(base));
        }
    }

    /// Applies the changes of a block one by one, tells the value of every target under each, and takes all back.
    pub fn run(
        &mut self,
        mutator: &Mutator<T>,
        base: &Tape<T>,
        block: &Block<T>,
        changes: &[Change],
        tell: &mut dyn FnMut(Change, usize, f64),
    ) {
        let plan = &mutator.program.plan;
        for some in changes.chunks(plan.lanes) {
            for (l, &(position, letter)) in some.iter().enumerate() {
                let column = mutator.column(position);
                let own = self.lane_mut(plan, mutator.tensor, l);
                for (k, at) in column.into_iter().enumerate() {
                    own[at] = if k == letter { T::ONE } else { T::ZERO };
                }
            }
            for (i, part) in block.parts.iter().enumerate() {
                self.part(plan, i, part, some.len());
            }
            for (l, &change) in some.iter().enumerate() {
                for (k, target) in plan.targets.iter().enumerate() {
                    tell(change, k, target.weights[0].value(self.tape.value(plan, target.tensor, l)));
                }
                let x = base.value(plan, mutator.tensor, 0);
                let own = self.lane_mut(plan, mutator.tensor, l);
                for at in mutator.column(change.0) {
                    own[at] = x[at];
                }
            }
        }
        for (t, range) in
            block.changed.iter().enumerate().filter(|(t, r)| *t != mutator.tensor && !r.is_empty())
        {
            for l in 0..plan.lanes.min(changes.len()) {
                let values = &base.value(plan, t, 0)[range.clone()];
                self.lane_mut(plan, t, l)[range.clone()].copy_from_slice(values);
            }
        }
    }

    fn lane_mut(&mut self, plan: &Plan<T>, tensor: usize, at: usize) -> &mut [T] {
        lane_mut(&mut self.tape.buffers[Tape::slot(plan, tensor)], plan.tensors.len[tensor], at)
    }

    /// Computes a part of step `i` in the first `lanes` lanes.
    fn part(&mut self, plan: &Plan<T>, i: usize, part: &Part<T>, lanes: usize) {
        let step = &plan.steps[i];
        let len = &plan.tensors.len;
        match part {
            Part::Nothing => return,
            Part::Whole => return self.tape.step(plan, i, lanes, &mut self.scratch),
            Part::Linear(map) => return self.tape.narrowed(plan, i, lanes, map.as_ref(), &mut self.scratch),
            _ => {}
        }
        let (slot, n) = (Tape::slot(plan, step.output), len[step.output]);
        let mut out = std::mem::take(&mut self.tape.buffers[slot]);
        for l in 0..lanes {
            let x = |port: usize| {
                let t = step.inputs[port];
                lane(&self.tape.buffers[Tape::slot(plan, t)], len[t], l)
            };
            let y = lane_mut(&mut out, n, l);
            match (part, &step.kind) {
                (Part::Sum(r), _) => map::add(&x(0)[r.clone()], &x(1)[r.clone()], &mut y[r.clone()]),
                (Part::Elementwise(r), Kind::Elementwise(f, _)) => {
                    f.apply(&x(0)[r.clone()], &mut y[r.clone()])
                }
                (Part::Selection(s), _) => s.forward(x(0), y),
                _ => unreachable!("a part is one of its step"),
            }
        }
        self.tape.buffers[slot] = out;
    }
}
