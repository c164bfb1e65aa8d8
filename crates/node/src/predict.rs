//! Forward passes as a JavaScript class.
use std::sync::atomic::Ordering;
use std::sync::Arc;

use deeplift_engine::pool::Pool;
use deeplift_engine::predict::{PredictJob, Predicted, Predictor};
use deeplift_graph::Error;
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::model::{read_batch, CancelToken, Resolver};
use crate::results::Outputs;
use crate::thrown;

/// A plan of a forward pass in one of the precisions.
#[derive(Clone)]
pub enum AnyPredictor {
    F32(Arc<Predictor<f32>>),
    F64(Arc<Predictor<f64>>),
}

/// A plan of a forward pass and the threads it runs on.
#[napi]
pub struct NativePredictor {
    pub(crate) predictor: AnyPredictor,
    pub(crate) pool: Arc<Pool>,
}

#[napi]
impl NativePredictor {
    #[napi]
    pub fn describe(&self) -> String {
        match &self.predictor {
            AnyPredictor::F32(p) => p.describe(),
            AnyPredictor::F64(p) => p.describe(),
        }
        .to_string()
    }

    /// Copies the batch, queues it, and settles the promise from the thread that finishes it.
    #[napi(ts_return_type = "Promise<(Float32Array | Float64Array)[]>")]
    pub fn predict<'e>(&self, env: &'e Env, batch: Object, cancel: &CancelToken) -> Result<Object<'e>> {
        let batch = read_batch(&batch)?;
        let token = cancel.cancelled.clone();
        let cancelled = Box::new(move || token.load(Ordering::Relaxed));
        let (deferred, promise) = env.create_deferred()?;
        let settle = move |r: std::result::Result<Outputs, Error>| match r {
            Ok(outputs) => deferred.resolve(Box::new(move |_| Ok(outputs)) as Resolver<_>),
            Err(e) => deferred.reject(thrown(e)),
        };
        match &self.predictor {
            AnyPredictor::F32(p) => {
                p.check(&batch).map_err(thrown)?;
                let done: Predicted<f32> = Box::new(move |r| settle(r.map(Outputs::F32)));
                self.pool.submit(Arc::new(PredictJob::new(p.clone(), batch, cancelled, done)));
            }
            AnyPredictor::F64(p) => {
                p.check(&batch).map_err(thrown)?;
                let done: Predicted<f64> = Box::new(move |r| settle(r.map(Outputs::F64)));
                self.pool.submit(Arc::new(PredictJob::new(p.clone(), batch, cancelled, done)));
            }
        }
        Ok(promise)
    }
}
