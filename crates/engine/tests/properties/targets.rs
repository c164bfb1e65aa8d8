//! What is explained and what is scored: several tensors, profile heads, logits behind the output, inner layers, the
//! reverse strand, inputs that are held fixed.
use deeplift_engine::options::{Encoding, Place, ProfileWeights, References, ReverseComplement, Target};
use deeplift_engine::score::{Scores, Values};
use proptest::prelude::*;

use crate::common::draw::Draw;
use crate::common::{assert_close, int, ints, value, Net, Setup};
use crate::networks::{draw, Kind};

fn score(setup: &Setup) -> Scores<f64> {
    setup.score().unwrap_or_else(|e| panic!("{e}"))
}

const RULES: [&str; 3] = ["rescale", "reveal-cancel", "genomics-default"];

/// Logits of a profile over two strands, and what heads are made of.
fn profile(d: &mut Draw) -> Net {
    Net::new()
        .input("x", &[3, 10])
        .weight("w", &[4, 3, 3], d.reals(36, -1.0, 1.0))
        .weight("c", &[4], d.reals(4, -0.3, 0.3))
        .weight("v", &[2, 4, 3], d.reals(24, -1.0, 1.0))
        .node("Conv", "x w c", "z", [])
        .node("Relu", "z", "a", [])
        .node("Conv", "a v", "l", [])
}

/// The head as the file would have it.
fn head(net: Net) -> Net {
    net.node("Flatten", "l", "f", [])
        .list("axes", &[1])
        .node("ReduceMean", "f axes", "mean", [int("keepdims", 1)])
        .node("Sub", "f mean", "centred", [])
        .node("Softmax", "centred", "p", [int("axis", 1)])
        .node("Mul", "p centred", "pz", [])
        .node("ReduceSum", "pz axes", "t", [int("keepdims", 1)])
}

fn profile_target(weights: ProfileWeights) -> Target {
    Target { tensor: "l".into(), profile: Some(weights), ..Target::default() }
}

proptest! {
    #![proptest_config(crate::common::draw::config(30))]

    #[test]
    fn profile_heads(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let net = profile(d);
        let (x, x0) = d.pair(30, -1.0, 1.0);
        let setup = |net: &Net, target: &str| net.clone().pair(target, vec![x.clone()], vec![x0.clone()]);
        let with = |weights| {
            let mut s = setup(&net, "l");
            s.options.targets = vec![profile_target(weights)];
            score(&s)
        };
        for rule in RULES {
            let spelled = score(&setup(&head(net.clone()), "t").rule(rule));
            let mut own = setup(&net, "l").rule(rule);
            own.options.targets = vec![profile_target(ProfileWeights::Full)];
            let own = score(&own);
            assert_close(&own.output, &spelled.output, 1e-12, "value");
            assert_close(&own.reference_output, &spelled.reference_output, 1e-12, "value on the reference");
            assert!(own.completeness[0] < 1e-12);
            if rule == "rescale" {
                assert_close(&own.contributions[0], &spelled.contributions[0], 1e-11, "contributions");
            }
        }
        // The other forms are linear in the logits: seeds that anyone can make from the probabilities.
        let probabilities = |at: &Vec<f64>| {
            let s = net.clone().pair("l", vec![at.clone()], vec![at.clone()]).every_element().unwrap();
            let l = score(&s).output;
            let e: Vec<f64> = l.iter().map(|l| l.exp()).collect();
            let sum: f64 = e.iter().sum();
            e.into_iter().map(|e| e / sum).collect::<Vec<_>>()
        };
        let (p, q) = (probabilities(&x), probabilities(&x0));
        let n = p.len();
        let seed = |w: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..n).map(|i| w(i) - 1.0 / n as f64).collect() };
        for (weights, seed) in [
            (ProfileWeights::Mean, seed(&|i| 0.5 * (p[i] + q[i]))),
            (ProfileWeights::Input, seed(&|i| p[i])),
            (ProfileWeights::Reference, seed(&|i| q[i])),
        ] {
            let found = with(weights);
            let linear = score(&setup(&net, "l").seeds(vec![seed]));
            assert_close(&found.contributions[0], &linear.contributions[0], 1e-12, "contributions");
            let delta = linear.output[0] - linear.reference_output[0];
            assert_close(&found.delta, &[delta], 1e-12, "what they sum to");
        }
        assert!(with(ProfileWeights::BpnetLite).completeness[0] < 1e-12);
    }

    /// Scores at a layer are those of the network behind it, whose input the layer is.
    #[test]
    fn layers(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let (w, c, v) = (d.reals(36, -1.0, 1.0), d.reals(4, -0.3, 0.3), d.reals(4 * 8, -1.0, 1.0));
        let first = |net: Net| {
            net.input("x", &[3, 10])
                .weight("w", &[4, 3, 3], w.clone())
                .weight("c", &[4], c.clone())
                .node("Conv", "x w c", "h", [])
        };
        let second = |net: Net| {
            net.weight("v", &[32, 2], d_values(&v, 64))
                .weight("u", &[2], vec![0.3, -0.4])
                .node("Relu", "h", "a", [])
                .node("Flatten", "a", "f", [])
                .node("Gemm", "f v u", "g", [])
                .node("Tanh", "g", "t", [])
        };
        let (x, x0) = d.pair(30, -1.0, 1.0);
        let whole = second(first(Net::new()));
        let hidden = |at: &[f64]| {
            let s = first(Net::new()).pair("h", vec![at.to_vec()], vec![at.to_vec()]).every_element().unwrap();
            score(&s).output
        };
        for rule in RULES {
            let mut at_layer = whole.clone().pair("t", vec![x.clone()], vec![x0.clone()]).rule(rule);
            at_layer.options.layers = vec!["h".into()];
            let seeds = vec![vec![1.0, -0.5]];
            let found = score(&at_layer.seeds(seeds.clone()));
            let behind = second(Net::new().input("h", &[4, 8])).pair("t", vec![hidden(&x)], vec![hidden(&x0)]);
            let expected = score(&behind.rule(rule).seeds(seeds));
            assert_close(&found.contributions[0], &expected.contributions[0], 1e-12, rule);
            assert_close(&found.multipliers[0], &expected.multipliers[0], 1e-12, rule);
            assert!(found.completeness[0] < 1e-12);
        }
    }

    /// Tokens are looked up in a table: they cannot be scored, the rows that they name can.
    #[test]
    fn embeddings(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let (tokens, rows, width) = (5, 4, 3);
        let table = d.reals(rows * width, -1.0, 1.0);
        let behind = |net: Net, d: &mut Draw| {
            net.weight("v", &[width, 2], d.reals(width * 2, -1.0, 1.0))
                .list("axes", &[1])
                .node("MatMul", "h v", "z", [])
                .node("Relu", "z", "a", [])
                .node("ReduceMean", "a axes", "t", [int("keepdims", 0)])
        };
        let weights = Draw(d.bits());
        let whole = Net::new().input("ids", &[tokens]).weight("table", &[rows, width], table.clone());
        let whole = behind(whole.node("Gather", "table ids", "h", [int("axis", 0)]), &mut weights.clone());
        // Some count from the end.
        let ids = d.ints(2 * tokens, 0, 2 * rows - 1);
        let ids: Vec<f64> = ids.into_iter().map(|i| i as f64 - rows as f64).collect();
        let (x, x0) = (ids[..tokens].to_vec(), ids[tokens..].to_vec());
        let looked_up = |ids: &[f64]| -> Vec<f64> {
            let row = |&i: &f64| if i < 0.0 { (i + rows as f64) as usize } else { i as usize };
            ids.iter().flat_map(|i| table[row(i) * width..][..width].to_vec()).collect()
        };
        let only = behind(Net::new().input("h", &[tokens, width]), &mut weights.clone());
        for rule in RULES {
            let mut at_layer = whole.clone().pair("t", vec![x.clone()], vec![x0.clone()]).rule(rule);
            assert!(at_layer.score::<f64>().is_err(), "tokens are scored");
            at_layer.options.layers = vec!["h".into()];
            let found = score(&at_layer);
            let expected = score(&only.clone().pair("t", vec![looked_up(&x)], vec![looked_up(&x0)]).rule(rule));
            assert_close(&found.output, &expected.output, 1e-12, rule);
            assert_close(&found.contributions[0], &expected.contributions[0], 1e-12, rule);
        }
    }

    /// Targets in several tensors are scored together as they are alone, inner and outer ones in any order.
    #[test]
    fn several_tensors(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let net = head(profile(d));
        let (x, x0) = d.pair(30, -1.0, 1.0);
        let targets = [
            value("t", 0),
            profile_target(ProfileWeights::Mean),
            value("a", 5),
            value("l", 3),
            Target {
                tensor: "l".into(),
                index: Some(Place::Axes(vec![Some(deeplift_engine::options::Select::Index(1)), None])),
                ..Target::default()
            },
        ];
        for rule in RULES {
            let setup = net.clone().pair("t", vec![x.clone()], vec![x0.clone()]).rule(rule);
            let mut all = setup.clone();
            all.options.targets = targets.to_vec();
            let all = score(&all);
            for (k, target) in targets.iter().enumerate() {
                let mut one = setup.clone();
                one.options.targets = vec![target.clone()];
                let one = score(&one);
                assert_close(&all.contributions[0][k * 30..][..30], &one.contributions[0], 1e-13, rule);
                assert_eq!(all.output[k], one.output[0]);
                let sum: f64 = all.contributions[0][k * 30..][..30].iter().sum();
                assert_close(&[sum], &[all.delta[k]], 1e-12, rule);
            }
        }
    }

    /// What the reverse strand says of a sequence is what the forward strand says of its reverse complement.
    #[test]
    fn reverse_complement(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let net = Net::new()
            .input("x", &[4, 9])
            .input("control", &[2, 9])
            .weight("w", &[5, 6, 3], d.reals(90, -1.0, 1.0))
            .weight("v", &[2, 5, 3], d.reals(30, -1.0, 1.0))
            .node("Concat", "x control", "both", [int("axis", 1)])
            .node("Conv", "both w", "z", [])
            .node("Tanh", "z", "a", [])
            .node("Conv", "a v", "t", []);
        let codes: Vec<u8> = (0..9).map(|_| d.int(0, 4) as u8).collect();
        let control = d.reals(18, 0.0, 1.0);
        let make = |codes: &[u8], control: &[f64], forward: usize, mirrored: usize| {
            let mut s = Setup::new(net.clone(), "t");
            s.options.inputs[0].encoding = Encoding::Codes;
            let frequencies = [0.3, 0.2, 0.2, 0.3];
            s.options.references = vec![References::Background { frequencies }, References::Zeros];
            s.options.outputs.hypothetical = true;
            s.options.outputs.per_reference = true;
            s.x = vec![Values::Codes(codes.to_vec()), Values::F64(control.to_vec())];
            s.options.targets = vec![value("t", forward)];
            s.options.reverse_complement = Some(ReverseComplement { targets: vec![value("t", mirrored)] });
            s
        };
        // Position 1 of strand 0 is position 3 of strand 1 on the other side.
        let s = score(&make(&codes, &control, 1, 8));
        assert!(s.completeness[0] < 1e-12);
        let turned: Vec<u8> = codes.iter().rev().map(|&c| if c < 4 { 3 - c } else { 4 }).collect();
        let back: Vec<f64> = control.iter().rev().copied().collect();
        let rc = score(&make(&turned, &back, 8, 1));
        let flip = |v: &[f64]| v.iter().rev().copied().collect::<Vec<_>>();
        for i in 0..2 {
            assert_close(&s.contributions[i], &flip(&rc.contributions[i]), 1e-13, "contributions");
            assert_close(&s.multipliers[i], &flip(&rc.multipliers[i]), 1e-13, "multipliers");
            assert_close(&s.per_reference[i], &s.contributions[i], 1e-13, "one reference");
        }
        assert_close(&s.hypothetical[0], &flip(&rc.hypothetical[0]), 1e-13, "hypothetical");
        // And each strand by itself.
        let alone = |codes: &[u8], control: &[f64], at: usize| {
            let mut s = make(codes, control, at, at);
            s.options.reverse_complement = None;
            score(&s)
        };
        let (a, b) = (alone(&codes, &control, 1), alone(&turned, &back, 8));
        let mean: Vec<f64> =
            a.contributions[0].iter().zip(flip(&b.contributions[0])).map(|(a, b)| 0.5 * (a + b)).collect();
        assert_close(&s.contributions[0], &mean, 1e-13, "mean of strands");
        assert_close(&s.output, &[0.5 * (a.output[0] + b.output[0])], 1e-13, "output");
    }

    /// An input that equals its reference gets nothing, and what is left out for it changes nothing.
    #[test]
    fn fixed_inputs(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let net = Net::new()
            .input("x", &[6])
            .input("y", &[6])
            .weight("w", &[6, 4], d.reals(24, -1.0, 1.0))
            .node("Tanh", "y", "b", [])
            .node("Mul", "x b", "p", [])
            .node("Gemm", "p w", "z", [])
            .node("Relu", "z", "a", [])
            .weight("v", &[4, 1], d.reals(4, -1.0, 1.0))
            .node("MatMul", "a v", "t", []);
        let (x, x0) = d.pair(6, -1.0, 1.0);
        let y = d.reals(6, -1.0, 1.0);
        for rule in RULES {
            let mut s = net.clone().pair("t", vec![x.clone(), y.clone()], vec![x0.clone(), y.clone()]).rule(rule);
            let given = score(&s);
            s.options.references[1] = References::Itself;
            let with_multipliers = score(&s);
            s.options.outputs.multipliers = false;
            let without = score(&s);
            for other in [&with_multipliers, &without] {
                assert_close(&other.contributions[0], &given.contributions[0], 1e-13, rule);
                assert!(other.contributions[1].iter().all(|&c| c == 0.0));
                assert!(other.completeness[0] < 1e-12);
            }
            assert_close(&with_multipliers.multipliers[1], &given.multipliers[1], 1e-13, rule);
        }
    }

    /// Inputs that sum to one keep their output; multipliers of a position have no mean over letters.
    #[test]
    fn mean_normalised(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let net = Net::new()
            .input("x", &[4, 9])
            .weight("w", &[5, 4, 3], d.reals(60, -1.0, 1.0))
            .weight("v", &[5, 1], d.reals(5, -1.0, 1.0))
            .node("Conv", "x w", "z", [ints("pads", &[1, 1])])
            .node("Relu", "z", "a", [])
            .node("GlobalMaxPool", "a", "q", [])
            .node("Flatten", "q", "f", [])
            .node("MatMul", "f v", "t", []);
        let mut s = Setup::new(net, "t");
        s.options.inputs[0].encoding = Encoding::Codes;
        s.x = vec![Values::Codes((0..9).map(|_| d.int(0, 3) as u8).collect())];
        s.options.references = vec![References::Background { frequencies: [0.25; 4] }];
        let plain = score(&s);
        s.options.mean_normalised = true;
        let found = score(&s);
        assert_close(&found.output, &plain.output, 1e-13, "output");
        assert_close(&found.reference_output, &plain.reference_output, 1e-13, "output on the background");
        assert!(found.completeness[0] < 1e-12);
        for position in 0..9 {
            let sum: f64 = (0..4).map(|letter| found.multipliers[0][letter * 9 + position]).sum();
            assert!(sum.abs() < 1e-13);
        }
    }

    /// Paper section 3.6: the logits of a sigmoid, the centred logits of a softmax.
    #[test]
    fn peeled(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let network = draw(Kind::Any, d);
        let (x, x0) = d.pair(network.channels * network.length, -1.0, 1.0);
        for (op, logits) in [
            ("Sigmoid", value("t", 1)),
            ("Softmax", Target { centred: true, ..value("t", 1) }),
        ] {
            let net = network.net.clone().node(op, "t", "u", []).node("Identity", "u", "y", []);
            let mut s = net.pair("y", vec![x.clone()], vec![x0.clone()]);
            s.options.targets = vec![value("y", 1)];
            let as_is = score(&s);
            s.options.peel = true;
            let peeled = score(&s);
            let mut inner = network.net.clone().pair("t", vec![x.clone()], vec![x0.clone()]);
            inner.options.targets = vec![logits];
            let inner = score(&inner);
            assert_close(&peeled.output, &inner.output, 1e-13, op);
            assert_close(&peeled.contributions[0], &inner.contributions[0], 1e-12, op);
            assert!(as_is.output[0] > 0.0 && as_is.output[0] < 1.0);
        }
    }
}

fn d_values(v: &[f64], n: usize) -> Vec<f64> {
    (0..n).map(|i| v[i % v.len()] * if i / v.len() == 0 { 1.0 } else { -0.7 }).collect()
}
/// An inner tensor whose value is found by looking up rows, which has no rule, is scored all the same.
#[test]
fn what_has_no_rule_may_lie_before_a_layer() {
    let net = Net::new()
        .input("ids", &[3])
        .weight("table", &[4, 2], vec![0.1, 0.2, -0.3, 0.4, 0.5, -0.6, 0.7, 0.8])
        .weight("v", &[6, 1], vec![1.0, -1.0, 0.5, 2.0, -0.5, 1.5])
        .node("Cast", "ids", "index", [int("to", 7)])
        .node("Gather", "table index", "rows", [int("axis", 0)])
        .node("Relu", "rows", "a", [])
        .node("Flatten", "a", "f", [])
        .node("MatMul", "f v", "t", []);
    let mut s = net.pair("t", vec![vec![0.0, 3.0, 1.0]], vec![vec![2.0, 2.0, 2.0]]);
    let refused = s.score::<f64>().expect_err("ids have no contributions");
    assert!(refused.message.contains("Gather") || refused.message.contains("Cast"), "{refused}");
    s.options.layers = vec!["rows".into()];
    let scores = score(&s);
    assert_eq!(scores.contributions[0].len(), 6);
    assert!(scores.completeness[0] < 1e-13);
}
