//! Index arithmetic shared by operators: row-major strides, NumPy broadcasting, axis normalisation.
use crate::error::Result;
use crate::{bail, ensure};

/// Row-major strides of a shape.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut s = vec![1; shape.len()];
    for a in (0..shape.len().saturating_sub(1)).rev() {
        s[a] = s[a + 1] * shape[a + 1];
    }
    s
}

/// The shape that NumPy broadcasting gives.
pub fn broadcast_shape(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let rank = a.len().max(b.len());
    let dim = |s: &[usize], i: usize| if i + s.len() >= rank { s[i + s.len() - rank] } else { 1 };
    let mut out = Vec::with_capacity(rank);
    for i in 0..rank {
        out.push(match (dim(a, i), dim(b, i)) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            _ => bail!(InvalidModel, "shapes {a:?} and {b:?} do not broadcast"),
        });
    }
    Ok(out)
}

/// Strides with which a tensor of shape `from` is read as if it had shape `to` (0 along broadcast axes).
pub fn broadcast_strides(from: &[usize], to: &[usize]) -> Vec<isize> {
    let own = strides(from);
    let lead = to.len() - from.len();
    (0..to.len()).map(|a| if a < lead || from[a - lead] == 1 { 0 } else { own[a - lead] as isize }).collect()
}

/// For each element of `to` in row-major order, the flat index into a tensor of shape `from`.
pub fn broadcast_index(from: &[usize], to: &[usize]) -> Vec<usize> {
    strided_index(to, &broadcast_strides(from, to))
}

/// Flat indices visited by `strides` over `shape` in row-major order.
pub fn strided<'a>(shape: &'a [usize], strides: &'a [isize]) -> impl Iterator<Item = usize> + 'a {
    let mut at = vec![0usize; shape.len()];
    let mut flat = 0isize;
    (0..shape.iter().product()).map(move |_| {
        let index = flat as usize;
        for a in (0..shape.len()).rev() {
            at[a] += 1;
            flat += strides[a];
            if at[a] < shape[a] {
                break;
            }
            flat -= strides[a] * shape[a] as isize;
            at[a] = 0;
        }
        index
    })
}

/// [`strided`], collected.
pub fn strided_index(shape: &[usize], strides: &[isize]) -> Vec<usize> {
    strided(shape, strides).collect()
}

/// Output shape of a transpose and, for each output element, the flat input index.
pub fn transpose_index(shape: &[usize], perm: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let (out, st) = transpose_strides(shape, perm);
    let index = strided_index(&out, &st);
    (out, index)
}

/// Output shape of a transpose and, for each of its axes, the stride in the input.
pub fn transpose_strides(shape: &[usize], perm: &[usize]) -> (Vec<usize>, Vec<isize>) {
    let own = strides(shape);
    perm.iter().map(|&p| (shape[p], own[p] as isize)).unzip()
}

/// `axis` of ONNX (negative counts from the end) as an index.
pub fn axis_index(axis: i64, rank: usize) -> Result<usize> {
    let a = if axis < 0 { axis + rank as i64 } else { axis };
    ensure!(
        a >= 0 && a < rank as i64,
        InvalidModel,
        "axis {axis} is out of range for a tensor of {rank} axes"
    );
    Ok(a as usize)
}

/// Several axes, normalised, sorted, without duplicates.
pub fn axis_indices(axes: &[i64], rank: usize) -> Result<Vec<usize>> {
    let mut out = axes.iter().map(|&a| axis_index(a, rank)).collect::<Result<Vec<_>>>()?;
    out.sort_unstable();
    ensure!(out.windows(2).all(|w| w[0] != w[1]), InvalidModel, "axes {axes:?} name one axis twice");
    Ok(out)
}

/// The inverse of a permutation.
pub fn inverse(perm: &[usize]) -> Vec<usize> {
    let mut out = vec![0; perm.len()];
    for (i, &p) in perm.iter().enumerate() {
        out[p] = i;
    }
    out
}

/// Splits a shape at an axis into (outer, axis, inner) extents.
pub fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}
