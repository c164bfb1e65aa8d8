//! Maxima over equal values choose the first of them in float32 as in float64, also behind convolutions that could be
//! computed in fewer products, which would round equal windows differently.
use deeplift_engine::plan::Kind;
use deeplift_engine::score::{Scores, Values};
use deeplift_graph::operator::Pass;

use crate::common::draw::Draw;
use crate::common::{ints, Net, Setup};

const CHANNELS: usize = 32;
const LENGTH: usize = 64;

/// A wide convolution, a maximum over windows of four positions if `pooled`, and a layer over what is left.
fn setup(pooled: bool) -> Setup {
    let d = &mut Draw(9);
    let left = if pooled { LENGTH / 4 } else { LENGTH } * CHANNELS;
    let net = Net::new()
        .input("x", &[CHANNELS, LENGTH])
        .weight("w", &[CHANNELS, CHANNELS, 3], d.reals(CHANNELS * CHANNELS * 3, -0.3, 0.4))
        .weight("v", &[left, 1], d.reals(left, -0.5, 0.5))
        .node("Conv", "x w", "z", [ints("pads", &[1, 1])])
        .node("Relu", "z", "a", []);
    let net = if pooled {
        net.node("MaxPool", "a", "p", [ints("kernel_shape", &[4]), ints("strides", &[4])])
    } else {
        net.node("Relu", "a", "p", [])
    };
    let net = net.node("Flatten", "p", "f", []).node("MatMul", "f v", "t", []);
    let mut s = Setup::new(net, "t");
    // Each channel repeats itself with a period of two positions: all windows of a maximum hold ties.
    let channels = d.reals(CHANNELS * 2, -1.0, 1.0);
    let value = |i: usize| channels[i / LENGTH * 2 + i % 2];
    s.x = vec![Values::F64((0..CHANNELS * LENGTH).map(value).collect())];
    s
}

/// The kernel of the convolution, forward and back.
fn kernels(s: &Setup) -> [String; 2] {
    let program = s.program::<f32>().unwrap();
    let step = program.plan.steps.iter().find(|step| step.op == "Conv").unwrap();
    let Kind::Linear(conv, _) = &step.kind else { panic!("a convolution is linear") };
    [Pass::Forward, Pass::Adjoint].map(|pass| conv.work(pass).kernel)
}

#[test]
fn the_first_of_equal_values_wins() {
    let s = setup(true);
    let [forward, back] = kernels(&s);
    assert!(!forward.contains("winograd") && back.contains("winograd"), "{forward}, {back}");
    let (exact, found): (Scores<f64>, Scores<f32>) = (s.score().unwrap(), s.score().unwrap());
    let largest = exact.contributions[0].iter().fold(0.0f64, |m, v| m.max(v.abs()));
    for (i, (found, exact)) in found.contributions[0].iter().zip(&exact.contributions[0]).enumerate() {
        assert!((f64::from(*found) - exact).abs() < 1e-5 * largest, "element {i}: {found}, not {exact}");
    }
}

#[test]
fn without_maxima_fewer_products_do() {
    let [forward, back] = kernels(&setup(false));
    assert!(forward.contains("winograd") && back.contains("winograd"), "{forward}, {back}");
}
