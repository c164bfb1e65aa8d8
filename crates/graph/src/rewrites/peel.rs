//! A target behind a final Sigmoid or Softmax is explained at the logits (paper section 3.6): a saturated unit moves
//! little whatever its inputs do, and its contributions shrink with it.
use crate::broadcast::{around, axis_index};
use crate::graph::{Graph, Node, TensorId};
use crate::wire::Attribute;

/// What was taken off an output of the graph.
#[derive(Clone, Debug)]
pub struct Peeled {
    /// Name of the node.
    pub node: String,
    /// Sigmoid or Softmax.
    pub op: String,
    /// Extents before, along and after the axis of a softmax. The logits of a softmax have meaning up to a shift
    /// along it only, so weights over them are to be centred.
    pub softmax: Option<[usize; 3]>,
}

/// Lets output `at` of the graph be the logits, if views are all that follows a Sigmoid or Softmax.
pub(super) fn peel(graph: &mut Graph, at: usize) -> Option<Peeled> {
    let producers = graph.producers();
    let made_by = |t: TensorId| producers.get(&t).map(|&i| &graph.nodes[i]);
    let mut node = made_by(graph.outputs[at])?;
    while node.op == "Reshape" || node.op == "Layer" {
        node = made_by(node.inputs[0]?)?;
    }
    let logits = node.inputs.first().copied().flatten()?;
    let softmax = match node.op.as_str() {
        "Sigmoid" => None,
        "Softmax" => Some(extents(graph, node, logits)?),
        _ => return None,
    };
    let peeled = Peeled { node: node.name.clone(), op: node.op.clone(), softmax };
    graph.outputs[at] = logits;
    Some(peeled)
}

fn extents(graph: &Graph, node: &Node, logits: TensorId) -> Option<[usize; 3]> {
    let shape = graph.shape(logits);
    let flattens = node.opset < 13;
    let given = match node.attrs.get("axis") {
        Some(Attribute::Int(axis)) => *axis,
        _ if flattens => 1,
        _ => -1,
    };
    let axis = axis_index(given, shape.len()).ok()?;
    let (outer, n, inner) = around(shape, axis);
    Some(if flattens { [outer, n * inner, 1] } else { [outer, n, inner] })
}
