//! How many different sequences the dinucleotide shuffle of a sequence can give.
//!
//! A sequence is an Eulerian trail of the multigraph with one edge per pair of neighbours. With m(u,v) the
//! number of pairs uv, d(u) the sum of m(u,v) over v, and l the last symbol, the BEST theorem gives
//!
//! ```text
//! N = t · M(l) · Π_{u≠l} M(u)/d(u)      M(u) = d(u)! / Π_v m(u,v)!
//! ```
//!
//! with t the number of spanning trees directed towards l (edges counted with multiplicity): the minor of the
//! Laplacian at l. Distinct sequences, not distinct edge orders, are counted.

/// A, C, G, T and unknown.
pub(crate) const SYMBOLS: usize = 5;

/// `counts[u][v]`: how often symbol v follows symbol u.
pub(crate) type PairCounts = [[u32; SYMBOLS]; SYMBOLS];

/// The number of distinct sequences that share all dinucleotide counts, the first and the last symbol with
/// `codes`, unknown counting as a fifth symbol. `None` if it is too large for 128 bits.
///
/// # Panics
/// If a code is above 4 or there are 2^32 or more of them.
pub fn distinct_shuffles(codes: &[u8]) -> Option<u128> {
    assert!(u32::try_from(codes.len()).is_ok(), "fewer than 2^32 bases");
    let Some(&last) = codes.last() else { return Some(1) };
    let mut counts = PairCounts::default();
    for pair in codes.windows(2) {
        counts[pair[0] as usize][pair[1] as usize] += 1;
    }
    count_trails(&counts, last as usize)
}

/// Whether the shuffle of `codes` can only give `codes` back, as for `ACTGACTGACTG` or a homopolymer.
///
/// # Panics
/// As [`distinct_shuffles`].
pub fn is_unique_trail(codes: &[u8]) -> bool {
    // Every factor of N is at least 1 when M(u)/d(u) is taken together with the tree edge that leaves u, so
    // a count that does not fit is certainly more than one.
    distinct_shuffles(codes) == Some(1)
}

fn count_trails(counts: &PairCounts, last: usize) -> Option<u128> {
    let mut numerators = vec![spanning_trees(counts, last)?];
    let mut denominators = Vec::new();
    for (symbol, successors) in counts.iter().enumerate() {
        let degree: u32 = successors.iter().sum();
        numerators.push(multinomial(successors)?);
        if symbol != last && degree > 0 {
            denominators.push(u128::from(degree));
        }
    }
    for denominator in &mut denominators {
        for numerator in &mut numerators {
            let common = gcd(*numerator, *denominator);
            *numerator /= common;
            *denominator /= common;
        }
        debug_assert_eq!(*denominator, 1, "the number of trails is an integer");
    }
    numerators.into_iter().try_fold(1u128, u128::checked_mul)
}

/// Spanning trees towards `root` over the symbols that occur: a determinant by fraction-free elimination
/// (Bareiss), whose divisions are exact.
fn spanning_trees(counts: &PairCounts, root: usize) -> Option<u128> {
    let symbols: Vec<usize> =
        (0..SYMBOLS).filter(|&u| u != root && counts[u].iter().any(|&count| count > 0)).collect();
    let size = symbols.len();
    let mut laplacian: Vec<Vec<i128>> = symbols
        .iter()
        .map(|&u| {
            let leaving = (0..SYMBOLS).filter(|&v| v != u).map(|v| i128::from(counts[u][v])).sum::<i128>();
            symbols.iter().map(|&v| if u == v { leaving } else { -i128::from(counts[u][v]) }).collect()
        })
        .collect();
    let mut previous = 1i128;
    for k in 0..size {
        // Every leading minor is positive: from each symbol the trail reaches the root.
        let pivot = laplacian[k][k];
        for i in k + 1..size {
            for j in k + 1..size {
                let product = pivot.checked_mul(laplacian[i][j])?;
                let cross = laplacian[i][k].checked_mul(laplacian[k][j])?;
                laplacian[i][j] = product.checked_sub(cross)? / previous;
            }
        }
        previous = pivot;
    }
    u128::try_from(previous).ok()
}

/// (Σ counts)! / Π counts!, as a product of binomial coefficients.
fn multinomial(counts: &[u32]) -> Option<u128> {
    let mut total = 0u128;
    let mut ways = 1u128;
    for &count in counts {
        for chosen in 1..=u128::from(count) {
            total += 1;
            // ways · total / chosen is an integer; dividing first keeps the product from overflowing early.
            let common = gcd(ways, chosen);
            ways = (ways / common).checked_mul(total / (chosen / common))?;
        }
    }
    Some(ways)
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shuffle::testing::{all_shuffles, codes};
    use proptest::prelude::*;

    #[test]
    fn published_examples() {
        for (letters, expected) in [
            ("CATCACGCATACG", 36),
            ("ACGTACGGTACA", 6),
            ("AACCGGTTACGTA", 24),
            ("GATTACAGATTACA", 90),
            ("ACTGACTGACTG", 1),
            ("ACGTACTG", 3),
            ("AAAAAAA", 1),
            ("AC", 1),
            ("A", 1),
            ("", 1),
        ] {
            assert_eq!(distinct_shuffles(&codes(letters)), Some(expected), "{letters}");
            assert_eq!(is_unique_trail(&codes(letters)), expected == 1, "{letters}");
        }
    }

    #[test]
    fn a_count_beyond_128_bits_is_none_and_not_unique() {
        let long: Vec<u8> = (0..2_114u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 30) as u8).collect();
        assert_eq!(distinct_shuffles(&long), None);
        assert!(!is_unique_trail(&long));
        // One symbol that repeats is counted exactly at any length: n ways to place the single C.
        let mut long_runs = vec![0; 5_000];
        long_runs[17] = 1;
        assert_eq!(distinct_shuffles(&long_runs), Some(4_998));
    }

    proptest! {
        #[test]
        fn the_formula_equals_brute_force(codes in prop::collection::vec(0u8..5, 0..10)) {
            prop_assert_eq!(distinct_shuffles(&codes), Some(all_shuffles(&codes).len() as u128));
        }
    }
}
