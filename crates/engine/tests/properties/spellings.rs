//! Operators against the graphs that other exporters write in their place (SEMANTICS 3.1 ii): equal outputs, equal
//! contributions. What is one function of one element, and what folds or is recognised, is in `fused`.
use deeplift_graph::Constant;
use proptest::prelude::*;

use crate::common::draw::Draw;
use crate::common::{assert_close, float, int, ints, Net};

/// Rules under which a chain of pieces gives what the whole gives: RevealCancel splits at every link.
const CHAINS: [&str; 3] = ["rescale", "genomics-default", "gradient"];

/// Rules for a function of one element in a chain, whose first link may be fed by a dense layer.
const ONE_FUNCTION: [&str; 2] = ["rescale", "gradient"];

/// Rules for pieces that are linear, or the same functions.
const ALL: [&str; 4] = ["rescale", "reveal-cancel", "genomics-default", "gradient"];

/// A network whose target is `t`.
type Spelling = Box<dyn Fn(Net) -> Net>;

/// Nodes without attributes: operator, inputs, output.
fn nodes(pieces: &'static [(&'static str, &'static str, &'static str)]) -> Spelling {
    Box::new(|net| pieces.iter().fold(net, |net, (op, inputs, output)| net.node(op, inputs, output, [])))
}

/// Asserts that all spellings of a function of `x` (and `y`) score alike behind a layer of their own.
fn alike(rules: &[&str], what: &str, seed: u64, base: impl Fn(&mut Draw) -> Net, spellings: &[Spelling]) {
    let d = &mut Draw(seed);
    let net = base(d);
    let sizes: Vec<usize> =
        net.wire.inputs.iter().map(|i| i.dims[1..].iter().product::<i64>() as usize).collect();
    let (x, x0): (Vec<_>, Vec<_>) = sizes.iter().map(|&n| d.pair(n, -2.0, 2.0)).unzip();
    for rule in rules {
        let score = |spelling: &Spelling, index: usize| {
            let setup = spelling(net.clone()).pair("t", x.clone(), x0.clone()).every_element();
            let score = setup.and_then(|s| s.rule(rule).score::<f64>());
            score.unwrap_or_else(|e| panic!("{what}, spelling {index}, {rule}: {e}"))
        };
        let first = score(&spellings[0], 0);
        for (index, spelling) in spellings.iter().enumerate().skip(1) {
            let other = score(spelling, index);
            let what = format!("{what}, spelling {index}, {rule}");
            assert_close(&other.output, &first.output, 1e-11, &format!("{what}: output"));
            for (other, first) in other.contributions.iter().zip(&first.contributions) {
                assert_close(other, first, 1e-10, &format!("{what}: contributions"));
            }
        }
    }
}

/// An input of `[channels, length]` behind a layer, with the constants that pieces use.
fn sequence(channels: usize, length: usize) -> impl Fn(&mut Draw) -> Net {
    move |d| {
        Net::new()
            .input("z", &[channels, length])
            .weight("w", &[length, length], d.reals(length * length, -1.0, 1.0))
            .node("MatMul", "z w", "x", [])
            .weight("g", &[length], d.reals(length, -1.5, 1.5))
            .weight("h", &[length], d.reals(length, -1.0, 1.0))
            .weight("epsilon", &[], vec![1e-2])
            .weight("two", &[], vec![2.0])
            .weight("low", &[], vec![-0.4])
            .weight("high", &[], vec![0.7])
            .weight("root", &[], vec![-0.5])
            .weight("length", &[], vec![length as f64])
            .list("last", &[-1])
    }
}

const EPSILON: f64 = 1e-2;

/// The deviation `c` from the mean `m` over the last axis and its mean square `v` plus epsilon.
const DEVIATION: &[(&str, &str, &str)] = &[
    ("ReduceMean", "x last", "m"),
    ("Sub", "x m", "c"),
    ("Mul", "c c", "c2"),
    ("ReduceMean", "c2 last", "v0"),
    ("Add", "v0 epsilon", "v"),
];

proptest! {
    #![proptest_config(crate::common::draw::config(40))]

    #[test]
    fn layer_normalisation(seed in any::<u64>()) {
        let spread = |rest: &'static [(&'static str, &'static str, &'static str)]| -> Spelling {
            let (front, back) = (nodes(DEVIATION), nodes(rest));
            Box::new(move |net| back(front(net)))
        };
        alike(&CHAINS, "LayerNormalization", seed, sequence(3, 4), &[
            Box::new(|net| net.node("LayerNormalization", "x g h", "t", [float("epsilon", EPSILON)])),
            spread(&[("Sqrt", "v", "s"), ("Div", "c s", "n"), ("Mul", "n g", "p"), ("Add", "p h", "t")]),
            spread(&[
                ("Sqrt", "v", "s"),
                ("Reciprocal", "s", "r"),
                ("Mul", "r g", "q"),
                ("Mul", "c q", "p"),
                ("Add", "h p", "t"),
            ]),
            spread(&[("Pow", "v root", "r"), ("Mul", "r c", "n"), ("Mul", "g n", "p"), ("Add", "p h", "t")]),
            // As Keras writes it: x r g + (h - m r g).
            nodes(&[
                ("ReduceMean", "x last", "m"),
                ("Sub", "x m", "c"),
                ("Pow", "c two", "c2"),
                ("ReduceMean", "c2 last", "v0"),
                ("Add", "v0 epsilon", "v"),
                ("Sqrt", "v", "s"),
                ("Reciprocal", "s", "r"),
                ("Sub", "x m", "c1"),
                ("Mul", "c1 r", "n"),
                ("Mul", "n g", "p"),
                ("Add", "p h", "t"),
            ]),
        ]);
    }

    #[test]
    fn root_mean_square_normalisation(seed in any::<u64>()) {
        alike(&CHAINS, "RMSNormalization", seed, |d| {
            let mut net = sequence(3, 4)(d);
            net.wire.opset = 23;
            net
        }, &[
            Box::new(|net| net.node("RMSNormalization", "x g", "t", [float("epsilon", EPSILON)])),
            nodes(&[
                ("Pow", "x two", "x2"),
                ("ReduceMean", "x2 last", "v0"),
                ("Add", "v0 epsilon", "v"),
                ("Sqrt", "v", "s"),
                ("Div", "x s", "n"),
                ("Mul", "n g", "t"),
            ]),
            nodes(&[
                ("Mul", "x x", "x2"),
                ("ReduceMean", "x2 last", "v0"),
                ("Add", "epsilon v0", "v"),
                ("Sqrt", "v", "s"),
                ("Reciprocal", "s", "r"),
                ("Mul", "g r", "q"),
                ("Mul", "x q", "t"),
            ]),
        ]);
    }

    /// One normalisation per channel, per group of channels, and of everything.
    #[test]
    fn normalisation_of_channels(seed in any::<u64>()) {
        let base = |d: &mut Draw| {
            let mut net = sequence(4, 3)(d)
                .list("grouped", &[0, 2, -1])
                .list("back", &[0, 4, 3])
                .weight("unit", &[2], vec![1.0; 2])
                .weight("none", &[2], vec![0.0; 2]);
            net.wire.opset = 21;
            net
        };
        alike(&CHAINS, "GroupNormalization", seed, |d| {
            let net = base(d);
            let (g, h) = (d.reals(4, -1.5, 1.5), d.reals(4, -1.0, 1.0));
            net.weight("gg", &[4], g.clone()).weight("gh", &[4], h.clone())
                .weight("gg1", &[4, 1], g).weight("gh1", &[4, 1], h)
        }, &[
            Box::new(|net| {
                let attributes = [float("epsilon", EPSILON), int("num_groups", 2)];
                net.node("GroupNormalization", "x gg gh", "t", attributes)
            }),
            Box::new(|net| {
                net.node("Reshape", "x grouped", "r", [])
                    .node("InstanceNormalization", "r unit none", "i", [float("epsilon", EPSILON)])
                    .node("Reshape", "i back", "n", [])
                    .node("Mul", "n gg1", "p", [])
                    .node("Add", "p gh1", "t", [])
            }),
            nodes(&[
                ("Reshape", "x grouped", "r"),
                ("ReduceMean", "r last", "m"),
                ("Sub", "r m", "c"),
                ("Mul", "c c", "c2"),
                ("ReduceMean", "c2 last", "v0"),
                ("Add", "v0 epsilon", "v"),
                ("Sqrt", "v", "s"),
                ("Div", "c s", "i"),
                ("Reshape", "i back", "n"),
                ("Mul", "n gg1", "p"),
                ("Add", "p gh1", "t"),
            ]),
        ]);
    }

    /// Norms and sums of powers from their definitions.
    #[test]
    fn reductions(seed in any::<u64>()) {
        type Nodes<'a> = &'a [(&'a str, &'a str, &'a str)];
        let table: [(&str, &str, Nodes<'_>); 4] = [
            ("ReduceL1", "x last", &[("Abs", "x", "a"), ("ReduceSum", "a last", "t")]),
            ("ReduceL2", "x last", &[("Mul", "x x", "a"), ("ReduceSum", "a last", "b"), ("Sqrt", "b", "t")]),
            ("ReduceSumSquare", "x last", &[("Pow", "x two", "a"), ("ReduceSum", "a last", "t")]),
            ("ReduceMean", "x last", &[("ReduceSum", "x last", "a"), ("Div", "a length", "t")]),
        ];
        for (op, inputs, pieces) in table {
            let fused: Spelling = Box::new(move |net| net.node(op, inputs, "t", []));
            alike(&CHAINS, op, seed, sequence(3, 4), &[fused, nodes(pieces)]);
        }
        alike(&ALL, "global pools", seed, sequence(3, 4), &[
            nodes(&[("GlobalAveragePool", "x", "t")]),
            nodes(&[("ReduceMean", "x last", "t")]),
            Box::new(|net| net.node("AveragePool", "x", "t", [ints("kernel_shape", &[4])])),
        ]);
        alike(&ALL, "global maxima", seed, sequence(3, 4), &[
            nodes(&[("GlobalMaxPool", "x", "t")]),
            nodes(&[("ReduceMax", "x last", "t")]),
            Box::new(|net| net.node("MaxPool", "x", "t", [ints("kernel_shape", &[4])])),
            nodes(&[("Neg", "x", "a"), ("ReduceMin", "a last", "b"), ("Neg", "b", "t")]),
        ]);
    }

    /// Log-softmax is the logarithm of softmax, and softmax its exponential: the closed forms agree.
    #[test]
    fn logarithms_of_softmax(seed in any::<u64>()) {
        alike(&CHAINS, "LogSoftmax", seed, sequence(3, 4), &[
            nodes(&[("LogSoftmax", "x", "t")]),
            nodes(&[("Softmax", "x", "p"), ("Log", "p", "t")]),
            nodes(&[("ReduceLogSumExp", "x last", "l"), ("Sub", "x l", "t")]),
        ]);
        alike(&CHAINS, "Softmax", seed, sequence(3, 4), &[
            nodes(&[("Softmax", "x", "t")]),
            nodes(&[("LogSoftmax", "x", "l"), ("Exp", "l", "t")]),
        ]);
    }

    /// Sums, products and quotients that say the same.
    #[test]
    fn arithmetic(seed in any::<u64>()) {
        let two = |d: &mut Draw| {
            Net::new().input("x", &[3]).input("y", &[3]).weight("three", &[], vec![3.0])
                .weight("c", &[3], d.reals(3, -1.5, 1.5)).weight("one", &[], vec![1.0]).weight("zero", &[], vec![0.0])
        };
        alike(&ALL, "Sub", seed, two, &[
            nodes(&[("Sub", "x y", "t")]),
            nodes(&[("Neg", "y", "n"), ("Add", "n x", "t")]),
            nodes(&[("Sub", "y x", "n"), ("Neg", "n", "t")]),
        ]);
        alike(&ALL, "Sum", seed, two, &[
            nodes(&[("Sum", "x y c", "t")]),
            nodes(&[("Add", "x c", "a"), ("Add", "a y", "t")]),
            nodes(&[("Mean", "x y c", "m"), ("Mul", "m three", "t")]),
        ]);
        alike(&ALL, "Mul by a constant", seed, two, &[
            nodes(&[("Mul", "x c", "a"), ("Add", "a y", "t")]),
            nodes(&[("Div", "one c", "i"), ("Div", "x i", "a"), ("Add", "y a", "t")]),
        ]);
        let positive = |d: &mut Draw| {
            two(d).node("Exp", "x", "a", []).node("Exp", "y", "b", [])
        };
        alike(&CHAINS, "Div", seed, positive, &[
            nodes(&[("Div", "a b", "t")]),
            nodes(&[("Reciprocal", "b", "i"), ("Mul", "i a", "t")]),
        ]);
        alike(&CHAINS, "Pow of two", seed, positive, &[
            nodes(&[("Pow", "a y", "t")]),
            nodes(&[("Log", "a", "l"), ("Mul", "l y", "p"), ("Exp", "p", "t")]),
        ]);
        // A choice by a condition that depends on the input, and the sum of products that it is.
        let chosen = |net: Net| net.node("Greater", "x zero", "above", []).node("Cast", "above", "k", [int("to", 11)]);
        alike(&["rescale", "genomics-default"], "Where", seed, two, &[
            Box::new(move |net| chosen(net).node("Where", "above y c", "t", [])),
            Box::new(move |net| nodes(&[("Mul", "k y", "p"), ("Sub", "one k", "j"), ("Mul", "j c", "q"), ("Add", "p q", "t")])(
                chosen(net),
            )),
        ]);
    }

    /// Bounds in every spelling.
    #[test]
    fn bounds(seed in any::<u64>()) {
        alike(&ONE_FUNCTION, "Clip", seed, sequence(2, 4), &[
            nodes(&[("Clip", "x low high", "t")]),
            nodes(&[("Min", "x high", "a"), ("Max", "low a", "t")]),
            nodes(&[("Max", "x low", "a"), ("Min", "a high", "t")]),
        ]);
        alike(&ONE_FUNCTION, "LeakyRelu", seed, |d| sequence(2, 4)(d).weight("slope", &[], vec![0.25]), &[
            Box::new(|net| net.node("LeakyRelu", "x", "t", [float("alpha", 0.25)])),
            nodes(&[("PRelu", "x slope", "t")]),
            nodes(&[("Mul", "x slope", "s"), ("Max", "x s", "t")]),
        ]);
    }

    /// Elements moved in one node and in several.
    #[test]
    fn moves(seed in any::<u64>()) {
        let base = |d: &mut Draw| {
            sequence(4, 6)(d)
                .list("from", &[2])
                .list("to", &[5])
                .list("axis", &[2])
                .list("halves", &[2, 4])
                .constant("picked", Constant::i64(vec![3], vec![2, 3, 4]))
        };
        alike(&ALL, "Slice", seed, base, &[
            nodes(&[("Slice", "x from to axis", "t")]),
            Box::new(|net| net.node("Gather", "x picked", "t", [int("axis", 2)])),
            Box::new(|net| {
                net.node("Split", "x halves", "a b", [int("axis", 2)])
                    .list("start", &[0]).list("end", &[3])
                    .node("Slice", "b start end axis", "t", [])
            }),
        ]);
        alike(&ALL, "DepthToSpace", seed, |d| {
            sequence(4, 6)(d)
                .list("image", &[0, 4, 2, 3])
                .list("blocks", &[0, 2, 2, 1, 2, 3])
                .list("whole", &[0, 1, 4, 6])
                .node("Reshape", "x image", "i", [])
        }, &[
            Box::new(|net| net.node("DepthToSpace", "i", "t", [int("blocksize", 2)])),
            Box::new(|net| {
                net.node("Reshape", "i blocks", "a", [])
                    .node("Transpose", "a", "b", [ints("perm", &[0, 3, 4, 1, 5, 2])])
                    .node("Reshape", "b whole", "t", [])
            }),
        ]);
        alike(&ALL, "Resize", seed, |d| {
            sequence(4, 6)(d)
                .weight("scales", &[3], vec![1.0, 1.0, 2.0])
                .list("wide", &[1, 1, 1, 2])
                .list("flat", &[0, 4, 12])
                .list("new", &[3])
                .constant("doubled", Constant::i64(vec![12], (0..12).map(|i| i / 2).collect()))
        }, &[
            Box::new(|net| {
                net.node("Resize", "x _ scales", "t", [
                    crate::common::string("mode", "nearest"),
                    crate::common::string("nearest_mode", "floor"),
                    crate::common::string("coordinate_transformation_mode", "asymmetric"),
                ])
            }),
            Box::new(|net| net.node("Gather", "x doubled", "t", [int("axis", 2)])),
            nodes(&[("Unsqueeze", "x new", "a"), ("Tile", "a wide", "b"), ("Reshape", "b flat", "t")]),
        ]);
    }

    /// A convolution, and the sum of products that it is.
    #[test]
    fn convolutions(seed in any::<u64>()) {
        // A transposed convolution of stride 1 is a convolution with the kernel reversed, padded on both sides.
        let base = |d: &mut Draw| {
            let k = d.reals(2 * 3 * 2, -1.0, 1.0);
            // `[in, out, taps]` as `[out, in, taps reversed]`.
            let turned = (0..12).map(|i| {
                let (out, input, tap) = (i / 4, i / 2 % 2, i % 2);
                k[input * 6 + out * 2 + (1 - tap)]
            }).collect();
            Net::new().input("x", &[2, 5]).weight("k", &[2, 3, 2], k).weight("r", &[3, 2, 2], turned)
        };
        alike(&ALL, "ConvTranspose", seed, base, &[
            nodes(&[("ConvTranspose", "x k", "s"), ("Relu", "s", "t")]),
            Box::new(|net| {
                net.node("Conv", "x r", "s", [ints("pads", &[1, 1])]).node("Relu", "s", "t", [])
            }),
        ]);
    }

    /// Attention in one node and in products around a softmax.
    #[test]
    fn attention(seed in any::<u64>()) {
        let base = |d: &mut Draw| {
            let mut net = Net::new()
                .input("x", &[3, 4])
                .weight("scale", &[], vec![0.5])
                .weight("root", &[], vec![0.5f64.sqrt()])
                .list("heads", &[0, 1, 3, 4])
                .list("flat", &[0, 3, 4]);
            net.wire.opset = 23;
            ["q", "k", "v"].into_iter().fold(net, |net, name| {
                let weights = format!("w{name}");
                net.weight(&weights, &[4, 4], d.reals(16, -1.0, 1.0))
                    .node("MatMul", &format!("x {weights}"), name, [])
            })
        };
        let transposed = |net: Net| net.node("Transpose", "k", "kt", [ints("perm", &[0, 2, 1])]);
        alike(&CHAINS, "Attention", seed, base, &[
            Box::new(|net| {
                net.node("Attention", "q k v", "t", [int("q_num_heads", 1), int("kv_num_heads", 1)])
            }),
            Box::new(move |net| nodes(&[
                ("MatMul", "q kt", "s"), ("Mul", "s scale", "z"), ("Softmax", "z", "p"), ("MatMul", "p v", "t"),
            ])(transposed(net))),
            // PyTorch shares the scale between queries and keys.
            Box::new(move |net| nodes(&[
                ("Mul", "q root", "qs"), ("Mul", "kt root", "ks"), ("MatMul", "qs ks", "z"),
                ("Softmax", "z", "p"), ("MatMul", "p v", "t"),
            ])(transposed(net))),
            Box::new(|net| {
                net.node("Einsum", "q k", "s", [crate::common::string("equation", "bij,bkj->bik")])
                    .node("Mul", "s scale", "z", [])
                    .node("Softmax", "z", "p", [])
                    .node("Einsum", "p v", "t", [crate::common::string("equation", "bij,bjd->bid")])
            }),
        ]);
    }
}
