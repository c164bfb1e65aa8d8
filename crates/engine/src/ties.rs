//! Maxima find ties. Where a sequence repeats itself, and everywhere on a constant reference, the values in the window of
//! a maximum are equal, and the first wins. A kernel that rounds equal windows differently would let any of them win, and
//! contributions go with the winner.
//!
//! Values of a layer are equal at two positions if the layer sees the same there. In a sequence of letters in which no
//! word of as many letters occurs twice, it sees something else everywhere: there any kernel will do. Other sequences, such
//! as those with runs of one letter or of none, take the kernels whose outputs are even.
use std::ops::Range;

use deeplift_graph::operator::{Even, LinearKind};
use deeplift_kernels::one_hot::LETTERS;
use deeplift_simd::Real;

use crate::compile::Compiled;
use crate::plan::{Kind, Step};

/// Words of an input that is a sequence of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// The input.
    pub tensor: usize,
    /// Letters per word.
    pub len: usize,
}

/// Tells the linear maps that a maximum follows, and which words of a sequence then have to occur once for the others.
pub fn keep<T: Real>(c: &mut Compiled<T>) -> Option<Words> {
    let mut compared = vec![false; c.tensors.len.len()];
    let mut uneven = vec![];
    for (i, step) in c.steps.iter().enumerate().rev() {
        if !compared[step.output] && step.max.is_none() {
            continue;
        }
        step.inputs.iter().for_each(|&t| compared[t] = true);
        if matches!(&step.kind, Kind::Linear(map, _) if !map.is_even()) {
            uneven.push(i);
        }
    }
    let words = words(c, &uneven);
    let when = if words.is_some() { Even::OnRequest } else { Even::Always };
    for i in uneven {
        let step = &mut c.steps[i];
        if let Kind::Linear(map, _) = &mut step.kind {
            map.keep_ties(when);
            step.uneven = words.is_some();
        }
    }
    words
}

/// The longest words that all of these steps see at least one of, wherever they look. `None` unless a sequence of letters
/// is the only input, and windows of it are all that they look at.
fn words<T: Real>(c: &Compiled<T>, steps: &[usize]) -> Option<Words> {
    let mut inputs = c.inputs.iter().filter_map(|input| input.tensor);
    let tensor = inputs.next().filter(|_| inputs.next().is_none())?;
    let letters = |step: &Step<T>| matches!(&step.kind, Kind::Linear(map, _) if map.reads_letters());
    if !c.steps.iter().filter(|step| step.inputs.contains(&tensor)).all(letters) {
        return None;
    }
    let paths = paths(c, tensor);
    let mut len = None;
    for &i in steps {
        let elements = c.tensors.len[c.steps[i].output];
        let seen = seen(c, &paths, i, elements / 2).filter(|_| sees_something(&c.steps[i], elements))?;
        len = Some(len.unwrap_or(usize::MAX).min(seen.len() / LETTERS));
    }
    len.filter(|&len| len > 0).map(|len| Words { tensor, len })
}

/// A way from each tensor back to the input, of which each element depends on a known window: the step that makes it, and
/// which of its inputs is next.
fn paths<T: Real>(c: &Compiled<T>, input: usize) -> Vec<Option<(usize, usize)>> {
    let mut paths = vec![None; c.tensors.len.len()];
    for (i, step) in c.steps.iter().enumerate() {
        let middle = c.tensors.len[step.output] / 2;
        let leads = |port: &usize| {
            let from = step.inputs[*port];
            (from == input || paths[from].is_some()) && reads(c, i, *port, &(middle..middle + 1)).is_some()
        };
        paths[step.output] = (0..step.inputs.len()).find(leads).map(|port| (i, port));
    }
    paths
}

/// The elements of one of a step's inputs that elements of its output depend on, if it tells.
fn reads<T: Real>(c: &Compiled<T>, step: usize, port: usize, out: &Range<usize>) -> Option<Range<usize>> {
    let step = &c.steps[step];
    let reads = match &step.kind {
        Kind::Linear(map, _) => map.reads(port, out),
        Kind::Elementwise(..) => out.clone(),
        Kind::Selection(s) => s.reads(out),
        Kind::ClosedForm(_) | Kind::Forward(_) => return None,
    };
    (!reads.is_empty() && reads.end <= c.tensors.len[step.inputs[port]]).then_some(reads)
}

/// The elements of the input that one element of a step's output depends on, along its path.
fn seen<T: Real>(
    c: &Compiled<T>,
    paths: &[Option<(usize, usize)>],
    step: usize,
    at: usize,
) -> Option<Range<usize>> {
    let (mut tensor, mut range) = (c.steps[step].output, at..at + 1);
    paths[tensor]?;
    while let Some((step, port)) = paths[tensor] {
        range = reads(c, step, port, &range)?;
        tensor = c.steps[step].inputs[port];
    }
    Some(range)
}

/// Whether the first and the last output see some of the input, and not only padding.
fn sees_something<T: Real>(step: &Step<T>, len: usize) -> bool {
    match &step.kind {
        Kind::Linear(map, _) if map.kind() == LinearKind::Convolution => {
            !map.reads(0, &(0..1)).is_empty() && !map.reads(0, &(len - 1..len)).is_empty()
        }
        _ => false,
    }
}
