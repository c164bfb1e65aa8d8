//! Fused kernels, sums in place and convolutions that leave out what a crop cuts off give the scores of a plan that
//! takes no shortcut: that of a trace, which computes every step by itself and every element.
use deeplift_graph::operator::Pass;
use proptest::prelude::*;

use crate::common::draw::Draw;
use crate::common::{assert_close, ints, Named, Net};

const RULES: [&str; 5] = ["rescale", "reveal-cancel", "genomics-default", "gradient", "guided-backprop"];

/// Residual blocks, plain layers, branches and crops over `[3, length]` in random order, with a target `t` of two values.
fn network(d: &mut Draw, length: usize) -> Net {
    let mut net = Net::new().input("x", &[3, length]).list("axis", &[2]);
    let (mut at, mut length, mut made) = (String::from("x"), length, 0);
    let mut node = |net: &mut Net, op: &str, inputs: &str, attributes: Vec<Named>| {
        made += 1;
        let out = format!("h{made}");
        *net = net.clone().node(op, inputs, &out, attributes);
        out
    };
    for layer in 0..d.int(2, 7) {
        let conv = |net: &mut Net, d: &mut Draw, from: &str, which: &str| {
            let dilation = d.int(1, 3);
            let w = format!("w{layer}{which}");
            *net = net.clone().weight(&w, &[3, 3, 3], d.reals(27, -0.6, 0.6));
            (format!("{from} {w}"), vec![ints("pads", &[dilation, dilation]), ints("dilations", &[dilation])])
        };
        let activation = d.pick(&["Relu", "Relu", "Relu", "Tanh"]);
        match d.int(0, 5) {
            0 if length > 6 => {
                let (start, end) = (d.int(0, 2), length - d.int(0, 2));
                let bounds = [format!("s{layer}"), format!("e{layer}")];
                net = net.clone().list(&bounds[0], &[start as i64]).list(&bounds[1], &[end as i64]);
                at = node(&mut net, "Slice", &format!("{at} {} {} axis", bounds[0], bounds[1]), vec![]);
                length = end - start;
            }
            1 => {
                let (inputs, attributes) = conv(&mut net, d, &at, "a");
                let z = node(&mut net, "Conv", &inputs, attributes);
                at = node(&mut net, activation, &z, vec![]);
            }
            2 => {
                // Two branches, one of which may feed both.
                let (inputs, attributes) = conv(&mut net, d, &at, "a");
                let z = node(&mut net, "Conv", &inputs, attributes);
                let y = node(&mut net, activation, &z, vec![]);
                let from = if d.coin() { y.clone() } else { at.clone() };
                let (inputs, attributes) = conv(&mut net, d, &from, "b");
                let z = node(&mut net, "Conv", &inputs, attributes);
                let b = node(&mut net, activation, &z, vec![]);
                at = node(&mut net, "Add", &format!("{y} {b}"), vec![]);
            }
            3 => {
                // The sum comes before the activation.
                let (inputs, attributes) = conv(&mut net, d, &at, "a");
                let z = node(&mut net, "Conv", &inputs, attributes);
                let sum = node(&mut net, "Add", &format!("{z} {at}"), vec![]);
                at = node(&mut net, activation, &sum, vec![]);
            }
            _ => {
                let (inputs, attributes) = conv(&mut net, d, &at, "a");
                let z = node(&mut net, "Conv", &inputs, attributes);
                let y = node(&mut net, activation, &z, vec![]);
                let order = if d.coin() { format!("{at} {y}") } else { format!("{y} {at}") };
                at = node(&mut net, "Add", &order, vec![]);
            }
        }
    }
    let flat = node(&mut net, "Flatten", &at, vec![]);
    let last = d.reals(3 * length * 2, -1.0, 1.0);
    net.weight("last", &[3 * length, 2], last).node("MatMul", &format!("{flat} last"), "t", [])
}

proptest! {
    #![proptest_config(crate::common::draw::config(120))]

    #[test]
    fn no_shortcut_changes_a_score(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let length = d.int(8, 20);
        let net = network(d, length);
        let (x, x0) = d.pair(3 * length, -1.0, 1.0);
        for rule in RULES {
            let setup = net.clone().pair("t", vec![x.clone()], vec![x0.clone()]).every_element().unwrap().rule(rule);
            let mut plain = setup.clone();
            plain.options.trace = true;
            let (short, long) = (setup.score::<f64>().unwrap(), plain.score::<f64>().unwrap());
            assert_close(&short.output, &long.output, 1e-12, rule);
            assert_close(&short.contributions[0], &long.contributions[0], 1e-10, rule);
            assert_close(&short.multipliers[0], &long.multipliers[0], 1e-10, rule);
        }
    }
}

#[test]
fn a_crop_spares_work_and_residual_blocks_are_one_kernel() {
    let weights = |n: usize| Draw(1).reals(n, -1.0, 1.0);
    let net = |crop: bool| {
        let conv = [ints("pads", &[4, 4]), ints("dilations", &[4])];
        let net = Net::new()
            .input("x", &[3, 40])
            .weight("a", &[3, 3, 3], weights(27))
            .list("start", &[10])
            .list("end", &[30])
            .list("axis", &[2])
            .weight("last", &[if crop { 60 } else { 120 }, 1], weights(if crop { 60 } else { 120 }))
            .node("Conv", "x a", "z", conv)
            .node("Relu", "z", "y", [])
            .node("Add", "x y", "s", []);
        let net = if crop {
            net.node("Slice", "s start end axis", "c", [])
        } else {
            net.node("Identity", "s", "c", [])
        };
        net.node("Flatten", "c", "f", []).node("MatMul", "f last", "t", [])
    };
    let flops = |crop: bool| {
        let setup = net(crop).pair("t", vec![weights(120)], vec![vec![0.0; 120]]);
        let plan = &setup.program::<f32>().unwrap().plan;
        let step = plan.steps.iter().find(|s| s.op == "Conv").unwrap();
        assert!(step.relu_fused && step.base.is_some());
        let deeplift_engine::plan::Kind::Linear(conv, _) = &step.kind else {
            panic!("a convolution is linear")
        };
        conv.work(Pass::Forward).flops
    };
    assert_eq!(flops(true), 0.5 * flops(false));
}
