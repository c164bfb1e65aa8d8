//! A plan as data, for `describe` and `inspect`.
use deeplift_graph::operator::LinearKind;
use deeplift_graph::operator::Precision;
use deeplift_rules::Feed;
use deeplift_simd::amx::TileUnit;
use deeplift_simd::Isa;
use serde_json::{json, Value};

use crate::memory::Assignment;
use crate::plan::{Kind, Layout, Plan, Step};
use crate::work::{self, Cost, StepCost, Total};

/// Steps, rules, cost and warnings of a plan.
pub fn describe<T: Precision>(plan: &Plan<T>) -> Value {
    let costs = work::steps(plan);
    let (per_example, per_pair) = work::totals(plan, &costs);
    let steps: Vec<Value> = plan.steps.iter().zip(&costs).map(|(s, cost)| step(plan, s, cost)).collect();
    let flops: f64 = plan.steps.iter().map(flops).sum();
    let weights = plan.weights();
    let (pair, example) = plan.lane_bytes();
    let complete = plan.points == 0 && plan.steps.iter().all(|s| !s.attributed || s.is_complete());
    let inputs = plan.inputs.iter().map(|i| {
        json!({ "name": i.name, "shape": i.shape,
                "attributed": i.tensor.is_some_and(|t| plan.tensors.attributed[t]),
                "channelAxisFound": i.letter_axis.is_some(), "reordered": i.order.is_some() })
    });
    let layers = !plan.options.layers.is_empty();
    let scored = plan.scored.iter().map(
        |s| json!({ "name": s.name, "shape": s.shape, "letters": s.letter_axis.is_some(), "layer": layers }),
    );
    let targets = plan
        .targets
        .iter()
        .zip(&plan.options.targets)
        .map(|(t, given)| json!({ "tensor": given.tensor, "explained": t.name, "shape": t.shape }));
    let reduced = plan.options.precision.products().map(|_| plan.options.precision.name());
    let floats = if size_of::<T>() == 4 { "float32" } else { "float64" };
    json!({
        "inputs": inputs.collect::<Vec<_>>(),
        "scored": scored.collect::<Vec<_>>(),
        "targets": targets.collect::<Vec<_>>(),
        "rule": plan.options.rule,
        "precision": reduced.unwrap_or(floats),
        "isa": Isa::active().name(),
        "bf16Unit": reduced.and(TileUnit::active()).map(TileUnit::name),
        "references": plan.references,
        "pairsPerPass": plan.lanes,
        "steps": steps,
        "flopsPerPass": flops,
        "workPerExample": total(&per_example),
        "workPerPair": total(&per_pair),
        "constantReferences": plan.has_constant_references(),
        "weightBytes": weights.packed + weights.unpacked,
        "packedBytes": weights.packed,
        "memoryPerThread": pair * plan.lanes + example,
        "memoryPerPair": pair,
        "memoryPerExample": example,
        "buffers": buffers::<T>(&plan.layout),
        "completeRule": complete,
        "warnings": plan.warnings,
    })
}

/// Number of buffers and bytes of one lane, by what they hold.
fn buffers<T: Precision>(layout: &Layout) -> Value {
    let size = size_of::<T>();
    let of = |lens: &[usize], size: usize| json!({ "count": lens.len(), "bytes": lens.iter().sum::<usize>() * size });
    let all = |a: &Assignment| of(&a.lens, size);
    let used = |lens: &mut dyn Iterator<Item = usize>| lens.filter(|&n| n > 0).collect::<Vec<_>>();
    json!({
        "examples": all(&layout.tape),
        "references": all(&layout.reference),
        "parts": of(&[&layout.parts.lens[..], &layout.parts.lens].concat(), size),
        "multipliers": of(&[&layout.multipliers.lens[..], &layout.negative.lens].concat(), size),
        "records": of(&used(&mut layout.records.iter().flat_map(|&(a, b)| [a, b])), size),
        "winners": of(&used(&mut layout.winners.iter().copied()), size_of::<u32>()),
    })
}

fn total(t: &Total) -> Value {
    json!({ "flops": t.flops, "denseFlops": t.dense, "bytes": t.bytes })
}

fn pass(cost: &Cost) -> Value {
    json!({
        "kernel": cost.work.kernel,
        "flops": cost.work.flops,
        "weightBytes": cost.work.weight_bytes,
        "valueBytes": cost.values,
        "recordBytes": cost.records,
        "pairsPerReading": cost.sharing.max(1),
    })
}

fn step<T: Precision>(plan: &Plan<T>, s: &Step<T>, cost: &StepCost) -> Value {
    let structure = match &s.kind {
        Kind::Linear(l, _) => match l.kind() {
            LinearKind::Convolution => "convolution",
            LinearKind::Dense => "dense",
            LinearKind::Transparent => "layout or scale",
            LinearKind::Aggregate => "sum",
        },
        Kind::Elementwise(..) => "element-wise",
        _ if s.max.is_some() => "selection",
        Kind::Selection(_) => "selection",
        Kind::ClosedForm(_) => "closed form",
        Kind::Forward(_) => "computed only",
    };
    json!({
        "node": s.name,
        "op": s.op,
        "structure": structure,
        "rule": s.applied(),
        "complete": s.is_complete(),
        "attributed": s.attributed,
        "fedBy": s.feed.map(|f| match f {
            Feed::Convolution => "convolution",
            Feed::Dense => "dense",
            Feed::Other => "other",
        }),
        "shape": plan.tensors.shape[s.output],
        "inputShapes": s.inputs.iter().map(|&t| &plan.tensors.shape[t]).collect::<Vec<_>>(),
        "flops": flops(s),
        "forward": pass(&cost.forward),
        "record": cost.record.as_ref().map(pass),
        "adjoint": cost.adjoint.as_ref().map(pass),
        "fused": s.relu_fused,
        "splitDifferences": plan.tensors.parts[s.output],
        "splitMultipliers": plan.tensors.split[s.output],
    })
}

pub(crate) fn flops<T: Precision>(s: &Step<T>) -> f64 {
    match &s.kind {
        Kind::Linear(l, _) => l.flops(),
        Kind::ClosedForm(c) => c.flops(),
        _ => 0.0,
    }
}
