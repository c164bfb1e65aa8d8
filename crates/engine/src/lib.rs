//! From a canonical graph to contribution scores.
//!
//! * [`plan`] fixes everything that does not depend on data: steps, rules, what is fused, which buffer each tensor
//!   lives in.
//! * [`forward`] runs the example once, [`pairs`] each reference once, recording for every non-linear step the local
//!   multipliers of the pair. References that serve all examples are run once per program.
//! * [`backward`] carries multipliers from the targets to what is scored through those records.
//! * [`tile`] does this for a few examples at a time, `finish` turns multipliers into [`score::Scores`], [`pool`] feeds
//!   threads; [`trace`] looks for the steps that lose completeness.
//! * [`predict`] runs examples forwards only, and gives the outputs; [`mutagenesis`] changes letters, and runs what
//!   depends on them.
//!
//! A *lane* is one example or one pair. No step mixes lanes, so a score never depends on what else is computed.
#![forbid(unsafe_code)]

pub mod backward;
pub mod compile;
pub mod describe;
mod finish;
pub mod forward;
mod fuse;
pub mod input;
mod letters;
mod live;
mod mark;
pub mod memory;
pub mod mutagenesis;
pub mod options;
pub mod pairs;
pub mod plan;
pub mod pool;
pub mod predict;
mod prepare;
mod profile;
mod record;
pub mod score;
mod target;
mod ties;
pub mod tile;
mod timing;
pub mod trace;
pub mod work;
