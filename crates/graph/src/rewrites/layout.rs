//! Channels last. Kernels want the channels of a position side by side, models are written channels first, and other
//! exporters surround every convolution with transposes. One pass in topological order carries each transpose
//! downwards as a pending permutation until something cancels or needs it:
//!
//! * convolutions and pools take their input channels last and leave `channels first` pending on their output;
//! * operators that do not care about the order of axes are rewritten to work on the tensor as it lies;
//! * a flattened tensor that feeds dense layers keeps its order, and the rows of the weights are permuted instead.
//!
//! Only what is left becomes a real Transpose, and one that moves nothing but axes of length 1 a Reshape.
use std::collections::HashMap;
use std::rc::Rc;

use super::attributes;
use super::canonical::shape_constant;
use crate::broadcast::{inverse, transpose_index};
use crate::error::Result;
use crate::graph::{Attributes, Graph, Node, TensorId, INTERNAL_OPSET};
use crate::operator::{Build, Registry};
use crate::wire::Attribute;
use crate::Constant;

/// Operators with a channel axis whose kernels exist channels last only.
const SPATIAL: [&str; 6] = ["Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "GlobalLpPool"];

/// How an old tensor is obtained from a new one.
#[derive(Clone)]
enum Pending {
    /// Axis `a` of the old tensor is axis `perm[a]` of the new one.
    Transposed(TensorId, Vec<usize>),
    /// All elements lie along the last axis; element `i` of the old tensor is element `index[i]` of the new one.
    Shuffled(TensorId, Rc<Vec<usize>>),
}

pub(super) fn run(graph: &mut Graph, registry: &dyn Registry) -> Result<()> {
    let nodes = std::mem::take(&mut graph.nodes);
    let mut pass = Pass {
        graph,
        registry,
        pending: HashMap::new(),
        materialised: HashMap::new(),
        transposes: HashMap::new(),
    };
    for node in nodes {
        let place = format!("node '{}' ({})", node.name, node.op);
        pass.node(node).map_err(|e| e.at(place))?;
    }
    for i in 0..pass.graph.outputs.len() {
        let out = pass.graph.outputs[i];
        pass.graph.outputs[i] = pass.materialise(out)?;
    }
    Ok(())
}

struct Pass<'a> {
    graph: &'a mut Graph,
    registry: &'a dyn Registry,
    pending: HashMap<TensorId, Pending>,
    materialised: HashMap<TensorId, TensorId>,
    transposes: HashMap<(TensorId, Vec<usize>), TensorId>,
}

impl Pass<'_> {
    fn node(&mut self, node: Node) -> Result<()> {
        if node.op == "Transpose" {
            return self.transpose(&node);
        }
        if SPATIAL.contains(&node.op.as_str()) && !node.attrs.contains_key("channels_last") {
            return self.spatial(&node);
        }
        let shuffled = |p: &Pass, t: &Option<TensorId>| {
            t.is_some_and(|t| matches!(p.pending.get(&t), Some(Pending::Shuffled(..))))
        };
        if node.inputs.iter().any(|t| shuffled(self, t)) && self.keep_shuffled(&node)? {
            return Ok(());
        }
        if self.keep_transposed(&node)? || (node.op == "Reshape" && self.flatten(&node)?) {
            return Ok(());
        }
        let inputs = node.inputs.iter().map(|t| t.map(|t| self.materialise(t)).transpose());
        let inputs = inputs.collect::<Result<_>>()?;
        self.graph.nodes.push(Node { inputs, ..node });
        Ok(())
    }

    /// The tensor and permutation behind `t`; the identity if nothing is pending.
    fn source(&mut self, t: TensorId) -> Result<(TensorId, Vec<usize>)> {
        match self.pending.get(&t).cloned() {
            Some(Pending::Transposed(s, perm)) => Ok((s, perm)),
            _ => Ok((self.materialise(t)?, (0..self.graph.shape(t).len()).collect())),
        }
    }

    fn transpose(&mut self, node: &Node) -> Result<()> {
        let Some(input) = node.inputs[0] else { return Ok(()) };
        let (source, before) = self.source(input)?;
        let rank = before.len();
        let perm = match node.attrs.get("perm") {
            Some(Attribute::Ints(p)) => p.iter().map(|&a| a as usize).collect(),
            _ => (0..rank).rev().collect::<Vec<_>>(),
        };
        let composed: Vec<usize> = perm.iter().map(|&a| before[a]).collect();
        self.pending.insert(node.output, Pending::Transposed(source, composed));
        Ok(())
    }

    fn spatial(&mut self, node: &Node) -> Result<()> {
        let Some(input) = node.inputs[0] else { return Ok(()) };
        let rank = self.graph.shape(input).len();
        let mut to_last = vec![0];
        to_last.extend(2..rank);
        to_last.push(1);
        let (source, before) = self.source(input)?;
        let perm: Vec<usize> = to_last.iter().map(|&a| before[a]).collect();
        let x = self.transposed(source, &perm)?;
        let mut attrs = node.attrs.clone();
        attrs.insert("channels_last".into(), Attribute::Int(1));
        let mut inputs = node.inputs.clone();
        inputs[0] = Some(x);
        let y = self.push(node, attrs, inputs)?;
        self.pending.insert(node.output, Pending::Transposed(y, inverse(&to_last)));
        Ok(())
    }

    fn push(&mut self, node: &Node, attrs: Attributes, inputs: Vec<Option<TensorId>>) -> Result<TensorId> {
        let made = self.graph.make_node(self.registry, &node.name, &node.op, attrs, node.opset, inputs)?;
        let out = made.output;
        self.graph.tensors[out.0].name = self.graph.tensors[node.output.0].name.clone();
        self.graph.nodes.push(made);
        Ok(out)
    }

    /// Rewrites an operator that does not depend on the order of axes.
    fn keep_transposed(&mut self, node: &Node) -> Result<bool> {
        let data = self.graph.data_inputs(node);
        let permutation = data.iter().find_map(|t| match self.pending.get(t) {
            Some(Pending::Transposed(_, p)) if !is_identity(p) => Some(p.clone()),
            _ => None,
        });
        let Some(perm) = permutation else { return Ok(false) };
        if data.iter().any(|&t| self.graph.shape(t).len() != perm.len()) {
            return Ok(false);
        }
        let facts = node.inputs.iter().map(|t| t.map(|t| self.graph.fact(t))).collect();
        let cx =
            Build { name: &node.name, op: &node.op, attrs: &node.attrs, opset: node.opset, inputs: facts };
        let Some(permuted) = node.operator.permute(&cx, &perm) else { return Ok(false) };
        let mut inputs = node.inputs.clone();
        for (i, value) in permuted.constants {
            inputs[i] = Some(self.graph.add_constant(&node.name, value));
        }
        let back = inverse(&perm);
        for t in inputs.iter_mut().flatten() {
            if self.graph.fact(*t).constant.is_none() {
                let (source, before) = self.source(*t)?;
                let to: Vec<usize> = back.iter().map(|&a| before[a]).collect();
                *t = self.transposed(source, &to)?;
            }
        }
        let y = self.push(node, permuted.attrs, inputs)?;
        self.pending.insert(node.output, Pending::Transposed(y, permuted.perm));
        Ok(true)
    }

    /// A reshape that puts all elements of a transposed tensor on the last axis.
    fn flatten(&mut self, node: &Node) -> Result<bool> {
        let Some(Pending::Transposed(source, perm)) =
            node.inputs[0].and_then(|t| self.pending.get(&t)).cloned()
        else {
            return Ok(false);
        };
        let shape = self.graph.shape(node.output).to_vec();
        let n: usize = shape.iter().product();
        if shape.last() != Some(&n) || is_identity(&perm) {
            return Ok(false);
        }
        let (_, index) = transpose_index(self.graph.shape(source), &perm);
        let to = self.graph.add_constant(&node.name, shape_constant(&shape));
        let flat = self.push(node, Attributes::new(), vec![Some(source), Some(to)])?;
        self.pending.insert(node.output, Pending::Shuffled(flat, Rc::new(index)));
        Ok(true)
    }

    /// Lets functions of one element keep a shuffled order, and dense layers absorb it.
    fn keep_shuffled(&mut self, node: &Node) -> Result<bool> {
        let data = self.graph.data_inputs(node);
        let [only] = data[..] else { return Ok(false) };
        let Some(Pending::Shuffled(source, index)) = self.pending.get(&only).cloned() else {
            return Ok(false);
        };
        let of = |t: &Option<TensorId>| if *t == Some(only) { Some(source) } else { *t };
        let mut inputs: Vec<Option<TensorId>> = node.inputs.iter().map(of).collect();
        if node.op == "Dense" {
            let w = self.graph.constant(inputs[1]).expect("dense weights are constant").clone();
            let w = w.reordered_rows(&inverse(&index));
            inputs[1] = Some(self.graph.add_constant("reordered weights", w));
            let y = self.push(node, node.attrs.clone(), inputs)?;
            let rank = self.graph.shape(y).len();
            self.pending.insert(node.output, Pending::Transposed(y, (0..rank).collect()));
            return Ok(true);
        }
        if self.graph.shape(node.output) != self.graph.shape(only) {
            return Ok(false);
        }
        if matches!(node.op.as_str(), "Mul" | "Add") && node.inputs[0] == Some(only) {
            let c = self.graph.constant(inputs[1]).expect("single data input").clone();
            if c.len() == index.len() {
                let c = c.pick(c.shape.clone(), inverse(&index).into_iter());
                inputs[1] = Some(self.graph.add_constant("reordered constant", c));
            } else if c.len() != 1 {
                return Ok(false);
            }
        } else if node.operator.pointwise().is_none() {
            return Ok(false);
        }
        let y = self.push(node, node.attrs.clone(), inputs)?;
        self.pending.insert(node.output, Pending::Shuffled(y, index));
        Ok(true)
    }

    /// `source` with its axes in another order, as a tensor.
    fn transposed(&mut self, source: TensorId, perm: &[usize]) -> Result<TensorId> {
        if is_identity(perm) {
            return Ok(source);
        }
        if let Some(&done) = self.transposes.get(&(source, perm.to_vec())) {
            return Ok(done);
        }
        let shape = self.graph.shape(source);
        let moved: Vec<usize> = perm.iter().copied().filter(|&a| shape[a] != 1).collect();
        let to: Vec<usize> = perm.iter().map(|&a| shape[a]).collect();
        let name = self.graph.tensors[source.0].name.clone();
        let made = if moved.windows(2).all(|w| w[0] < w[1]) {
            let to = Some(self.graph.add_constant(&name, shape_constant(&to)));
            self.graph.make_node(
                self.registry,
                &name,
                "Reshape",
                Attributes::new(),
                INTERNAL_OPSET,
                vec![Some(source), to],
            )?
        } else {
            let attrs = attributes([("perm", Attribute::Ints(perm.iter().map(|&a| a as i64).collect()))]);
            self.graph.make_node(
                self.registry,
                &name,
                "Transpose",
                attrs,
                INTERNAL_OPSET,
                vec![Some(source)],
            )?
        };
        let out = made.output;
        self.graph.nodes.push(made);
        self.transposes.insert((source, perm.to_vec()), out);
        Ok(out)
    }

    /// The old tensor `t` itself.
    fn materialise(&mut self, t: TensorId) -> Result<TensorId> {
        if let Some(&done) = self.materialised.get(&t) {
            return Ok(done);
        }
        let made = match self.pending.get(&t).cloned() {
            None => return Ok(t),
            Some(Pending::Transposed(source, perm)) => self.transposed(source, &perm)?,
            Some(Pending::Shuffled(source, index)) => self.gathered(source, &index)?,
        };
        self.materialised.insert(t, made);
        Ok(made)
    }

    fn gathered(&mut self, source: TensorId, index: &[usize]) -> Result<TensorId> {
        let axis = self.graph.shape(source).len() as i64 - 1;
        let at = Constant::i64(vec![index.len()], index.iter().map(|&i| i as i64).collect());
        let at = Some(self.graph.add_constant("order", at));
        let attrs = attributes([("axis", Attribute::Int(axis))]);
        let inputs = vec![Some(source), at];
        let node = self.graph.make_node(self.registry, "order", "Gather", attrs, INTERNAL_OPSET, inputs)?;
        let out = node.output;
        self.graph.nodes.push(node);
        Ok(out)
    }
}

fn is_identity(perm: &[usize]) -> bool {
    perm.iter().enumerate().all(|(i, &p)| i == p)
}
