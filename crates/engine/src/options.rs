//! What a caller asks for, as it crosses the language boundary.
use deeplift_rules::RuleName;
use deeplift_simd::amx::Products;
use serde::Deserialize;

/// Everything that fixes a plan.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanOptions {
    /// Shape per example of every model input, in the model's order.
    pub inputs: Vec<InputOptions>,
    /// Axis of the four letters of each input, without the batch axis; found by size if not given.
    #[serde(default)]
    pub channel_axis: Vec<Option<usize>>,
    /// What is explained.
    pub targets: Vec<Target>,
    /// Whether outputs behind a final sigmoid or softmax are explained at their logits.
    #[serde(default)]
    pub peel: bool,
    /// Inner tensors that are scored in place of the inputs.
    #[serde(default)]
    pub layers: Vec<String>,
    /// Rule name, `genomics-default` or `integrated-gradients`.
    pub rule: String,
    /// Points on the path of integrated gradients.
    #[serde(default)]
    pub steps: Option<usize>,
    /// Rules that other implementations have in place of the default ones.
    #[serde(default)]
    pub variants: Variants,
    /// Averages with the reverse complement.
    #[serde(default)]
    pub reverse_complement: Option<ReverseComplement>,
    /// Whether inputs with letters enter without their mean over letters (SEMANTICS 2.5).
    #[serde(default)]
    pub mean_normalised: bool,
    /// Whether everything is kept that [`crate::trace`] looks at.
    #[serde(default)]
    pub trace: bool,
    /// Whether the time of every step is kept.
    #[serde(default)]
    pub timed: bool,
    /// Rules for nodes by name.
    #[serde(default)]
    pub overrides: Vec<Override>,
    /// What multipliers are multiplied by.
    #[serde(default)]
    pub multiply_by: MultiplyBy,
    /// Arithmetic.
    #[serde(default)]
    pub precision: Precision,
    /// References of each input, in the model's order.
    pub references: Vec<References>,
    /// What is returned.
    pub outputs: Outputs,
    /// Bytes that one thread may use for activations.
    pub memory: f64,
}

impl PlanOptions {
    /// A plan in which all inputs are held fixed, so that nothing is explained.
    fn fixed(
        inputs: Vec<InputOptions>,
        channel_axis: Vec<Option<usize>>,
        targets: Vec<Target>,
        precision: Precision,
        memory: f64,
    ) -> Self {
        PlanOptions {
            references: vec![References::Itself; inputs.len()],
            inputs,
            channel_axis,
            targets,
            precision,
            memory,
            peel: false,
            layers: vec![],
            rule: RuleName::Rescale.name().into(),
            steps: None,
            variants: Variants::default(),
            reverse_complement: None,
            mean_normalised: false,
            trace: false,
            timed: false,
            overrides: vec![],
            multiply_by: MultiplyBy::Difference,
            outputs: Outputs::default(),
        }
    }
}

impl From<PredictOptions> for PlanOptions {
    fn from(o: PredictOptions) -> Self {
        let target = |tensor: String| Target { tensor, ..Target::default() };
        let targets = o.outputs.into_iter().map(target).collect();
        Self::fixed(o.inputs, o.channel_axis, targets, o.precision, o.memory)
    }
}

impl From<MutagenesisOptions> for PlanOptions {
    fn from(o: MutagenesisOptions) -> Self {
        let plan = Self::fixed(o.inputs, o.channel_axis, o.targets, o.precision, o.memory);
        PlanOptions { peel: o.peel, ..plan }
    }
}

/// Everything that fixes what is predicted.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PredictOptions {
    /// Shape per example of every model input, in the model's order.
    pub inputs: Vec<InputOptions>,
    /// As in [`PlanOptions`].
    #[serde(default)]
    pub channel_axis: Vec<Option<usize>>,
    /// Tensors whose values are wanted, each once.
    pub outputs: Vec<String>,
    /// Arithmetic.
    #[serde(default)]
    pub precision: Precision,
    /// Bytes that one thread may use for activations.
    pub memory: f64,
}

/// Everything that fixes what is mutated, and which change is looked at.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MutagenesisOptions {
    /// Shape per example of every model input, in the model's order.
    pub inputs: Vec<InputOptions>,
    /// As in [`PlanOptions`].
    #[serde(default)]
    pub channel_axis: Vec<Option<usize>>,
    /// The input whose letters are changed.
    pub input: String,
    /// The first position that is changed, and the one behind the last; all positions if not given.
    #[serde(default)]
    pub window: Option<(usize, usize)>,
    /// What is looked at.
    pub targets: Vec<Target>,
    /// As in [`PlanOptions`].
    #[serde(default)]
    pub peel: bool,
    /// Arithmetic.
    #[serde(default)]
    pub precision: Precision,
    /// Bytes that one thread may use for activations.
    pub memory: f64,
}

/// One model input.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)]
pub struct InputOptions {
    pub name: String,
    pub shape: Vec<usize>,
    pub encoding: Encoding,
}

/// How examples arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Values.
    Float,
    /// One byte per position, 0 to 3 for A, C, G, T and 4 for none.
    Codes,
}

/// A scalar of one tensor: one value or a sum of values, or what a profile head says of it. With neither, the tensor has
/// one value per example.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Target {
    pub tensor: String,
    pub index: Option<Place>,
    /// The value here is taken off.
    pub minus: Option<Place>,
    /// Whether the mean of the tensor is taken off.
    pub centred: bool,
    /// Weights over the flattened tensor of one example.
    pub seed: Option<Vec<f64>>,
    /// The tensor holds the logits of a profile.
    pub profile: Option<ProfileWeights>,
}

/// Values of the tensor of one example.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// By its position in the flattened tensor.
    Flat(usize),
    /// By axis; values of several positions are summed.
    Axes(Vec<Option<Select>>),
}

/// Positions along one axis.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Select {
    /// One.
    Index(usize),
    /// From the first up to, not including, the second.
    Range(usize, usize),
}

/// What the contributions of a profile head `Σ softmax(l - mean l) (l - mean l)` are multipliers of: the weights of the
/// centred logits (SEMANTICS 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileWeights {
    /// The mean of the probabilities on example and reference: ChromBPNet's files.
    Mean,
    /// The probabilities on the example.
    Input,
    /// The probabilities on the reference.
    Reference,
    /// The head as a function, by the product rule and the softmax rule.
    Full,
    /// The head as a function, element by element: bpnet-lite.
    BpnetLite,
}

/// Averaging with the reverse complement of inputs and references (SEMANTICS 2.6).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReverseComplement {
    /// What is explained on the reverse strand, one per target.
    pub targets: Vec<Target>,
}

/// Rules of other implementations (SEMANTICS 3.4), by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Variants {
    /// Maxima over windows and axes: `cross`, `path`, `shapley`, `argmax`.
    pub max_pool: Option<String>,
    /// Maxima of several tensors: `shapley`, `cross`, `path`.
    pub binary_max: Option<String>,
    /// `logmean`, `elementwise`, `decomposed`.
    pub softmax: Option<String>,
    /// `accurate`, `deeplift`, `captum`, `shap`, `tangermeme`.
    pub near_zero: Option<String>,
}

/// A rule for nodes whose name matches a pattern.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)]
pub struct Override {
    pub node: String,
    pub rule: String,
}

/// What multipliers are multiplied by to give contributions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MultiplyBy {
    /// Input minus reference.
    #[default]
    Difference,
    /// The input.
    Input,
}

/// Arithmetic of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Precision {
    #[default]
    Float32,
    Float64,
    /// Single precision, but for products in convolutions and dense layers: one of bf16.
    Bf16,
    /// The same with three products of bf16 for one.
    Bf16x3,
    /// The same with six.
    Bf16x6,
}

impl Precision {
    /// The name as users write it.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Float32 => "float32",
            Precision::Float64 => "float64",
            Precision::Bf16 => "bf16",
            Precision::Bf16x3 => "bf16x3",
            Precision::Bf16x6 => "bf16x6",
        }
    }

    /// Products of bf16 that stand for one of floats.
    pub fn products(self) -> Option<Products> {
        match self {
            Precision::Float32 | Precision::Float64 => None,
            Precision::Bf16 => Some(Products::One),
            Precision::Bf16x3 => Some(Products::Three),
            Precision::Bf16x6 => Some(Products::Six),
        }
    }
}

/// Where the references of one input come from.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum References {
    /// All zeros.
    Zeros,
    /// The same four numbers at every position.
    Background {
        /// Of A, C, G and T.
        frequencies: [f64; 4],
    },
    /// Given once for all examples.
    Shared {
        /// How many.
        count: usize,
    },
    /// Given with every example.
    #[serde(rename = "perExample")]
    PerExample {
        /// How many per example.
        count: usize,
    },
    /// Dinucleotide shuffles of the example.
    Dinucleotide {
        /// How many per example.
        count: usize,
        /// Key of the random stream.
        seed: u64,
        /// What happens to positions without a letter.
        #[serde(default)]
        unknown: Unknown,
    },
    /// The example itself: the input is held fixed.
    #[serde(rename = "self")]
    Itself,
}

impl References {
    /// References per example; 1 where one serves for any number.
    pub fn count(&self) -> usize {
        match self {
            References::Shared { count }
            | References::PerExample { count }
            | References::Dinucleotide { count, .. } => *count,
            _ => 1,
        }
    }
}

/// Shuffling of positions without a letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// A fifth symbol.
    #[default]
    Symbol,
    /// Stay in place.
    Fixed,
    /// Are an error.
    Reject,
}

/// What is returned beside the outputs and the completeness.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Outputs {
    pub contributions: bool,
    pub hypothetical: bool,
    pub multipliers: bool,
    pub per_reference: bool,
}
