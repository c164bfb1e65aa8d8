//! Max and Min of several tensors become a selection: the tensors, broadcast to one shape, are stacked along a new
//! first axis, and `Maximum` or `Minimum` selects along it. This runs last, when what is a function of one element has
//! become one node and axes lie where they stay.
use super::attributes;
use super::canonical::shape_constant;
use crate::broadcast::broadcast_index;
use crate::error::Result;
use crate::graph::{Attributes, Graph, Node, TensorId, INTERNAL_OPSET};
use crate::operator::Registry;
use crate::wire::Attribute;

pub(super) fn run(graph: &mut Graph, registry: &dyn Registry) -> Result<()> {
    for node in std::mem::take(&mut graph.nodes) {
        match node.op.as_str() {
            "Max" | "Min" if node.inputs.len() > 1 => {
                let place = format!("node '{}' ({})", node.name, node.op);
                Stack { graph, registry, node: &node }.run().map_err(|e| e.at(place))?;
            }
            _ => graph.nodes.push(node),
        }
    }
    Ok(())
}

struct Stack<'a> {
    graph: &'a mut Graph,
    registry: &'a dyn Registry,
    node: &'a Node,
}

impl Stack<'_> {
    fn run(&mut self) -> Result<()> {
        let shape = self.graph.shape(self.node.output).to_vec();
        let layer: Vec<usize> = std::iter::once(1).chain(shape.iter().copied()).collect();
        let mut layers = vec![];
        for t in self.node.inputs.iter().flatten() {
            layers.push(Some(self.layer(*t, &shape, &layer)?));
        }
        let stacked = self.push("Concat", attributes([("axis", Attribute::Int(0))]), layers)?;
        let first = [("axes", Attribute::Ints(vec![0])), ("keepdims", Attribute::Int(0))];
        let op = if self.node.op == "Max" { "Maximum" } else { "Minimum" };
        self.push(op, attributes(first), vec![Some(stacked)])?;
        let last = self.graph.nodes.last_mut().expect("a node was pushed");
        last.output = self.node.output;
        Ok(())
    }

    /// One operand in the shape of the output, under a leading axis of length 1.
    fn layer(&mut self, t: TensorId, shape: &[usize], layer: &[usize]) -> Result<TensorId> {
        if let Some(c) = self.graph.constant(Some(t)) {
            let spread = c.pick(layer.to_vec(), broadcast_index(&c.shape, shape).into_iter());
            return Ok(self.graph.add_constant(&self.node.name, spread));
        }
        let mut t = t;
        if self.graph.shape(t) != shape {
            t = self.shaped("Expand", t, shape)?;
        }
        self.shaped("Reshape", t, layer)
    }

    fn shaped(&mut self, op: &str, t: TensorId, shape: &[usize]) -> Result<TensorId> {
        let to = self.graph.add_constant(&self.node.name, shape_constant(shape));
        self.push(op, Attributes::new(), vec![Some(t), Some(to)])
    }

    fn push(&mut self, op: &str, attrs: Attributes, inputs: Vec<Option<TensorId>>) -> Result<TensorId> {
        let name = &self.node.name;
        let made = self.graph.make_node(self.registry, name, op, attrs, INTERNAL_OPSET, inputs)?;
        let out = made.output;
        self.graph.nodes.push(made);
        Ok(out)
    }
}
