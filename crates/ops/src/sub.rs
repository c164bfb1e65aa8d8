//! Sub, and the linear structure that it shares with Add: a signed sum of broadcast operands.
use std::ops::Range;
use std::sync::Arc;

use deeplift_graph::broadcast::{broadcast_index, inverse};
use deeplift_graph::operator::{written, Linear, LinearKind, Parts, Permuted, Pointwise};
use deeplift_graph::{structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::{map, Scratch};
use deeplift_simd::Real;

use crate::shape::{common_shape, partial, zip};

/// Input 0 minus input 1.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let fold = |inputs: &[Option<&Constant>]| {
        let (Some(a), Some(b)) = (inputs[0], inputs[1]) else {
            deeplift_graph::bail!(InvalidModel, "an operand is missing")
        };
        zip(a, b, i64::wrapping_sub, |a, b| a - b)
    };
    let pointwise = partial(cx, |a, d| {
        d[0] = 1.0;
        d[1] = -1.0;
        a[0] - a[1]
    });
    Ok(Box::new(SignedSum::new(cx, vec![1.0, -1.0], fold, pointwise)?))
}

type Fold = fn(&[Option<&Constant>]) -> Result<Constant>;

/// `y = Σ sign_i x_i`, broadcast, some operands constant.
pub(crate) struct SignedSum {
    fact: Fact,
    signs: Vec<f64>,
    /// Shape and, for constants, values of each operand.
    operands: Vec<(Vec<usize>, Option<Constant>)>,
    fold: Fold,
    pointwise: Option<Arc<dyn Pointwise>>,
}

impl SignedSum {
    pub(crate) fn new(
        cx: &Build<'_>,
        signs: Vec<f64>,
        fold: Fold,
        pointwise: Option<Arc<dyn Pointwise>>,
    ) -> Result<Self> {
        let operands = cx.inputs.iter().flatten().map(|f| (f.shape.clone(), f.constant.clone())).collect();
        let fact = Fact::data(common_shape(cx)?, cx.input(0)?.dtype);
        Ok(SignedSum { fact, signs, operands, fold, pointwise })
    }

    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        let n = self.fact.len();
        let mut ports = Vec::new();
        let mut constant: Option<Vec<f64>> = None;
        for ((shape, value), &sign) in self.operands.iter().zip(&self.signs) {
            match value {
                Some(c) => {
                    let sum = constant.get_or_insert_with(|| vec![0.0; n]);
                    for (s, i) in sum.iter_mut().zip(broadcast_index(shape, &self.fact.shape)) {
                        *s += sign * c.at(i);
                    }
                }
                None => ports.push(Port {
                    len: shape.iter().product(),
                    index: (*shape != self.fact.shape && shape.iter().product::<usize>() != n).then(|| {
                        broadcast_index(shape, &self.fact.shape).iter().map(|&i| i as u32).collect()
                    }),
                    sign: T::from_f64(sign),
                }),
            }
        }
        let constant = constant.map(|c| c.into_iter().map(T::from_f64).collect());
        Ok(Structure::Linear(Box::new(Kernel { n, ports, constant })))
    }
}

/// Axes of all operands are renamed alike; constants are transposed.
pub(crate) fn signed_permute(cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
    let mut constants = Vec::new();
    for (i, f) in cx.inputs.iter().enumerate() {
        if let Some(c) = f.and_then(|f| f.constant.as_ref()) {
            let lead = perm.len().checked_sub(c.shape.len())?;
            let mut shape = vec![1; lead];
            shape.extend(&c.shape);
            constants.push((i, c.reshaped(shape).transposed(&inverse(perm))));
        }
    }
    Some(Permuted { attrs: cx.attrs.clone(), constants, perm: perm.to_vec() })
}

impl Operator for SignedSum {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        Ok(Some(vec![(self.fold)(inputs)?]))
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
struct Port<T> {
    len: usize,
    /// Operand element of each output element; `None` if they are the same.
    index: Option<Vec<u32>>,
    sign: T,
}

#[derive(Clone)]
struct Kernel<T> {
    n: usize,
    ports: Vec<Port<T>>,
    constant: Option<Vec<T>>,
}

impl<T: Real> Kernel<T> {
    /// Whether an operand is added as it is.
    fn plain(&self, port: usize) -> bool {
        self.ports[port].index.is_none() && self.ports[port].sign == T::ONE
    }
}

impl<T: Real> Linear<T> for Kernel<T> {
    fn forward(&self, lanes: usize, x: &[&[T]], y: &mut [T], _scratch: &mut Scratch<T>) {
        for lane in 0..lanes {
            let y = &mut y[lane * self.n..][..self.n];
            let mut x = self.ports.iter().zip(x).map(|(port, x)| (port, &x[lane * port.len..][..port.len]));
            match &self.constant {
                Some(c) => y.copy_from_slice(c),
                None if self.ports.len() == 2 && self.plain(0) && self.plain(1) => {
                    map::add(x.next().expect("two ports").1, x.next().expect("two ports").1, y);
                }
                None => y.fill(T::ZERO),
            }
            for (port, x) in x {
                match &port.index {
                    None if port.sign == T::ONE => map::add_assign(y, x),
                    None => map::axpy(port.sign, x, y),
                    Some(index) => {
                        for (y, &i) in y.iter_mut().zip(index) {
                            *y += port.sign * x[i as usize];
                        }
                    }
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
        if !accumulate && self.plain(port) {
            mx[..lanes * self.n].copy_from_slice(&my[..lanes * self.n]);
            return;
        }
        let port = &self.ports[port];
        if !accumulate {
            mx[..lanes * port.len].fill(T::ZERO);
        }
        for lane in 0..lanes {
            let (my, mx) = (&my[lane * self.n..][..self.n], &mut mx[lane * port.len..][..port.len]);
            match &port.index {
                None => map::axpy(port.sign, my, mx),
                Some(index) => {
                    for (&my, &i) in my.iter().zip(index) {
                        mx[i as usize] += port.sign * my;
                    }
                }
            }
        }
    }

    fn reads(&self, port: usize, out: &Range<usize>) -> Range<usize> {
        if self.ports[port].index.is_none() {
            out.clone()
        } else {
            0..usize::MAX
        }
    }

    fn writes(&self, port: usize, input: &Range<usize>) -> Range<usize> {
        match &self.ports[port].index {
            None => input.clone(),
            Some(index) => written(index.iter().copied().enumerate(), input),
        }
    }

    fn is_plain_sum(&self) -> bool {
        self.constant.is_none() && (0..self.ports.len()).all(|port| self.plain(port))
    }

    fn parts(&self) -> Parts<T> {
        let of_sign = |positive: bool| -> Option<Box<dyn Linear<T>>> {
            let keep = |p: &Port<T>| (p.sign > T::ZERO) == positive;
            let port = |p: &Port<T>| Port { sign: if keep(p) { p.sign } else { T::ZERO }, ..p.clone() };
            let any = self.ports.iter().any(keep);
            any.then(|| {
                let ports = self.ports.iter().map(port).collect();
                Box::new(Kernel { n: self.n, ports, constant: None }) as Box<dyn Linear<T>>
            })
        };
        Parts { positive: of_sign(true), negative: of_sign(false) }
    }

    fn kind(&self) -> LinearKind {
        if self.ports.len() == 1 {
            LinearKind::Transparent
        } else {
            LinearKind::Aggregate
        }
    }
}
