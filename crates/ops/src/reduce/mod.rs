//! Reductions over any set of axes.
use deeplift_graph::broadcast::{axis_indices, strided_index, strides};
use deeplift_graph::operator::Permuted;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{Build, Constant, Result};
use deeplift_simd::Real;

pub mod composed;
pub mod global;
pub mod l2;
pub mod log_sum_exp;
pub mod max;
pub mod mean;
pub mod prod;
pub mod sum;

/// Which elements meet in which output: output `o` reduces `x[bases[o] + r]` over all `r` in `offsets`.
#[derive(Clone, Debug)]
pub struct Axes {
    /// Shape of the output.
    pub output: Vec<usize>,
    /// First element of each output's group.
    pub bases: Vec<usize>,
    /// Offsets of a group's elements, in row-major order.
    pub offsets: Vec<usize>,
    /// Elements of one input lane.
    pub input_len: usize,
    /// Extents before, along and after the reduced axes if those lie together, which kernels need.
    pub block: Option<[usize; 3]>,
}

impl Axes {
    /// Axes are an attribute up to opset 17 (12 for ReduceSum), an input later; none means all, unless
    /// `noop_with_empty_axes`.
    pub fn read(cx: &Build<'_>) -> Result<Self> {
        let x = cx.input(0)?;
        let axes = reduced(cx)?;
        let keep = cx.int("keepdims", 1)? != 0;
        let mut output = Vec::new();
        for (a, &d) in x.shape.iter().enumerate() {
            match (axes.contains(&a), keep) {
                (false, _) => output.push(d),
                (true, true) => output.push(1),
                (true, false) => {}
            }
        }
        let own = strides(&x.shape);
        let pick = |inside: bool| {
            let chosen: Vec<usize> = (0..x.shape.len()).filter(|a| axes.contains(a) == inside).collect();
            let shape: Vec<usize> = chosen.iter().map(|&a| x.shape[a]).collect();
            let st: Vec<isize> = chosen.iter().map(|&a| own[a] as isize).collect();
            strided_index(&shape, &st)
        };
        let (bases, offsets) = (pick(false), pick(true));
        let block = block(&x.shape, &axes);
        Ok(Axes { output, bases, offsets, input_len: x.shape.iter().product(), block })
    }

    /// Reduces a constant group by group; a group may be empty.
    pub(crate) fn fold(
        &self,
        inputs: &[Option<&Constant>],
        f: impl Fn(&[f64]) -> f64,
    ) -> Result<Option<Vec<Constant>>> {
        let Some(x) = inputs[0] else { return Ok(None) };
        let group = |&b: &usize| f(&self.offsets.iter().map(|&r| x.at(b + r)).collect::<Vec<_>>());
        let value = Constant::f64(self.output.clone(), self.bases.iter().map(group).collect());
        Ok(Some(vec![crate::shape::as_dtype(value, x.dtype)]))
    }

    /// The adjoint of a reduction whose record holds the multiplier of every input element, grouped by output.
    pub(crate) fn spread<T: Real>(&self, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        let groups = record.chunks_exact(self.offsets.len().max(1)).zip(&self.bases).zip(my);
        for ((group, &base), &my) in groups {
            for (&w, &r) in group.iter().zip(&self.offsets) {
                let m = w * my;
                mx[base + r] = if accumulate { mx[base + r] + m } else { m };
            }
        }
    }
}

/// Extents before, along and after axes that lie together, axes of length 1 aside; none if they do not, or all are that
/// short.
pub(crate) fn block(shape: &[usize], axes: &[usize]) -> Option<[usize; 3]> {
    let long: Vec<usize> = (0..shape.len()).filter(|&a| shape[a] != 1).collect();
    let inside: Vec<usize> = (0..long.len()).filter(|&i| axes.contains(&long[i])).collect();
    let (first, last) = match (inside.first(), inside.last()) {
        (Some(&first), Some(&last)) if last + 1 - first == inside.len() => (first, last),
        _ => return None,
    };
    let extent = |range: &[usize]| range.iter().map(|&a| shape[a]).product();
    Some([extent(&long[..first]), extent(&long[first..=last]), extent(&long[last + 1..])])
}

fn reduced(cx: &Build<'_>) -> Result<Vec<usize>> {
    let rank = cx.input(0)?.shape.len();
    let axes = cx.ints_from("axes", 1)?.unwrap_or_default();
    if axes.is_empty() {
        return Ok(if cx.int("noop_with_empty_axes", 0)? != 0 { vec![] } else { (0..rank).collect() });
    }
    axis_indices(&axes, rank)
}

/// The same reduction on permuted axes.
pub(crate) fn permute(cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
    let axes = reduced(cx).ok()?;
    let new: Vec<i64> = axes.iter().map(|&a| perm[a] as i64).collect();
    let keep = cx.int("keepdims", 1).ok()? != 0;
    let mut attrs = cx.attrs.clone();
    let mut constants = vec![];
    if cx.optional(1).is_some() {
        constants.push((1, Constant::i64(vec![new.len()], new)));
    } else {
        attrs.insert("axes".into(), Attribute::Ints(new));
    }
    let out = if keep {
        perm.to_vec()
    } else {
        // Output axes keep their order; renumber those of the lying tensor without the reduced ones.
        let mut kept: Vec<usize> = (0..perm.len()).filter(|a| !axes.contains(a)).map(|a| perm[a]).collect();
        let mut sorted = kept.clone();
        sorted.sort_unstable();
        for p in &mut kept {
            *p = sorted.iter().position(|s| s == p)?;
        }
        kept
    };
    Some(Permuted { attrs, constants, perm: out })
}
