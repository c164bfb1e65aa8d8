//! The work of one thread at a time: a tile is a few examples, a chunk some of their pairs.
//!
//! Chunks of one tile may run on several threads. What they compute is kept apart per pair and summed in the order
//! of the references at the end, so results do not depend on who computed what.
use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use deeplift_graph::operator::Precision;
use deeplift_graph::{bail, Error, Result};
use deeplift_kernels::map;
use deeplift_sequence::{dinucleotide_shuffle, NPolicy, ShuffleKey, ShuffleScratch};
use deeplift_simd::Real;

use crate::backward;
use crate::finish::{finish, ExamplePairs};
use crate::forward::Tape;
use crate::input::Input;
use crate::options::Unknown;
use crate::pairs::Pairs;
use crate::plan::Plan;
use crate::pool::{Job, Progress, Signal};
use crate::score::{Batch, Program, Scores, Values};
use crate::timing::Clock;

/// What is told when a batch is done.
pub type Done<T> = Box<dyn FnOnce(Result<Scores<T>>) + Send>;

/// A batch being scored.
pub struct ScoreJob<T: Real> {
    program: Arc<Program<T>>,
    batch: Batch,
    /// Examples per tile.
    width: usize,
    /// Lanes per example: one per strand.
    strands: usize,
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
    /// Pairs of each chunk.
    chunks: Vec<Vec<Pair>>,
    next: AtomicUsize,
    left: AtomicUsize,
    results: Vec<Mutex<Option<Chunk<T>>>>,
}

/// One pass of a reference.
#[derive(Clone, Copy)]
struct Pair {
    /// Lane of the tape: example of the tile, and strand.
    lane: usize,
    reference: usize,
    /// 0 for the reference itself, `k + 1` for point `k` on the path of integrated gradients.
    point: usize,
}

/// What a chunk leaves behind, pair by pair.
struct Chunk<T> {
    /// Per scored tensor `[pair][target][element]`.
    multipliers: Vec<Vec<T>>,
    /// Per scored tensor `[pair][element]`.
    references: Vec<Vec<T>>,
    /// `[pair][target]`: the output, and what contributions sum to.
    outputs: Vec<f64>,
    deltas: Vec<f64>,
}

impl<T: Precision> ScoreJob<T> {
    /// A job over a checked batch; `done` is called exactly once.
    pub fn new(
        program: Arc<Program<T>>,
        batch: Batch,
        cancelled: Box<dyn Fn() -> bool + Send + Sync>,
        done: Done<T>,
    ) -> Self {
        let strands = program.plan.strands();
        let width = (program.plan.lanes / (program.plan.pairs() * strands)).max(1);
        let scores = program.allocate(batch.examples);
        let left = batch.examples.div_ceil(width);
        let state = Mutex::new(State { scores: Some(scores), left, done: Some(done) });
        let job = ScoreJob {
            program,
            batch,
            width,
            strands,
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
        let mut tape = free.unwrap_or_else(|| Tape::new(plan, self.width * self.strands));
        let lanes = examples * self.strands;
        let mut pairs = self.take_pairs();
        for (i, input) in plan.inputs.iter().enumerate() {
            let Some(t) = input.tensor else { continue };
            let mut values = vec![T::ZERO; input.len];
            for lane in 0..lanes {
                let (e, strand) = (start + lane / self.strands, lane % self.strands);
                self.program.example(i, &self.batch, e, strand, &mut values);
                tape.write_input(plan, t, lane, |own| input.arrange(&values, own));
            }
        }
        tape.run(plan, lanes, &mut pairs.scratch);
        self.collect(&mut tape.clock);
        lock(&self.program.pairs).push(pairs);
        let each = 1 + plan.points;
        let pair = |lane, k| Pair { lane, reference: k / each, point: k % each };
        let all: Vec<Pair> =
            (0..lanes).flat_map(|lane| (0..plan.pairs()).map(move |k| pair(lane, k))).collect();
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
        self.plan().lanes.max(self.width * self.strands)
    }

    /// Keeps the times of a pass.
    fn collect(&self, clock: &mut Clock) {
        if self.plan().options.timed {
            lock(&self.program.clock).collect(clock);
        }
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

    fn chunk(&self, tile: &Tile<T>, wanted: &[Pair]) -> Result<Chunk<T>> {
        let plan = self.plan();
        let targets = plan.targets.len();
        let mut pairs = self.take_pairs();
        let owners: Vec<usize> = wanted.iter().map(|p| p.lane).collect();
        let which: Vec<usize> = wanted.iter().map(|p| p.reference).collect();
        let constant = self.program.constant_references(&self.batch)?;
        match constant {
            Some(tape) => pairs.record(plan, &tile.tape, &owners, tape, &which),
            None => {
                self.write_references(&mut pairs, tile, wanted)?;
                pairs.run(plan, &tile.tape, &owners);
            }
        }
        let mut references: Vec<Vec<T>> = vec![vec![]; plan.scored.len()];
        for (site, values) in plan.scored.iter().zip(&mut references) {
            let Some(t) = site.tensor else { continue };
            for (l, &r) in which.iter().enumerate() {
                values.extend_from_slice(self.on_reference(&pairs, constant, t, l, r));
            }
        }
        let mut outputs = Vec::with_capacity(wanted.len() * targets);
        let mut deltas = Vec::with_capacity(wanted.len() * targets);
        for (l, pair) in wanted.iter().enumerate() {
            for target in &plan.targets {
                let weights = &target.weights[pair.lane % self.strands];
                let y0 = self.on_reference(&pairs, constant, target.tensor, l, pair.reference);
                outputs.push(weights.value(y0));
                deltas.push(weights.delta(tile.tape.value(plan, target.tensor, pair.lane), y0));
            }
        }
        let mut multipliers: Vec<Vec<T>> =
            plan.scored.iter().map(|s| vec![T::ZERO; wanted.len() * targets * s.len]).collect();
        for (k, target) in plan.targets.iter().enumerate() {
            self.ensure_running()?;
            let seed = |p: &Pairs<T>, l: usize, out: &mut [T]| {
                let weights = &target.weights[wanted[l].lane % self.strands];
                let y0 = self.on_reference(p, constant, target.tensor, l, which[l]);
                let y = tile.tape.value(plan, target.tensor, wanted[l].lane);
                match (plan.points > 0, plan.compares) {
                    (true, _) => weights.seed(y0, y0, out),
                    (false, true) => weights.seed(y, y0, out),
                    (false, false) => weights.seed(y, y, out),
                }
            };
            backward::run(plan, &mut pairs, wanted.len(), target.tensor, &seed);
            for (i, site) in plan.scored.iter().enumerate() {
                let Some(t) = site.tensor else { continue };
                for (l, pair) in wanted.iter().enumerate() {
                    let out = &mut multipliers[i][(l * targets + k) * site.len..][..site.len];
                    let x0 = &references[i][l * site.len..][..site.len];
                    let x = tile.tape.value(plan, t, pair.lane);
                    backward::scored_multipliers(plan, &pairs, t, l, (x, x0), out);
                }
            }
        }
        self.collect(&mut pairs.clock);
        lock(&self.program.pairs).push(pairs);
        Ok(Chunk { multipliers, references, outputs, deltas })
    }

    /// A tensor's value on the reference of pair `l`, which is reference `r`.
    fn on_reference<'b>(
        &self,
        pairs: &'b Pairs<T>,
        constant: Option<&'b Tape<T>>,
        tensor: usize,
        l: usize,
        r: usize,
    ) -> &'b [T] {
        match constant {
            Some(tape) => tape.value(self.plan(), tensor, r),
            None => pairs.value(self.plan(), tensor, l),
        }
    }

    /// References, or points between them and the example, as the inputs of the pairs.
    fn write_references(&self, pairs: &mut Pairs<T>, tile: &Tile<T>, wanted: &[Pair]) -> Result<()> {
        let plan = self.plan();
        for (i, input) in plan.inputs.iter().enumerate() {
            let Some(t) = input.tensor else { continue };
            let mut values = vec![T::ZERO; input.len];
            for (l, pair) in wanted.iter().enumerate() {
                let owner = (tile.start + pair.lane / self.strands, pair.lane % self.strands);
                self.program.reference(i, &self.batch, owner, pair.reference, &mut values)?;
                pairs.write_input(plan, t, l, |own| {
                    input.arrange(&values, own);
                    if pair.point > 0 {
                        // The midpoint rule.
                        let along = T::from_f64((pair.point as f64 - 0.5) / plan.points as f64);
                        for (v, &x) in own.iter_mut().zip(tile.tape.value(plan, t, pair.lane)) {
                            *v += along * (x - *v);
                        }
                    }
                });
            }
        }
        Ok(())
    }

    fn finish_tile(&self, tile: &Arc<Tile<T>>) -> Result<()> {
        let chunks: Vec<_> = tile.results.iter().map(lock).collect();
        let chunks: Vec<&Chunk<T>> = chunks.iter().filter_map(|c| c.as_ref()).collect();
        // Scores are made apart and copied at the end, so that threads do not wait for each other's arithmetic.
        let mut part = self.program.allocate(tile.examples);
        for e in 0..tile.examples {
            let strands: Vec<ExamplePairs<'_, T>> =
                (0..self.strands).map(|s| self.pairs_of(&chunks, e * self.strands + s)).collect();
            let example = self.batch.first + (tile.start + e) as u64;
            finish(&self.program, &tile.tape, e, example, &strands, &mut part)?;
        }
        if let Some(scores) = &mut lock(&self.state).scores {
            scores.place(tile.start, tile.examples, &part);
        }
        lock(&self.active).retain(|t| !Arc::ptr_eq(t, tile));
        self.tile_finished();
        Ok(())
    }

    /// The pairs of one lane of the tape.
    fn pairs_of<'b>(&self, chunks: &[&'b Chunk<T>], at: usize) -> ExamplePairs<'b, T> {
        let plan = self.plan();
        let (targets, size, each) = (plan.targets.len(), self.pair_lanes(), 1 + plan.points);
        let pair = |k: usize| {
            let p = at * plan.pairs() + k;
            (chunks[p / size], p % size)
        };
        let own: Vec<(&Chunk<T>, usize)> = (0..plan.references).map(|r| pair(r * each)).collect();
        let multipliers = |i: usize, n: usize| {
            let of = |(c, l): (&'b Chunk<T>, usize)| &c.multipliers[i][l * n..][..n];
            let one = |r: usize| match plan.points {
                0 => Cow::Borrowed(of(pair(r))),
                points => Cow::Owned(mean((1..each).map(|k| of(pair(r * each + k))), n, points)),
            };
            (0..plan.references).map(one).collect()
        };
        let scored = || plan.scored.iter().enumerate();
        let row = |all: fn(&'b Chunk<T>) -> &'b [f64]| {
            own.iter().map(|&(c, l)| &all(c)[l * targets..][..targets]).collect()
        };
        ExamplePairs {
            at,
            multipliers: scored().map(|(i, site)| multipliers(i, targets * site.len)).collect(),
            references: scored()
                .map(|(i, site)| {
                    let n = if site.tensor.is_some() { site.len } else { 0 };
                    own.iter().map(|(c, l)| &c.references[i][l * n..][..n]).collect()
                })
                .collect(),
            outputs: row(|c| &c.outputs),
            deltas: row(|c| &c.deltas),
        }
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

/// The mean of vectors of length `n`.
fn mean<'a, T: Real>(all: impl Iterator<Item = &'a [T]>, n: usize, count: usize) -> Vec<T> {
    let mut sum = vec![T::ZERO; n];
    all.for_each(|one| map::add_assign(&mut sum, one));
    map::scale(T::from_f64(1.0 / count as f64), &mut sum);
    sum
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
