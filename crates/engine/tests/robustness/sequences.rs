//! Sequences: shuffled references, hypothetical contributions, positions without a letter.
use deeplift_engine::options::{Encoding, References, ReverseComplement, Unknown};
use deeplift_engine::score::{Scores, Values};
use deeplift_graph::Code;
use deeplift_sequence::{dinucleotide_shuffle, NPolicy, ShuffleKey, ShuffleScratch};

use crate::common::draw::Draw;
use crate::common::{assert_close, ints, Net, Setup};

const LENGTH: usize = 24;
const SEED: u64 = 42;

/// A small network over `[4, length]`, or over `[length, 4]` behind a transpose.
fn network(letters_last: bool) -> Net {
    let mut d = Draw(5);
    let net = Net::new()
        .weight("w", &[7, 4, 3], d.reals(84, -0.7, 0.7))
        .weight("c", &[7], d.reals(7, -0.2, 0.2))
        .weight("v", &[7, 1], d.reals(7, -1.0, 1.0));
    let net = if letters_last {
        net.input("s", &[LENGTH, 4]).node("Transpose", "s", "x", [ints("perm", &[0, 2, 1])])
    } else {
        net.input("x", &[4, LENGTH])
    };
    net.node("Conv", "x w c", "h", [ints("pads", &[1, 1])])
        .node("Relu", "h", "a", [])
        .node("GlobalAveragePool", "a", "q", [])
        .node("Flatten", "q", "f", [])
        .node("MatMul", "f v", "z", [])
        .node("Sigmoid", "z", "t", [])
}

/// Sequences with some positions without a letter.
fn codes(examples: usize) -> Vec<u8> {
    let mut d = Draw(9);
    (0..examples * LENGTH).map(|_| if d.int(0, 11) == 0 { 4 } else { d.int(0, 3) as u8 }).collect()
}

fn setup(letters_last: bool, examples: usize, references: References) -> Setup {
    let mut s = Setup::new(network(letters_last), "t");
    s.options.inputs[0].encoding = Encoding::Codes;
    s.options.references = vec![references];
    s.options.outputs.hypothetical = true;
    s.options.outputs.per_reference = true;
    s.examples = examples;
    s.x = vec![Values::Codes(codes(examples))];
    s
}

fn shuffles(count: usize) -> References {
    References::Dinucleotide { count, seed: SEED, unknown: Unknown::Symbol }
}

fn score(s: &Setup) -> Scores<f64> {
    s.score().unwrap_or_else(|e| panic!("{e}"))
}

/// Codes of the shuffle `r` of example `e`.
fn shuffle(example: &[u8], e: u64, r: u64) -> Vec<u8> {
    let mut out = vec![0; LENGTH];
    let key = ShuffleKey { seed: SEED, example: e, shuffle: r };
    dinucleotide_shuffle(example, key, NPolicy::Symbol, &mut out, &mut ShuffleScratch::default()).unwrap();
    out
}

/// `[4, length]` as numbers.
fn one_hot(codes: &[u8]) -> Vec<f64> {
    (0..4 * LENGTH).map(|i| f64::from(u8::from(usize::from(codes[i % LENGTH]) == i / LENGTH))).collect()
}

#[test]
fn shuffled_references_are_those_of_the_key() {
    let s = setup(false, 3, shuffles(2));
    let mut given = s.clone();
    let all = codes(3);
    let mut references = vec![];
    for (e, example) in all.chunks(LENGTH).enumerate() {
        for r in 0..2 {
            references.extend(one_hot(&shuffle(example, 100 + e as u64, r)));
        }
    }
    given.options.references = vec![References::PerExample { count: 2 }];
    given.references = vec![Some(Values::F64(references))];
    let keyed = Setup { first: 100, ..s.clone() };
    assert_eq!(score(&keyed).contributions, score(&given).contributions);
    assert_eq!(score(&keyed).hypothetical, score(&given).hypothetical);
    // Another first example is another key.
    assert_ne!(score(&s).contributions, score(&given).contributions);
}

#[test]
fn per_reference_contributions_average_to_contributions() {
    let (count, n) = (5, 4 * LENGTH);
    let s = score(&setup(false, 3, shuffles(count)));
    for e in 0..3 {
        let mut mean = vec![0.0; n];
        for r in 0..count {
            let one = &s.per_reference[0][(e * count + r) * n..][..n];
            mean.iter_mut().zip(one).for_each(|(m, c)| *m += c / count as f64);
        }
        assert_close(&s.contributions[0][e * n..][..n], &mean, 1e-13, "mean");
    }
}

/// SEMANTICS 2.4: `H_b = m_b − Σ_c r_c m_c`; what the observed letter gets is what its position contributes.
#[test]
fn hypothetical_contributions_contain_the_observed_ones() {
    for (name, references) in [
        ("zeros", References::Zeros),
        ("background", References::Background { frequencies: [0.3, 0.2, 0.2, 0.3] }),
        ("shuffles", shuffles(4)),
    ] {
        let all = codes(3);
        let s = score(&setup(false, 3, references));
        let mut without = 0;
        for e in 0..3 {
            let example = &all[e * LENGTH..][..LENGTH];
            let at = |v: &[f64], c: usize, p: usize| v[e * 4 * LENGTH + c * LENGTH + p];
            let mut total = 0.0;
            for (p, &code) in example.iter().enumerate() {
                let position: f64 = (0..4).map(|c| at(&s.contributions[0], c, p)).sum();
                total += position;
                if code == 4 {
                    without += 1;
                    continue;
                }
                let observed = at(&s.hypothetical[0], usize::from(code), p);
                assert_close(&[observed], &[position], 1e-13, name);
            }
            assert_close(&[total], &[s.output[e] - s.reference_output[e]], 1e-12, name);
            assert!(s.completeness[e] <= 1e-12, "{name}: {:e}", s.completeness[e]);
        }
        assert!(without > 0, "the sequences have positions without a letter");
    }
}

#[test]
fn hypothetical_contributions_follow_from_multipliers() {
    let all = codes(2);
    let s = score(&setup(false, 2, shuffles(1)));
    for e in 0..2 {
        let example = &all[e * LENGTH..][..LENGTH];
        let reference = one_hot(&shuffle(example, e as u64, 0));
        let m = &s.multipliers[0][e * 4 * LENGTH..][..4 * LENGTH];
        let expected: Vec<f64> = (0..4 * LENGTH)
            .map(|i| {
                let p = i % LENGTH;
                m[i] - (0..4).map(|c| reference[c * LENGTH + p] * m[c * LENGTH + p]).sum::<f64>()
            })
            .collect();
        assert_close(&s.hypothetical[0][e * 4 * LENGTH..][..4 * LENGTH], &expected, 1e-13, "hypothetical");
    }
}

/// Where references sum to 1 at every position, hypothetical contributions do not change if a constant is added to
/// the multipliers of a position (SEMANTICS 2.4 b): here by a layer that sees the sum of the letters.
#[test]
fn what_is_the_same_for_all_letters_has_no_hypothetical_contribution() {
    let net = |extra: f64| {
        let mut w = vec![0.3, -0.4, 0.2, 0.9];
        w.iter_mut().for_each(|w| *w += extra);
        let net = Net::new().input("x", &[4, LENGTH]).weight("w", &[1, 4, 1], w);
        net.node("Conv", "x w", "h", []).list("axes", &[1, 2]).node("ReduceSum", "h axes", "t", [])
    };
    let background = References::Background { frequencies: [0.25; 4] };
    let hypothetical = |extra| {
        let mut s = setup(false, 2, background.clone());
        s.net = net(extra);
        score(&s).hypothetical
    };
    let (a, b) = (hypothetical(0.0), hypothetical(5.0));
    assert_close(&a[0], &b[0], 1e-12, "hypothetical");
}

#[test]
fn the_axis_of_the_letters_may_be_last() {
    let first = score(&setup(false, 3, shuffles(3)));
    let last = score(&setup(true, 3, shuffles(3)));
    let turned = |v: &[f64]| -> Vec<f64> {
        (0..v.len())
            .map(|i| {
                let (e, p, c) = (i / (4 * LENGTH), i / 4 % LENGTH, i % 4);
                v[e * 4 * LENGTH + c * LENGTH + p]
            })
            .collect()
    };
    assert_eq!(turned(&first.contributions[0]), last.contributions[0]);
    assert_eq!(turned(&first.hypothetical[0]), last.hypothetical[0]);
    assert_eq!(turned(&first.per_reference[0]), last.per_reference[0]);
    assert_eq!(turned(&first.multipliers[0]), last.multipliers[0]);
}

/// Codes and the one-hot numbers that they stand for are the same input.
#[test]
fn codes_are_one_hot() {
    let s = setup(false, 3, References::Zeros);
    let mut numbers = s.clone();
    numbers.options.inputs[0].encoding = Encoding::Float;
    numbers.x = vec![Values::F64(codes(3).chunks(LENGTH).flat_map(one_hot).collect())];
    let (a, b) = (score(&s), score(&numbers));
    assert_eq!(a.contributions, b.contributions);
    assert_eq!(a.hypothetical, b.hypothetical);
}

#[test]
fn sequences_that_cannot_be_used_are_refused_by_name() {
    let mut s = setup(false, 2, shuffles(2));
    s.first = 30;
    let mut bad = codes(2);
    bad[LENGTH + 3] = 5;
    s.x = vec![Values::Codes(bad)];
    let error = s.score::<f32>().unwrap_err();
    assert_eq!(error.code, Code::InvalidSequence);
    assert!(error.message.contains("example 31") && error.message.contains("position 3"), "{error}");

    let mut good = vec![1; 2 * LENGTH];
    good[LENGTH + 7] = 4;
    s.x = vec![Values::Codes(good)];
    s.options.references = vec![References::Dinucleotide { count: 2, seed: 1, unknown: Unknown::Reject }];
    let error = s.score::<f32>().unwrap_err();
    assert_eq!(error.code, Code::InvalidSequence);
    assert!(error.message.contains("example 31") && error.message.contains("position 7"), "{error}");

    let mut numbers = s.clone();
    numbers.options.inputs[0].encoding = Encoding::Float;
    numbers.x = vec![Values::F64(vec![0.0; 8 * LENGTH])];
    let error = numbers.score::<f32>().unwrap_err();
    assert_eq!(error.code, Code::InvalidOption);
}

/// Letters are read by other kernels than numbers that almost are letters; which, is decided for each sequence.
#[test]
fn letters_and_numbers_agree_and_do_not_depend_on_their_neighbours() {
    let numbers = |seeds: [bool; 3]| -> Vec<f64> {
        let almost = |exact: bool, v: f64| if exact { v } else { v * (1.0 + 1e-9) };
        codes(3)
            .chunks(LENGTH)
            .zip(seeds)
            .flat_map(|(c, exact)| one_hot(c).into_iter().map(move |v| almost(exact, v)))
            .collect()
    };
    let scores = |exact: [bool; 3], references: [bool; 3]| {
        let mut s = setup(false, 3, References::PerExample { count: 1 });
        s.options.inputs[0].encoding = Encoding::Float;
        s.x = vec![Values::F64(numbers(exact))];
        let turned: Vec<f64> = numbers(references)
            .chunks(4 * LENGTH)
            .flat_map(|one| one.iter().rev().copied().collect::<Vec<_>>())
            .collect();
        s.references = vec![Some(Values::F64(turned))];
        score(&s)
    };
    let all = scores([true; 3], [true; 3]);
    for (exact, references) in [
        ([true, false, true], [true; 3]),
        ([true; 3], [true, false, true]),
        ([true, false, true], [true, false, true]),
    ] {
        let some = scores(exact, references);
        let n = 4 * LENGTH;
        for (found, expected) in [
            (&some.contributions[0], &all.contributions[0]),
            (&some.multipliers[0], &all.multipliers[0]),
            (&some.hypothetical[0], &all.hypothetical[0]),
        ] {
            assert_close(found, expected, 1e-7, "scores");
            assert_eq!(found[..n], expected[..n], "before the one of numbers");
            assert_eq!(found[2 * n..], expected[2 * n..], "behind the one of numbers");
        }
    }
}

/// Where nothing but contributions is asked for, multipliers are computed only where letters differ.
#[test]
fn contributions_alone_are_those_beside_multipliers() {
    let lonely = |s: &Setup| {
        let mut s = s.clone();
        (s.options.outputs.multipliers, s.options.outputs.hypothetical) = (false, false);
        s
    };
    let mut soft = setup(false, 3, shuffles(3));
    soft.options.references = vec![References::PerExample { count: 1 }];
    let mut numbers: Vec<f64> = codes(3).chunks(LENGTH).rev().flat_map(one_hot).collect();
    numbers[4 * LENGTH..8 * LENGTH].iter_mut().for_each(|v| *v = 0.25 + 0.5 * *v);
    soft.references = vec![Some(Values::F64(numbers))];
    let mut turned = setup(true, 3, shuffles(3));
    turned.options.reverse_complement = Some(ReverseComplement { targets: turned.options.targets.clone() });
    let mut reveal = setup(false, 3, shuffles(3));
    reveal.options.rule = "reveal-cancel".into();
    for (name, all) in [
        ("shuffles", setup(false, 3, shuffles(3))),
        ("letters last", setup(true, 3, shuffles(3))),
        ("zeros", setup(false, 3, References::Zeros)),
        ("background", setup(false, 3, References::Background { frequencies: [0.3, 0.2, 0.2, 0.3] })),
        ("some soft references", soft),
        ("both strands", turned),
        ("reveal-cancel", reveal),
    ] {
        let (found, expected) = (score(&lonely(&all)), score(&all));
        assert_close(&found.contributions[0], &expected.contributions[0], 1e-13, name);
        assert_close(&found.per_reference[0], &expected.per_reference[0], 1e-13, name);
        assert!(found.completeness.iter().all(|c| *c <= 1e-12), "{name}: {:?}", found.completeness);
    }
}
