//! Every instruction set of this machine gives the same scores up to rounding: those of a float64 run, to a few
//! millionths of the largest. The choice is made once per process, so each set gets a process of its own: this test binary, run again.
use std::collections::HashMap;
use std::process::Command;

use deeplift_engine::options::References;
use deeplift_engine::score::{Scores, Values};
use deeplift_graph::operator::Precision;
use deeplift_simd::Isa;

use crate::common::draw::Draw;
use crate::common::{int, ints, Net, Setup};

/// Weights as large as keeps signals their size through layers with ReLU, less the mean of each filter.
fn filters(d: &mut Draw, outs: usize, fan_in: usize) -> Vec<f64> {
    let mut all = Vec::new();
    for _ in 0..outs {
        let w = d.reals(fan_in, -(6.0 / fan_in as f64).sqrt(), (6.0 / fan_in as f64).sqrt());
        let mean = w.iter().sum::<f64>() / fan_in as f64;
        all.extend(w.iter().map(|w| w - mean));
    }
    all
}

/// Two random one-hot examples with two references each, and value 0 of `t`.
fn sequences(net: Net, length: usize, d: &mut Draw) -> Setup {
    let mut one_hot = |count: usize| {
        let mut all = vec![0.0; count * 4 * length];
        for i in 0..count * length {
            all[(i / length * 4 + d.int(0, 3)) * length + i % length] = 1.0;
        }
        Some(Values::F64(all))
    };
    let mut s = Setup::new(net, "t");
    s.examples = 2;
    s.x = one_hot(2).into_iter().collect();
    s.references = vec![one_hot(4)];
    s.options.references = vec![References::PerExample { count: 2 }];
    s
}

/// BPNet's layers: wide first filters, dilated residual ones, a crop.
fn bpnet(channels: usize, length: usize, d: &mut Draw) -> Setup {
    let mut net = Net::new()
        .input("x", &[4, length])
        .weight("first", &[channels, 4, 21], filters(d, channels, 84))
        .node("Conv", "x first", "z", [ints("pads", &[10, 10])])
        .node("Relu", "z", "h0", []);
    for layer in 0..6 {
        let (dilation, w) = (2usize << layer, format!("w{layer}"));
        let attributes = [ints("pads", &[dilation, dilation]), ints("dilations", &[dilation])];
        net = net
            .weight(&w, &[channels, channels, 3], filters(d, channels, 3 * channels))
            .node("Conv", &format!("h{layer} {w}"), &format!("z{layer}"), attributes)
            .node("Relu", &format!("z{layer}"), &format!("a{layer}"), [])
            .node("Add", &format!("h{layer} a{layer}"), &format!("h{}", layer + 1), []);
    }
    net = net
        .list("start", &[length as i64 / 4])
        .list("end", &[length as i64 * 3 / 4])
        .list("axis", &[2])
        .weight("last", &[channels, 1], d.reals(channels, -0.5, 0.5))
        .node("Slice", "h6 start end axis", "seen", [])
        .node("GlobalAveragePool", "seen", "mean", [])
        .node("Flatten", "mean", "flat", [])
        .node("MatMul", "flat last", "t", []);
    sequences(net, length, d)
}

/// Filters of 11 and 7 taps, with maxima between them and dense layers behind.
fn basset(d: &mut Draw) -> Setup {
    let pool = || [ints("kernel_shape", &[3]), ints("strides", &[3])];
    let net = Net::new()
        .input("x", &[4, 200])
        .weight("w1", &[90, 4, 19], filters(d, 90, 76))
        .weight("w2", &[50, 90, 11], filters(d, 50, 990))
        .weight("w3", &[50, 50, 7], filters(d, 50, 350))
        .weight("v", &[50 * 14, 60], d.reals(50 * 14 * 60, -0.08, 0.08))
        .weight("u", &[60, 1], d.reals(60, -0.3, 0.3))
        .node("Conv", "x w1", "z1", [])
        .node("Relu", "z1", "a1", [])
        .node("MaxPool", "a1", "p1", pool())
        .node("Conv", "p1 w2", "z2", [])
        .node("Relu", "z2", "a2", [])
        .node("Conv", "a2 w3", "z3", [])
        .node("Relu", "z3", "a3", [])
        .node("MaxPool", "a3", "p3", pool())
        .node("Flatten", "p3", "f", [])
        .node("MatMul", "f v", "z4", [])
        .node("Relu", "z4", "a4", [])
        .node("MatMul", "a4 u", "t", []);
    sequences(net, 200, d)
}

/// Layers of odd sizes: remainders of every vector width.
fn odd() -> Setup {
    let mut d = Draw(3);
    let net = Net::new()
        .input("x", &[5, 37])
        .weight("w", &[19, 5, 3], d.reals(285, -0.5, 0.5))
        .weight("c", &[19], d.reals(19, -0.1, 0.1))
        .weight("each", &[19, 1, 3], d.reals(57, -0.7, 0.7))
        .weight("v", &[19, 7], d.reals(133, -0.4, 0.4))
        .weight("u", &[7, 3], d.reals(21, -0.6, 0.6))
        .node("Conv", "x w c", "h1", [ints("dilations", &[2])])
        .node("Relu", "h1", "a1", [])
        .node("Conv", "a1 each", "h2", [ints("pads", &[1, 1]), int("group", 19)])
        .node("Sigmoid", "h2", "g", [])
        .node("Mul", "a1 g", "m", [])
        .node("MaxPool", "m", "p", [ints("kernel_shape", &[3]), ints("strides", &[2])])
        .node("GlobalAveragePool", "p", "q", [])
        .node("Flatten", "q", "f", [])
        .node("MatMul", "f v", "h3", [])
        .node("Relu", "h3", "a3", [])
        .node("MatMul", "a3 u", "h4", [])
        .node("Softmax", "h4", "t", []);
    let mut s = Setup::new(net, "t").rule("genomics-default").seeds(vec![vec![1.0, -0.5, 0.2]]);
    s.examples = 3;
    s.x = vec![Values::F64(d.reals(3 * 185, -1.0, 1.0))];
    s.options.references = vec![References::PerExample { count: 2 }];
    s.references = vec![Some(Values::F64(d.reals(6 * 185, -1.0, 1.0)))];
    s
}

fn setups() -> Vec<(&'static str, Setup)> {
    let d = &mut Draw(5);
    vec![("odd", odd()), ("bpnet", bpnet(64, 300, d)), ("wide", bpnet(256, 140, d)), ("basset", basset(d))]
}

fn print<T: Precision>(precision: &str) {
    for (name, setup) in setups() {
        let s: Scores<T> = setup.score().unwrap();
        let all = s.contributions[0].iter().map(|c| c.to_f64());
        println!("{name}-{precision} {}", all.map(|v| format!("{v:e}")).collect::<Vec<_>>().join(" "));
        println!(
            "{name}-{precision}-completeness {:e}",
            s.completeness.iter().fold(0.0f64, |m, &c| m.max(c))
        );
    }
}

/// The part that the other processes run.
#[test]
#[ignore = "run by the test below, under each instruction set"]
fn scores() {
    println!("isa {}", Isa::active());
    print::<f32>("float32");
    print::<f64>("float64");
}

/// What this binary prints under an instruction set, by the first word of each line.
fn run(isa: Isa) -> HashMap<String, Vec<f64>> {
    let me = std::env::current_exe().unwrap();
    let out = Command::new(me)
        .args(["instruction_sets::scores", "--exact", "--ignored", "--nocapture"])
        .env("DEEPLIFT_ISA", isa.name())
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains(&format!("isa {isa}\n")), "{isa}: {text}");
    // The first line may follow what the test runner prints.
    let numbers = |line: &str| -> Option<(String, Vec<f64>)> {
        let (name, values) = line.split_once(' ')?;
        Some((name.into(), values.split(' ').map(|v| v.parse().ok()).collect::<Option<_>>()?))
    };
    text.lines().filter_map(numbers).collect()
}

#[test]
fn scores_agree_between_instruction_sets() {
    let all: Vec<_> = Isa::available().into_iter().map(|isa| (isa, run(isa))).collect();
    for (name, _) in setups() {
        let exact = &all[0].1[&format!("{name}-float64")];
        let largest = |values: &[f64]| values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for (isa, found) in &all {
            let apart = |precision: &str| {
                let values = &found[&format!("{name}-{precision}")];
                assert_eq!(values.len(), exact.len());
                largest(&values.iter().zip(exact).map(|(v, e)| v - e).collect::<Vec<_>>()) / largest(exact)
            };
            let completeness = |precision: &str| found[&format!("{name}-{precision}-completeness")][0];
            println!(
                "{name} {isa}: float32 {:.1e}, complete to {:.1e}",
                apart("float32"),
                completeness("float32")
            );
            assert!(apart("float64") <= 1e-13, "{name}, {isa}: float64 {:e}", apart("float64"));
            // With random weights, contributions are small beside the activations that round.
            assert!(apart("float32") <= 2e-6, "{name}, {isa}: float32 {:e}", apart("float32"));
            assert!(
                completeness("float32") <= 1e-5,
                "{name}, {isa}: complete to {:e}",
                completeness("float32")
            );
            assert!(
                completeness("float64") <= 1e-12,
                "{name}, {isa}: complete to {:e}",
                completeness("float64")
            );
        }
    }
}
