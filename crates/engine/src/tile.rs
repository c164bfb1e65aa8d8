//! The work of one thread at a time: a tile is a few examples, a chunk some of their pairs.
//!
//! Chunks of one tile may run on several threads. What they compute is kept apart per pair and summed in the order
//! of the references at the end, so results do not depend on who computed what.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use deeplift_graph::operator::Precision;
use deeplift_graph::{bail, Error, Result};
use deeplift_sequence::{dinucleotide_shuffle, NPolicy, ShuffleKey, ShuffleScratch};
use deeplift_simd::Real;

use crate::backward;
use crate::forward::Tape;
use crate::input::Input;
use crate::options::Unknown;
use crate::pairs::Pairs;
use crate::plan::Plan;
use crate::pool::{Job, Progress, Signal};
use crate::score::{finish, Batch, ExamplePairs, Program, Scores, Values};

/// What is told when a batch is done.
pub type Done<T> = Box<dyn FnOnce(Result<Scores<T>>) + Send>;

/// A batch being scored.
pub struct ScoreJob<T: Real> {
    program: Arc<Program<T>>,
    batch: Batch,
    /// Examples per tile.
    width: usize,
    next: AtomicUsize,
    active: Mutex<Vec<Arc<Tile<T>>>>,
    state: Mutex<State<T>>,
    cancelled: Box<dyn Fn() -> bool + Send + Sync>,
}

struct State<T> {
    scores: Option<Scores<T>>,
    left: usize,
    done: Option<Done<T>>,
}

/// Examples whose forward pass is done and whose pairs are being worked on.
struct Tile<T: Real> {
    start: usize,
    examples: usize,
    tape: Tape<T>,
    /// Pairs of each chunk: (example in the tile, reference).
    chunks: Vec<Vec<(usize, usize)>>,
    next: AtomicUsize,
    left: AtomicUsize,
    results: Vec<Mutex<Option<Chunk<T>>>>,
}

/// What a chunk leaves behind, pair by pair.
struct Chunk<T> {
    /// Per input `[pair][target][element]`.
    multipliers: Vec<Vec<T>>,
    /// Per input `[pair][element]`.
    references: Vec<Vec<T>>,
    /// `[pair][target]`.
    outputs: Vec<f64>,
}

impl<T: Precision> ScoreJob<T> {
    /// A job over a checked batch; `done` is called exactly once.
    pub fn new(
        program: Arc<Program<T>>,
        batch: Batch,
        cancelled: Box<dyn Fn() -> bool + Send + Sync>,
        done: Done<T>,
    ) -> Self {
        let width = (program.plan.lanes / program.plan.references).max(1);
        let scores = program.allocate(batch.examples);
        let left = batch.examples.div_ceil(width);
        let state = Mutex::new(State { scores: Some(scores), left, done: Some(done) });
        let job = ScoreJob {
            program,
            batch,
            width,
            next: AtomicUsize::new(0),
            active: Mutex::default(),
            state,
            cancelled,
        };
        if job.batch.examples == 0 {
            job.tile_finished();
        }
        job
    }

    fn plan(&self) -> &Plan<T> {
        &self.program.plan
    }

    /// Runs the examples of the next tile that nobody has started.
    fn start_tile(&self) -> Option<Arc<Tile<T>>> {
        let start = self.next.fetch_add(1, Ordering::Relaxed).checked_mul(self.width)?;
        if start >= self.batch.examples {
            return None;
        }
        let examples = self.width.min(self.batch.examples - start);
        let plan = self.plan();
        let free = lock(&self.program.tapes).pop();
        let mut tape = free.unwrap_or_else(|| Tape::new(plan, self.width));
        let mut pairs = self.take_pairs();
        for (i, input) in plan.inputs.iter().enumerate() {
            let Some(t) = input.tensor else { continue };
            let mut values = vec![T::ZERO; input.len];
            for e in 0..examples {
                self.program.example(i, &self.batch, start + e, &mut values);
                input.arrange(&values, tape.input_mut(plan, t, e));
            }
        }
        tape.run(plan, examples, &mut pairs.scratch);
        lock(&self.program.pairs).push(pairs);
        let all: Vec<(usize, usize)> =
            (0..examples).flat_map(|e| (0..plan.references).map(move |r| (e, r))).collect();
        let chunks: Vec<Vec<_>> = all.chunks(self.pair_lanes()).map(<[_]>::to_vec).collect();
        let n = chunks.len();
        let results = (0..n).map(|_| Mutex::new(None)).collect();
        let tile = Tile {
            start,
            examples,
            tape,
            chunks,
            next: AtomicUsize::new(0),
            left: AtomicUsize::new(n),
            results,
        };
        let tile = Arc::new(tile);
        lock(&self.active).push(tile.clone());
        Some(tile)
    }

    fn pair_lanes(&self) -> usize {
        self.plan().lanes.max(self.width)
    }

    fn take_pairs(&self) -> Pairs<T> {
        let free = lock(&self.program.pairs).pop();
        free.unwrap_or_else(|| Pairs::new(self.plan(), self.pair_lanes()))
    }

    /// Works on chunks of a tile until none is left to claim.
    fn work_on(&self, tile: &Arc<Tile<T>>) -> Result<()> {
        loop {
            let c = tile.next.fetch_add(1, Ordering::Relaxed);
            if c >= tile.chunks.len() {
                return Ok(());
            }
            self.ensure_running()?;
            let chunk = self.chunk(tile, &tile.chunks[c])?;
            *lock(&tile.results[c]) = Some(chunk);
            if tile.left.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.finish_tile(tile)?;
            }
        }
    }

    fn ensure_running(&self) -> Result<()> {
        if (self.cancelled)() {
            bail!(Aborted, "scoring was aborted")
        }
        Ok(())
    }

    fn chunk(&self, tile: &Tile<T>, wanted: &[(usize, usize)]) -> Result<Chunk<T>> {
        let plan = self.plan();
        let targets = plan.seeds.len();
        let mut pairs = self.take_pairs();
        let mut references: Vec<Vec<T>> = vec![vec![]; plan.inputs.len()];
        for (i, input) in plan.inputs.iter().enumerate() {
            if input.tensor.is_none() {
                continue;
            }
            let mut values = vec![T::ZERO; input.len];
            references[i] = vec![T::ZERO; wanted.len() * input.len];
            for (l, &(e, r)) in wanted.iter().enumerate() {
                self.program.reference(i, &self.batch, tile.start + e, r, &mut values)?;
                input.arrange(&values, &mut references[i][l * input.len..][..input.len]);
            }
        }
        let owners: Vec<usize> = wanted.iter().map(|&(e, _)| e).collect();
        let which: Vec<usize> = wanted.iter().map(|&(_, r)| r).collect();
        let constant = self.program.constant_references(&self.batch)?;
        match constant {
            Some(tape) => pairs.record(plan, &tile.tape, &owners, tape, &which),
            None => {
                self.write_references(&mut pairs, &references, wanted.len());
                pairs.run(plan, &tile.tape, &owners);
            }
        }
        let mut outputs = Vec::with_capacity(wanted.len() * targets);
        for (l, &r) in which.iter().enumerate() {
            let y = match constant {
                Some(tape) => tape.value(plan, plan.target, r),
                None => pairs.value(plan, plan.target, l),
            };
            let dot = |s: &Vec<f64>| s.iter().zip(y).map(|(s, v)| s * v.to_f64()).sum::<f64>();
            outputs.extend(plan.seeds.iter().map(dot));
        }
        let mut multipliers: Vec<Vec<T>> =
            plan.inputs.iter().map(|i| vec![T::ZERO; wanted.len() * targets * i.len]).collect();
        for (k, seed) in plan.seeds.iter().enumerate() {
            self.ensure_running()?;
            backward::run(plan, &mut pairs, wanted.len(), seed);
            for (i, input) in plan.inputs.iter().enumerate() {
                let Some(t) = input.tensor else { continue };
                for (l, &(e, _)) in wanted.iter().enumerate() {
                    let out = &mut multipliers[i][(l * targets + k) * input.len..][..input.len];
                    let x0 = &references[i][l * input.len..][..input.len];
                    backward::input_multipliers(plan, &pairs, t, l, (tile.tape.value(plan, t, e), x0), out);
                }
            }
        }
        lock(&self.program.pairs).push(pairs);
        Ok(Chunk { multipliers, references, outputs })
    }

    fn write_references(&self, pairs: &mut Pairs<T>, references: &[Vec<T>], lanes: usize) {
        let plan = self.plan();
        for (input, values) in plan.inputs.iter().zip(references) {
            let Some(t) = input.tensor else { continue };
            for l in 0..lanes {
                pairs.input_mut(plan, t, l).copy_from_slice(&values[l * input.len..][..input.len]);
            }
        }
    }

    fn finish_tile(&self, tile: &Arc<Tile<T>>) -> Result<()> {
        let plan = self.plan();
        let targets = plan.seeds.len();
        let chunks: Vec<_> = tile.results.iter().map(lock).collect();
        let chunks: Vec<&Chunk<T>> = chunks.iter().filter_map(|c| c.as_ref()).collect();
        let size = self.pair_lanes();
        // Scores are made apart and copied at the end, so that threads do not wait for each other's arithmetic.
        let mut part = self.program.allocate(tile.examples);
        for e in 0..tile.examples {
            let own =
                (0..plan.references).map(|r| e * plan.references + r).map(|p| (chunks[p / size], p % size));
            let own: Vec<(&Chunk<T>, usize)> = own.collect();
            let pairs = ExamplePairs {
                multipliers: plan
                    .inputs
                    .iter()
                    .enumerate()
                    .map(|(i, input)| {
                        let n = targets * input.len;
                        own.iter().map(|(c, l)| &c.multipliers[i][l * n..][..n]).collect()
                    })
                    .collect(),
                references: plan
                    .inputs
                    .iter()
                    .enumerate()
                    .map(|(i, input)| {
                        let n = if input.tensor.is_some() { input.len } else { 0 };
                        own.iter().map(|(c, l)| &c.references[i][l * n..][..n]).collect()
                    })
                    .collect(),
                outputs: own.iter().map(|(c, l)| &c.outputs[l * targets..][..targets]).collect(),
            };
            let example = self.batch.first + (tile.start + e) as u64;
            finish(&self.program, &tile.tape, e, example, &pairs, &mut part)?;
        }
        if let Some(scores) = &mut lock(&self.state).scores {
            scores.place(tile.start, tile.examples, &part);
        }
        lock(&self.active).retain(|t| !Arc::ptr_eq(t, tile));
        self.tile_finished();
        Ok(())
    }

    fn tile_finished(&self) {
        let mut state = lock(&self.state);
        state.left = state.left.saturating_sub(1);
        if state.left == 0 {
            if let (Some(done), Some(scores)) = (state.done.take(), state.scores.take()) {
                drop(state);
                done(Ok(scores));
            }
        }
    }

    fn run(&self, signal: &Signal) -> Result<Progress> {
        self.ensure_running()?;
        if let Some(tile) = self.start_tile() {
            signal.wake();
            self.work_on(&tile)?;
            self.recycle(tile);
            return Ok(Progress::Worked);
        }
        let unclaimed = |t: &&Arc<Tile<T>>| t.next.load(Ordering::Relaxed) < t.chunks.len();
        let started = lock(&self.active).iter().find(unclaimed).cloned();
        if let Some(tile) = started {
            self.work_on(&tile)?;
            self.recycle(tile);
            return Ok(Progress::Worked);
        }
        Ok(if lock(&self.state).done.is_some() { Progress::Waiting } else { Progress::Finished })
    }

    /// Gives the tape back; of the threads that worked on the tile, the last one to leave does it.
    fn recycle(&self, tile: Arc<Tile<T>>) {
        if let Some(tile) = Arc::into_inner(tile) {
            lock(&self.program.tapes).push(tile.tape);
        }
    }
}

impl<T: Precision> Job for ScoreJob<T> {
    fn step(&self, signal: &Signal) -> Progress {
        match self.run(signal) {
            Ok(progress) => progress,
            Err(error) => {
                self.fail(error);
                Progress::Finished
            }
        }
    }

    fn fail(&self, error: Error) {
        let mut state = lock(&self.state);
        state.scores = None;
        let done = state.done.take();
        drop(state);
        self.next.store(usize::MAX / 2, Ordering::Relaxed);
        if let Some(done) = done {
            done(Err(error));
        }
    }
}

/// A lock that a panic elsewhere does not poison: the job it belonged to has failed already.
pub(crate) fn lock<U>(m: &Mutex<U>) -> std::sync::MutexGuard<'_, U> {
    m.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The one-hot dinucleotide shuffle `r` of example `e`, keyed by seed, example and shuffle and nothing else.
pub(crate) fn shuffled<T: Real>(
    input: &Input,
    batch: &Batch,
    i: usize,
    e: usize,
    r: usize,
    seed: u64,
    unknown: Unknown,
    out: &mut [T],
) -> Result<()> {
    let Values::Codes(all) = &batch.inputs[i] else {
        bail!(InvalidOption, "input '{}': dinucleotide shuffles need sequences, not numbers", input.name)
    };
    let n = input.positions();
    let example = batch.first + e as u64;
    let mut codes = vec![0; n];
    let policy = match unknown {
        Unknown::Symbol => NPolicy::Symbol,
        Unknown::Fixed => NPolicy::Fixed,
        Unknown::Reject => NPolicy::Reject,
    };
    let key = ShuffleKey { seed, example, shuffle: r as u64 };
    dinucleotide_shuffle(&all[e * n..][..n], key, policy, &mut codes, &mut ShuffleScratch::default())
        .map_err(|error| {
            Error::new(
                deeplift_graph::Code::InvalidSequence,
                format!("input '{}', example {example}: {error}", input.name),
            )
        })?;
    input.one_hot(&codes, out);
    Ok(())
}
