//! Maxima find ties. Where a sequence repeats itself, and everywhere on a constant reference, the values in the window of
//! a maximum are equal, and the first wins. A kernel that rounds equal windows differently would let any of them win, and
//! contributions go with the winner.
use deeplift_simd::Real;

use crate::plan::{Kind, Step};

/// Tells the linear maps that a maximum follows.
pub fn keep<T: Real>(steps: &mut [Step<T>], tensors: usize) {
    let mut compared = vec![false; tensors];
    for step in steps.iter_mut().rev() {
        if !compared[step.output] && step.max.is_none() {
            continue;
        }
        step.inputs.iter().for_each(|&t| compared[t] = true);
        if let Kind::Linear(map, _) = &mut step.kind {
            map.keep_ties();
        }
    }
}
