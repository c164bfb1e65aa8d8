//! CenterCropPad: cuts axes to a length around their middle, or pads them with zeros on both sides.
use deeplift_graph::broadcast::{axis_index, axis_indices, strides};
use deeplift_graph::operator::Permuted;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{ensure, Build, Operator, Result};

use crate::index_map::{check_size, Moves};

/// The lengths, one per axis in `axes` (all by default), are known at plan time. An odd difference leaves or puts one
/// element more at the end.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let wanted = cx.constant(1, "shape")?.to_i64()?;
    let axes = axes(cx)?;
    ensure!(
        wanted.len() == axes.len() && wanted.iter().all(|&l| l >= 0),
        InvalidModel,
        "lengths {wanted:?} do not fit axes {axes:?}"
    );
    let mut shape = x.shape.clone();
    // Output position minus input position, per axis.
    let mut shift = vec![0i64; shape.len()];
    for (&a, &l) in axes.iter().zip(&wanted) {
        let (from, to) = (x.shape[a] as i64, l);
        shape[a] = to as usize;
        shift[a] = if to >= from { (to - from) / 2 } else { -((from - to) / 2) };
    }
    let n = check_size(&shape)?;
    let (own, new) = (strides(&x.shape), strides(&shape));
    let source = |i: usize| {
        (0..shape.len()).try_fold(0, |flat, a| {
            let at = (i / new[a] % shape[a]) as i64 - shift[a];
            (0..x.shape[a] as i64).contains(&at).then(|| flat + at as usize * own[a])
        })
    };
    let mut moves = Moves::along(x, shape.clone(), (0..n).map(source));
    moves.permutable = Some(permute);
    Ok(Box::new(moves))
}

/// The axes in the order of their lengths.
fn axes(cx: &Build<'_>) -> Result<Vec<usize>> {
    let rank = cx.input(0)?.shape.len();
    let axes = cx.ints("axes")?.unwrap_or((0..rank as i64).collect());
    axis_indices(&axes, rank)?;
    axes.into_iter().map(|a| axis_index(a, rank)).collect()
}

fn permute(cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
    let mut attrs = cx.attrs.clone();
    let moved = axes(cx).ok()?.into_iter().map(|a| perm[a] as i64).collect();
    attrs.insert("axes".into(), Attribute::Ints(moved));
    Some(Permuted { attrs, constants: vec![], perm: perm.to_vec() })
}
