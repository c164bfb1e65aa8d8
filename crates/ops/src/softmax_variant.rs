//! Other rules for Softmax, as peers have them (SEMANTICS 3.4). Neither is the default: `elementwise` depends on a threshold
//! and loses what elements with equal logits receive, `decomposed` divides by differences of logits.
use deeplift_graph::operator::ClosedForm;
use deeplift_graph::{bail, Build, Result};
use deeplift_kernels::softmax::softmax;
use deeplift_simd::Real;

use crate::softmax::{lines, log_mean};

/// Below this difference of two logits peers take a derivative: SHAP's PyTorch and TensorFlow explainers alike.
const NEAR: f64 = 1e-6;

/// A rule that is not the logarithmic mean.
#[derive(Clone, Copy)]
pub(crate) enum Variant {
    /// `M_x = M Δy/Δx` element by element, as SHAP's PyTorch explainer; the derivative `p (1 − p)` where `Δx` is tiny.
    Elementwise,
    /// Logits minus their maximum, exponential, sum, quotient, as SHAP's TensorFlow explainer, which gives each logit the
    /// share `Δ(x − max)/Δx` of the multiplier of the shifted one; all of it where `Δx` is tiny.
    Decomposed,
}

impl Variant {
    /// The attribute `variant`; none is the default rule.
    pub fn read(cx: &Build<'_>) -> Result<Option<Self>> {
        Ok(match cx.string("variant", "logmean")?.as_str() {
            "logmean" => None,
            "elementwise" => Some(Variant::Elementwise),
            "decomposed" => Some(Variant::Decomposed),
            other => bail!(
                InvalidOption,
                "softmax variant '{other}' is unknown; use 'logmean', 'elementwise' or 'decomposed'"
            ),
        })
    }

    pub fn closed_form<T: Real>(self, shape: [usize; 3]) -> Box<dyn ClosedForm<T>> {
        match self {
            Variant::Elementwise => Box::new(Elementwise(shape)),
            Variant::Decomposed => Box::new(Decomposed(shape)),
        }
    }
}

/// A record holds `Δy/Δx`.
struct Elementwise([usize; 3]);

impl<T: Real> ClosedForm<T> for Elementwise {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        softmax(x[0], self.0, y);
    }

    fn rule(&self) -> &'static str {
        "elementwise"
    }

    fn is_complete(&self) -> bool {
        false
    }

    fn record_len(&self) -> usize {
        self.0.iter().product()
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        let probabilities = |x: &[T]| {
            let x: Vec<f64> = x.iter().map(|v| v.to_f64()).collect();
            let mut p = vec![0.0; x.len()];
            softmax(&x, self.0, &mut p);
            p
        };
        let (p, q) = (probabilities(x[0]), probabilities(x0[0]));
        for (i, r) in record.iter_mut().enumerate() {
            let (x, x0) = (x[0][i].to_f64(), x0[0][i].to_f64());
            let near = x == x0 || (x - x0).abs() < NEAR;
            *r = T::from_f64(if near { p[i] * (1.0 - p[i]) } else { (p[i] - q[i]) / (x - x0) });
        }
    }

    fn adjoint(&self, _port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        for ((mx, &r), &my) in mx.iter_mut().zip(record).zip(my) {
            *mx = if accumulate { *mx + r * my } else { r * my };
        }
    }
}

/// With `e = exp(x − max)`, `S = Σe` and `D` the divided difference of the exponential times the logit's share:
/// `M_x = D (M ½(1/S + 1/S⁰) − Σ M ē / (S S⁰))`. A record holds the factor of `M`, the factor of the sum, and `ē`.
struct Decomposed([usize; 3]);

impl<T: Real> ClosedForm<T> for Decomposed {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        softmax(x[0], self.0, y);
    }

    fn rule(&self) -> &'static str {
        "decomposed"
    }

    fn record_len(&self) -> usize {
        3 * self.0.iter().product::<usize>()
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        let n: usize = self.0.iter().product();
        for line in lines(self.0) {
            let top = |x: &[T]| line.clone().map(|i| x[i].to_f64()).fold(f64::NEG_INFINITY, f64::max);
            let (top, top0) = (top(x[0]), top(x0[0]));
            let sum = |x: &[T], top: f64| line.clone().map(|i| (x[i].to_f64() - top).exp()).sum::<f64>();
            let (s, s0) = (sum(x[0], top), sum(x0[0], top0));
            for i in line.clone() {
                let (x, x0) = (x[0][i].to_f64(), x0[0][i].to_f64());
                let (c, c0) = (x - top, x0 - top0);
                let near = x == x0 || (x - x0).abs() < NEAR;
                let share = if near { 1.0 } else { (c - c0) / (x - x0) };
                let slope = log_mean(c, c0) * share;
                record[i] = T::from_f64(slope * 0.5 * (1.0 / s + 1.0 / s0));
                record[n + i] = T::from_f64(-slope / (s * s0));
                record[2 * n + i] = T::from_f64(0.5 * (c.exp() + c0.exp()));
            }
        }
    }

    fn adjoint(&self, _port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        let n = my.len();
        for line in lines(self.0) {
            let flow: f64 = line.clone().map(|i| my[i].to_f64() * record[2 * n + i].to_f64()).sum();
            for i in line {
                let m = my[i].to_f64() * record[i].to_f64() + flow * record[n + i].to_f64();
                let m = T::from_f64(m);
                mx[i] = if accumulate { mx[i] + m } else { m };
            }
        }
    }
}
