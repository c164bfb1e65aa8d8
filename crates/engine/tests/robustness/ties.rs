//! Maxima over equal values choose the first of them in float32 as in float64, also behind convolutions that could be
//! computed in fewer products, which would round equal windows differently.
use deeplift_engine::options::Encoding;
use deeplift_engine::plan::Kind;
use deeplift_engine::score::{Scores, Values};
use deeplift_graph::operator::Pass;
use deeplift_sequence::Repeats;

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

/// A sequence through tables, a wide convolution that could take fewer products, a maximum, and another of both.
fn sequence(codes: Vec<u8>) -> Setup {
    let d = &mut Draw(11);
    let left = LENGTH / 8 * CHANNELS;
    let net = Net::new()
        .input("x", &[4, LENGTH])
        .weight("u", &[CHANNELS, 4, 5], d.reals(CHANNELS * 20, -0.4, 0.4))
        .weight("w", &[CHANNELS, CHANNELS, 3], d.reals(CHANNELS * CHANNELS * 3, -0.3, 0.4))
        .weight("w2", &[CHANNELS, CHANNELS, 3], d.reals(CHANNELS * CHANNELS * 3, -0.3, 0.4))
        .weight("v", &[left, 1], d.reals(left, -0.5, 0.5))
        .node("Conv", "x u", "z0", [ints("pads", &[2, 2])])
        .node("Relu", "z0", "a0", [])
        .node("Conv", "a0 w", "z1", [ints("pads", &[1, 1])])
        .node("Relu", "z1", "a1", [])
        .node("MaxPool", "a1", "p1", [ints("kernel_shape", &[2]), ints("strides", &[2])])
        .node("Conv", "p1 w2", "z2", [ints("pads", &[1, 1])])
        .node("MaxPool", "z2", "p2", [ints("kernel_shape", &[4]), ints("strides", &[4])])
        .node("Flatten", "p2", "f", [])
        .node("MatMul", "f v", "t", []);
    let mut s = Setup::new(net, "t");
    s.options.inputs[0].encoding = Encoding::Codes;
    s.x = vec![Values::Codes(codes)];
    s
}

/// Sequences without and with words that occur twice: the latter with one period, two letters, none at all.
fn sequences() -> Vec<(bool, Vec<u8>)> {
    let d = &mut Draw(3);
    let mut random = || -> Vec<u8> { (0..LENGTH).map(|_| d.int(0, 3) as u8).collect() };
    let mut half = random();
    half[LENGTH / 2..].fill(4);
    let periodic = |unit: &[u8]| unit.iter().copied().cycle().take(LENGTH).collect::<Vec<u8>>();
    vec![
        (true, random()),
        (true, random()),
        (false, half),
        (false, periodic(&[0, 1])),
        (false, periodic(&[2])),
        (false, periodic(&[3, 1, 0, 0, 2])),
    ]
}

#[test]
fn sequences_that_repeat_themselves_have_ties_and_others_fewer_products() {
    for (distinct, codes) in sequences() {
        let s = sequence(codes.clone());
        let program = s.program::<f32>().unwrap();
        // Five letters and one on either side.
        assert_eq!(program.plan.words.map(|words| words.len), Some(7));
        assert_eq!(!Repeats::default().any(&codes, 7), distinct, "{codes:?}");
        let uneven: Vec<&str> =
            program.plan.steps.iter().filter(|step| step.uneven).map(|step| &step.name[..]).collect();
        assert_eq!(uneven.len(), 2, "{uneven:?}");
        let (exact, found): (Scores<f64>, Scores<f32>) = (s.score().unwrap(), s.score().unwrap());
        let largest = exact.contributions[0].iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for (i, (found, exact)) in found.contributions[0].iter().zip(&exact.contributions[0]).enumerate() {
            let error = (f64::from(*found) - exact).abs();
            assert!(error < 1e-5 * largest, "{codes:?}, element {i}: {found}, not {exact}");
        }
    }
}

#[test]
fn scores_do_not_depend_on_what_batch_mates_repeat() {
    let all = sequences();
    let mut together = sequence(all.iter().flat_map(|(_, codes)| codes.clone()).collect());
    together.examples = all.len();
    let together: Scores<f32> = together.score().unwrap();
    for (e, (_, codes)) in all.into_iter().enumerate() {
        let alone: Scores<f32> = sequence(codes).score().unwrap();
        assert_eq!(alone.contributions[0], together.contributions[0][e * 4 * LENGTH..][..4 * LENGTH], "{e}");
    }
}
