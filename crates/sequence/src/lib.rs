//! Dinucleotide shuffles of DNA, and words that repeat in it.
//!
//! A sequence is one byte per base, its **code**: A 0, C 1, G 2, T 3, unknown (N) 4. Everything here is pure: slices in, slices out, no global state, no thread.

#![forbid(unsafe_code)]

mod repeats;
mod shuffle;
mod stream;
mod trails;

pub use repeats::Repeats;
pub use shuffle::{dinucleotide_shuffle, NPolicy, ShuffleError, ShuffleScratch};
pub use stream::ShuffleKey;
pub use trails::{distinct_shuffles, is_unique_trail};

/// Code of an unknown base (N).
pub const UNKNOWN: u8 = 4;
