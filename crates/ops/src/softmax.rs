//! Softmax, with the closed form of SEMANTICS 3.2: with `p` and `q` the probabilities of example and reference and
//! `L_i` the logarithmic mean of `p_i` and `q_i`, `w = L / ΣL`, `M_x = L ⊙ M_y − w Σ_i L_i M_{y_i}`. Exactly complete,
//! invariant to shifts, symmetric, and the Jacobian in the limit.
use deeplift_graph::broadcast::{around, axis_index};
use deeplift_graph::operator::{ClosedForm, Permuted};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{structures, Build, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

struct Softmax {
    fact: Fact,
    shape: [usize; 3],
    axes: Vec<usize>,
}

/// Outer, softmax and inner extents; before opset 13 everything from `axis` on is one axis.
pub(crate) fn extents(cx: &Build<'_>) -> Result<[usize; 3]> {
    let x = cx.input(0)?;
    let old = cx.opset < 13;
    let axis = axis_index(cx.int("axis", if old { 1 } else { -1 })?, x.shape.len())?;
    let (outer, n, inner) = around(&x.shape, axis);
    Ok(if old { [outer, n * inner, 1] } else { [outer, n, inner] })
}

/// The axes that are normalised together.
pub(crate) fn axes(cx: &Build<'_>) -> Result<Vec<usize>> {
    let rank = cx.input(0)?.shape.len();
    let old = cx.opset < 13;
    let axis = axis_index(cx.int("axis", if old { 1 } else { -1 })?, rank)?;
    Ok(if old { (axis..rank).collect() } else { vec![axis] })
}

/// The same on permuted axes.
pub(crate) fn permute(cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
    if cx.opset < 13 {
        return None;
    }
    let axis = axis_index(cx.int("axis", -1).ok()?, perm.len()).ok()?;
    let mut attrs = cx.attrs.clone();
    attrs.insert("axis".into(), Attribute::Int(perm[axis] as i64));
    Some(Permuted { attrs, constants: vec![], perm: perm.to_vec() })
}

/// Probabilities along one axis.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    Ok(Box::new(Softmax { fact: Fact::data(x.shape.clone(), x.dtype), shape: extents(cx)?, axes: axes(cx)? }))
}

impl Softmax {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::ClosedForm(Box::new(Kernel(self.shape))))
    }
}

impl Operator for Softmax {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        permute(cx, perm)
    }

    fn mixed_axes(&self) -> Vec<usize> {
        self.axes.clone()
    }

    structures!();
}

/// Logarithmic mean of two probabilities from their logarithms: `(p − q) / (log p − log q)`, the geometric mean with
/// its second-order term where both are close, 0 where one is 0.
fn log_mean(log_p: f64, log_q: f64) -> f64 {
    if log_p == f64::NEG_INFINITY || log_q == f64::NEG_INFINITY {
        return 0.0;
    }
    let d = log_p - log_q;
    let middle = (0.5 * (log_p + log_q)).exp();
    if d.abs() < 1e-3 {
        middle * (1.0 + d * d / 24.0)
    } else {
        middle * 2.0 * (0.5 * d).sinh() / d
    }
}

/// Log-probabilities of every element, in double precision.
fn log_probabilities<T: Real>(x: &[T], shape: [usize; 3]) -> Vec<f64> {
    let x: Vec<f64> = x.iter().map(|v| v.to_f64()).collect();
    let mut out = vec![0.0; x.len()];
    deeplift_kernels::softmax::log_softmax(&x, shape, &mut out);
    out
}

/// Logarithmic means `L` of the probabilities of two inputs.
pub(crate) fn log_means<T: Real>(x: &[T], x0: &[T], shape: [usize; 3]) -> Vec<f64> {
    let (p, q) = (log_probabilities(x, shape), log_probabilities(x0, shape));
    p.into_iter().zip(q).map(|(p, q)| log_mean(p, q)).collect()
}

/// The flat indices of each line along the axis.
pub(crate) fn lines(
    [outer, n, inner]: [usize; 3],
) -> impl Iterator<Item = impl Iterator<Item = usize> + Clone> {
    (0..outer).flat_map(move |o| (0..inner).map(move |i| (0..n).map(move |a| (o * n + a) * inner + i)))
}

/// `L / ΣL` along each line.
pub(crate) fn weights(means: &[f64], shape: [usize; 3]) -> Vec<f64> {
    let mut out = vec![0.0; means.len()];
    for line in lines(shape) {
        let total: f64 = line.clone().map(|i| means[i]).sum();
        for i in line {
            out[i] = means[i] / total;
        }
    }
    out
}

/// A record holds `L`.
struct Kernel([usize; 3]);

impl<T: Real> ClosedForm<T> for Kernel {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        deeplift_kernels::softmax::softmax(x[0], self.0, y);
    }

    fn record_len(&self) -> usize {
        self.0.iter().product()
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        for (r, l) in record.iter_mut().zip(log_means(x[0], x0[0], self.0)) {
            *r = T::from_f64(l);
        }
    }

    fn adjoint(&self, _port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        for line in lines(self.0) {
            let total: f64 = line.clone().map(|i| record[i].to_f64()).sum();
            let flow: f64 = line.clone().map(|i| record[i].to_f64() * my[i].to_f64()).sum();
            for i in line {
                let l = record[i].to_f64();
                let m = T::from_f64(l * my[i].to_f64() - l / total * flow);
                mx[i] = if accumulate { mx[i] + m } else { m };
            }
        }
    }
}
