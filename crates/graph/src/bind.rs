//! From a validated model to a graph at fixed shapes: infer, fold, keep what the target needs.
use std::collections::{HashMap, HashSet};

use crate::batch;
use crate::constant::element_count;
use crate::error::Result;
use crate::graph::{Attributes, Graph, Node, Tensor, TensorId};
use crate::model::{Model, ModelNode};
use crate::operator::{fold_by_kernel, Build, Fact, Operator, Registry};
use crate::wire::Attribute;
use crate::{bail, ensure, Constant};

/// Most elements of a tensor that is computed, at plan time or later: 1 GiB of float32. No real model comes near, and
/// a number in a file must not decide how much memory is asked for.
const MAX_COMPUTED: usize = 1 << 28;

/// Shapes of the model's inputs, batch axis bound to 1.
pub type InputShapes = HashMap<String, Vec<usize>>;

/// Binds input shapes and target tensors.
///
/// # Errors
/// `INVALID_INPUT` if a shape does not fit the model, `UNSUPPORTED_OP` naming the node on the path to a target that
/// has no exact rule, `INVALID_MODEL` naming the node whose shapes do not fit.
pub fn bind(
    model: &Model,
    registry: &dyn Registry,
    shapes: &InputShapes,
    targets: &[String],
) -> Result<Graph> {
    bind_apart(model, registry, shapes, targets).map_err(|e| e.at(&model.source))
}

/// Binds at batch 1, and once more at a larger batch to see that examples stay apart.
fn bind_apart(
    model: &Model,
    registry: &dyn Registry,
    shapes: &InputShapes,
    targets: &[String],
) -> Result<Graph> {
    batch::check_fixed(model)?;
    let one = batch::ensure_open(model, Binder::new(model, registry).run(shapes, targets))?;
    let Some(size) = batch::larger(model) else { return Ok(one) };
    let mut larger = shapes.clone();
    for v in model.inputs.iter().filter(|v| v.dims.first() != Some(&Some(1))) {
        if let Some(first) = larger.get_mut(&v.name).and_then(|s| s.first_mut()) {
            *first *= size;
        }
    }
    // A graph that only works for one example keeps nothing apart because there is nothing to.
    if let Ok(many) = Binder::new(model, registry).run(&larger, targets) {
        batch::compare(&one, &many, size)?;
    }
    Ok(one)
}

struct Binder<'a> {
    model: &'a Model,
    registry: &'a dyn Registry,
    graph: Graph,
    by_name: HashMap<&'a str, TensorId>,
}

impl<'a> Binder<'a> {
    fn new(model: &'a Model, registry: &'a dyn Registry) -> Self {
        let graph = Graph { tensors: vec![], nodes: vec![], inputs: vec![], outputs: vec![] };
        Binder { model, registry, graph, by_name: HashMap::new() }
    }

    fn run(mut self, shapes: &InputShapes, targets: &[String]) -> Result<Graph> {
        self.inputs(shapes)?;
        let model = self.model;
        for (name, value) in &model.constants {
            let id = self.graph.add_constant(name, value.clone());
            self.by_name.insert(name, id);
        }
        let needed = needed(model, self.registry, targets)?;
        self.refuse_unknown(&needed)?;
        for i in needed {
            let n = &model.nodes[i];
            self.node(n).map_err(|e| e.at(format!("node '{}' ({})", n.name, n.op)))?;
        }
        for t in targets {
            let id = self.by_name[t.as_str()];
            let depends = self.graph.fact(id).constant.is_none();
            ensure!(depends, InvalidOption, "target '{t}' does not depend on any input");
            self.graph.outputs.push(id);
        }
        self.graph.remove_dead();
        Ok(self.graph)
    }

    /// Refuses all operators on the path that have no rule at once: the first with its advice, the others by name.
    fn refuse_unknown(&self, needed: &[usize]) -> Result<()> {
        let nodes = needed.iter().map(|&i| &self.model.nodes[i]);
        let mut unknown = nodes.filter(|n| !self.registry.knows(&n.op));
        let Some(first) = unknown.next() else { return Ok(()) };
        let place = format!("node '{}' ({})", first.name, first.op);
        let Err(mut error) = self.build(first, &first.op, &first.attrs, &[]) else { return Ok(()) };
        let mut others: Vec<String> = vec![];
        for n in unknown.filter(|n| n.op != first.op) {
            if !others.iter().any(|o| o.starts_with(&format!("{} ", n.op))) {
                others.push(format!("{} (node '{}')", n.op, n.name));
            }
        }
        if !others.is_empty() {
            error.message =
                format!("{}; also without a rule on this path: {}", error.message, others.join(", "));
        }
        Err(error.at(place))
    }

    fn inputs(&mut self, shapes: &InputShapes) -> Result<()> {
        for v in &self.model.inputs {
            let Some(shape) = shapes.get(&v.name) else {
                bail!(InvalidInput, "input '{}' is missing; the model needs it", v.name)
            };
            let fits = !v.has_shape
                || (shape.len() == v.dims.len()
                    && shape.iter().zip(&v.dims).skip(1).all(|(&s, d)| d.is_none_or(|d| d == s)));
            let want: Vec<String> =
                v.dims.iter().map(|d| d.map_or_else(|| "?".into(), |d| d.to_string())).collect();
            ensure!(
                fits,
                InvalidInput,
                "input '{}' has shape [{}] in the model, found {shape:?}",
                v.name,
                want.join(", ")
            );
            ensure!(
                element_count(shape)? > 0,
                InvalidInput,
                "input '{}' of shape {shape:?} has no element",
                v.name
            );
            let fact = Fact::data(shape.clone(), v.dtype);
            self.graph.tensors.push(Tensor { name: v.name.clone(), fact });
            let id = TensorId(self.graph.tensors.len() - 1);
            self.graph.inputs.push(id);
            self.by_name.insert(&v.name, id);
        }
        Ok(())
    }

    fn node(&mut self, n: &'a ModelNode) -> Result<()> {
        let inputs: Vec<Option<TensorId>> =
            n.inputs.iter().map(|t| (!t.is_empty()).then(|| self.by_name[t.as_str()])).collect();
        let mut attrs = n.attrs.clone();
        if n.op == "Split" {
            // Without lengths, a Split gives as many equal parts as its node has outputs.
            attrs.insert("outputs".into(), Attribute::Int(n.outputs.len() as i64));
        }
        let operator = self.build(n, &n.op, &attrs, &inputs)?;
        let given = operator.outputs().len();
        ensure!(
            n.op != "Split" || n.outputs.len() <= given,
            InvalidModel,
            "has {} outputs for {given} parts",
            n.outputs.len()
        );
        for f in operator.outputs() {
            let count = element_count(&f.shape)?;
            ensure!(
                count <= MAX_COMPUTED,
                UnsupportedModel,
                "an output of shape {:?} has more than {MAX_COMPUTED} elements",
                f.shape
            );
        }
        let facts: Vec<Option<&Fact>> = inputs.iter().map(|t| t.map(|t| self.graph.fact(t))).collect();
        let constant = facts.iter().flatten().all(|f| f.constant.is_some());
        if constant || operator.folds_shapes() {
            let values = self.fold(n, operator.as_ref(), &inputs)?;
            for (name, value) in n.outputs.iter().zip(values) {
                let id = self.graph.add_constant(name, value);
                self.by_name.insert(name, id);
            }
            return Ok(());
        }
        for f in operator.outputs() {
            ensure!(!f.is_empty(), UnsupportedModel, "an output of shape {:?} has no element", f.shape);
        }
        if let Some(lowered) = operator.lower() {
            for (i, (op, attrs, extra)) in lowered.parts.into_iter().enumerate() {
                let Some(name) = n.outputs.get(i).filter(|o| !o.is_empty()) else { continue };
                let mut part = vec![inputs[0]];
                part.extend(extra.into_iter().map(|c| Some(self.graph.add_constant(name, c))));
                let node = self.graph.make_node(
                    self.registry,
                    &n.name,
                    &op,
                    attrs,
                    crate::graph::INTERNAL_OPSET,
                    part,
                )?;
                self.push(name, node);
            }
            return Ok(());
        }
        let Some(fact) = operator.outputs().into_iter().next() else { bail!(Internal, "no output") };
        self.graph.tensors.push(Tensor { name: n.outputs[0].clone(), fact });
        let output = TensorId(self.graph.tensors.len() - 1);
        let node = Node {
            name: n.name.clone(),
            op: n.op.clone(),
            attrs: n.attrs.clone(),
            opset: self.model.opset,
            inputs,
            output,
            operator: operator.into(),
        };
        self.push(&n.outputs[0], node);
        Ok(())
    }

    fn push(&mut self, name: &'a str, node: Node) {
        self.graph.tensors[node.output.0].name = name.into();
        self.by_name.insert(name, node.output);
        self.graph.nodes.push(node);
    }

    fn build(
        &self,
        n: &ModelNode,
        op: &str,
        attrs: &Attributes,
        inputs: &[Option<TensorId>],
    ) -> Result<Box<dyn Operator>> {
        let facts = inputs.iter().map(|t| t.map(|t| self.graph.fact(t))).collect();
        self.registry.build(&Build { name: &n.name, op, attrs, opset: self.model.opset, inputs: facts })
    }

    fn fold(&self, n: &ModelNode, op: &dyn Operator, inputs: &[Option<TensorId>]) -> Result<Vec<Constant>> {
        let constants: Vec<Option<&Constant>> = inputs.iter().map(|&t| self.graph.constant(t)).collect();
        if let Some(values) = op.fold(&constants)? {
            return Ok(values);
        }
        let Some(x) = constants.first().copied().flatten() else {
            bail!(UnsupportedOp, "has no input to fold")
        };
        let mut facts: Vec<Option<Fact>> =
            inputs.iter().map(|t| t.map(|t| self.graph.fact(t).clone())).collect();
        if let Some(f) = &mut facts[0] {
            f.constant = None;
        }
        let cx = Build {
            name: &n.name,
            op: &n.op,
            attrs: &n.attrs,
            opset: self.model.opset,
            inputs: facts.iter().map(Option::as_ref).collect(),
        };
        Ok(vec![fold_by_kernel(self.registry.build(&cx)?.as_ref(), x)?])
    }
}

/// Indices of the nodes that the targets depend on, in order. Checks that each of their outputs that is read is one
/// that the operator gives; operators that are not known are refused with their own advice later.
fn needed(model: &Model, registry: &dyn Registry, targets: &[String]) -> Result<Vec<usize>> {
    let mut live: HashSet<&str> = targets.iter().map(String::as_str).collect();
    for t in targets {
        if !model.has_tensor(t) {
            let names: Vec<&str> = model.outputs.iter().map(|o| o.name.as_str()).collect();
            bail!(InvalidOption, "no tensor '{t}' in the model; its outputs are {}", names.join(", "));
        }
    }
    let mut keep = Vec::new();
    for (i, n) in model.nodes.iter().enumerate().rev() {
        if let Some(at) = n.outputs.iter().rposition(|o| live.contains(o.as_str())) {
            let several = n.op == "Split" || !registry.knows(&n.op);
            ensure!(
                at == 0 || several,
                UnsupportedOp,
                "node '{}' ({}): its output {at} is used on the path to the target; only output 0 is supported",
                n.name,
                n.op
            );
            keep.push(i);
            live.extend(n.inputs.iter().filter(|t| !t.is_empty()).map(String::as_str));
        }
    }
    keep.reverse();
    Ok(keep)
}
