//! Whether a graph keeps the examples of a batch apart.
//!
//! Plans are made at batch 1 and run example by example. That is the same function only if no node joins examples, so
//! the graph is bound once more at a larger batch, and every tensor must grow with it.
use crate::error::Result;
use crate::graph::{Graph, Node};
use crate::model::Model;
use crate::{bail, ensure};

/// Size of the larger batch where the file leaves it open.
const SEVERAL: usize = 2;

/// The batch to compare with: the file's own if it fixes one, several otherwise; `None` if all inputs are fixed to 1
/// and there is nothing to keep apart.
pub(crate) fn larger(model: &Model) -> Option<usize> {
    let mut open = model.inputs.iter().filter_map(|v| v.dims.first()).filter(|d| **d != Some(1));
    open.next().map(|d| d.unwrap_or(SEVERAL))
}

/// Whether the file fixes the batch to more than one example.
pub(crate) fn is_fixed(model: &Model) -> bool {
    model.inputs.iter().any(|v| v.dims.first().copied().flatten().is_some_and(|b| b > 1))
}

/// Compares the graph at batch 1 with the same graph at batch `size`.
///
/// # Errors
/// `UNSUPPORTED_OP` naming the node that joins examples.
pub(crate) fn compare(one: &Graph, many: &Graph, size: usize) -> Result<()> {
    let same = one.nodes.len() == many.nodes.len()
        && one.nodes.iter().zip(&many.nodes).all(|(a, b)| a.name == b.name && a.op == b.op);
    if !same {
        bail!(UnsupportedModel, "its nodes depend on the size of the batch; export it with a batch of 1")
    }
    for (a, b) in one.nodes.iter().zip(&many.nodes) {
        if let Some(problem) = joins(one, many, a, b, size) {
            bail!(
                UnsupportedOp,
                "node '{}' ({}) {problem}, so that a score would depend on the other examples of the batch; choose a \
                 target before it",
                a.name,
                a.op
            );
        }
    }
    Ok(())
}

fn joins(one: &Graph, many: &Graph, a: &Node, b: &Node, size: usize) -> Option<String> {
    let grows = |x: usize, y: usize| y == x * size;
    let inputs = one.data_inputs(a).into_iter().zip(many.data_inputs(b));
    let batched = inputs.clone().any(|(x, y)| grows(one.fact(x).len(), many.fact(y).len()));
    if !batched {
        return None;
    }
    let (from, to) = (one.shape(a.output), many.shape(b.output));
    if !grows(from.iter().product(), to.iter().product()) {
        return Some(format!("gives shape {from:?} for one example and {to:?} for {size}"));
    }
    let (x, y) = inputs.clone().next()?;
    let axis = b.operator.mixed_axes().into_iter().find(|&i| one.shape(x).get(i) != many.shape(y).get(i))?;
    Some(format!("works along axis {axis}, which is that of the examples"))
}

/// The advice for a model whose batch is fixed and which cannot be bound at batch 1.
pub(crate) fn ensure_open(model: &Model, bound: Result<Graph>) -> Result<Graph> {
    let fixed = is_fixed(model);
    bound.map_err(|e| {
        if fixed {
            e.at("the batch is fixed in the file, and its nodes do not work for one example (export the model with a dynamic batch axis)")
        } else {
            e
        }
    })
}

/// Checks that a fixed batch is the same for every input that has one.
pub(crate) fn check_fixed(model: &Model) -> Result<()> {
    let mut sizes = model.inputs.iter().filter_map(|v| v.dims.first().copied().flatten()).filter(|&b| b > 1);
    if let Some(first) = sizes.next() {
        ensure!(
            sizes.all(|b| b == first),
            UnsupportedModel,
            "its inputs have different fixed batches; export the model with a dynamic batch axis"
        );
    }
    Ok(())
}
