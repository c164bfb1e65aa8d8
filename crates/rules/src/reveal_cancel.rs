//! RevealCancel (paper section 3.5.3): positive and negative parts of the difference are players of a two-player
//! Shapley game, so that parts which cancel are still seen.
//!
//! With `D` the divided difference of `f`, `m⁺ = ½ [D(x⁰, x⁰+Δ⁺) + D(x⁰+Δ⁻, x)]` and likewise `m⁻`. Where a part is
//! empty, `D` is the derivative: the analytic limit (SEMANTICS 1.4), not the quotient of pseudo-counts that the
//! original code takes.
use deeplift_graph::operator::Elementwise;
use deeplift_graph::rule::{Pair, Rule};
use deeplift_simd::Real;

/// The RevealCancel rule.
pub struct RevealCancel;

impl<T: Real> Rule<T> for RevealCancel {
    fn name(&self) -> &'static str {
        "reveal-cancel"
    }

    fn splits(&self) -> bool {
        true
    }

    fn local(
        &self,
        f: &dyn Elementwise<T>,
        pair: &Pair<'_, T>,
        positive: &mut [T],
        negative: &mut [T],
        work: &mut Vec<T>,
    ) {
        multiplier(f, pair, pair.positive, pair.negative, positive, work);
        multiplier(f, pair, pair.negative, pair.positive, negative, work);
    }
}

/// The multiplier of the part `own`, averaged over the two orders in which the parts may arrive.
fn multiplier<T: Real>(
    f: &dyn Elementwise<T>,
    pair: &Pair<'_, T>,
    own: &[T],
    other: &[T],
    m: &mut [T],
    work: &mut Vec<T>,
) {
    let n = m.len();
    work.resize(3 * n, T::ZERO);
    let (from, rest) = work.split_at_mut(n);
    let (to, second) = rest.split_at_mut(n);
    for i in 0..n {
        // Alone, the part leads to the example itself: rounding of the sum must not cross a step.
        to[i] = if own[i] != T::ZERO && other[i] == T::ZERO { pair.x[i] } else { pair.x0[i] + own[i] };
    }
    f.divided_difference(to, pair.x0, m);
    for i in 0..n {
        from[i] = pair.x0[i] + other[i];
        // The end point is f(x) itself; with an empty part it is the starting point, so that rounding of
        // x - (x0 + other) is not taken for a difference.
        to[i] = if own[i] == T::ZERO { from[i] } else { pair.x[i] };
    }
    f.divided_difference(to, from, second);
    let half = T::from_f64(0.5);
    for (m, &s) in m.iter_mut().zip(second.iter()) {
        *m = half * (*m + s);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Relu;

    impl Elementwise<f64> for Relu {
        fn apply(&self, x: &[f64], y: &mut [f64]) {
            for (y, x) in y.iter_mut().zip(x) {
                *y = x.max(0.0);
            }
        }

        fn divided_difference(&self, x: &[f64], x0: &[f64], d: &mut [f64]) {
            for i in 0..x.len() {
                d[i] = if x[i] == x0[i] {
                    f64::from(u8::from(x[i] > 0.0))
                } else {
                    (x[i].max(0.0) - x0[i].max(0.0)) / (x[i] - x0[i])
                };
            }
        }
    }

    fn run(x0: f64, positive: f64, negative: f64) -> (f64, f64) {
        let (mut p, mut n) = ([0.0], [0.0]);
        let x = [x0 + positive + negative];
        let pair = Pair { x: &x, x0: &[x0], positive: &[positive], negative: &[negative] };
        RevealCancel.local(&Relu, &pair, &mut p, &mut n, &mut Vec::new());
        (p[0], n[0])
    }

    /// Parts that cancel: from 0 up by 10 and down by 10. Rescale sees nothing; here each part moves the output by
    /// half of 10 in the order where it matters.
    #[test]
    fn cancelling_parts_are_seen() {
        let (p, n) = run(0.0, 10.0, -10.0);
        assert_eq!((p * 10.0, n * -10.0), (5.0, -5.0));
    }

    /// SEMANTICS 1.4: an empty negative part gives Rescale, and its multiplier is the mean of two derivatives.
    #[test]
    fn empty_part_is_rescale_with_analytic_limit() {
        let (p, n) = run(-2.0, 6.0, 0.0);
        assert_eq!(p, 4.0 / 6.0);
        assert_eq!(n, 0.5 * (0.0 + 1.0));
        assert_eq!(run(3.0, 0.0, 0.0), (1.0, 1.0));
    }
}
