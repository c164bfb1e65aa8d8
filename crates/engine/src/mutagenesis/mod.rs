//! Saturation mutagenesis: how the targets of a sequence change with every letter at every position.
//!
//! A change reaches the elements of each tensor that depend on it ([`block`]); the others keep the values that they have
//! on the sequence itself. Where a network is local, that is most of them.
mod block;
mod job;
mod worker;

use std::ops::Range;
use std::sync::Mutex;

use deeplift_graph::model::Model;
use deeplift_graph::operator::Precision;
use deeplift_graph::{bail, ensure, Result};
use deeplift_simd::Real;
use serde_json::{json, Value};

use crate::describe::flops;
use crate::input::{Site, LETTERS};
use crate::mark::layout;
use crate::options::{MutagenesisOptions, PlanOptions};
use crate::plan::Plan;
use crate::predict::{example_bytes, forward, plan, Forward};
use crate::prepare;
use crate::score::{Batch, Program};
use block::Block;
pub use job::{Effects, MutagenesisJob, Mutated};
use worker::Worker;

/// Positions of a block. Fewer compute less that does not change; more take back less often.
const POSITIONS: usize = 8;

/// Blocks whose cost is worked out for the description of a plan.
const SAMPLED: usize = 32;

/// A plan of changes, with what many batches share.
pub struct Mutator<T: Real> {
    program: Program<T>,
    /// Index of the input that is changed, and its tensor in the plan.
    input: usize,
    tensor: usize,
    /// Positions that are changed.
    window: Range<usize>,
    /// How effects are laid out, as the input is, over the window.
    site: Site,
    /// The plan's element of each element of the input.
    places: Vec<u32>,
    /// Buffers that are free.
    workers: Mutex<Vec<Worker<T>>>,
}

impl<T: Precision> Mutator<T> {
    /// Plans the changes.
    ///
    /// # Errors
    /// `INVALID_OPTION` for an input that is no sequence, for positions that it does not have, for targets that are not
    /// there or do not depend on it; otherwise those of [`Predictor::new`](crate::predict::Predictor::new).
    pub fn new(model: &Model, options: MutagenesisOptions) -> Result<Self> {
        let (name, window) = (options.input.clone(), options.window);
        let options = PlanOptions::from(options);
        let Forward { compiled: mut c, bound, names } = forward::<T>(model, &options)?;
        let targets = prepare::targets(&options, &names, &mut c, &bound)?;
        // What does not change is read again and again.
        c.tensors.kept.fill(true);
        let tensors: Vec<usize> = targets.iter().map(|t| t.tensor).collect();
        let layout = layout(&c, &tensors, false);
        let mut plan = Plan { targets, ..plan(c, layout, options) };
        let Some(input) = plan.inputs.iter().position(|i| i.name == name) else {
            bail!(InvalidOption, "the model has no input '{name}'")
        };
        let own = &plan.inputs[input];
        let Some(tensor) = own.tensor else { bail!(InvalidOption, "no target depends on input '{name}'") };
        ensure!(
            own.letter_axis.is_some(),
            InvalidOption,
            "input '{name}' of shape {:?} has no axis of {LETTERS} letters, so there are none to change",
            own.shape
        );
        let window = window.map_or(0..own.positions(), |(start, end)| start..end);
        let site = windowed(own, &window)?;
        let places = own.order.as_ref().map_or_else(|| (0..own.len as u32).collect(), |o| inverse(o));
        plan.lanes = lanes(&plan)?;
        let (program, workers) = (Program::alone(plan), Mutex::default());
        Ok(Mutator { program, input, tensor, window, site, places, workers })
    }

    fn blocks(&self) -> usize {
        self.window.len().div_ceil(POSITIONS)
    }

    /// Block `number` of the window. It is made when it is needed, which takes little beside its changes: all blocks of a
    /// long sequence together would take more memory than its activations.
    fn block(&self, number: usize) -> Block<T> {
        let start = self.window.start + number * POSITIONS;
        let positions = start..self.window.end.min(start + POSITIONS);
        let places = positions.clone().flat_map(|p| self.column(p));
        let elements = places.map(|at| at..at + 1).reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
        Block::new(&self.program.plan, positions, self.tensor, elements.unwrap_or(0..0))
    }

    /// The plan's elements of the letters at a position.
    fn column(&self, position: usize) -> [usize; LETTERS] {
        let input = &self.program.plan.inputs[self.input];
        std::array::from_fn(|letter| self.places[input.element(position, letter)] as usize)
    }

    /// Checks a batch before any work.
    ///
    /// # Errors
    /// Those of [`Program::check`].
    pub fn check(&self, batch: &Batch) -> Result<()> {
        self.program.check(batch)
    }

    /// Shape of the effects, cost and warnings as data.
    pub fn describe(&self) -> Value {
        let plan = &self.program.plan;
        let changes = self.window.len() * (LETTERS - 1);
        // Blocks all over the window stand for those between them.
        let some = (0..self.blocks()).step_by(self.blocks().div_ceil(SAMPLED));
        let flops_of: Vec<f64> = some.map(|number| self.block(number).flops(plan)).collect();
        json!({
            "shape": self.site.shape,
            "changes": changes,
            "flopsPerPass": plan.steps.iter().map(flops).sum::<f64>(),
            "flopsPerChange": flops_of.iter().sum::<f64>() / flops_of.len() as f64,
            "memoryPerThread": example_bytes(plan) * (1 + plan.lanes),
            "warnings": plan.warnings,
        })
    }
}

/// The layout of effects over some positions of an input.
fn windowed(input: &Site, window: &Range<usize>) -> Result<Site> {
    let positions = input.positions();
    ensure!(
        window.start < window.end && window.end <= positions,
        InvalidOption,
        "positions {} to {} of input '{}', which has {positions}",
        window.start,
        window.end,
        input.name
    );
    let mut site = Site { tensor: None, order: None, ..input.clone() };
    if window.len() == positions {
        return Ok(site);
    }
    let axes = (0..site.shape.len()).filter(|&a| Some(a) != site.letter_axis).collect::<Vec<_>>();
    let [axis] = axes[..] else {
        bail!(
            InvalidOption,
            "input '{}' of shape {:?} has no single axis of positions",
            site.name,
            site.shape
        )
    };
    site.shape[axis] = window.len();
    site.len = window.len() * LETTERS;
    Ok(site)
}

fn inverse(order: &[u32]) -> Vec<u32> {
    let mut places = vec![0; order.len()];
    order.iter().enumerate().for_each(|(to, &from)| places[from as usize] = to as u32);
    places
}

/// Changes that are computed together: one where ranges of activations fill the cache anyway, those of a block where
/// weights should be streamed once for several.
fn lanes<T: Precision>(plan: &Plan<T>) -> Result<usize> {
    const MOST: usize = POSITIONS * (LETTERS - 1);
    let bytes = example_bytes(plan).max(1);
    let wanted = plan.lanes_in_cache(bytes, MOST, MOST);
    let budget = plan.options.memory as usize;
    ensure!(
        2 * bytes <= budget,
        InvalidOption,
        "mutagenesis keeps all activations of this model, {} MB per thread, more than the memory option allows ({} MB)",
        (2 * bytes) >> 20,
        budget >> 20
    );
    Ok(wanted.min(budget / bytes - 1))
}
