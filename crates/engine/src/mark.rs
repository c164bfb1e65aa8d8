//! What the steps of a plan need of each other: where differences and multipliers are split into parts, which values are
//! kept, which ReLU is computed by the layer before it, and which buffer each tensor lives in.
use deeplift_graph::rule::Carry;
use deeplift_rules::NearZero;
use deeplift_simd::Real;

use crate::compile::Compiled;
use crate::memory::{Assignment, Life};
use crate::plan::{Kind, Layout, Step, Tensors};

/// Marks where differences and multipliers are split into parts, and which values on the example are kept.
///
/// Parts start at sources: scored tensors, and tensors that contributions do not pass. There the parts are the net
/// difference by sign.
pub fn mark<T: Real>(c: &mut Compiled<T>, targets: &[usize]) {
    let Compiled { steps, tensors, scored, .. } = c;
    for step in steps.iter().rev().filter(|s| s.attributed) {
        let out = step.output;
        let parts = tensors.parts[out] && !tensors.source[out];
        let split = tensors.split[out];
        let (parts, split) = match &step.kind {
            Kind::Linear(..) if step.splits_net() => (false, false),
            Kind::Linear(..) | Kind::Selection(_) => (parts, split),
            Kind::Elementwise(_, rule) => {
                ((parts && rule.is_complete()) || rule.splits(), split || rule.splits())
            }
            Kind::ClosedForm(_) | Kind::Forward(_) => (false, false),
        };
        for &i in &step.inputs {
            tensors.parts[i] |= parts;
            tensors.split[i] |= split && tensors.attributed[i];
        }
    }
    for t in scored.iter().filter_map(|s| s.tensor).chain(targets.iter().copied()) {
        tensors.kept[t] = true;
    }
    for t in 0..tensors.len.len() {
        tensors.kept[t] |= tensors.source[t] && tensors.parts[t];
    }
    for step in steps.iter_mut().filter(|s| s.attributed) {
        let out = step.output;
        let apart = (tensors.parts[out] && !tensors.source[out]) || tensors.split[out];
        let net = step.splits_net();
        match &mut step.kind {
            Kind::Linear(l, parts) => {
                if apart {
                    *parts = Some(l.parts());
                    step.inputs.iter().for_each(|&i| tensors.kept[i] |= net);
                }
            }
            Kind::ClosedForm(c) => {
                step.inputs.iter().for_each(|&i| tensors.kept[i] = true);
                tensors.kept[out] |= apart || c.reads_outputs();
            }
            Kind::Elementwise(_, rule) => {
                tensors.kept[step.inputs[0]] = true;
                tensors.kept[out] |= apart && !rule.is_complete();
            }
            Kind::Selection(_) => tensors.kept[step.inputs[0]] = true,
            Kind::Forward(_) => {}
        }
    }
}

/// Moves each ReLU that is the only reader of a fusable layer right behind it and lets the kernel apply it, unless one of `shown`,
/// which others look at, lies between.
pub fn fuse<T: Real>(steps: &mut Vec<Step<T>>, tensors: &Tensors, shown: &[usize], near: NearZero) {
    let mut readers = vec![vec![]; tensors.len.len()];
    for (i, step) in steps.iter().enumerate() {
        step.inputs.iter().for_each(|&t| readers[t].push(i));
    }
    let mut relu_of = vec![None; steps.len()];
    let mut moved = vec![false; steps.len()];
    for (i, step) in steps.iter().enumerate() {
        let out = step.output;
        let fusable = matches!(&step.kind, Kind::Linear(l, _) if l.fused().is_some());
        let whole = !shown.contains(&out) && !tensors.parts[out] && !tensors.split[out];
        if let ([r], true) = (&readers[out][..], fusable && whole) {
            relu_of[i] = Some(*r);
        }
    }
    for i in 0..steps.len() {
        let Some(r) = relu_of[i] else { continue };
        let relu = near == NearZero::Accurate
            && steps[i].attributed
            && matches!(&steps[r].kind, Kind::Elementwise(f, rule)
                if f.is_relu() && !rule.splits() && rule.carry() != Carry::Apply);
        steps[i].relu_fused = relu;
        moved[r] |= relu;
    }
    let mut waiting: Vec<Option<Step<T>>> = steps.drain(..).map(Some).collect();
    for i in 0..waiting.len() {
        if moved[i] {
            continue;
        }
        let Some(step) = waiting[i].take() else { continue };
        let relu = relu_of[i].filter(|_| step.relu_fused).and_then(|r| waiting[r].take());
        steps.push(step);
        steps.extend(relu);
    }
}

/// Assigns buffers from the lives of tensors in each pass.
pub fn layout<T: Real>(c: &Compiled<T>, targets: &[usize], trace: bool) -> Layout {
    let Compiled { steps, tensors, scored, inputs, .. } = c;
    let count = tensors.len.len();
    let n = steps.len();
    let mut born = vec![0; count];
    let mut last_read = vec![0; count];
    let mut hidden = vec![false; count];
    for (i, step) in steps.iter().enumerate() {
        born[step.output] = i;
        step.inputs.iter().for_each(|&t| last_read[t] = i);
        if step.relu_fused {
            hidden[step.output] = true;
        }
    }
    for (i, step) in steps.iter().enumerate().filter(|(_, s)| s.relu_fused) {
        // The ReLU's output is written while the layer runs.
        born[steps[i + 1].output] = i;
        last_read[step.output] = i;
    }
    let is_scored = |t: usize| scored.iter().any(|s| s.tensor == Some(t));
    let is_input = |t: usize| inputs.iter().any(|i| i.tensor == Some(t));
    let stays = |t: usize| trace || is_input(t) || is_scored(t) || targets.contains(&t);
    let end = |t: usize| if stays(t) { usize::MAX } else { last_read[t].max(born[t]) };
    let life = |t: usize, end: usize| Some(Life { start: born[t], end, len: tensors.len[t] });
    let each = |f: &dyn Fn(usize) -> Option<Life>| Assignment::new(&(0..count).map(f).collect::<Vec<_>>());
    // Backwards a fused ReLU is a step of its own, at its own place.
    let mut read_back = last_read.clone();
    let mut born_back = born.clone();
    for (i, step) in steps.iter().enumerate().filter(|(_, s)| s.relu_fused) {
        read_back[step.output] = i + 1;
        born_back[steps[i + 1].output] = i + 1;
    }
    let back = |t: usize| {
        if !tensors.attributed[t] && !is_scored(t) {
            return None;
        }
        let start = if targets.contains(&t) { 0 } else { n.saturating_sub(read_back[t] + 1) };
        let end = if is_scored(t) || trace { usize::MAX } else { n - 1 - born_back[t] };
        Some(Life { start, end, len: tensors.len[t] })
    };
    Layout {
        tape: each(&|t| life(t, if tensors.kept[t] { usize::MAX } else { end(t) })),
        reference: each(&|t| if hidden[t] { None } else { life(t, end(t)) }),
        parts: each(&|t| if tensors.parts[t] { life(t, end(t)) } else { None }),
        multipliers: each(&back),
        negative: each(&|t| if tensors.split[t] { back(t) } else { None }),
        records: steps.iter().map(|s| record_lens(s, tensors)).collect(),
        winners: steps
            .iter()
            .map(
                |s| {
                    if s.attributed && matches!(s.kind, Kind::Selection(_)) {
                        tensors.len[s.output]
                    } else {
                        0
                    }
                },
            )
            .collect(),
    }
}

fn record_lens<T: Real>(step: &Step<T>, tensors: &Tensors) -> (usize, usize) {
    let (input, out) = (step.inputs[0], step.output);
    let apart = |n: usize| if tensors.split[out] { n } else { 0 };
    if !step.attributed {
        return (0, 0);
    }
    match &step.kind {
        Kind::Linear(..) if step.splits_net() => (apart(tensors.len[input]), 0),
        Kind::Linear(..) => (0, 0),
        Kind::Elementwise(_, rule) => {
            let n = tensors.len[input];
            (n, if rule.splits() { n } else { 0 })
        }
        Kind::Selection(_) => (tensors.len[out], 0),
        Kind::ClosedForm(c) => (c.record_len(), apart(tensors.len[out])),
        Kind::Forward(_) => (0, 0),
    }
}
