//! Rescale (paper section 3.5.2): `m = Δy/Δx`, the derivative in the limit, computed without cancellation.
use deeplift_graph::operator::Elementwise;
use deeplift_graph::rule::{Pair, Rule};
use deeplift_simd::Real;

/// The Rescale rule.
pub struct Rescale;

impl<T: Real> Rule<T> for Rescale {
    fn name(&self) -> &'static str {
        "rescale"
    }

    fn local(
        &self,
        f: &dyn Elementwise<T>,
        pair: &Pair<'_, T>,
        positive: &mut [T],
        _negative: &mut [T],
        _work: &mut Vec<T>,
    ) {
        f.divided_difference(pair.x, pair.x0, positive);
    }
}
