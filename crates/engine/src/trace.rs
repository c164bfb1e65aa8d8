//! Where completeness is lost: for every step, what flows into it against what flows out of it.
//!
//! The sum of contributions is the same on every cut of the network if each step passes on what arrives (SEMANTICS
//! 1.1), so the residual of the whole is made of those of the steps.
use deeplift_graph::operator::Precision;
use deeplift_graph::{bail, ensure, Result};
use deeplift_kernels::Scratch;
use deeplift_simd::{AlignedVec, Real};

use crate::backward::Backward;
use crate::forward::{lane, Tape};
use crate::pairs::Pairs;
use crate::plan::Plan;
use crate::score::{Batch, Program};

/// The residual of one step, the largest over all pairs and targets.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct StepResidual {
    pub node: String,
    pub op: String,
    pub rule: &'static str,
    /// |contributions of its inputs - contributions of its output|.
    pub residual: f64,
    /// The same relative to the largest of the output, the output on the reference and their difference.
    pub relative: f64,
}

/// Traces every pair of a batch; the worst step comes first. The plan must have been made with `trace`.
///
/// # Errors
/// `INVALID_OPTION` for a plan without `trace`, `ABORTED`, and errors of references that cannot be made.
pub fn trace<T: Precision>(
    program: &Program<T>,
    batch: &Batch,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<StepResidual>> {
    let plan = &program.plan;
    ensure!(plan.options.trace, InvalidOption, "the plan was not made for tracing");
    let mut rows: Vec<StepResidual> = plan
        .steps
        .iter()
        .map(|s| StepResidual {
            node: s.name.clone(),
            op: s.op.clone(),
            rule: s.applied(),
            residual: 0.0,
            relative: 0.0,
        })
        .collect();
    let (mut tape, mut pairs) = (Tape::new(plan, 1), Pairs::new(plan, 1));
    for e in 0..batch.examples {
        for strand in 0..plan.strands() {
            for (i, input) in plan.inputs.iter().enumerate() {
                let Some(t) = input.tensor else { continue };
                let mut values = vec![T::ZERO; input.len];
                program.example(i, batch, e, strand, &mut values);
                tape.write_input(plan, t, 0, |own| input.arrange(&values, own));
            }
            tape.run(plan, 1, &mut Scratch::default());
            for r in 0..plan.references {
                if cancelled() {
                    bail!(Aborted, "tracing was aborted")
                }
                for (i, input) in plan.inputs.iter().enumerate() {
                    let Some(t) = input.tensor else { continue };
                    let mut values = vec![T::ZERO; input.len];
                    program.reference(i, batch, (e, strand), r, &mut values)?;
                    pairs.write_input(plan, t, 0, |own| input.arrange(&values, own));
                }
                pairs.run(plan, &tape, &[0]);
                pair(plan, &tape, &mut pairs, strand, &mut rows);
            }
        }
    }
    rows.sort_by(|a, b| b.relative.total_cmp(&a.relative));
    Ok(rows)
}

/// Updates the residuals by those of one pair.
fn pair<T: Real>(
    plan: &Plan<T>,
    tape: &Tape<T>,
    pairs: &mut Pairs<T>,
    strand: usize,
    rows: &mut [StepResidual],
) {
    for target in &plan.targets {
        let weights = &target.weights[strand];
        let y = tape.value(plan, target.tensor, 0);
        let y0 = pairs.value(plan, target.tensor, 0).to_vec();
        let (output, reference) = (weights.value(y), weights.value(&y0));
        let scale = (output - reference).abs().max(output.abs()).max(reference.abs()).max(1e-12);
        let against = if plan.compares { &y0[..] } else { y };
        let mut pass = Backward::new(plan, 1);
        pass.seed(pairs, target.tensor, &|_, _, out| weights.seed(y, against, out));
        for i in (0..plan.steps.len()).rev() {
            let residual = step(plan, tape, pairs, &mut pass, i).abs();
            rows[i].residual = rows[i].residual.max(residual);
            rows[i].relative = rows[i].relative.max(residual / scale);
        }
    }
}

/// Runs one step by itself and returns what it loses; multipliers that its inputs have from other readers are put
/// aside meanwhile.
fn step<T: Real>(
    plan: &Plan<T>,
    tape: &Tape<T>,
    pairs: &mut Pairs<T>,
    pass: &mut Backward<'_, T>,
    i: usize,
) -> f64 {
    let s = &plan.steps[i];
    if !s.attributed || !pass.written[s.output] {
        return 0.0;
    }
    let mut inputs: Vec<usize> = s.inputs.iter().copied().filter(|&t| plan.tensors.attributed[t]).collect();
    inputs.sort_unstable();
    inputs.dedup();
    let leaving = flow(plan, tape, pairs, s.output);
    let others: Vec<Option<[Vec<T>; 2]>> = inputs
        .iter()
        .map(|&t| {
            let written = std::mem::take(&mut pass.written[t]);
            written.then(|| multipliers(plan, pairs, t).map(|m| m.map_or(vec![], |m| m.to_vec())))
        })
        .collect();
    pass.step(pairs, i);
    let arriving: f64 = inputs.iter().map(|&t| flow(plan, tape, pairs, t)).sum();
    for (&t, others) in inputs.iter().zip(others) {
        let Some(others) = others else { continue };
        for (own, other) in multipliers(plan, pairs, t).into_iter().zip(others) {
            own.into_iter().flatten().zip(other).for_each(|(m, o)| *m += o);
        }
    }
    arriving - leaving
}

/// Multipliers of a tensor, and those of its negative part where they differ.
fn multipliers<'p, T: Real>(plan: &Plan<T>, pairs: &'p mut Pairs<T>, t: usize) -> [Option<&'p mut [T]>; 2] {
    let n = plan.tensors.len[t];
    let of = |buffers: &'p mut [AlignedVec<T>], slot: Option<usize>| slot.map(|s| &mut buffers[s][..n]);
    [
        of(&mut pairs.multipliers, plan.layout.multipliers.slot[t]),
        of(&mut pairs.negative_multipliers, plan.layout.negative.slot[t]),
    ]
}

/// Contributions of a tensor, summed.
fn flow<T: Real>(plan: &Plan<T>, tape: &Tape<T>, p: &Pairs<T>, t: usize) -> f64 {
    let (x, x0) = (tape.value(plan, t, 0), p.value(plan, t, 0));
    let slot = plan.layout.multipliers.slot[t].expect("contributions flow through this tensor");
    let up = lane(&p.multipliers[slot], x.len(), 0);
    let down = plan.layout.negative.slot[t].map(|s| lane(&p.negative_multipliers[s], x.len(), 0));
    let parts = plan.layout.parts.slot[t];
    let one = |k: usize| {
        let d = x[k].to_f64() - x0[k].to_f64();
        match (down, parts) {
            (None, _) => up[k].to_f64() * d,
            (Some(down), Some(s)) => {
                let (rise, fall) = (p.positive[s][k].to_f64(), p.negative[s][k].to_f64());
                up[k].to_f64() * rise + down[k].to_f64() * fall
            }
            (Some(down), None) => (if d > 0.0 { up[k] } else { down[k] }).to_f64() * d,
        }
    };
    (0..x.len()).map(one).sum()
}
