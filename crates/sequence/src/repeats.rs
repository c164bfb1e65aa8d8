//! Words that occur more than once in a sequence.

/// More letters of five do not fit into a number.
const MOST_LETTERS: usize = 27;

/// Finds repeated words; its memory is used again for the next sequence.
#[derive(Clone, Debug, Default)]
pub struct Repeats {
    /// A hash table with open addressing of the words so far, none of which is 0.
    seen: Vec<u64>,
}

impl Repeats {
    /// Whether some word of `len` letters, or, if it is longer than 27, its end, occurs twice in a sequence of codes 0 to 4;
    /// occurrences may overlap.
    pub fn any(&mut self, codes: &[u8], len: usize) -> bool {
        let word = len.clamp(1, MOST_LETTERS);
        let Some(words) = (codes.len() + 1).checked_sub(len.max(word)).filter(|&n| n > 0) else {
            return false;
        };
        let slots = (2 * words).next_power_of_two().max(2);
        self.seen.clear();
        self.seen.resize(slots, 0);
        let (codes, most) = (&codes[codes.len() + 1 - words - word..], 5u64.pow(word as u32 - 1));
        let mut number = 0u64;
        for (i, &code) in codes.iter().enumerate() {
            number = number % most * 5 + u64::from(code);
            if i + 1 >= word && !self.insert(number + 1) {
                return true;
            }
        }
        false
    }

    /// False if the table holds the number already.
    fn insert(&mut self, number: u64) -> bool {
        let mask = self.seen.len() - 1;
        // Fibonacci hashing: the upper bits of the product depend on all of the number.
        let mut at = (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & mask;
        while self.seen[at] != 0 {
            if self.seen[at] == number {
                return false;
            }
            at = (at + 1) & mask;
        }
        self.seen[at] = number;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_comparing_all_words(codes in prop::collection::vec(0u8..5, 0..60), len in 1usize..6) {
            let mut words: Vec<&[u8]> = codes.windows(len).collect();
            let all = words.len();
            words.sort_unstable();
            words.dedup();
            prop_assert_eq!(Repeats::default().any(&codes, len), words.len() < all);
        }
    }

    #[test]
    fn words_may_be_longer_than_numbers() {
        // Forty letters that occur once, and again behind others.
        let (unit, other): (Vec<u8>, Vec<u8>) =
            ((0..40).map(|i| (i * i / 3 % 4) as u8).collect(), vec![3, 3, 1]);
        let twice = [&unit[..], &other, &unit].concat();
        let mut repeats = Repeats::default();
        assert!(repeats.any(&twice, 40));
        assert!(!repeats.any(&unit, 40) && !repeats.any(&unit, 41) && !repeats.any(&[], 40));
        assert!(repeats.any(&[4; 41], 40));
    }
}
