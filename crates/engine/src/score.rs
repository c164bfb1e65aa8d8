//! Batches in, scores out: the unit of work that crosses the language boundary.
use std::sync::{Mutex, OnceLock};

use deeplift_graph::model::Model;
use deeplift_graph::operator::Precision;
use deeplift_graph::{bail, ensure, Result};
use deeplift_kernels::Scratch;
use deeplift_simd::Real;

use crate::forward::Tape;
use crate::input::Input;
use crate::options::{Encoding, PlanOptions, References};
use crate::pairs::Pairs;
use crate::plan::Plan;
use crate::tile::lock;
use crate::timing::Clock;

/// Values of one tensor as they arrive.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Values {
    Codes(Vec<u8>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Values {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Values::Codes(v) => v.len(),
            Values::F32(v) => v.len(),
            Values::F64(v) => v.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Elements `start..start + out.len()` in the plan's precision.
    fn read<T: Real>(&self, start: usize, out: &mut [T]) {
        match self {
            Values::Codes(v) => copy(&v[start..], out, |&c| f64::from(c)),
            Values::F32(v) => copy(&v[start..], out, |&x| f64::from(x)),
            Values::F64(v) => copy(&v[start..], out, |&x| x),
        }
    }
}

fn copy<U, T: Real>(from: &[U], to: &mut [T], f: impl Fn(&U) -> f64) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = T::from_f64(f(from));
    }
}

/// Some examples, and references given with them.
pub struct Batch {
    /// Index of the first example in the whole job, the key of its shuffles.
    pub first: u64,
    /// Number of examples.
    pub examples: usize,
    /// One per input of the model.
    pub inputs: Vec<Values>,
    /// References of inputs that have their own per example.
    pub references: Vec<Option<Values>>,
}

/// Scores of a batch. Arrays are `[example][target][element]`, per-reference ones `[example][reference][target]…`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Scores<T> {
    pub contributions: Vec<Vec<T>>,
    pub hypothetical: Vec<Vec<T>>,
    pub multipliers: Vec<Vec<T>>,
    pub per_reference: Vec<Vec<T>>,
    pub output: Vec<f64>,
    pub reference_output: Vec<f64>,
    /// What contributions sum to.
    pub delta: Vec<f64>,
    /// `|ΣC − Δ| / max(|Δ|, |f(x)|, |f(x⁰)|)`, summed in double precision (SEMANTICS 3.5).
    pub completeness: Vec<f64>,
}

impl<T: Copy> Scores<T> {
    /// Copies the scores of `examples` examples to where example `start` and those after it belong.
    pub(crate) fn place(&mut self, start: usize, examples: usize, part: &Scores<T>) {
        let arrays = |all: &mut [Vec<T>], own: &[Vec<T>]| {
            all.iter_mut().zip(own).for_each(|(all, own)| rows(all, own, start, examples));
        };
        arrays(&mut self.contributions, &part.contributions);
        arrays(&mut self.hypothetical, &part.hypothetical);
        arrays(&mut self.multipliers, &part.multipliers);
        arrays(&mut self.per_reference, &part.per_reference);
        rows(&mut self.output, &part.output, start, examples);
        rows(&mut self.reference_output, &part.reference_output, start, examples);
        rows(&mut self.delta, &part.delta, start, examples);
        rows(&mut self.completeness, &part.completeness, start, examples);
    }
}

fn rows<U: Copy>(all: &mut [U], own: &[U], start: usize, examples: usize) {
    let at = own.len() / examples * start;
    all[at..at + own.len()].copy_from_slice(own);
}

/// A plan with everything that many batches share.
pub struct Program<T: Real> {
    /// The plan.
    pub plan: Plan<T>,
    /// Shared references of each input, `[reference][element]` in the caller's order.
    shared: Vec<Option<Vec<T>>>,
    /// Values on references that are the same for all examples, run by whoever needs them first.
    pub(crate) constant: OnceLock<Tape<T>>,
    /// Buffers that are free.
    pub(crate) tapes: Mutex<Vec<Tape<T>>>,
    pub(crate) pairs: Mutex<Vec<Pairs<T>>>,
    /// Times of steps, if the plan asks for them.
    pub(crate) clock: Mutex<Clock>,
}

impl<T: Precision> Program<T> {
    /// Plans, and checks the shared references.
    ///
    /// # Errors
    /// Those of [`Plan::new`]; `INVALID_INPUT` for shared references that do not fit.
    pub fn new(model: &Model, options: PlanOptions, shared: &[Option<Values>]) -> Result<Self> {
        let plan = Plan::new(model, options)?;
        let mut own = Vec::new();
        for (i, input) in plan.inputs.iter().enumerate() {
            let given = shared.get(i).and_then(Option::as_ref);
            own.push(match (&input.references, given) {
                (References::Shared { count }, Some(v)) => {
                    ensure!(
                        v.len() == count * input.len,
                        InvalidInput,
                        "shared references of input '{}' have {} values, expected {count} x {}",
                        input.name,
                        v.len(),
                        input.len
                    );
                    let mut values = vec![T::ZERO; v.len()];
                    v.read(0, &mut values);
                    ensure!(
                        values.iter().all(|v| v.is_finite()),
                        InvalidInput,
                        "shared references of input '{}' hold a value that is not finite",
                        input.name
                    );
                    Some(values)
                }
                (References::Shared { .. }, None) => {
                    bail!(InvalidInput, "shared references of input '{}' are missing", input.name)
                }
                _ => None,
            });
        }
        Ok(Self::sharing(plan, own))
    }

    /// A plan of a forward pass, which has no references.
    pub(crate) fn alone(plan: Plan<T>) -> Self {
        let none = plan.inputs.iter().map(|_| None).collect();
        Self::sharing(plan, none)
    }

    /// A plan with shared references that are known to fit.
    fn sharing(plan: Plan<T>, shared: Vec<Option<Vec<T>>>) -> Self {
        let (constant, tapes, pairs) = (OnceLock::new(), Mutex::default(), Mutex::default());
        let clock = Mutex::new(Clock::new(plan.steps.len(), plan.options.timed));
        Program { plan, shared, constant, tapes, pairs, clock }
    }

    /// Seconds per example or pair of every step since the last call, by pass; `null` unless the plan is timed.
    pub fn take_times(&self) -> serde_json::Value {
        let mut times = Clock::new(self.plan.steps.len(), self.plan.options.timed);
        times.collect(&mut lock(&self.clock));
        times.describe()
    }

    /// Checks a batch before any work.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming input and example, `INVALID_SEQUENCE` for codes out of range.
    pub fn check(&self, batch: &Batch) -> Result<()> {
        let inputs = &self.plan.inputs;
        ensure!(
            batch.inputs.len() == inputs.len() && batch.references.len() == inputs.len(),
            InvalidInput,
            "a batch of {} inputs for a plan of {}",
            batch.inputs.len(),
            inputs.len()
        );
        for (i, input) in inputs.iter().enumerate() {
            let (values, each) = (&batch.inputs[i], input.encoded_len());
            let codes = matches!(values, Values::Codes(_));
            ensure!(
                codes == (input.encoding == Encoding::Codes) && values.len() == each * batch.examples,
                InvalidInput,
                "input '{}' has {} values for {} examples of {each}",
                input.name,
                values.len(),
                batch.examples
            );
            if let References::PerExample { count } = input.references {
                let given = batch.references[i].as_ref().map_or(0, Values::len);
                ensure!(
                    given == batch.examples * count * input.len,
                    InvalidInput,
                    "references of input '{}' have {given} values, expected {} x {count} x {}",
                    input.name,
                    batch.examples,
                    input.len
                );
            }
            check_values(input, values, batch.first)?;
            if let Some(given) = &batch.references[i] {
                let rows = (given.len() / batch.examples.max(1)).max(1);
                check_finite(given, rows, batch.first)
                    .map_err(|e| e.at(format!("references of input '{}'", input.name)))?;
            }
        }
        Ok(())
    }

    /// One example of one input on one strand, in the caller's order.
    pub(crate) fn example(&self, i: usize, batch: &Batch, e: usize, strand: usize, out: &mut [T]) {
        self.forward_strand(i, batch, e, out);
        if strand == 1 && self.plan.inputs[i].turns {
            out.reverse();
        }
    }

    fn forward_strand(&self, i: usize, batch: &Batch, e: usize, out: &mut [T]) {
        let input = &self.plan.inputs[i];
        match &batch.inputs[i] {
            Values::Codes(c) => {
                let n = input.positions();
                input.one_hot(&c[e * n..][..n], out);
            }
            values => values.read(e * input.len, out),
        }
    }

    /// One reference of one example of one input on one strand, in the caller's order. The reverse strand has the
    /// reverse complements of the same references (SEMANTICS 2.6).
    pub(crate) fn reference(
        &self,
        i: usize,
        batch: &Batch,
        (e, strand): (usize, usize),
        r: usize,
        out: &mut [T],
    ) -> Result<()> {
        let input = &self.plan.inputs[i];
        match &input.references {
            References::Zeros => out.fill(T::ZERO),
            References::Background { frequencies } => {
                for p in 0..input.positions() {
                    for (letter, &f) in frequencies.iter().enumerate() {
                        out[input.element(p, letter)] = T::from_f64(f);
                    }
                }
            }
            References::Itself => self.forward_strand(i, batch, e, out),
            References::Shared { count } => {
                let all = self.shared[i].as_ref().expect("checked when the program was made");
                out.copy_from_slice(&all[(r % count) * input.len..][..input.len]);
            }
            References::PerExample { count } => {
                let all = batch.references[i].as_ref().expect("checked with the batch");
                all.read((e * count + r % count) * input.len, out);
            }
            References::Dinucleotide { count, seed, unknown } => {
                crate::tile::shuffled(input, batch, i, e, r % count, *seed, *unknown, out)?;
            }
        }
        if strand == 1 && input.turns {
            out.reverse();
        }
        Ok(())
    }

    /// Values on the references if they are the same for all examples.
    pub(crate) fn constant_references(&self, batch: &Batch) -> Result<Option<&Tape<T>>> {
        let plan = &self.plan;
        if !plan.has_constant_references() {
            return Ok(None);
        }
        if let Some(tape) = self.constant.get() {
            return Ok(Some(tape));
        }
        let mut tape = Tape::new(plan, plan.references);
        for (i, input) in plan.inputs.iter().enumerate() {
            let Some(t) = input.tensor else { continue };
            let mut values = vec![T::ZERO; input.len];
            for r in 0..plan.references {
                self.reference(i, batch, (0, 0), r, &mut values)?;
                tape.write_input(plan, t, r, |own| input.arrange(&values, own));
            }
        }
        tape.run(plan, plan.references, &mut Scratch::default());
        Ok(Some(self.constant.get_or_init(|| tape)))
    }

    /// Empty scores for a batch.
    pub(crate) fn allocate(&self, examples: usize) -> Scores<T> {
        let (plan, o) = (&self.plan, self.plan.options.outputs);
        let rows = examples * plan.targets.len();
        let arrays = |wanted: bool, rows: usize| -> Vec<Vec<T>> {
            let scored = plan.scored.iter().filter(|_| wanted);
            scored.map(|s| vec![T::ZERO; rows * s.len]).collect()
        };
        Scores {
            contributions: arrays(o.contributions, rows),
            hypothetical: arrays(o.hypothetical, rows),
            multipliers: arrays(o.multipliers, rows),
            per_reference: arrays(o.per_reference, rows * plan.references),
            output: vec![0.0; rows],
            reference_output: vec![0.0; rows],
            delta: vec![0.0; rows],
            completeness: vec![0.0; rows],
        }
    }
}

fn check_values(input: &Input, values: &Values, first: u64) -> Result<()> {
    let each = input.encoded_len().max(1);
    let place = format!("input '{}'", input.name);
    if let Values::Codes(codes) = values {
        if let Some(at) = codes.iter().position(|&c| c > 4) {
            let (example, position) = (first + (at / each) as u64, at % each);
            bail!(InvalidSequence, "{place}: example {example}: code at position {position} is above 4")
        }
    }
    check_finite(values, each, first).map_err(|e| e.at(place))
}

/// Finds the first value that is not a number; `each` values belong to one example.
fn check_finite(values: &Values, each: usize, first: u64) -> Result<()> {
    let bad = match values {
        Values::Codes(_) => None,
        Values::F32(v) => v.iter().position(|x| !x.is_finite()),
        Values::F64(v) => v.iter().position(|x| !x.is_finite()),
    };
    if let Some(at) = bad {
        let (example, index) = (first + (at / each) as u64, at % each);
        bail!(InvalidInput, "example {example}: the value at index {index} is not finite")
    }
    Ok(())
}
