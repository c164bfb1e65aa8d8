//! The same input gives the same bits: whatever else is in the batch, however many threads work on it, however many
//! pairs go through a layer together.
use std::sync::Arc;
use std::time::Duration;

use deeplift_engine::options::{Encoding, References, Unknown};
use deeplift_engine::pool::Pool;
use deeplift_engine::score::{Program, Scores, Values};
use deeplift_graph::operator::Precision;
use deeplift_simd::Real;

use crate::common::draw::Draw;
use crate::common::published::bpnet;
use crate::common::{int, ints, job, run, Net, Setup};

const LENGTH: usize = 30;

/// Convolutions, a pool, a residual connection and two dense layers over a sequence.
fn network(d: &mut Draw, hidden: usize) -> Net {
    let (length, flat) = (LENGTH - 4, (LENGTH - 4) / 2 * 6);
    Net::new()
        .input("x", &[4, LENGTH])
        .weight("w1", &[6, 4, 5], d.reals(120, -0.6, 0.6))
        .weight("c1", &[6], d.reals(6, -0.1, 0.3))
        .weight("w2", &[6, 6, 3], d.reals(108, -0.5, 0.5))
        .weight("w3", &[flat, hidden], d.reals(flat * hidden, -0.2, 0.2))
        .weight("c3", &[hidden], d.reals(hidden, -0.1, 0.1))
        .weight("w4", &[hidden, 2], d.reals(hidden * 2, -0.5, 0.5))
        .node("Conv", "x w1 c1", "h1", [])
        .node("Relu", "h1", "a1", [])
        .node("Conv", "a1 w2", "h2", [ints("pads", &[2, 2]), ints("dilations", &[2])])
        .node("Gelu", "h2", "a2", [])
        .node("Add", "a1 a2", "r", [])
        .node("MaxPool", "r", "p", [ints("kernel_shape", &[2]), ints("strides", &[2])])
        .list("to", &[-1, (length / 2 * 6) as i64])
        .node("Reshape", "p to", "f", [])
        .node("Gemm", "f w3 c3", "h3", [])
        .node("Relu", "h3", "a3", [])
        .node("MatMul", "a3 w4", "h4", [])
        .node("Softmax", "h4", "t", [int("axis", 1)])
}

const EXAMPLES: usize = 7;
const REFERENCES: usize = 5;

/// Where references come from, by name.
fn sources(d: &mut Draw) -> Vec<(&'static str, References, Option<Values>)> {
    let n = 4 * LENGTH;
    vec![
        ("zeros", References::Zeros, None),
        ("background", References::Background { frequencies: [0.3, 0.2, 0.2, 0.3] }, None),
        (
            "shared",
            References::Shared { count: REFERENCES },
            Some(Values::F64(d.reals(REFERENCES * n, 0.0, 1.0))),
        ),
        (
            "per example",
            References::PerExample { count: REFERENCES },
            Some(Values::F64(d.reals(EXAMPLES * REFERENCES * n, 0.0, 1.0))),
        ),
        ("shuffles", References::Dinucleotide { count: REFERENCES, seed: 7, unknown: Unknown::Symbol }, None),
    ]
}

fn setups(hidden: usize) -> Vec<(String, Setup)> {
    let mut d = Draw(11);
    let net = network(&mut d, hidden);
    let codes: Vec<u8> = (0..EXAMPLES * LENGTH).map(|_| d.int(0, 4) as u8).collect();
    let mut all = vec![];
    for (name, references, values) in sources(&mut d) {
        for rule in ["rescale", "genomics-default", "reveal-cancel"] {
            let mut s = Setup::new(net.clone(), "t").rule(rule).seeds(vec![vec![1.0, 0.0], vec![0.3, -0.7]]);
            s.options.inputs[0].encoding = Encoding::Codes;
            s.options.references = vec![references.clone()];
            s.options.outputs.hypothetical = true;
            s.options.outputs.per_reference = true;
            s.examples = EXAMPLES;
            s.x = vec![Values::Codes(codes.clone())];
            match references {
                References::Shared { .. } => s.shared = vec![values.clone()],
                _ => s.references = vec![values.clone()],
            }
            all.push((format!("{name}, {rule}"), s));
        }
    }
    all
}

/// Some of the examples of a setup.
fn part(s: &Setup, from: usize, to: usize) -> Setup {
    let cut = |v: &Values, each: usize| match v {
        Values::Codes(v) => Values::Codes(v[from * each..to * each].to_vec()),
        Values::F64(v) => Values::F64(v[from * each..to * each].to_vec()),
        Values::F32(v) => Values::F32(v[from * each..to * each].to_vec()),
    };
    let mut out = s.clone();
    out.first = s.first + from as u64;
    out.examples = to - from;
    out.x = vec![cut(&s.x[0], LENGTH)];
    out.references = vec![s.references[0].as_ref().map(|v| cut(v, REFERENCES * 4 * LENGTH))];
    out
}

/// Everything of some scores, as bits, in the order of the examples.
fn bits<T: Precision>(all: &[Scores<T>]) -> Vec<Vec<u64>> {
    let arrays = |f: fn(&Scores<T>) -> &Vec<Vec<T>>| {
        all.iter().flat_map(move |s| f(s).iter().flatten().map(|v| Real::to_f64(*v).to_bits())).collect()
    };
    let numbers = |f: fn(&Scores<T>) -> &Vec<f64>| {
        all.iter().flat_map(move |s| f(s).iter().map(|v| v.to_bits())).collect()
    };
    vec![
        arrays(|s| &s.contributions),
        arrays(|s| &s.hypothetical),
        arrays(|s| &s.multipliers),
        arrays(|s| &s.per_reference),
        numbers(|s| &s.output),
        numbers(|s| &s.reference_output),
        numbers(|s| &s.completeness),
    ]
}

fn whole<T: Precision>(pool: &Pool, s: &Setup) -> (Arc<Program<T>>, Vec<Vec<u64>>) {
    let program = s.program::<T>().unwrap();
    let scores = run(pool, &program, s.batch()).unwrap();
    assert!(scores.contributions[0].iter().any(|c| c.to_f64() != 0.0));
    (program, bits(&[scores]))
}

fn batches<T: Precision>() {
    let pool = Pool::new(1).unwrap();
    for (name, s) in setups(20) {
        let (program, expected) = whole::<T>(&pool, &s);
        for cuts in [vec![0, 3, 7], vec![0, 1, 2, 3, 4, 5, 6, 7], vec![0, 6, 7]] {
            let some = |w: &[usize]| run(&pool, &program, part(&s, w[0], w[1]).batch()).unwrap();
            let parts: Vec<Scores<T>> = cuts.windows(2).map(some).collect();
            assert!(bits(&parts) == expected, "{name}: batches cut at {cuts:?}");
        }
    }
}

#[test]
fn batches_do_not_matter_in_float64() {
    batches::<f64>();
}

#[test]
fn batches_do_not_matter_in_float32() {
    batches::<f32>();
}

#[test]
fn threads_and_the_order_of_jobs_do_not_matter() {
    let one = Pool::new(1).unwrap();
    for (name, s) in setups(20) {
        let (program, expected) = whole::<f32>(&one, &s);
        for threads in [2, 3] {
            let pool = Pool::new(threads).unwrap();
            let again = run(&pool, &program, s.batch()).unwrap();
            assert!(bits(&[again]) == expected, "{name}: {threads} threads");
            // Several jobs at once, the later examples first.
            let cuts = [(4, 7), (0, 2), (2, 4)];
            let mut waiting = vec![];
            for (from, to) in cuts {
                let (job, result) = job(&program, part(&s, from, to).batch(), || false);
                pool.submit(Arc::new(job));
                waiting.push(result);
            }
            let mut parts: Vec<Scores<f32>> = waiting
                .iter()
                .map(|r| r.recv_timeout(Duration::from_secs(60)).expect("the job ends").unwrap())
                .collect();
            parts.rotate_left(1);
            assert!(bits(&parts) == expected, "{name}: jobs in another order on {threads} threads");
        }
    }
}

/// Residual layers of wide dilation before a crop, whose kernels leave out what no output sees, on buffers that have held other
/// pairs.
#[test]
fn threads_and_what_buffers_held_do_not_matter_behind_a_crop() {
    let s = bpnet(300, 32, 6, 5, 4);
    let (program, expected) = whole::<f32>(&Pool::new(1).unwrap(), &s);
    let other = bpnet(300, 32, 6, 7, 4);
    for threads in [1, 2, 3] {
        let pool = Pool::new(threads).unwrap();
        run(&pool, &program, other.batch()).unwrap();
        let again = run(&pool, &program, s.batch()).unwrap();
        assert!(bits(&[again]) == expected, "{threads} threads");
    }
}

fn memory<T: Precision>(hidden: usize, most: usize) {
    let pool = Pool::new(1).unwrap();
    for (name, s) in setups(hidden) {
        let (program, expected) = whole::<T>(&pool, &s);
        assert_eq!(program.plan.lanes, most, "{name}");
        let (pair, example) = program.plan.lane_bytes();
        for lanes in [1, 2, 3] {
            let mut tight = s.clone();
            tight.options.memory = (pair * lanes + example) as f64 + 0.5 * pair as f64;
            let (program, found) = whole::<T>(&pool, &tight);
            assert_eq!(program.plan.lanes, lanes, "{name}");
            assert!(found == expected, "{name}: {lanes} pairs at a time");
        }
    }
}

#[test]
fn memory_does_not_matter() {
    memory::<f64>(20, 8);
    memory::<f32>(20, 8);
}

/// Dense weights that do not fit the cache go with more pairs at a time.
#[test]
fn memory_does_not_matter_for_large_dense_layers() {
    memory::<f32>(3600, 10);
}

#[test]
fn too_little_memory_is_refused() {
    let (_, mut s) = setups(20).swap_remove(0);
    s.options.memory = 1000.0;
    let error = s.program::<f32>().err().unwrap();
    assert_eq!(error.code, deeplift_graph::Code::InvalidOption);
    assert!(error.message.contains("memory"), "{error}");
}

/// References are drawn one by one: asking for more does not change the first ones.
#[test]
fn fewer_references_are_a_prefix() {
    let (_, s) = setups(20).into_iter().find(|(name, _)| name == "shuffles, rescale").unwrap();
    let all = s.score::<f64>().unwrap();
    let mut few = s.clone();
    few.options.references = vec![References::Dinucleotide { count: 2, seed: 7, unknown: Unknown::Symbol }];
    let few = few.score::<f64>().unwrap();
    let row = 2 * 4 * LENGTH;
    for e in 0..EXAMPLES {
        let (a, b) = (e * REFERENCES * row, e * 2 * row);
        assert_eq!(all.per_reference[0][a..a + 2 * row], few.per_reference[0][b..b + 2 * row], "example {e}");
    }
}

/// Programs are reused: what one batch leaves behind is not seen by the next.
#[test]
fn programs_can_be_used_again() {
    let pool = Pool::new(2).unwrap();
    for (name, s) in setups(20) {
        let (program, expected) = whole::<f64>(&pool, &s);
        let mut other = s.clone();
        other.x = vec![Values::Codes(vec![2; EXAMPLES * LENGTH])];
        run(&pool, &program, other.batch()).unwrap();
        assert!(bits(&[run(&pool, &program, s.batch()).unwrap()]) == expected, "{name}");
    }
}
