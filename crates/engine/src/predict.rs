//! Outputs of a model: the forward pass by itself.
//!
//! The plan holds all inputs fixed, so that no contribution passes any step: operators without a rule are computed,
//! and nothing is recorded.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use deeplift_graph::model::Model;
use deeplift_graph::operator::Precision;
use deeplift_graph::{bail, ensure, Error, Result};
use deeplift_kernels::Scratch;
use deeplift_simd::{Isa, Real};
use serde_json::{json, Value};

use crate::compile::{compile, Compiled};
use crate::describe::flops;
use crate::forward::Tape;
use crate::fuse::fuse_forward;
use crate::letters;
use crate::live::narrow;
use crate::mark::layout;
use crate::options::{PlanOptions, PredictOptions};
use crate::plan::{Layout, Plan};
use crate::pool::{Job, Progress, Signal};
use crate::prepare::{self, Bound};
use crate::score::{Batch, Program};
use crate::tile::lock;

/// A tensor whose values are wanted.
pub struct Output {
    /// Its name in the file.
    pub name: String,
    /// Its shape per example.
    pub shape: Vec<usize>,
    /// The plan's tensor.
    tensor: usize,
}

/// A plan of a forward pass, with what many batches share.
pub struct Predictor<T: Real> {
    program: Program<T>,
    /// What is computed, in the order asked for.
    pub outputs: Vec<Output>,
    /// Buffers that are free.
    passes: Mutex<Vec<Pass<T>>>,
}

struct Pass<T: Real> {
    tape: Tape<T>,
    scratch: Scratch<T>,
}

/// The steps of a forward pass, and the graph that they come from.
pub(crate) struct Forward<T: Real> {
    pub compiled: Compiled<T>,
    pub bound: Bound,
    /// Tensors whose values are wanted, by name, as often as they were named first.
    pub names: Vec<String>,
}

/// Compiles a forward pass: the options hold all inputs fixed.
pub(crate) fn forward<T: Precision>(model: &Model, options: &PlanOptions) -> Result<Forward<T>> {
    let choices = prepare::choices(options)?;
    let inputs = prepare::inputs(model, options)?;
    let names = prepare::target_names(options)?;
    let bound = prepare::graph(model, options, &choices, &inputs, &names)?;
    let mut c = compile::<T>(&bound.graph, inputs, &[], options, &choices, &model.layers)
        .map_err(|e| e.at(&model.source))?;
    c.scored.clear();
    let wanted = c.outputs.clone();
    fuse_forward(&mut c.steps, &c.tensors, &wanted);
    let inputs = c.inputs.iter().filter_map(|i| i.tensor);
    let whole: Vec<usize> = wanted.into_iter().chain(inputs).collect();
    narrow(&mut c.steps, &mut c.tensors, &whole);
    Ok(Forward { compiled: c, bound, names })
}

/// The plan of a forward pass, without targets.
pub(crate) fn plan<T: Real>(c: Compiled<T>, layout: Layout, options: PlanOptions) -> Plan<T> {
    let Compiled { steps, tensors, inputs, scored, warnings, .. } = c;
    Plan {
        steps,
        tensors,
        inputs,
        scored,
        targets: vec![],
        layout,
        options,
        warnings,
        references: 1,
        // Values alone do not tell which of equal ones a maximum took.
        words: None,
        compares: false,
        points: 0,
        lanes: 1,
    }
}

impl<T: Precision> Predictor<T> {
    /// Plans the forward pass.
    ///
    /// # Errors
    /// `INVALID_OPTION` for tensors that are not there or depend on no input, `UNSUPPORTED_OP` naming a node that cannot
    /// be computed, `INVALID_INPUT` for shapes that do not fit.
    pub fn new(model: &Model, options: PredictOptions) -> Result<Self> {
        let options = PlanOptions::from(options);
        let Forward { compiled: mut c, bound, names } = forward(model, &options)?;
        letters::equip(&mut c, &options);
        let wanted = c.outputs.clone();
        let layout = layout(&c, &wanted, false);
        let mut plan = plan(c, layout, options);
        plan.lanes = lanes(&plan)?;
        let outputs = names.into_iter().zip(bound.shapes).zip(wanted);
        let outputs = outputs.map(|((name, shape), tensor)| Output { name, shape, tensor }).collect();
        Ok(Predictor { program: Program::alone(plan), outputs, passes: Mutex::default() })
    }

    /// Checks a batch before any work.
    ///
    /// # Errors
    /// Those of [`Program::check`].
    pub fn check(&self, batch: &Batch) -> Result<()> {
        self.program.check(batch)
    }

    /// Outputs, cost and warnings as data.
    pub fn describe(&self) -> Value {
        let plan = &self.program.plan;
        let outputs = self.outputs.iter().map(|o| json!({ "name": o.name, "shape": o.shape }));
        json!({
            "outputs": outputs.collect::<Vec<_>>(),
            "flopsPerPass": plan.steps.iter().map(flops).sum::<f64>(),
            "memoryPerThread": example_bytes(plan) * plan.lanes,
            "isa": Isa::active().name(),
            "warnings": plan.warnings,
        })
    }

    /// Runs the examples `start..start + examples` of a batch, and returns each output as `[example][element]`.
    fn run(&self, batch: &Batch, start: usize, examples: usize) -> Vec<Vec<T>> {
        let plan = &self.program.plan;
        let free = lock(&self.passes).pop();
        let new = || Pass { tape: Tape::new(plan, plan.lanes), scratch: Scratch::default() };
        let mut pass = free.unwrap_or_else(new);
        for (i, input) in plan.inputs.iter().enumerate() {
            let Some(t) = input.tensor else { continue };
            let mut values = vec![T::ZERO; input.len];
            for lane in 0..examples {
                self.program.example(i, batch, start + lane, 0, &mut values);
                pass.tape.write_input(plan, t, lane, |own| input.arrange(&values, own));
            }
        }
        pass.tape.run(plan, examples, &mut pass.scratch);
        let values =
            |o: &Output| (0..examples).flat_map(|l| pass.tape.value(plan, o.tensor, l)).copied().collect();
        let found = self.outputs.iter().map(values).collect();
        lock(&self.passes).push(pass);
        found
    }
}

/// Bytes of the activations of one example.
pub(crate) fn example_bytes<T: Real>(plan: &Plan<T>) -> usize {
    plan.layout.tape.total() * size_of::<T>()
}

/// Examples that go through a layer together: one where its activations fill the cache anyway, more where weights are
/// larger and should be streamed once for several.
fn lanes<T: Precision>(plan: &Plan<T>) -> Result<usize> {
    let bytes = example_bytes(plan).max(1);
    let wanted = plan.lanes_in_cache(bytes, 16, 16);
    let budget = plan.options.memory as usize;
    ensure!(
        bytes <= budget,
        InvalidOption,
        "one example of this model needs {} MB per thread, more than the memory option allows ({} MB)",
        bytes >> 20,
        budget >> 20
    );
    Ok(wanted.min(budget / bytes))
}

/// What is told when a batch is done: each output as `[example][element]`.
pub type Predicted<T> = Box<dyn FnOnce(Result<Vec<Vec<T>>>) + Send>;

/// A batch whose outputs are computed.
pub struct PredictJob<T: Real> {
    predictor: Arc<Predictor<T>>,
    batch: Batch,
    next: AtomicUsize,
    state: Mutex<State<T>>,
    cancelled: Box<dyn Fn() -> bool + Send + Sync>,
}

struct State<T> {
    outputs: Vec<Vec<T>>,
    /// Examples that are not done.
    left: usize,
    done: Option<Predicted<T>>,
}

impl<T: Precision> PredictJob<T> {
    /// A job over a checked batch; `done` is called exactly once.
    pub fn new(
        predictor: Arc<Predictor<T>>,
        batch: Batch,
        cancelled: Box<dyn Fn() -> bool + Send + Sync>,
        done: Predicted<T>,
    ) -> Self {
        let left = batch.examples;
        let empty = |o: &Output| vec![T::ZERO; left * o.shape.iter().product::<usize>()];
        let outputs = predictor.outputs.iter().map(empty).collect();
        let state = Mutex::new(State { outputs, left, done: Some(done) });
        let job = PredictJob { predictor, batch, next: AtomicUsize::new(0), state, cancelled };
        job.place(0, 0, &[]);
        job
    }

    /// Runs the next examples that nobody has started.
    fn run(&self) -> Result<Progress> {
        if (self.cancelled)() {
            bail!(Aborted, "predicting was aborted")
        }
        let width = self.predictor.program.plan.lanes;
        let start = self.next.fetch_add(width, Ordering::Relaxed);
        if start >= self.batch.examples {
            return Ok(if lock(&self.state).done.is_some() { Progress::Waiting } else { Progress::Finished });
        }
        let examples = width.min(self.batch.examples - start);
        let found = self.predictor.run(&self.batch, start, examples);
        self.place(start, examples, &found);
        Ok(Progress::Worked)
    }

    /// Copies the outputs of some examples to where they belong, and reports once nothing is left.
    fn place(&self, start: usize, examples: usize, found: &[Vec<T>]) {
        let mut state = lock(&self.state);
        for (all, own) in state.outputs.iter_mut().zip(found) {
            let at = own.len() / examples.max(1) * start;
            all[at..at + own.len()].copy_from_slice(own);
        }
        state.left -= examples;
        if state.left > 0 {
            return;
        }
        let (outputs, done) = (std::mem::take(&mut state.outputs), state.done.take());
        drop(state);
        if let Some(done) = done {
            done(Ok(outputs));
        }
    }
}

impl<T: Precision> Job for PredictJob<T> {
    fn step(&self, _signal: &Signal) -> Progress {
        self.run().unwrap_or_else(|error| {
            self.fail(error);
            Progress::Finished
        })
    }

    fn fail(&self, error: Error) {
        self.next.store(usize::MAX / 2, Ordering::Relaxed);
        let done = lock(&self.state).done.take();
        if let Some(done) = done {
            done(Err(error));
        }
    }
}
