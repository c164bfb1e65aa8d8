//! Softmax, with the closed form of SEMANTICS 3.2: with `p` and `q` the probabilities of example and reference and
//! `L_i` the logarithmic mean of `p_i` and `q_i`, `w = L / ΣL`, `M_x = L ⊙ M_y − w Σ_i L_i M_{y_i}`. Exactly complete,
//! invariant to shifts, symmetric, and the Jacobian in the limit.
//!
//! Where a mask of −∞ hides an element of both, `L_i = 0`: it has no multiplier and no effect. Where it hides it in one
//! only, the difference is infinite and `L_i = 0` is the limit of its multiplier. A line that is masked as a whole is NaN,
//! as ONNX computes it, and has multipliers of 0.
use deeplift_graph::broadcast::{axis_index, axis_indices};
use deeplift_graph::operator::{ClosedForm, Permuted};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, structures, Build, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

use crate::reduce::block;
use crate::softmax_variant::Variant;

struct Softmax {
    fact: Fact,
    shape: [usize; 3],
    axes: Vec<usize>,
    variant: Option<Variant>,
}

/// Attribute that names the axes which are normalised together where a permutation has moved those of an old opset.
const MOVED: &str = "normalised_axes";

/// The axes that are normalised together; before opset 13 all from `axis` on.
pub(crate) fn axes(cx: &Build<'_>) -> Result<Vec<usize>> {
    let rank = cx.input(0)?.shape.len();
    if let Some(moved) = cx.ints(MOVED)? {
        return axis_indices(&moved, rank);
    }
    let old = cx.opset < 13;
    let axis = axis_index(cx.int("axis", if old { 1 } else { -1 })?, rank)?;
    Ok(if old { (axis..rank).collect() } else { vec![axis] })
}

/// Outer, softmax and inner extents.
pub(crate) fn extents(cx: &Build<'_>) -> Result<[usize; 3]> {
    let shape = &cx.input(0)?.shape;
    match together(shape, &axes(cx)?) {
        Some(extents) => Ok(extents),
        None => bail!(InvalidModel, "normalises axes that do not lie together"),
    }
}

/// The extents before, along and after axes that lie together.
fn together(shape: &[usize], axes: &[usize]) -> Option<[usize; 3]> {
    let long = axes.iter().any(|&a| shape[a] != 1);
    if long {
        block(shape, axes)
    } else {
        Some([shape.iter().product(), 1, 1])
    }
}

/// The same on permuted axes, if those that are normalised still lie together.
pub(crate) fn permute(cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
    let from = &cx.input(0).ok()?.shape;
    let mut shape = vec![1; perm.len()];
    perm.iter().zip(from).for_each(|(&p, &d)| shape[p] = d);
    let axes: Vec<usize> = axes(cx).ok()?.into_iter().map(|a| perm[a]).collect();
    together(&shape, &axes)?;
    let mut attrs = cx.attrs.clone();
    attrs.insert(MOVED.into(), Attribute::Ints(axes.into_iter().map(|a| a as i64).collect()));
    Some(Permuted { attrs, constants: vec![], perm: perm.to_vec() })
}

/// Probabilities along one axis. The attribute `variant`, which a rewrite adds, chooses another rule.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let fact = Fact::data(x.shape.clone(), x.dtype);
    let variant = Variant::read(cx)?;
    Ok(Box::new(Softmax { fact, shape: extents(cx)?, axes: axes(cx)?, variant }))
}

impl Softmax {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::ClosedForm(match self.variant {
            None => Box::new(Kernel(self.shape)),
            Some(variant) => variant.closed_form(self.shape),
        }))
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

/// Logarithmic mean of two numbers from their logarithms. 0 where one is 0, which is the limit.
pub(crate) fn log_mean(a: f64, b: f64) -> f64 {
    let mut mean = [0.0];
    deeplift_kernels::map::log_mean(&[a], &[b], &mut mean);
    mean[0]
}

/// Logarithmic means `L` of the probabilities of two inputs, in double precision. 0 where one is 0, or where it is not
/// defined because all of its line is masked: masked elements have neither a difference nor an effect.
pub(crate) fn log_means<T: Real>(x: &[T], x0: &[T], shape: [usize; 3]) -> Vec<f64> {
    let [x, x0] = [x, x0].map(|x| x.iter().map(|v| v.to_f64()).collect::<Vec<_>>());
    let mut means = vec![0.0; x.len()];
    deeplift_kernels::softmax::log_means(&x, &x0, shape, &mut means);
    means
}

/// The flat indices of each line along the axis.
pub(crate) fn lines(
    [outer, n, inner]: [usize; 3],
) -> impl Iterator<Item = impl Iterator<Item = usize> + Clone> {
    (0..outer).flat_map(move |o| (0..inner).map(move |i| (0..n).map(move |a| (o * n + a) * inner + i)))
}

/// `L / ΣL` along each line; 0 where a line is masked as a whole.
pub(crate) fn weights(means: &[f64], shape: [usize; 3]) -> Vec<f64> {
    let mut out = vec![0.0; means.len()];
    for line in lines(shape) {
        let total: f64 = line.clone().map(|i| means[i]).sum();
        for i in line {
            out[i] = if total == 0.0 { 0.0 } else { means[i] / total };
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
        deeplift_kernels::softmax::log_means(x[0], x0[0], self.0, record);
    }

    fn adjoint(&self, _port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        deeplift_kernels::softmax::adjoint(record, my, self.0, mx, accumulate);
    }
}
