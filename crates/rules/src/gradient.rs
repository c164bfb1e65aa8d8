//! The derivative at the example. Contributions are then gradient times difference (or times input), and do not sum
//! to the difference of the output.
use deeplift_graph::operator::Elementwise;
use deeplift_graph::rule::{Pair, Rule};
use deeplift_simd::Real;

/// The gradient rule.
pub struct Gradient;

impl<T: Real> Rule<T> for Gradient {
    fn name(&self) -> &'static str {
        "gradient"
    }

    fn uses_reference(&self) -> bool {
        false
    }

    fn local(
        &self,
        f: &dyn Elementwise<T>,
        pair: &Pair<'_, T>,
        positive: &mut [T],
        _negative: &mut [T],
        _work: &mut Vec<T>,
    ) {
        f.divided_difference(pair.x, pair.x, positive);
    }
}
