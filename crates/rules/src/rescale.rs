//! Rescale (paper section 3.5.2): `m = Δy/Δx`, the derivative in the limit, computed without cancellation unless
//! another implementation is to be reproduced.
use deeplift_graph::operator::Elementwise;
use deeplift_graph::rule::{Pair, Rule};
use deeplift_simd::Real;

use crate::near_zero::NearZero;

/// The Rescale rule.
pub struct Rescale {
    /// Where example and reference are close.
    pub near: NearZero,
}

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
        work: &mut Vec<T>,
    ) {
        self.near.quotient(f, pair, positive, work);
    }
}
