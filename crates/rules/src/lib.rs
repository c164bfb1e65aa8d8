//! One file per rule, and the policy that picks a rule per node. Rules know structures, never operators.
#![forbid(unsafe_code)]

pub mod gradient;
pub mod guided;
pub mod maximum;
pub mod near_zero;
pub mod policy;
pub mod rescale;
pub mod reveal_cancel;

pub use maximum::MaxRule;
pub use near_zero::NearZero;
pub use policy::{Feed, Policy, RuleName};
