//! Models, plans and jobs as JavaScript classes.
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use deeplift_engine::describe::describe;
use deeplift_engine::mutagenesis::Mutator;
use deeplift_engine::options::{MutagenesisOptions, PlanOptions, Precision, PredictOptions};
use deeplift_engine::pool::Pool;
use deeplift_engine::predict::Predictor;
use deeplift_engine::score::{Batch, Program, Values};
use deeplift_engine::tile::{Done, ScoreJob};
use deeplift_engine::trace::{trace, StepResidual};
use deeplift_graph::model::{Model, Value};
use deeplift_graph::{Code, Error};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use serde_json::json;

use crate::mutagenesis::{AnyMutator, NativeMutator};
use crate::predict::{AnyPredictor, NativePredictor};
use crate::results::Results;
use crate::wire::{self, get};
use crate::{misuse, thrown};

/// A validated model and its threads.
#[napi]
pub struct NativeModel {
    model: Arc<Model>,
    pool: Arc<Pool>,
}

/// A plan in one of the precisions.
#[derive(Clone)]
enum AnyProgram {
    F32(Arc<Program<f32>>),
    F64(Arc<Program<f64>>),
}

/// A plan and the threads it runs on.
#[napi]
pub struct NativePlan {
    program: AnyProgram,
    pool: Arc<Pool>,
}

/// Cancels the jobs that it was given to.
#[napi]
#[derive(Default)]
pub struct CancelToken {
    pub(crate) cancelled: Arc<AtomicBool>,
}

#[napi]
impl CancelToken {
    #[napi(constructor)]
    pub fn new() -> Self {
        CancelToken::default()
    }

    #[napi]
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

#[napi]
impl NativeModel {
    #[napi(constructor)]
    pub fn new(model: Object, threads: u32) -> Result<Self> {
        let model = Model::new(wire::model(&model)?).map_err(thrown)?;
        let pool = Pool::new(threads as usize).map_err(thrown)?;
        Ok(NativeModel { model: Arc::new(model), pool: Arc::new(pool) })
    }

    #[napi]
    pub fn inspect(&self) -> String {
        let m = &self.model;
        let value = |v: &Value| {
            json!({ "name": v.name, "dtype": format!("{:?}", v.dtype).to_lowercase(), "dims": v.dims,
                    "dimNames": v.dim_names, "hasShape": v.has_shape })
        };
        let mut ops = std::collections::BTreeMap::<&str, usize>::new();
        for n in &m.nodes {
            *ops.entry(&n.op).or_default() += 1;
        }
        let parameters: usize = m.constants.values().filter(|c| c.dtype.is_float()).map(|c| c.len()).sum();
        json!({
            "inputs": m.inputs.iter().map(value).collect::<Vec<_>>(),
            "outputs": m.outputs.iter().map(value).collect::<Vec<_>>(),
            "nodes": m.nodes.len(),
            "ops": ops,
            "parameters": parameters,
            "opset": m.opset,
            "source": m.source,
        })
        .to_string()
    }

    /// Plans on a thread of its own: packing weights takes a while for large models.
    #[napi(ts_return_type = "Promise<NativePlan>")]
    pub fn plan<'e>(
        &self,
        env: &'e Env,
        options: String,
        shared: Vec<Option<TypedArray>>,
    ) -> Result<Object<'e>> {
        let options: PlanOptions =
            serde_json::from_str(&options).map_err(|e| misuse(format!("plan options: {e}")))?;
        let shared: Vec<Option<Values>> =
            shared.iter().map(|s| s.as_ref().map(values).transpose()).collect::<Result<_>>()?;
        let (model, pool) = (self.model.clone(), self.pool.clone());
        let make = move || {
            Ok(match options.precision {
                Precision::Float64 => AnyProgram::F64(Arc::new(Program::new(&model, options, &shared)?)),
                _ => AnyProgram::F32(Arc::new(Program::new(&model, options, &shared)?)),
            })
        };
        on_thread(env, "plan", make, move |program| NativePlan { program, pool })
    }

    /// Plans changes of letters, on a thread of its own.
    #[napi(ts_return_type = "Promise<NativeMutator>")]
    pub fn mutator<'e>(&self, env: &'e Env, options: String) -> Result<Object<'e>> {
        let options: MutagenesisOptions =
            serde_json::from_str(&options).map_err(|e| misuse(format!("mutagenesis options: {e}")))?;
        let (model, pool) = (self.model.clone(), self.pool.clone());
        let make = move || {
            Ok(match options.precision {
                Precision::Float64 => AnyMutator::F64(Arc::new(Mutator::new(&model, options)?)),
                _ => AnyMutator::F32(Arc::new(Mutator::new(&model, options)?)),
            })
        };
        on_thread(env, "plan", make, move |mutator| NativeMutator { mutator, pool })
    }

    /// Plans a forward pass, on a thread of its own.
    #[napi(ts_return_type = "Promise<NativePredictor>")]
    pub fn predictor<'e>(&self, env: &'e Env, options: String) -> Result<Object<'e>> {
        let options: PredictOptions =
            serde_json::from_str(&options).map_err(|e| misuse(format!("predict options: {e}")))?;
        let (model, pool) = (self.model.clone(), self.pool.clone());
        let make = move || {
            Ok(match options.precision {
                Precision::Float64 => AnyPredictor::F64(Arc::new(Predictor::new(&model, options)?)),
                _ => AnyPredictor::F32(Arc::new(Predictor::new(&model, options)?)),
            })
        };
        on_thread(env, "plan", make, move |predictor| NativePredictor { predictor, pool })
    }
}

/// Runs work on a thread of its own and settles a promise with what `finish` makes of its result.
fn on_thread<'e, W: Send + 'static, R: ToNapiValue + 'static>(
    env: &'e Env,
    what: &'static str,
    work: impl FnOnce() -> std::result::Result<W, Error> + Send + 'static,
    finish: impl FnOnce(W) -> R + Send + 'static,
) -> Result<Object<'e>> {
    let (deferred, promise) = env.create_deferred()?;
    let run = move || {
        let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
            let defect = format!("{what} failed by a defect of this package; please report it");
            // Weights that cannot be read any more, where no result could say so.
            Err(payload.downcast().map_or_else(|_| Error::new(Code::Internal, defect), |error| *error))
        });
        match done {
            Ok(result) => deferred.resolve(Box::new(move |_| Ok(finish(result))) as Resolver<_>),
            Err(e) => deferred.reject(thrown(e)),
        }
    };
    let spawned = std::thread::Builder::new().name(format!("deeplift-{what}")).spawn(run);
    spawned.map_err(|e| misuse(format!("cannot start a thread: {e}")))?;
    Ok(promise)
}

/// Makes a JavaScript value on the JavaScript thread.
pub(crate) type Resolver<T> = Box<dyn FnOnce(Env) -> Result<T> + Send>;

#[napi]
impl NativePlan {
    #[napi]
    pub fn describe(&self) -> String {
        match &self.program {
            AnyProgram::F32(p) => describe(&p.plan),
            AnyProgram::F64(p) => describe(&p.plan),
        }
        .to_string()
    }

    /// Seconds of every step since the last call, as JSON; of plans that are timed.
    #[napi]
    pub fn times(&self) -> String {
        match &self.program {
            AnyProgram::F32(p) => p.take_times(),
            AnyProgram::F64(p) => p.take_times(),
        }
        .to_string()
    }

    /// Copies the batch and looks for the steps that lose completeness, on a thread of its own. JSON, worst first.
    #[napi(ts_return_type = "Promise<string>")]
    pub fn trace<'e>(&self, env: &'e Env, batch: Object, cancel: &CancelToken) -> Result<Object<'e>> {
        let batch = read_batch(&batch)?;
        let token = cancel.cancelled.clone();
        let program = self.program.clone();
        match &program {
            AnyProgram::F32(p) => p.check(&batch),
            AnyProgram::F64(p) => p.check(&batch),
        }
        .map_err(thrown)?;
        let make = move || {
            let cancelled = || token.load(Ordering::Relaxed);
            let steps = match &program {
                AnyProgram::F32(p) => trace(p, &batch, &cancelled)?,
                AnyProgram::F64(p) => trace(p, &batch, &cancelled)?,
            };
            let row = |s: &StepResidual| {
                json!({ "node": s.node, "op": s.op, "rule": s.rule, "residual": s.residual,
                        "relative": s.relative })
            };
            Ok(json!(steps.iter().map(row).collect::<Vec<_>>()).to_string())
        };
        on_thread(env, "trace", make, |text| text)
    }

    /// Copies the batch, queues it, and settles the promise from the thread that finishes it.
    #[napi(ts_return_type = "Promise<NativeResult>")]
    pub fn score<'e>(&self, env: &'e Env, batch: Object, cancel: &CancelToken) -> Result<Object<'e>> {
        let batch = read_batch(&batch)?;
        let token = cancel.cancelled.clone();
        let cancelled = Box::new(move || token.load(Ordering::Relaxed));
        let (deferred, promise) = env.create_deferred()?;
        let settle = move |r: std::result::Result<Results, Error>| match r {
            Ok(scores) => deferred.resolve(Box::new(move |_| Ok(scores)) as Resolver<_>),
            Err(e) => deferred.reject(thrown(e)),
        };
        match &self.program {
            AnyProgram::F32(p) => {
                p.check(&batch).map_err(thrown)?;
                let done: Done<f32> = Box::new(move |r| settle(r.map(Results::F32)));
                self.pool.submit(Arc::new(ScoreJob::new(p.clone(), batch, cancelled, done)));
            }
            AnyProgram::F64(p) => {
                p.check(&batch).map_err(thrown)?;
                let done: Done<f64> = Box::new(move |r| settle(r.map(Results::F64)));
                self.pool.submit(Arc::new(ScoreJob::new(p.clone(), batch, cancelled, done)));
            }
        }
        Ok(promise)
    }
}

pub(crate) fn read_batch(o: &Object) -> Result<Batch> {
    let inputs: Vec<TypedArray> = get(o, "inputs")?;
    let references: Vec<Option<TypedArray>> = get(o, "references")?;
    Ok(Batch {
        first: get::<i64>(o, "first")? as u64,
        examples: get::<u32>(o, "examples")? as usize,
        inputs: inputs.iter().map(values).collect::<Result<_>>()?,
        references: references.iter().map(|r| r.as_ref().map(values).transpose()).collect::<Result<_>>()?,
    })
}

/// Copies a typed array.
fn values(a: &TypedArray) -> Result<Values> {
    let bytes: &[u8] = &a.arraybuffer;
    Ok(match a.typed_array_type {
        TypedArrayType::Uint8 => Values::Codes(bytes.to_vec()),
        TypedArrayType::Float32 => Values::F32(words(bytes, f32::from_ne_bytes)),
        TypedArrayType::Float64 => Values::F64(words(bytes, f64::from_ne_bytes)),
        other => {
            return Err(misuse(format!(
                "expected a Uint8Array, Float32Array or Float64Array, found {other:?}"
            )))
        }
    })
}

fn words<const W: usize, T>(bytes: &[u8], read: impl Fn([u8; W]) -> T) -> Vec<T> {
    bytes.chunks_exact(W).map(|c| read(c.try_into().expect("chunks_exact"))).collect()
}
