//! What every integration test needs: a network in a few lines, its scores, and cases drawn from a seed.
// Each test binary uses a part of it.
#![allow(dead_code)]
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use deeplift_engine::options::{
    Encoding, InputOptions, MultiplyBy, Outputs, Place, PlanOptions, Precision as Arithmetic, PredictOptions,
    References, Target, Variants,
};
use deeplift_engine::pool::Pool;
use deeplift_engine::predict::{PredictJob, Predictor};
use deeplift_engine::score::{Batch, Program, Scores, Values};
use deeplift_engine::tile::ScoreJob;
use deeplift_graph::operator::Precision;
use deeplift_graph::Result;

pub mod draw;
pub mod net;
pub mod published;
pub mod tensor;

pub use net::*;

impl Net {
    /// Scores one example of each input against one reference of each, with target tensor `target`.
    pub fn pair(self, target: &str, x: Vec<Vec<f64>>, x0: Vec<Vec<f64>>) -> Setup {
        let mut setup = Setup::new(self, target);
        setup.references = x0.into_iter().map(|r| Some(Values::F64(r))).collect();
        setup.x = x.into_iter().map(Values::F64).collect();
        setup.options.references = vec![References::PerExample { count: 1 }; setup.x.len()];
        setup
    }
}

/// One value of a tensor.
pub fn value(tensor: &str, index: usize) -> Target {
    Target { tensor: tensor.into(), index: Some(Place::Flat(index)), ..Target::default() }
}

/// Everything of one scoring call.
#[derive(Clone)]
pub struct Setup {
    pub net: Net,
    pub options: PlanOptions,
    pub shared: Vec<Option<Values>>,
    pub first: u64,
    pub examples: usize,
    pub x: Vec<Values>,
    pub references: Vec<Option<Values>>,
}

impl Setup {
    /// One example, zero references, rescale, element 0 of the target, contributions and multipliers.
    pub fn new(net: Net, target: &str) -> Self {
        let inputs: Vec<InputOptions> = net
            .wire
            .inputs
            .iter()
            .map(|v| InputOptions {
                name: v.name.clone(),
                shape: v.dims[1..].iter().map(|&d| d as usize).collect(),
                encoding: Encoding::Float,
            })
            .collect();
        let n = inputs.len();
        let options = PlanOptions {
            inputs,
            channel_axis: vec![],
            targets: vec![value(target, 0)],
            peel: false,
            layers: vec![],
            rule: "rescale".into(),
            steps: None,
            variants: Variants::default(),
            reverse_complement: None,
            mean_normalised: false,
            trace: false,
            timed: false,
            overrides: vec![],
            multiply_by: MultiplyBy::Difference,
            precision: Arithmetic::Float64,
            references: vec![References::Zeros; n],
            outputs: Outputs { contributions: true, multipliers: true, ..Outputs::default() },
            memory: 1e9,
        };
        let references = vec![None; n];
        Setup { net, options, shared: vec![None; n], first: 0, examples: 1, x: vec![], references }
    }

    pub fn rule(mut self, rule: &str) -> Self {
        self.options.rule = rule.into();
        self
    }

    /// One target per row of weights.
    pub fn seeds(mut self, seeds: Vec<Vec<f64>>) -> Self {
        let tensor = self.options.targets[0].tensor.clone();
        let target = |seed| Target { tensor: tensor.clone(), seed: Some(seed), ..Target::default() };
        self.options.targets = seeds.into_iter().map(target).collect();
        self
    }

    /// Every element of the target, one by one.
    pub fn every_element(self) -> Result<Self> {
        let n = self.target_len()?;
        Ok(self.seeds((0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect()))
    }

    pub fn program<T: Precision>(&self) -> Result<Arc<Program<T>>> {
        let target = self.options.targets.first().map_or("t", |t| &t.tensor);
        let model = self.net.clone().output(target).model()?;
        Ok(Arc::new(Program::new(&model, self.options.clone(), &self.shared)?))
    }

    /// Elements of the target tensor.
    pub fn target_len(&self) -> Result<usize> {
        let mut probe = self.clone();
        let tensor = self.options.targets[0].tensor.clone();
        probe.options.targets = vec![value(&tensor, 0)];
        let program = probe.program::<f64>()?;
        Ok(program.plan.tensors.len[program.plan.targets[0].tensor])
    }

    pub fn batch(&self) -> Batch {
        Batch {
            first: self.first,
            examples: self.examples,
            inputs: self.x.clone(),
            references: self.references.clone(),
        }
    }

    /// Plans and scores on one thread.
    pub fn score<T: Precision>(&self) -> Result<Scores<T>> {
        static ONE: LazyLock<Pool> = LazyLock::new(|| Pool::new(1).expect("a thread"));
        run(&ONE, &self.program()?, self.batch())
    }
}

/// Scores a batch on a pool and waits for it.
pub fn run<T: Precision>(pool: &Pool, program: &Arc<Program<T>>, batch: Batch) -> Result<Scores<T>> {
    program.check(&batch)?;
    let never = AtomicBool::new(false);
    let (job, result) = job(program, batch, move || never.load(Ordering::Relaxed));
    pool.submit(Arc::new(job));
    result.recv_timeout(Duration::from_secs(60)).expect("the job ends")
}

/// A job and the channel on which it reports.
pub fn job<T: Precision>(
    program: &Arc<Program<T>>,
    batch: Batch,
    cancelled: impl Fn() -> bool + Send + Sync + 'static,
) -> (ScoreJob<T>, mpsc::Receiver<Result<Scores<T>>>) {
    let (send, receive) = mpsc::channel();
    let done = Box::new(move |r| {
        // The test may have stopped listening after the first report.
        let _ = send.send(r);
    });
    (ScoreJob::new(program.clone(), batch, Box::new(cancelled), done), receive)
}

/// A plan of the forward pass of a setup's network, for the tensors `names`.
pub fn predictor<T: Precision>(setup: &Setup, names: &[&str]) -> Result<Arc<Predictor<T>>> {
    let made = |name: &&&str| setup.net.wire.nodes.iter().any(|n| n.outputs.iter().any(|o| o == **name));
    let net = names.iter().filter(made).fold(setup.net.clone(), |net, name| net.output(name));
    let options = PredictOptions {
        inputs: setup.options.inputs.clone(),
        channel_axis: vec![],
        outputs: names.iter().map(|&n| n.into()).collect(),
        precision: setup.options.precision,
        memory: setup.options.memory,
    };
    Ok(Arc::new(Predictor::new(&net.model()?, options)?))
}

/// Predicts a batch on a pool and waits for it: `[example][element]` of every output.
pub fn predict<T: Precision>(
    pool: &Pool,
    predictor: &Arc<Predictor<T>>,
    batch: Batch,
    cancelled: impl Fn() -> bool + Send + Sync + 'static,
) -> Result<Vec<Vec<T>>> {
    predictor.check(&batch)?;
    let (send, receive) = mpsc::channel();
    let done = Box::new(move |r| send.send(r).expect("somebody listens"));
    pool.submit(Arc::new(PredictJob::new(predictor.clone(), batch, Box::new(cancelled), done)));
    receive.recv_timeout(Duration::from_secs(60)).expect("the job ends")
}

/// Values as bits.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Asserts that two slices agree within `tolerance`, relative to the larger of 1 and the largest magnitude.
#[track_caller]
pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: lengths");
    let scale = expected.iter().chain(found).fold(1.0f64, |m, v| m.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * scale, "{what}: element {i} is {f}, expected {e}");
    }
}
