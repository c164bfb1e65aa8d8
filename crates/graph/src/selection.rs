//! Operators whose outputs are each one of their inputs.
use std::ops::Range;

use deeplift_simd::Real;

/// The input elements that meet in each output of a [`Selection`], in the order in which the first of equals wins.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Members {
    /// Output `o` has the members `index[start[o]..start[o + 1]]`.
    pub start: Vec<u32>,
    pub index: Vec<u32>,
}

/// Each output picks one input, one lane at a time: maximum or minimum over windows.
pub trait Selection<T: Real>: Send + Sync {
    /// `y = x[winners]`.
    fn forward(&self, x: &[T], y: &mut [T]);
    /// Flat index into the lane of `x` of the first winner of each output.
    fn winners(&self, x: &[T], index: &mut [u32]);
    /// Whether larger inputs win.
    fn largest(&self) -> bool;
    /// The windows.
    fn members(&self) -> Members;
    /// The elements of the input that the output elements `out` depend on, both within one lane; the range may reach beyond
    /// the lane.
    fn reads(&self, _out: &Range<usize>) -> Range<usize> {
        0..usize::MAX
    }
    /// As [`Linear::writes`](crate::operator::Linear::writes).
    fn writes(&self, _input: &Range<usize>) -> Range<usize> {
        0..usize::MAX
    }
    /// As [`Linear::narrowed`](crate::operator::Linear::narrowed), to be computed only.
    fn narrowed(&self, _out: &Range<usize>) -> Option<Box<dyn Selection<T>>> {
        None
    }
    /// Whether it is the extremum of several tensors rather than of elements of one.
    fn binary(&self) -> bool {
        false
    }

    /// The `cross` rule (SEMANTICS 3.2) for the pair of `x` and `x0`, whose outputs are `y0`: the input that takes the
    /// difference of each output, and its multiplier. Where both sides have the same winner it takes the difference
    /// whole; otherwise the winner of the side that leads takes it, with a multiplier within 0 and 1. `work` is memory
    /// that may be used and grow.
    fn cross(&self, x: &[T], x0: &[T], y0: &mut [T], taken: &mut [u32], m: &mut [T], work: &mut Vec<u32>) {
        cross_winners(self, x, x0, y0, taken, m, work);
    }

    /// The way back: `mx[taken[o]] = m[o] my[o]`, summed over the outputs `o` that took the same element, times
    /// `scale`; added if `accumulate`.
    fn route(&self, taken: &[u32], m: &[T], my: &[T], scale: Option<&[T]>, mx: &mut [T], accumulate: bool) {
        if !accumulate {
            mx.fill(T::ZERO);
        }
        for (o, &at) in taken.iter().enumerate() {
            let at = at as usize;
            mx[at] += m[o] * my[o] * scale.map_or(T::ONE, |s| s[at]);
        }
    }
}

/// [`Selection::cross`] from the winners of both sides, whatever the windows.
pub fn cross_winners<T: Real>(
    selection: &(impl Selection<T> + ?Sized),
    x: &[T],
    x0: &[T],
    y0: &mut [T],
    taken: &mut [u32],
    m: &mut [T],
    work: &mut Vec<u32>,
) {
    selection.forward(x0, y0);
    work.resize(2 * taken.len(), 0);
    let (own, reference) = work.split_at_mut(taken.len());
    selection.winners(x, own);
    selection.winners(x0, reference);
    for (o, (&w, &w0)) in own.iter().zip(&*reference).enumerate() {
        let (top, top0) = (x[w as usize], x0[w0 as usize]);
        let ahead = if selection.largest() { top >= top0 } else { top <= top0 };
        let at = if ahead { w } else { w0 };
        let d = x[at as usize] - x0[at as usize];
        m[o] = if w == w0 || d == T::ZERO { T::ONE } else { (top - top0) / d };
        taken[o] = at;
    }
}
