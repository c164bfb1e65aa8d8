use super::testing::{all_shuffles, codes};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn key(shuffle: u64) -> ShuffleKey {
    ShuffleKey { seed: 1, example: 0, shuffle }
}

fn shuffled(codes: &[u8], key: ShuffleKey, unknown: NPolicy) -> Vec<u8> {
    let mut out = vec![9; codes.len()];
    dinucleotide_shuffle(codes, key, unknown, &mut out, &mut ShuffleScratch::default()).expect("valid codes");
    out
}

fn letters(codes: &[u8]) -> String {
    codes.iter().map(|&code| b"ACGTN"[code as usize] as char).collect()
}

/// Straight from the definition, last pair included.
fn pair_counts(codes: &[u8]) -> [[u32; 5]; 5] {
    let mut counts = [[0; 5]; 5];
    for position in 1..codes.len() {
        counts[codes[position - 1] as usize][codes[position] as usize] += 1;
    }
    counts
}

proptest! {
    #[test]
    fn keeps_all_pair_counts_and_both_ends(
        codes in prop::collection::vec(0u8..5, 0..400),
        seed in any::<u64>(), example in any::<u64>(), shuffle in any::<u64>(),
    ) {
        let out = shuffled(&codes, ShuffleKey { seed, example, shuffle }, NPolicy::Symbol);
        prop_assert_eq!(pair_counts(&out), pair_counts(&codes));
        prop_assert_eq!(out.first(), codes.first());
        prop_assert_eq!(out.last(), codes.last());
    }

    #[test]
    fn the_order_of_the_input_leaves_no_trace(codes in prop::collection::vec(0u8..5, 0..60), shuffle in any::<u64>()) {
        let other = shuffled(&codes, key(7), NPolicy::Symbol);
        prop_assert_eq!(shuffled(&other, key(shuffle), NPolicy::Symbol), shuffled(&codes, key(shuffle), NPolicy::Symbol));
    }

    #[test]
    fn fixed_unknowns_stay_and_their_stretches_keep_their_counts(codes in prop::collection::vec(0u8..5, 0..200)) {
        let out = shuffled(&codes, key(0), NPolicy::Fixed);
        let unknown = |codes: &[u8]| codes.iter().map(|&code| code == UNKNOWN).collect::<Vec<_>>();
        prop_assert_eq!(unknown(&out), unknown(&codes));
        prop_assert_eq!(pair_counts(&out), pair_counts(&codes));
        for (a, b) in out.split(|&c| c == UNKNOWN).zip(codes.split(|&c| c == UNKNOWN)) {
            prop_assert_eq!(pair_counts(a), pair_counts(b));
            prop_assert_eq!((a.first(), a.last()), (b.first(), b.last()));
        }
    }

    #[test]
    fn policies_agree_without_unknowns(codes in prop::collection::vec(0u8..4, 0..100)) {
        let symbol = shuffled(&codes, key(3), NPolicy::Symbol);
        prop_assert_eq!(&shuffled(&codes, key(3), NPolicy::Fixed), &symbol);
        prop_assert_eq!(&shuffled(&codes, key(3), NPolicy::Reject), &symbol);
    }

    #[test]
    fn any_bytes_give_a_result_or_an_error(codes in prop::collection::vec(any::<u8>(), 0..50)) {
        let mut out = vec![0; codes.len()];
        let result = dinucleotide_shuffle(&codes, key(0), NPolicy::Symbol, &mut out, &mut ShuffleScratch::default());
        let wrong = codes.iter().position(|&code| code > 4);
        prop_assert_eq!(result, wrong.map_or(Ok(()), |position| Err(ShuffleError::Code { position, code: codes[position] })));
    }
}

#[test]
fn uniform_over_every_sequence_of_the_set() {
    // (sequence, size of its set, 0.999 quantile of chi-square with size - 1 degrees of freedom). The draws are
    // fixed by their keys, so this can fail only if the sampler changes.
    for (text, size, quantile) in [
        ("CATCACGCATACG", 36, 66.6),
        ("ACGTACGGTACA", 6, 20.5),
        ("AACCGGTTACGTA", 24, 49.7),
        ("GATTACAGATTACA", 90, 135.9),
        ("ANCNANNCAN", 24, 49.7),
    ] {
        let original = codes(text);
        let mut counts: BTreeMap<_, _> = all_shuffles(&original).into_iter().map(|s| (s, 0u32)).collect();
        assert_eq!(counts.len(), size, "{text}");
        let draws = 20_000;
        for shuffle in 0..draws {
            *counts
                .get_mut(&shuffled(&original, key(shuffle), NPolicy::Symbol))
                .expect("a member of the set") += 1;
        }
        let expected = draws as f64 / size as f64;
        let chi_square: f64 = counts.values().map(|&c| (f64::from(c) - expected).powi(2) / expected).sum();
        assert!(
            chi_square < quantile,
            "{text}: chi-square {chi_square} with {} degrees of freedom",
            size - 1
        );
    }
}

#[test]
fn neighbouring_keys_are_independent() {
    // The joint distribution of the shuffles of two neighbouring keys, in each of the three parts of a key.
    let original = codes("ACGTACGGTACA");
    let index: BTreeMap<_, _> = all_shuffles(&original).into_iter().zip(0usize..).collect();
    let neighbours: [fn(u64) -> [ShuffleKey; 2]; 3] = [
        |i| [0, 1].map(|d| ShuffleKey { seed: 2 * i + d, example: 0, shuffle: 0 }),
        |i| [0, 1].map(|d| ShuffleKey { seed: 0, example: 2 * i + d, shuffle: 0 }),
        |i| [0, 1].map(|d| ShuffleKey { seed: 0, example: 0, shuffle: 2 * i + d }),
    ];
    for pair in neighbours {
        let mut joint = [0u32; 36];
        let draws = 9_000;
        for i in 0..draws {
            let [a, b] = pair(i).map(|key| index[&shuffled(&original, key, NPolicy::Symbol)]);
            joint[a * 6 + b] += 1;
        }
        let expected = draws as f64 / 36.0;
        let chi_square: f64 = joint.iter().map(|&c| (f64::from(c) - expected).powi(2) / expected).sum();
        assert!(chi_square < 66.6, "chi-square {chi_square} with 35 degrees of freedom");
    }
}

#[test]
fn a_result_depends_on_its_key_and_not_on_what_was_drawn_before() {
    let long = codes(&"GATTACACCGTNNACGT".repeat(40));
    let short = codes("CATCACGCATACG");
    let mut scratch = ShuffleScratch::default();
    let mut draw = |codes: &[u8], shuffle| {
        let mut out = vec![0; codes.len()];
        dinucleotide_shuffle(codes, key(shuffle), NPolicy::Symbol, &mut out, &mut scratch)
            .expect("valid codes");
        out
    };
    let forwards: Vec<_> = (0..20).map(|i| (draw(&long, i), draw(&short, i))).collect();
    let mut backwards: Vec<_> = (0..20).rev().map(|i| (draw(&long, i), draw(&short, i))).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    let fresh: Vec<_> = (0..20)
        .map(|i| (shuffled(&long, key(i), NPolicy::Symbol), shuffled(&short, key(i), NPolicy::Symbol)))
        .collect();
    assert_eq!(forwards, fresh);
}

#[test]
fn a_sequence_with_one_arrangement_comes_back_unchanged() {
    for text in ["", "A", "N", "AC", "NN", "AAAAAAAAAA", "ACTGACTGACTG", "AAAAC", "ACCCCC", "NNNNNNNA"] {
        for unknown in [NPolicy::Symbol, NPolicy::Fixed] {
            let original = codes(text);
            assert!((0..50).all(|i| shuffled(&original, key(i), unknown) == original), "{text}");
        }
    }
}

#[test]
fn a_window_leaves_its_surroundings_untouched() {
    let original = codes("TTTTCATCACGCATACGTTTT");
    let mut out = original.clone();
    let mut scratch = ShuffleScratch::default();
    dinucleotide_shuffle(&original[4..17], key(1), NPolicy::Symbol, &mut out[4..17], &mut scratch)
        .expect("valid codes");
    assert_eq!((&out[..4], &out[17..]), (&original[..4], &original[17..]));
    assert_ne!(out, original);
}

#[test]
fn unknown_bases_move_stay_or_are_refused() {
    let original = codes("CATCNACGCATNACGGTACA");
    let symbol: Vec<_> = (0..20).map(|i| shuffled(&original, key(i), NPolicy::Symbol)).collect();
    assert!(symbol.iter().any(|s| s[4] != UNKNOWN));
    assert!((0..20).all(|i| {
        let fixed = shuffled(&original, key(i), NPolicy::Fixed);
        fixed[4] == UNKNOWN && fixed[11] == UNKNOWN
    }));
    let mut out = vec![0; original.len()];
    let refused =
        dinucleotide_shuffle(&original, key(0), NPolicy::Reject, &mut out, &mut ShuffleScratch::default());
    assert_eq!(refused, Err(ShuffleError::Unknown { position: 4 }));
}

#[test]
fn results_never_change_between_releases() {
    let text = "GATTACAGATTACACATCACGCATACGNNACGTACGGTACAAACCGGTTACGTA";
    let original = codes(text);
    let drawn = |seed, example, shuffle, unknown| {
        letters(&shuffled(&original, ShuffleKey { seed, example, shuffle }, unknown))
    };
    assert_eq!(drawn(0, 0, 0, NPolicy::Symbol), "GTACGTATACGTTACGACATAACACACAGGACCGGCATTTACGNNATCAACGTA");
    assert_eq!(drawn(1, 0, 0, NPolicy::Symbol), "GGTAACGTTATACATACACGTTTACACCGTAACATAGNNACGGCGACATCGACA");
    assert_eq!(drawn(1, 7, 19, NPolicy::Symbol), "GGCACCATACGTTATCGGATACGTAACGNNACACACACGAACACGTTATAGTTA");
    assert_eq!(
        drawn(u64::MAX, u64::MAX, u64::MAX, NPolicy::Symbol),
        "GTACACAATCGTATAGGCGGTTACGACAATTATTACGTACCGNNACACGACACA"
    );
    assert_eq!(drawn(1, 7, 19, NPolicy::Fixed), "GCGACACGATCACACATACATATTTAGNNACGTTAACGTACGTACCACGGGTAA");
}
