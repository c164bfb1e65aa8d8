//! `x Φ(x)` with the exact normal distribution, or its tanh approximation.
use deeplift_graph::{bail, Build, Operator, Result};

use super::{unary, Function};

const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
/// Coefficient of the cubic term in the tanh approximation (Hendrycks and Gimpel, arXiv 1606.08415).
const CUBIC: f64 = 0.044_715;

fn inner(x: f64) -> f64 {
    SQRT_2_OVER_PI * (x + CUBIC * x * x * x)
}

/// `(1 + tanh(inner)) / 2`, which is a sigmoid, without the cancellation where it is small.
fn gate(x: f64) -> f64 {
    1.0 / (1.0 + (-2.0 * inner(x)).exp())
}

#[derive(Clone)]
struct Gelu {
    tanh: bool,
}

impl Function for Gelu {
    fn value(&self, x: f64) -> f64 {
        if self.tanh {
            x * gate(x)
        } else {
            0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
        }
    }

    fn derivative(&self, x: f64) -> f64 {
        if self.tanh {
            let slope = 2.0 * SQRT_2_OVER_PI * (1.0 + 3.0 * CUBIC * x * x);
            gate(x) * (1.0 + x * slope * gate(-x))
        } else {
            let density = (-0.5 * x * x).exp()
                * 0.5
                * std::f64::consts::FRAC_2_SQRT_PI
                * std::f64::consts::FRAC_1_SQRT_2;
            0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2) + x * density
        }
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let tanh = match cx.string("approximate", "none")?.as_str() {
        "none" => false,
        "tanh" => true,
        other => bail!(InvalidModel, "attribute 'approximate' is '{other}', expected none or tanh"),
    };
    unary(cx, Gelu { tanh })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Gelu { tanh: false }, -6.0..6.0);
        super::super::laws::check(&Gelu { tanh: true }, -6.0..6.0);
    }
}
