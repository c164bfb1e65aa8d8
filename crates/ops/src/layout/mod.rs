//! Operators that change shape, order or number of elements, not their values.
use std::sync::Arc;

use deeplift_graph::broadcast::{inverse, strided_index, strides};
use deeplift_graph::constant::element_count;
use deeplift_graph::operator::{Permuted, Pointwise};
use deeplift_graph::{structures, Build, Constant, DType, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

use crate::shape::Partial;

pub mod batch_normalization;
pub mod cast;
pub mod cast_like;
pub mod center_crop_pad;
pub mod compress;
pub mod depth_to_space;
pub mod expand;
pub mod flatten;
pub mod gather;
pub mod gather_nd;
pub mod identity;
pub mod layer;
pub mod pad;
pub mod reshape;
pub mod reverse_sequence;
pub mod slice;
pub mod split;
pub mod squeeze;
pub mod tile;
pub mod transpose;
pub mod trilu;
pub mod unsqueeze;

/// An operator whose output is its input's memory under another shape (and, for casts, another element type).
pub(crate) struct View {
    input: Vec<usize>,
    fact: Fact,
}

/// A view of input 0 under `shape`.
pub(crate) fn view(cx: &Build<'_>, shape: Vec<usize>, dtype: DType) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let (from, to) = (element_count(&x.shape)?, element_count(&shape)?);
    deeplift_graph::ensure!(
        from == to,
        InvalidModel,
        "cannot view a tensor of shape {:?} ({from} elements) as {shape:?} ({to} elements)",
        x.shape
    );
    Ok(Box::new(View { input: x.shape.clone(), fact: Fact::data(shape, dtype) }))
}

impl View {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::View)
    }
}

impl Operator for View {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        Ok(inputs[0]
            .map(|x| vec![crate::shape::as_dtype(x.reshaped(self.fact.shape.clone()), self.fact.dtype)]))
    }

    /// Views that only insert or remove axes of length 1 commute with transposes.
    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        let long =
            |s: &[usize]| s.iter().enumerate().filter(|(_, &d)| d != 1).map(|(a, _)| a).collect::<Vec<_>>();
        let (from, to) = (long(&self.input), long(&self.fact.shape));
        let same = from.len() == to.len()
            && from.iter().zip(&to).all(|(&a, &b)| self.input[a] == self.fact.shape[b]);
        if !same || cx.op != "Reshape" {
            return None;
        }
        // The output's axes in the order in which the lying input has them, axes of length 1 first.
        let back = inverse(perm);
        let mut order: Vec<usize> = (0..self.fact.shape.len()).filter(|a| !to.contains(a)).collect();
        order.extend(back.iter().filter_map(|&old| from.iter().position(|&a| a == old)).map(|i| to[i]));
        let shape: Vec<i64> = order.iter().map(|&a| self.fact.shape[a] as i64).collect();
        let shape = Constant::i64(vec![shape.len()], shape);
        Some(Permuted { attrs: Default::default(), constants: vec![(1, shape)], perm: inverse(&order) })
    }

    /// A view that keeps the shape (Identity, or a Cast within a guard) is the identity of each element.
    fn pointwise(&self) -> Option<Arc<dyn Pointwise>> {
        let identity = |a: &[f64], d: &mut [f64]| {
            d[0] = 1.0;
            a[0]
        };
        let same = self.input == self.fact.shape;
        same.then(|| Arc::new(Partial { arguments: vec![None], function: identity }) as Arc<dyn Pointwise>)
    }

    structures!();
}

/// A strided walk over input 0: shape of the output, start and stride per axis.
pub(crate) fn walk(
    cx: &Build<'_>,
    shape: Vec<usize>,
    start: isize,
    steps: &[isize],
) -> Result<crate::index_map::Moves> {
    crate::index_map::check_size(&shape)?;
    let x = cx.input(0)?;
    let own = strides(&x.shape);
    let st: Vec<isize> = steps.iter().zip(&own).map(|(&s, &o)| s * o as isize).collect();
    let index: Vec<usize> =
        strided_index(&shape, &st).into_iter().map(|i| (i as isize + start) as usize).collect();
    Ok(crate::index_map::Moves::new(Fact::data(shape, x.dtype), x.len(), index))
}
