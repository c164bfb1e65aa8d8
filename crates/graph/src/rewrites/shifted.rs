//! Softmax and LogSumExp that an exporter spelled out. `log Σ exp(x - s) + s` and `exp(x - s) / Σ exp(x - s)` do not
//! depend on a shift `s` that is the same all along the summed axes, whatever computes it (a guarded maximum,
//! usually), so they are the operators themselves.
//! The pieces would have other contributions (SEMANTICS 3.1 iv), and the guard has no rule at all.
use super::attributes;
use crate::broadcast::axis_indices;
use crate::error::Result;
use crate::graph::{Attributes, Graph, Node, TensorId, INTERNAL_OPSET};
use crate::operator::Registry;
use crate::wire::Attribute;
use crate::Constant;

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

fn replace(graph: &mut Graph, registry: &dyn Registry, find: impl Fn(&Graph, usize) -> Found) -> Result<()> {
    let mut i = 0;
    while i < graph.nodes.len() {
        let found = find(graph, i);
        i += 1;
        let Some((op, attrs, x)) = found else { continue };
        let at = i - 1;
        let Node { name, output, .. } = graph.nodes[at].clone();
        let made = graph.make_node(registry, &name, op, attrs, INTERNAL_OPSET, vec![Some(x)])?;
        let inner = made.output;
        if graph.shape(inner) == graph.shape(output) {
            graph.nodes[at] = Node { output, ..made };
        } else {
            let dims = graph.shape(output).iter().map(|&d| d as i64).collect::<Vec<_>>();
            let shape = Some(graph.add_constant(&name, Constant::i64(vec![dims.len()], dims)));
            let inputs = vec![Some(inner), shape];
            let view =
                graph.make_node(registry, &name, "Reshape", Attributes::new(), INTERNAL_OPSET, inputs)?;
            graph.nodes[at] = Node { output, ..view };
            graph.nodes.insert(at, made);
            i += 1;
        }
    }
    graph.remove_dead();
    Ok(())
}

type Found = Option<(&'static str, Attributes, TensorId)>;

/// The node that produces a tensor, if it is of this operator.
fn made_by<'a>(graph: &'a Graph, t: Option<TensorId>, op: &str) -> Option<&'a Node> {
    let node = &graph.nodes[graph.producer(t?)?];
    (node.op == op).then_some(node)
}

/// The tensor behind views.
fn behind(graph: &Graph, mut t: TensorId) -> TensorId {
    while let Some(node) = made_by(graph, Some(t), "Reshape") {
        match node.inputs[0] {
            Some(input) => t = input,
            None => break,
        }
    }
    t
}

/// `exp(x - s)` or `exp(x)`: `x` and `s`, which does not vary along `axes`.
fn shifted_exp(graph: &Graph, t: Option<TensorId>, axes: &[i64]) -> Option<(TensorId, Option<TensorId>)> {
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

/// The axes that a sum reduces.
fn axes(graph: &Graph, sum: &Node) -> Option<Vec<i64>> {
    match sum.attrs.get("axes") {
        Some(Attribute::Ints(axes)) => Some(axes.clone()),
        _ => graph.constant(sum.inputs.get(1).copied().flatten())?.to_i64().ok(),
    }
}

fn log_sum_exp(graph: &Graph, i: usize) -> Found {
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
fn plain_log_sum_exp(graph: &Graph, i: usize) -> Found {
    let sum = made_by(graph, Some(behind(graph, graph.nodes[i].inputs[0]?)), "ReduceSum")?;
    let x = made_by(graph, sum.inputs[0], "Exp")?.inputs[0]?;
    Some(over(axes(graph, sum)?, x))
}

fn over(axes: Vec<i64>, x: TensorId) -> (&'static str, Attributes, TensorId) {
    let attrs = attributes([("axes", Attribute::Ints(axes)), ("keepdims", Attribute::Int(1))]);
    ("ReduceLogSumExp", attrs, x)
}

fn softmax(graph: &Graph, i: usize) -> Found {
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
