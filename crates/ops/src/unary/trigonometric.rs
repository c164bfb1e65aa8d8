//! Circular and hyperbolic functions and their inverses. Outside its domain an inverse is NaN, as ONNX has it.
use deeplift_graph::{bail, Build, Operator, Result};

use super::{unary, Function};

type Map = fn(f64) -> f64;

#[derive(Clone, Copy)]
struct Smooth {
    value: Map,
    derivative: Map,
}

impl Function for Smooth {
    fn value(&self, x: f64) -> f64 {
        (self.value)(x)
    }

    fn derivative(&self, x: f64) -> f64 {
        (self.derivative)(x)
    }
}

/// `1 - x²` without cancellation near 1.
fn co_square(x: f64) -> f64 {
    (1.0 - x) * (1.0 + x)
}

fn function(op: &str) -> Option<Smooth> {
    let (value, derivative): (Map, Map) = match op {
        "Sin" => (f64::sin, f64::cos),
        "Cos" => (f64::cos, |x| -x.sin()),
        "Tan" => (f64::tan, |x| x.cos().powi(-2)),
        "Asin" => (f64::asin, |x| 1.0 / co_square(x).sqrt()),
        "Acos" => (f64::acos, |x| -1.0 / co_square(x).sqrt()),
        "Atan" => (f64::atan, |x| 1.0 / (1.0 + x * x)),
        "Sinh" => (f64::sinh, f64::cosh),
        "Cosh" => (f64::cosh, f64::sinh),
        "Asinh" => (f64::asinh, |x| 1.0 / x.hypot(1.0)),
        "Acosh" => (f64::acosh, |x| 1.0 / ((x - 1.0) * (x + 1.0)).sqrt()),
        "Atanh" => (f64::atanh, |x| 1.0 / co_square(x)),
        _ => return None,
    };
    Some(Smooth { value, derivative })
}

/// None of them has an attribute.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    match function(cx.op) {
        Some(f) => unary(cx, f),
        None => bail!(Internal, "{} is no circular or hyperbolic function", cx.op),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        for (op, range) in [
            ("Sin", -6.0..6.0),
            ("Cos", -6.0..6.0),
            ("Tan", -1.4..1.4),
            ("Asin", -0.95..0.95),
            ("Acos", -0.95..0.95),
            ("Atan", -6.0..6.0),
            ("Sinh", -5.0..5.0),
            ("Cosh", -5.0..5.0),
            ("Asinh", -6.0..6.0),
            ("Acosh", 1.05..6.0),
            ("Atanh", -0.95..0.95),
        ] {
            super::super::laws::check(&function(op).unwrap(), range);
        }
    }
}
