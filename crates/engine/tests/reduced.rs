//! Products of bf16, emulated: how far scores are from those in double precision.
//!
//! A test binary of its own, because the emulation is chosen by the environment of the process.
#[path = "common/mod.rs"]
mod common;

use common::draw::Draw;
use common::{int, ints, Net, Setup};
use deeplift_engine::describe::describe;
use deeplift_engine::options::{Precision, References};
use deeplift_engine::score::{Scores, Values};
use std::sync::LazyLock;

/// Chooses the emulation before anything asks which unit there is.
fn emulate() {
    static ONCE: LazyLock<()> = LazyLock::new(|| std::env::set_var("DEEPLIFT_AMX", "emulate"));
    LazyLock::force(&ONCE);
}

/// Weights of the size that keeps activations of unit variance, less the mean of each filter: the mean of positive
/// activations would otherwise pile up into an offset beside which differences are lost to rounding.
fn weights(d: &mut Draw, shape: &[usize]) -> Vec<f64> {
    let fan_in: usize = shape[1..].iter().product();
    let limit = (6.0 / fan_in as f64).sqrt();
    let mut all = d.reals(shape.iter().product(), -limit, limit);
    for filter in all.chunks_mut(fan_in) {
        let mean = filter.iter().sum::<f64>() / fan_in as f64;
        filter.iter_mut().for_each(|w| *w -= mean);
    }
    all
}

/// Adds a convolution of `[outs, ins, k]` with a bias and, on request, a rectifier.
fn conv(
    net: Net,
    d: &mut Draw,
    (name, from): (&str, &str),
    shape: [usize; 3],
    (dilation, pad): (usize, usize),
    relu: bool,
) -> Net {
    let [w, b, z] = ["w", "b", "z"].map(|part| format!("{name}{part}"));
    let net =
        net.weight(&w, &shape, weights(d, &shape)).weight(&b, &[shape[0]], d.reals(shape[0], -0.1, 0.1));
    let attributes = [ints("dilations", &[dilation]), ints("pads", &[pad, pad])];
    let out = if relu { &z } else { name };
    let net = net.node("Conv", &format!("{from} {w} {b}"), out, attributes);
    if relu {
        net.node("Relu", &z, name, [])
    } else {
        net
    }
}

/// Dilated residual convolutions of 64 channels and a mean over positions, as BPNet's counts head.
fn bpnet(d: &mut Draw) -> Net {
    let mut net = Net::new().input("x", &[4, 200]);
    net = conv(net, d, ("a0", "x"), [64, 4, 21], (1, 10), true);
    for i in 1..6 {
        let (name, from, relu) = (format!("a{i}"), format!("a{}", i - 1), format!("r{i}"));
        net = conv(net, d, (&relu, &from), [64, 64, 3], (1 << i, 1 << i), true);
        net = net.node("Add", &format!("{from} {relu}"), &name, []);
    }
    let head = weights(d, &[1, 64]);
    net.node("GlobalAveragePool", "a5", "mean", [])
        .node("Flatten", "mean", "flat", [])
        .weight("hw", &[64, 1], head)
        .weight("hb", &[1], vec![0.1])
        .node("Gemm", "flat hw hb", "t", [])
}

/// Two convolutions, a mean over positions and two dense layers: the paper's genomics network.
fn genomics(d: &mut Draw) -> Net {
    let mut net = Net::new().input("x", &[4, 200]);
    net = conv(net, d, ("c1", "x"), [50, 4, 11], (1, 0), true);
    net = conv(net, d, ("c2", "c1"), [50, 50, 11], (1, 0), true);
    let [w3, w4] = [weights(d, &[50, 50]), weights(d, &[2, 50])];
    net.node("GlobalAveragePool", "c2", "p", [])
        .node("Flatten", "p", "flat", [])
        .weight("w3", &[50, 50], w3)
        .weight("b3", &[50], d.reals(50, -0.1, 0.1))
        .node("Gemm", "flat w3 b3", "z3", [int("transB", 1)])
        .node("Relu", "z3", "a3", [])
        .weight("w4", &[2, 50], w4)
        .weight("b4", &[2], vec![0.05, -0.05])
        .node("Gemm", "a3 w4 b4", "t", [int("transB", 1)])
}

/// References per example.
const REFERENCES: usize = 3;

/// Scores of sequences against references that are other sequences.
fn setup(net: Net, rule: &str, precision: Precision) -> Setup {
    let mut d = Draw(11);
    let one_hot = |d: &mut Draw, n: usize| -> Vec<f64> {
        let mut x = vec![0.0; n * 800];
        for (example, position) in (0..n).flat_map(|e| (0..200).map(move |p| (e, p))) {
            x[example * 800 + d.int(0, 3) * 200 + position] = 1.0;
        }
        x
    };
    let mut setup = Setup::new(net, "t").rule(rule);
    setup.options.precision = precision;
    setup.options.references = vec![References::PerExample { count: REFERENCES }];
    setup.examples = 2;
    setup.x = vec![Values::F64(one_hot(&mut d, 2))];
    setup.references = vec![Some(Values::F64(one_hot(&mut d, 2 * REFERENCES)))];
    setup
}

/// Largest error of contributions relative to the largest one, and largest completeness error.
fn errors(found: &Scores<f32>, exact: &Scores<f64>) -> (f64, f64) {
    let [found_all, exact_all] = [
        found.contributions[0].iter().map(|&c| f64::from(c)).collect::<Vec<_>>(),
        exact.contributions[0].clone(),
    ];
    let largest = exact_all.iter().fold(0.0f64, |m, c| m.max(c.abs()));
    let error = found_all.iter().zip(&exact_all).fold(0.0f64, |m, (f, e)| m.max((f - e).abs()));
    (error / largest, found.completeness.iter().fold(0.0, |m, &c| m.max(c)))
}

#[test]
fn scores_are_within_the_stated_errors_of_double_precision() {
    emulate();
    let networks = [("bpnet", bpnet(&mut Draw(3))), ("genomics", genomics(&mut Draw(3)))];
    let cases = networks.iter().flat_map(|n| [(n, "rescale"), (n, "genomics-default")]);
    for ((name, net), rule) in cases {
        let exact = setup(net.clone(), rule, Precision::Float64).score::<f64>().expect("it scores");
        let mut better = 0.0;
        for (precision, error, completeness) in
            [(Precision::Bf16x6, 2e-6, 1e-5), (Precision::Bf16x3, 5e-5, 1e-4), (Precision::Bf16, 5e-2, 5e-2)]
        {
            let scores = setup(net.clone(), rule, precision).score::<f32>().expect("it scores");
            let (e, c) = errors(&scores, &exact);
            println!("{name} {rule} {}: error {e:.1e}, completeness {c:.1e}", precision.name());
            assert!(e <= error, "{name} {rule} {precision:?}: error {e}");
            assert!(c <= completeness, "{name} {rule} {precision:?}: completeness {c}");
            // Products are really those that were asked for: fewer are less exact.
            assert!(e > 10.0 * better, "{name} {rule} {precision:?}: error {e}");
            better = e;
        }
    }
}

#[test]
fn scores_do_not_depend_on_batch_mates() {
    emulate();
    let all = setup(genomics(&mut Draw(3)), "rescale", Precision::Bf16x3);
    let both = all.score::<f32>().expect("it scores");
    let mut second = all.clone();
    let tail = |values: &Values, from: usize| match values {
        Values::F64(v) => Values::F64(v[from..].to_vec()),
        _ => unreachable!("the setup holds doubles"),
    };
    second.first = 1;
    second.examples = 1;
    second.x = vec![tail(&all.x[0], 800)];
    second.references = vec![all.references[0].as_ref().map(|r| tail(r, 800 * REFERENCES))];
    let alone = second.score::<f32>().expect("it scores");
    assert_eq!(alone.contributions[0], both.contributions[0][800..]);
}

#[test]
fn the_plan_says_which_steps_have_products_of_bf16() {
    emulate();
    let plan = |precision| {
        let program = setup(genomics(&mut Draw(3)), "rescale", precision).program::<f32>().expect("a plan");
        describe(&program.plan)
    };
    let reduced = plan(Precision::Bf16x3);
    assert_eq!((&reduced["precision"], &reduced["bf16Unit"]), (&"bf16x3".into(), &"emulated".into()));
    let kernels: Vec<&str> = reduced["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter(|s| ["convolution", "dense"].iter().any(|kind| s["structure"] == *kind))
        .map(|s| s["forward"]["kernel"].as_str().expect("a kernel"))
        .collect();
    // Tables of letters are exact, and need no products.
    assert!(kernels[0].contains("tables of"), "{kernels:?}");
    // Two outputs would fill an eighth of a tile.
    assert_eq!(kernels[1..3], ["bf16 x3"; 2]);
    assert!(kernels[3].starts_with("dense"), "{kernels:?}");
    assert!(reduced["warnings"][0].as_str().is_some_and(|w| w.contains("emulate")), "{reduced}");
    let floats = plan(Precision::Float32);
    assert_eq!((&floats["precision"], &floats["bf16Unit"]), (&"float32".into(), &serde_json::Value::Null));
}
