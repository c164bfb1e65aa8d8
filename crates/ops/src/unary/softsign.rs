//! `x/(1 + |x|)`.
use deeplift_graph::{Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct Softsign;

impl Function for Softsign {
    fn value(&self, x: f64) -> f64 {
        x / (1.0 + x.abs())
    }

    fn derivative(&self, x: f64) -> f64 {
        1.0 / ((1.0 + x.abs()) * (1.0 + x.abs()))
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, Softsign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Softsign, -6.0..6.0);
    }
}
