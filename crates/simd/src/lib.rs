//! Instruction sets, dispatch, the register-blocked matrix tile and aligned buffers.
//!
//! This crate holds all CPU `unsafe` of the project. Its safe surface is:
//!
//! * [`Isa`]: which instruction sets this processor has, and which one is used;
//! * [`Real`]: the two element types, `f32` and `f64`;
//! * [`AlignedVec`]: zeroed, cache-line aligned storage.

mod aligned;
mod isa;
mod real;

pub use aligned::AlignedVec;
pub use isa::Isa;
pub use real::Real;
