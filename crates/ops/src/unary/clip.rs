//! `x` limited to `[low, high]`.
use deeplift_graph::{Build, Operator, Result};

use super::{unary, Function};

#[derive(Clone)]
struct Clip {
    low: f64,
    high: f64,
}

impl Function for Clip {
    fn value(&self, x: f64) -> f64 {
        x.max(self.low).min(self.high)
    }

    fn derivative(&self, x: f64) -> f64 {
        if x > self.low && x < self.high {
            1.0
        } else {
            0.0
        }
    }
}

/// Reads the attributes.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    // Bounds are attributes up to opset 10 and inputs from 11 on.
    let bound = |name: &str, input: usize, default: f64| -> Result<f64> {
        match cx.optional_constant(input, name)? {
            Some(c) => c.scalar().ok_or_else(|| {
                deeplift_graph::Error::new(
                    deeplift_graph::Code::InvalidModel,
                    format!("'{name}' is not a scalar"),
                )
            }),
            None => cx.float(name, default),
        }
    };
    unary(cx, Clip { low: bound("min", 1, f64::NEG_INFINITY)?, high: bound("max", 2, f64::INFINITY)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        super::super::laws::check(&Clip { low: -1.0, high: 6.0 }, -0.9..5.9);
    }
}
