//! Instruction sets, dispatch, the register-blocked matrix tile and aligned buffers.
//!
//! This crate holds all CPU `unsafe` of the project. Its safe surface is:
//!
//! * [`Isa`]: which instruction sets this processor has, and which one is used;
//! * [`Kernel`] and [`Isa::run`]: safe code compiled once per instruction set;
//! * [`Simd::tile`]: the innermost loop of every convolution and dense layer;
//! * [`amx`]: the same in bf16 products, in tiles of registers that few processors have;
//! * [`Simd::dots`]: a few dot products at once;
//! * [`Simd::strips`]: dot products of rows of packed weights, for the adjoint of what they were packed for;
//! * [`Vector`]: one register, for transforms and epilogues;
//! * [`Rows`] and [`Slices`]: where several vectors are read or written with one check;
//! * [`Real`]: the two element types, `f32` and `f64`;
//! * [`AlignedVec`]: zeroed, cache-line aligned storage.

mod aligned;
pub mod amx;
mod dispatch;
mod dots;
mod elementary;
mod isa;
mod real;
mod rows;
mod strips;
mod tile;
mod vector;

pub use aligned::{AlignedVec, Element};
pub use dispatch::{Kernel, Simd};
pub use dots::{DotTile, Dots, DOT_BLOCK, DOT_ROWS};
pub use elementary::Elementary;
pub use isa::Isa;
pub use real::Real;
pub use rows::{Rows, Slices};
pub use strips::{Factors, StripDots, StripRows, StripTile, Strips, STRIP_FACTORS, STRIP_ROWS};
pub use tile::{Segment, Tile, Weights, SUM_BLOCK};
pub use vector::{Lanes, Vector, Vectors};
