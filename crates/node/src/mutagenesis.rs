//! Saturation mutagenesis as a JavaScript class.
use std::sync::atomic::Ordering;
use std::sync::Arc;

use deeplift_engine::mutagenesis::{MutagenesisJob, Mutated, Mutator};
use deeplift_engine::pool::Pool;
use deeplift_graph::Error;
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::model::{read_batch, CancelToken, Resolver};
use crate::results::Changes;
use crate::thrown;

/// A plan of changes in one of the precisions.
#[derive(Clone)]
pub enum AnyMutator {
    F32(Arc<Mutator<f32>>),
    F64(Arc<Mutator<f64>>),
}

/// A plan of changes and the threads it runs on.
#[napi]
pub struct NativeMutator {
    pub(crate) mutator: AnyMutator,
    pub(crate) pool: Arc<Pool>,
}

#[napi]
impl NativeMutator {
    #[napi]
    pub fn describe(&self) -> String {
        match &self.mutator {
            AnyMutator::F32(m) => m.describe(),
            AnyMutator::F64(m) => m.describe(),
        }
        .to_string()
    }

    /// Copies the batch, queues it, and settles the promise from the thread that finishes it.
    #[napi(ts_return_type = "Promise<NativeEffects>")]
    pub fn mutate<'e>(&self, env: &'e Env, batch: Object, cancel: &CancelToken) -> Result<Object<'e>> {
        let batch = read_batch(&batch)?;
        let token = cancel.cancelled.clone();
        let cancelled = Box::new(move || token.load(Ordering::Relaxed));
        let (deferred, promise) = env.create_deferred()?;
        let settle = move |r: std::result::Result<Changes, Error>| match r {
            Ok(changes) => deferred.resolve(Box::new(move |_| Ok(changes)) as Resolver<_>),
            Err(e) => deferred.reject(thrown(e)),
        };
        match &self.mutator {
            AnyMutator::F32(m) => {
                m.check(&batch).map_err(thrown)?;
                let done: Mutated<f32> = Box::new(move |r| settle(r.map(Changes::F32)));
                self.pool.submit(Arc::new(MutagenesisJob::new(m.clone(), batch, cancelled, done)));
            }
            AnyMutator::F64(m) => {
                m.check(&batch).map_err(thrown)?;
                let done: Mutated<f64> = Box::new(move |r| settle(r.map(Changes::F64)));
                self.pool.submit(Arc::new(MutagenesisJob::new(m.clone(), batch, cancelled, done)));
            }
        }
        Ok(promise)
    }
}
