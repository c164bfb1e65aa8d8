//! The choice of a scheme, from shapes alone.

use super::super::axis::Axis;
use super::super::Variant;
use super::tiling::Tiling;
use super::{points, run};
use deeplift_simd::{Isa, Real};

/// Fewest source channels: the transforms take whole vectors of them.
const LEAST_CHANNELS: usize = 16;

/// Cost of the input's and of the output's transform per element and point, in multiply-adds.
const TRANSFORM_COST: f64 = 6.0;

/// Largest amplification for values. Where an output is far smaller than the values behind it, their rounding shows in the
/// sum of contributions: with F(4, 3), of 7.9, forward, it missed the difference of the output by 1e-5 in a network of
/// nine dilated layers. With F(3, 3), of 4.8, it does not.
const MOST_AMPLIFICATION: f64 = 5.0;

/// F(M, R): `outputs` outputs of `taps` taps from `points` products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scheme {
    pub points: usize,
    pub outputs: usize,
}

impl Scheme {
    /// The schemes that are compiled, most accurate first.
    pub const ALL: [Scheme; 4] = [
        Scheme { points: 4, outputs: 2 },
        Scheme { points: 5, outputs: 3 },
        Scheme { points: 6, outputs: 4 },
        Scheme { points: 7, outputs: 4 },
    ];

    /// Taps of one segment.
    pub fn taps(self) -> usize {
        self.points - self.outputs + 1
    }

    /// Segments of a kernel with this many taps.
    pub fn segments(self, taps: usize) -> usize {
        taps.div_ceil(self.taps())
    }

    /// Whether segments of a kernel share transformed inputs.
    fn fits(self, taps: usize) -> bool {
        self.segments(taps) == 1 || self.taps().is_multiple_of(self.outputs)
    }

    /// Bound on the growth of rounding errors over those of the direct sum; see [`points::amplification`].
    pub fn amplification(self, taps: usize) -> f64 {
        let padded = self.segments(taps) * self.taps();
        points::amplification(self.points, self.outputs) * padded as f64 / taps as f64
    }

    /// Rows of at least `least` outputs along the axis.
    pub fn tiling(self, axis: &Axis, least: usize) -> Tiling {
        Tiling::new(axis.count, axis.tap_step, self.outputs, least)
    }

    /// Rows between the first row of a segment and that of the next, in a phase.
    pub fn shift(self) -> usize {
        self.taps() / self.outputs
    }
}

/// The cheapest scheme that `variant` allows, and the fewest outputs of its rows, if it costs less than the direct sum or
/// the variant asks for it.
pub(super) fn choose<T: Real>(
    axis: &Axis,
    [groups, ins, outs]: [usize; 3],
    isa: Isa,
    variant: Variant,
) -> Option<(Scheme, usize)> {
    let (most, forced) = match variant {
        Variant::Direct => return None,
        Variant::Fastest | Variant::Reduced(_) => (MOST_AMPLIFICATION, false),
        Variant::Multipliers => (f64::INFINITY, false),
        Variant::Winograd => (f64::INFINITY, true),
    };
    let taps = axis.taps.len();
    // Who asks for float64 asks for accuracy.
    if size_of::<T>() > 4
        || groups != 1
        || (axis.from_step, axis.to_step) != (1, 1)
        || taps < 3
        || ins < LEAST_CHANNELS
        || outs == 0
    {
        return None;
    }
    let direct = |j: usize| axis.taps_inside(j).len();
    let all = (0..axis.count).map(direct).sum::<usize>() as f64;
    let (mut best, mut least_cost) = (None, if forced { f64::INFINITY } else { all });
    let accurate = |scheme: &Scheme| points::amplification(scheme.points, scheme.outputs) <= most;
    for scheme in Scheme::ALL.into_iter().filter(|scheme| scheme.fits(taps) && accurate(scheme)) {
        let transforms = TRANSFORM_COST * scheme.points as f64 * (1.0 / ins as f64 + 1.0 / outs as f64);
        let row = (scheme.points * scheme.segments(taps)) as f64 + transforms;
        let cost = |least: usize| {
            let tiling = scheme.tiling(axis, least);
            let halo =
                run::halo(scheme, taps, axis.tap_step) * run::blocks::<T>(scheme, tiling.rows, ins, isa);
            let rest: usize = tiling.rest.iter().cloned().flatten().map(direct).sum();
            row * tiling.rows as f64 + transforms * halo as f64 + rest as f64
        };
        let worth = ((row / taps as f64).ceil() as usize).clamp(1, scheme.outputs);
        // Direct weights for a few outputs take memory and cache.
        let least = if cost(1) < 1.03 * cost(worth) { 1 } else { worth };
        // A more accurate way is worth a twentieth of the time.
        if cost(least) < 0.95 * least_cost {
            (best, least_cost) = (Some((scheme, least)), cost(least));
        }
    }
    best
}
