//! LpNormalization: a vector over its norm along one axis; the vector of zeros stays one, as ONNX defines.
use deeplift_graph::broadcast::{around, axis_index};
use deeplift_graph::operator::{ClosedForm, Permuted};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, structures, Build, Expansion, Fact, Operator, Result, Source, Structure};
use deeplift_simd::Real;

use super::{attributes, axes, Expanded};
use crate::softmax::lines;

/// `p` is 2 (without it) or 1.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let fact = Fact::data(x.shape.clone(), x.dtype);
    let axis = axis_index(cx.int("axis", -1)?, x.shape.len())?;
    match cx.int("p", 2)? {
        1 => {
            let (outer, extent, inner) = around(&x.shape, axis);
            Ok(Box::new(Absolute { fact, axis, shape: [outer, extent, inner] }))
        }
        2 => Expanded::one(fact, move || {
            let mut e = Expansion::new();
            let attrs = attributes([
                ("axes", axes([axis])),
                ("centre", Attribute::Int(0)),
                ("divisor", Attribute::Float(1.0)),
            ]);
            let y = e.add("Standardise", attrs, [Source::Input(0)]);
            e.done([y])
        }),
        p => bail!(InvalidModel, "p is {p}; expected 1 or 2"),
    }
}

struct Absolute {
    fact: Fact,
    axis: usize,
    shape: [usize; 3],
}

impl Absolute {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::ClosedForm(Box::new(Kernel(self.shape))))
    }
}

impl Operator for Absolute {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        let mut attrs = cx.attrs.clone();
        attrs.insert("axis".into(), Attribute::Int(perm[self.axis] as i64));
        Some(Permuted { attrs, constants: vec![], perm: perm.to_vec() })
    }

    fn mixed_axes(&self) -> Vec<usize> {
        vec![self.axis]
    }

    structures!();
}

/// With `a = Σ|x|` and `s = 1/a`: `M_x = M s̄ + D Σ M x̄`, where `D` is `Δs/Δa = -s s⁰` times the divided difference of the
/// absolute value. A record holds, per element, the factor of `M`, what is summed with it, and what the sum is multiplied
/// with.
struct Kernel([usize; 3]);

impl Kernel {
    fn len(&self) -> usize {
        self.0.iter().product()
    }
}

/// Sum of magnitudes and its inverse, 0 where there is none.
fn norm<T: Real>(x: &[T], line: impl Iterator<Item = usize>) -> (f64, f64) {
    let a: f64 = line.map(|i| x[i].to_f64().abs()).sum();
    (a, if a == 0.0 { 0.0 } else { 1.0 / a })
}

/// Divided difference of the absolute value, 0 at 0.
fn magnitude_slope(x: f64, x0: f64) -> f64 {
    let total = x.abs() + x0.abs();
    if total == 0.0 {
        0.0
    } else {
        (x + x0) / total
    }
}

impl<T: Real> ClosedForm<T> for Kernel {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        for line in lines(self.0) {
            let (_, s) = norm(x[0], line.clone());
            line.for_each(|i| y[i] = T::from_f64(x[0][i].to_f64() * s));
        }
    }

    fn record_len(&self) -> usize {
        3 * self.len()
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        let (x, x0) = (x[0], x0[0]);
        let n = self.len();
        for line in lines(self.0) {
            let ((a, s), (a0, s0)) = (norm(x, line.clone()), norm(x0, line.clone()));
            let slope = if s == 0.0 || s0 == 0.0 {
                if a == a0 {
                    0.0
                } else {
                    (s - s0) / (a - a0)
                }
            } else {
                -s * s0
            };
            for i in line {
                let (x, x0) = (x[i].to_f64(), x0[i].to_f64());
                record[i] = T::from_f64(0.5 * (s + s0));
                // One factor of the slope on either side, so that neither overflows.
                let root = slope.abs().sqrt();
                record[n + i] = T::from_f64(0.5 * (x + x0) * root);
                record[2 * n + i] = T::from_f64(slope.signum() * root * magnitude_slope(x, x0));
            }
        }
    }

    fn adjoint(&self, _port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        let n = self.len();
        for line in lines(self.0) {
            let flow: f64 = line.clone().map(|i| my[i].to_f64() * record[n + i].to_f64()).sum();
            for i in line {
                let m = my[i].to_f64() * record[i].to_f64() + flow * record[2 * n + i].to_f64();
                let m = T::from_f64(m);
                mx[i] = if accumulate { mx[i] + m } else { m };
            }
        }
    }
}
