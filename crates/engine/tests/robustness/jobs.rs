//! Jobs report exactly once, whatever happens to them.
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::Arc;
use std::time::Duration;

use deeplift_engine::options::References;
use deeplift_engine::pool::{Job, Pool, Progress, Signal};
use deeplift_engine::score::Values;
use deeplift_graph::{Code, Error};

use crate::common::{job, run, Net, Setup};

const LIMIT: Duration = Duration::from_secs(60);

fn setup(examples: usize) -> Setup {
    let net = Net::new()
        .input("x", &[3])
        .weight("w", &[3, 1], vec![1.0, -2.0, 0.5])
        .node("MatMul", "x w", "h", [])
        .node("Tanh", "h", "t", []);
    let mut s = Setup::new(net, "t");
    s.options.references = vec![References::PerExample { count: 4 }];
    s.examples = examples;
    s.x = vec![Values::F32(vec![0.5; 3 * examples])];
    s.references = vec![Some(Values::F32(vec![0.25; 12 * examples]))];
    s
}

/// The one report of a job, and proof that there is no other: the sender is gone.
fn only<R>(reports: &Receiver<R>) -> R {
    let report = reports.recv_timeout(LIMIT).expect("a report");
    assert!(matches!(reports.recv_timeout(LIMIT), Err(mpsc::RecvTimeoutError::Disconnected)));
    report
}

#[test]
fn a_cancelled_job_reports_aborted_once() {
    let s = setup(50);
    let program = s.program::<f32>().unwrap();
    for threads in [1, 3] {
        let pool = Pool::new(threads).unwrap();
        // Cancelled before it starts, and after the job has asked a few times.
        for asked in [0, 5, 20] {
            let count = AtomicUsize::new(0);
            let cancelled = move || count.fetch_add(1, Ordering::Relaxed) >= asked;
            let (job, reports) = job(&program, s.batch(), cancelled);
            pool.submit(Arc::new(job));
            assert_eq!(only(&reports).unwrap_err().code, Code::Aborted);
        }
        // The pool goes on.
        assert_eq!(run(&pool, &program, s.batch()).unwrap().output.len(), 50);
    }
}

#[test]
fn cancelling_a_finished_job_changes_nothing() {
    let s = setup(4);
    let program = s.program::<f64>().unwrap();
    let pool = Pool::new(2).unwrap();
    let flag = Arc::new(AtomicBool::new(false));
    let seen = flag.clone();
    let (job, reports) = job(&program, s.batch(), move || seen.load(Ordering::Relaxed));
    pool.submit(Arc::new(job));
    assert!(only(&reports).is_ok());
    flag.store(true, Ordering::Relaxed);
    assert!(run(&pool, &program, s.batch()).is_ok());
}

#[test]
fn an_empty_batch_is_done_at_once() {
    let s = setup(0);
    let program = s.program::<f64>().unwrap();
    let (job, reports) = job(&program, s.batch(), || false);
    assert!(reports.recv_timeout(LIMIT).unwrap().unwrap().output.is_empty());
    // It may still be queued.
    let pool = Pool::new(1).unwrap();
    pool.submit(Arc::new(job));
    assert!(matches!(reports.recv_timeout(LIMIT), Err(mpsc::RecvTimeoutError::Disconnected)));
}

/// Holds a thread until it is told to go on.
struct Blocker {
    started: mpsc::Sender<()>,
    gate: Arc<AtomicBool>,
}

impl Job for Blocker {
    fn step(&self, _: &Signal) -> Progress {
        // The test may have ended.
        let _ = self.started.send(());
        while !self.gate.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Progress::Finished
    }

    fn fail(&self, _: Error) {}
}

#[test]
fn closing_the_pool_aborts_waiting_jobs() {
    let s = setup(5);
    let program = s.program::<f32>().unwrap();
    let pool = Pool::new(1).unwrap();
    let (started, has_started) = mpsc::channel();
    let gate = Arc::new(AtomicBool::new(false));
    pool.submit(Arc::new(Blocker { started, gate: gate.clone() }));
    has_started.recv_timeout(LIMIT).unwrap();
    let (waiting, reports) = job(&program, s.batch(), || false);
    pool.submit(Arc::new(waiting));
    drop(pool);
    let error = only(&reports).unwrap_err();
    assert_eq!(error.code, Code::Aborted);
    assert!(error.message.contains("closed"), "{error}");
    gate.store(true, Ordering::Relaxed);
}

/// Panics at its first step; reports how it failed.
struct Broken(mpsc::Sender<Error>);

impl Job for Broken {
    fn step(&self, _: &Signal) -> Progress {
        panic!("index out of range");
    }

    fn fail(&self, error: Error) {
        // The test may have ended.
        let _ = self.0.send(error);
    }
}

#[test]
fn a_panic_ends_its_job_and_nothing_else() {
    let s = setup(5);
    let program = s.program::<f32>().unwrap();
    let pool = Pool::new(2).unwrap();
    for _ in 0..3 {
        let (send, reports) = mpsc::channel();
        pool.submit(Arc::new(Broken(send)));
        let error = reports.recv_timeout(LIMIT).unwrap();
        assert_eq!(error.code, Code::Internal);
        assert!(error.message.contains("index out of range"), "{error}");
        assert!(run(&pool, &program, s.batch()).is_ok());
    }
    assert_eq!(pool.threads(), 2);
}

/// A batch that overflows names its example and leaves the others unscored.
#[test]
fn an_overflow_names_the_example() {
    let mut s = setup(4);
    s.net = Net::new().input("x", &[3]).node("Exp", "x", "t", []);
    s.first = 10;
    let mut x = vec![0.5f32; 12];
    x[2 * 3] = 1000.0;
    s.x = vec![Values::F32(x)];
    let error = s.score::<f32>().unwrap_err();
    assert_eq!(error.code, Code::InvalidInput);
    assert!(error.message.contains("example 12"), "{error}");
}
