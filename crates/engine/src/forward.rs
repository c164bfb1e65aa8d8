//! The forward pass of examples, and of references that serve many examples.
use deeplift_kernels::{Epilogue, Epilogues, Scratch};
use deeplift_simd::{AlignedVec, Real};

use deeplift_graph::operator::{FusedLinear, Linear};

use crate::letters::Letters;
use crate::plan::{Kind, Plan, Step};
use crate::timing::{Clock, Timed};

/// Values on examples, one lane per example. Tensors that the pairs need stay valid until the next run.
pub struct Tape<T: Real> {
    pub(crate) buffers: Vec<AlignedVec<T>>,
    pub(crate) letters: Letters,
    pub(crate) clock: Clock,
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
        Tape {
            buffers: plan.layout.tape.allocate(lanes),
            letters: Letters::new(plan, lanes),
            clock: Clock::new(plan.steps.len(), plan.options.timed),
        }
    }

    pub(crate) fn slot(plan: &Plan<T>, tensor: usize) -> usize {
        plan.layout.tape.slot[tensor].expect("every tensor of a step is on the tape")
    }

    /// Value of a tensor on one example.
    pub fn value(&self, plan: &Plan<T>, tensor: usize, at: usize) -> &[T] {
        lane(&self.buffers[Self::slot(plan, tensor)], plan.tensors.len[tensor], at)
    }

    /// Writes an input of one example.
    pub fn write_input(&mut self, plan: &Plan<T>, tensor: usize, at: usize, write: impl FnOnce(&mut [T])) {
        let own = lane_mut(&mut self.buffers[Self::slot(plan, tensor)], plan.tensors.len[tensor], at);
        write(own);
        self.letters.read(tensor, at, own);
    }

    /// Runs the examples in the first `lanes` lanes; their inputs are written already.
    pub fn run(&mut self, plan: &Plan<T>, lanes: usize, scratch: &mut Scratch<T>) {
        self.clock.pass(Timed::Example, lanes);
        let mut i = 0;
        while i < plan.steps.len() {
            let start = self.clock.start();
            self.step(plan, i, lanes, scratch);
            self.clock.stop(Timed::Example, i, start);
            i += 1 + plan.steps[i].fused_behind();
        }
    }

    /// Runs one step, with those behind it that its kernel computes too.
    pub(crate) fn step(&mut self, plan: &Plan<T>, i: usize, lanes: usize, scratch: &mut Scratch<T>) {
        if plan.steps[i].relu_fused {
            self.fused_relu(plan, i, lanes, None, scratch);
        } else {
            self.plain(plan, i, lanes, scratch);
        }
    }

    /// The same of a linear step by a map that computes a part of its output.
    pub(crate) fn narrowed(
        &mut self,
        plan: &Plan<T>,
        i: usize,
        lanes: usize,
        map: &dyn Linear<T>,
        scratch: &mut Scratch<T>,
    ) {
        let step = &plan.steps[i];
        if step.relu_fused {
            return self.fused_relu(plan, i, lanes, map.fused(), scratch);
        }
        let (slot, len) = (Self::slot(plan, step.output), &plan.tensors.len);
        let mut out = std::mem::take(&mut self.buffers[slot]);
        let input = |&t: &usize| &self.buffers[Self::slot(plan, t)][..lanes * len[t]];
        let x: Vec<&[T]> = step.inputs.iter().map(input).collect();
        map.forward(lanes, &x, &mut out[..lanes * len[step.output]], scratch);
        self.buffers[slot] = out;
    }

    fn plain(&mut self, plan: &Plan<T>, i: usize, lanes: usize, scratch: &mut Scratch<T>) {
        let step = &plan.steps[i];
        let slot = Self::slot(plan, step.output);
        let mut out = std::mem::take(&mut self.buffers[slot]);
        let input = |t: usize| &self.buffers[Self::slot(plan, t)][..];
        evaluate(plan, step, lanes, &input, &self.letters, &mut out, scratch);
        self.buffers[slot] = out;
    }

    /// A layer and the ReLU behind it, by `map` where that is given.
    fn fused_relu(
        &mut self,
        plan: &Plan<T>,
        i: usize,
        lanes: usize,
        map: Option<&dyn FusedLinear<T>>,
        scratch: &mut Scratch<T>,
    ) {
        let step = &plan.steps[i];
        let len = &plan.tensors.len;
        let (x, z, y) = (step.inputs[0], step.output, plan.steps[i + step.fused_behind()].output);
        // The pre-activation is kept for records only.
        let kept = plan.layout.tape.slot[z];
        let mut pre = kept.map(|slot| std::mem::take(&mut self.buffers[slot]));
        let mut out = std::mem::take(&mut self.buffers[Self::slot(plan, y)]);
        let mut epilogues = |l: usize, finish: &mut dyn FnMut(Epilogue<'_, T>)| {
            finish(Epilogue::Relu {
                out: lane_mut(&mut out, len[y], l),
                pre: pre.as_mut().map(|pre| lane_mut(pre, len[z], l)),
                base: step.base.map(|b| lane(&self.buffers[Self::slot(plan, b)], len[b], l)),
            });
        };
        let input = &self.buffers[Self::slot(plan, x)][..lanes * len[x]];
        match map {
            Some(map) => map.forward_lanes(lanes, input, &mut epilogues, scratch),
            None => layer(step, lanes, input, &self.letters, &mut epilogues, scratch),
        }
        if let (Some(slot), Some(pre)) = (kept, pre) {
            self.buffers[slot] = pre;
        }
        self.buffers[Self::slot(plan, y)] = out;
    }
}

/// The kernel entry of a step that takes an epilogue.
fn fused<T: Real>(step: &Step<T>) -> &dyn FusedLinear<T> {
    match &step.kind {
        Kind::Linear(l, _) => l.fused().expect("only steps with an epilogue are fused"),
        _ => unreachable!("only linear steps are fused"),
    }
}

/// The lanes of a step that takes an epilogue: each by the letters of its input if there are any, otherwise by its values,
/// evenly where windows may be equal.
pub(crate) fn layer<T: Real>(
    step: &Step<T>,
    lanes: usize,
    x: &[T],
    letters: &Letters,
    epilogues: Epilogues<'_, T>,
    scratch: &mut Scratch<T>,
) {
    if step.one_hot.is_none() && !step.uneven {
        return fused(step).forward_lanes(lanes, x, epilogues, scratch);
    }
    let len = x.len() / lanes.max(1);
    for at in 0..lanes {
        let x = lane(x, len, at);
        epilogues(at, &mut |epilogue| match (&step.one_hot, letters.codes(step.inputs[0], at)) {
            (Some(kernel), Some(codes)) => kernel.forward_with(codes, epilogue, scratch),
            _ if step.uneven && !letters.distinct(at) => fused(step).forward_even(x, epilogue, scratch),
            _ => fused(step).forward_with(x, epilogue, scratch),
        });
    }
}

/// Computes a step's output for all lanes.
pub(crate) fn evaluate<'a, T: Real>(
    plan: &Plan<T>,
    step: &Step<T>,
    lanes: usize,
    input: &dyn Fn(usize) -> &'a [T],
    letters: &Letters,
    out: &mut [T],
    scratch: &mut Scratch<T>,
) {
    let len = &plan.tensors.len;
    let n = len[step.output];
    match &step.kind {
        Kind::Linear(..) if step.one_hot.is_some() || step.uneven => {
            let t = step.inputs[0];
            let mut store = |l: usize, finish: &mut dyn FnMut(Epilogue<'_, T>)| {
                finish(Epilogue::Store { out: lane_mut(out, n, l) });
            };
            layer(step, lanes, &input(t)[..lanes * len[t]], letters, &mut store, scratch);
        }
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
            let x: Vec<&[T]> = step.inputs.iter().map(|&t| &input(t)[..lanes * len[t]]).collect();
            c.forward_lanes(lanes, &x, &mut out[..lanes * n], scratch);
        }
        Kind::Forward(f) => {
            for l in 0..lanes {
                let x: Vec<&[T]> = step.inputs.iter().map(|&t| lane(input(t), len[t], l)).collect();
                f.forward(&x, lane_mut(out, n, l));
            }
        }
    }
}
