//! The natural logarithm; divided difference `2 atanh(Δ/(x+x0))/Δ`.
use deeplift_graph::{Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct Log;

impl Function for Log {
    fn value(&self, x: f64) -> f64 {
        x.ln()
    }

    fn derivative(&self, x: f64) -> f64 {
        1.0 / x
    }

    fn divided(&self, x: f64, x0: f64) -> f64 {
        divided(x, x0)
    }
}

/// `(log x - log x0) / (x - x0)`.
pub(crate) fn divided(x: f64, x0: f64) -> f64 {
    let delta = x - x0;
    if delta == 0.0 {
        1.0 / x
    } else {
        2.0 * (delta / (x + x0)).atanh() / delta
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, Log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Log, 0.01..9.0);
    }
}
