//! From a validated model to a graph at fixed shapes: infer, fold, keep what the target needs.
use std::collections::{HashMap, HashSet};

use crate::batch;
use crate::constant::element_count;
use crate::error::Result;
use crate::expansion::{Expansion, Source};
use crate::graph::{Attributes, Graph, Node, Tensor, TensorId, INTERNAL_OPSET};
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
        let (needed, live) = needed(model, targets)?;
        self.refuse_unknown(&needed)?;
        for i in needed {
            let n = &model.nodes[i];
            self.node(n, &live).map_err(|e| e.at(format!("node '{}' ({})", n.name, n.op)))?;
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
        let mut error = self.registry.refuse(&first.op);
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

    fn node(&mut self, n: &'a ModelNode, live: &HashSet<&str>) -> Result<()> {
        let mut inputs = Vec::with_capacity(n.inputs.len());
        for t in &n.inputs {
            inputs.push(if t.is_empty() { None } else { self.by_name.get(t.as_str()).copied() });
        }
        let mut attrs = n.attrs.clone();
        // Without lengths, a Split gives as many equal parts as its node has outputs; a BatchNormalization of an old
        // opset that gives statistics is in training mode.
        let outputs = match n.op.as_str() {
            "Split" => Some(n.outputs.len()),
            "BatchNormalization" => Some(n.outputs.iter().filter(|o| !o.is_empty()).count()),
            _ => None,
        };
        if let Some(outputs) = outputs {
            attrs.insert("outputs".into(), Attribute::Int(outputs as i64));
        }
        let before = self.graph.tensors.len();
        let opset = self.model.opset;
        let outputs = self.emit(Call { name: &n.name, op: &n.op, attrs: &attrs, opset, inputs, depth: 0 })?;
        for (i, name) in n.outputs.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let Some(id) = outputs.get(i).copied().flatten() else {
                let unused = !live.contains(name.as_str());
                ensure!(
                    unused,
                    UnsupportedOp,
                    "its output {i} is used on the path to the target; it is not available"
                );
                continue;
            };
            if id.0 >= before {
                self.graph.tensors[id.0].name.clone_from(name);
            }
            self.by_name.insert(name, id);
        }
        Ok(())
    }

    /// Adds an operator: as constants where its inputs are, as the nodes that it stands for, or as a node.
    fn emit(&mut self, call: Call<'_>) -> Result<Vec<Option<TensorId>>> {
        let operator = self.build(call.name, call.op, call.attrs, call.opset, &call.inputs)?;
        for f in operator.outputs() {
            let count = element_count(&f.shape)?;
            ensure!(
                count <= MAX_COMPUTED,
                UnsupportedModel,
                "an output of shape {:?} has more than {MAX_COMPUTED} elements",
                f.shape
            );
        }
        if operator.outputs().iter().all(Fact::is_empty) {
            // Nothing is known of its values because there are none: a constant, whatever it is computed from.
            let empty = |f: Fact| self.graph.add_constant(call.name, Constant::empty(f.shape, f.dtype));
            return Ok(operator.outputs().into_iter().map(empty).map(Some).collect());
        }
        let constants: Vec<Option<&Constant>> = call.inputs.iter().map(|&t| self.graph.constant(t)).collect();
        let constant = call.inputs.iter().zip(&constants).all(|(t, c)| t.is_none() || c.is_some());
        if constant || operator.folds_shapes() {
            if let Some(values) = operator.fold(&constants)? {
                return Ok(values.into_iter().map(|v| Some(self.graph.add_constant(call.name, v))).collect());
            }
        }
        if let Some(expansion) = operator.expand()? {
            return self.expansion(&call, operator.as_ref(), expansion);
        }
        if constant {
            let value = self.fold_by_kernel(&call)?;
            return Ok(vec![Some(self.graph.add_constant(call.name, value))]);
        }
        let Some(fact) = operator.outputs().into_iter().next() else { bail!(Internal, "no output") };
        self.graph.tensors.push(Tensor { name: call.name.into(), fact });
        let output = TensorId(self.graph.tensors.len() - 1);
        self.graph.nodes.push(Node {
            name: call.name.into(),
            op: call.op.into(),
            attrs: call.attrs.clone(),
            opset: call.opset,
            inputs: call.inputs,
            output,
            operator: operator.into(),
        });
        Ok(vec![Some(output)])
    }

    fn expansion(
        &mut self,
        call: &Call<'_>,
        operator: &dyn Operator,
        e: Expansion,
    ) -> Result<Vec<Option<TensorId>>> {
        ensure!(call.depth < MAX_DEPTH, Internal, "{} expands without end", call.op);
        let mut made: Vec<Vec<Option<TensorId>>> = Vec::with_capacity(e.nodes.len());
        for piece in e.nodes {
            let mut inputs = Vec::with_capacity(piece.inputs.len());
            for source in piece.inputs {
                inputs.push(match source {
                    None => None,
                    Some(s) => self.source(call, &made, s)?,
                });
            }
            let (name, op, attrs, depth) = (call.name, piece.op, &piece.attrs, call.depth + 1);
            let part = Call { name, op, attrs, opset: INTERNAL_OPSET, inputs, depth };
            made.push(self.emit(part).map_err(|error| error.at(op))?);
        }
        let mut outputs = Vec::with_capacity(e.outputs.len());
        for (source, fact) in e.outputs.into_iter().zip(operator.outputs()) {
            let id = source.map(|s| self.source(call, &made, s)).transpose()?.flatten();
            let shape = id.map(|id| self.graph.shape(id));
            ensure!(
                shape.is_none_or(|s| s == fact.shape),
                Internal,
                "stands for nodes that give shape {shape:?}, not {:?}",
                fact.shape
            );
            outputs.push(id);
        }
        Ok(outputs)
    }

    fn source(
        &mut self,
        call: &Call<'_>,
        made: &[Vec<Option<TensorId>>],
        s: Source,
    ) -> Result<Option<TensorId>> {
        let output = |piece: usize, k: usize| made.get(piece).and_then(|o| o.get(k)).copied().flatten();
        let found = match s {
            Source::Input(i) => return Ok(call.inputs.get(i).copied().flatten()),
            Source::Constant(c) => Some(self.graph.add_constant(call.name, c)),
            Source::Piece(piece) => output(piece, 0),
            Source::Output(piece, k) => output(piece, k),
        };
        ensure!(found.is_some(), Internal, "{} stands for nodes of which one is missing", call.op);
        Ok(found)
    }

    fn build(
        &self,
        name: &str,
        op: &str,
        attrs: &Attributes,
        opset: i64,
        inputs: &[Option<TensorId>],
    ) -> Result<Box<dyn Operator>> {
        let facts = inputs.iter().map(|t| t.map(|t| self.graph.fact(t))).collect();
        self.registry.build(&Build { name, op, attrs, opset, inputs: facts })
    }

    /// The value of an operator whose inputs are constant, by the kernel that it has for computed ones.
    fn fold_by_kernel(&self, call: &Call<'_>) -> Result<Constant> {
        let Some(x) = call.inputs.first().and_then(|&t| self.graph.constant(t)) else {
            bail!(UnsupportedOp, "has no input to fold")
        };
        let mut facts: Vec<Option<Fact>> =
            call.inputs.iter().map(|t| t.map(|t| self.graph.fact(t).clone())).collect();
        if let Some(f) = &mut facts[0] {
            f.constant = None;
        }
        let inputs = facts.iter().map(Option::as_ref).collect();
        let cx = Build { name: call.name, op: call.op, attrs: call.attrs, opset: call.opset, inputs };
        fold_by_kernel(self.registry.build(&cx)?.as_ref(), x)
    }
}

/// An operator to be added to the graph.
struct Call<'c> {
    name: &'c str,
    op: &'c str,
    attrs: &'c Attributes,
    opset: i64,
    inputs: Vec<Option<TensorId>>,
    /// How many expansions it is in.
    depth: usize,
}

/// Most expansions within each other; Attention with rotary embeddings needs four.
const MAX_DEPTH: usize = 8;

/// Indices of the nodes that the targets depend on, in order, and the names of all tensors that are read for them.
fn needed<'m>(model: &'m Model, targets: &'m [String]) -> Result<(Vec<usize>, HashSet<&'m str>)> {
    let mut live: HashSet<&str> = targets.iter().map(String::as_str).collect();
    for t in targets {
        if !model.has_tensor(t) {
            let names: Vec<&str> = model.outputs.iter().map(|o| o.name.as_str()).collect();
            bail!(InvalidOption, "no tensor '{t}' in the model; its outputs are {}", names.join(", "));
        }
    }
    let mut keep = Vec::new();
    for (i, n) in model.nodes.iter().enumerate().rev() {
        if n.outputs.iter().any(|o| live.contains(o.as_str())) {
            keep.push(i);
            live.extend(n.inputs.iter().filter(|t| !t.is_empty()).map(String::as_str));
        }
    }
    keep.reverse();
    Ok((keep, live))
}
