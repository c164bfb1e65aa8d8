//! What a caller asks for, as it crosses the language boundary.
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
    /// Rule name, or `genomics-default`.
    pub rule: String,
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

/// A scalar of one tensor.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)]
pub struct Target {
    pub tensor: String,
    /// Flat index into the tensor of one example.
    #[serde(default)]
    pub index: Option<usize>,
    /// Weights over the flattened tensor of one example.
    #[serde(default)]
    pub seed: Option<Vec<f64>>,
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
