//! Counted work of a plan: operations and bytes per step and pass, which need no clock and no quiet machine.
//!
//! *Operations* are those of products (convolutions, dense layers, contractions). Element by element there are one or
//! two per value, which bytes tell better. *Bytes* count every buffer that a pass reads or writes once, wherever it
//! lies: how often a kernel comes back to it is the business of caches.
use deeplift_graph::operator::{ClosedForm, Linear, LinearKind, Parts, Pass, Precision};
use deeplift_graph::rule::{Carry, Rule};
use deeplift_kernels::one_hot::LETTERS;
use deeplift_kernels::Work;

use crate::plan::{Kind, Plan, Step};

/// What one step does in one pass for one pair.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    /// Kernel, operations that are executed, bytes of weights.
    pub work: Work,
    /// Operations of the same maps counted densely, without fill and shortcuts.
    pub dense: f64,
    /// Bytes of values, differences and multipliers.
    pub values: usize,
    /// Bytes of records: what the forward pass leaves for the multipliers.
    pub records: usize,
    /// Pairs that share one reading of the weights.
    pub sharing: usize,
}

impl Cost {
    /// Bytes read and written for one pair.
    pub fn bytes(&self) -> f64 {
        (self.values + self.records) as f64 + self.work.weight_bytes as f64 / self.sharing.max(1) as f64
    }

    fn of_values(values: usize) -> Self {
        Cost { values, ..Cost::default() }
    }

    /// What a kernel computes along with another step, where results are in registers.
    fn in_epilogue(values: usize) -> Self {
        Cost { work: Work { kernel: "in the epilogue".into(), ..Work::default() }, values, ..Cost::default() }
    }
}

/// One step of a plan.
#[derive(Clone, Debug, Default)]
pub struct StepCost {
    /// The values of an example, or of a reference.
    pub forward: Cost,
    /// The local linear map of a pair, and the parts of differences that rules ask for.
    pub record: Option<Cost>,
    /// The multipliers of one target.
    pub adjoint: Option<Cost>,
}

/// Totals of a plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct Total {
    /// Operations that are executed.
    pub flops: f64,
    /// Operations counted densely.
    pub dense: f64,
    /// Bytes read and written.
    pub bytes: f64,
}

impl Total {
    fn add(&mut self, cost: &Cost) {
        self.flops += cost.work.flops;
        self.dense += cost.dense;
        self.bytes += cost.bytes();
    }
}

/// The work of every step.
pub fn steps<T: Precision>(plan: &Plan<T>) -> Vec<StepCost> {
    let mut written = vec![false; plan.tensors.len.len()];
    plan.targets.iter().for_each(|t| written[t.tensor] = true);
    let mut fused = vec![false; plan.steps.len()];
    for (i, step) in plan.steps.iter().enumerate() {
        fused[i + 1..][..step.fused_behind()].fill(true);
    }
    let mut all: Vec<StepCost> = Vec::with_capacity(plan.steps.len());
    // Backwards, as multipliers go: the first reader of a tensor writes them, all others add.
    for (i, step) in plan.steps.iter().enumerate().rev() {
        let count = Count { plan, step, at: i };
        all.push(StepCost {
            forward: if fused[i] { count.fused_forward() } else { count.forward() },
            record: step.attributed.then(|| count.record(fused[i])),
            adjoint: (step.attributed && written[step.output]).then(|| count.adjoint(&mut written)),
        });
    }
    all.reverse();
    all
}

/// Totals of one example, and of one pair with all targets. Values on references that serve all examples are no work
/// of a pair.
pub fn totals<T: Precision>(plan: &Plan<T>, steps: &[StepCost]) -> (Total, Total) {
    let (mut example, mut pair) = (Total::default(), Total::default());
    for step in steps {
        example.add(&step.forward);
        if !plan.has_constant_references() {
            pair.add(&step.forward);
        }
        step.record.iter().for_each(|cost| pair.add(cost));
        for _ in &plan.targets {
            step.adjoint.iter().for_each(|cost| pair.add(cost));
        }
    }
    (example, pair)
}

/// Counts one step.
struct Count<'a, T: Precision> {
    plan: &'a Plan<T>,
    step: &'a Step<T>,
    /// Which step it is.
    at: usize,
}

impl<T: Precision> Count<'_, T> {
    /// Bytes of a tensor's values in one lane. Layers leave out those that nothing depends on.
    fn bytes(&self, tensor: usize) -> usize {
        let tensors = &self.plan.tensors;
        let layer = matches!(self.step.kind, Kind::Linear(..));
        size_of::<T>() * if layer { tensors.live[tensor].len() } else { tensors.len[tensor] }
    }

    fn inputs(&self) -> usize {
        self.step.inputs.iter().map(|&t| self.bytes(t)).sum()
    }

    fn output(&self) -> usize {
        self.bytes(self.step.output)
    }

    fn linear(&self, l: &dyn Linear<T>, pass: Pass) -> Cost {
        let sharing = if l.kind() == LinearKind::Dense { self.plan.lanes } else { 1 };
        Cost { work: l.work(pass), dense: l.flops(), sharing, ..Cost::default() }
    }

    fn closed_form(&self, c: &dyn ClosedForm<T>, pass: Pass) -> Cost {
        let work = c.work(pass);
        let dense = work.flops;
        Cost { work, dense, sharing: self.plan.lanes, ..Cost::default() }
    }

    fn forward(&self) -> Cost {
        let values = self.inputs() + self.output();
        match &self.step.kind {
            Kind::Linear(l, _) => match &self.step.one_hot {
                // As sequences take it; inputs of other numbers are multiplied.
                Some(letters) => {
                    let codes = self.plan.tensors.len[self.step.inputs[0]] / LETTERS;
                    let (work, values) = (letters.work(Pass::Forward), codes + self.output());
                    Cost { work, dense: l.flops(), values, ..Cost::default() }
                }
                None => Cost { values, ..self.linear(l.as_ref(), Pass::Forward) },
            },
            Kind::ClosedForm(c) => Cost { values, ..self.closed_form(c.as_ref(), Pass::Forward) },
            Kind::Elementwise(..) | Kind::Selection(_) | Kind::Forward(_) => Cost::of_values(values),
        }
    }

    /// A ReLU, or the residual sum behind it, as the layer stores: it reads what the residual connection brings.
    fn fused_forward(&self) -> Cost {
        let base = (0..self.at).rev().find_map(|i| {
            let layer = &self.plan.steps[i];
            (i + layer.fused_behind() == self.at).then_some(layer.base).flatten()
        });
        Cost::in_epilogue(base.map_or(0, |t| self.bytes(t)))
    }

    /// Both positive and negative parts through both signs of the weights.
    fn split(&self, l: &dyn Linear<T>, parts: &Parts<T>, pass: Pass) -> Cost {
        let signs = [&parts.positive, &parts.negative].into_iter().flatten();
        let all = signs.map(|part| self.linear(part.as_ref(), pass)).fold(Cost::default(), |all, one| Cost {
            work: all.work + one.work.times(2),
            dense: all.dense + 2.0 * l.flops(),
            sharing: one.sharing,
            ..Cost::default()
        });
        Cost { values: 2 * (self.inputs() + self.output()), ..all }
    }

    fn record(&self, fused: bool) -> Cost {
        let out = self.step.output;
        let tensors = &self.plan.tensors;
        let parts = tensors.parts[out] && !tensors.source[out];
        let mut cost = match &self.step.kind {
            Kind::Linear(l, Some(p)) if parts => self.split(l.as_ref(), p, Pass::Forward),
            Kind::Linear(..) | Kind::Forward(_) => Cost::default(),
            // The kernel has the value on the reference at hand.
            Kind::Elementwise(..) if fused => Cost::of_values(self.inputs()),
            Kind::Elementwise(_, rule) => Cost::of_values(self.elementwise_record(rule.as_ref(), parts)),
            Kind::Selection(_) | Kind::ClosedForm(_) => Cost::of_values(2 * self.inputs()),
        };
        cost.records = self.records();
        cost
    }

    fn elementwise_record(&self, rule: &dyn Rule<T>, parts: bool) -> usize {
        let own = if rule.carry() == Carry::Apply { 0 } else { 2 * self.inputs() };
        let read = if rule.splits() { 2 * self.inputs() } else { 0 };
        own + read + if parts { 2 * (self.inputs() + self.output()) } else { 0 }
    }

    /// Bytes of the record, and of the winners of a selection.
    fn records(&self) -> usize {
        let layout = &self.plan.layout;
        let (first, second) = layout.records[self.at];
        (first + second) * size_of::<T>() + layout.winners[self.at] * size_of::<u32>()
    }

    /// The layer whose adjoint multiplies by the record of this step.
    fn multiplied_by(&self) -> Option<&Step<T>> {
        self.plan.steps.iter().find(|s| s.product == Some(self.at))
    }

    fn adjoint(&self, written: &mut [bool]) -> Cost {
        let tensors = &self.plan.tensors;
        let apart = |t: usize| 1 + usize::from(tensors.split[t]);
        let mut cost = match &self.step.kind {
            Kind::Linear(l, Some(parts)) if tensors.split[self.step.output] => {
                self.split(l.as_ref(), parts, Pass::Adjoint)
            }
            Kind::Linear(l, _) => match self.step.one_hot.as_ref().filter(|_| self.step.differences) {
                Some(letters) => {
                    Cost { work: letters.work(Pass::Adjoint), dense: l.flops(), ..Cost::default() }
                }
                None => self.linear(l.as_ref(), Pass::Adjoint),
            },
            Kind::ClosedForm(c) => self.closed_form(c.as_ref(), Pass::Adjoint),
            Kind::Elementwise(..) | Kind::Selection(_) | Kind::Forward(_) => Cost::default(),
        };
        cost.values = self.output() * apart(self.step.output);
        let slots = &self.plan.layout.multipliers.slot;
        for &t in self.step.inputs.iter().filter(|&&t| tensors.attributed[t]) {
            // What is added to is read before it is written; the summands of a plain sum share its buffer.
            let in_place = slots[t].is_some() && slots[t] == slots[self.step.output];
            if !in_place {
                cost.values += self.bytes(t) * apart(t) * (1 + usize::from(written[t]));
            }
            written[t] = true;
        }
        if let Some(layer) = self.multiplied_by() {
            // Where the layer keeps the multipliers of its own input too, these are one more result.
            let kept = layer.inputs[0] != self.step.output;
            cost = Cost::in_epilogue(if kept { self.output() } else { 0 });
        }
        cost.records = self.records();
        cost
    }
}
