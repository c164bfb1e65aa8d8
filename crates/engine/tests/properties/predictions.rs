//! The forward pass by itself: what each operator computes by plain loops, whole networks against the outputs of scores,
//! the same bits for any batch and number of threads, and operators that have no rule.
use deeplift_engine::options::{Encoding, PredictOptions};
use deeplift_engine::pool::Pool;
use deeplift_engine::score::{Batch, Values};
use deeplift_graph::operator::Precision;
use deeplift_graph::Code;
use proptest::prelude::*;

use crate::cases;
use crate::common::draw::Draw;
use crate::common::{assert_close, bits, int, ints, predict, predictor, Net, Setup};
use crate::networks::{self, Kind};
use crate::operators::place;

/// Outputs of the examples of a setup, on one thread.
fn outputs<T: Precision>(setup: &Setup, names: &[&str]) -> Vec<Vec<T>> {
    let predictor = predictor(setup, names).unwrap();
    predict(&Pool::new(1).unwrap(), &predictor, setup.batch(), || false).unwrap()
}

fn wide<T: Precision>(values: &[T]) -> Vec<f64> {
    values.iter().map(|v| v.to_f64()).collect()
}

proptest! {
    #![proptest_config(crate::common::draw::config(20))]

    #[test]
    fn operators_compute_what_onnx_says(seed in any::<u64>()) {
        for op in cases::data_ops() {
            let d = &mut Draw(seed);
            let case = cases::draw(op, d);
            let bare = place(&case, true, d);
            let Some(y) = (case.plain)(&bare.x) else { continue };
            let found = outputs::<f64>(&bare.setup, &["y"]);
            let tolerance = if op == "Selu" { 1e-7 } else { 1e-11 };
            assert_close(&found[0], &y.data, tolerance, &format!("{op}, seed {seed}"));
            let single = wide(&outputs::<f32>(&bare.setup, &["y"])[0]);
            prop_assert!(single.len() == y.data.len(), "{op}, seed {seed}: in float32");
        }
    }

    #[test]
    fn networks_give_the_outputs_of_scores(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let drawn = networks::draw(Kind::Any, d);
        let (x, x0) = d.pair(drawn.channels * drawn.length, -2.0, 2.0);
        let scored = drawn.net.clone().pair("t", vec![x.clone()], vec![x0]).every_element().unwrap();
        let expected = scored.score::<f64>().unwrap().output;
        let inner = drawn.net.wire.nodes[0].outputs[0].clone();
        let found = outputs::<f64>(&scored, &[&inner, "t"]);
        assert_close(&found[1], &expected, 1e-12, &format!("seed {seed}"));
        let single = outputs::<f32>(&scored, &["t", &inner]);
        assert_close(&wide(&single[0]), &expected, 1e-4, &format!("seed {seed} in float32"));
        assert_close(&wide(&single[1]), &found[0], 1e-4, &format!("seed {seed}, an inner tensor"));
    }
}

const LENGTH: usize = 40;

/// A residual network with a pool over a sequence, cropped, and two outputs.
fn network(d: &mut Draw) -> Net {
    Net::new()
        .input("x", &[4, LENGTH])
        .weight("w1", &[8, 4, 5], d.reals(160, -0.6, 0.6))
        .weight("w2", &[8, 8, 3], d.reals(192, -0.5, 0.5))
        .weight("w3", &[8, 8, 3], d.reals(192, -0.5, 0.5))
        .weight("w4", &[8, 2], d.reals(16, -0.5, 0.5))
        .node("Conv", "x w1", "h1", [ints("pads", &[2, 2])])
        .node("Relu", "h1", "a1", [])
        .node("Conv", "a1 w2", "h2", [ints("pads", &[2, 2]), ints("dilations", &[2])])
        .node("Relu", "h2", "r2", [])
        .node("Add", "a1 r2", "a2", [])
        .node("Conv", "a2 w3", "h3", [ints("pads", &[4, 4]), ints("dilations", &[4])])
        .node("Relu", "h3", "r3", [])
        .node("Add", "a2 r3", "a3", [])
        .list("from", &[10])
        .list("to", &[30])
        .list("axis", &[2])
        .node("Slice", "a3 from to axis", "profile", [])
        .node("GlobalMaxPool", "a3", "m", [])
        .node("Flatten", "m", "f", [])
        .node("MatMul", "f w4", "counts", [])
        .output("profile")
        .output("counts")
}

/// Sequences, as codes.
fn sequences(examples: usize, d: &mut Draw) -> Setup {
    let mut setup = Setup::new(network(d), "counts");
    setup.options.inputs[0].encoding = Encoding::Codes;
    setup.examples = examples;
    setup.x = vec![Values::Codes((0..examples * LENGTH).map(|_| d.int(0, 4) as u8).collect())];
    setup
}

#[test]
fn bits_do_not_depend_on_batches_and_threads() {
    let setup = sequences(23, &mut Draw(5));
    let predictor = predictor::<f32>(&setup, &["profile", "counts"]).unwrap();
    let whole = predict(&Pool::new(1).unwrap(), &predictor, setup.batch(), || false).unwrap();
    let pool = Pool::new(3).unwrap();
    let Values::Codes(codes) = &setup.x[0] else { unreachable!() };
    for size in [1, 4, 23] {
        let mut parts: Vec<Vec<f32>> = vec![vec![]; 2];
        for (i, codes) in codes.chunks(size * LENGTH).enumerate() {
            let batch = Batch {
                first: (i * size) as u64,
                examples: codes.len() / LENGTH,
                inputs: vec![Values::Codes(codes.to_vec())],
                references: vec![None],
            };
            let found = predict(&pool, &predictor, batch, || false).unwrap();
            parts.iter_mut().zip(found).for_each(|(all, own)| all.extend(own));
        }
        assert_eq!(bits(&whole[0]), bits(&parts[0]), "batches of {size}");
        assert_eq!(bits(&whole[1]), bits(&parts[1]), "batches of {size}");
    }
    let exact = outputs::<f64>(&setup, &["profile", "counts"]);
    for (single, double) in whole.iter().zip(&exact) {
        assert_close(&wide(single), double, 1e-5, "float32");
    }
}

#[test]
fn operators_without_a_rule_are_computed() {
    let net = Net::new().input("x", &[3]).node("ArgMax", "x", "t", [int("axis", 1)]);
    let mut setup = Setup::new(net, "t");
    setup.examples = 3;
    setup.x = vec![Values::F64(vec![1.0, 3.0, 2.0, -1.0, -2.0, -3.0, 0.0, 0.0, 0.5])];
    assert!(setup.program::<f32>().is_err());
    assert_eq!(outputs::<f32>(&setup, &["t"]), [[1.0, 0.0, 2.0]]);
}

#[test]
fn refusals_and_the_end_of_jobs() {
    let setup = sequences(9, &mut Draw(6));
    let code = |names: &[&str]| predictor::<f32>(&setup, names).err().map(|e| e.code);
    assert_eq!(code(&["nothing"]), Some(Code::InvalidOption));
    assert_eq!(code(&[]), Some(Code::InvalidOption));
    let mut small = setup.clone();
    small.options.memory = 1e3;
    let refused = predictor::<f32>(&small, &["counts"]).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(refused.contains("memory option"), "{refused}");

    let predictor = predictor::<f32>(&setup, &["counts"]).unwrap();
    let pool = Pool::new(2).unwrap();
    let error = predict(&pool, &predictor, setup.batch(), || true).unwrap_err();
    assert_eq!(error.code, Code::Aborted);
    let mut empty = setup.clone();
    (empty.examples, empty.x) = (0, vec![Values::Codes(vec![])]);
    assert!(predict(&pool, &predictor, empty.batch(), || false).unwrap()[0].is_empty());
    let mut wrong = setup.clone();
    wrong.x = vec![Values::Codes(vec![9; 9 * LENGTH])];
    assert_eq!(predictor.check(&wrong.batch()).unwrap_err().code, Code::InvalidSequence);
}

/// What a file asks for is a matter of its own options: those of scores are none here.
#[test]
fn options_are_checked_by_name() {
    let text = r#"{ "inputs": [], "outputs": [], "memory": 1, "references": [] }"#;
    assert!(serde_json::from_str::<PredictOptions>(text).is_err());
}
