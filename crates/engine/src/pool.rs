//! Threads of our own: Node's pool stays free, and the number of threads is the caller's choice.
//!
//! Jobs are served in order of arrival. Where the first job has nothing left to claim, idle threads help with the
//! next, so that a caller who keeps two batches in flight keeps all threads busy.
use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex};

use deeplift_graph::{Code, Error};

use crate::tile::lock;

/// What a thread found when it asked a job for work.
pub enum Progress {
    /// It did something; ask again.
    Worked,
    /// Others are still busy with it, nothing can be claimed.
    Waiting,
    /// The job is over.
    Finished,
}

/// Work that several threads can take part in.
pub trait Job: Send + Sync {
    /// Does some of the work.
    fn step(&self, signal: &Signal) -> Progress;
    /// Ends the job with an error.
    fn fail(&self, error: Error);
}

/// The queue, as threads see it.
pub struct Signal {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Arc<dyn Job>>,
    /// Counts changes, so that a thread knows whether it missed one while it looked for work.
    version: u64,
    closed: bool,
}

impl Signal {
    /// Tells idle threads that there may be something to claim.
    pub fn wake(&self) {
        lock(&self.queue).version += 1;
        self.changed.notify_all();
    }
}

/// A pool; dropping it ends its threads after the step they are in, without waiting for them.
pub struct Pool {
    signal: Arc<Signal>,
    threads: usize,
}

impl Pool {
    /// Starts `threads` threads.
    ///
    /// # Errors
    /// `INTERNAL` if the system refuses a thread.
    pub fn new(threads: usize) -> deeplift_graph::Result<Self> {
        let signal = Arc::new(Signal { queue: Mutex::default(), changed: Condvar::new() });
        let pool = Pool { signal, threads: threads.max(1) };
        for i in 0..pool.threads {
            let signal = pool.signal.clone();
            let thread =
                std::thread::Builder::new().name(format!("deeplift-{i}")).spawn(move || work(&signal));
            if let Err(e) = thread {
                return Err(Error::new(Code::Internal, format!("cannot start a thread: {e}")));
            }
        }
        Ok(pool)
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Queues a job.
    pub fn submit(&self, job: Arc<dyn Job>) {
        lock(&self.signal.queue).jobs.push(job);
        self.signal.wake();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let jobs = {
            let mut queue = lock(&self.signal.queue);
            queue.closed = true;
            std::mem::take(&mut queue.jobs)
        };
        self.signal.wake();
        for job in jobs {
            job.fail(Error::new(Code::Aborted, "the model was closed while scoring"));
        }
    }
}

fn work(signal: &Signal) {
    loop {
        let (jobs, version) = {
            let queue = lock(&signal.queue);
            if queue.closed {
                return;
            }
            (queue.jobs.clone(), queue.version)
        };
        if jobs.iter().any(|job| advance(job, signal)) {
            continue;
        }
        let mut queue = lock(&signal.queue);
        while queue.version == version && !queue.closed {
            queue = signal.changed.wait(queue).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }
}

/// What a panic was that no result could tell of. Weights that cannot be read are no defect, and unwind with their error.
fn defect(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default();
    Error::new(Code::Internal, format!("a defect of this package: {text}; please report it"))
}

/// Lets a job do something; false if it had nothing to do. A panic ends the job, not the thread.
fn advance(job: &Arc<dyn Job>, signal: &Signal) -> bool {
    let progress = catch_unwind(AssertUnwindSafe(|| job.step(signal))).unwrap_or_else(|panic| {
        job.fail(panic.downcast().map_or_else(|panic| defect(panic.as_ref()), |error| *error));
        Progress::Finished
    });
    match progress {
        Progress::Worked => true,
        Progress::Waiting => false,
        Progress::Finished => {
            let mut queue = lock(&signal.queue);
            let before = queue.jobs.len();
            queue.jobs.retain(|j| !Arc::ptr_eq(j, job));
            before != queue.jobs.len()
        }
    }
}
