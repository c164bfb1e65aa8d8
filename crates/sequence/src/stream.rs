//! Random numbers that depend on a key alone.
//!
//! Every shuffle owns a ChaCha8 stream whose 256-bit key **is** the shuffle's key, so no state is shared
//! between shuffles, no two keys share a stream, and neither batch, order, thread nor shard can be felt.
//! ChaCha8 is used because its output is fixed by its specification: the numbers outlive any library version.

use chacha20::rand_core::{Rng, SeedableRng};
use chacha20::ChaCha8Rng;

/// Fills the key's last eight bytes. A different use of random numbers takes a different label, and a change
/// of the shuffle's results, should one ever be necessary, takes a new version.
const DOMAIN: [u8; 8] = *b"dinuc/v1";

/// Names one shuffle of one example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShuffleKey {
    /// The user's seed.
    pub seed: u64,
    /// Index of the example in the whole input, not in its batch.
    pub example: u64,
    /// Index of the shuffle among the example's references.
    pub shuffle: u64,
}

/// The random numbers of one key.
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    pub(crate) fn new(key: ShuffleKey) -> Self {
        let mut bytes = [0; 32];
        for (to, word) in bytes.chunks_exact_mut(8).zip([key.seed, key.example, key.shuffle]) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes[24..].copy_from_slice(&DOMAIN);
        Self(ChaCha8Rng::from_seed(bytes))
    }

    /// A uniform integer in `[0, bound)`; `bound` is at least 1.
    ///
    /// Lemire's multiply-and-reject (arXiv:1805.10941): exactly uniform, and a division only when the draw
    /// falls in the short interval that could be biased.
    #[inline]
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let mut product = u64::from(self.0.next_u32()) * u64::from(bound);
        if (product as u32) < bound {
            let biased = bound.wrapping_neg() % bound;
            while (product as u32) < biased {
                product = u64::from(self.0.next_u32()) * u64::from(bound);
            }
        }
        (product >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ShuffleKey = ShuffleKey { seed: 1, example: 2, shuffle: 3 };

    fn first_words(key: ShuffleKey) -> [u32; 4] {
        let mut stream = Stream::new(key);
        std::array::from_fn(|_| stream.0.next_u32())
    }

    #[test]
    fn every_part_of_the_key_counts() {
        let mut seen = vec![first_words(KEY)];
        for key in [
            ShuffleKey { seed: 2, ..KEY },
            ShuffleKey { example: 3, ..KEY },
            ShuffleKey { shuffle: 4, ..KEY },
            ShuffleKey { seed: 1 | 1 << 63, ..KEY },
            ShuffleKey { seed: 2, example: 1, ..KEY },
        ] {
            let words = first_words(key);
            assert!(!seen.contains(&words), "{key:?}");
            seen.push(words);
        }
    }

    #[test]
    fn bounded_draws_are_uniform_where_truncation_would_not_be() {
        // Of 2^32 draws below 3 * 2^30, plain multiplication gives every third value twice the weight.
        let bound = 3 << 30;
        let mut stream = Stream::new(KEY);
        let mut counts = [0f64; 3];
        let draws = 30_000;
        for _ in 0..draws {
            counts[stream.below(bound) as usize % 3] += 1.0;
        }
        let expected = f64::from(draws) / 3.0;
        let chi_square: f64 = counts.iter().map(|c| (c - expected).powi(2) / expected).sum();
        // The 0.999 quantile with 2 degrees of freedom; the biased draw gives about 1,900.
        assert!(chi_square < 13.8, "{counts:?}");
    }

    #[test]
    fn a_bound_of_one_leaves_one_value() {
        let mut stream = Stream::new(KEY);
        assert!((0..100).all(|_| stream.below(1) == 0));
    }
}
