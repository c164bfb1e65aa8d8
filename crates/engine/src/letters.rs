//! Codes of inputs whose positions hold one of four letters, or none: what the first convolution of a DNA model reads
//! instead of numbers.
//!
//! Whether the values of an example or a reference are letters is decided for each of them when they are written, never
//! for a batch. Where they come from does not matter: codes, shuffles, strands and one-hot numbers end alike, and so do
//! references of zeros.
use deeplift_kernels::one_hot::{read_codes, LETTERS};
use deeplift_rules::policy::INTEGRATED_GRADIENTS;
use deeplift_sequence::Repeats;
use deeplift_simd::Real;

use crate::compile::Compiled;
use crate::forward::{lane, lane_mut};
use crate::options::{MultiplyBy, PlanOptions};
use crate::plan::{Kind, Plan};
use crate::ties::Words;

/// Gives the steps that read inputs of the model their kernels for letters, after everything else about them is known.
pub(crate) fn equip<T: Real>(c: &mut Compiled<T>, options: &PlanOptions) {
    let readers = c.tensors.readers(&c.steps);
    let o = &options.outputs;
    // Contributions see multipliers where there is a difference, and nothing else does.
    let contributions = !o.multipliers
        && !o.hypothetical
        && !options.trace
        && options.multiply_by == MultiplyBy::Difference
        && options.rule != INTEGRATED_GRADIENTS;
    for step in &mut c.steps {
        let t = step.inputs[0];
        let input = c.inputs.iter().any(|i| i.tensor == Some(t));
        if let (Kind::Linear(l, _), true) = (&step.kind, input) {
            step.one_hot = l.one_hot();
        }
        let adjoint = step.one_hot.as_ref().is_some_and(|kernel| kernel.has_adjoint());
        let alone = readers[t].len() == 1 && step.product.is_none();
        let net = c.tensors.attributed[t] && !c.tensors.split[t];
        step.differences = contributions && adjoint && alone && net;
    }
}

/// Codes of the inputs that some step can read as letters, one lane per example or reference.
pub(crate) struct Letters {
    /// By tensor.
    sequences: Vec<Option<Sequences>>,
    words: Option<Words>,
    /// Whether no word occurs twice in the sequence of a lane.
    distinct: Vec<bool>,
    repeats: Repeats,
}

struct Sequences {
    positions: usize,
    /// `[lane][position]`.
    codes: Vec<u8>,
    /// Whether a lane holds letters.
    sound: Vec<bool>,
}

impl Letters {
    /// Memory for so many lanes, in which nothing is known yet.
    pub fn new<T: Real>(plan: &Plan<T>, lanes: usize) -> Self {
        let mut sequences: Vec<Option<Sequences>> = plan.tensors.len.iter().map(|_| None).collect();
        for step in plan.steps.iter().filter(|s| s.one_hot.is_some()) {
            let positions = plan.tensors.len[step.inputs[0]] / LETTERS;
            let (codes, sound) = (vec![0; lanes * positions], vec![false; lanes]);
            sequences[step.inputs[0]] = Some(Sequences { positions, codes, sound });
        }
        Letters { sequences, words: plan.words, distinct: vec![false; lanes], repeats: Repeats::default() }
    }

    /// Looks at the values of an input, `[position][letter]`.
    pub fn read<T: Real>(&mut self, tensor: usize, at: usize, values: &[T]) {
        if let Some(s) = &mut self.sequences[tensor] {
            let codes = lane_mut(&mut s.codes, s.positions, at);
            s.sound[at] = read_codes(values, codes);
            if let Some(words) = self.words.filter(|words| words.tensor == tensor) {
                self.distinct[at] = s.sound[at] && !self.repeats.any(codes, words.len);
            }
        }
    }

    /// Whether no layer in front of a maximum sees the same twice in this lane.
    pub fn distinct(&self, at: usize) -> bool {
        self.distinct[at]
    }

    /// The codes of an input, if its values are letters.
    pub fn codes(&self, tensor: usize, at: usize) -> Option<&[u8]> {
        let s = self.sequences[tensor].as_ref().filter(|s| s.sound[at])?;
        Some(lane(&s.codes, s.positions, at))
    }

    /// Takes over a lane of others.
    pub fn copy(&mut self, at: usize, others: &Letters, from: usize) {
        self.distinct[at] = others.distinct[from];
        let both = self.sequences.iter_mut().zip(&others.sequences);
        for (own, other) in both.filter_map(|(own, other)| Some((own.as_mut()?, other.as_ref()?))) {
            own.sound[at] = other.sound[from];
            lane_mut(&mut own.codes, own.positions, at).copy_from_slice(lane(
                &other.codes,
                other.positions,
                from,
            ));
        }
    }
}
