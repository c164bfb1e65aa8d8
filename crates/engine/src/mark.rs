//! What the steps of a plan need of each other: where differences and multipliers are split into parts, which values are
//! kept, and which buffer each tensor lives in.
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

/// Assigns buffers from the lives of tensors in each pass.
pub fn layout<T: Real>(c: &Compiled<T>, targets: &[usize], trace: bool) -> Layout {
    let Compiled { steps, tensors, scored, inputs, .. } = c;
    let count = tensors.len.len();
    let n = steps.len();
    let readers = tensors.readers(steps);
    // Forwards, what a fused kernel writes is born with its first step; what is inside of it is never stored.
    let (mut born, mut hidden) = (vec![0; count], vec![Hidden::No; count]);
    steps.iter().enumerate().for_each(|(i, step)| born[step.output] = i);
    let mut written = born.clone();
    for (i, step) in steps.iter().enumerate().filter(|(_, s)| s.relu_fused) {
        let (inner, last) = (&steps[i..i + step.fused_behind()], &steps[i + step.fused_behind()]);
        written[last.output] = i;
        for inner in inner {
            let recorded = inner.relu_fused && inner.attributed;
            hidden[inner.output] = if recorded { Hidden::OnReferences } else { Hidden::Everywhere };
        }
    }
    let last_read = |t: usize| readers[t].last().copied().unwrap_or(0);
    let is_scored = |t: usize| scored.iter().any(|s| s.tensor == Some(t));
    let is_input = |t: usize| inputs.iter().any(|i| i.tensor == Some(t));
    let stays = |t: usize| trace || is_input(t) || is_scored(t) || targets.contains(&t);
    let end = |t: usize| if stays(t) { usize::MAX } else { last_read(t).max(born[t]) };
    let life = |t: usize, end: usize| Some(Life { start: written[t], end, len: tensors.len[t] });
    let each = |f: &dyn Fn(usize) -> Option<Life>| Assignment::new(&(0..count).map(f).collect::<Vec<_>>());
    // Backwards every step has its own place, but for products that the kernel behind them computes.
    let mut read_back: Vec<usize> = (0..count).map(last_read).collect();
    let mut skipped = vec![false; count];
    for (i, step) in steps.iter().enumerate() {
        if let Some(product) = step.product {
            read_back[steps[product].inputs[0]] = i;
            skipped[step.inputs[0]] = steps[product].output == step.inputs[0];
        }
    }
    let back = |t: usize| {
        if skipped[t] || (!tensors.attributed[t] && !is_scored(t)) {
            return None;
        }
        let start = if targets.contains(&t) { 0 } else { n.saturating_sub(read_back[t] + 1) };
        let end = if is_scored(t) || trace { usize::MAX } else { n - 1 - born[t] };
        Some(Life { start, end, len: tensors.len[t] })
    };
    let lives: Vec<Option<Life>> = (0..count).map(back).collect();
    let apart = |t: usize| stays(t) || tensors.split[t] || !tensors.attributed[t];
    Layout {
        tape: each(&|t| match hidden[t] {
            Hidden::Everywhere => None,
            _ => life(t, if tensors.kept[t] { usize::MAX } else { end(t) }),
        }),
        reference: each(&|t| if hidden[t] == Hidden::No { life(t, end(t)) } else { None }),
        parts: each(&|t| if tensors.parts[t] { life(t, end(t)) } else { None }),
        multipliers: Assignment::shared(&lives, &sums_in_place(steps, &born, &readers, &apart)),
        negative: each(&|t| if tensors.split[t] { back(t) } else { None }),
        records: steps.iter().map(|s| record_lens(s, tensors)).collect(),
        winners: steps.iter().map(|s| winners_len(s, tensors)).collect(),
    }
}

/// Which values of a tensor inside of a fused kernel are not stored.
#[derive(Clone, Copy, PartialEq)]
enum Hidden {
    No,
    OnReferences,
    Everywhere,
}

/// Tensors whose multipliers are those of the plain sum that reads them, as long as nothing else is added: they live in
/// its buffer. One summand may have other readers, which add to the buffer later (backwards); the multipliers of the
/// others must have been used up by then. `apart` tells tensors that need a buffer of their own.
fn sums_in_place<T: Real>(
    steps: &[Step<T>],
    born: &[usize],
    readers: &[Vec<usize>],
    apart: &dyn Fn(usize) -> bool,
) -> Vec<usize> {
    let mut buffer: Vec<usize> = (0..born.len()).collect();
    for (s, step) in steps.iter().enumerate().rev() {
        let plain = matches!(&step.kind, Kind::Linear(l, _) if l.is_plain_sum());
        if !step.attributed || !plain || apart(step.output) {
            continue;
        }
        let twice = |t: usize| step.inputs.iter().filter(|&&i| i == t).count() > 1;
        let fits = |&&t: &&usize| !apart(t) && !twice(t) && readers[t].last() == Some(&s);
        let Some(&main) = step.inputs.iter().filter(fits).max_by_key(|&&t| readers[t].len()) else {
            continue;
        };
        let others = readers[main].iter().rev().nth(1);
        for &t in step.inputs.iter().filter(fits) {
            if t == main || (readers[t].len() == 1 && others.is_none_or(|&o| o < born[t])) {
                buffer[t] = buffer[step.output];
            }
        }
    }
    buffer
}

fn winners_len<T: Real>(step: &Step<T>, tensors: &Tensors) -> usize {
    if step.attributed && matches!(step.kind, Kind::Selection(_)) {
        tensors.len[step.output]
    } else {
        0
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
