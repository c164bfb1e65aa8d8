//! `1/x`; divided difference `-1/(x x0)` (SEMANTICS 3.2).
use deeplift_graph::{Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct Reciprocal;

impl Function for Reciprocal {
    fn value(&self, x: f64) -> f64 {
        1.0 / x
    }

    fn derivative(&self, x: f64) -> f64 {
        -1.0 / (x * x)
    }

    fn divided(&self, x: f64, x0: f64) -> f64 {
        -1.0 / (x * x0)
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, Reciprocal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Reciprocal, 0.1..9.0);
    }
}
