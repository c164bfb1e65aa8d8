//! Laws of contributions: SEMANTICS 3.1 and 5.7, on random networks.
use deeplift_engine::options::{MultiplyBy, References};
use deeplift_engine::score::{Scores, Values};
use proptest::prelude::*;

use crate::common::draw::Draw;
use crate::common::{assert_close, Net, Setup};
use crate::networks::{draw, Kind, Network};

const RULES: [&str; 3] = ["rescale", "reveal-cancel", "genomics-default"];

fn score(setup: &Setup) -> Scores<f64> {
    setup.score().unwrap_or_else(|e| panic!("{e}"))
}

/// A network and two inputs.
fn case(kind: Kind, seed: u64) -> (Network, Vec<f64>, Vec<f64>, Draw) {
    let mut d = Draw(seed);
    let network = draw(kind, &mut d);
    let (x, x0) = d.pair(network.channels * network.length, -1.5, 1.5);
    (network, x, x0, d)
}

fn pair(network: &Network, x: &[f64], x0: &[f64]) -> Setup {
    network.net.clone().pair("t", vec![x.to_vec()], vec![x0.to_vec()]).seeds(vec![vec![1.0, -0.5]])
}

/// The target at each of several inputs.
fn values(setup: &Setup, points: &[Vec<f64>]) -> Vec<f64> {
    let mut all = setup.clone();
    all.examples = points.len();
    all.x = vec![Values::F64(points.concat())];
    all.references = vec![None];
    all.options.references = vec![References::Zeros];
    score(&all).output
}

proptest! {
    #![proptest_config(crate::common::draw::config(60))]

    #[test]
    fn contributions_sum_to_the_difference(seed in any::<u64>()) {
        let (network, x, x0, _) = case(Kind::Any, seed);
        for rule in RULES {
            let setup = pair(&network, &x, &x0).rule(rule);
            let s = score(&setup);
            prop_assert!(s.completeness[0] <= 1e-10, "{rule}: {:e}", s.completeness[0]);
            let sum: f64 = s.contributions[0].iter().sum();
            assert_close(&[sum], &[s.output[0] - s.reference_output[0]], 1e-10, rule);
            let single = setup.score::<f32>().unwrap();
            prop_assert!(single.completeness[0] <= 1e-4, "{rule}: {:e} in float32", single.completeness[0]);
        }
    }

    #[test]
    fn swapping_example_and_reference_changes_the_sign(seed in any::<u64>()) {
        let (network, x, x0, _) = case(Kind::Any, seed);
        for rule in RULES {
            let there = score(&pair(&network, &x, &x0).rule(rule));
            let back = score(&pair(&network, &x0, &x).rule(rule));
            let negated: Vec<f64> = back.contributions[0].iter().map(|c| -c).collect();
            assert_close(&there.contributions[0], &negated, 1e-10, rule);
        }
    }

    #[test]
    fn elements_that_do_not_differ_contribute_nothing(seed in any::<u64>()) {
        let (network, x, x0, _) = case(Kind::Any, seed);
        for rule in RULES {
            let s = score(&pair(&network, &x, &x0).rule(rule));
            for i in 0..x.len() {
                prop_assert!(x[i] != x0[i] || s.contributions[0][i] == 0.0, "{rule}: element {i}");
            }
        }
    }

    /// Central differences in double precision: error of the order of 1e-9 for derivatives of the order of 1.
    #[test]
    fn at_the_reference_multipliers_are_the_gradient(seed in any::<u64>()) {
        const STEP: f64 = 1e-6;
        let (network, x, x0, _) = case(Kind::Any, seed);
        let setup = pair(&network, &x, &x);
        let mut points = vec![];
        for i in 0..x.len() {
            for sign in [1.0, -1.0] {
                let mut p = x.clone();
                p[i] += sign * STEP;
                points.push(p);
            }
        }
        let gradient: Vec<f64> =
            values(&setup, &points).chunks(2).map(|v| (v[0] - v[1]) / (2.0 * STEP)).collect();
        for rule in RULES {
            let s = score(&setup.clone().rule(rule));
            prop_assert!(s.contributions[0].iter().all(|&c| c == 0.0));
            assert_close(&s.multipliers[0], &gradient, 1e-6, rule);
        }
        // The gradient rule gives the same wherever the reference is.
        let s = score(&pair(&network, &x, &x0).rule("gradient"));
        assert_close(&s.multipliers[0], &gradient, 1e-6, "gradient");
    }

    #[test]
    fn a_linear_network_gives_weight_times_difference(seed in any::<u64>()) {
        let (network, x, x0, _) = case(Kind::Linear, seed);
        let setup = pair(&network, &x, &x0);
        let mut points = vec![vec![0.0; x.len()]];
        points.extend((0..x.len()).map(|i| (0..x.len()).map(|j| f64::from(u8::from(i == j))).collect()));
        let y = values(&setup, &points);
        let w: Vec<f64> = y[1..].iter().map(|v| v - y[0]).collect();
        let expected: Vec<f64> = (0..x.len()).map(|i| w[i] * (x[i] - x0[i])).collect();
        for rule in RULES {
            let s = score(&setup.clone().rule(rule));
            assert_close(&s.multipliers[0], &w, 1e-12, rule);
            assert_close(&s.contributions[0], &expected, 1e-12, rule);
        }
    }

    #[test]
    fn without_bias_and_with_zero_reference_relu_networks_give_gradient_times_input(seed in any::<u64>()) {
        let (network, x, _, _) = case(Kind::BiasFreeRelu, seed);
        let rescale = score(&pair(&network, &x, &vec![0.0; x.len()]));
        let mut gradient = pair(&network, &x, &x).rule("gradient");
        gradient.options.multiply_by = MultiplyBy::Input;
        assert_close(&rescale.contributions[0], &score(&gradient).contributions[0], 1e-12, "contributions");
    }

    #[test]
    fn where_nothing_falls_reveal_cancel_is_rescale(seed in any::<u64>()) {
        let (network, x, x0, _) = case(Kind::Rising, seed);
        let high: Vec<f64> = x.iter().zip(&x0).map(|(a, b)| a.max(*b)).collect();
        let low: Vec<f64> = x.iter().zip(&x0).map(|(a, b)| a.min(*b)).collect();
        let setup = pair(&network, &high, &low).seeds(vec![vec![1.0, 0.5]]);
        let (a, b) = (score(&setup), score(&setup.clone().rule("reveal-cancel")));
        assert_close(&a.contributions[0], &b.contributions[0], 1e-10, "contributions");
    }

    #[test]
    fn targets_are_linear_and_scored_alone_or_together(seed in any::<u64>()) {
        let (network, x, x0, mut d) = case(Kind::Any, seed);
        let (s, t) = (d.reals(2, -1.0, 1.0), d.reals(2, -1.0, 1.0));
        let both: Vec<f64> = s.iter().zip(&t).map(|(s, t)| 2.0 * s - 3.0 * t).collect();
        for rule in RULES {
            let setup = pair(&network, &x, &x0).rule(rule);
            let rows = score(&setup.clone().seeds(vec![s.clone(), t.clone(), both.clone()]));
            let row: Vec<&[f64]> = rows.contributions[0].chunks(x.len()).collect();
            let sum: Vec<f64> = row[0].iter().zip(row[1]).map(|(s, t)| 2.0 * s - 3.0 * t).collect();
            // RevealCancel chooses by the sign of differences, never of multipliers, so it is linear as well.
            assert_close(row[2], &sum, 1e-11, rule);
            let alone = score(&setup.seeds(vec![t.clone()]));
            prop_assert_eq!(&alone.contributions[0][..], row[1]);
        }
    }

    /// References are averaged pair by pair, in their order.
    #[test]
    fn contributions_are_means_over_references(seed in any::<u64>()) {
        let (network, x, x0, mut d) = case(Kind::Any, seed);
        let n = x.len();
        let all: Vec<Vec<f64>> = [x0, d.reals(n, -1.0, 1.0), d.reals(n, -1.0, 1.0)].into();
        for rule in RULES {
            let mut together = pair(&network, &x, &all[0]).rule(rule);
            together.options.references = vec![References::PerExample { count: 3 }];
            together.references = vec![Some(Values::F64(all.concat()))];
            together.options.outputs.per_reference = true;
            let s = score(&together);
            let mut mean = vec![0.0; n];
            let mut outputs = 0.0;
            for (r, x0) in all.iter().enumerate() {
                let one = score(&pair(&network, &x, x0).rule(rule));
                prop_assert_eq!(&s.per_reference[0][r * n..][..n], &one.contributions[0][..]);
                mean.iter_mut().zip(&one.contributions[0]).for_each(|(m, c)| *m += c / 3.0);
                outputs += one.reference_output[0] / 3.0;
            }
            assert_close(&s.contributions[0], &mean, 1e-12, rule);
            assert_close(&s.reference_output, &[outputs], 1e-12, rule);
            // The same references, given once for all examples.
            let mut shared = together.clone();
            shared.options.references = vec![References::Shared { count: 3 }];
            shared.shared = vec![Some(Values::F64(all.concat()))];
            shared.references = vec![None];
            prop_assert_eq!(score(&shared).contributions, s.contributions);
        }
    }

    /// Renaming the channels of the input renames contributions.
    #[test]
    fn channels_can_be_renamed(seed in any::<u64>()) {
        let (network, x, x0, mut d) = case(Kind::Any, seed);
        let (channels, length) = (network.channels, network.length);
        let order = d.order(channels);
        let index: Vec<i64> = order.iter().map(|&c| c as i64).collect();
        let mut renamed = network.net.clone();
        renamed.wire.inputs.clear();
        // Channel `order[c]` of the network is channel `c` of the new input.
        let mut back = vec![0; channels];
        order.iter().enumerate().for_each(|(c, &o)| back[o] = c as i64);
        let renamed = renamed
            .input("renamed", &[channels, length])
            .list("back", &back)
            .node("Gather", "renamed back", "x", [crate::common::int("axis", 1)]);
        let rename = |v: &[f64]| -> Vec<f64> {
            index.iter().flat_map(|&c| v[c as usize * length..][..length].to_vec()).collect()
        };
        let other = Network { net: renamed, channels, length };
        for rule in RULES {
            let a = score(&pair(&network, &x, &x0).rule(rule));
            let b = score(&pair(&other, &rename(&x), &rename(&x0)).rule(rule));
            assert_close(&rename(&a.contributions[0]), &b.contributions[0], 1e-12, rule);
        }
    }
}

/// The paper's example (its figure 2): the minimum of two inputs, written with one ReLU. Rescale gives everything to
/// the smaller input, RevealCancel half to each.
#[test]
fn reveal_cancel_is_symmetric_for_a_minimum() {
    let net = Net::new()
        .input("x", &[2])
        .weight("first", &[2, 1], vec![1.0, 0.0])
        .weight("both", &[2, 1], vec![1.0, -1.0])
        .node("MatMul", "x first", "i1", [])
        .node("MatMul", "x both", "d", [])
        .node("Relu", "d", "r", [])
        .node("Sub", "i1 r", "t", []);
    let setup = net.pair("t", vec![vec![5.0, 3.0]], vec![vec![0.0, 0.0]]);
    assert_close(&score(&setup).contributions[0], &[0.0, 3.0], 1e-12, "rescale");
    assert_close(&score(&setup.rule("reveal-cancel")).contributions[0], &[1.5, 1.5], 1e-12, "reveal-cancel");
}

/// Parts that cancel: RevealCancel sees inputs whose net effect is zero, Rescale does not.
#[test]
fn reveal_cancel_sees_parts_that_cancel() {
    let net = Net::new()
        .input("x", &[2])
        .weight("w", &[2, 1], vec![1.0, -1.0])
        .node("MatMul", "x w", "d", [])
        .node("Relu", "d", "t", []);
    let setup = net.pair("t", vec![vec![4.0, 4.0]], vec![vec![0.0, 0.0]]);
    assert_close(&score(&setup).contributions[0], &[0.0, 0.0], 1e-12, "rescale");
    assert_close(&score(&setup.rule("reveal-cancel")).contributions[0], &[2.0, -2.0], 1e-12, "reveal-cancel");
}
