//! GatherElements and GatherND with indices that are known at plan time.
use deeplift_graph::broadcast::{axis_index, strides};
use deeplift_graph::{ensure, Build, Constant, Operator, Result};

use crate::index_map::{check_size, Moves};

/// `y[i] = x[i, but index[i] along the axis]`; the output has the shape of the indices.
pub fn elements(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let axis = axis_index(cx.int("axis", 0)?, x.shape.len())?;
    let indices = cx.constant(1, "index")?;
    let shape = indices.shape.clone();
    check_size(&shape)?;
    Ok(Box::new(Moves::along(x, shape, positions(&x.shape, axis, indices)?.into_iter().map(Some))))
}

/// The flat elements that indices name, which are as many as `indices` has elements.
pub(crate) fn positions(shape: &[usize], axis: usize, indices: &Constant) -> Result<Vec<usize>> {
    let fits = indices.shape.len() == shape.len()
        && (0..shape.len()).all(|a| a == axis || indices.shape[a] <= shape[a]);
    ensure!(fits, InvalidModel, "indices of shape {:?} do not fit shape {shape:?}", indices.shape);
    let (own, new) = (strides(shape), strides(&indices.shape));
    let at = in_range(&indices.to_i64()?, shape[axis])?;
    let source = |i: usize| {
        let along = |a: usize| if a == axis { at[i] } else { i / new[a] % indices.shape[a] };
        (0..shape.len()).map(|a| along(a) * own[a]).sum()
    };
    Ok((0..at.len()).map(source).collect())
}

/// Indices, of which negative ones count from the end.
fn in_range(indices: &[i64], n: usize) -> Result<Vec<usize>> {
    indices
        .iter()
        .map(|&i| {
            let k = if i < 0 { i.saturating_add(n as i64) } else { i };
            ensure!((0..n as i64).contains(&k), InvalidModel, "index {i} is out of range for an axis of {n}");
            Ok(k as usize)
        })
        .collect()
}

/// Each row of the indices names a slice; the first `batch_dims` axes are common to data and indices.
pub fn nd(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let indices = cx.constant(1, "index")?;
    let batch = cx.int("batch_dims", 0)?;
    let rank = indices.shape.len();
    ensure!(
        batch >= 0 && (batch as usize) < rank && x.shape.starts_with(&indices.shape[..batch as usize]),
        InvalidModel,
        "batch_dims {batch} of indices of shape {:?} do not fit shape {:?}",
        indices.shape,
        x.shape
    );
    let (slices, len) = slices(&x.shape, indices, batch as usize)?;
    let named = x.shape.len() - (batch as usize + indices.shape[rank - 1]);
    let shape = [&indices.shape[..rank - 1], &x.shape[x.shape.len() - named..]].concat();
    check_size(&shape)?;
    let index = slices.into_iter().flat_map(|first| (first..first + len).map(Some));
    Ok(Box::new(Moves::along(x, shape, index)))
}

/// First flat element of the slice that each row of the indices names, and the slices' length.
pub(crate) fn slices(shape: &[usize], indices: &Constant, batch: usize) -> Result<(Vec<usize>, usize)> {
    let Some((&depth, outer)) = indices.shape.split_last() else {
        deeplift_graph::bail!(InvalidModel, "indices without an axis")
    };
    ensure!(
        depth > 0 && batch + depth <= shape.len(),
        InvalidModel,
        "indices of shape {:?} name more axes than shape {shape:?} has",
        indices.shape
    );
    let own = strides(shape);
    let values = indices.to_i64()?;
    // Rows of one index of the batch axes.
    let rows: usize = outer[batch..].iter().product();
    let block: usize = shape[batch..].iter().product();
    let slices = values.chunks_exact(depth).enumerate().map(|(row, at)| {
        let mut first = row / rows.max(1) * block;
        for (k, &i) in at.iter().enumerate() {
            first += in_range(&[i], shape[batch + k])?[0] * own[batch + k];
        }
        Ok(first)
    });
    Ok((slices.collect::<Result<_>>()?, shape[batch + depth..].iter().product()))
}
