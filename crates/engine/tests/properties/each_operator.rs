//! The laws of SEMANTICS 3.1 for every operator, between other layers and with random weights on the target. That
//! contributions sum to the difference is checked in `operators`, with what the operator computes.
use deeplift_engine::options::References;
use deeplift_engine::score::{Scores, Values};
use deeplift_graph::operator::Precision;
use proptest::prelude::*;

use crate::cases;
use crate::common::draw::Draw;
use crate::common::{assert_close, Setup};
use crate::operators::{place, COMPLETE};

/// Elements of which derivatives are taken by differences.
const MOST_ELEMENTS: usize = 24;

/// The case of a seed, if it is defined, with a random seed of the target.
fn drawn(op: &str, seed: u64) -> Option<(Setup, Draw)> {
    let d = &mut Draw(seed);
    let case = cases::draw(op, d);
    let bare = place(&case, true, d);
    (case.plain)(&bare.x)?;
    let mut setup = place(&case, false, d).setup;
    let n = setup.target_len().unwrap_or_else(|e| panic!("{op}, seed {seed}: {e}"));
    setup = setup.seeds(vec![d.reals(n, -1.0, 1.0)]);
    Some((setup, Draw(seed ^ 0xA5A5)))
}

fn score<T: Precision>(setup: &Setup, what: &str) -> Scores<T> {
    setup.score().unwrap_or_else(|e| panic!("{what}: {e}"))
}

fn floats(v: &Values) -> &[f64] {
    match v {
        Values::F64(v) => v,
        _ => panic!("cases are drawn in double precision"),
    }
}

/// The same case with other references, one per input.
fn against(setup: &Setup, references: Vec<Vec<f64>>) -> Setup {
    let mut other = setup.clone();
    other.references = references.into_iter().map(|r| Some(Values::F64(r))).collect();
    other
}

fn own(setup: &Setup) -> Vec<Vec<f64>> {
    setup.x.iter().map(|x| floats(x).to_vec()).collect()
}

fn swapped_sign(op: &str, seed: u64) {
    let Some((setup, _)) = drawn(op, seed) else { return };
    for rule in COMPLETE {
        let what = format!("{op}, seed {seed}, {rule}");
        let there = setup.clone().rule(rule);
        let mut back = there.clone();
        back.x = there.references.iter().flatten().cloned().collect();
        back.references = there.x.iter().cloned().map(Some).collect();
        let (there, back) = (score::<f64>(&there, &what), score::<f64>(&back, &what));
        for (there, back) in there.contributions.iter().zip(&back.contributions) {
            let negated: Vec<f64> = back.iter().map(|c| -c).collect();
            assert_close(there, &negated, 1e-10, &what);
        }
    }
}

/// An element that does not differ contributes nothing, whatever the others do; nor do any if none differs.
fn dummy(op: &str, seed: u64) {
    let Some((setup, _)) = drawn(op, seed) else { return };
    for rule in COMPLETE {
        let what = format!("{op}, seed {seed}, {rule}");
        let scores = score::<f64>(&setup.clone().rule(rule), &what);
        for (i, contributions) in scores.contributions.iter().enumerate() {
            let x0 = setup.references[i].as_ref().expect("every input has references");
            for (k, (x, x0)) in floats(&setup.x[i]).iter().zip(floats(x0)).enumerate() {
                assert!(x != x0 || contributions[k] == 0.0, "{what}: element {k} of input {i}");
            }
        }
        let nothing = score::<f64>(&against(&setup, own(&setup)).rule(rule), &what);
        assert!(nothing.contributions.iter().flatten().all(|&c| c == 0.0), "{what}: x = x0");
        assert!(nothing.multipliers.iter().flatten().all(|m| m.is_finite()), "{what}: x = x0");
    }
}

/// Derivatives of the target by central differences at some elements: (input, element, value).
fn differences(setup: &Setup, d: &mut Draw, what: &str) -> Vec<(usize, usize, f64)> {
    const STEP: f64 = 1e-6;
    let all: Vec<(usize, usize)> =
        setup.x.iter().enumerate().flat_map(|(i, x)| (0..floats(x).len()).map(move |k| (i, k))).collect();
    let mut chosen = d.order(all.len());
    chosen.truncate(MOST_ELEMENTS);
    let mut rows: Vec<Vec<f64>> = vec![vec![]; setup.x.len()];
    for &c in &chosen {
        for sign in [1.0, -1.0] {
            for (i, row) in rows.iter_mut().enumerate() {
                let from = row.len();
                row.extend(floats(&setup.x[i]));
                if all[c].0 == i {
                    row[from + all[c].1] += sign * STEP;
                }
            }
        }
    }
    let mut points = setup.clone();
    points.examples = 2 * chosen.len();
    points.options.references = vec![References::Itself; rows.len()];
    points.references = vec![None; rows.len()];
    points.x = rows.into_iter().map(Values::F64).collect();
    let y = score::<f64>(&points, what).output;
    chosen.iter().zip(y.chunks(2)).map(|(&c, v)| (all[c].0, all[c].1, (v[0] - v[1]) / (2.0 * STEP))).collect()
}

/// Where example and reference agree, multipliers are the derivative; where they agree but for the last bits of a
/// double, they still are, since nothing is divided by the difference.
fn gradient(op: &str, seed: u64) {
    let Some((setup, mut d)) = drawn(op, seed) else { return };
    let derivatives = differences(&setup, &mut d, &format!("{op}, seed {seed}"));
    let expected: Vec<f64> = derivatives.iter().map(|d| d.2).collect();
    let nearby: Vec<Vec<f64>> =
        own(&setup).iter().map(|x| x.iter().map(|x| x + d.real(-1e-13, 1e-13)).collect()).collect();
    for rule in COMPLETE.into_iter().chain(["gradient"]) {
        for (references, how) in [(own(&setup), "at"), (nearby.clone(), "near")] {
            let what = format!("{op}, seed {seed}, {rule}, {how} the reference");
            let scores = score::<f64>(&against(&setup, references).rule(rule), &what);
            let found: Vec<f64> = derivatives.iter().map(|&(i, k, _)| scores.multipliers[i][k]).collect();
            assert_close(&found, &expected, 1e-6, &what);
        }
    }
}

/// In float32 a difference of a few last bits is 1e-7 of the value: a quotient would be noise.
fn bounded(op: &str, seed: u64) {
    let Some((setup, mut d)) = drawn(op, seed) else { return };
    let single: Vec<Vec<f32>> = own(&setup).iter().map(|x| x.iter().map(|&x| x as f32).collect()).collect();
    let mut nearby = single.clone();
    for v in nearby.iter_mut().flatten() {
        *v = f32::from_bits(v.to_bits() + d.int(0, 3) as u32);
    }
    let mut setup = setup;
    setup.x = single.into_iter().map(Values::F32).collect();
    for rule in COMPLETE {
        let what = format!("{op}, seed {seed}, {rule}");
        let at = |x0: Vec<Values>| {
            let mut setup = setup.clone().rule(rule);
            setup.references = x0.into_iter().map(Some).collect();
            setup
        };
        let exact = score::<f64>(&at(setup.x.clone()), &what);
        let near = score::<f32>(&at(nearby.iter().cloned().map(Values::F32).collect()), &what);
        for (found, expected) in near.multipliers.iter().zip(&exact.multipliers) {
            let found: Vec<f64> = found.iter().map(|&m| f64::from(m)).collect();
            assert_close(&found, expected, 1e-3, &what);
        }
    }
}

proptest! {
    #![proptest_config(crate::common::draw::config(40))]

    #[test]
    fn swapping_example_and_reference_changes_the_sign(seed in any::<u64>()) {
        cases::data_ops().for_each(|op| swapped_sign(op, seed));
    }

    #[test]
    fn what_does_not_differ_contributes_nothing(seed in any::<u64>()) {
        cases::data_ops().for_each(|op| dummy(op, seed));
    }

    #[test]
    fn multipliers_are_the_gradient_in_the_limit(seed in any::<u64>()) {
        cases::data_ops().for_each(|op| gradient(op, seed));
    }

    #[test]
    fn nothing_is_divided_by_a_small_difference(seed in any::<u64>()) {
        cases::data_ops().for_each(|op| bounded(op, seed));
    }
}
