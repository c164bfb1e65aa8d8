//! A plan as data, for `describe` and `inspect`.
use deeplift_graph::operator::LinearKind;
use deeplift_graph::operator::Precision;
use deeplift_rules::Feed;
use deeplift_simd::Isa;
use serde_json::{json, Value};

use crate::plan::{Kind, Plan, Step};

/// Steps, rules, cost and warnings of a plan.
pub fn describe<T: Precision>(plan: &Plan<T>) -> Value {
    let steps: Vec<Value> = plan.steps.iter().map(|s| step(plan, s)).collect();
    let flops: f64 = plan.steps.iter().map(flops).sum();
    let weights: usize = plan.steps.iter().map(weights).sum();
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
    json!({
        "inputs": inputs.collect::<Vec<_>>(),
        "scored": scored.collect::<Vec<_>>(),
        "targets": targets.collect::<Vec<_>>(),
        "rule": plan.options.rule,
        "precision": if size_of::<T>() == 4 { "float32" } else { "float64" },
        "isa": Isa::active().name(),
        "references": plan.references,
        "pairsPerPass": plan.lanes,
        "steps": steps,
        "flopsPerPass": flops,
        "weightBytes": weights,
        "memoryPerThread": pair * plan.lanes + example,
        "completeRule": complete,
        "warnings": plan.warnings,
    })
}

fn step<T: Precision>(plan: &Plan<T>, s: &Step<T>) -> Value {
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
        "flops": flops(s),
        "fused": s.relu_fused,
        "splitDifferences": plan.tensors.parts[s.output],
        "splitMultipliers": plan.tensors.split[s.output],
    })
}

fn flops<T: Precision>(s: &Step<T>) -> f64 {
    match &s.kind {
        Kind::Linear(l, _) => l.flops(),
        Kind::ClosedForm(c) => c.flops(),
        _ => 0.0,
    }
}

fn weights<T: Precision>(s: &Step<T>) -> usize {
    match &s.kind {
        Kind::Linear(l, _) => l.weight_bytes(),
        Kind::ClosedForm(c) => c.weight_bytes(),
        _ => 0,
    }
}
