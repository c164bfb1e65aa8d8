//! Making steps from a graph: tensors are numbered, structures instantiated, rules picked.
use std::collections::HashMap;

use deeplift_graph::broadcast::transpose_index;
use deeplift_graph::operator::{ClosedForm, LinearKind, Members, Precision, Selection};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{ensure, Graph, Layers, Node, Result, Structure, TensorId};
use deeplift_kernels::Reduced;
use deeplift_rules::{maximum, Feed, MaxRule, NearZero, Policy, RuleName};
use deeplift_simd::amx::TileUnit;
use deeplift_simd::Real;

use crate::input::{Input, Site};
use crate::options::{PlanOptions, Precision as Arithmetic, References, Variants};
use crate::plan::{Kind, Step, Tensors};

/// Rules that hold for a whole plan.
pub struct Choices {
    /// By node.
    pub policy: Policy,
    /// Maxima over windows and axes.
    pub max_pool: MaxRule,
    /// Maxima of several tensors.
    pub binary_max: MaxRule,
    /// Rescale of small differences.
    pub near: NearZero,
    /// Softmax, where another rule is asked for. A gradient has no variants.
    pub softmax: Option<String>,
}

/// Rules of Softmax, the default first.
const SOFTMAX: [&str; 3] = ["logmean", "elementwise", "decomposed"];

impl Choices {
    /// Reads the names that users write.
    ///
    /// # Errors
    /// `INVALID_OPTION` with the names that exist.
    pub fn parse(policy: Policy, v: &Variants) -> Result<Self> {
        let max = |option: &str, name: &Option<String>, default| match name {
            Some(name) => MaxRule::parse(option, name),
            None => Ok(default),
        };
        let binary_max = max("binaryMax", &v.binary_max, MaxRule::Shapley)?;
        ensure!(
            binary_max != MaxRule::ArgMax,
            InvalidOption,
            "binaryMax is shapley, cross or path; argmax is a rule of pooling"
        );
        let softmax = v.softmax.as_deref().unwrap_or(SOFTMAX[0]);
        ensure!(
            SOFTMAX.contains(&softmax),
            InvalidOption,
            "no softmax '{softmax}'; there are {}",
            SOFTMAX.join(", ")
        );
        let softmax = (softmax != SOFTMAX[0] && policy.compares()).then(|| softmax.into());
        Ok(Choices {
            softmax,
            policy,
            max_pool: max("maxPool", &v.max_pool, MaxRule::Cross)?,
            binary_max,
            near: v.near_zero.as_deref().map_or(Ok(NearZero::Accurate), NearZero::parse)?,
        })
    }
}

/// What the graph gives before buffers are assigned.
#[allow(missing_docs)]
pub struct Compiled<T: Real> {
    pub steps: Vec<Step<T>>,
    pub tensors: Tensors,
    pub inputs: Vec<Input>,
    /// What contributions belong to.
    pub scored: Vec<Site>,
    /// The outputs of the graph.
    pub outputs: Vec<usize>,
    pub warnings: Vec<String>,
}

/// Numbers the tensors, instantiates every node's structure and picks its rule. `inputs` are those of the model,
/// `layers` inner tensors that are scored in their place; `shared` are the layers that other plans hold.
///
/// # Errors
/// `UNSUPPORTED_OP` naming a node that contributions would have to pass and that has no exact rule.
pub fn compile<T: Precision>(
    graph: &Graph,
    inputs: Vec<Input>,
    layers: &[(Site, TensorId)],
    options: &PlanOptions,
    choices: &Choices,
    shared: &Layers,
) -> Result<Compiled<T>> {
    let mut c = Compiler {
        graph,
        choices,
        shared,
        number: HashMap::new(),
        tensors: Tensors::default(),
        layers: layers.iter().map(|l| l.1).collect(),
        steps: vec![],
        feeds: HashMap::new(),
        reduced: None,
        warnings: vec![],
    };
    c.choose_products(options.precision);
    let inputs = c.inputs(inputs, options, layers.is_empty());
    for node in &graph.nodes {
        c.node(node).map_err(|e| e.at(format!("node '{}' ({})", node.name, node.op)))?;
    }
    let outputs = graph.outputs.iter().map(|t| c.number[t]).collect();
    let layer = |(site, id): &(Site, TensorId)| Site { tensor: c.number.get(id).copied(), ..site.clone() };
    let scored = match layers {
        [] => inputs.iter().map(|i| i.site.clone()).collect(),
        layers => layers.iter().map(layer).collect(),
    };
    Ok(Compiled { steps: c.steps, tensors: c.tensors, inputs, scored, outputs, warnings: c.warnings })
}

struct Compiler<'a, T: Real> {
    graph: &'a Graph,
    choices: &'a Choices,
    shared: &'a Layers,
    number: HashMap<TensorId, usize>,
    tensors: Tensors,
    layers: Vec<TensorId>,
    steps: Vec<Step<T>>,
    /// What feeds each tensor, seen through layout, bias and scale.
    feeds: HashMap<usize, Feed>,
    /// Products of bf16 in place of floats.
    reduced: Option<Reduced>,
    warnings: Vec<String>,
}

impl<T: Precision> Compiler<'_, T> {
    /// Whether products of bf16 are asked for, and something here multiplies them fast.
    fn choose_products(&mut self, precision: Arithmetic) {
        let Some(products) = precision.products() else { return };
        let name = precision.name();
        let Some(unit) = TileUnit::active() else {
            let why = TileUnit::Amx.missing().unwrap_or("DEEPLIFT_AMX is off");
            self.warnings
                .push(format!("precision {name} is computed in float32, which is at least as exact: {why}"));
            return;
        };
        if unit == TileUnit::Plain {
            let text = "DEEPLIFT_AMX=emulate computes the results of AMX in portable code, slowly";
            self.warnings.push(format!("precision {name}: {text}"));
        }
        self.reduced = Some(Reduced::new(products, unit));
    }

    fn tensor(&mut self, id: TensorId, attributed: bool) -> usize {
        let t = &self.graph.tensors[id.0];
        let n = self.tensors.push(&t.name, &t.fact.shape, attributed);
        self.number.insert(id, n);
        n
    }

    fn inputs(&mut self, mut inputs: Vec<Input>, options: &PlanOptions, scored: bool) -> Vec<Input> {
        // Multipliers are asked for even where the difference is zero.
        let o = &options.outputs;
        let all = o.multipliers || o.hypothetical || options.multiply_by == crate::options::MultiplyBy::Input;
        for (input, &id) in inputs.iter_mut().zip(&self.graph.inputs) {
            let consumers = self.graph.consumers(id);
            if !consumers.is_empty() || self.graph.outputs.contains(&id) {
                let moves = all || input.references != References::Itself;
                let attributed = scored && moves && self.graph.fact(id).dtype.is_float();
                let n = self.tensor(id, attributed);
                self.tensors.source[n] = true;
                self.tensors.is_input[n] = true;
                input.site.tensor = Some(n);
                if !consumers.is_empty() {
                    self.absorb_transpose(id, &consumers, n, &mut input.site);
                }
                self.feeds.insert(n, Feed::Other);
            }
        }
        inputs
    }

    /// An input that is only read through one transpose is stored in that order from the start.
    fn absorb_transpose(&mut self, id: TensorId, consumers: &[usize], number: usize, site: &mut Site) {
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
        site.order = Some(index.into_iter().map(|i| i as u32).collect());
        for n in nodes {
            self.number.insert(n.output, number);
        }
    }

    fn node(&mut self, node: &Node) -> Result<()> {
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
        let attributed = inputs.iter().any(|&i| self.tensors.attributed[i]);
        if let Some(text) = node.operator.warning().filter(|_| attributed) {
            self.warnings.push(format!("node '{}' ({}) {text}", node.name, node.op));
        }
        let layer = self.layers.contains(&node.output);
        let output = self.tensor(node.output, attributed || layer);
        self.tensors.source[output] = !attributed || layer;
        let feed = self.feed(&structure, &inputs);
        self.feeds.insert(output, feed);
        let fed = self.feeds[&inputs[0]];
        let elementwise = matches!(structure, Structure::Elementwise(_));
        let policy = &self.choices.policy;
        let by_feed = policy.looks_at_feed() && elementwise && attributed;
        if by_feed && fed == Feed::Other {
            let text = "is fed by neither a convolution nor a dense layer; rescale is used";
            self.warnings.push(format!("node '{}' ({}) {text}", node.name, node.op));
        }
        let rule = policy.pick(&node.name, fed);
        let structure = match structure {
            Structure::Linear(mut l) => {
                l.share(self.shared);
                Structure::Linear(self.reduced.and_then(|how| l.reduced(how)).unwrap_or(l))
            }
            structure => structure,
        };
        let (kind, max) = self.kind(structure, rule, attributed)?;
        self.steps.push(Step {
            name: node.name.clone(),
            op: node.op.clone(),
            kind,
            one_hot: None,
            uneven: false,
            differences: false,
            rule,
            max,
            inputs,
            output,
            attributed,
            relu_fused: false,
            base: None,
            product: None,
            skips_dead: false,
            feed: by_feed.then_some(fed),
        });
        Ok(())
    }

    fn kind(&self, s: Structure<T>, rule: RuleName, attributed: bool) -> Result<(Kind<T>, Option<MaxRule>)> {
        Ok(match s {
            Structure::Linear(l) => (Kind::Linear(l, None), None),
            Structure::Elementwise(f) => (Kind::Elementwise(f, rule.rule(self.choices.near)), None),
            Structure::Selection(s) => {
                let max = if s.binary() { self.choices.binary_max } else { self.choices.max_pool };
                let kind = match max {
                    MaxRule::Cross | MaxRule::ArgMax => Kind::Selection(s),
                    MaxRule::Path | MaxRule::Shapley if attributed => {
                        let share = if max == MaxRule::Path { maximum::path } else { maximum::shapley };
                        Kind::ClosedForm(Box::new(Shared { members: s.members(), selection: s, share }))
                    }
                    MaxRule::Path | MaxRule::Shapley => Kind::Selection(s),
                };
                (kind, Some(max))
            }
            Structure::ClosedForm(c) => (Kind::ClosedForm(c), None),
            Structure::Opaque { advice, forward } => {
                ensure!(!attributed, UnsupportedOp, "has no exact rule: {advice}");
                let Some(forward) = forward else {
                    deeplift_graph::bail!(UnsupportedOp, "cannot be computed: {advice}")
                };
                (Kind::Forward(forward), None)
            }
            Structure::View => deeplift_graph::bail!(Internal, "a view is no step"),
        })
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

/// How a rule for maxima shares a window.
type Share<T> = fn(&[T], &[T], bool, &mut [T], &mut maximum::Work);

/// A maximum whose difference several members of a window share. A record holds a multiplier per member.
struct Shared<T: Real> {
    selection: Box<dyn Selection<T>>,
    members: Members,
    share: Share<T>,
}

impl<T: Real> ClosedForm<T> for Shared<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        self.selection.forward(x[0], y);
    }

    fn record_len(&self) -> usize {
        self.members.index.len()
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        let mut work = maximum::Work::default();
        let (mut own, mut reference) = (vec![], vec![]);
        for window in self.members.start.windows(2) {
            let range = window[0] as usize..window[1] as usize;
            let index = &self.members.index[range.clone()];
            own.clear();
            own.extend(index.iter().map(|&i| x[0][i as usize]));
            reference.clear();
            reference.extend(index.iter().map(|&i| x0[0][i as usize]));
            (self.share)(&own, &reference, self.selection.largest(), &mut record[range], &mut work);
        }
    }

    fn adjoint(&self, _port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        if !accumulate {
            mx.fill(T::ZERO);
        }
        for (window, &my) in self.members.start.windows(2).zip(my) {
            for k in window[0] as usize..window[1] as usize {
                mx[self.members.index[k] as usize] += record[k] * my;
            }
        }
    }
}
