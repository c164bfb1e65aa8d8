//! Saturation mutagenesis computes what changes alone, and gives what computing everything gives.
use std::sync::{mpsc, Arc};
use std::time::Duration;

use deeplift_engine::mutagenesis::{Effects, MutagenesisJob, Mutator};
use deeplift_engine::options::{Encoding, MutagenesisOptions, Target};
use deeplift_engine::pool::Pool;
use deeplift_engine::score::{Batch, Values};
use deeplift_graph::operator::Precision;
use deeplift_graph::{Code, Result};
use proptest::prelude::*;

use crate::common::draw::Draw;
use crate::common::{assert_close, bits, int, ints, predict, predictor, value, Net, Setup};
use crate::networks::{self, Kind};

fn mutator<T: Precision>(
    setup: &Setup,
    targets: &[Target],
    window: Option<(usize, usize)>,
) -> Result<Arc<Mutator<T>>> {
    let net = targets.iter().fold(setup.net.clone(), |net, t| net.output(&t.tensor));
    let options = MutagenesisOptions {
        inputs: setup.options.inputs.clone(),
        channel_axis: setup.options.channel_axis.clone(),
        input: setup.options.inputs[0].name.clone(),
        window,
        targets: targets.to_vec(),
        peel: setup.options.peel,
        precision: setup.options.precision,
        memory: setup.options.memory,
    };
    Ok(Arc::new(Mutator::new(&net.model()?, options)?))
}

fn mutate<T: Precision>(
    pool: &Pool,
    mutator: &Arc<Mutator<T>>,
    batch: Batch,
    cancelled: impl Fn() -> bool + Send + Sync + 'static,
) -> Result<Effects<T>> {
    mutator.check(&batch)?;
    let (send, receive) = mpsc::channel();
    let done = Box::new(move |r| send.send(r).expect("somebody listens"));
    pool.submit(Arc::new(MutagenesisJob::new(mutator.clone(), batch, Box::new(cancelled), done)));
    receive.recv_timeout(Duration::from_secs(60)).expect("the job ends")
}

/// Effects of every letter at every position of `[4, length]` codes on elements of `t`, by predicting every mutant.
fn naive(setup: &Setup, codes: &[u8], tensor: &str, elements: &[usize], single: bool) -> Vec<f64> {
    let length = codes.len();
    let mut all = codes.to_vec();
    for p in 0..length {
        for letter in 0..4 {
            let mut mutant = codes.to_vec();
            mutant[p] = letter;
            all.extend(mutant);
        }
    }
    let mut own = setup.clone();
    (own.examples, own.x[0]) = (all.len() / length, Values::Codes(all));
    for x in &mut own.x[1..] {
        let Values::F64(v) = x else { continue };
        *x = Values::F64(v.repeat(own.examples));
    }
    let pool = Pool::new(1).unwrap();
    let rows: Vec<f64> = if single {
        let p = predictor::<f32>(&own, &[tensor]).unwrap();
        predict(&pool, &p, own.batch(), || false).unwrap()[0].iter().map(|&v| f64::from(v)).collect()
    } else {
        let p = predictor::<f64>(&own, &[tensor]).unwrap();
        predict(&pool, &p, own.batch(), || false).unwrap()[0].clone()
    };
    let size = rows.len() / own.examples;
    let mut effects = vec![0.0; elements.len() * 4 * length];
    for (k, &e) in elements.iter().enumerate() {
        for p in 0..length {
            for letter in 0..4 {
                let mutant = rows[(1 + p * 4 + letter) * size + e];
                effects[(k * 4 + letter) * length + p] = mutant - rows[e];
            }
        }
    }
    effects
}

fn sequence(net: Net, length: usize, examples: usize, d: &mut Draw) -> Setup {
    let mut setup = Setup::new(net, "t");
    setup.options.inputs[0].encoding = Encoding::Codes;
    setup.examples = examples;
    setup.x = vec![Values::Codes((0..examples * length).map(|_| d.int(0, 4) as u8).collect())];
    setup
}

fn codes(setup: &Setup) -> &[u8] {
    match &setup.x[0] {
        Values::Codes(c) => c,
        _ => unreachable!("made of codes"),
    }
}

/// Compares with predictions in both precisions, over all of a sequence and over a part.
fn check(net: Net, length: usize, elements: &[usize], d: &mut Draw, what: &str) {
    let setup = sequence(net, length, 1, d);
    let targets: Vec<Target> = elements.iter().map(|&e| value("t", e)).collect();
    let pool = Pool::new(1).unwrap();
    let expected = naive(&setup, codes(&setup), "t", elements, false);
    let exact =
        mutate(&pool, &mutator::<f64>(&setup, &targets, None).unwrap(), setup.batch(), || false).unwrap();
    assert_close(&exact.effects, &expected, 1e-12, what);
    let single =
        mutate(&pool, &mutator::<f32>(&setup, &targets, None).unwrap(), setup.batch(), || false).unwrap();
    let single: Vec<f64> = single.effects.iter().map(|&v| f64::from(v)).collect();
    assert_close(&single, &expected, 1e-4, &format!("{what}, float32"));
    let (start, end) = (d.int(0, length - 1), length);
    let end = d.int(start + 1, end);
    let part = mutator::<f64>(&setup, &targets, Some((start, end))).unwrap();
    let part = mutate(&pool, &part, setup.batch(), || false).unwrap().effects;
    let of = |row: &[f64]| row[start..end].to_vec();
    let rows: Vec<f64> = expected.chunks_exact(length).flat_map(of).collect();
    assert_close(&part, &rows, 1e-12, &format!("{what}, {start} to {end}"));
}

proptest! {
    #![proptest_config(crate::common::draw::config(40))]

    #[test]
    fn random_networks(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let mut drawn = networks::draw(Kind::Any, d);
        while drawn.channels != 4 {
            drawn = networks::draw(Kind::Any, d);
        }
        check(drawn.net, drawn.length, &[0, 1], d, &format!("seed {seed}"));
    }
}

const LENGTH: usize = 90;

/// Residual dilated convolutions whose profile is cropped.
fn dilated(d: &mut Draw) -> Net {
    let mut net = Net::new()
        .input("x", &[4, LENGTH])
        .weight("w0", &[16, 4, 7], d.reals(16 * 28, -0.4, 0.4))
        .weight("b0", &[16], d.reals(16, -0.2, 0.2))
        .node("Conv", "x w0 b0", "c0", [ints("pads", &[3, 3])])
        .node("Relu", "c0", "a0", []);
    for (k, dilation) in [1, 2, 4].into_iter().enumerate() {
        let (from, w, c, r, to) = (
            format!("a{k}"),
            format!("w{}", k + 1),
            format!("c{}", k + 1),
            format!("r{}", k + 1),
            format!("a{}", k + 1),
        );
        net = net
            .weight(&w, &[16, 16, 3], d.reals(16 * 48, -0.2, 0.2))
            .node(
                "Conv",
                &format!("{from} {w}"),
                &c,
                [ints("pads", &[dilation, dilation]), ints("dilations", &[dilation])],
            )
            .node("Relu", &c, &r, [])
            .node("Add", &format!("{from} {r}"), &to, []);
    }
    net
}

#[test]
fn dilated_networks_with_a_profile() {
    let d = &mut Draw(1);
    let net = dilated(d)
        .weight("wp", &[2, 16, 5], d.reals(160, -0.3, 0.3))
        .list("from", &[30])
        .list("to", &[60])
        .list("axis", &[2])
        .node("Conv", "a3 wp", "p", [ints("pads", &[2, 2])])
        .node("Slice", "p from to axis", "s", [])
        .node("Flatten", "s", "t", []);
    check(net, LENGTH, &[0, 17, 59], d, "profile");
}

#[test]
fn dilated_networks_with_counts() {
    let d = &mut Draw(2);
    let net = dilated(d)
        .weight("wc", &[16, 2], d.reals(32, -0.3, 0.3))
        .node("GlobalAveragePool", "a3", "g", [])
        .node("Flatten", "g", "f", [])
        .node("MatMul", "f wc", "t", []);
    check(net, LENGTH, &[0, 1], d, "counts");
}

/// Pools, a gate, a scale and an activation that is no ReLU, over strides; then dense layers.
#[test]
fn pooled_networks() {
    let d = &mut Draw(3);
    let net = Net::new()
        .input("x", &[4, LENGTH])
        .weight("w0", &[12, 4, 5], d.reals(240, -0.5, 0.5))
        .weight("scale", &[1, 12, 1], d.reals(12, 0.5, 1.5))
        .weight("w1", &[12, 12, 3], d.reals(432, -0.3, 0.3))
        .weight("w2", &[12, 12, 3], d.reals(432, -0.3, 0.3))
        .node("Conv", "x w0", "c0", [ints("pads", &[2, 2])])
        .node("Gelu", "c0", "g0", [])
        .node("Mul", "g0 scale", "n0", [])
        .node(
            "MaxPool",
            "n0",
            "m0",
            [ints("kernel_shape", &[3]), ints("strides", &[2]), ints("pads", &[1, 1])],
        )
        .node("Conv", "m0 w1", "c1", [ints("pads", &[1, 1])])
        .node("Conv", "m0 w2", "c2", [ints("pads", &[1, 1])])
        .node("Sigmoid", "c2", "s2", [])
        .node("Mul", "c1 s2", "g1", [])
        .node("Concat", "g1 m0", "both", [int("axis", 1)])
        .node(
            "AveragePool",
            "both",
            "p",
            [
                ints("kernel_shape", &[4]),
                ints("strides", &[3]),
                ints("pads", &[1, 1]),
                int("count_include_pad", 1),
            ],
        )
        .node("Flatten", "p", "f", [])
        .weight("w3", &[24 * 15, 10], d.reals(3600, -0.1, 0.1))
        .weight("w4", &[10, 2], d.reals(20, -0.5, 0.5))
        .node("MatMul", "f w3", "d", [])
        .node("Relu", "d", "e", [])
        .node("MatMul", "e w4", "t", []);
    check(net, LENGTH, &[0, 1], d, "pooled");
}

#[test]
fn what_does_not_change_is_not_computed() {
    let d = &mut Draw(4);
    let net = dilated(d)
        .weight("wc", &[16, 2], d.reals(32, -0.3, 0.3))
        .node("GlobalAveragePool", "a3", "g", [])
        .node("Flatten", "g", "f", [])
        .node("MatMul", "f wc", "t", []);
    let setup = sequence(net, LENGTH, 1, d);
    let told = mutator::<f32>(&setup, &[value("t", 0)], None).unwrap().describe();
    let (pass, change) = (told["flopsPerPass"].as_f64().unwrap(), told["flopsPerChange"].as_f64().unwrap());
    assert!(change > 0.0 && change < 0.6 * pass, "{told}");
}

#[test]
fn bits_do_not_depend_on_batches_and_threads() {
    let d = &mut Draw(5);
    let net = dilated(d)
        .weight("wp", &[1, 16, 5], d.reals(80, -0.3, 0.3))
        .node("Conv", "a3 wp", "p", [])
        .node("Flatten", "p", "t", []);
    let setup = sequence(net, LENGTH, 5, d);
    let mutator = mutator::<f32>(&setup, &[value("t", 3), value("t", 40)], Some((10, 61))).unwrap();
    let whole = mutate(&Pool::new(1).unwrap(), &mutator, setup.batch(), || false).unwrap();
    let pool = Pool::new(3).unwrap();
    assert_eq!(
        bits(&mutate(&pool, &mutator, setup.batch(), || false).unwrap().effects),
        bits(&whole.effects)
    );
    let mut parts = Effects::<f32>::default();
    for own in codes(&setup).chunks(LENGTH) {
        let inputs = vec![Values::Codes(own.to_vec())];
        let batch = Batch { first: 0, examples: 1, inputs, references: vec![None] };
        let one = mutate(&pool, &mutator, batch, || false).unwrap();
        parts.effects.extend(one.effects);
        parts.output.extend(one.output);
    }
    assert_eq!(bits(&parts.effects), bits(&whole.effects));
    assert_eq!(parts.output, whole.output);
}

/// Values in place of codes, letters last, an input beside that is held fixed, and columns that are no letter.
#[test]
fn values_and_other_inputs() {
    let d = &mut Draw(6);
    let length = 11;
    let net = Net::new()
        .input("x", &[length, 4])
        .input("z", &[3])
        .weight("w", &[4, 3], d.reals(12, -1.0, 1.0))
        .node("MatMul", "x w", "h", [])
        .node("ReduceSum", "h axes", "s", [int("keepdims", 0)])
        .list("axes", &[1])
        .node("Mul", "s z", "p", [])
        .node("Tanh", "p", "t", []);
    let mut setup = Setup::new(net, "t");
    let mut x = vec![0.0; length * 4];
    (0..length).for_each(|p| x[p * 4 + p % 4] = 1.0);
    x[20..24].copy_from_slice(&[0.25; 4]);
    setup.x = vec![Values::F64(x.clone()), Values::F64(vec![0.3, -0.2, 0.5])];
    let pool = Pool::new(1).unwrap();
    let found =
        mutate(&pool, &mutator::<f64>(&setup, &[value("t", 1)], None).unwrap(), setup.batch(), || false);
    let found = found.unwrap();
    let one = |x: &[f64]| {
        let mut own = setup.clone();
        own.x[0] = Values::F64(x.to_vec());
        predict(&pool, &predictor::<f64>(&own, &["t"]).unwrap(), own.batch(), || false).unwrap()[0][1]
    };
    let base = one(&x);
    assert_eq!(found.output, [base]);
    for p in 0..length {
        for letter in 0..4 {
            let mut mutant = x.clone();
            mutant[p * 4..p * 4 + 4].fill(0.0);
            mutant[p * 4 + letter] = 1.0;
            let (effect, expected) = (found.effects[p * 4 + letter], one(&mutant) - base);
            assert!((effect - expected).abs() < 1e-13, "position {p}, letter {letter}: {effect}, {expected}");
            let there = p != 5 && p % 4 == letter;
            assert!((effect == 0.0) == there, "position {p}, letter {letter}: {effect}");
        }
    }
}

#[test]
fn refusals() {
    let d = &mut Draw(7);
    let net = dilated(d).node("GlobalAveragePool", "a3", "g", []).node("Flatten", "g", "t", []);
    let setup = sequence(net, LENGTH, 2, d);
    let code = |setup: &Setup, target: Target, window| {
        mutator::<f32>(setup, &[target], window).err().map(|e| e.code)
    };
    let invalid = Some(Code::InvalidOption);
    assert_eq!(code(&setup, value("t", 0), Some((5, 5))), invalid);
    assert_eq!(code(&setup, value("t", 0), Some((5, LENGTH + 1))), invalid);
    assert_eq!(code(&setup, value("t", 16), None), invalid);
    let mut small = setup.clone();
    small.options.memory = 1e3;
    assert_eq!(code(&small, value("t", 0), None), invalid);
    let vector = Setup::new(Net::new().input("x", &[5]).node("Tanh", "x", "t", []), "t");
    assert_eq!(code(&vector, value("t", 0), None), invalid);
    let mutator = mutator::<f32>(&setup, &[value("t", 0)], None).unwrap();
    let pool = Pool::new(2).unwrap();
    assert_eq!(mutate(&pool, &mutator, setup.batch(), || true).unwrap_err().code, Code::Aborted);
    let mut empty = setup.clone();
    (empty.examples, empty.x) = (0, vec![Values::Codes(vec![])]);
    assert!(mutate(&pool, &mutator, empty.batch(), || false).unwrap().effects.is_empty());
}
