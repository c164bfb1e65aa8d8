//! A sub-graph that computes a function of one element becomes one node.
//!
//! Exporters write SiLU as `x * sigmoid(x)`, GELU as `x * (1 + erf(x / sqrt 2)) / 2`, Mish, HardSwish and Softsign as
//! products and quotients, and Softplus with a guard `where(x > 20, x, softplus(x))`. Whatever the pieces, the total
//! multiplier of a function of one element is its divided difference (SEMANTICS 3.1 i), which one rule then applies
//! exactly, guards included. So nothing is matched by pattern: wherever a node joins two functions of the same tensor,
//! everything between that tensor and the node is one composite.
use std::collections::{BTreeSet, HashMap};

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
            if let Some(made) = composite(graph, registry, &producer, &node, root)? {
                graph.nodes[i] = made;
            }
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

/// Most functions in one composite. Exporters write a dozen; a file may hold any number.
const MAX_STEPS: usize = 1000;

/// The composite from `root` to `node`; none if it would be too long.
fn composite(
    graph: &mut Graph,
    registry: &dyn Registry,
    producer: &HashMap<TensorId, usize>,
    node: &Node,
    root: TensorId,
) -> Result<Option<Node>> {
    let Some(pieces) = between(graph, producer, node, root) else { return Ok(None) };
    let mut value = HashMap::from([(root, 0)]);
    let mut steps = vec![];
    for &i in &pieces {
        let piece = &graph.nodes[i];
        let arguments: Vec<usize> = graph.data_inputs(piece).iter().map(|t| value[t]).collect();
        match piece.attrs.get("expression") {
            // A composite within is spliced in, so that evaluation never nests.
            Some(Attribute::Expression(inner)) => {
                let base = steps.len();
                let place = |k: usize| if k == 0 { arguments[0] } else { base + k };
                let moved =
                    inner.steps.iter().map(|(f, a)| (f.clone(), a.iter().map(|&k| place(k)).collect()));
                steps.extend(moved.collect::<Vec<_>>());
            }
            _ => {
                let function = piece.operator.pointwise().expect("every node of the path is pointwise");
                steps.push((function, arguments));
            }
        }
        value.insert(piece.output, steps.len());
    }
    if steps.len() > MAX_STEPS {
        return Ok(None);
    }
    let attrs = attributes([("expression", Attribute::Expression(Expression { steps }))]);
    let made = graph.make_node(registry, &node.name, "Composite", attrs, INTERNAL_OPSET, vec![Some(root)])?;
    Ok(Some(Node { output: node.output, ..made }))
}

/// Nodes between `root` and `node`, the latter included, in order; none if there are too many.
fn between(
    graph: &Graph,
    producer: &HashMap<TensorId, usize>,
    node: &Node,
    root: TensorId,
) -> Option<BTreeSet<usize>> {
    let mut found = BTreeSet::new();
    let mut open = vec![node.output];
    while let Some(t) = open.pop() {
        if t != root && found.insert(producer[&t]) {
            if found.len() > MAX_STEPS {
                return None;
            }
            open.extend(graph.data_inputs(&graph.nodes[producer[&t]]));
        }
    }
    Some(found)
}
