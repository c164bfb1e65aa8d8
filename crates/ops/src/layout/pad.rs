//! Pad: constant, reflect, edge and wrap; negative amounts crop.
use deeplift_graph::broadcast::{axis_index, axis_indices, strides};
use deeplift_graph::operator::Permuted;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, ensure, Build, Constant, Fact, Operator, Result};

use crate::index_map::{Moves, NOWHERE};

/// Amounts are an attribute up to opset 10, an input from 11 on; `axes` from opset 18 on.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let amounts = amounts(cx)?;
    let mode = cx.string("mode", "constant")?;
    ensure!(
        ["constant", "reflect", "edge", "wrap"].contains(&mode.as_str()),
        UnsupportedOp,
        "mode '{mode}' is unknown"
    );
    let mut shape = Vec::new();
    for (&d, &(before, after)) in x.shape.iter().zip(&amounts) {
        let n = (d as i64).saturating_add(before).saturating_add(after);
        ensure!(n >= 0, InvalidModel, "amounts {amounts:?} crop more than shape {:?} has", x.shape);
        shape.push(n as usize);
    }
    let n = crate::index_map::check_size(&shape)?;
    let (own, new) = (strides(&x.shape), strides(&shape));
    let mut index = Vec::with_capacity(n);
    for i in 0..n {
        let mut flat = Some(0usize);
        for a in 0..shape.len() {
            let at = ((i / new[a] % shape[a]) as i64).saturating_sub(amounts[a].0);
            let inside = source(at, x.shape[a] as i64, &mode);
            flat = flat.zip(inside).map(|(f, s)| f + s * own[a]);
        }
        index.push(flat.map_or(NOWHERE, |f| f as u32));
    }
    let fill = match cx.optional_constant(2, "value")? {
        Some(c) => c.scalar().unwrap_or(0.0),
        None => cx.float("value", 0.0)?,
    };
    let mut moves = Moves::new(Fact::data(shape, x.dtype), x.len(), []);
    moves.index = index.into();
    moves.fill = fill;
    moves.permutable = Some(permute);
    let shifted = amounts.iter().any(|&(before, after)| before != 0 && before == after.wrapping_neg());
    moves.along = shifted.then(|| x.shape.clone());
    Ok(Box::new(moves))
}

/// The element of an axis of length `n` that position `at` shows.
fn source(at: i64, n: i64, mode: &str) -> Option<usize> {
    if (0..n).contains(&at) {
        return Some(at as usize);
    }
    match mode {
        "reflect" if n > 1 => {
            let period = 2 * (n - 1);
            let r = at.rem_euclid(period);
            Some(r.min(period - r) as usize)
        }
        "edge" if n > 0 => Some(at.clamp(0, n - 1) as usize),
        "wrap" if n > 0 => Some(at.rem_euclid(n) as usize),
        _ => None,
    }
}

fn amounts(cx: &Build<'_>) -> Result<Vec<(i64, i64)>> {
    let rank = cx.input(0)?.shape.len();
    let Some(pads) = cx.ints_from("pads", 1)? else { bail!(InvalidModel, "pads are missing") };
    let axes = match cx.optional_constant(3, "axes")? {
        Some(c) => c.to_i64()?,
        None => (0..rank as i64).collect(),
    };
    ensure!(pads.len() == 2 * axes.len(), InvalidModel, "{} amounts for {} axes", pads.len(), axes.len());
    axis_indices(&axes, rank)?;
    let mut out = vec![(0, 0); rank];
    for (i, &a) in axes.iter().enumerate() {
        out[axis_index(a, rank)?] = (pads[i], pads[i + axes.len()]);
    }
    Ok(out)
}

fn permute(cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
    let old = amounts(cx).ok()?;
    let mut new = old.clone();
    for (a, &p) in perm.iter().enumerate() {
        new[p] = old[a];
    }
    let pads: Vec<i64> = new.iter().map(|p| p.0).chain(new.iter().map(|p| p.1)).collect();
    let mut attrs = cx.attrs.clone();
    if cx.attrs.contains_key("pads") {
        attrs.insert("pads".into(), Attribute::Ints(pads));
        return Some(Permuted { attrs, constants: vec![], perm: perm.to_vec() });
    }
    let mut constants = vec![(1, Constant::i64(vec![pads.len()], pads))];
    if cx.optional(3).is_some() {
        constants.push((3, Constant::i64(vec![perm.len()], (0..perm.len() as i64).collect())));
    }
    Some(Permuted { attrs, constants, perm: perm.to_vec() })
}
