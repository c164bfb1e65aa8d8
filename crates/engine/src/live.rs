//! Which elements of each tensor anything depends on. Behind a crop, convolutions with padding compute positions that
//! nobody looks at; they are left out.
use std::ops::Range;

use deeplift_simd::Real;

use crate::plan::{Kind, Step, Tensors};

/// Finds the elements of a lane that are needed, and tells the steps. Tensors in `whole` are needed in full.
pub fn narrow<T: Real>(steps: &mut [Step<T>], tensors: &mut Tensors, whole: &[usize]) {
    let mut live: Vec<Option<Range<usize>>> = vec![None; tensors.len.len()];
    for &t in whole {
        live[t] = Some(0..tensors.len[t]);
    }
    for step in steps.iter().rev() {
        let n = tensors.len[step.output];
        let out = live[step.output].get_or_insert(0..n).clone();
        for (port, &t) in step.inputs.iter().enumerate() {
            let split = |t: usize| tensors.parts[t] || tensors.split[t];
            let reads = match &step.kind {
                _ if split(t) || split(step.output) => 0..usize::MAX,
                Kind::Linear(l, None) => l.reads(port, &out),
                Kind::Elementwise(..) => out.clone(),
                _ => 0..usize::MAX,
            };
            let (start, end) = (reads.start.min(tensors.len[t]), reads.end.min(tensors.len[t]));
            let hull = match &live[t] {
                Some(l) => l.start.min(start)..l.end.max(end),
                None => start..end,
            };
            live[t] = Some(hull);
        }
    }
    for (t, live) in live.into_iter().enumerate() {
        tensors.live[t] = live.unwrap_or(0..tensors.len[t]);
    }
    for step in steps {
        let (out, input) = (&tensors.live[step.output], &tensors.live[step.inputs[0]]);
        let all = out.len() == tensors.len[step.output] && input.len() == tensors.len[step.inputs[0]];
        if let (Kind::Linear(l, None), false) = (&mut step.kind, all) {
            step.skips_dead = l.narrow(out, input);
        }
    }
}
