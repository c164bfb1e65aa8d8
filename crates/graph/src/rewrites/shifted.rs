//! Softmax and LogSumExp that an exporter spelled out. `log Σ exp(x - s) + s` and `exp(x - s) / Σ exp(x - s)` do not
//! depend on the shift `s`, whatever computes it (a guarded maximum, usually), so they are the operators themselves.
//! The pieces would have other contributions (SEMANTICS 3.1 iv), and the guard has no rule at all.
use super::attributes;
use crate::error::Result;
use crate::graph::{Attributes, Graph, Node, TensorId, INTERNAL_OPSET};
use crate::operator::Registry;
use crate::wire::Attribute;
use crate::Constant;

pub(super) fn run(graph: &mut Graph, registry: &dyn Registry) -> Result<()> {
    let mut i = 0;
    while i < graph.nodes.len() {
        let found = match graph.nodes[i].op.as_str() {
            "Add" => log_sum_exp(graph, i),
            "Div" => softmax(graph, i),
            _ => None,
        };
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

/// `exp(x - s)` or `exp(x)`: `x` and `s`.
fn shifted_exp(graph: &Graph, t: Option<TensorId>) -> Option<(TensorId, Option<TensorId>)> {
    let argument = made_by(graph, t, "Exp")?.inputs[0]?;
    match made_by(graph, Some(argument), "Sub") {
        Some(sub) if graph.shape(sub.inputs[0]?) == graph.shape(argument) => {
            Some((sub.inputs[0]?, sub.inputs[1]))
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
        let (x, s) = shifted_exp(graph, sum.inputs[0])?;
        if behind(graph, s?) != behind(graph, node.inputs[shift]?) {
            return None;
        }
        let attrs =
            attributes([("axes", Attribute::Ints(axes(graph, sum)?)), ("keepdims", Attribute::Int(1))]);
        Some(("ReduceLogSumExp", attrs, x))
    };
    find(0, 1).or_else(|| find(1, 0))
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
    let (x, _) = shifted_exp(graph, Some(e))?;
    Some(("Softmax", attributes([("axis", Attribute::Int(axis))]), x))
}
