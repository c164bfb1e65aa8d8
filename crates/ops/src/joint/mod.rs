//! Functions of one element of each of several operands, broadcast: comparisons, logic, powers, remainders. Each file
//! states the value and the multipliers of a pair; everything else follows from [`Joint`].
use std::ops::Range;
use std::sync::Arc;

use deeplift_graph::broadcast::broadcast_index;
use deeplift_graph::operator::{written, ClosedForm, Elementwise, Permuted, Pointwise};
use deeplift_graph::{ensure, structures, Build, Constant, DType, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

use crate::shape::{common_shape, evaluate, partial};
use crate::sub::signed_permute;
use crate::unary::divided_difference;

pub mod compare;
pub mod logical;
pub mod modulo;
pub mod pow;
pub mod prelu;
pub mod quantize;
pub mod select;

/// A function of `N` numbers in double precision.
pub(crate) trait Joint<const N: usize>: Clone + Send + Sync + 'static {
    /// `f(a)`.
    fn value(&self, a: [f64; N]) -> f64;
    /// `m` with `Σ mᵢ (aᵢ - a0ᵢ) = f(a) - f(a0)`, symmetric in `a` and `a0`; the gradient where both are equal.
    fn multipliers(&self, a: [f64; N], a0: [f64; N]) -> [f64; N];
    /// What a plan says about the function.
    fn warning(&self) -> Option<String> {
        None
    }
}

/// Multipliers of a function of two numbers that has no better rule: the mean over both orders of changing one
/// argument after the other, `½ [D(b) + D(b0)]` for the first with `D(b)` the divided difference of `f(·, b)`.
pub(crate) fn telescope(
    [a, b]: [f64; 2],
    [a0, b0]: [f64; 2],
    f: impl Fn(f64, f64) -> f64,
    df_da: impl Fn(f64, f64) -> f64,
    df_db: impl Fn(f64, f64) -> f64,
) -> [f64; 2] {
    let in_a = |b: f64| divided_difference(a, a0, |a| f(a, b), |a| df_da(a, b));
    let in_b = |a: f64| divided_difference(b, b0, |b| f(a, b), |b| df_db(a, b));
    [0.5 * (in_a(b) + in_a(b0)), 0.5 * (in_b(a) + in_b(a0))]
}

/// The operator of a [`Joint`] function.
struct Broadcast<F, const N: usize> {
    fact: Fact,
    operands: [(Vec<usize>, Option<Constant>); N],
    function: F,
    pointwise: Option<Arc<dyn Pointwise>>,
}

/// Builds the operator of a function of inputs 0 to `N - 1`.
pub(crate) fn joint<F: Joint<N>, const N: usize>(
    cx: &Build<'_>,
    function: F,
    dtype: DType,
) -> Result<Box<dyn Operator>> {
    ensure!(cx.inputs.len() == N, InvalidModel, "has {} operands, expected {N}", cx.inputs.len());
    let mut operands = [const { (vec![], None) }; N];
    for (i, operand) in operands.iter_mut().enumerate() {
        let f = cx.input(i)?;
        *operand = (f.shape.clone(), f.constant.clone());
    }
    let f = function.clone();
    let pointwise = partial(cx, move |a, d| {
        let a = std::array::from_fn(|i| a[i]);
        d.copy_from_slice(&f.multipliers(a, a));
        f.value(a)
    });
    Ok(Box::new(Broadcast { fact: Fact::data(common_shape(cx)?, dtype), operands, function, pointwise }))
}

impl<F: Joint<N>, const N: usize> Broadcast<F, N> {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        let operand = |i: usize| {
            let (shape, constant) = &self.operands[i];
            let index = broadcast_index(shape, &self.fact.shape).into_iter().map(|i| i as u32).collect();
            Operand { index, len: shape.iter().product(), constant: constant.as_ref().map(Constant::to_f64) }
        };
        let kernel = Kernel { operands: std::array::from_fn(operand), function: self.function.clone() };
        let data = kernel.ports();
        Ok(match data[..] {
            [one] if kernel.operands[one].len == self.fact.len() => Structure::Elementwise(Box::new(kernel)),
            _ => Structure::ClosedForm(Box::new(kernel)),
        })
    }
}

impl<F: Joint<N>, const N: usize> Operator for Broadcast<F, N> {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let value = |a: &[f64], _: &mut [f64]| self.function.value(std::array::from_fn(|i| a[i]));
        Ok(Some(vec![evaluate(inputs, &value, self.fact.dtype)?]))
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        signed_permute(cx, perm)
    }

    fn pointwise(&self) -> Option<Arc<dyn Pointwise>> {
        self.pointwise.clone()
    }

    fn warning(&self) -> Option<String> {
        self.function.warning()
    }

    structures!();
}

struct Operand {
    /// Element of each output element.
    index: Vec<u32>,
    len: usize,
    constant: Option<Vec<f64>>,
}

/// A record holds the multiplier of every output element, for one data operand after the other.
struct Kernel<F, const N: usize> {
    operands: [Operand; N],
    function: F,
}

impl<F: Joint<N>, const N: usize> Kernel<F, N> {
    /// Operands that are data.
    fn ports(&self) -> Vec<usize> {
        (0..N).filter(|&i| self.operands[i].constant.is_none()).collect()
    }

    /// The arguments of output element `o`.
    fn at<T: Real>(&self, x: &[&[T]], o: usize) -> [f64; N] {
        let mut data = x.iter();
        std::array::from_fn(|i| {
            let operand = &self.operands[i];
            let at = operand.index[o] as usize;
            match &operand.constant {
                Some(c) => c[at],
                None => data.next().expect("one slice per data operand")[at].to_f64(),
            }
        })
    }

    fn values<T: Real>(&self, x: &[&[T]], y: &mut [T]) {
        for (o, y) in y.iter_mut().enumerate() {
            *y = T::from_f64(self.function.value(self.at(x, o)));
        }
    }
}

impl<T: Real, F: Joint<N>, const N: usize> Elementwise<T> for Kernel<F, N> {
    fn apply(&self, x: &[T], y: &mut [T]) {
        self.values(&[x], y);
    }

    fn divided_difference(&self, x: &[T], x0: &[T], d: &mut [T]) {
        let port = self.ports()[0];
        for (o, d) in d.iter_mut().enumerate() {
            *d = T::from_f64(self.function.multipliers(self.at(&[x], o), self.at(&[x0], o))[port]);
        }
    }
}

impl<T: Real, F: Joint<N>, const N: usize> ClosedForm<T> for Kernel<F, N> {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        self.values(x, y);
    }

    fn writes(&self, port: usize, input: &Range<usize>) -> Range<usize> {
        written(self.operands[self.ports()[port]].index.iter().copied().enumerate(), input)
    }

    fn record_len(&self) -> usize {
        self.ports().len() * self.operands[0].index.len()
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        let ports = self.ports();
        let n = self.operands[0].index.len();
        for o in 0..n {
            let m = self.function.multipliers(self.at(x, o), self.at(x0, o));
            for (k, &port) in ports.iter().enumerate() {
                record[k * n + o] = T::from_f64(m[port]);
            }
        }
    }

    fn adjoint(&self, port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        let operand = &self.operands[self.ports()[port]];
        if !accumulate {
            mx[..operand.len].fill(T::ZERO);
        }
        for ((&my, &m), &i) in my.iter().zip(&record[port * my.len()..]).zip(&operand.index) {
            mx[i as usize] += my * m;
        }
    }
}

#[cfg(test)]
pub(crate) mod laws {
    use super::Joint;

    /// Complete, symmetric, and the gradient where the pair is one point.
    pub fn check<const N: usize>(f: &impl Joint<N>, a: [f64; N], a0: [f64; N]) {
        let m = f.multipliers(a, a0);
        let sum: f64 = (0..N).map(|i| m[i] * (a[i] - a0[i])).sum();
        let size: f64 = (0..N).map(|i| (m[i] * (a[i] - a0[i])).abs()).sum::<f64>().max(1.0);
        let delta = f.value(a) - f.value(a0);
        assert!((sum - delta).abs() <= 1e-11 * size, "complete at {a:?}, {a0:?}: {sum} for {delta}");
        for (m, back) in m.into_iter().zip(f.multipliers(a0, a)) {
            assert!((m - back).abs() <= 1e-11 * m.abs().max(1.0), "symmetric at {a:?}, {a0:?}");
        }
    }

    /// The gradient at a point where the function is smooth.
    pub fn check_gradient<const N: usize>(f: &impl Joint<N>, a: [f64; N]) {
        let m = f.multipliers(a, a);
        for i in 0..N {
            let (mut up, mut down) = (a, a);
            up[i] += 1e-6;
            down[i] -= 1e-6;
            let numeric = (f.value(up) - f.value(down)) / 2e-6;
            assert!((m[i] - numeric).abs() <= 1e-6 * numeric.abs().max(1.0), "argument {i} at {a:?}");
        }
    }
}
