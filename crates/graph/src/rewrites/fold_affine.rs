//! Scales and shifts per output channel are folded into the weights of the convolution or dense layer that feeds
//! them. An affine map of an affine map is one affine map, so contributions do not change, the split into positive
//! and negative parts included (SEMANTICS 3.1 iii); folding happens in float64.
use std::collections::HashMap;

use crate::error::Result;
use crate::graph::{Graph, Node, TensorId};
use crate::operator::Registry;
use crate::Constant;

pub(super) fn run(graph: &mut Graph, registry: &dyn Registry) -> Result<()> {
    let mut producer = graph.producers();
    let uses = graph.uses();
    let mut folded = vec![false; graph.nodes.len()];
    for (i, gone) in folded.iter_mut().enumerate() {
        let single = |t: TensorId| uses.get(&t) == Some(&1);
        if let Some(p) = fold_into_producer(graph, registry, i, &producer, single)? {
            producer.insert(graph.nodes[p].output, p);
            *gone = true;
        }
    }
    let mut gone = folded.into_iter();
    graph.nodes.retain(|_| !gone.next().unwrap_or(false));
    Ok(())
}

/// Folds node `i` into its producer, whose index is returned; then node `i` is of no use any more.
fn fold_into_producer(
    graph: &mut Graph,
    registry: &dyn Registry,
    i: usize,
    producer: &HashMap<TensorId, usize>,
    single: impl Fn(TensorId) -> bool,
) -> Result<Option<usize>> {
    let node = &graph.nodes[i];
    let scale = match node.op.as_str() {
        "Mul" => true,
        "Add" => false,
        _ => return Ok(None),
    };
    let (Some(x), Some(value)) = (node.inputs[0], graph.constant(node.inputs[1]).cloned()) else {
        return Ok(None);
    };
    if graph.fact(x).constant.is_some() || !single(x) || graph.shape(x) != graph.shape(node.output) {
        return Ok(None);
    }
    let Some(&p) = producer.get(&x) else { return Ok(None) };
    let rank = graph.shape(x).len();
    let axis = match graph.nodes[p].op.as_str() {
        "Conv" | "ConvTranspose" => 1,
        "Dense" => rank - 1,
        _ => return Ok(None),
    };
    let channels = graph.shape(x)[axis];
    let Some(per_channel) = along(&value, axis, rank, channels) else { return Ok(None) };
    let output = node.output;
    let folded = if scale {
        scaled(graph, registry, p, &per_channel)?
    } else {
        shifted(graph, registry, p, &per_channel)?
    };
    graph.nodes[p] = Node { output, ..folded };
    Ok(Some(p))
}

/// The constant as one value per index of `axis`, if it varies along no other axis.
fn along(c: &Constant, axis: usize, rank: usize, channels: usize) -> Option<Vec<f64>> {
    if c.len() == 1 {
        return Some(vec![c.at(0); channels]);
    }
    let at = axis.checked_sub(rank - c.shape.len())?;
    (c.len() == channels && c.shape[at] == channels).then(|| c.to_f64())
}

fn bias(graph: &Graph, p: usize, channels: usize) -> Vec<f64> {
    graph
        .constant(graph.nodes[p].inputs.get(2).copied().flatten())
        .map_or(vec![0.0; channels], Constant::to_f64)
}

fn scaled(graph: &mut Graph, registry: &dyn Registry, p: usize, scale: &[f64]) -> Result<Node> {
    let w = graph.constant(graph.nodes[p].inputs[1]).expect("weights are constant").clone();
    let n = w.len();
    let outs = scale.len();
    let channel: Box<dyn Fn(usize) -> usize> = match graph.nodes[p].op.as_str() {
        "Conv" => Box::new(move |i| i / (n / outs)),
        // Weights `[in, out / groups, taps..]`.
        "ConvTranspose" => {
            let (ins, own) = (w.shape[0], w.shape[1]);
            let (of_group, taps) = (ins / (outs / own), n / (ins * own));
            Box::new(move |i| i / (of_group * own * taps) * own + i / taps % own)
        }
        _ => Box::new(move |i| i % outs),
    };
    let values = (0..n).map(|i| w.at(i) * scale[channel(i)]).collect();
    let w = graph.add_constant("folded weights", Constant::f64(w.shape.clone(), values));
    let b: Vec<f64> = bias(graph, p, scale.len()).iter().zip(scale).map(|(b, s)| b * s).collect();
    rebuilt(graph, registry, p, Some(w), b)
}

fn shifted(graph: &mut Graph, registry: &dyn Registry, p: usize, shift: &[f64]) -> Result<Node> {
    let b: Vec<f64> = bias(graph, p, shift.len()).iter().zip(shift).map(|(b, s)| b + s).collect();
    rebuilt(graph, registry, p, graph.nodes[p].inputs[1], b)
}

fn rebuilt(
    graph: &mut Graph,
    registry: &dyn Registry,
    p: usize,
    weights: Option<TensorId>,
    bias: Vec<f64>,
) -> Result<Node> {
    let bias = graph.add_constant("folded bias", Constant::f64(vec![bias.len()], bias));
    let Node { name, op, attrs, opset, inputs, .. } = graph.nodes[p].clone();
    graph.make_node(registry, &name, &op, attrs, opset, vec![inputs[0], weights, Some(bias)])
}
