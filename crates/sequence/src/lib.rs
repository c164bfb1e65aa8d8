//! DNA as small integers: base codes, one-hot, reverse complement, dinucleotide shuffles.
//!
//! A sequence is one byte per base, its **code**: A 0, C 1, G 2, T 3, unknown (N) 4. The one-hot column of
//! an unknown base is all zeros. Everything here is pure: slices in, slices out, no global state, no thread.

#![forbid(unsafe_code)]

mod complement;
mod encode;
mod one_hot;
mod shuffle;
mod stream;
mod trails;

pub use complement::reverse_complement;
pub use encode::{encode, Alphabet, LetterError, UNKNOWN};
pub use one_hot::{codes_from_one_hot, one_hot, one_hot_into, Layout};
pub use shuffle::{dinucleotide_shuffle, NPolicy, ShuffleError, ShuffleScratch};
pub use stream::ShuffleKey;
pub use trails::{distinct_shuffles, is_unique_trail};
