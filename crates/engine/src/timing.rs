//! Time per step, kept only for plans that ask for it ([`PlanOptions::timed`](crate::options::PlanOptions)): where the
//! time of scoring goes. A step that another one's kernel computes takes none of its own.
use std::time::Instant;

use serde_json::{json, Value};

/// The passes that are timed apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timed {
    /// Values of examples.
    Example,
    /// Values of references, and records.
    Pair,
    /// Multipliers of one target.
    Multipliers,
}

const PASSES: [(Timed, &str); 3] =
    [(Timed::Example, "example"), (Timed::Pair, "pair"), (Timed::Multipliers, "multipliers")];

/// What one pass has taken so far.
#[derive(Clone, Debug, Default)]
struct Spent {
    /// Nanoseconds of each step.
    nanos: Vec<u64>,
    /// Examples or pairs.
    lanes: usize,
}

/// Times of all steps; it does nothing unless the plan asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(Option<Box<[Spent; 3]>>);

impl Clock {
    /// A clock for so many steps, which runs if `timed`.
    pub fn new(steps: usize, timed: bool) -> Self {
        let spent = || Spent { nanos: vec![0; steps], lanes: 0 };
        Clock(timed.then(|| Box::new([spent(), spent(), spent()])))
    }

    /// Counts the lanes of a pass that begins.
    pub fn pass(&mut self, pass: Timed, lanes: usize) {
        if let Some(all) = &mut self.0 {
            all[pass as usize].lanes += lanes;
        }
    }

    /// When a step began, if anybody wants to know.
    pub fn start(&self) -> Option<Instant> {
        self.0.as_ref().map(|_| Instant::now())
    }

    /// Adds the time since `start` to a step.
    pub fn stop(&mut self, pass: Timed, step: usize, start: Option<Instant>) {
        if let (Some(all), Some(start)) = (&mut self.0, start) {
            all[pass as usize].nanos[step] += start.elapsed().as_nanos() as u64;
        }
    }

    /// Adds what another clock has counted, which then begins anew.
    pub fn collect(&mut self, other: &mut Clock) {
        let (Some(all), Some(others)) = (&mut self.0, &mut other.0) else { return };
        for (all, other) in all.iter_mut().zip(others.iter_mut()) {
            all.lanes += std::mem::take(&mut other.lanes);
            for (sum, own) in all.nanos.iter_mut().zip(&mut other.nanos) {
                *sum += std::mem::take(own);
            }
        }
    }

    /// Seconds per example or pair of every step, by pass; `null` for plans that are not timed.
    pub fn describe(&self) -> Value {
        let Some(all) = &self.0 else { return Value::Null };
        let seconds = |step: usize| {
            let of = |pass: Timed| {
                let spent = &all[pass as usize];
                spent.nanos[step] as f64 * 1e-9 / spent.lanes.max(1) as f64
            };
            PASSES.iter().map(|&(pass, name)| (name.to_string(), json!(of(pass)))).collect::<Value>()
        };
        (0..all[0].nanos.len()).map(seconds).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_per_lane_and_collected_once() {
        let (mut own, mut sum) = (Clock::new(2, true), Clock::new(2, true));
        own.pass(Timed::Pair, 4);
        let start = Instant::now().checked_sub(Duration::from_secs(8));
        own.stop(Timed::Pair, 1, start);
        sum.collect(&mut own);
        sum.collect(&mut own);
        let found = sum.describe();
        assert_eq!(found[0], json!({ "example": 0.0, "pair": 0.0, "multipliers": 0.0 }));
        let pair = found[1]["pair"].as_f64().unwrap();
        assert!((2.0..2.5).contains(&pair), "8 seconds of 4 pairs: {pair}");
    }

    #[test]
    fn a_clock_that_nobody_asked_for_stands_still() {
        let mut clock = Clock::new(3, false);
        assert!(clock.start().is_none());
        clock.pass(Timed::Example, 1);
        clock.stop(Timed::Example, 0, Some(Instant::now()));
        assert_eq!(clock.describe(), Value::Null);
    }
}
