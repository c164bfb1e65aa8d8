//! The plan: what runs, in which order, into which buffer.
use deeplift_graph::bind::{bind, InputShapes};
use deeplift_graph::model::Model;
use deeplift_graph::operator::{ClosedForm, Elementwise, Linear, LinearKind, Parts, Precision, Selection};
use deeplift_graph::rule::Rule;
use deeplift_graph::{bail, ensure, Graph, Result};
use deeplift_ops::Operators;
use deeplift_rules::{Feed, Policy, RuleName};
use deeplift_simd::Real;

use crate::compile::{compile, fuse, layout, mark, Compiled};
use crate::input::Input;
use crate::memory::Assignment;
use crate::options::PlanOptions;

/// What a step computes.
pub enum Kind<T: Real> {
    /// Affine; its positive and negative parts where multipliers or differences are split.
    Linear(Box<dyn Linear<T>>, Option<Parts<T>>),
    /// One function per element, under a rule.
    Elementwise(Box<dyn Elementwise<T>>, RuleName, Box<dyn Rule<T>>),
    /// Maximum or minimum.
    Selection(Box<dyn Selection<T>>),
    /// A closed-form rule.
    ClosedForm(Box<dyn ClosedForm<T>>),
}

/// One step of the plan. Tensors are numbered anew: views share the number of what they view.
pub struct Step<T: Real> {
    /// The node's name in the file.
    pub name: String,
    /// The operator.
    pub op: String,
    /// What it computes.
    pub kind: Kind<T>,
    /// Data inputs.
    pub inputs: Vec<usize>,
    /// Output.
    pub output: usize,
    /// Whether the next step is a ReLU that the kernel applies as it stores.
    pub relu_fused: bool,
    /// What feeds the activation, where that mattered.
    pub feed: Option<Feed>,
}

impl<T: Real> Step<T> {
    /// Whether a linear step splits the net difference of its input.
    pub fn splits_net(&self) -> bool {
        match &self.kind {
            Kind::Linear(l, _) => matches!(l.kind(), LinearKind::Convolution | LinearKind::Dense),
            _ => false,
        }
    }
}

/// Per-tensor facts of a plan.
pub struct Tensors {
    /// Names for messages.
    pub name: Vec<String>,
    /// Elements per lane.
    pub len: Vec<usize>,
    /// Shapes at batch 1.
    pub shape: Vec<Vec<usize>>,
    /// Whether positive and negative parts of the difference are computed.
    pub parts: Vec<bool>,
    /// Whether its multipliers differ between the parts.
    pub split: Vec<bool>,
    /// Whether the value on the example is kept for the pairs.
    pub kept: Vec<bool>,
}

/// Buffers of the three passes.
pub struct Layout {
    /// Values of examples.
    pub tape: Assignment,
    /// Values of references.
    pub reference: Assignment,
    /// Positive and negative parts of differences.
    pub parts: Assignment,
    /// Multipliers (or those of positive parts).
    pub multipliers: Assignment,
    /// Multipliers of negative parts.
    pub negative: Assignment,
    /// Elements per lane of each step's record, and of its second one.
    pub records: Vec<(usize, usize)>,
    /// Winners per lane of selections.
    pub winners: Vec<usize>,
}

/// A plan in one precision.
pub struct Plan<T: Real> {
    /// In execution order.
    pub steps: Vec<Step<T>>,
    /// Tensors of the steps.
    pub tensors: Tensors,
    /// The model's inputs that the target depends on.
    pub inputs: Vec<Input>,
    /// The tensor that is explained.
    pub target: usize,
    /// One row of weights over the target tensor per target.
    pub seeds: Vec<Vec<f64>>,
    /// Buffers.
    pub layout: Layout,
    /// How rules were picked.
    pub policy: Policy,
    /// The options it was made from.
    pub options: PlanOptions,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// References per example.
    pub references: usize,
    /// Pairs that go through a layer together.
    pub lanes: usize,
}

impl<T: Precision> Plan<T> {
    /// Makes a plan.
    ///
    /// # Errors
    /// Those of [`bind`], and `INVALID_OPTION` for targets, references or rules that do not fit the model.
    pub fn new(model: &Model, options: PlanOptions) -> Result<Self> {
        let overrides: Vec<_> = options.overrides.iter().map(|o| (o.node.clone(), o.rule.clone())).collect();
        let policy = Policy::parse(&options.rule, &overrides)?;
        let mut graph = bound(model, &options)?;
        deeplift_graph::rewrites::canonicalise(&mut graph, &Operators).map_err(|e| e.at(&model.source))?;
        let Compiled { mut steps, mut tensors, inputs, target, mut warnings } =
            compile(&graph, model, &options, &policy).map_err(|e| e.at(&model.source))?;
        let names: Vec<String> = steps.iter().map(|s| s.name.clone()).collect();
        if let Some(p) = policy.unmatched(&names).first() {
            bail!(InvalidOption, "rule override '{p}' matches no node");
        }
        let seeds = seeds(&options, tensors.len[target])?;
        let references = reference_count(&options)?;
        mark(&mut steps, &mut tensors, &inputs, target);
        fuse(&mut steps, &tensors, target);
        let layout = layout(&steps, &tensors, &inputs, target);
        if !policy.uses_reference() {
            warnings.push("gradients do not sum to the difference of the output".into());
        }
        let mut plan = Plan {
            steps,
            tensors,
            inputs,
            target,
            seeds,
            layout,
            policy,
            options,
            warnings,
            references,
            lanes: 1,
        };
        plan.lanes = plan.choose_lanes()?;
        Ok(plan)
    }

    /// Bytes that one pair needs, and one example.
    pub fn lane_bytes(&self) -> (usize, usize) {
        let l = &self.layout;
        let records: usize =
            l.records.iter().map(|r| r.0 + r.1).sum::<usize>() + l.winners.iter().sum::<usize>();
        let inputs: usize = self.inputs.iter().map(|i| i.len).sum::<usize>() * (1 + self.seeds.len());
        let pair =
            l.reference.total() + l.parts.total() + l.multipliers.total() + l.negative.total() + records;
        let size = size_of::<T>();
        ((pair + inputs) * size, (l.tape.total() + inputs * self.references) * size)
    }

    /// Pairs per pass: one where activations of a pair fill the cache anyway, more where weights are larger than
    /// activations and should be streamed once for several pairs.
    fn choose_lanes(&self) -> Result<usize> {
        /// A second-level cache: weights above it come from further away with every pass.
        const CACHE: usize = 1 << 20;
        /// A share of the last cache: weights above it come from memory with every pass.
        const LAST_CACHE: usize = 32 << 20;
        let (pair, example) = self.lane_bytes();
        let dense: usize = self
            .steps
            .iter()
            .map(|s| match &s.kind {
                Kind::Linear(l, _) if l.kind() == LinearKind::Dense => l.weight_bytes(),
                Kind::ClosedForm(c) => c.weight_bytes(),
                _ => 0,
            })
            .sum();
        let wanted = match dense {
            // 32 lanes instead of 10 cost 160 MB and gained nothing on a network with 16 MB of dense weights.
            _ if dense > LAST_CACHE => 32,
            _ if dense > CACHE => 10,
            _ => (CACHE / pair.max(1)).clamp(1, 8),
        };
        let budget = self.options.memory as usize;
        let room = budget.saturating_sub(example) / pair.max(1);
        ensure!(
            room >= 1,
            InvalidOption,
            "one pair of this model needs {} MB per thread, more than the memory option allows ({} MB)",
            (pair + example) >> 20,
            budget >> 20
        );
        Ok(wanted.min(room))
    }
}

/// Binds the model at the caller's shapes, each with a batch axis of 1.
fn bound(model: &Model, options: &PlanOptions) -> Result<Graph> {
    let mut shapes = InputShapes::new();
    for i in &options.inputs {
        let mut shape = vec![1];
        shape.extend(&i.shape);
        shapes.insert(i.name.clone(), shape);
    }
    let Some(first) = options.targets.first() else { bail!(InvalidOption, "no target is given") };
    ensure!(
        options.targets.iter().all(|t| t.tensor == first.tensor),
        InvalidOption,
        "all targets of one call must be in one tensor; '{}' and another were given",
        first.tensor
    );
    bind(model, &Operators, &shapes, std::slice::from_ref(&first.tensor))
}

fn seeds(options: &PlanOptions, len: usize) -> Result<Vec<Vec<f64>>> {
    let seed = |t: &crate::options::Target| match (&t.seed, t.index) {
        (Some(s), _) => {
            ensure!(
                s.len() == len,
                InvalidOption,
                "the seed of target '{}' has {} values, the tensor has {len} per example",
                t.tensor,
                s.len()
            );
            Ok(s.clone())
        }
        (None, Some(i)) => {
            ensure!(
                i < len,
                InvalidOption,
                "index {i} of target '{}' is out of range: it has {len} values per example",
                t.tensor
            );
            let mut s = vec![0.0; len];
            s[i] = 1.0;
            Ok(s)
        }
        (None, None) if len == 1 => Ok(vec![1.0]),
        (None, None) => bail!(
            InvalidOption,
            "target '{}' has {len} values per example; give an index or a seed",
            t.tensor
        ),
    };
    options.targets.iter().map(seed).collect()
}

fn reference_count(options: &PlanOptions) -> Result<usize> {
    let counts: Vec<usize> = options.references.iter().map(|r| r.count()).collect();
    let most = counts.iter().copied().max().unwrap_or(0);
    ensure!(
        most >= 1 && counts.iter().all(|&c| c == 1 || c == most),
        InvalidOption,
        "inputs have {counts:?} references; each must have one, or the same number"
    );
    Ok(most)
}
