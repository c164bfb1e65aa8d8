//! What a change of some positions can reach, and how only that is computed again.
use std::ops::Range;

use deeplift_graph::operator::{Linear, Pass, Selection};
use deeplift_simd::Real;

use crate::plan::{Kind, Plan, Step};

/// Neighbouring positions that are changed one after the other. What any of them reaches is computed again for each,
/// so that ranges are those of the block.
pub(super) struct Block<T: Real> {
    pub positions: Range<usize>,
    /// How each step is computed again.
    pub parts: Vec<Part<T>>,
    /// Elements of each tensor that may change.
    pub changed: Vec<Range<usize>>,
}

/// What of a step is computed again.
pub(super) enum Part<T: Real> {
    /// Nothing: its inputs do not change, or the kernel of a step before it computes it.
    Nothing,
    /// Everything, also what does not change.
    Whole,
    /// What a narrowed map computes.
    Linear(Box<dyn Linear<T>>),
    /// Elements of a sum of two tensors.
    Sum(Range<usize>),
    /// Elements of a function that is the same everywhere.
    Elementwise(Range<usize>),
    /// Some windows.
    Selection(Box<dyn Selection<T>>),
}

impl<T: Real> Block<T> {
    /// The block in which the elements `elements` of `input` change.
    pub fn new(plan: &Plan<T>, positions: Range<usize>, input: usize, elements: Range<usize>) -> Self {
        let mut changed = vec![0..0; plan.tensors.len.len()];
        changed[input] = elements;
        let mut parts = vec![];
        while let Some(step) = plan.steps.get(parts.len()) {
            let last = &plan.steps[parts.len() + step.fused_behind()];
            let live = &plan.tensors.live[last.output];
            let own = step.base.map_or(0..0, |base| changed[base].clone());
            let range = intersection(hull(reached(step, &changed), own), live);
            parts.push(part(step, &range, live));
            parts.extend((0..step.fused_behind()).map(|_| Part::Nothing));
            changed[last.output] = range;
        }
        Block { positions, parts, changed }
    }

    /// Operations of products for one change.
    pub fn flops(&self, plan: &Plan<T>) -> f64 {
        let one = |(step, part): (&Step<T>, &Part<T>)| match (part, &step.kind) {
            (Part::Linear(map), _) => map.work(Pass::Forward).flops,
            (Part::Whole, Kind::Linear(map, _)) => map.work(Pass::Forward).flops,
            (Part::Whole, Kind::ClosedForm(c)) => c.flops(),
            _ => 0.0,
        };
        plan.steps.iter().zip(&self.parts).map(one).sum()
    }
}

/// Output elements of a step that depend on a change, before any step behind it.
fn reached<T: Real>(step: &Step<T>, changed: &[Range<usize>]) -> Range<usize> {
    let inputs = step.inputs.iter().map(|&t| &changed[t]).enumerate().filter(|(_, r)| !r.is_empty());
    let by_port = |(port, r): (usize, &Range<usize>)| match &step.kind {
        Kind::Linear(map, _) => map.writes(port, r),
        Kind::Elementwise(..) => r.clone(),
        Kind::Selection(s) => s.writes(r),
        Kind::ClosedForm(c) => c.writes(port, r),
        Kind::Forward(_) => 0..usize::MAX,
    };
    inputs.map(by_port).reduce(hull).unwrap_or(0..0)
}

fn part<T: Real>(step: &Step<T>, range: &Range<usize>, live: &Range<usize>) -> Part<T> {
    if range.is_empty() {
        return Part::Nothing;
    }
    if range == live {
        return Part::Whole;
    }
    let found = match &step.kind {
        Kind::Linear(map, _) if map.is_plain_sum() && step.inputs.len() == 2 => {
            Some(Part::Sum(range.clone()))
        }
        Kind::Linear(map, _) => map.narrowed(range).map(Part::Linear),
        Kind::Elementwise(f, _) => f.is_uniform().then(|| Part::Elementwise(range.clone())),
        Kind::Selection(s) => s.narrowed(range).map(Part::Selection),
        Kind::ClosedForm(_) | Kind::Forward(_) => None,
    };
    found.unwrap_or(Part::Whole)
}

/// The least range that holds both.
fn hull(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    match (a.is_empty(), b.is_empty()) {
        (_, true) => a,
        (true, _) => b,
        _ => a.start.min(b.start)..a.end.max(b.end),
    }
}

fn intersection(a: Range<usize>, b: &Range<usize>) -> Range<usize> {
    let (start, end) = (a.start.max(b.start), a.end.min(b.end));
    start..end.max(start)
}
