//! Every instruction set of this machine gives the same scores up to rounding. The choice is made once per process, so
//! each set gets a process of its own: this test binary, run again.
use std::process::Command;

use deeplift_engine::options::References;
use deeplift_engine::score::{Scores, Values};
use deeplift_graph::operator::Precision;
use deeplift_simd::Isa;

use crate::common::draw::Draw;
use crate::common::{int, ints, Net, Setup};

/// Layers of odd sizes: remainders of every vector width.
fn setup() -> Setup {
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

fn print<T: Precision>(name: &str) {
    let s: Scores<T> = setup().score().unwrap();
    let all = s.contributions[0].iter().map(|c| c.to_f64()).chain(s.output.iter().copied());
    println!("{name} {}", all.map(|v| format!("{v:e}")).collect::<Vec<_>>().join(" "));
}

/// The part that the other processes run.
#[test]
#[ignore = "run by the test below, under each instruction set"]
fn scores() {
    println!("isa {}", Isa::active());
    print::<f32>("float32");
    print::<f64>("float64");
}

#[test]
fn scores_agree_between_instruction_sets() {
    let run = |isa: Isa| -> (Vec<f64>, Vec<f64>) {
        let me = std::env::current_exe().unwrap();
        let out = Command::new(me)
            .args(["instruction_sets::scores", "--exact", "--ignored", "--nocapture"])
            .env("DEEPLIFT_ISA", isa.name())
            .output()
            .unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        let line = |name: &str| {
            let found = text.lines().find_map(|l| l.split_once(&format!("{name} ")).map(|(_, rest)| rest));
            found.unwrap_or_else(|| panic!("{isa}: no {name} in {text}")).to_string()
        };
        assert_eq!(line("isa"), isa.name());
        let numbers = |name: &str| line(name).split(' ').map(|v| v.parse().unwrap()).collect();
        (numbers("float32"), numbers("float64"))
    };
    let all: Vec<_> = Isa::available().into_iter().map(run).collect();
    for (single, double) in &all {
        let scale = all[0].1.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for i in 0..double.len() {
            assert!((double[i] - all[0].1[i]).abs() <= 1e-13 * scale, "float64, element {i}");
            assert!((single[i] - all[0].1[i]).abs() <= 1e-6 * scale, "float32, element {i}");
        }
    }
}
