//! Making a plan from a graph: steps and rules, which values are kept, what is fused, where tensors live.
use std::collections::HashMap;

use deeplift_graph::broadcast::transpose_index;
use deeplift_graph::model::Model;
use deeplift_graph::operator::{LinearKind, Precision};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, ensure, Graph, Node, Result, Structure, TensorId};
use deeplift_rules::{Feed, Policy};
use deeplift_simd::Real;

use crate::input::Input;
use crate::memory::{Assignment, Life};
use crate::options::PlanOptions;
use crate::plan::{Kind, Layout, Step, Tensors};

/// What the graph gives before buffers are assigned.
#[allow(missing_docs)]
pub struct Compiled<T: Real> {
    pub steps: Vec<Step<T>>,
    pub tensors: Tensors,
    pub inputs: Vec<Input>,
    pub target: usize,
    pub warnings: Vec<String>,
}

/// Numbers the tensors, instantiates every node's structure and picks its rule.
pub fn compile<T: Precision>(
    graph: &Graph,
    model: &Model,
    options: &PlanOptions,
    policy: &Policy,
) -> Result<Compiled<T>> {
    let tensors =
        Tensors { name: vec![], len: vec![], shape: vec![], parts: vec![], split: vec![], kept: vec![] };
    let mut c = Compiler {
        graph,
        number: HashMap::new(),
        tensors,
        steps: vec![],
        feeds: HashMap::new(),
        warnings: vec![],
    };
    let inputs = c.inputs(model, options)?;
    for node in &graph.nodes {
        c.node(node, policy).map_err(|e| e.at(format!("node '{}' ({})", node.name, node.op)))?;
    }
    let target = c.number[&graph.outputs[0]];
    Ok(Compiled { steps: c.steps, tensors: c.tensors, inputs, target, warnings: c.warnings })
}

struct Compiler<'a, T: Real> {
    graph: &'a Graph,
    number: HashMap<TensorId, usize>,
    tensors: Tensors,
    steps: Vec<Step<T>>,
    /// What feeds each tensor, seen through layout, bias and scale.
    feeds: HashMap<usize, Feed>,
    warnings: Vec<String>,
}

impl<T: Precision> Compiler<'_, T> {
    fn tensor(&mut self, id: TensorId) -> usize {
        let t = &self.graph.tensors[id.0];
        self.tensors.name.push(t.name.clone());
        self.tensors.len.push(t.fact.len());
        self.tensors.shape.push(t.fact.shape.clone());
        self.tensors.parts.push(false);
        self.tensors.split.push(false);
        self.tensors.kept.push(false);
        let n = self.tensors.len.len() - 1;
        self.number.insert(id, n);
        n
    }

    fn inputs(&mut self, model: &Model, options: &PlanOptions) -> Result<Vec<Input>> {
        let mut out = Vec::new();
        ensure!(
            options.inputs.len() == model.inputs.len() && options.references.len() == model.inputs.len(),
            InvalidOption,
            "{} inputs and {} references for a model of {} inputs",
            options.inputs.len(),
            options.references.len(),
            model.inputs.len()
        );
        for (i, &id) in self.graph.inputs.iter().enumerate() {
            let o = &options.inputs[i];
            let axis = options.channel_axis.get(i).copied().flatten();
            let mut input =
                Input::new(&o.name, o.shape.clone(), o.encoding, options.references[i].clone(), axis)?;
            let consumers = self.graph.consumers(id);
            if !consumers.is_empty() || self.graph.outputs.contains(&id) {
                let n = self.tensor(id);
                input.tensor = Some(n);
                if !consumers.is_empty() {
                    self.absorb_transpose(id, &consumers, n, &mut input);
                }
                self.feeds.insert(n, Feed::Other);
            }
            out.push(input);
        }
        Ok(out)
    }

    /// An input that is only read through one transpose is stored in that order from the start.
    fn absorb_transpose(&mut self, id: TensorId, consumers: &[usize], number: usize, input: &mut Input) {
        let nodes: Vec<&Node> = consumers.iter().map(|&c| &self.graph.nodes[c]).collect();
        let perm = |n: &Node| match n.attrs.get("perm") {
            Some(Attribute::Ints(p)) if n.op == "Transpose" => Some(p.clone()),
            _ => None,
        };
        let Some(first) = perm(nodes[0]) else { return };
        if self.graph.outputs.contains(&id) || nodes.iter().any(|n| perm(n).as_ref() != Some(&first)) {
            return;
        }
        let axes: Vec<usize> = first.iter().map(|&a| a as usize).collect();
        let (shape, index) = transpose_index(self.graph.shape(id), &axes);
        self.tensors.shape[number] = shape;
        input.order = Some(index.into_iter().map(|i| i as u32).collect());
        for n in nodes {
            self.number.insert(n.output, number);
        }
    }

    fn node(&mut self, node: &Node, policy: &Policy) -> Result<()> {
        if self.number.contains_key(&node.output) {
            return Ok(());
        }
        let mut inputs = Vec::new();
        for t in self.graph.data_inputs(node) {
            inputs.push(self.number[&t]);
        }
        let structure = T::structure(node.operator.as_ref())?;
        if matches!(structure, Structure::View) {
            self.number.insert(node.output, inputs[0]);
            return Ok(());
        }
        if let Some(text) = node.operator.warning() {
            self.warnings.push(format!("node '{}' ({}) {text}", node.name, node.op));
        }
        let output = self.tensor(node.output);
        let feed = self.feed(&structure, &inputs);
        self.feeds.insert(output, feed);
        let mut shown = None;
        let kind = match structure {
            Structure::Linear(l) => Kind::Linear(l, None),
            Structure::Elementwise(f) => {
                let fed = self.feeds[&inputs[0]];
                if policy.looks_at_feed() {
                    shown = Some(fed);
                    if fed == Feed::Other {
                        let text = "is fed by neither a convolution nor a dense layer; rescale is used";
                        self.warnings.push(format!("node '{}' ({}) {text}", node.name, node.op));
                    }
                }
                let rule = policy.pick(&node.name, fed);
                Kind::Elementwise(f, rule, rule.rule())
            }
            Structure::Selection(s) => Kind::Selection(s),
            Structure::ClosedForm(c) => Kind::ClosedForm(c),
            Structure::Opaque { advice, .. } => bail!(UnsupportedOp, "has no exact rule: {advice}"),
            Structure::View => return Ok(()),
        };
        self.steps.push(Step {
            name: node.name.clone(),
            op: node.op.clone(),
            kind,
            inputs,
            output,
            relu_fused: false,
            feed: shown,
        });
        Ok(())
    }

    fn feed(&self, structure: &Structure<T>, inputs: &[usize]) -> Feed {
        let Structure::Linear(l) = structure else { return Feed::Other };
        match l.kind() {
            LinearKind::Convolution => Feed::Convolution,
            LinearKind::Dense => Feed::Dense,
            LinearKind::Transparent => self.feeds[&inputs[0]],
            LinearKind::Aggregate => {
                let first = self.feeds[&inputs[0]];
                let agree = inputs.len() > 1 && inputs.iter().all(|i| self.feeds[i] == first);
                if agree {
                    first
                } else {
                    Feed::Other
                }
            }
        }
    }
}

/// Marks where differences and multipliers are split into parts, and which values on the example are kept.
pub fn mark<T: Real>(steps: &mut [Step<T>], tensors: &mut Tensors, inputs: &[Input], target: usize) {
    for step in steps.iter().rev() {
        let out = step.output;
        let net = step.splits_net();
        match &step.kind {
            Kind::Linear(..) => {
                for &i in &step.inputs {
                    tensors.parts[i] |= tensors.parts[out] && !net;
                    tensors.split[i] |= tensors.split[out] && !net;
                }
            }
            Kind::Elementwise(_, _, rule) => {
                tensors.parts[step.inputs[0]] |= tensors.parts[out] || rule.splits();
                tensors.split[step.inputs[0]] |= tensors.split[out] || rule.splits();
            }
            Kind::Selection(_) => {
                tensors.parts[step.inputs[0]] |= tensors.parts[out];
                tensors.split[step.inputs[0]] |= tensors.split[out];
            }
            Kind::ClosedForm(_) => {}
        }
    }
    for i in inputs.iter().filter_map(|i| i.tensor) {
        tensors.kept[i] = true;
    }
    tensors.kept[target] = true;
    for step in steps.iter_mut() {
        let out = step.output;
        let apart = tensors.parts[out] || tensors.split[out];
        let net = step.splits_net();
        match &mut step.kind {
            Kind::Linear(l, parts) => {
                if apart {
                    *parts = Some(l.parts());
                    step.inputs.iter().for_each(|&i| tensors.kept[i] |= net);
                }
            }
            Kind::ClosedForm(c) => {
                step.inputs.iter().for_each(|&i| tensors.kept[i] = true);
                tensors.kept[out] |= apart || c.reads_outputs();
            }
            Kind::Elementwise(..) | Kind::Selection(_) => tensors.kept[step.inputs[0]] = true,
        }
    }
}

/// Moves each ReLU that is the only reader of a fusable layer right behind it and lets the kernel apply it.
pub fn fuse<T: Real>(steps: &mut Vec<Step<T>>, tensors: &Tensors, target: usize) {
    let mut readers = vec![vec![]; tensors.len.len()];
    for (i, step) in steps.iter().enumerate() {
        step.inputs.iter().for_each(|&t| readers[t].push(i));
    }
    let mut relu_of = vec![None; steps.len()];
    let mut moved = vec![false; steps.len()];
    for (i, step) in steps.iter().enumerate() {
        let out = step.output;
        let fusable = matches!(&step.kind, Kind::Linear(l, _) if l.fused().is_some());
        let whole = out != target && !tensors.parts[out] && !tensors.split[out];
        if let ([r], true) = (&readers[out][..], fusable && whole) {
            relu_of[i] = Some(*r);
        }
    }
    for i in 0..steps.len() {
        let Some(r) = relu_of[i] else { continue };
        let relu = matches!(&steps[r].kind, Kind::Elementwise(f, _, rule) if f.is_relu() && !rule.splits());
        steps[i].relu_fused = relu;
        moved[r] |= relu;
    }
    let mut waiting: Vec<Option<Step<T>>> = steps.drain(..).map(Some).collect();
    for i in 0..waiting.len() {
        if moved[i] {
            continue;
        }
        let Some(step) = waiting[i].take() else { continue };
        let relu = relu_of[i].filter(|_| step.relu_fused).and_then(|r| waiting[r].take());
        steps.push(step);
        steps.extend(relu);
    }
}

/// Assigns buffers from the lives of tensors in each pass.
pub fn layout<T: Real>(steps: &[Step<T>], tensors: &Tensors, inputs: &[Input], target: usize) -> Layout {
    let count = tensors.len.len();
    let n = steps.len();
    let mut born = vec![0; count];
    let mut last_read = vec![0; count];
    let mut hidden = vec![false; count];
    for (i, step) in steps.iter().enumerate() {
        born[step.output] = i;
        step.inputs.iter().for_each(|&t| last_read[t] = i);
        if step.relu_fused {
            hidden[step.output] = true;
        }
    }
    for (i, step) in steps.iter().enumerate().filter(|(_, s)| s.relu_fused) {
        // The ReLU's output is written while the layer runs.
        born[steps[i + 1].output] = i;
        last_read[step.output] = i;
    }
    let is_input = |t: usize| inputs.iter().any(|i| i.tensor == Some(t));
    let end = |t: usize| if is_input(t) || t == target { usize::MAX } else { last_read[t].max(born[t]) };
    let life = |t: usize, end: usize| Some(Life { start: born[t], end, len: tensors.len[t] });
    let each = |f: &dyn Fn(usize) -> Option<Life>| Assignment::new(&(0..count).map(f).collect::<Vec<_>>());
    // Backwards a fused ReLU is a step of its own, at its own place.
    let mut read_back = last_read.clone();
    let mut born_back = born.clone();
    for (i, step) in steps.iter().enumerate().filter(|(_, s)| s.relu_fused) {
        read_back[step.output] = i + 1;
        born_back[steps[i + 1].output] = i + 1;
    }
    let back = |t: usize| {
        let start = if t == target { 0 } else { n - 1 - read_back[t] };
        let end = if is_input(t) { usize::MAX } else { n - 1 - born_back[t] };
        Some(Life { start, end, len: tensors.len[t] })
    };
    Layout {
        tape: each(&|t| life(t, if tensors.kept[t] { usize::MAX } else { end(t) })),
        reference: each(&|t| if hidden[t] { None } else { life(t, end(t)) }),
        parts: each(&|t| if tensors.parts[t] { life(t, end(t)) } else { None }),
        multipliers: each(&back),
        negative: each(&|t| if tensors.split[t] { back(t) } else { None }),
        records: steps.iter().map(|s| record_lens(s, tensors)).collect(),
        winners: steps
            .iter()
            .map(|s| if matches!(s.kind, Kind::Selection(_)) { tensors.len[s.output] } else { 0 })
            .collect(),
    }
}

fn record_lens<T: Real>(step: &Step<T>, tensors: &Tensors) -> (usize, usize) {
    let (input, out) = (step.inputs[0], step.output);
    let apart = |n: usize| if tensors.split[out] { n } else { 0 };
    match &step.kind {
        Kind::Linear(..) if step.splits_net() => (apart(tensors.len[input]), 0),
        Kind::Linear(..) => (0, 0),
        Kind::Elementwise(_, _, rule) => {
            let n = tensors.len[input];
            (n, if rule.splits() { n } else { 0 })
        }
        Kind::Selection(_) => (tensors.len[out], 0),
        Kind::ClosedForm(c) => (c.record_len(), apart(tensors.len[out])),
    }
}
