//! Where. A condition that is known at plan time routes elements, which is linear; one that depends on the input is a
//! function of three operands.
use std::ops::Range;
use std::sync::Arc;

use deeplift_graph::broadcast::broadcast_index;
use deeplift_graph::operator::{written, Linear, LinearKind, Parts, Permuted, Pointwise};
use deeplift_graph::{ensure, structures, Build, Constant, DType, Fact, Operator, Result, Structure};
use deeplift_kernels::Scratch;
use deeplift_simd::Real;

use crate::joint::select::Select;
use crate::joint::{joint, Joint};
use crate::shape::{common_shape, evaluate, partial};
use crate::sub::signed_permute;

struct Where {
    fact: Fact,
    condition: Constant,
    /// Shape and, for constants, values where the condition holds and where it does not.
    branches: [(Vec<usize>, Option<Constant>); 2],
    pointwise: Option<Arc<dyn Pointwise>>,
}

/// Condition, value where true, value where false; all broadcast.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let (condition, dtype) = (cx.input(0)?, cx.input(1)?.dtype);
    ensure!(condition.dtype == DType::Bool, InvalidModel, "the condition is {:?}, not Bool", condition.dtype);
    let Some(condition) = condition.constant.clone() else { return joint(cx, Select, dtype) };
    let branch = |i: usize| cx.input(i).map(|f| (f.shape.clone(), f.constant.clone()));
    let pointwise = partial(cx, |a, d| {
        let a = [a[0], a[1], a[2]];
        d.copy_from_slice(&Select.multipliers(a, a));
        Select.value(a)
    });
    let fact = Fact::data(common_shape(cx)?, dtype);
    Ok(Box::new(Where { fact, condition, branches: [branch(1)?, branch(2)?], pointwise }))
}

impl Where {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        let taken = broadcast_index(&self.condition.shape, &self.fact.shape);
        let taken = |o: usize, branch: usize| (self.condition.at(taken[o]) != 0.0) == (branch == 0);
        let mut base = None;
        let mut ports = vec![];
        for (branch, (shape, value)) in self.branches.iter().enumerate() {
            let index = broadcast_index(shape, &self.fact.shape).into_iter().enumerate();
            let chosen = index.filter(|&(o, _)| taken(o, branch));
            match value {
                None => ports.push(Port {
                    len: shape.iter().product(),
                    moves: chosen.map(|(o, i)| (o as u32, i as u32)).collect(),
                }),
                Some(c) => {
                    let base = base.get_or_insert_with(|| vec![T::ZERO; self.fact.len()]);
                    chosen.for_each(|(o, i)| base[o] = T::from_f64(c.at(i)));
                }
            }
        }
        Ok(Structure::Linear(Box::new(Route { n: self.fact.len(), ports, base })))
    }
}

impl Operator for Where {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let value = |a: &[f64], _: &mut [f64]| Select.value([a[0], a[1], a[2]]);
        Ok(Some(vec![evaluate(inputs, &value, self.fact.dtype)?]))
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        signed_permute(cx, perm)
    }

    fn pointwise(&self) -> Option<Arc<dyn Pointwise>> {
        self.pointwise.clone()
    }

    structures!();
}

#[derive(Clone)]
struct Port {
    len: usize,
    /// Output elements that show this operand, and which of its elements.
    moves: Vec<(u32, u32)>,
}

#[derive(Clone)]
struct Route<T> {
    n: usize,
    ports: Vec<Port>,
    /// Values of the output elements that show a constant.
    base: Option<Vec<T>>,
}

impl<T: Real> Linear<T> for Route<T> {
    fn forward(&self, lanes: usize, x: &[&[T]], y: &mut [T], _scratch: &mut Scratch<T>) {
        for lane in 0..lanes {
            let y = &mut y[lane * self.n..][..self.n];
            if let Some(base) = &self.base {
                y.copy_from_slice(base);
            }
            for (port, x) in self.ports.iter().zip(x) {
                let x = &x[lane * port.len..][..port.len];
                port.moves.iter().for_each(|&(o, i)| y[o as usize] = x[i as usize]);
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
        let port = &self.ports[port];
        if !accumulate {
            mx[..lanes * port.len].fill(T::ZERO);
        }
        for lane in 0..lanes {
            let (my, mx) = (&my[lane * self.n..][..self.n], &mut mx[lane * port.len..][..port.len]);
            port.moves.iter().for_each(|&(o, i)| mx[i as usize] += my[o as usize]);
        }
    }

    fn writes(&self, port: usize, input: &Range<usize>) -> Range<usize> {
        written(self.ports[port].moves.iter().map(|&(o, i)| (o as usize, i)), input)
    }

    fn parts(&self) -> Parts<T> {
        let base = self.base.as_ref().map(|b| vec![T::ZERO; b.len()]);
        Parts { positive: Some(Box::new(Route { base, ..self.clone() })), negative: None }
    }

    fn kind(&self) -> LinearKind {
        if self.ports.len() == 1 {
            LinearKind::Transparent
        } else {
            LinearKind::Aggregate
        }
    }
}
