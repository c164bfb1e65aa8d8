//! What one kernel computes for several steps.
//!
//! Forwards, a layer applies the ReLU behind it as it stores, leaves the ReLU's record, and adds what a residual
//! connection brings. Backwards, a layer's adjoint, and what a maximum passes on, is multiplied by the record of the
//! element-wise step before it.
use deeplift_graph::rule::Carry;
use deeplift_rules::NearZero;
use deeplift_simd::Real;

use crate::plan::{Kind, Step, Tensors};

/// Fuses steps. Nothing may be hidden that others look at: `shown`.
pub fn fuse<T: Real>(steps: &mut Vec<Step<T>>, tensors: &Tensors, shown: &[usize], near: NearZero) {
    forwards(steps, tensors, shown, near, |step| step.attributed);
    backwards(steps, tensors, shown);
}

/// Fuses the steps of a plan without multipliers.
pub fn fuse_forward<T: Real>(steps: &mut Vec<Step<T>>, tensors: &Tensors, shown: &[usize]) {
    forwards(steps, tensors, shown, NearZero::Accurate, |_| true);
}

/// Moves each ReLU that is the only reader of a fusable layer right behind it, and the sum that is the only reader of
/// the ReLU behind that; layers of which `may` is true.
fn forwards<T: Real>(
    steps: &mut Vec<Step<T>>,
    tensors: &Tensors,
    shown: &[usize],
    near: NearZero,
    may: fn(&Step<T>) -> bool,
) {
    let readers = tensors.readers(steps);
    let whole = |t: usize| !shown.contains(&t) && !tensors.parts[t] && !tensors.split[t];
    let mut behind: Vec<Vec<usize>> = vec![vec![]; steps.len()];
    let mut born = vec![None; tensors.len.len()];
    for (i, step) in steps.iter().enumerate() {
        born[step.output] = Some(i);
        let fusable = matches!(&step.kind, Kind::Linear(l, _) if l.fused().is_some());
        let ([r], true) = (&readers[step.output][..], fusable && may(step) && whole(step.output)) else {
            continue;
        };
        let relu = &steps[*r];
        let applies = matches!(&relu.kind, Kind::Elementwise(f, rule)
            if f.is_relu() && !rule.splits() && rule.carry() != Carry::Apply);
        if near != NearZero::Accurate || !applies {
            continue;
        }
        behind[i].push(*r);
        let ([s], true) = (&readers[relu.output][..], whole(relu.output) && !tensors.kept[relu.output])
        else {
            continue;
        };
        let sum = &steps[*s];
        let plain = matches!(&sum.kind, Kind::Linear(l, None) if l.is_plain_sum()) && sum.inputs.len() == 2;
        let other = sum.inputs.iter().copied().find(|&t| t != relu.output);
        if let (true, Some(base)) = (plain, other) {
            // Steps behind this one have no place in `born` yet.
            if born[base].is_some() || tensors.is_input[base] {
                behind[i].push(*s);
            }
        }
    }
    let mut waiting: Vec<Option<Step<T>>> = steps.drain(..).map(Some).collect();
    for i in 0..waiting.len() {
        let Some(mut step) = waiting[i].take() else { continue };
        let mut group: Vec<Step<T>> = behind[i].iter().filter_map(|&k| waiting[k].take()).collect();
        step.relu_fused = !group.is_empty();
        if let [relu, sum] = &group[..] {
            step.base = sum.inputs.iter().copied().find(|&t| t != relu.output);
        }
        steps.push(step);
        steps.append(&mut group);
    }
}

/// Finds for each layer and maximum the element-wise step whose multipliers are those that the layer's adjoint completes, times a
/// record.
fn backwards<T: Real>(steps: &mut [Step<T>], tensors: &Tensors, shown: &[usize]) {
    let readers = tensors.readers(steps);
    let mut born = vec![None; tensors.len.len()];
    steps.iter().enumerate().for_each(|(i, step)| born[step.output] = Some(i));
    let whole = |t: usize| tensors.attributed[t] && !tensors.split[t] && !shown.contains(&t);
    let is_product = |r: usize| {
        let z = steps[r].inputs[0];
        matches!(&steps[r].kind, Kind::Elementwise(_, rule) if !rule.splits() && rule.carry() == Carry::Product)
            && steps[r].attributed
            && readers[z].len() == 1
            && whole(z)
    };
    let product = |j: usize| {
        let t = steps[j].inputs[0];
        let selects = matches!(&steps[j].kind, Kind::Selection(_));
        let last = selects || matches!(&steps[j].kind, Kind::Linear(l, None) if l.fused().is_some());
        if !last || !steps[j].attributed || readers[t].first() != Some(&j) || !whole(t) {
            return None;
        }
        let r = born[t]?;
        if readers[t].len() == 1 && is_product(r) {
            return Some(r);
        }
        // A residual sum passes its multipliers on as they are.
        let plain = !selects && matches!(&steps[r].kind, Kind::Linear(l, None) if l.is_plain_sum());
        let mut inputs = steps[r].inputs.iter().copied().filter(|&y| whole(y) && readers[y].len() == 1);
        let found = inputs.find_map(|y| born[y].filter(|&r| is_product(r)));
        found.filter(|_| plain && readers[t].len() > 1)
    };
    let found: Vec<Option<usize>> = (0..steps.len()).map(product).collect();
    steps.iter_mut().zip(found).for_each(|(step, found)| step.product = found);
}
