//! One file per rule, and the policy that picks a rule per node. Rules know structures, never operators.
#![forbid(unsafe_code)]

pub mod gradient;
pub mod policy;
pub mod rescale;
pub mod reveal_cancel;

pub use policy::{Feed, Policy, RuleName};
