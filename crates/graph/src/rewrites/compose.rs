//! A sub-graph that computes a function of one element becomes one node.
//!
//! Exporters write SiLU as `x * sigmoid(x)`, GELU as `x * (1 + erf(x / sqrt 2)) / 2`, Mish, HardSwish and Softsign as
//! products and quotients, and Softplus with a guard `where(x > 20, x, softplus(x))`. Whatever the pieces, the total
//! multiplier of a function of one element is its divided difference (SEMANTICS 3.1 i), which one rule then applies
//! exactly, guards included. So nothing is matched by pattern: wherever a node joins two functions of the same tensor,
//! everything between that tensor and the node is one composite.
use std::collections::HashMap;
use std::sync::Arc;

use super::attributes;
use crate::error::Result;
use crate::graph::{Graph, Node, TensorId, INTERNAL_OPSET};
use crate::operator::{Expression, Registry};
use crate::wire::Attribute;

pub(super) fn run(graph: &mut Graph, registry: &dyn Registry) -> Result<()> {
    let mut parent = Parents::new();
    let producer = graph.producers();
    for i in 0..graph.nodes.len() {
        let node = graph.nodes[i].clone();
        if node.operator.pointwise().is_none() {
            continue;
        }
        let data = graph.data_inputs(&node);
        let same_shape = data.iter().all(|&t| graph.shape(t) == graph.shape(node.output));
        if !same_shape {
            continue;
        }
        let Some(root) = common_ancestor(&data, &parent) else { continue };
        parent.insert(node.output, (root, depth(root, &parent) + 1));
        if data.iter().any(|&t| t != root) && data.len() > 1 {
            graph.nodes[i] = composite(graph, registry, &producer, &node, root)?;
        }
    }
    graph.remove_dead();
    Ok(())
}

/// Of which tensor each tensor is a function of one element, and over how many such steps.
type Parents = HashMap<TensorId, (TensorId, usize)>;

fn depth(t: TensorId, parents: &Parents) -> usize {
    parents.get(&t).map_or(0, |p| p.1)
}

/// The nearest tensor of which all of `tensors` are functions of one element.
fn common_ancestor(tensors: &[TensorId], parents: &Parents) -> Option<TensorId> {
    let meet = |mut a: TensorId, mut b: TensorId| {
        while a != b {
            let higher = if depth(a, parents) >= depth(b, parents) { &mut a } else { &mut b };
            *higher = parents.get(higher)?.0;
        }
        Some(a)
    };
    tensors[1..].iter().try_fold(*tensors.first()?, |a, &b| meet(a, b))
}

fn composite(
    graph: &mut Graph,
    registry: &dyn Registry,
    producer: &HashMap<TensorId, usize>,
    node: &Node,
    root: TensorId,
) -> Result<Node> {
    let mut steps = Vec::new();
    let mut value = HashMap::from([(root, 0)]);
    add_step(graph, producer, node, &mut value, &mut steps);
    let attrs = attributes([("expression", Attribute::Expression(Expression { steps }))]);
    let made = graph.make_node(registry, &node.name, "Composite", attrs, INTERNAL_OPSET, vec![Some(root)])?;
    Ok(Node { output: node.output, ..made })
}

fn add_step(
    graph: &Graph,
    producer: &HashMap<TensorId, usize>,
    node: &Node,
    value: &mut HashMap<TensorId, usize>,
    steps: &mut Vec<(Arc<dyn crate::operator::Pointwise>, Vec<usize>)>,
) {
    let data = graph.data_inputs(node);
    for t in &data {
        if !value.contains_key(t) {
            add_step(graph, producer, &graph.nodes[producer[t]], value, steps);
        }
    }
    let function = node.operator.pointwise().expect("every step between root and node is pointwise");
    steps.push((function, data.iter().map(|t| value[t]).collect()));
    value.insert(node.output, steps.len());
}
