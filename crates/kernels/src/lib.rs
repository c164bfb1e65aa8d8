//! Numerical kernels: slices in, slices out, generic over [`Real`](deeplift_simd::Real).
//!
//! # Layout
//! Activations are channels-last. One *lane* (one example) is `[s0][s1][s2][channels]`, contiguous. There are
//! always three spatial axes, with leading ones: a sequence of length `L` is `[1, 1, L]`, an image `[1, H, W]`.
//!
//! # Promises
//! * Within one instruction set the value of an output element depends on the inputs it is made of, never on
//!   the row block, register tile or remainder path that computed it, nor on the other lanes or rows. (Convolutions
//!   to very few channels cut long sums differently for neighbouring positions, and those in fewer products
//!   (Winograd) round each position of a tile differently; they too are fixed by position and shape.)
//! * Every kernel has a plain float64 loop in [`oracle`] that it is tested against.
//! * Linear kernels come with their adjoint: `<A x, m> = <x, A' m>`.

#![forbid(unsafe_code)]

mod chunks;
pub mod contract;
pub mod conv;
pub mod dense;
pub mod epilogue;
mod groups;
mod lanes;
mod lazy;
pub mod map;
pub mod one_hot;
pub mod oracle;
pub mod pool;
pub mod reduce;
mod reduced;
mod scratch;
pub mod softmax;
mod standardise;
mod work;

pub use contract::Contraction;
pub use conv::{ConvGeometry, PackedConv, PackedConvAdjoint, Variant};
pub use dense::{PackedDense, Packing};
pub use epilogue::Epilogue;
pub use groups::Groups;
pub use lanes::Epilogues;
pub use lazy::{Holding, Source};
pub use one_hot::{OneHotAdjoint, OneHotConv};
pub use pool::{AveragePool, PoolGeometry};
pub use reduced::Reduced;
pub use scratch::Scratch;
pub use standardise::Standardise;
pub use work::Work;
