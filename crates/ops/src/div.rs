//! Div of two activations, or of a constant by one: `M_a = M (1/b + 1/b⁰)/2`, `M_b = -M ā/(b b⁰)`, exact and without a
//! division by a difference (SEMANTICS 3.2). Division by a constant is rewritten to a product.
use std::sync::Arc;

use deeplift_graph::broadcast::broadcast_index;
use deeplift_graph::operator::{ClosedForm, Permuted, Pointwise};
use deeplift_graph::{ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

use crate::shape::{common_shape, partial, zip};
use crate::sub::signed_permute;

struct Div {
    fact: Fact,
    shapes: [Vec<usize>; 2],
    constants: [Option<Constant>; 2],
    pointwise: Option<Arc<dyn Pointwise>>,
}

/// Two broadcast operands.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let (a, b) = (cx.input(0)?, cx.input(1)?);
    let pointwise = partial(cx, |a, d| {
        d[0] = 1.0 / a[1];
        d[1] = -a[0] / (a[1] * a[1]);
        a[0] / a[1]
    });
    Ok(Box::new(Div {
        fact: Fact::data(common_shape(cx)?, a.dtype),
        shapes: [a.shape.clone(), b.shape.clone()],
        constants: [a.constant.clone(), b.constant.clone()],
        pointwise,
    }))
}

impl Div {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        let side = |i: usize| Side {
            index: broadcast_index(&self.shapes[i], &self.fact.shape).into_iter().map(|i| i as u32).collect(),
            len: self.shapes[i].iter().product(),
            constant: self.constants[i].as_ref().map(Constant::to_real),
        };
        Ok(Structure::ClosedForm(Box::new(Quotient { sides: [side(0), side(1)] })))
    }
}

impl Operator for Div {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let (Some(a), Some(b)) = (inputs[0], inputs[1]) else { return Ok(None) };
        let integers = !a.dtype.is_float() && !b.dtype.is_float();
        let zero = integers && (0..b.len()).any(|i| b.at(i) == 0.0);
        ensure!(!zero, InvalidModel, "divides integers by 0");
        Ok(Some(vec![zip(a, b, i64::wrapping_div, |a, b| a / b)?]))
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        signed_permute(cx, perm)
    }

    fn pointwise(&self) -> Option<Arc<dyn Pointwise>> {
        self.pointwise.clone()
    }

    structures!();
}

struct Side<T> {
    index: Vec<u32>,
    len: usize,
    constant: Option<Vec<T>>,
}

/// A record holds `(1/b + 1/b⁰)/2` for every output element, then `-ā/(b b⁰)`.
struct Quotient<T> {
    sides: [Side<T>; 2],
}

impl<T: Real> Quotient<T> {
    /// Numerator and denominator of output element `o`.
    fn at(&self, x: &[&[T]], o: usize) -> (T, T) {
        let mut data = x.iter();
        let [a, b] = [0, 1].map(|s| {
            let values = match &self.sides[s].constant {
                Some(c) => c.as_slice(),
                None => data.next().expect("one slice per data input"),
            };
            values[self.sides[s].index[o] as usize]
        });
        (a, b)
    }

    /// The side that data input `port` is on.
    fn side(&self, port: usize) -> usize {
        if self.sides[0].constant.is_some() {
            1
        } else {
            port
        }
    }
}

impl<T: Real> ClosedForm<T> for Quotient<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        for (o, y) in y.iter_mut().enumerate() {
            let (a, b) = self.at(x, o);
            *y = a / b;
        }
    }

    fn record_len(&self) -> usize {
        2 * self.sides[0].index.len()
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        let half = T::from_f64(0.5);
        let n = record.len() / 2;
        for o in 0..n {
            let ((a, b), (a0, b0)) = (self.at(x, o), self.at(x0, o));
            record[o] = half * (T::ONE / b + T::ONE / b0);
            record[n + o] = -half * (a + a0) / (b * b0);
        }
    }

    fn adjoint(&self, port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        let side = self.side(port);
        if !accumulate {
            mx[..self.sides[side].len].fill(T::ZERO);
        }
        let factors = &record[side * my.len()..][..my.len()];
        for ((&my, &f), &i) in my.iter().zip(factors).zip(&self.sides[side].index) {
            mx[i as usize] += my * f;
        }
    }
}
