//! And, Or, Xor, Not of truth values 0 and 1. Each is a bilinear form on them, so the multiplier of one operand is the
//! form's slope at the other's average (SEMANTICS 3.2, product).
use deeplift_graph::{bail, Build, DType, Operator, Result};

use super::{joint, Joint};

/// `linear (a + b) + product a b`.
#[derive(Clone)]
struct Bilinear {
    linear: f64,
    product: f64,
}

impl Joint<2> for Bilinear {
    fn value(&self, [a, b]: [f64; 2]) -> f64 {
        self.linear * (a + b) + self.product * a * b
    }

    fn multipliers(&self, a: [f64; 2], a0: [f64; 2]) -> [f64; 2] {
        let slope = |i: usize| self.linear + self.product * 0.5 * (a[i] + a0[i]);
        [slope(1), slope(0)]
    }
}

#[derive(Clone)]
struct Not;

impl Joint<1> for Not {
    fn value(&self, [a]: [f64; 1]) -> f64 {
        1.0 - a
    }

    fn multipliers(&self, _a: [f64; 1], _a0: [f64; 1]) -> [f64; 1] {
        [-1.0]
    }
}

/// Logic of broadcast bool tensors.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    for f in cx.inputs.iter().flatten() {
        deeplift_graph::ensure!(
            f.dtype == DType::Bool,
            InvalidModel,
            "an operand is {:?}, not Bool",
            f.dtype
        );
    }
    let (linear, product) = match cx.op {
        "And" => (0.0, 1.0),
        "Or" => (1.0, -1.0),
        "Xor" => (1.0, -2.0),
        "Not" => return joint(cx, Not, DType::Bool),
        _ => bail!(Internal, "{} is no logic", cx.op),
    };
    joint(cx, Bilinear { linear, product }, DType::Bool)
}

#[cfg(test)]
mod tests {
    use super::super::laws;
    use super::*;

    #[test]
    fn truth_tables() {
        let table = |linear, product| {
            let f = Bilinear { linear, product };
            [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]].map(|a| f.value(a))
        };
        assert_eq!(table(0.0, 1.0), [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(table(1.0, -1.0), [0.0, 1.0, 1.0, 1.0]);
        assert_eq!(table(1.0, -2.0), [0.0, 1.0, 1.0, 0.0]);
        assert_eq!([Not.value([0.0]), Not.value([1.0])], [1.0, 0.0]);
    }

    #[test]
    fn both_operands_share_what_they_switch_together() {
        let and = Bilinear { linear: 0.0, product: 1.0 };
        assert_eq!(and.multipliers([1.0, 1.0], [0.0, 0.0]), [0.5, 0.5]);
        for a in [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] {
            laws::check(&and, a, [0.0, 0.0]);
            laws::check(&Bilinear { linear: 1.0, product: -2.0 }, a, [0.0, 1.0]);
            laws::check_gradient(&and, a);
        }
    }
}
