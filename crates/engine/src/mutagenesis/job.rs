//! A batch of sequences whose letters are changed: threads share the blocks of a sequence.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use deeplift_graph::operator::Precision;
use deeplift_graph::{bail, Error, Result};
use deeplift_simd::Real;

use super::worker::{Change, Worker};
use super::Mutator;
use crate::forward::Tape;
use crate::input::LETTERS;
use crate::pool::{Job, Progress, Signal};
use crate::score::Batch;
use crate::tile::lock;

/// Effects of a batch.
#[derive(Clone, Debug, Default)]
pub struct Effects<T> {
    /// `[example][target][element]`: the target with a letter at a position less the target of the sequence itself, in the
    /// order of the input's elements over the window; 0 for the letters that are there.
    pub effects: Vec<T>,
    /// `[example][target]`: the target of the sequence itself.
    pub output: Vec<f64>,
}

/// What is told when a batch is done.
pub type Mutated<T> = Box<dyn FnOnce(Result<Effects<T>>) + Send>;

/// A batch whose letters are changed.
pub struct MutagenesisJob<T: Real> {
    mutator: Arc<Mutator<T>>,
    batch: Batch,
    next: AtomicUsize,
    active: Mutex<Vec<Arc<Sequence<T>>>>,
    state: Mutex<State<T>>,
    cancelled: Box<dyn Fn() -> bool + Send + Sync>,
}

struct State<T> {
    found: Effects<T>,
    /// Blocks that are not done, of all sequences.
    left: usize,
    done: Option<Mutated<T>>,
}

/// A sequence that is being worked on.
struct Sequence<T: Real> {
    /// Tells it from all others, also those of other batches.
    id: u64,
    example: usize,
    tape: Tape<T>,
    output: Vec<f64>,
    /// The letter at each position of the window, if there is one.
    letters: Vec<Option<usize>>,
    next: AtomicUsize,
}

/// Numbers of sequences.
static SEQUENCES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

impl<T: Precision> MutagenesisJob<T> {
    /// A job over a checked batch; `done` is called exactly once.
    pub fn new(
        mutator: Arc<Mutator<T>>,
        batch: Batch,
        cancelled: Box<dyn Fn() -> bool + Send + Sync>,
        done: Mutated<T>,
    ) -> Self {
        let rows = batch.examples * mutator.program.plan.targets.len();
        let found = Effects { effects: vec![T::ZERO; rows * mutator.site.len], output: vec![0.0; rows] };
        let left = batch.examples * mutator.blocks();
        let state = Mutex::new(State { found, left, done: Some(done) });
        let job = MutagenesisJob {
            mutator,
            batch,
            next: AtomicUsize::new(0),
            active: Mutex::default(),
            state,
            cancelled,
        };
        job.finish_block(0, |_| {});
        job
    }

    fn run(&self, signal: &Signal) -> Result<Progress> {
        if (self.cancelled)() {
            bail!(Aborted, "mutagenesis was aborted")
        }
        if let Some((sequence, block)) = self.claim() {
            self.block(&sequence, block);
            return Ok(Progress::Worked);
        }
        let example = self.next.fetch_add(1, Ordering::Relaxed);
        if example < self.batch.examples {
            let sequence = Arc::new(self.start(example));
            lock(&self.active).push(sequence);
            signal.wake();
            return Ok(Progress::Worked);
        }
        Ok(if lock(&self.state).done.is_some() { Progress::Waiting } else { Progress::Finished })
    }

    /// The next block that nobody works on, of the first sequence that has one; forgets those that have none.
    fn claim(&self) -> Option<(Arc<Sequence<T>>, usize)> {
        let mut active = lock(&self.active);
        loop {
            let sequence = active.first()?.clone();
            let block = sequence.next.fetch_add(1, Ordering::Relaxed);
            if block < self.mutator.blocks() {
                return Some((sequence, block));
            }
            active.remove(0);
        }
    }

    fn worker(&self) -> Worker<T> {
        let free = lock(&self.mutator.workers).pop();
        free.unwrap_or_else(|| Worker::new(&self.mutator.program.plan))
    }

    /// Runs a sequence as it is.
    fn start(&self, example: usize) -> Sequence<T> {
        let mutator = &self.mutator;
        let plan = &mutator.program.plan;
        let mut tape = Tape::new(plan, 1);
        for (i, input) in plan.inputs.iter().enumerate() {
            let Some(t) = input.tensor else { continue };
            let mut values = vec![T::ZERO; input.len];
            mutator.program.example(i, &self.batch, example, 0, &mut values);
            tape.write_input(plan, t, 0, |own| input.arrange(&values, own));
        }
        let mut worker = self.worker();
        worker.base(plan, &mut tape);
        lock(&mutator.workers).push(worker);
        let x = tape.value(plan, mutator.tensor, 0);
        let letter = |p: usize| letter(mutator.column(p).map(|at| x[at]));
        let letters = mutator.window.clone().map(letter).collect();
        let value = |t: &crate::target::PlanTarget| t.weights[0].value(tape.value(plan, t.tensor, 0));
        let output: Vec<f64> = plan.targets.iter().map(value).collect();
        let id = SEQUENCES.fetch_add(1, Ordering::Relaxed);
        Sequence { id, example, output, letters, tape, next: AtomicUsize::new(0) }
    }

    /// Applies the changes of a block.
    fn block(&self, sequence: &Sequence<T>, number: usize) {
        let mutator = &self.mutator;
        let (plan, block) = (&mutator.program.plan, mutator.block(number));
        let first = mutator.window.start;
        let changes: Vec<Change> = block
            .positions
            .clone()
            .flat_map(|p| (0..LETTERS).map(move |letter| (p, letter)))
            .filter(|&(p, letter)| sequence.letters[p - first] != Some(letter))
            .collect();
        let mut worker = self.worker();
        if worker.holds != Some(sequence.id) {
            worker.load(plan, &sequence.tape);
            worker.holds = Some(sequence.id);
        }
        let mut effects = Vec::with_capacity(changes.len() * plan.targets.len());
        worker.run(mutator, &sequence.tape, &block, &changes, &mut |(p, letter), target, value| {
            let at = target * mutator.site.len + mutator.site.element(p - first, letter);
            effects.push((at, T::from_f64(value - sequence.output[target])));
        });
        lock(&mutator.workers).push(worker);
        self.finish_block(1, |found| {
            let targets = plan.targets.len();
            let row = sequence.example * targets;
            found.output[row..row + targets].copy_from_slice(&sequence.output);
            let own = &mut found.effects[row * mutator.site.len..];
            effects.iter().for_each(|&(at, effect)| own[at] = effect);
        });
    }

    /// Writes what blocks have found, and reports once nothing is left.
    fn finish_block(&self, blocks: usize, write: impl FnOnce(&mut Effects<T>)) {
        let mut state = lock(&self.state);
        write(&mut state.found);
        state.left -= blocks;
        if state.left > 0 {
            return;
        }
        let (found, done) = (std::mem::take(&mut state.found), state.done.take());
        drop(state);
        if let Some(done) = done {
            done(Ok(found));
        }
    }
}

/// The letter of a one-hot column.
fn letter<T: Real>(column: [T; LETTERS]) -> Option<usize> {
    let one = column.iter().position(|&v| v == T::ONE)?;
    column.iter().enumerate().all(|(k, &v)| k == one || v == T::ZERO).then_some(one)
}

impl<T: Precision> Job for MutagenesisJob<T> {
    fn step(&self, signal: &Signal) -> Progress {
        self.run(signal).unwrap_or_else(|error| {
            self.fail(error);
            Progress::Finished
        })
    }

    fn fail(&self, error: Error) {
        self.next.store(usize::MAX / 2, Ordering::Relaxed);
        lock(&self.active).clear();
        let done = lock(&self.state).done.take();
        if let Some(done) = done {
            done(Err(error));
        }
    }
}
