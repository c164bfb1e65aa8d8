//! Rules that look at the multiplier from above (SEMANTICS 1.6, after Springenberg et al. 2015 and Zeiler and Fergus
//! 2014). They show what raises the target; their contributions do not sum to anything.
use deeplift_graph::operator::Elementwise;
use deeplift_graph::rule::{Carry, Pair, Rule};
use deeplift_simd::Real;

/// Guided backpropagation, `f'(x) 1{M > 0}`, or with the quotient of Rescale in place of the derivative.
pub struct Guided {
    /// Whether the local multiplier compares with the reference.
    pub rescale: bool,
}

impl<T: Real> Rule<T> for Guided {
    fn name(&self) -> &'static str {
        if self.rescale {
            "guided-backprop-rescale"
        } else {
            "guided-backprop"
        }
    }

    fn uses_reference(&self) -> bool {
        self.rescale
    }

    fn carry(&self) -> Carry {
        Carry::Positive
    }

    fn local(
        &self,
        f: &dyn Elementwise<T>,
        pair: &Pair<'_, T>,
        positive: &mut [T],
        _negative: &mut [T],
        _work: &mut Vec<T>,
    ) {
        f.divided_difference(pair.x, if self.rescale { pair.x0 } else { pair.x }, positive);
    }
}

/// DeconvNet, `f(M)`: the function is applied to the multiplier, whatever its input was.
pub struct DeconvNet;

impl<T: Real> Rule<T> for DeconvNet {
    fn name(&self) -> &'static str {
        "deconvnet"
    }

    fn uses_reference(&self) -> bool {
        false
    }

    fn carry(&self) -> Carry {
        Carry::Apply
    }

    fn local(
        &self,
        _f: &dyn Elementwise<T>,
        _pair: &Pair<'_, T>,
        _positive: &mut [T],
        _negative: &mut [T],
        _work: &mut Vec<T>,
    ) {
    }
}
