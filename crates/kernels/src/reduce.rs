//! Reductions over the middle axis of `[outer, axis, inner]`, into `[outer, inner]`.
//!
//! Sums are accumulated in float64. All panic if a length disagrees with the shape.

use deeplift_simd::{Isa, Kernel, Real, Simd};
use std::array::from_fn;

/// Independent accumulators: columns of `inner`, or every so manieth value of one contiguous line.
const LANES: usize = 32;

/// A reduction: how a value enters an accumulator, and how two accumulators merge.
trait Fold<T> {
    type State: Copy;
    type Output;
    fn start(&self) -> Self::State;
    /// Takes in the value at position `at` of the axis, in ascending order.
    fn step(&self, state: Self::State, value: T, at: usize) -> Self::State;
    fn merge(&self, a: Self::State, b: Self::State) -> Self::State;
    fn finish(&self, state: Self::State) -> Self::Output;
}

struct Run<'a, T, F: Fold<T>> {
    x: &'a [T],
    shape: [usize; 3],
    out: &'a mut [F::Output],
    fold: F,
}

impl<T: Real, F: Fold<T>> Kernel for Run<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Run { x, shape: [outer, axis, inner], out, fold } = self;
        for o in 0..outer {
            let (block, out) = (&x[o * axis * inner..][..axis * inner], &mut out[o * inner..][..inner]);
            if let [out] = out {
                *out = fold.finish(line(block, &fold));
                continue;
            }
            for first in (0..inner).step_by(LANES) {
                let count = LANES.min(inner - first);
                let mut states = [fold.start(); LANES];
                for at in 0..axis {
                    let row = &block[at * inner + first..][..count];
                    if let Ok(row) = <&[T; LANES]>::try_from(row) {
                        states = from_fn(|i| fold.step(states[i], row[i], at));
                    } else {
                        states.iter_mut().zip(row).for_each(|(s, v)| *s = fold.step(*s, *v, at));
                    }
                }
                out[first..][..count].iter_mut().zip(states).for_each(|(y, s)| *y = fold.finish(s));
            }
        }
    }
}

/// Reduces one contiguous line.
#[inline(always)]
fn line<T: Real, F: Fold<T>>(values: &[T], fold: &F) -> F::State {
    let mut states = [fold.start(); LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for (c, chunk) in chunks.iter().enumerate() {
        states = from_fn(|i| fold.step(states[i], chunk[i], c * LANES + i));
    }
    let done = chunks.len() * LANES;
    for (i, value) in rest.iter().enumerate() {
        states[i] = fold.step(states[i], *value, done + i);
    }
    states.into_iter().reduce(|a, b| fold.merge(a, b)).unwrap_or_else(|| fold.start())
}

fn run<T: Real, F: Fold<T>>(x: &[T], shape: [usize; 3], out: &mut [F::Output], fold: F) {
    assert_eq!(x.len(), shape.iter().product::<usize>(), "reduction: input of shape {shape:?}");
    assert_eq!(out.len(), shape[0] * shape[2], "reduction: output of shape {shape:?}");
    Isa::active().run(Run { x, shape, out, fold });
}

/// `factor * sum`.
struct ScaledSum(f64);

impl<T: Real> Fold<T> for ScaledSum {
    type State = f64;
    type Output = T;
    #[inline(always)]
    fn start(&self) -> f64 {
        0.0
    }
    #[inline(always)]
    fn step(&self, state: f64, value: T, _: usize) -> f64 {
        state + value.to_f64()
    }
    #[inline(always)]
    fn merge(&self, a: f64, b: f64) -> f64 {
        a + b
    }
    #[inline(always)]
    fn finish(&self, state: f64) -> T {
        T::from_f64(state * self.0)
    }
}

/// The best value in the sense of `better(candidate, best)`.
struct Best<T, B> {
    start: T,
    better: B,
}

impl<T: Real, B: Fn(T, T) -> bool> Fold<T> for Best<T, B> {
    type State = T;
    type Output = T;
    #[inline(always)]
    fn start(&self) -> T {
        self.start
    }
    #[inline(always)]
    fn step(&self, state: T, value: T, _: usize) -> T {
        if (self.better)(value, state) {
            value
        } else {
            state
        }
    }
    #[inline(always)]
    fn merge(&self, a: T, b: T) -> T {
        self.step(a, b, 0)
    }
    #[inline(always)]
    fn finish(&self, state: T) -> T {
        state
    }
}

/// The position of the first best value.
struct FirstBest<B>(B);

/// Position of an accumulator that has seen no value.
const NOWHERE: u32 = u32::MAX;

impl<T: Real, B: Fn(T, T) -> bool> Fold<T> for FirstBest<B> {
    /// The best value and its position.
    type State = (T, u32);
    type Output = u32;
    #[inline(always)]
    fn start(&self) -> (T, u32) {
        (T::ZERO, NOWHERE)
    }
    #[inline(always)]
    fn step(&self, (best, first): (T, u32), value: T, at: usize) -> (T, u32) {
        let wins = (self.0)(value, best) | (first == NOWHERE);
        (if wins { value } else { best }, if wins { at as u32 } else { first })
    }
    #[inline(always)]
    fn merge(&self, a: (T, u32), b: (T, u32)) -> (T, u32) {
        let b_wins = a.1 == NOWHERE || (self.0)(b.0, a.0) || (b.0 == a.0 && b.1 < a.1);
        if b.1 != NOWHERE && b_wins {
            b
        } else {
            a
        }
    }
    #[inline(always)]
    fn finish(&self, (_, first): (T, u32)) -> u32 {
        if first == NOWHERE {
            0
        } else {
            first
        }
    }
}

/// Sum.
pub fn sum<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    run(x, shape, out, ScaledSum(1.0));
}

/// Mean; NaN of an empty axis.
pub fn mean<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    run(x, shape, out, ScaledSum(1.0 / shape[1] as f64));
}

/// Maximum; negative infinity of an empty axis.
pub fn max<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    run(x, shape, out, Best { start: T::NEG_INFINITY, better: |a, b| a > b });
}

/// Minimum; infinity of an empty axis.
pub fn min<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    run(x, shape, out, Best { start: T::INFINITY, better: |a, b| a < b });
}

/// Position along the axis of the first maximum; 0 of an empty axis.
pub fn max_index<T: Real>(x: &[T], shape: [usize; 3], out: &mut [u32]) {
    run(x, shape, out, FirstBest(|a: T, b: T| a > b));
}

/// Position along the axis of the first minimum; 0 of an empty axis.
pub fn min_index<T: Real>(x: &[T], shape: [usize; 3], out: &mut [u32]) {
    run(x, shape, out, FirstBest(|a: T, b: T| a < b));
}

/// `ln sum exp`, with the maximum taken out so that nothing overflows; negative infinity if all values are.
pub fn log_sum_exp<T: Real>(x: &[T], shape: [usize; 3], out: &mut [T]) {
    let mut top = vec![T::ZERO; out.len()];
    max(x, shape, &mut top);
    let mut shifted = vec![T::ZERO; x.len()];
    crate::softmax::shifted_exp(x, shape, &top, &mut shifted);
    sum(&shifted, shape, out);
    for (y, top) in out.iter_mut().zip(&top) {
        *y = if top.is_finite() { *top + y.ln() } else { *top };
    }
}
