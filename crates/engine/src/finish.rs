//! From multipliers to scores: times differences, averaged over references and strands, in the caller's order.
use std::borrow::Cow;

use deeplift_graph::operator::Precision;
use deeplift_graph::{ensure, Result};
use deeplift_kernels::map;
use deeplift_simd::Real;

use crate::forward::Tape;
use crate::input::Site;
use crate::options::{MultiplyBy, PlanOptions};
use crate::score::{Program, Scores};

/// Everything of the pairs of one example on one strand, in order of references.
pub(crate) struct ExamplePairs<'a, T: Clone> {
    /// Lane of the tape.
    pub at: usize,
    /// `[scored][reference]`: multipliers of all targets, in the plan's order.
    pub multipliers: Vec<Vec<Cow<'a, [T]>>>,
    /// `[scored][reference]`: the value on the reference, in the plan's order.
    pub references: Vec<Vec<&'a [T]>>,
    /// `[reference][target]`: outputs on references, and what contributions sum to.
    pub outputs: Vec<&'a [f64]>,
    #[allow(missing_docs)]
    pub deltas: Vec<&'a [f64]>,
}

/// Turns the pairs of an example on all its strands into row `row` of the scores; `example` names it in messages.
pub(crate) fn finish<T: Precision>(
    program: &Program<T>,
    tape: &Tape<T>,
    row: usize,
    example: u64,
    strands: &[ExamplePairs<'_, T>],
    scores: &mut Scores<T>,
) -> Result<()> {
    let plan = &program.plan;
    let targets = plan.targets.len();
    for (k, target) in plan.targets.iter().enumerate() {
        let (mut output, mut reference, mut delta, mut total) = (0.0, 0.0, 0.0, 0.0);
        for (strand, pairs) in strands.iter().enumerate() {
            let mean = |all: &[&[f64]]| all.iter().map(|o| o[k]).sum::<f64>() / all.len() as f64;
            output += target.weights[strand].value(tape.value(plan, target.tensor, pairs.at));
            reference += mean(&pairs.outputs);
            delta += mean(&pairs.deltas);
            for (i, site) in plan.scored.iter().enumerate() {
                let Some(t) = site.tensor else { continue };
                let x = tape.value(plan, t, pairs.at);
                let weight = T::from_f64(1.0 / (pairs.outputs.len() * strands.len()) as f64);
                let row = Row { site, x, pairs, i, k, targets, strand, weight, options: &plan.options, row };
                total += row.write(scores);
            }
        }
        let strands = strands.len() as f64;
        let (output, reference, delta) = (output / strands, reference / strands, delta / strands);
        let scale = delta.abs().max(output.abs()).max(reference.abs()).max(1e-12);
        let slot = row * targets + k;
        scores.output[slot] = output;
        scores.reference_output[slot] = reference;
        scores.delta[slot] = delta;
        scores.completeness[slot] = (total - delta).abs() / scale;
        ensure!(
            scores.completeness[slot].is_finite(),
            InvalidInput,
            "example {}: output ({output}), reference output ({reference}) or contributions are not finite; the \
             model overflows on this input",
            example
        );
    }
    Ok(())
}

/// Scores of one example on one strand, one target, one scored tensor; they are added to the row.
struct Row<'a, T: Clone> {
    site: &'a Site,
    x: &'a [T],
    pairs: &'a ExamplePairs<'a, T>,
    i: usize,
    k: usize,
    targets: usize,
    strand: usize,
    /// Of one reference on one strand.
    weight: T,
    options: &'a PlanOptions,
    row: usize,
}

impl<T: Real> Row<'_, T> {
    fn multipliers(&self, r: usize) -> &[T] {
        &self.pairs.multipliers[self.i][r][self.k * self.site.len..][..self.site.len]
    }

    fn contribution(&self, m: T, x: T, x0: T) -> T {
        match self.options.multiply_by {
            MultiplyBy::Difference => m * (x - x0),
            MultiplyBy::Input => m * x,
        }
    }

    /// Writes every requested array; returns the sum of the contributions.
    fn write(&self, scores: &mut Scores<T>) -> f64 {
        let (n, i) = (self.site.len, self.i);
        let references = &self.pairs.references[i];
        let at = (self.row * self.targets + self.k) * n;
        let mut sum = vec![T::ZERO; n];
        let mut one = vec![T::ZERO; n];
        for (r, x0) in references.iter().enumerate() {
            for (o, ((&m, &x), &x0)) in self.multipliers(r).iter().zip(self.x).zip(*x0).enumerate() {
                one[o] = self.contribution(m, x, x0);
                sum[o] += one[o];
            }
            if let Some(out) = scores.per_reference.get_mut(i) {
                let at = ((self.row * references.len() + r) * self.targets + self.k) * n;
                let share = self.weight * T::from_f64(references.len() as f64);
                map::scale(share, &mut one);
                self.place(&one, &mut out[at..at + n]);
            }
        }
        map::scale(self.weight, &mut sum);
        let total = sum.iter().map(|s| s.to_f64()).sum::<f64>();
        if let Some(out) = scores.contributions.get_mut(i) {
            self.place(&sum, &mut out[at..at + n]);
        }
        if let Some(out) = scores.multipliers.get_mut(i) {
            self.mean(|m, _, sum| sum.iter_mut().zip(m).for_each(|(s, &m)| *s += m), &mut out[at..at + n]);
        }
        if let (Some(out), true) = (scores.hypothetical.get_mut(i), self.site.letter_axis.is_some()) {
            self.mean(|m, x0, sum| self.hypothetical(m, x0, sum), &mut out[at..at + n]);
        }
        total
    }

    /// Adds values in the plan's order to `out` in the caller's, where the reverse strand lies backwards.
    fn place(&self, values: &[T], out: &mut [T]) {
        if self.options.reverse_complement.is_none() {
            return self.site.restore(values, out);
        }
        let mut ordered = vec![T::ZERO; values.len()];
        self.site.restore(values, &mut ordered);
        self.add(&mut ordered, out);
    }

    fn add(&self, ordered: &mut [T], out: &mut [T]) {
        if self.strand == 1 && self.site.turns {
            ordered.reverse();
        }
        map::add_assign(out, ordered);
    }

    /// The mean over references of what `add` adds, in the caller's order.
    fn mean(&self, add: impl Fn(&[T], &[T], &mut [T]), out: &mut [T]) {
        let n = self.site.len;
        let references = &self.pairs.references[self.i];
        let (mut sum, mut m, mut x0) = (vec![T::ZERO; n], vec![T::ZERO; n], vec![T::ZERO; n]);
        for (r, reference) in references.iter().enumerate() {
            self.site.restore(self.multipliers(r), &mut m);
            self.site.restore(reference, &mut x0);
            add(&m, &x0, &mut sum);
        }
        map::scale(self.weight, &mut sum);
        self.add(&mut sum, out);
    }

    /// `m_b − Σ_c r_c m_c` for every letter `b` (SEMANTICS 2.4).
    fn hypothetical(&self, m: &[T], x0: &[T], sum: &mut [T]) {
        for p in 0..self.site.positions() {
            let at = [0, 1, 2, 3].map(|letter| self.site.element(p, letter));
            let base = at.iter().fold(T::ZERO, |b, &k| b + x0[k] * m[k]);
            for k in at {
                sum[k] += m[k] - base;
            }
        }
    }
}
