//! Rules beyond the three that sum up, and the variants of rules that other implementations have, against what their
//! definitions say.
use deeplift_engine::options::{Override, References, Variants};
use deeplift_engine::score::{Scores, Values};
use deeplift_engine::trace::trace;
use proptest::prelude::*;

use crate::common::draw::Draw;
use crate::common::{assert_close, int, ints, Net, Setup};
use crate::networks::{draw, Kind};

fn score(setup: &Setup) -> Scores<f64> {
    setup.score().unwrap_or_else(|e| panic!("{e}"))
}

/// `t = V f(W x + b)` and everything it is made of.
struct TwoLayers {
    net: Net,
    w: Vec<f64>,
    b: Vec<f64>,
    v: Vec<f64>,
}

const INPUTS: usize = 3;
const HIDDEN: usize = 5;

impl TwoLayers {
    fn new(f: &str, d: &mut Draw) -> Self {
        let (w, b, v) = (d.reals(15, -1.0, 1.0), d.reals(5, -0.5, 0.5), d.reals(5, -1.0, 1.0));
        let net = Net::new()
            .input("x", &[INPUTS])
            .weight("w", &[INPUTS, HIDDEN], w.clone())
            .weight("b", &[HIDDEN], b.clone())
            .weight("v", &[HIDDEN, 1], v.clone())
            .node("Gemm", "x w b", "z", [])
            .node(f, "z", "a", [])
            .node("MatMul", "a v", "t", []);
        TwoLayers { net, w, b, v }
    }

    fn z(&self, x: &[f64]) -> Vec<f64> {
        let one = |j: usize| self.b[j] + (0..INPUTS).map(|i| x[i] * self.w[i * HIDDEN + j]).sum::<f64>();
        (0..HIDDEN).map(one).collect()
    }

    /// Multipliers of the inputs from those of the hidden layer.
    fn back(&self, m: impl Fn(usize) -> f64) -> Vec<f64> {
        (0..INPUTS).map(|i| (0..HIDDEN).map(|j| self.w[i * HIDDEN + j] * m(j)).sum()).collect()
    }

    fn multipliers(&self, rule: &str, x: &[f64], x0: &[f64]) -> Vec<f64> {
        let setup = self.net.clone().pair("t", vec![x.to_vec()], vec![x0.to_vec()]).rule(rule);
        score(&setup).multipliers[0].clone()
    }
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

proptest! {
    #![proptest_config(crate::common::draw::config(40))]

    /// SEMANTICS 1.6, written out.
    #[test]
    fn guided_rules_and_deconvnet(seed in any::<u64>()) {
        let mut d = Draw(seed);
        let (x, x0) = (d.reals(INPUTS, -2.0, 2.0), d.reals(INPUTS, -2.0, 2.0));
        let relu = |z: f64| z.max(0.0);
        let layers = TwoLayers::new("Relu", &mut d);
        let (z, z0, v) = (layers.z(&x), layers.z(&x0), layers.v.clone());
        let slope = |j: usize| f64::from(u8::from(z[j] > 0.0));
        let ratio = |j: usize| (relu(z[j]) - relu(z0[j])) / (z[j] - z0[j]);
        let found = |rule| layers.multipliers(rule, &x, &x0);
        assert_close(&found("guided-backprop"), &layers.back(|j| slope(j) * relu(v[j])), 1e-12, "guided");
        let expected = layers.back(|j| ratio(j) * relu(v[j]));
        assert_close(&found("guided-backprop-rescale"), &expected, 1e-12, "guided rescale");
        assert_close(&found("deconvnet"), &layers.back(|j| relu(v[j])), 1e-12, "deconvnet");
        let smooth = TwoLayers::new("Sigmoid", &mut d);
        let (z, v) = (smooth.z(&x), smooth.v.clone());
        let slope = |j: usize| sigmoid(z[j]) * (1.0 - sigmoid(z[j]));
        let found = |rule| smooth.multipliers(rule, &x, &x0);
        assert_close(&found("guided-backprop"), &smooth.back(|j| slope(j) * relu(v[j])), 1e-12, "guided sigmoid");
        assert_close(&found("deconvnet"), &smooth.back(|j| sigmoid(v[j])), 1e-12, "deconvnet sigmoid");
    }

    /// The mean of gradients at the midpoints, times the difference.
    #[test]
    fn integrated_gradients(seed in any::<u64>()) {
        let mut d = Draw(seed);
        let network = draw(Kind::Any, &mut d);
        let n = network.channels * network.length;
        let (x, x0) = (d.reals(n, -1.0, 1.0), d.reals(2 * n, -1.0, 1.0));
        let steps = d.int(1, 4);
        let mut setup = network.net.pair("t", vec![x.clone()], vec![x0.clone()]);
        setup.options.references = vec![References::PerExample { count: 2 }];
        let mut along = setup.clone().rule("integrated-gradients");
        along.options.steps = Some(steps);
        let found = score(&along);
        let mut expected = vec![0.0; n];
        for r in 0..2 {
            for k in 0..steps {
                let at = (k as f64 + 0.5) / steps as f64;
                let point = (0..n).map(|i| x0[r * n + i] + at * (x[i] - x0[r * n + i])).collect();
                let mut one = setup.clone().rule("gradient");
                one.x = vec![Values::F64(point)];
                let m = score(&one).multipliers.swap_remove(0);
                let share = 0.5 / steps as f64;
                (0..n).for_each(|i| expected[i] += share * m[i] * (x[i] - x0[r * n + i]));
            }
        }
        assert_close(&found.contributions[0], &expected, 1e-11, "contributions");
        let whole = score(&setup);
        assert_close(&found.reference_output, &whole.reference_output, 1e-12, "f(reference)");
    }

    /// Every way of sharing a maximum but the original's sums up; on windows of one they are the same.
    #[test]
    fn maxima(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let (x, x0) = d.pair(24, -1.0, 1.0);
        let kernel = d.int(1, 4);
        let net = Net::new()
            .input("x", &[2, 12])
            .weight("v", &[2, 1], vec![1.0, -0.7])
            .node("MaxPool", "x", "p", [ints("kernel_shape", &[kernel]), ints("strides", &[d.int(1, 2)])])
            .node("ReduceMax", "p axes", "q", [int("keepdims", 0)])
            .list("axes", &[2])
            .node("MatMul", "q v", "t", []);
        let setup = net.pair("t", vec![x.clone()], vec![x0.clone()]);
        for rule in ["cross", "path", "shapley"] {
            for of_all in ["rescale", "reveal-cancel"] {
                let mut setup = setup.clone().rule(of_all);
                setup.options.variants.max_pool = Some(rule.into());
                let s = score(&setup);
                assert!(s.completeness[0] < 1e-12, "{rule}, {of_all}: {:e}", s.completeness[0]);
            }
        }
        let with = |rule: &str| {
            let mut setup = setup.clone();
            setup.options.variants.max_pool = Some(rule.into());
            score(&setup).multipliers.swap_remove(0)
        };
        let gradient = score(&setup.clone().rule("gradient")).multipliers.swap_remove(0);
        assert_close(&with("argmax"), &gradient, 0.0, "argmax is the gradient of a maximum");
    }

    /// The rules of softmax that peers have: one sums up, one does not and says so, and neither touches a gradient.
    #[test]
    fn softmax_variants(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let (x, x0) = (d.reals(6, -2.0, 2.0), d.reals(6, -2.0, 2.0));
        let net = Net::new().input("x", &[6]).node("Softmax", "x", "t", [int("axis", 1)]);
        let weights = d.reals(6, -1.0, 1.0);
        let setup = net.pair("t", vec![x.clone()], vec![x0.clone()]).seeds(vec![weights.clone()]);
        let with = |variant: &str, rule: &str| {
            let mut s = setup.clone().rule(rule);
            s.options.variants.softmax = Some(variant.into());
            let plan = s.program::<f64>().unwrap();
            let complete = deeplift_engine::describe::describe(&plan.plan)["completeRule"].as_bool().unwrap();
            (score(&s), complete)
        };
        let (exact, complete) = with("logmean", "rescale");
        assert!(complete && exact.completeness[0] < 1e-13);
        let (found, complete) = with("decomposed", "rescale");
        assert!(complete && found.completeness[0] < 1e-12, "{:e}", found.completeness[0]);
        let (found, complete) = with("elementwise", "rescale");
        let softmax = |x: &[f64]| {
            let sum: f64 = x.iter().map(|v| v.exp()).sum();
            x.iter().map(|v| v.exp() / sum).collect::<Vec<_>>()
        };
        let (p, q) = (softmax(&x), softmax(&x0));
        let expected: Vec<f64> = (0..6).map(|i| weights[i] * (p[i] - q[i])).collect();
        assert_close(&found.contributions[0], &expected, 1e-12, "elementwise");
        assert!(!complete || found.completeness[0] < 1e-12);
        let gradient = |variant| with(variant, "gradient").0.multipliers.swap_remove(0);
        assert_close(&gradient("elementwise"), &gradient("logmean"), 0.0, "gradient");
    }

    /// Quotients of other implementations: the same but for small differences, where they take a derivative.
    #[test]
    fn near_zero(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let layers = TwoLayers::new("Tanh", d);
        let x = d.reals(INPUTS, -1.0, 1.0);
        for (name, threshold, at_reference) in
            [("deeplift", 1e-7, true), ("captum", 1e-10, false), ("shap", 1e-6, true), ("tangermeme", 1e-6, false)]
        {
            for size in [1.0, threshold * 10.0, threshold * 0.01] {
                let x0: Vec<f64> = x.iter().map(|x| x + size * d.real(0.5, 1.0)).collect();
                let (z, z0) = (layers.z(&x), layers.z(&x0));
                let m = |j: usize| {
                    let slope = |z: f64| 1.0 - z.tanh() * z.tanh();
                    match (z[j] - z0[j]).abs() < threshold {
                        true => slope(if at_reference { z0[j] } else { z[j] }),
                        false => (z[j].tanh() - z0[j].tanh()) / (z[j] - z0[j]),
                    }
                };
                let expected = layers.back(|j| m(j) * layers.v[j]);
                let mut setup = layers.net.clone().pair("t", vec![x.clone()], vec![x0.clone()]);
                setup.options.variants = Variants { near_zero: Some(name.into()), ..Variants::default() };
                // A quotient of tiny differences is as good as its numerator.
                let tolerance = (1e-15 / (size * 0.1)).max(1e-10);
                assert_close(&score(&setup).multipliers[0], &expected, tolerance, name);
            }
        }
    }

    /// What flows into a step flows out of it under complete rules, and the trace blames the steps that have another.
    #[test]
    fn traces(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let network = draw(Kind::Any, d);
        let (x, x0) = d.pair(network.channels * network.length, -1.5, 1.5);
        for rule in ["rescale", "reveal-cancel", "genomics-default"] {
            let mut setup = network.net.clone().pair("t", vec![x.clone()], vec![x0.clone()]).rule(rule);
            setup.options.trace = true;
            let program = setup.program::<f64>().unwrap();
            let rows = trace(&program, &setup.batch(), &|| false).unwrap();
            assert!(rows.iter().all(|r| r.relative < 1e-10), "{rule}: {:?}", rows[0]);
        }
    }
}

#[test]
fn the_trace_names_the_node() {
    let mut d = Draw(3);
    let layers = TwoLayers::new("Relu", &mut d);
    let mut setup = layers.net.pair("t", vec![vec![1.0, -1.0, 0.5]], vec![vec![-1.0, 1.0, -0.5]]);
    setup.options.overrides = vec![Override { node: "a*".into(), rule: "gradient".into() }];
    setup.options.trace = true;
    let program = setup.program::<f64>().unwrap();
    let rows = trace(&program, &setup.batch(), &|| false).unwrap();
    assert_eq!((rows[0].node.as_str(), rows[0].rule), ("a_node", "gradient"));
    let lost = score(&setup).completeness[0];
    assert!((rows[0].relative - lost).abs() < 1e-12 && lost > 0.01, "{rows:?} {lost}");
    assert!(rows[1..].iter().all(|r| r.relative < 1e-14));
}
