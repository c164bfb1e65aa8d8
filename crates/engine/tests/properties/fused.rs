//! What an exporter writes in pieces scores as what another writes in one node (SEMANTICS 3.1).
use proptest::prelude::*;

use crate::common::draw::Draw;
use crate::common::{assert_close, float, int, Named, Net};

const RULES: [&str; 3] = ["rescale", "reveal-cancel", "genomics-default"];

/// Scalars that the pieces use.
fn with_scalars(net: Net) -> Net {
    [("half", 0.5), ("one", 1.0), ("two", 2.0), ("three", 3.0), ("six", 6.0), ("limit", 1.0), ("zero", 0.0)]
        .into_iter()
        .fold(net, |net, (name, v)| net.weight(name, &[], vec![v]))
        .weight("root2", &[], vec![2f64.sqrt()])
        .weight("cubic", &[], vec![0.044715])
        .weight("root2pi", &[], vec![(2.0 / std::f64::consts::PI).sqrt()])
}

/// Nodes from `z` to `a`: operator, inputs, output.
type Pieces = &'static [(&'static str, &'static str, &'static str)];

fn no_attributes(net: Net, pieces: Pieces) -> Net {
    pieces.iter().fold(net, |net, (op, inputs, output)| net.node(op, inputs, output, []))
}

/// A chain of functions without a join: the total multiplier is that of the whole under Rescale, while RevealCancel
/// splits at every link.
const CHAINS: &[(&str, Pieces)] = &[
    ("Softplus", &[("Exp", "z", "p"), ("Add", "p one", "q"), ("Log", "q", "a")]),
    ("Sigmoid", &[("Neg", "z", "p"), ("Exp", "p", "q"), ("Add", "one q", "r"), ("Reciprocal", "r", "a")]),
    ("Sigmoid", &[("Div", "z two", "p"), ("Tanh", "p", "q"), ("Add", "one q", "r"), ("Div", "r two", "a")]),
];

/// A node, its attributes, and its pieces.
type Spelling = (&'static str, &'static [(&'static str, f64)], Pieces);

const SPELLINGS: &[Spelling] = &[
    (
        "Gelu",
        &[],
        &[
            ("Div", "z root2", "p"),
            ("Erf", "p", "q"),
            ("Add", "q one", "r"),
            ("Mul", "z r", "s"),
            ("Mul", "s half", "a"),
        ],
    ),
    ("Swish", &[], &[("Sigmoid", "z", "p"), ("Mul", "z p", "a")]),
    ("Mish", &[], &[("Softplus", "z", "p"), ("Tanh", "p", "q"), ("Mul", "q z", "a")]),
    (
        "Mish",
        &[],
        &[
            ("Exp", "z", "e"),
            ("Add", "e one", "f"),
            ("Log", "f", "p"),
            ("Tanh", "p", "q"),
            ("Mul", "q z", "a"),
        ],
    ),
    (
        "HardSwish",
        &[],
        &[("Add", "z three", "p"), ("Clip", "p zero six", "q"), ("Mul", "z q", "r"), ("Div", "r six", "a")],
    ),
    (
        "HardSwish",
        &[],
        &[
            ("Add", "z three", "p"),
            ("Max", "p zero", "q"),
            ("Min", "six q", "u"),
            ("Mul", "z u", "r"),
            ("Div", "r six", "a"),
        ],
    ),
    ("Softsign", &[], &[("Abs", "z", "p"), ("Add", "one p", "q"), ("Div", "z q", "a")]),
    ("Relu", &[], &[("Max", "z zero", "a")]),
    ("Relu", &[], &[("Greater", "z zero", "p"), ("Where", "p z zero", "a")]),
    ("Relu", &[], &[("Greater", "z zero", "p"), ("Cast", "p", "q"), ("Mul", "q z", "a")]),
    ("Abs", &[], &[("Sign", "z", "p"), ("Mul", "p z", "a")]),
    ("LeakyRelu", &[("alpha", 0.5)], &[("Mul", "half z", "p"), ("Max", "z p", "a")]),
    // The guard against overflow that frameworks write; its branches agree.
    (
        "Softplus",
        &[],
        &[
            ("Greater", "z six", "p"),
            ("Exp", "z", "e"),
            ("Add", "e one", "f"),
            ("Log", "f", "g"),
            ("Softplus", "z", "h"),
            ("Where", "p h g", "a"),
        ],
    ),
];

/// The tanh approximation, whose one node needs an attribute.
const TANH_GELU: Pieces = &[
    ("Mul", "z z", "z2"),
    ("Mul", "z2 z", "z3"),
    ("Mul", "cubic z3", "p"),
    ("Add", "z p", "q"),
    ("Mul", "q root2pi", "r"),
    ("Tanh", "r", "s"),
    ("Add", "one s", "u"),
    ("Mul", "u z", "v"),
    ("Mul", "half v", "a"),
];

/// A dense layer before the function, one after it.
fn around(d: &mut Draw, function: impl Fn(Net) -> Net) -> Net {
    let net = Net::new()
        .input("x", &[4])
        .weight("w", &[4, 5], d.reals(20, -1.0, 1.0))
        .weight("last", &[5, 2], d.reals(10, -1.0, 1.0))
        .node("MatMul", "x w", "z", []);
    function(with_scalars(net)).node("MatMul", "a last", "t", [])
}

pub fn same(a: Net, b: Net, elements: usize, d: &mut Draw, what: &str) {
    same_under(&RULES, a, b, elements, d, what);
}

pub fn same_under(rules: &[&str], a: Net, b: Net, elements: usize, d: &mut Draw, what: &str) {
    let inputs = a.wire.inputs.len();
    let (x, x0): (Vec<_>, Vec<_>) = (0..inputs).map(|_| d.pair(elements, -2.0, 2.0)).unzip();
    for rule in rules {
        let score = |net: &Net| {
            let setup = net.clone().pair("t", x.clone(), x0.clone()).every_element();
            setup.and_then(|s| s.rule(rule).score::<f64>()).unwrap_or_else(|e| panic!("{what}, {rule}: {e}"))
        };
        let (one, other) = (score(&a), score(&b));
        assert_close(&other.output, &one.output, 1e-12, &format!("{what}, {rule}: output"));
        for (other, one) in other.contributions.iter().zip(&one.contributions) {
            assert_close(other, one, 1e-10, &format!("{what}, {rule}: contributions"));
        }
    }
}

proptest! {
    #![proptest_config(crate::common::draw::config(60))]

    #[test]
    fn activations_in_pieces(seed in any::<u64>()) {
        for (op, attributes, pieces) in SPELLINGS {
            let d = &mut Draw(seed);
            let fused = |net: Net| {
                let attributes: Vec<Named> = attributes.iter().map(|(n, v)| float(n, *v)).collect();
                net.node(op, "z", "a", attributes)
            };
            let a = around(d, fused);
            let b = around(&mut Draw(seed), |net| no_attributes(net, pieces));
            same(a, b, 4, d, op);
        }
        for (op, pieces) in CHAINS {
            let d = &mut Draw(seed);
            let a = around(d, |net| net.node(op, "z", "a", []));
            let b = around(&mut Draw(seed), |net| no_attributes(net, pieces));
            same_under(&["rescale"], a, b, 4, d, op);
        }
        let d = &mut Draw(seed);
        let a = around(d, |net| net.node("Gelu", "z", "a", [crate::common::string("approximate", "tanh")]));
        let b = around(&mut Draw(seed), |net| no_attributes(net, TANH_GELU));
        same(a, b, 4, d, "Gelu by tanh");
    }

    /// Pieces that cancel, such as the tail of `1 + tanh`, leave no noise in the multipliers of small differences.
    #[test]
    fn pieces_that_cancel_keep_multipliers_of_small_differences(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let net = Net::new().input("z", &[8]);
        let a = net.clone().node("Gelu", "z", "a", [crate::common::string("approximate", "tanh")]);
        let b = no_attributes(with_scalars(net), TANH_GELU);
        let x = d.reals(8, -8.0, 8.0);
        let x0 = x.iter().map(|x| x + d.real(-1e-13, 1e-13)).collect::<Vec<_>>();
        let multipliers = |net: Net| {
            let setup = net.pair("a", vec![x.clone()], vec![x0.clone()]).seeds(vec![vec![1.0; 8]]);
            setup.score::<f64>().unwrap().multipliers[0].clone()
        };
        assert_close(&multipliers(b), &multipliers(a), 1e-9, "multipliers");
    }

    /// Batch normalisation after a layer is that layer with other weights.
    #[test]
    fn batch_normalisation_folds(seed in any::<u64>()) {
        for conv in [true, false] {
            let d = &mut Draw(seed);
            let (w, c) = (d.reals(24, -1.0, 1.0), d.reals(3, -1.0, 1.0));
            let (g, h, m) = (d.reals(3, -1.5, 1.5), d.reals(3, -1.0, 1.0), d.reals(3, -1.0, 1.0));
            let v = d.reals(3, 0.1, 2.0);
            let scale: Vec<f64> = (0..3).map(|o| g[o] / (v[o] + 1e-5).sqrt()).collect();
            let shift: Vec<f64> = (0..3).map(|o| (c[o] - m[o]) * scale[o] + h[o]).collect();
            // `[out, in, taps]` of a convolution, `[in, out]` of a dense layer.
            let (shape, outs): (Vec<usize>, fn(usize) -> usize) =
                if conv { (vec![3, 4, 2], |i| i / 8) } else { (vec![8, 3], |i| i % 3) };
            let folded = w.iter().enumerate().map(|(i, w)| w * scale[outs(i)]).collect();
            let input: &[usize] = if conv { &[4, 5] } else { &[8] };
            let op = if conv { "Conv" } else { "Gemm" };
            let n = input.iter().product();
            let a = Net::new()
                .input("x", input)
                .weight("w", &shape, folded)
                .weight("c", &[3], shift)
                .node(op, "x w c", "z", [])
                .node("Relu", "z", "t", []);
            let b = Net::new()
                .input("x", input)
                .weight("w", &shape, w)
                .weight("c", &[3], c)
                .weight("g", &[3], g)
                .weight("h", &[3], h)
                .weight("m", &[3], m)
                .weight("v", &[3], v)
                .node(op, "x w c", "y", [])
                .node("BatchNormalization", "y g h m v", "z", [])
                .node("Relu", "z", "t", []);
            same(a, b, n, d, op);
        }
    }

    /// Softmax and log-sum-exp score alike in one node and in pieces, shifted by their maximum or not.
    #[test]
    fn softmax_in_pieces(seed in any::<u64>()) {
        let net = || Net::new().input("x", &[5]).list("axes", &[1]).weight("one", &[], vec![1.0]);
        let shifted = || net().node("ReduceMax", "x axes", "top", []).node("Sub", "x top", "d", []);
        let d = &mut Draw(seed);
        let a = net().node("Softmax", "x", "t", []);
        for exponent in [net().node("Exp", "x", "e", []), shifted().node("Exp", "d", "e", [])] {
            let b = exponent.node("ReduceSum", "e axes", "s", []).node("Div", "e s", "t", []);
            same(a.clone(), b, 5, d, "Softmax");
        }
        let a = net().node("ReduceLogSumExp", "x axes", "t", []);
        let b = net().node("Exp", "x", "e", []).node("ReduceSum", "e axes", "s", []).node("Log", "s", "t", []);
        same(a.clone(), b, 5, d, "ReduceLogSumExp");
        let b = shifted()
            .node("Exp", "d", "e", [])
            .node("ReduceSum", "e axes", "s", [])
            .node("Log", "s", "l", [])
            .node("Add", "l top", "t", []);
        same(a, b, 5, d, "ReduceLogSumExp with a shift");
    }

    /// A shift that varies along the axis is no shift: it is part of the logits.
    #[test]
    fn softmax_of_a_difference_keeps_both_terms(seed in any::<u64>()) {
        let net = || Net::new().input("x", &[5]).input("s", &[5]).list("axes", &[1]).node("Sub", "x s", "d", []);
        let d = &mut Draw(seed);
        let a = net().node("Softmax", "d", "t", []);
        let exp = || net().node("Exp", "d", "e", []).node("ReduceSum", "e axes", "n", []);
        same(a, exp().node("Div", "e n", "t", []), 5, d, "Softmax");
        let a = net().node("ReduceLogSumExp", "d axes", "l", []).node("Add", "l s", "t", []);
        let b = exp().node("Log", "n", "l", []).node("Add", "l s", "t", []);
        same(a, b, 5, d, "ReduceLogSumExp");
    }

    /// The same layer written as Gemm, as a transposed Gemm, as MatMul and Add, and as a convolution of width 1.
    #[test]
    fn dense_layers_in_other_words(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let (w, c) = (d.reals(12, -1.0, 1.0), d.reals(3, -1.0, 1.0));
        let transposed: Vec<f64> = (0..12).map(|i| w[i % 4 * 3 + i / 4]).collect();
        let net = || Net::new().input("x", &[4]).weight("c", &[3], c.clone());
        let a = net().weight("w", &[4, 3], w.clone()).node("Gemm", "x w c", "z", []).node("Relu", "z", "t", []);
        let gemm = net()
            .weight("w", &[3, 4], transposed.clone())
            .node("Gemm", "x w c", "z", [int("transB", 1)])
            .node("Relu", "z", "t", []);
        let matmul = net()
            .weight("w", &[4, 3], w.clone())
            .node("MatMul", "x w", "y", [])
            .node("Add", "c y", "z", [])
            .node("Relu", "z", "t", []);
        same(a.clone(), gemm, 4, d, "Gemm");
        same(a, matmul, 4, d, "MatMul");
    }
}
