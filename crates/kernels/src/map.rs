//! Elementwise kernels on slices of equal length, in the code of the active instruction set.
//!
//! All panic if lengths differ. Transcendental functions are accurate to the few ULP stated at
//! [`deeplift_simd::Elementary`].

use crate::chunks::update;
use crate::epilogue;
use deeplift_simd::{Isa, Kernel, Real, Simd};

/// A function of two values that is compiled once per instruction set.
trait Function<T> {
    fn value<S: Simd>(&self, simd: S, y: T, a: T, b: T) -> T;
}

/// `y = f(y, a, b)`.
struct Update<'a, T, F> {
    y: &'a mut [T],
    a: &'a [T],
    b: &'a [T],
    f: F,
}

impl<T: Real, F: Function<T>> Kernel for Update<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let f = self.f;
        update(
            self.y,
            self.a,
            self.b,
            #[inline(always)]
            |y, a, b| f.value(simd, y, a, b),
        );
    }
}

fn run<T: Real>(y: &mut [T], a: &[T], b: &[T], f: impl Function<T>) {
    assert!(
        a.len() == y.len() && b.len() == y.len(),
        "elementwise: slices of {}, {} and {} elements",
        y.len(),
        a.len(),
        b.len()
    );
    Isa::active().run(Update { y, a, b, f });
}

/// Declares the function type inside a public function: its formula over `(simd, y, a, b)`.
macro_rules! formula {
    (|$simd:pat_param, $y:pat_param, $a:pat_param, $b:pat_param| $value:expr) => {{
        struct Formula;
        impl<T: Real> Function<T> for Formula {
            #[inline(always)]
            fn value<S: Simd>(&self, $simd: S, $y: T, $a: T, $b: T) -> T {
                $value
            }
        }
        Formula
    }};
}

/// `out = a + b`.
pub fn add<T: Real>(a: &[T], b: &[T], out: &mut [T]) {
    run(out, a, b, formula!(|_, _, a, b| a + b));
}

/// `out = a - b`.
pub fn sub<T: Real>(a: &[T], b: &[T], out: &mut [T]) {
    run(out, a, b, formula!(|_, _, a, b| a - b));
}

/// `out = a * b`.
pub fn mul<T: Real>(a: &[T], b: &[T], out: &mut [T]) {
    run(out, a, b, formula!(|_, _, a, b| a * b));
}

/// `out += x`.
pub fn add_assign<T: Real>(out: &mut [T], x: &[T]) {
    run(out, x, x, formula!(|_, y, x, _| y + x));
}

/// `out += a * b`, fused where the instruction set has it.
pub fn mul_add_assign<T: Real>(out: &mut [T], a: &[T], b: &[T]) {
    run(out, a, b, formula!(|simd, y, a, b| simd.fma(a, b, y)));
}

/// `out += alpha * x`, fused where the instruction set has it.
pub fn axpy<T: Real>(alpha: T, x: &[T], out: &mut [T]) {
    struct Axpy<T>(T);
    impl<T: Real> Function<T> for Axpy<T> {
        #[inline(always)]
        fn value<S: Simd>(&self, simd: S, y: T, x: T, _: T) -> T {
            simd.fma(self.0, x, y)
        }
    }
    run(out, x, x, Axpy(alpha));
}

/// `out *= alpha`.
pub fn scale<T: Real>(alpha: T, out: &mut [T]) {
    out.iter_mut().for_each(|y| *y *= alpha);
}

/// `out = max(x, 0)`.
pub fn relu<T: Real>(x: &[T], out: &mut [T]) {
    run(out, x, x, formula!(|_, _, x, _| x.max(T::ZERO)));
}

/// Divided difference of ReLU between `z` and `z0`; see [`epilogue::relu_ratio`].
pub fn relu_ratio<T: Real>(z: &[T], z0: &[T], out: &mut [T]) {
    run(out, z, z0, formula!(|_, _, z, z0| epilogue::relu_ratio(z, z0)));
}

/// `out = e^x`.
pub fn exp<T: Real>(x: &[T], out: &mut [T]) {
    run(out, x, x, formula!(|simd, _, x, _| x.exp_in(simd)));
}

/// `out = 1 / (1 + e^-x)`.
pub fn sigmoid<T: Real>(x: &[T], out: &mut [T]) {
    run(out, x, x, formula!(|simd, _, x, _| x.sigmoid_in(simd)));
}

/// `out = tanh x`.
pub fn tanh<T: Real>(x: &[T], out: &mut [T]) {
    run(out, x, x, formula!(|simd, _, x, _| x.tanh_in(simd)));
}

/// `out = erf x`.
pub fn erf<T: Real>(x: &[T], out: &mut [T]) {
    run(out, x, x, formula!(|simd, _, x, _| x.erf_in(simd)));
}

/// Divided difference of the logistic function, `(σ(z) - σ(z0)) / (z - z0)`, its derivative where `z = z0`.
///
/// Written as `½ (σ(z) σ(-z0) + σ(z0) σ(-z)) tanh(δ) / δ` with `δ = (z - z0) / 2`: nothing cancels, so the relative
/// error is a few ULP for near, distant and saturated arguments alike.
pub fn sigmoid_slope<T: Real>(z: &[T], z0: &[T], out: &mut [T]) {
    run(out, z, z0, formula!(|simd, _, z, z0| slope(simd, z, z0)));
}

/// Divided difference of the hyperbolic tangent; since `tanh z = 2 σ(2 z) - 1`, four times that of the logistic
/// function between the doubled arguments.
pub fn tanh_slope<T: Real>(z: &[T], z0: &[T], out: &mut [T]) {
    run(
        out,
        z,
        z0,
        formula!(|simd, _, z, z0| {
            let two = T::from_f64(2.0);
            T::from_f64(4.0) * slope(simd, two * z, two * z0)
        }),
    );
}

/// See [`sigmoid_slope`].
#[inline(always)]
fn slope<T: Real, S: Simd>(simd: S, z: T, z0: T) -> T {
    let half = T::from_f64(0.5);
    let delta = half * (z - z0);
    let crossed = z.sigmoid_in(simd) * (-z0).sigmoid_in(simd) + z0.sigmoid_in(simd) * (-z).sigmoid_in(simd);
    let quotient = delta.tanh_in(simd) / delta;
    half * crossed * if delta == T::ZERO { T::ONE } else { quotient }
}

/// `out = ln(1 + e^x)`.
pub fn softplus<T: Real>(x: &[T], out: &mut [T]) {
    run(out, x, x, formula!(|simd, _, x, _| x.softplus_in(simd)));
}

/// `out = (e^a - e^b) / (a - b)`, the logarithmic mean of `e^a` and `e^b`; 0 where either is `-inf`, which is the limit,
/// or NaN. Relative error of a few ULP beyond that of `e^a`.
pub fn log_mean<T: Real>(a: &[T], b: &[T], out: &mut [T]) {
    /// `(-1)^k / (k + 1)!`, the coefficients of `(1 - e^-t) / t`.
    const SERIES: [f64; 14] = {
        let (mut all, mut k) = ([1.0; 14], 1);
        while k < 14 {
            all[k] = -all[k - 1] / (k as f64 + 1.0);
            k += 1;
        }
        all
    };
    struct LogMean;
    impl<T: Real> Function<T> for LogMean {
        /// With `t = |a - b|` it is `e^max(a, b) (1 - e^-t) / t`, where nothing overflows.
        #[inline(always)]
        fn value<S: Simd>(&self, simd: S, _: T, a: T, b: T) -> T {
            let t = (a - b).abs();
            // Where t is small, its series, of which the next term is below 1e-17 at 1/2.
            let near = SERIES.iter().rev().fold(T::ZERO, |sum, &c| simd.fma(sum, t, T::from_f64(c)));
            let far = (T::ONE - (-t).exp_in(simd)) / t;
            let ratio = if t < T::from_f64(0.5) { near } else { far };
            let mean = a.max(b).exp_in(simd) * ratio;
            // Comparisons with NaN are false.
            if a > T::NEG_INFINITY && b > T::NEG_INFINITY {
                mean
            } else {
                T::ZERO
            }
        }
    }
    run(out, a, b, LogMean);
}
