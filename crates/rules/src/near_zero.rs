//! What Rescale does where example and reference are close (SEMANTICS 3.3 and 3.5).
use deeplift_graph::operator::Elementwise;
use deeplift_graph::rule::Pair;
use deeplift_graph::{bail, Result};
use deeplift_simd::Real;

/// How the quotient of a small difference is taken. All but the first are what other implementations do, so that
/// their numbers can be reproduced: below an absolute threshold the derivative, otherwise the plain quotient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NearZero {
    /// No threshold: the divided difference without cancellation.
    #[default]
    Accurate,
    /// The original DeepLIFT code: below 1e-7, at the reference.
    DeepLift,
    /// Captum 0.8: below 1e-10, at the input.
    Captum,
    /// SHAP 0.51 (PyTorch and TensorFlow): below 1e-6, at the reference.
    Shap,
    /// tangermeme 1.4: below 1e-6, at the input.
    Tangermeme,
}

impl NearZero {
    /// Reads the name that users write.
    ///
    /// # Errors
    /// `INVALID_OPTION` with the names that exist.
    pub fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "accurate" => NearZero::Accurate,
            "deeplift" => NearZero::DeepLift,
            "captum" => NearZero::Captum,
            "shap" => NearZero::Shap,
            "tangermeme" => NearZero::Tangermeme,
            _ => bail!(
                InvalidOption,
                "no nearZero '{name}'; there are accurate, deeplift, captum, shap and tangermeme"
            ),
        })
    }

    /// Local multipliers of Rescale.
    pub fn quotient<T: Real>(
        self,
        f: &dyn Elementwise<T>,
        pair: &Pair<'_, T>,
        m: &mut [T],
        work: &mut Vec<T>,
    ) {
        let (threshold, at_reference) = match self {
            NearZero::Accurate => return f.divided_difference(pair.x, pair.x0, m),
            NearZero::DeepLift => (1e-7, true),
            NearZero::Captum => (1e-10, false),
            NearZero::Shap => (1e-6, true),
            NearZero::Tangermeme => (1e-6, false),
        };
        let n = m.len();
        work.resize(2 * n, T::ZERO);
        let (y, y0) = work.split_at_mut(n);
        f.apply(pair.x, y);
        f.apply(pair.x0, y0);
        let at = if at_reference { pair.x0 } else { pair.x };
        f.divided_difference(at, at, m);
        let threshold = T::from_f64(threshold);
        for i in 0..n {
            let d = pair.x[i] - pair.x0[i];
            if d.abs() >= threshold {
                m[i] = (y[i] - y0[i]) / d;
            }
        }
    }
}
