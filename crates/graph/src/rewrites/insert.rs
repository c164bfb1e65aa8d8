//! Nodes between a tensor and its readers.
use super::attributes;
use crate::error::Result;
use crate::graph::{Attributes, Graph, Node, TensorId, INTERNAL_OPSET};
use crate::operator::Registry;
use crate::wire::Attribute;
use crate::Constant;

/// Marks a tensor that is to be scored: its readers read the returned tensor, which keeps the file's order of axes.
///
/// # Errors
/// None for tensors of a bound graph.
pub fn mark_layer(graph: &mut Graph, registry: &dyn Registry, t: TensorId) -> Result<TensorId> {
    insert(graph, registry, t, &[("Layer", Attributes::new(), None)])
}

/// First-layer mean normalisation (SEMANTICS 2.5): `x - mean(x) + 1/n` along `axis`, in place of weights without mean
/// along it. An input that sums to one is left as it is, so the function is unchanged, padding included.
///
/// # Errors
/// None for tensors of a bound graph.
pub fn mean_normalise(
    graph: &mut Graph,
    registry: &dyn Registry,
    t: TensorId,
    axis: usize,
) -> Result<TensorId> {
    let n = graph.shape(t)[axis] as f64;
    let over = attributes([("axes", Attribute::Ints(vec![axis as i64])), ("keepdims", Attribute::Int(1))]);
    let share = Constant::f64(vec![], vec![1.0 / n]);
    insert(
        graph,
        registry,
        t,
        &[
            ("ReduceMean", over, None),
            ("Sub", Attributes::new(), None),
            ("Add", Attributes::new(), Some(share)),
        ],
    )
}

/// Puts operators behind `t`; each reads the one before, Sub reads `t` and the one before.
fn insert(
    graph: &mut Graph,
    registry: &dyn Registry,
    t: TensorId,
    ops: &[(&str, Attributes, Option<Constant>)],
) -> Result<TensorId> {
    let name = graph.tensors[t.0].name.clone();
    let mut made: Vec<Node> = vec![];
    let mut last = t;
    for (op, attrs, constant) in ops {
        let mut inputs = if *op == "Sub" { vec![Some(t), Some(last)] } else { vec![Some(last)] };
        inputs.extend(constant.as_ref().map(|c| Some(graph.add_constant(&name, c.clone()))));
        let node = graph.make_node(registry, &name, op, attrs.clone(), INTERNAL_OPSET, inputs)?;
        last = node.output;
        made.push(node);
    }
    let read = |own: &mut TensorId| {
        if *own == t {
            *own = last;
        }
    };
    graph.nodes.iter_mut().flat_map(|n| n.inputs.iter_mut().flatten()).for_each(read);
    graph.outputs.iter_mut().for_each(read);
    let at = graph.nodes.iter().position(|n| n.output == t).map_or(0, |i| i + 1);
    graph.nodes.splice(at..at, made);
    Ok(last)
}
