//! Weights are packed when a pass first needs them, once for all plans of a model.
use std::sync::Arc;

use deeplift_engine::options::{Encoding, Place, PredictOptions, References, Target, Unknown};
use deeplift_engine::plan::Kind;
use deeplift_engine::pool::Pool;
use deeplift_engine::predict::Predictor;
use deeplift_engine::score::{Program, Scores, Values};
use deeplift_graph::model::Model;
use deeplift_kernels::Holding;

use crate::common::draw::Draw;
use crate::common::{bits, ints, predict, run, Net, Setup};

const CHANNELS: usize = 32;
const LENGTH: usize = 64;
/// Bytes of the second convolution in four products for two outputs of three taps, and by direct sums.
const WINOGRAD: usize = 4 * CHANNELS * CHANNELS * 4;
const DIRECT: usize = 3 * CHANNELS * CHANNELS * 4;

/// A sequence through tables, a wide convolution, a maximum if `pooled`, and two dense layers, whose scale is folded into the
/// weights of the first.
fn setup(pooled: bool) -> Setup {
    let d = &mut Draw(5);
    let left = if pooled { LENGTH / 4 } else { LENGTH } * CHANNELS;
    let net = Net::new()
        .input("x", &[4, LENGTH])
        .weight("u", &[CHANNELS, 4, 5], d.reals(CHANNELS * 20, -0.4, 0.4))
        .weight("w", &[CHANNELS, CHANNELS, 3], d.reals(CHANNELS * CHANNELS * 3, -0.3, 0.4))
        .weight("d", &[left, 24], d.reals(left * 24, -0.3, 0.3))
        .weight("s", &[24], d.reals(24, 0.5, 1.5))
        .weight("v", &[24, 3], d.reals(72, -0.5, 0.5))
        .node("Conv", "x u", "z0", [ints("pads", &[2, 2])])
        .node("Relu", "z0", "a0", [])
        .node("Conv", "a0 w", "z1", [ints("pads", &[1, 1])])
        .node("Relu", "z1", "a1", []);
    let net = if pooled {
        net.node("MaxPool", "a1", "p", [ints("kernel_shape", &[4]), ints("strides", &[4])])
    } else {
        net.node("Identity", "a1", "p", [])
    };
    let net = net
        .node("Flatten", "p", "f", [])
        .node("MatMul", "f d", "h", [])
        .node("Mul", "h s", "scaled", [])
        .node("Relu", "scaled", "a2", [])
        .node("MatMul", "a2 v", "t", [])
        .output("t");
    let mut s = Setup::new(net, "t");
    s.options.inputs[0].encoding = Encoding::Codes;
    s.options.outputs.multipliers = false;
    s.x = vec![Values::Codes((0..LENGTH).map(|_| d.int(0, 3) as u8).collect())];
    s
}

fn program(model: &Model, s: &Setup) -> Arc<Program<f32>> {
    Arc::new(Program::new(model, s.options.clone(), &s.shared).unwrap())
}

fn score(s: &Setup, program: &Arc<Program<f32>>) -> Scores<f32> {
    run(&Pool::new(2).unwrap(), program, s.batch()).unwrap()
}

/// Bytes that are packed, and that are not.
fn weights(program: &Program<f32>) -> (usize, usize) {
    let holding = program.plan.weights();
    (holding.packed, holding.unpacked)
}

/// Bytes that are packed for the maps of the steps, and for their adjoints too if `multipliers` are asked for.
fn packed(program: &Program<f32>, multipliers: bool) -> usize {
    let mut holding = Holding::default();
    for step in &program.plan.steps {
        step.one_hot.iter().for_each(|kernel| kernel.tally(multipliers, &mut holding));
        if let Kind::Linear(map, _) = &step.kind {
            map.tally(multipliers, &mut holding);
        }
    }
    holding.packed
}

#[test]
fn planning_packs_nothing_and_passes_pack_what_they_use() {
    let s = setup(false);
    let model = s.net.model().unwrap();
    let program = program(&model, &s);
    let (packed, all) = weights(&program);
    assert_eq!(packed, 0);
    score(&s, &program);
    let (packed, left) = weights(&program);
    // The first layer reads letters, forward and back: its maps of numbers are not needed.
    assert_eq!(packed + left, all);
    assert!(left > 0 && packed > WINOGRAD, "{packed} and {left} bytes");
}

#[test]
fn plans_of_one_model_share_what_is_packed() {
    let s = setup(true);
    let model = s.net.model().unwrap();
    let first = program(&model, &s);
    let expected = score(&s, &first);
    let packed = weights(&first).0;
    let mut others = vec![s.clone(), s.clone(), s.clone(), s.clone()];
    others[0].options.references =
        vec![References::Dinucleotide { count: 2, seed: 1, unknown: Unknown::Symbol }];
    others[1].options.rule = "gradient".into();
    let second = Target { tensor: "t".into(), index: Some(Place::Flat(2)), ..Target::default() };
    others[2].options.targets = vec![second];
    others[3].options.peel = true;
    for other in &others {
        let own = program(&model, other);
        assert_eq!(weights(&own), weights(&first));
        score(other, &own);
    }
    // Other tensors are wanted: the graph is another one, and so is what the scale is folded into.
    let mut inner = s.clone();
    inner.options.targets =
        vec![Target { tensor: "scaled".into(), index: Some(Place::Flat(0)), ..Target::default() }];
    assert!(weights(&program(&model, &inner)).0 > WINOGRAD);
    assert_eq!(weights(&first).0, packed);
    assert_eq!(bits(&score(&s, &first).contributions[0]), bits(&expected.contributions[0]));
    let alone = program(&s.net.model().unwrap(), &s);
    assert_eq!(weights(&alone).0, 0);
    assert_eq!(bits(&score(&s, &alone).contributions[0]), bits(&expected.contributions[0]));
}

#[test]
fn what_no_plan_holds_is_let_go() {
    let s = setup(true);
    let model = s.net.model().unwrap();
    let own = program(&model, &s);
    score(&s, &own);
    // The thread that told of the scores may not have forgotten the job yet.
    while Arc::strong_count(&own) > 1 {
        std::thread::yield_now();
    }
    assert!(weights(&program(&model, &s)).0 > 0);
    drop(own);
    assert_eq!(weights(&program(&model, &s)).0, 0);
}

#[test]
fn other_precisions_pack_their_own() {
    let s = setup(false);
    let model = s.net.model().unwrap();
    let single = program(&model, &s);
    score(&s, &single);
    let double: Program<f64> = Program::new(&model, s.options.clone(), &s.shared).unwrap();
    assert_eq!(double.plan.weights().packed, 0);
}

#[test]
fn predicting_packs_no_adjoint() {
    let s = setup(false);
    let model = s.net.model().unwrap();
    let options = PredictOptions {
        inputs: s.options.inputs.clone(),
        channel_axis: vec![],
        outputs: vec!["t".into()],
        precision: s.options.precision,
        memory: s.options.memory,
    };
    let predictor: Arc<Predictor<f32>> = Arc::new(Predictor::new(&model, options).unwrap());
    let own = program(&model, &s);
    let mut batch = s.batch();
    batch.references = vec![None];
    predict(&Pool::new(1).unwrap(), &predictor, batch, || false).unwrap();
    let (forward, both) = (packed(&own, false), packed(&own, true));
    assert!(forward > 0 && both == forward, "{forward} of {both} bytes");
    score(&s, &own);
    assert_eq!(packed(&own, false), forward);
    assert!(packed(&own, true) > forward + WINOGRAD);
}

#[test]
fn direct_sums_are_packed_for_sequences_that_repeat_themselves() {
    let mut s = setup(true);
    s.options.references = vec![References::PerExample { count: 1 }];
    let reference: Vec<f32> =
        (0..4 * LENGTH).map(|i| f32::from(u8::from(i % LENGTH % 4 == i / LENGTH))).collect();
    let d = &mut Draw(8);
    let codes: Vec<u8> = (0..LENGTH).map(|_| d.int(0, 3) as u8).collect();
    let letters = |codes: &[u8]| -> Vec<f32> {
        (0..4 * LENGTH).map(|i| f32::from(u8::from(codes[i % LENGTH] as usize == i / LENGTH))).collect()
    };
    s.references = vec![Some(Values::F32(letters(&codes)))];
    let model = s.net.model().unwrap();
    let own = program(&model, &s);
    score(&s, &own);
    let distinct = weights(&own).0;
    s.references = vec![Some(Values::F32(reference))];
    score(&s, &own);
    assert_eq!(weights(&own).0 - distinct, DIRECT);
}
