//! The plan: what runs, in which order, into which buffer.
use std::ops::Range;

use deeplift_graph::model::Model;
use deeplift_graph::operator::{
    ClosedForm, Elementwise, Evaluate, Linear, LinearKind, OneHotLinear, Parts, Precision, Selection,
};
use deeplift_graph::rule::Rule;
use deeplift_graph::{bail, ensure, Result};
use deeplift_kernels::Holding;
use deeplift_rules::{Feed, MaxRule, RuleName};
use deeplift_simd::Real;

use crate::compile::{compile, Compiled};
use crate::fuse::fuse;
use crate::input::{Input, Site};
use crate::letters;
use crate::live::narrow;
use crate::mark::{layout, mark};
use crate::memory::Assignment;
use crate::options::{PlanOptions, References};
use crate::prepare;
use crate::target::PlanTarget;
use crate::ties::{self, Words};

/// What a step computes.
pub enum Kind<T: Real> {
    /// Affine; its positive and negative parts where multipliers or differences are split.
    Linear(Box<dyn Linear<T>>, Option<Parts<T>>),
    /// One function per element, under a rule.
    Elementwise(Box<dyn Elementwise<T>>, Box<dyn Rule<T>>),
    /// Maximum or minimum.
    Selection(Box<dyn Selection<T>>),
    /// A closed-form rule.
    ClosedForm(Box<dyn ClosedForm<T>>),
    /// Only computed: contributions do not pass it.
    Forward(Box<dyn Evaluate<T>>),
}

/// One step of the plan. Tensors are numbered anew: views share the number of what they view.
pub struct Step<T: Real> {
    /// The node's name in the file.
    pub name: String,
    /// The operator.
    pub op: String,
    /// What it computes.
    pub kind: Kind<T>,
    /// How it computes an input of the model that is a sequence of letters.
    pub one_hot: Option<Box<dyn OneHotLinear<T>>>,
    /// Whether its kernel gives equal outputs for equal windows only if asked to.
    pub uneven: bool,
    /// Whether multipliers of its input are needed only where letters differ.
    pub differences: bool,
    /// The rule of its node.
    pub rule: RuleName,
    /// How a maximum is shared.
    pub max: Option<MaxRule>,
    /// Data inputs.
    pub inputs: Vec<usize>,
    /// Output.
    pub output: usize,
    /// Whether contributions pass it.
    pub attributed: bool,
    /// Whether the next step is a ReLU that the kernel applies as it stores.
    pub relu_fused: bool,
    /// What the ReLU's output is added to, if the step after it is a residual sum that the kernel computes too.
    pub base: Option<usize>,
    /// The element-wise step whose record the kernel multiplies the multipliers of the input by, backwards.
    pub product: Option<usize>,
    /// Whether the adjoint does not read multipliers of outputs that are not needed.
    pub skips_dead: bool,
    /// What feeds the activation, where that mattered.
    pub feed: Option<Feed>,
}

impl<T: Real> Step<T> {
    /// How many of the steps behind this one its kernel computes in the forward pass.
    pub fn fused_behind(&self) -> usize {
        usize::from(self.relu_fused) + usize::from(self.base.is_some())
    }

    /// Whether a linear step splits the net difference of its input.
    pub fn splits_net(&self) -> bool {
        match &self.kind {
            Kind::Linear(l, _) => matches!(l.kind(), LinearKind::Convolution | LinearKind::Dense),
            _ => false,
        }
    }

    /// The rule that its multipliers follow.
    pub fn applied(&self) -> &'static str {
        match (&self.kind, self.max) {
            (Kind::Forward(_), _) => "none",
            (Kind::Linear(..), _) => "linear",
            (Kind::Elementwise(..), _) => self.rule.name(),
            _ if !self.rule.uses_reference() => RuleName::Gradient.name(),
            (_, Some(max)) => max.name(),
            (Kind::ClosedForm(c), _) => c.rule(),
            (Kind::Selection(_), None) => "cross",
        }
    }

    /// Whether contributions into it sum to those out of it.
    pub fn is_complete(&self) -> bool {
        match &self.kind {
            Kind::Linear(..) => true,
            Kind::Forward(_) => false,
            Kind::Elementwise(..) => self.rule.is_complete(),
            Kind::ClosedForm(c) => self.rule.uses_reference() && c.is_complete(),
            Kind::Selection(_) => self.rule.uses_reference() && self.max != Some(MaxRule::ArgMax),
        }
    }
}

/// Per-tensor facts of a plan.
#[derive(Default)]
pub struct Tensors {
    /// Names for messages.
    pub name: Vec<String>,
    /// Elements per lane.
    pub len: Vec<usize>,
    /// Elements of a lane that anything depends on; others may hold anything.
    pub live: Vec<Range<usize>>,
    /// Whether it is an input of the model.
    pub is_input: Vec<bool>,
    /// Shapes at batch 1.
    pub shape: Vec<Vec<usize>>,
    /// Whether positive and negative parts of the difference are computed.
    pub parts: Vec<bool>,
    /// Whether its multipliers differ between the parts.
    pub split: Vec<bool>,
    /// Whether the value on the example is kept for the pairs.
    pub kept: Vec<bool>,
    /// Whether contributions flow to or through it.
    pub attributed: Vec<bool>,
    /// Whether the parts of its difference are the net difference by sign: scored tensors, and those that
    /// contributions do not pass.
    pub source: Vec<bool>,
}

impl Tensors {
    /// Adds a tensor, of which nothing is split or kept yet.
    pub fn push(&mut self, name: &str, shape: &[usize], attributed: bool) -> usize {
        self.name.push(name.into());
        let len = shape.iter().product();
        self.len.push(len);
        self.live.push(0..len);
        self.shape.push(shape.to_vec());
        for marks in [&mut self.parts, &mut self.split, &mut self.kept, &mut self.source, &mut self.is_input]
        {
            marks.push(false);
        }
        self.attributed.push(attributed);
        self.len.len() - 1
    }

    /// The steps that read each tensor, in order.
    pub fn readers<T: Real>(&self, steps: &[Step<T>]) -> Vec<Vec<usize>> {
        let mut readers = vec![vec![]; self.len.len()];
        for (i, step) in steps.iter().enumerate() {
            step.inputs.iter().for_each(|&t| readers[t].push(i));
        }
        readers
    }
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
    /// The model's inputs.
    pub inputs: Vec<Input>,
    /// What contributions belong to: the inputs, or inner tensors.
    pub scored: Vec<Site>,
    /// What is explained.
    pub targets: Vec<PlanTarget>,
    /// Buffers.
    pub layout: Layout,
    /// The options it was made from.
    pub options: PlanOptions,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// References per example.
    pub references: usize,
    /// Words that occur once in sequences without ties, if it matters which sequences are.
    pub words: Option<Words>,
    /// Whether the rule of the plan compares with the reference; otherwise profile heads are derivatives too.
    pub compares: bool,
    /// Points on the path from each reference to the example (integrated gradients); 0 for all other rules.
    pub points: usize,
    /// Pairs that go through a layer together.
    pub lanes: usize,
}

impl<T: Precision> Plan<T> {
    /// Makes a plan.
    ///
    /// # Errors
    /// Those of [`bind`], and `INVALID_OPTION` for targets, layers, references or rules that do not fit the model.
    pub fn new(model: &Model, options: PlanOptions) -> Result<Self> {
        let choices = prepare::choices(&options)?;
        let inputs = prepare::inputs(model, &options)?;
        let names = prepare::target_names(&options)?;
        let bound = prepare::graph(model, &options, &choices, &inputs, &names)?;
        let mut c = compile(&bound.graph, inputs, &bound.layers, &options, &choices, &model.layers)
            .map_err(|e| e.at(&model.source))?;
        let nodes: Vec<String> = c.steps.iter().map(|s| s.name.clone()).collect();
        if let Some(p) = choices.policy.unmatched(&nodes).first() {
            bail!(InvalidOption, "rule override '{p}' matches no node");
        }
        let targets = prepare::targets(&options, &names, &mut c, &bound)?;
        prepare::ensure_attributed(&options, &c, &targets)?;
        let tensors: Vec<usize> = targets.iter().map(|t| t.tensor).collect();
        let references = prepare::reference_count(&options)?;
        let words = ties::keep(&mut c);
        mark(&mut c, &tensors);
        if options.trace {
            c.tensors.kept.fill(true);
        } else {
            let shown: Vec<usize> =
                c.scored.iter().filter_map(|s| s.tensor).chain(tensors.iter().copied()).collect();
            fuse(&mut c.steps, &c.tensors, &shown, choices.near);
            let inputs = c.inputs.iter().filter_map(|i| i.tensor);
            let whole: Vec<usize> = shown.iter().copied().chain(inputs).collect();
            narrow(&mut c.steps, &mut c.tensors, &whole);
        }
        letters::equip(&mut c, &options);
        let layout = layout(&c, &tensors, options.trace);
        let points = prepare::points(&options)?;
        let Compiled { steps, tensors, inputs, scored, mut warnings, .. } = c;
        if points > 0 {
            warnings
                .push("integrated gradients sum to the difference of the output only approximately".into());
        } else if let Some(s) = steps.iter().find(|s| s.attributed && !s.is_complete()) {
            let rule = s.applied();
            warnings.push(format!("contributions do not sum to the difference of the output (rule {rule})"));
        }
        let plan = Plan {
            steps,
            tensors,
            inputs,
            scored,
            targets,
            layout,
            options,
            warnings,
            references,
            words,
            compares: choices.policy.compares(),
            points,
            lanes: 1,
        };
        let lanes = plan.choose_lanes()?;
        Ok(Plan { lanes, ..plan })
    }

    /// Passes of references per example: for integrated gradients, that of the reference itself and one per point.
    pub fn pairs(&self) -> usize {
        self.references * (1 + self.points)
    }

    /// Whether references are the same for all examples, so that they are run once (if there is memory to keep them).
    pub fn has_constant_references(&self) -> bool {
        let same = |r: &References| {
            matches!(r, References::Zeros | References::Background { .. } | References::Shared { .. })
        };
        let (_, example) = self.lane_bytes();
        let fits = (example * self.references) as f64 <= self.options.memory;
        fits && self.points == 0 && self.strands() == 1 && self.inputs.iter().all(|i| same(&i.references))
    }

    /// Strands that each example is scored on.
    pub fn strands(&self) -> usize {
        1 + usize::from(self.options.reverse_complement.is_some())
    }

    /// Bytes that one pair needs, and one example.
    pub fn lane_bytes(&self) -> (usize, usize) {
        let l = &self.layout;
        let records: usize =
            l.records.iter().map(|r| r.0 + r.1).sum::<usize>() + l.winners.iter().sum::<usize>();
        let inputs: usize = self.scored.iter().map(|i| i.len).sum::<usize>() * (1 + self.targets.len());
        let pair =
            l.reference.total() + 2 * l.parts.total() + l.multipliers.total() + l.negative.total() + records;
        let size = size_of::<T>();
        ((pair + inputs) * size, (l.tape.total() + inputs * self.pairs()) * size)
    }

    /// Bytes of weights that are packed, and of those that passes of the plan may yet ask for. Other plans may share them.
    pub fn weights(&self) -> Holding {
        let mut holding = Holding::default();
        for step in &self.steps {
            let multipliers = step.attributed;
            step.one_hot
                .iter()
                .for_each(|kernel| kernel.tally(multipliers && step.differences, &mut holding));
            match &step.kind {
                Kind::Linear(l, parts) => {
                    l.tally(multipliers, &mut holding);
                    let parts = parts.iter().flat_map(|parts| [&parts.positive, &parts.negative]);
                    parts.flatten().for_each(|part| part.tally(multipliers, &mut holding));
                }
                Kind::ClosedForm(c) => c.tally(multipliers, &mut holding),
                Kind::Elementwise(..) | Kind::Selection(_) | Kind::Forward(_) => {}
            }
        }
        holding
    }

    /// Lanes of so many bytes that go through a layer together: `streamed` where weights should be read once for several,
    /// otherwise those whose activations the cache holds, up to `most`.
    pub(crate) fn lanes_in_cache(&self, bytes: usize, streamed: usize, most: usize) -> usize {
        /// A second-level cache: weights above it come from further away with every pass.
        const CACHE: usize = 1 << 20;
        let weights = self.steps.iter().map(|s| match &s.kind {
            Kind::Linear(l, _) if l.kind() == LinearKind::Dense => l.weight_bytes(),
            Kind::ClosedForm(c) => c.weight_bytes(),
            _ => 0,
        });
        if weights.sum::<usize>() > CACHE {
            streamed
        } else {
            (CACHE / bytes.max(1)).clamp(1, most)
        }
    }

    /// Pairs per pass: one where activations of a pair fill the cache anyway, more where weights are larger than
    /// activations and should be streamed once for several pairs.
    fn choose_lanes(&self) -> Result<usize> {
        let (pair, example) = self.lane_bytes();
        // Of 10 rows, a dense layer with 188 MB of weights takes 2.8 ms each, both ways; of 20, 2.2, and of 64, 1.9. With
        // 64 lanes the pairs of its network, which take 20 ms, would need 370 MB in place of 58.
        let wanted = self.lanes_in_cache(pair, 10, 8);
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
