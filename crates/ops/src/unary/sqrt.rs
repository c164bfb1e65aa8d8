//! `√x`; divided difference `1/(√x + √x0)` (SEMANTICS 3.2).
use deeplift_graph::{Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct Sqrt;

impl Function for Sqrt {
    fn value(&self, x: f64) -> f64 {
        x.sqrt()
    }

    fn derivative(&self, x: f64) -> f64 {
        0.5 / x.sqrt()
    }

    fn divided(&self, x: f64, x0: f64) -> f64 {
        1.0 / (x.sqrt() + x0.sqrt())
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    unary(cx, Sqrt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Sqrt, 0.01..9.0);
    }
}
