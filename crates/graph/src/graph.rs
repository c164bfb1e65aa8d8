//! The graph at fixed shapes: what rewrites change and what plans are made from.
//!
//! Every graph is bound at batch 1. A batch of examples is the same graph run on several *lanes*, so that nothing an
//! operator does can mix examples.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::error::Result;
use crate::operator::{Build, Fact, Operator, Registry};
use crate::wire::Attribute;
use crate::{bail, Constant};

/// Attributes by name.
pub type Attributes = BTreeMap<String, Attribute>;

/// Index of a tensor in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub usize);

/// A tensor: a name for messages and what is known of it.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Tensor {
    pub name: String,
    pub fact: Fact,
}

/// One operator at its place in the graph.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Node {
    pub name: String,
    pub op: String,
    pub attrs: Attributes,
    pub opset: i64,
    pub inputs: Vec<Option<TensorId>>,
    /// All operators on the data path have one output; those with several are lowered while binding.
    pub output: TensorId,
    pub operator: Arc<dyn Operator>,
}

/// A graph at fixed shapes, its nodes in topological order.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Graph {
    pub tensors: Vec<Tensor>,
    pub nodes: Vec<Node>,
    pub inputs: Vec<TensorId>,
    pub outputs: Vec<TensorId>,
}

/// Opset that rewrites write their nodes in.
pub const INTERNAL_OPSET: i64 = 25;

impl Graph {
    /// The facts of a tensor.
    pub fn fact(&self, t: TensorId) -> &Fact {
        &self.tensors[t.0].fact
    }

    /// The shape of a tensor at batch 1.
    pub fn shape(&self, t: TensorId) -> &[usize] {
        &self.tensors[t.0].fact.shape
    }

    /// The values of a tensor that is constant.
    pub fn constant(&self, t: Option<TensorId>) -> Option<&Constant> {
        self.tensors[t?.0].fact.constant.as_ref()
    }

    /// Adds a constant tensor.
    pub fn add_constant(&mut self, name: &str, value: Constant) -> TensorId {
        let fact = Fact { shape: value.shape.clone(), dtype: value.dtype, constant: Some(value) };
        self.tensors.push(Tensor { name: name.into(), fact });
        TensorId(self.tensors.len() - 1)
    }

    /// Builds an operator and returns its node with a new output tensor; the node is not inserted yet.
    pub fn make_node(
        &mut self,
        registry: &dyn Registry,
        name: &str,
        op: &str,
        attrs: Attributes,
        opset: i64,
        inputs: Vec<Option<TensorId>>,
    ) -> Result<Node> {
        let facts = inputs.iter().map(|t| t.map(|t| self.fact(t))).collect();
        let operator: Arc<dyn Operator> =
            registry.build(&Build { name, op, attrs: &attrs, opset, inputs: facts })?.into();
        let Some(fact) = operator.outputs().into_iter().next() else {
            bail!(Internal, "node '{name}' ({op}) has no output")
        };
        self.tensors.push(Tensor { name: name.into(), fact });
        let output = TensorId(self.tensors.len() - 1);
        Ok(Node { name: name.into(), op: op.into(), attrs, opset, inputs, output, operator })
    }

    /// Index of the node that produces each tensor.
    pub fn producers(&self) -> HashMap<TensorId, usize> {
        self.nodes.iter().enumerate().map(|(i, n)| (n.output, i)).collect()
    }

    /// How often each tensor is read, by nodes or as a graph output.
    pub fn uses(&self) -> HashMap<TensorId, usize> {
        let mut uses = HashMap::new();
        for t in self.nodes.iter().flat_map(|n| n.inputs.iter().flatten()).chain(&self.outputs) {
            *uses.entry(*t).or_default() += 1;
        }
        uses
    }

    /// Indices of the nodes that read a tensor.
    pub fn consumers(&self, t: TensorId) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&i| self.nodes[i].inputs.contains(&Some(t))).collect()
    }

    /// Drops nodes that no output depends on, and the values of constants that no other node reads.
    pub fn remove_dead(&mut self) {
        let mut live: HashSet<TensorId> = self.outputs.iter().copied().collect();
        let mut keep = vec![false; self.nodes.len()];
        for (i, n) in self.nodes.iter().enumerate().rev() {
            if live.contains(&n.output) {
                keep[i] = true;
                live.extend(n.inputs.iter().flatten());
            }
        }
        let mut it = keep.into_iter();
        self.nodes.retain(|_| it.next().unwrap_or(false));
        for (t, tensor) in self.tensors.iter_mut().enumerate() {
            if !live.contains(&TensorId(t)) {
                tensor.fact.constant = None;
            }
        }
    }

    /// Data inputs of a node: those whose values are not known at plan time.
    pub fn data_inputs(&self, node: &Node) -> Vec<TensorId> {
        node.inputs.iter().flatten().copied().filter(|&t| self.fact(t).constant.is_none()).collect()
    }
}
