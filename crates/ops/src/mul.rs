//! Mul. By a constant it is linear; of two activations `a b` it is bilinear, with `M_a = M b̄` and `M_b = M ā`, bars
//! meaning averages over example and reference (SEMANTICS 3.2, the product rule of arXiv 1605.01713).
use std::ops::Range;
use std::sync::Arc;

use deeplift_graph::broadcast::broadcast_index;
use deeplift_graph::operator::{written, ClosedForm, Linear, LinearKind, Parts, Permuted, Pointwise};
use deeplift_graph::{ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::{map, Scratch};
use deeplift_simd::Real;

use crate::shape::{common_shape, partial, zip};
use crate::sub::signed_permute;

struct Mul {
    fact: Fact,
    shapes: [Vec<usize>; 2],
    constant: Option<Constant>,
    pointwise: Option<Arc<dyn Pointwise>>,
}

/// Two broadcast operands.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let (a, b) = (cx.input(0)?, cx.input(1)?);
    ensure!(cx.inputs.len() == 2, InvalidModel, "has {} operands", cx.inputs.len());
    let pointwise = partial(cx, |a, d| {
        d[0] = a[1];
        d[1] = a[0];
        a[0] * a[1]
    });
    // Data first, as the canonical form has it; while the file is read the constant may still come first.
    let (x, other) = if a.constant.is_some() { (b, a) } else { (a, b) };
    Ok(Box::new(Mul {
        fact: Fact::data(common_shape(cx)?, a.dtype),
        shapes: [x.shape.clone(), other.shape.clone()],
        constant: other.constant.clone(),
        pointwise,
    }))
}

impl Mul {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        let index = |s: &Vec<usize>| -> Vec<u32> {
            broadcast_index(s, &self.fact.shape).into_iter().map(|i| i as u32).collect()
        };
        let lens = [0, 1].map(|i| self.shapes[i].iter().product());
        if let Some(c) = &self.constant {
            let factor = index(&self.shapes[1]).into_iter().map(|i| T::from_f64(c.at(i as usize))).collect();
            let spread = lens[0] != self.fact.len();
            let spread = spread.then(|| index(&self.shapes[0]));
            return Ok(Structure::Linear(Box::new(Scale { input_len: lens[0], spread, factor })));
        }
        let operands = [0, 1].map(|i| index(&self.shapes[i]));
        Ok(Structure::ClosedForm(Box::new(Product { lens, operands })))
    }
}

impl Operator for Mul {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let (Some(a), Some(b)) = (inputs[0], inputs[1]) else { return Ok(None) };
        Ok(Some(vec![zip(a, b, i64::wrapping_mul, |a, b| a * b)?]))
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        signed_permute(cx, perm)
    }

    fn pointwise(&self) -> Option<Arc<dyn Pointwise>> {
        self.pointwise.clone()
    }

    structures!();
}

/// One factor per output element.
#[derive(Clone)]
struct Scale<T> {
    input_len: usize,
    /// Input element of each output element where the factor broadcasts the input.
    spread: Option<Vec<u32>>,
    factor: Vec<T>,
}

impl<T: Real> Linear<T> for Scale<T> {
    fn forward(&self, _lanes: usize, x: &[&[T]], y: &mut [T], _scratch: &mut Scratch<T>) {
        for (x, y) in x[0].chunks_exact(self.input_len).zip(y.chunks_exact_mut(self.factor.len())) {
            match &self.spread {
                None => map::mul(x, &self.factor, y),
                Some(index) => {
                    for ((y, &f), &i) in y.iter_mut().zip(&self.factor).zip(index) {
                        *y = f * x[i as usize];
                    }
                }
            }
        }
    }

    fn adjoint(
        &self,
        _lanes: usize,
        _port: usize,
        my: &[T],
        mx: &mut [T],
        accumulate: bool,
        _scratch: &mut Scratch<T>,
    ) {
        for (my, mx) in my.chunks_exact(self.factor.len()).zip(mx.chunks_exact_mut(self.input_len)) {
            if !accumulate {
                mx.fill(T::ZERO);
            }
            for (o, (&my, &f)) in my.iter().zip(&self.factor).enumerate() {
                let i = self.spread.as_ref().map_or(o, |index| index[o] as usize);
                mx[i] += f * my;
            }
        }
    }

    fn writes(&self, _port: usize, input: &Range<usize>) -> Range<usize> {
        match &self.spread {
            None => input.clone(),
            Some(index) => written(index.iter().copied().enumerate(), input),
        }
    }

    fn parts(&self) -> Parts<T> {
        let part = |keep: fn(T) -> T| -> Option<Box<dyn Linear<T>>> {
            let factor: Vec<T> = self.factor.iter().map(|&f| keep(f)).collect();
            let any = factor.iter().any(|&f| f != T::ZERO);
            any.then(|| Box::new(Scale { factor, ..self.clone() }) as Box<dyn Linear<T>>)
        };
        Parts { positive: part(|f| f.max(T::ZERO)), negative: part(|f| f.min(T::ZERO)) }
    }

    fn kind(&self) -> LinearKind {
        LinearKind::Transparent
    }
}

/// The product of two activations. A record holds ā for every output element, then b̄.
struct Product {
    lens: [usize; 2],
    operands: [Vec<u32>; 2],
}

impl<T: Real> ClosedForm<T> for Product {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        for ((y, &i), &j) in y.iter_mut().zip(&self.operands[0]).zip(&self.operands[1]) {
            *y = x[0][i as usize] * x[1][j as usize];
        }
    }

    fn record_len(&self) -> usize {
        2 * self.operands[0].len()
    }

    fn writes(&self, port: usize, input: &Range<usize>) -> Range<usize> {
        written(self.operands[port].iter().copied().enumerate(), input)
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        let half = T::from_f64(0.5);
        let n = self.operands[0].len();
        for (side, index) in self.operands.iter().enumerate() {
            for (r, &i) in record[side * n..][..n].iter_mut().zip(index) {
                *r = half * (x[side][i as usize] + x0[side][i as usize]);
            }
        }
    }

    fn adjoint(&self, port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        if !accumulate {
            mx[..self.lens[port]].fill(T::ZERO);
        }
        let n = my.len();
        let other = &record[(1 - port) * n..][..n];
        for ((&my, &f), &i) in my.iter().zip(other).zip(&self.operands[port]) {
            mx[i as usize] += my * f;
        }
    }
}
