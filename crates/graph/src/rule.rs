//! The contract of rules. A rule turns a pair of values of an element-wise function into local multipliers and says
//! how they meet the multipliers that come from above. What it does on linear, selecting and closed-form structures
//! follows from [`Rule::uses_reference`] and is written once in the engine (SEMANTICS: the Linear rule has no
//! variants).
use deeplift_simd::Real;

use crate::operator::Elementwise;

/// One lane of a function's input on the example (`x`) and on its reference (`x0`), and the positive and negative
/// parts of the difference (empty unless the rule [`Rule::splits`]).
#[allow(missing_docs)]
pub struct Pair<'a, T> {
    pub x: &'a [T],
    pub x0: &'a [T],
    pub positive: &'a [T],
    pub negative: &'a [T],
}

/// How a multiplier `my` that arrives at a function meets its local multiplier `m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carry {
    /// `m my`: the chain rule.
    Product,
    /// `m max(my, 0)`: only what raises the target passes.
    Positive,
    /// `f(my)`: the function itself is applied, without a local multiplier.
    Apply,
}

/// A rule for non-linear functions of one variable.
pub trait Rule<T: Real>: Send + Sync {
    /// The name users write.
    fn name(&self) -> &'static str;

    /// Whether positive and negative parts of the difference get multipliers of their own.
    fn splits(&self) -> bool {
        false
    }

    /// Whether local multipliers compare with the reference; otherwise they are derivatives at the example.
    fn uses_reference(&self) -> bool {
        true
    }

    /// How multipliers from above meet the local ones.
    fn carry(&self) -> Carry {
        Carry::Product
    }

    /// Whether contributions sum to the difference of the output.
    fn is_complete(&self) -> bool {
        self.uses_reference() && self.carry() == Carry::Product
    }

    /// Local multipliers of one lane: `positive` alone, or both if the rule splits (`negative` is empty otherwise).
    /// `work` is memory that the rule may use and grow.
    fn local(
        &self,
        f: &dyn Elementwise<T>,
        pair: &Pair<'_, T>,
        positive: &mut [T],
        negative: &mut [T],
        work: &mut Vec<T>,
    );
}
