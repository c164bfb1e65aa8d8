//! Normalisations and softmax: spelled out or not, masked, and by the rules of peers.
use proptest::prelude::*;

use crate::common::draw::Draw;
use crate::common::{assert_close, float, int, ints, string, Net, Setup};
use crate::fused::same;

const EPSILON: f64 = 1e-5;

/// An input of four rows of six, with the constants that the pieces use.
fn net() -> Net {
    Net::new()
        .input("x", &[4, 6])
        .list("last", &[-1])
        .weight("two", &[], vec![2.0])
        .weight("half", &[], vec![0.5])
        .weight("minus_half", &[], vec![-0.5])
        .weight("one", &[], vec![1.0])
        .weight("epsilon", &[], vec![EPSILON])
        .weight("fewer", &[], vec![5.0])
        .weight("g", &[6], vec![1.0, 0.5, -1.0, 2.0, 0.3, -0.7])
        .weight("h", &[6], vec![0.1, -0.5, 1.0, 0.2, 0.3, 0.0])
}

fn pieces(net: Net, nodes: &[(&str, &str, &str)]) -> Net {
    nodes.iter().fold(net, |net, (op, inputs, output)| net.node(op, inputs, output, []))
}

const DEVIATION: &[(&str, &str, &str)] = &[("ReduceMean", "x last", "m"), ("Sub", "x m", "c")];

/// The inverse spread `r`, or the quotient `n`, in the words of several exporters.
const SPREADS: &[&[(&str, &str, &str)]] = &[
    &[
        ("Pow", "c two", "q"),
        ("ReduceMean", "q last", "v"),
        ("Add", "v epsilon", "e"),
        ("Sqrt", "e", "s"),
        ("Div", "c s", "n"),
    ],
    &[
        ("Mul", "c c", "q"),
        ("ReduceMean", "q last", "v"),
        ("Add", "epsilon v", "e"),
        ("Pow", "e half", "s"),
        ("Reciprocal", "s", "r"),
        ("Mul", "c r", "n"),
    ],
    &[
        ("Mul", "c c", "q"),
        ("ReduceMean", "q last", "v"),
        ("Add", "v epsilon", "e"),
        ("Pow", "e minus_half", "r"),
        ("Mul", "r c", "n"),
    ],
    &[
        ("Pow", "c two", "q"),
        ("ReduceMean", "q last", "v"),
        ("Add", "v epsilon", "e"),
        ("Sqrt", "e", "s"),
        ("Div", "one s", "r"),
        ("Mul", "c r", "n"),
    ],
];

proptest! {
    #![proptest_config(crate::common::draw::config(30))]

    #[test]
    fn layer_normalisation_in_pieces(seed in any::<u64>()) {
        let scaled = |net: Net| pieces(net, &[("Mul", "n g", "p"), ("Add", "p h", "z"), ("Relu", "z", "t")]);
        let one = net()
            .node("LayerNormalization", "x g h", "z", [float("epsilon", EPSILON)])
            .node("Relu", "z", "t", []);
        for spread in SPREADS {
            let d = &mut Draw(seed);
            let other = scaled(pieces(pieces(net(), DEVIATION), spread));
            same(one.clone(), other, 24, d, "LayerNormalization");
        }
    }

    #[test]
    fn root_mean_square_normalisation_in_pieces(seed in any::<u64>()) {
        let one = Net { wire: { let mut w = net().wire; w.opset = 23; w } }
            .node("RMSNormalization", "x g", "z", [float("epsilon", EPSILON)])
            .node("Relu", "z", "t", []);
        for spread in SPREADS {
            let d = &mut Draw(seed);
            let whole = pieces(net(), &[("Identity", "x", "c")]);
            let other = pieces(pieces(whole, spread), &[("Mul", "n g", "z"), ("Relu", "z", "t")]);
            same(one.clone(), other, 24, d, "RMSNormalization");
        }
    }

    /// TensorFlow's way, which moves the scale to the inverse spread: equal under Rescale, whatever is recognised.
    #[test]
    fn layer_normalisation_as_a_scale_and_a_shift(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let one = net().node("LayerNormalization", "x g h", "t", [float("epsilon", EPSILON)]);
        let other = pieces(pieces(net(), DEVIATION), &[
            ("Mul", "c c", "q"),
            ("ReduceMean", "q last", "v"),
            ("Add", "v epsilon", "e"),
            ("Sqrt", "e", "s"),
            ("Reciprocal", "s", "r"),
            ("Mul", "r g", "k"),
            ("Mul", "x k", "xk"),
            ("Mul", "m k", "mk"),
            ("Neg", "mk", "nmk"),
            ("Add", "nmk h", "shift"),
            ("Add", "xk shift", "t"),
        ]);
        crate::fused::same_under(&["rescale", "genomics-default"], one, other, 24, d, "LayerNormalization");
    }

    /// Groups as an InstanceNormalization of a reshaped tensor, which is how PyTorch writes them for old opsets.
    #[test]
    fn groups_by_instance_normalisation(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let one = net()
            .weight("gc", &[4], vec![1.0, -0.5, 0.7, 2.0])
            .weight("hc", &[4], vec![0.1, 0.2, -0.3, 0.4]);
        let other = one
            .clone()
            .list("groups", &[0, 2, -1])
            .list("back", &[0, 4, 6])
            .weight("ones", &[2], vec![1.0; 2])
            .weight("zeros", &[2], vec![0.0; 2])
            .weight("gs", &[4, 1], vec![1.0, -0.5, 0.7, 2.0])
            .weight("hs", &[4, 1], vec![0.1, 0.2, -0.3, 0.4])
            .node("Reshape", "x groups", "r", [])
            .node("InstanceNormalization", "r ones zeros", "i", [float("epsilon", EPSILON)])
            .node("Reshape", "i back", "b", [])
            .node("Mul", "b gs", "p", [])
            .node("Add", "p hs", "t", []);
        let one = Net { wire: { let mut w = one.wire; w.opset = 21; w } }.node(
            "GroupNormalization",
            "x gc hc",
            "t",
            [int("num_groups", 2), float("epsilon", EPSILON)],
        );
        same(one, other, 24, d, "GroupNormalization");
    }

    /// A convolution, a group normalisation and an activation, channels last inside.
    #[test]
    fn groups_between_convolutions_are_complete(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let net = Net::of_opset(21)
            .input("x", &[3, 9])
            .weight("w", &[6, 3, 3], d.reals(54, -1.0, 1.0))
            .weight("g", &[6], d.reals(6, -1.0, 1.0))
            .weight("h", &[6], d.reals(6, -1.0, 1.0))
            .weight("w2", &[2, 6, 2], d.reals(24, -1.0, 1.0))
            .node("Conv", "x w", "c", [])
            .node("GroupNormalization", "c g h", "n", [int("num_groups", 3)])
            .node("Relu", "n", "r", [])
            .node("LpNormalization", "r", "l", [int("axis", 1), int("p", 1)])
            .node("LRN", "l", "q", [int("size", 3), float("alpha", 0.5)])
            .node("Conv", "q w2", "t", []);
        let (x, x0) = d.pair(27, -1.0, 1.0);
        let setup = net.pair("t", vec![x], vec![x0]).every_element().unwrap();
        for rule in ["rescale", "reveal-cancel"] {
            let setup = setup.clone().rule(rule);
            let (exact, single) = (setup.score::<f64>().unwrap(), setup.score::<f32>().unwrap());
            prop_assert!(exact.completeness.iter().all(|&c| c <= 1e-10), "{rule}: {:?}", exact.completeness);
            prop_assert!(single.completeness.iter().all(|&c| c <= 1e-5), "{rule}: {:?}", single.completeness);
        }
    }

    /// A standard deviation that is 0 on one side or on both has finite multipliers, and contributions that sum up.
    #[test]
    fn spreads_of_zero_are_complete(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let x = d.reals(24, -1.0, 1.0);
        let zero = vec![0.0; 24];
        let lp = |p: i64| net().node("LpNormalization", "x", "t", [int("p", p)]);
        let mean_variance = net().node("MeanVarianceNormalization", "x", "t", [ints("axes", &[2])]);
        let deviation = pieces(pieces(net(), DEVIATION), &[
            ("Mul", "c c", "q"),
            ("ReduceSum", "q last", "v"),
            ("Div", "v fewer", "e"),
            ("Sqrt", "e", "s"),
            ("Add", "s epsilon", "u"),
            ("Div", "c u", "t"),
        ]);
        let norm = net().node("ReduceL2", "x last", "t", []);
        for (net, what) in [
            (lp(1), "LpNormalization, p = 1"),
            (lp(2), "LpNormalization, p = 2"),
            (mean_variance, "MeanVarianceNormalization"),
            (deviation, "a standard deviation"),
            (norm, "ReduceL2"),
        ] {
            for (a, b) in [(&x, &zero), (&zero, &x), (&zero, &zero)] {
                let setup = net.clone().pair("t", vec![a.clone()], vec![b.clone()]).every_element().unwrap();
                let s = setup.score::<f64>().unwrap();
                prop_assert!(s.completeness.iter().all(|&c| c <= 1e-10), "{what}: {:?}", s.completeness);
                prop_assert!(s.multipliers[0].iter().all(|m| m.is_finite()), "{what}: {:?}", s.multipliers[0]);
            }
        }
    }

    /// A mask of −∞ or of a large negative number hides elements: they contribute nothing, the others all.
    #[test]
    fn masked_logits(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let (x, x0) = d.pair(24, -2.0, 2.0);
        let seed = d.reals(24, -1.0, 1.0);
        let mut hidden: Vec<bool> = (0..24).map(|_| d.coin()).collect();
        (0..4).for_each(|row| hidden[6 * row] = false);
        for op in ["Softmax", "LogSoftmax", "ReduceLogSumExp"] {
            for depth in [f64::NEG_INFINITY, -1e9, -3e38] {
                let mask = hidden.iter().map(|&h| if h { depth } else { 0.0 }).collect();
                let net = net().weight("mask", &[4, 6], mask).node("Add", "x mask", "a", []);
                let net = net.node(op, "a", "y", if op.starts_with('R') { vec![ints("axes", &[2])] } else { vec![] });
                let net = net.weight("low", &[], vec![-50.0]).node("Max", "y low", "t", []);
                let n = if op.starts_with('R') { 4 } else { 24 };
                let setup = net.pair("t", vec![x.clone()], vec![x0.clone()]).seeds(vec![seed[..n].to_vec()]);
                // The differences of logarithms of 0, which RevealCancel would split into parts, do not exist.
                let rules = if op == "LogSoftmax" { &["rescale"][..] } else { &["rescale", "reveal-cancel"] };
                for rule in rules {
                    let what = format!("{op}, {depth}, {rule}");
                    let s = setup.clone().rule(rule).score::<f64>().unwrap();
                    prop_assert!(s.completeness[0] <= 1e-10, "{what}: {}", s.completeness[0]);
                    for (m, &h) in s.multipliers[0].iter().zip(&hidden) {
                        prop_assert!(m.is_finite() && (!h || *m == 0.0), "{what}: {m}");
                    }
                }
            }
        }
    }

    /// A mask that is an input, large and negative for one side only: what it hides moves by its probability.
    #[test]
    fn logits_that_are_masked_on_one_side(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let (x, x0) = d.pair(24, -2.0, 2.0);
        let mask: Vec<f64> = (0..24).map(|i| if i % 6 != 0 && d.coin() { -1e9 } else { 0.0 }).collect();
        let net = net().input("mask", &[4, 6]).node("Add", "x mask", "a", []).node("Softmax", "a", "t", []);
        let setup = net.pair("t", vec![x, vec![0.0; 24]], vec![x0, mask]).every_element().unwrap();
        let s = setup.score::<f64>().unwrap();
        prop_assert!(s.completeness.iter().all(|&c| c <= 1e-10), "{:?}", s.completeness);
    }

    /// The rule of SHAP for PyTorch is the quotient of each probability and its logit; that for TensorFlow shares the
    /// multiplier of each shifted logit between the logit and the maximum, and is complete.
    #[test]
    fn softmax_by_the_rules_of_peers(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let (x, x0) = (d.reals(24, -2.0, 2.0), d.reals(24, -2.0, 2.0));
        let seed = d.reals(24, -1.0, 1.0);
        let scores = |variant: &str| {
            let net = net().node("Softmax", "x", "t", [string("variant", variant)]);
            let setup: Setup = net.pair("t", vec![x.clone()], vec![x0.clone()]).seeds(vec![seed.clone()]);
            setup.score::<f64>().unwrap()
        };
        let softmax = |x: &[f64]| -> Vec<f64> {
            let total = |i: usize| x[i / 6 * 6..][..6].iter().map(|v| v.exp()).sum::<f64>();
            x.iter().enumerate().map(|(i, v)| v.exp() / total(i)).collect()
        };
        let (p, q) = (softmax(&x), softmax(&x0));
        let expected: Vec<f64> = (0..24).map(|i| seed[i] * (p[i] - q[i]) / (x[i] - x0[i])).collect();
        assert_close(&scores("elementwise").multipliers[0], &expected, 1e-10, "elementwise");
        let found = scores("decomposed");
        prop_assert!(found.completeness[0] <= 1e-10);
        for row in 0..4 {
            let (x, x0, seed) = (&x[6 * row..][..6], &x0[6 * row..][..6], &seed[6 * row..][..6]);
            let shifted = |x: &[f64]| -> Vec<f64> {
                let top = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                x.iter().map(|v| v - top).collect()
            };
            let (c, c0) = (shifted(x), shifted(x0));
            let exp = |c: &[f64]| c.iter().map(|v| v.exp()).collect::<Vec<f64>>();
            let (e, e0) = (exp(&c), exp(&c0));
            let (s, s0) = (e.iter().sum::<f64>(), e0.iter().sum::<f64>());
            let of_sum: f64 = (0..6).map(|i| -seed[i] * 0.5 * (e[i] + e0[i]) / (s * s0)).sum();
            for i in 0..6 {
                let of_exp = seed[i] * 0.5 * (1.0 / s + 1.0 / s0) + of_sum;
                // The largest of both sides is shifted to 0, where its exponential has slope 1 and no effect.
                let of_shifted = if c[i] == c0[i] { 0.0 } else { of_exp * (e[i] - e0[i]) / (x[i] - x0[i]) };
                assert_close(&found.multipliers[0][6 * row + i..][..1], &[of_shifted], 1e-9, "decomposed");
            }
        }
    }
}

/// In float32 the record is rounded once: multipliers keep six digits, also far from zero.
#[test]
fn multipliers_of_layer_normalisation_in_float32() {
    for offset in [0.0, 30.0] {
        let d = &mut Draw(5);
        let narrow = |v: Vec<f64>| v.into_iter().map(|v| f64::from((v + offset) as f32)).collect::<Vec<_>>();
        let (x, x0) = (narrow(d.reals(24, -2.0, 2.0)), narrow(d.reals(24, -2.0, 2.0)));
        let net = net().node("LayerNormalization", "x g h", "t", []);
        let setup = net.pair("t", vec![x], vec![x0]).every_element().unwrap();
        let (exact, single) = (setup.score::<f64>().unwrap(), setup.score::<f32>().unwrap());
        let single: Vec<f64> = single.multipliers[0].iter().map(|&m| f64::from(m)).collect();
        assert_close(&single, &exact.multipliers[0], 1e-6, "multipliers");
    }
}
