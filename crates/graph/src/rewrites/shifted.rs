//! Softmax and LogSumExp that an exporter spelled out. `log Σ exp(x - s) + s` and `exp(x - s) / Σ exp(x - s)` do not
//! depend on a shift `s` that is the same all along the summed axes, whatever computes it (a guarded maximum,
//! usually), so they are the operators themselves.
//! The pieces would have other contributions (SEMANTICS 3.1 iv), and the guard has no rule at all.
use super::attributes;
use super::pattern::{axes, behind, made_by, replace, Found, Lookup};
use crate::broadcast::axis_indices;
use crate::error::Result;
use crate::graph::{Attributes, Graph, TensorId};
use crate::operator::Registry;
use crate::wire::Attribute;

pub(super) fn run(graph: &mut Graph, registry: &dyn Registry) -> Result<()> {
    // The logarithm of a shifted sum is part of a larger pattern, so those come first.
    replace(graph, registry, |graph, i| match graph.nodes[i].op.as_str() {
        "Add" => log_sum_exp(graph, i),
        "Div" => softmax(graph, i),
        _ => None,
    })?;
    replace(graph, registry, |graph, i| match graph.nodes[i].op.as_str() {
        "Log" => plain_log_sum_exp(graph, i),
        _ => None,
    })
}

/// `exp(x - s)` or `exp(x)`: `x` and `s`, which does not vary along `axes`.
fn shifted_exp(
    graph: &Lookup<'_>,
    t: Option<TensorId>,
    axes: &[i64],
) -> Option<(TensorId, Option<TensorId>)> {
    let argument = made_by(graph, t, "Exp")?.inputs[0]?;
    let rank = graph.shape(argument).len();
    let axes = axis_indices(axes, rank).ok()?;
    match made_by(graph, Some(argument), "Sub") {
        Some(sub) if graph.shape(sub.inputs[0]?) == graph.shape(argument) => {
            let shift = graph.shape(sub.inputs[1]?);
            let lead = rank - shift.len();
            let level = axes.iter().all(|&a| a < lead || shift[a - lead] == 1);
            Some(if level { (sub.inputs[0]?, sub.inputs[1]) } else { (argument, None) })
        }
        _ => Some((argument, None)),
    }
}

fn log_sum_exp(graph: &Lookup<'_>, i: usize) -> Found {
    let node = &graph.nodes[i];
    let find = |log: usize, shift: usize| -> Found {
        let log = made_by(graph, node.inputs[log], "Log")?;
        let sum = made_by(graph, Some(behind(graph, log.inputs[0]?)), "ReduceSum")?;
        let axes = axes(graph, sum)?;
        let (x, s) = shifted_exp(graph, sum.inputs[0], &axes)?;
        if behind(graph, s?) != behind(graph, node.inputs[shift]?) {
            return None;
        }
        Some(over(axes, x))
    };
    find(0, 1).or_else(|| find(1, 0))
}

/// `log Σ exp(x)`.
fn plain_log_sum_exp(graph: &Lookup<'_>, i: usize) -> Found {
    let sum = made_by(graph, Some(behind(graph, graph.nodes[i].inputs[0]?)), "ReduceSum")?;
    let x = made_by(graph, sum.inputs[0], "Exp")?.inputs[0]?;
    Some(over(axes(graph, sum)?, x))
}

fn over(axes: Vec<i64>, x: TensorId) -> (&'static str, Attributes, TensorId) {
    let attrs = attributes([("axes", Attribute::Ints(axes)), ("keepdims", Attribute::Int(1))]);
    ("ReduceLogSumExp", attrs, x)
}

fn softmax(graph: &Lookup<'_>, i: usize) -> Found {
    let node = &graph.nodes[i];
    let e = node.inputs[0]?;
    let sum = made_by(graph, node.inputs[1], "ReduceSum")?;
    let [axis] = axes(graph, sum)?[..] else { return None };
    let kept = graph.shape(sum.output).len() == graph.shape(e).len();
    if sum.inputs[0] != Some(e) || !kept {
        return None;
    }
    let (x, _) = shifted_exp(graph, Some(e), &[axis])?;
    Some(("Softmax", attributes([("axis", Attribute::Int(axis))]), x))
}
