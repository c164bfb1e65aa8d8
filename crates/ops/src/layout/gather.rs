//! Gather with indices that are known at plan time.
use deeplift_graph::broadcast::{around, axis_index};
use deeplift_graph::operator::Permuted;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, ensure, Build, Fact, Operator, Result};

/// Indices may be negative; an embedding look-up by a computed index is refused.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let axis = axis_index(cx.int("axis", 0)?, x.shape.len())?;
    let Some(indices) = &cx.input(1)?.constant else {
        bail!(
            UnsupportedOp,
            "Gather by an index that depends on the input cannot be attributed; score at the gathered tensor instead"
        )
    };
    let (outer, n, inner) = around(&x.shape, axis);
    let mut at = Vec::new();
    for i in indices.to_i64()? {
        let k = if i < 0 { i + n as i64 } else { i };
        ensure!(k >= 0 && k < n as i64, InvalidModel, "index {i} is out of range for an axis of {n}");
        at.push(k as usize);
    }
    let mut shape = x.shape[..axis].to_vec();
    shape.extend(&indices.shape);
    shape.extend(&x.shape[axis + 1..]);
    crate::index_map::check_size(&shape)?;
    let at = &at;
    let index: Vec<usize> = (0..outer)
        .flat_map(|o| at.iter().flat_map(move |&a| (0..inner).map(move |i| (o * n + a) * inner + i)))
        .collect();
    let mut moves = crate::index_map::Moves::new(Fact::data(shape, x.dtype), x.len(), index);
    moves.permutable = Some(permute);
    Ok(Box::new(moves))
}

fn permute(cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
    let axis = axis_index(cx.int("axis", 0).ok()?, perm.len()).ok()?;
    let mut attrs = cx.attrs.clone();
    attrs.insert("axis".into(), Attribute::Int(perm[axis] as i64));
    match cx.input(1).ok()?.shape.len() {
        1 => Some(Permuted { attrs, constants: vec![], perm: perm.to_vec() }),
        0 => {
            // The axis disappears; the others keep their relative order.
            let rest = perm.iter().filter(|&&p| p != perm[axis]);
            let rest = rest.map(|&p| if p > perm[axis] { p - 1 } else { p }).collect();
            Some(Permuted { attrs, constants: vec![], perm: rest })
        }
        _ => None,
    }
}
