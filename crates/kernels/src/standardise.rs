//! Deviations from the mean over their spread, the heart of all normalisations: forward, the record of a pair of
//! inputs, and its adjoint.
//!
//! With `c = x - mean` (or `c = x`), `v = sum c^2 / divisor`, `r = sqrt(v + epsilon)` and `s = 1 / (r + offset)`, the
//! output is `c s`; 0 where `r + offset` is 0. Of two inputs, bars being means of both,
//!
//! ```text
//! Mc = M s̄ + (2 / divisor) (Δs / Δv) c̄ sum M c̄        Δs / Δv = - s s0 / (r + r0)
//! Mx = Mc - mean Mc
//! ```
//!
//! which is exactly complete, symmetric, and the gradient where both inputs are equal (SEMANTICS 3.2, LayerNorm).
//! Everything is computed in float64 and rounded once.

use crate::chunks::vectorised;
use crate::groups::Groups;
use deeplift_simd::Real;

/// A normalisation of the elements of every group.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Standardise {
    pub groups: Groups,
    /// Whether the mean is subtracted.
    pub centre: bool,
    /// What the sum of squares is divided by.
    pub divisor: f64,
    /// Added to the mean square.
    pub epsilon: f64,
    /// Added to its root.
    pub offset: f64,
}

/// Mean, root and scale of every group.
struct Statistics {
    mean: Vec<f64>,
    root: Vec<f64>,
    scale: Vec<f64>,
}

impl Standardise {
    #[inline(always)]
    fn statistics<T: Real>(&self, x: &[T]) -> Statistics {
        let count = self.groups.count();
        let (mut mean, mut root) = (vec![0.0; count], vec![0.0; count]);
        if self.centre {
            self.groups.sum(
                x,
                x,
                &vec![0.0; count],
                &mut mean,
                #[inline(always)]
                |x, _, _| x,
            );
            let n = self.groups.size() as f64;
            mean.iter_mut().for_each(|m| *m /= n);
        }
        self.groups.sum(
            x,
            x,
            &mean,
            &mut root,
            #[inline(always)]
            |x, _, mean| (x - mean) * (x - mean),
        );
        root.iter_mut().for_each(|r| *r = (*r / self.divisor + self.epsilon).sqrt());
        let scale = root.iter().map(|&r| if r + self.offset == 0.0 { 0.0 } else { 1.0 / (r + self.offset) });
        Statistics { scale: scale.collect(), mean, root }
    }

    /// One lane.
    pub fn forward<T: Real>(&self, x: &[T], y: &mut [T]) {
        vectorised(
            #[inline(always)]
            || {
                let s = self.statistics(x);
                self.groups.apply(
                    y,
                    [x, x],
                    [&s.mean, &s.scale, &s.scale],
                    #[inline(always)]
                    |_, x, _, [mean, scale, _]| (x - mean) * scale,
                );
            },
        );
    }

    /// Length of the record of one lane: for each element the mean of both deviations times the root of the size of
    /// `(2 / divisor) (Δs / Δv)`, then of each group `s̄`, then the sign of that slope.
    pub fn record_len(&self) -> usize {
        self.groups.elements() + 2 * self.groups.count()
    }

    /// The record of a pair of inputs.
    pub fn record<T: Real>(&self, x: &[T], x0: &[T], record: &mut [T]) {
        let (deviation, rest) = record.split_at_mut(self.groups.elements());
        let (means, signs) = rest.split_at_mut(self.groups.count());
        vectorised(
            #[inline(always)]
            || {
                let (s, s0) = (self.statistics(x), self.statistics(x0));
                let mut weight = vec![0.0; self.groups.count()];
                for (g, weight) in weight.iter_mut().enumerate() {
                    let (scale, slope) = pair([s.root[g], s0.root[g]], [s.scale[g], s0.scale[g]]);
                    // The root is split over both factors of the product of deviations, so that neither overflows.
                    *weight = (2.0 / self.divisor * slope.abs()).sqrt();
                    means[g] = T::from_f64(scale);
                    signs[g] = if slope < 0.0 { -T::ONE } else { T::ONE };
                }
                self.groups.apply(
                    deviation,
                    [x, x0],
                    [&s.mean, &s0.mean, &weight],
                    #[inline(always)]
                    |_, x, x0, [mean, mean0, weight]| 0.5 * ((x - mean) + (x0 - mean0)) * weight,
                );
            },
        );
    }

    /// Multipliers of the input of one lane, from those of the output.
    pub fn adjoint<T: Real>(&self, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        let count = self.groups.count();
        let (deviation, rest) = record.split_at(self.groups.elements());
        let (means, signs) = rest.split_at(count);
        vectorised(
            #[inline(always)]
            || {
                let zero = vec![0.0; count];
                let scale: Vec<f64> = means.iter().map(|s| s.to_f64()).collect();
                let (mut flow, mut level) = (zero.clone(), zero.clone());
                self.groups.sum(
                    my,
                    deviation,
                    &zero,
                    &mut flow,
                    #[inline(always)]
                    |m, c, _| m * c,
                );
                flow.iter_mut().zip(signs).for_each(|(f, sign)| *f *= sign.to_f64());
                if self.centre {
                    let (mut total, mut drift) = (zero.clone(), zero.clone());
                    self.groups.sum(
                        my,
                        my,
                        &zero,
                        &mut total,
                        #[inline(always)]
                        |m, _, _| m,
                    );
                    // Deviations sum to 0 but for the rounding of the record.
                    self.groups.sum(
                        deviation,
                        deviation,
                        &zero,
                        &mut drift,
                        #[inline(always)]
                        |c, _, _| c,
                    );
                    let n = self.groups.size() as f64;
                    for (g, level) in level.iter_mut().enumerate() {
                        *level = (scale[g] * total[g] + flow[g] * drift[g]) / n;
                    }
                }
                if !accumulate {
                    mx.fill(T::ZERO);
                }
                self.groups.apply(
                    mx,
                    [my, deviation],
                    [&scale, &flow, &level],
                    #[inline(always)]
                    |old, m, c, [scale, flow, level]| old + (m * scale + c * flow - level),
                );
            },
        );
    }
}

/// `s̄` and `Δs / Δv` of a pair of roots and scales.
///
/// Where all deviations are 0 on one side, any scale there gives the same output. 0 is taken, not the inverse of an offset
/// of 1e-9, so that contributions are no differences of huge numbers. Where they are 0 on both, the slope has no effect.
fn pair([r, r0]: [f64; 2], [s, s0]: [f64; 2]) -> (f64, f64) {
    if r == 0.0 && r0 == 0.0 {
        (0.5 * (s + s0), 0.0)
    } else if r == 0.0 {
        (0.5 * s0, s0 / (r0 * r0))
    } else if r0 == 0.0 {
        (0.5 * s, s / (r * r))
    } else {
        (0.5 * (s + s0), -s * s0 / (r + r0))
    }
}
