//! Elementary functions that vectorise.
//!
//! For `f32` these are branch-free polynomials, a few ULP accurate (stated at each function, and tested over all
//! magnitudes against float64). For `f64` they are those of `libm`, one value at a time: float64 is for checks.

use crate::Simd;

/// Elementary functions in the code of one instruction set.
pub trait Elementary: Sized {
    /// `e^self`.
    fn exp_in<S: Simd>(self, simd: S) -> Self;
    /// `1 / (1 + e^-self)`.
    fn sigmoid_in<S: Simd>(self, simd: S) -> Self;
    /// Hyperbolic tangent.
    fn tanh_in<S: Simd>(self, simd: S) -> Self;
    /// Error function.
    fn erf_in<S: Simd>(self, simd: S) -> Self;
    /// `ln(1 + e^self)`.
    fn softplus_in<S: Simd>(self, simd: S) -> Self;
}

/// `(... (c0 x + c1) x + ...) x + cn`.
#[inline(always)]
fn horner<S: Simd, const N: usize>(simd: S, x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    for c in &coefficients[1..] {
        sum = simd.fma(sum, x, *c);
    }
    sum
}

impl Elementary for f32 {
    /// At most 2 ULP, results below the normal range included; NaN gives NaN.
    ///
    /// `e^x = 2^n e^r` with `|r| <= ln(2) / 2`; polynomial of Cephes `expf` (S. Moshier, 1989).
    #[inline(always)]
    fn exp_in<S: Simd>(self, simd: S) -> f32 {
        /// 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits.
        const ROUND: f32 = 12_582_912.0;
        /// `ln 2` in two parts, the first of few bits so that its multiples are exact.
        const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
        // Beyond these the result is infinite, or rounds to zero.
        let x = if self > 89.0 { 89.0 } else { self };
        let x = if x < -104.0 { -104.0 } else { x };
        let shifted = x * std::f32::consts::LOG2_E + ROUND;
        let n = shifted - ROUND;
        let r = simd.fma(n, -LN_2[1], simd.fma(n, -LN_2[0], x));
        let p = horner(
            simd,
            r,
            [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1],
        );
        let p = simd.fma(p * r, r, r) + 1.0;
        // 2^n in two factors, because n may exceed the exponents of normal numbers.
        let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
        let half = n >> 1;
        let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
        p * power(half) * power(n.wrapping_sub(half))
    }

    /// At most 4 ULP where the result is normal (`self > -87`); below that it goes to zero early.
    #[inline(always)]
    fn sigmoid_in<S: Simd>(self, simd: S) -> f32 {
        1.0 / (1.0 + (-self).exp_in(simd))
    }

    /// At most 3 ULP. Polynomial of Cephes `tanhf` near zero.
    #[inline(always)]
    fn tanh_in<S: Simd>(self, simd: S) -> f32 {
        let (size, square) = (self.abs(), self * self);
        let p = horner(
            simd,
            square,
            [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1],
        );
        let near = simd.fma(p * square, self, self);
        let far = (1.0 - 2.0 / ((2.0 * size).exp_in(simd) + 1.0)).copysign(self);
        if size < 0.625 {
            near
        } else {
            far
        }
    }

    /// At most 3 ULP. Near zero `x + x p(x^2)`, `p` fitted to `erf(x) / x - 1`; elsewhere `1 - e^-(t + t p(t))`, `p`
    /// fitted to `-ln(erfc t) / t - 1` on 0.93..4. Both by least squares at Chebyshev nodes, reweighted to minimax.
    #[inline(always)]
    fn erf_in<S: Simd>(self, simd: S) -> f32 {
        let (size, square) = (self.abs(), self * self);
        let p = horner(
            simd,
            square,
            [
                -5.967_617e-4,
                4.991_194_2e-3,
                -2.676_813_5e-2,
                1.128_199_25e-1,
                -3.761_253_4e-1,
                1.283_791_7e-1,
            ],
        );
        let near = simd.fma(p, self, self);
        let t = if size > 4.0 { 4.0 } else { size };
        let p = horner(
            simd,
            t,
            [
                1.123_130_4e-5,
                -3.228_038_3e-4,
                3.642_459e-3,
                -2.376_206_2e-2,
                1.062_368_75e-1,
                6.351_513e-1,
                1.286_484_9e-1,
            ],
        );
        let far = (1.0 - simd.fma(p, -t, -t).exp_in(simd)).copysign(self);
        if size > 0.927_734_4 {
            far
        } else {
            near
        }
    }

    /// At most 4 ULP where the result is normal. `max(x, 0) + ln(1 + y)` with `y = e^-|x|`, and
    /// `ln(1 + y) = 2 artanh(y / (2 + y))`, whose series converges like `9^-n`.
    #[inline(always)]
    fn softplus_in<S: Simd>(self, simd: S) -> f32 {
        let y = (-self.abs()).exp_in(simd);
        let s = y / (2.0 + y);
        let p = horner(
            simd,
            s * s,
            [1.0 / 17.0, 1.0 / 15.0, 1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 0.2, 1.0 / 3.0, 1.0],
        );
        let positive = if self > 0.0 { self } else { 0.0 };
        positive + 2.0 * s * p
    }
}

impl Elementary for f64 {
    #[inline(always)]
    fn exp_in<S: Simd>(self, _: S) -> f64 {
        libm::exp(self)
    }

    #[inline(always)]
    fn sigmoid_in<S: Simd>(self, _: S) -> f64 {
        1.0 / (1.0 + libm::exp(-self))
    }

    #[inline(always)]
    fn tanh_in<S: Simd>(self, _: S) -> f64 {
        libm::tanh(self)
    }

    #[inline(always)]
    fn erf_in<S: Simd>(self, _: S) -> f64 {
        libm::erf(self)
    }

    #[inline(always)]
    fn softplus_in<S: Simd>(self, _: S) -> f64 {
        f64::max(self, 0.0) + libm::log1p(libm::exp(-self.abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, Kernel};

    /// Which function to run.
    #[derive(Clone, Copy, Debug)]
    enum Function {
        Exp,
        Sigmoid,
        Tanh,
        Erf,
        Softplus,
    }

    struct All<'a>(Function, &'a [f32]);

    impl Kernel for All<'_> {
        type Output = Vec<f32>;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Vec<f32> {
            let each = |f: &dyn Fn(f32) -> f32| self.1.iter().map(|x| f(*x)).collect();
            match self.0 {
                Function::Exp => each(&|x| x.exp_in(simd)),
                Function::Sigmoid => each(&|x| x.sigmoid_in(simd)),
                Function::Tanh => each(&|x| x.tanh_in(simd)),
                Function::Erf => each(&|x| x.erf_in(simd)),
                Function::Softplus => each(&|x| x.softplus_in(simd)),
            }
        }
    }

    /// Every 499th finite `f32` (a prime, so that all low bits occur); under Miri far fewer.
    fn inputs() -> Vec<f32> {
        let step = if cfg!(miri) { 9_999_991 } else { 499 };
        (0..=u32::MAX).step_by(step).map(f32::from_bits).filter(|x| x.is_finite()).collect()
    }

    /// Distance in units of the last place of the exact value, `f32` subnormals included.
    fn ulps(found: f32, exact: f64) -> f64 {
        let rounded = exact as f32;
        if rounded.is_infinite() || found.is_infinite() {
            // One step beyond the largest value is infinity.
            return if found == rounded { 0.0 } else { f64::from(found == f32::MAX) + 1.0 };
        }
        let exponent = (exact.abs() as f32).to_bits() >> 23;
        let unit = 2f64.powi(exponent.max(1) as i32 - 150);
        (f64::from(found) - exact).abs() / unit
    }

    fn within(function: Function, bound: f64, from: f32, exact: impl Fn(f64) -> f64) {
        let inputs: Vec<f32> = inputs().into_iter().filter(|x| *x >= from).collect();
        for isa in Isa::available() {
            let mut worst = (0.0, 0.0);
            for (x, y) in inputs.iter().zip(isa.run(All(function, &inputs))) {
                let error = ulps(y, exact(f64::from(*x)));
                if error.is_nan() || error > worst.0 {
                    worst = (error, *x);
                }
            }
            println!("{isa} {function:?}: {} ULP at {}", worst.0, worst.1);
            assert!(worst.0 <= bound, "{isa} {function:?}: {} ULP at {}", worst.0, worst.1);
        }
    }

    #[test]
    fn exp_is_within_2_ulp() {
        within(Function::Exp, 2.0, f32::MIN, libm::exp);
    }

    #[test]
    fn sigmoid_is_within_4_ulp() {
        within(Function::Sigmoid, 4.0, -87.0, |x| 1.0 / (1.0 + libm::exp(-x)));
    }

    #[test]
    fn tanh_is_within_3_ulp() {
        within(Function::Tanh, 3.0, f32::MIN, libm::tanh);
    }

    #[test]
    fn erf_is_within_3_ulp() {
        within(Function::Erf, 3.0, f32::MIN, libm::erf);
    }

    #[test]
    fn softplus_is_within_4_ulp() {
        within(Function::Softplus, 4.0, -87.0, |x| x.max(0.0) + libm::log1p(libm::exp(-x.abs())));
    }

    #[test]
    fn limits_and_nan_go_through() {
        let special = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN];
        for isa in Isa::available() {
            let run = |function| isa.run(All(function, &special));
            for (function, low, high) in [
                (Function::Exp, 0.0, f32::INFINITY),
                (Function::Sigmoid, 0.0, 1.0),
                (Function::Tanh, -1.0, 1.0),
                (Function::Erf, -1.0, 1.0),
                (Function::Softplus, 0.0, f32::INFINITY),
            ] {
                let found = run(function);
                assert_eq!(found[..2], [low, high], "{isa} {function:?}");
                assert!(found[2].is_nan(), "{isa} {function:?}");
            }
        }
    }
}
