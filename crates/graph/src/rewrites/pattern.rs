//! Patterns of nodes that one operator stands for.
use std::collections::HashMap;

use crate::error::Result;
use crate::graph::{Attributes, Graph, Node, TensorId, INTERNAL_OPSET};
use crate::operator::Registry;
use crate::wire::Attribute;
use crate::Constant;

/// Rewrites every node that `find` recognises; it looks at the graph as it was before.
pub(super) fn replace(
    graph: &mut Graph,
    registry: &dyn Registry,
    find: impl Fn(&Lookup<'_>, usize) -> Found,
) -> Result<()> {
    let lookup = Lookup { graph, producer: graph.producers() };
    let found: Vec<Found> = (0..graph.nodes.len()).map(|i| find(&lookup, i)).collect();
    for (node, found) in std::mem::take(&mut graph.nodes).into_iter().zip(found) {
        let Some((op, attrs, x)) = found else {
            graph.nodes.push(node);
            continue;
        };
        let Node { name, output, .. } = node;
        let made = graph.make_node(registry, &name, op, attrs, INTERNAL_OPSET, vec![Some(x)])?;
        if graph.shape(made.output) == graph.shape(output) {
            graph.nodes.push(Node { output, ..made });
            continue;
        }
        let dims = graph.shape(output).iter().map(|&d| d as i64).collect::<Vec<_>>();
        let shape = Some(graph.add_constant(&name, Constant::i64(vec![dims.len()], dims)));
        let inputs = vec![Some(made.output), shape];
        let view = graph.make_node(registry, &name, "Reshape", Attributes::new(), INTERNAL_OPSET, inputs)?;
        graph.nodes.extend([made, Node { output, ..view }]);
    }
    graph.remove_dead();
    Ok(())
}

/// A graph, and the node that produces each tensor.
pub(super) struct Lookup<'a> {
    graph: &'a Graph,
    producer: HashMap<TensorId, usize>,
}

impl std::ops::Deref for Lookup<'_> {
    type Target = Graph;

    fn deref(&self) -> &Graph {
        self.graph
    }
}

/// What stands for a node: operator, attributes and input.
pub(super) type Found = Option<(&'static str, Attributes, TensorId)>;

/// The node that produces a tensor, if it is of this operator.
pub(super) fn made_by<'a>(graph: &'a Lookup<'_>, t: Option<TensorId>, op: &str) -> Option<&'a Node> {
    let node = &graph.nodes[*graph.producer.get(&t?)?];
    (node.op == op).then_some(node)
}

/// The tensor behind views.
pub(super) fn behind(graph: &Lookup<'_>, mut t: TensorId) -> TensorId {
    while let Some(node) = made_by(graph, Some(t), "Reshape") {
        match node.inputs[0] {
            Some(input) => t = input,
            None => break,
        }
    }
    t
}

/// The axes that a reduction is told to reduce.
pub(super) fn axes(graph: &Lookup<'_>, sum: &Node) -> Option<Vec<i64>> {
    match sum.attrs.get("axes") {
        Some(Attribute::Ints(axes)) => Some(axes.clone()),
        _ => graph.constant(sum.inputs.get(1).copied().flatten())?.to_i64().ok(),
    }
}
