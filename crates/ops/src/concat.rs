//! Concat of data and constants along one axis.
use std::ops::Range;

use deeplift_graph::broadcast::{around, axis_index};
use deeplift_graph::constant::element_count;
use deeplift_graph::operator::{Linear, LinearKind, Parts, Permuted};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{ensure, structures, Build, Constant, Data, Fact, Operator, Result, Structure};
use deeplift_kernels::Scratch;
use deeplift_simd::Real;

struct Concat {
    fact: Fact,
    outer: usize,
    /// Elements of each operand per outer index, and its values if constant.
    operands: Vec<(usize, Option<Constant>)>,
}

/// Operands agree on all axes but one.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let first = cx.input(0)?;
    let axis = axis_index(cx.int("axis", 1)?, first.shape.len())?;
    let mut shape = first.shape.clone();
    shape[axis] = 0;
    let mut operands = Vec::new();
    for f in cx.inputs.iter().flatten() {
        let fits = f.shape.len() == shape.len()
            && (0..shape.len()).all(|a| a == axis || f.shape[a] == first.shape[a]);
        ensure!(fits, InvalidModel, "shapes {:?} and {:?} differ besides axis {axis}", first.shape, f.shape);
        shape[axis] += f.shape[axis];
        let (_, n, inner) = around(&f.shape, axis);
        operands.push((n * inner, f.constant.clone()));
    }
    element_count(&shape)?;
    let outer = shape[..axis].iter().product();
    Ok(Box::new(Concat { fact: Fact::data(shape, first.dtype), outer, operands }))
}

impl Concat {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        let row = self.operands.iter().map(|(n, _)| n).sum();
        let mut start = 0;
        let mut ports = Vec::new();
        let mut base = vec![T::ZERO; self.outer * row];
        for (n, value) in &self.operands {
            match value {
                None => ports.push((start, *n)),
                Some(c) => {
                    for i in 0..c.len() {
                        base[i / n * row + start + i % n] = T::from_f64(c.at(i));
                    }
                }
            }
            start += n;
        }
        let base = self.operands.iter().any(|(_, c)| c.is_some()).then_some(base);
        Ok(Structure::Linear(Box::new(Kernel { outer: self.outer, row, ports, base })))
    }
}

impl Operator for Concat {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let parts: Vec<&Constant> = inputs.iter().copied().flatten().collect();
        let place = |o: usize| {
            parts.iter().zip(&self.operands).flat_map(move |(c, (n, _))| (0..*n).map(move |i| (c, o * n + i)))
        };
        let all: Vec<(&&Constant, usize)> = (0..self.outer).flat_map(place).collect();
        let integers = parts.iter().all(|c| matches!(c.data, Data::I64(_)));
        let shape = self.fact.shape.clone();
        let value = if integers {
            let exact = |(c, i): &(&&Constant, usize)| match &c.data {
                Data::I64(v) => v[*i],
                _ => unreachable!("all operands are integers"),
            };
            Constant { dtype: parts[0].dtype, ..Constant::i64(shape, all.iter().map(exact).collect()) }
        } else {
            let values = all.iter().map(|(c, i)| c.at(*i)).collect();
            crate::shape::as_dtype(Constant::f64(shape, values), parts[0].dtype)
        };
        Ok(Some(vec![value]))
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        let axis = axis_index(cx.int("axis", 1).ok()?, perm.len()).ok()?;
        let mut permuted = crate::sub::signed_permute(cx, perm)?;
        permuted.attrs.insert("axis".into(), Attribute::Int(perm[axis] as i64));
        Some(permuted)
    }

    structures!();
}

#[derive(Clone)]
struct Kernel<T> {
    outer: usize,
    row: usize,
    /// Start within a row and length of each data operand.
    ports: Vec<(usize, usize)>,
    base: Option<Vec<T>>,
}

impl<T: Real> Linear<T> for Kernel<T> {
    fn forward(&self, lanes: usize, x: &[&[T]], y: &mut [T], _scratch: &mut Scratch<T>) {
        for lane in 0..lanes {
            let y = &mut y[lane * self.outer * self.row..][..self.outer * self.row];
            if let Some(base) = &self.base {
                y.copy_from_slice(base);
            }
            for (&(start, n), x) in self.ports.iter().zip(x) {
                for o in 0..self.outer {
                    y[o * self.row + start..][..n].copy_from_slice(&x[(lane * self.outer + o) * n..][..n]);
                }
            }
        }
    }

    fn adjoint(
        &self,
        lanes: usize,
        port: usize,
        my: &[T],
        mx: &mut [T],
        accumulate: bool,
        _scratch: &mut Scratch<T>,
    ) {
        let (start, n) = self.ports[port];
        for o in 0..lanes * self.outer {
            let my = &my[o * self.row + start..][..n];
            for (mx, &my) in mx[o * n..][..n].iter_mut().zip(my) {
                *mx = if accumulate { *mx + my } else { my };
            }
        }
    }

    fn writes(&self, port: usize, input: &Range<usize>) -> Range<usize> {
        let (start, n) = self.ports[port];
        let at = |i: usize| i / n * self.row + start + i % n;
        if input.is_empty() {
            0..0
        } else {
            at(input.start)..at(input.end - 1) + 1
        }
    }

    fn parts(&self) -> Parts<T> {
        let base = self.base.as_ref().map(|b| vec![T::ZERO; b.len()]);
        Parts { positive: Some(Box::new(Kernel { base, ..self.clone() })), negative: None }
    }

    fn kind(&self) -> LinearKind {
        LinearKind::Aggregate
    }
}
