//! What this processor can do on one thread, measured: multiply-adds on registers, and reading memory.
use deeplift_simd::{AlignedVec, Isa, Kernel, Simd};
use std::hint::black_box;
use std::time::Instant;

/// Seconds per call: the best of several samples of at least 20 ms.
#[inline(always)]
pub fn time(mut work: impl FnMut()) -> f64 {
    work();
    let mut best = f64::INFINITY;
    for _ in 0..7 {
        let (start, mut calls) = (Instant::now(), 0);
        while start.elapsed().as_secs_f64() < 0.02 {
            work();
            calls += 1;
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(calls));
    }
    best
}

/// Multiply-adds on `LEN` independent values that stay in registers.
struct Peak<const LEN: usize>;

impl<const LEN: usize> Kernel for Peak<LEN> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        const STEPS: usize = 10_000;
        let [factor, term] = black_box([0.999f32, 0.001]);
        let seconds = time(
            #[inline(always)]
            || {
                let mut values = black_box([0.5f32; LEN]);
                for _ in 0..STEPS {
                    for value in &mut values {
                        *value = simd.fma(*value, factor, term);
                    }
                }
                black_box(values);
            },
        );
        2.0 * (LEN * STEPS) as f64 / seconds / 1e9
    }
}

/// GFLOP/s with twelve vectors in flight.
pub fn peak(isa: Isa) -> f64 {
    match isa {
        Isa::Avx512 => isa.run(Peak::<192>),
        Isa::Avx2 => isa.run(Peak::<96>),
        Isa::Scalar => isa.run(Peak::<48>),
    }
}

/// Sums of values, sixteen vectors at a time.
struct Sum<'a>(&'a [f32]);

impl Kernel for Sum<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) -> f64 {
        const LEN: usize = 256;
        let values = self.0;
        let seconds = time(
            #[inline(always)]
            || {
                let mut sums = [0f32; LEN];
                for chunk in black_box(values).chunks_exact(LEN) {
                    for (sum, value) in sums.iter_mut().zip(chunk) {
                        *sum += value;
                    }
                }
                black_box(sums);
            },
        );
        size_of_val(values) as f64 / seconds / 1e9
    }
}

/// GB/s of reading so many bytes again and again.
#[allow(dead_code, reason = "one of the examples that share this file asks for the peak alone")]
pub fn reading(isa: Isa, bytes: usize) -> f64 {
    let mut values = AlignedVec::zeroed(bytes / size_of::<f32>());
    // Pages that were never written to are all the same one.
    values.fill(1.0);
    isa.run(Sum(&values))
}
