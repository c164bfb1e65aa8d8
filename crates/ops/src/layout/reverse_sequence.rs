//! ReverseSequence: the first elements of each sequence of a batch in reverse order.
use deeplift_graph::broadcast::{axis_index, strides};
use deeplift_graph::operator::Permuted;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{ensure, Build, Operator, Result};

use crate::index_map::{check_size, Moves};

/// Lengths, one per index of `batch_axis`, are known at plan time.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let lengths = cx.constant(1, "sequence_lens")?.to_i64()?;
    let (batch, time) = axes(cx, x.shape.len())?;
    let (sequences, steps) = (x.shape[batch], x.shape[time]);
    ensure!(
        lengths.len() == sequences && lengths.iter().all(|&l| l >= 0 && l as usize <= steps),
        InvalidModel,
        "sequence_lens {lengths:?} do not fit {sequences} sequences of {steps}"
    );
    let n = check_size(&x.shape)?;
    let own = strides(&x.shape);
    let source = |i: usize| {
        let (sequence, step) = (i / own[batch] % sequences, i / own[time] % steps);
        let len = lengths[sequence] as usize;
        Some(if step < len { i - step * own[time] + (len - 1 - step) * own[time] } else { i })
    };
    let mut moves = Moves::along(x, x.shape.clone(), (0..n).map(source));
    moves.permutable = Some(permute);
    Ok(Box::new(moves))
}

fn axes(cx: &Build<'_>, rank: usize) -> Result<(usize, usize)> {
    let (batch, time) =
        (axis_index(cx.int("batch_axis", 1)?, rank)?, axis_index(cx.int("time_axis", 0)?, rank)?);
    ensure!(batch != time, InvalidModel, "batch_axis and time_axis are both {batch}");
    Ok((batch, time))
}

fn permute(cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
    let (batch, time) = axes(cx, perm.len()).ok()?;
    let mut attrs = cx.attrs.clone();
    attrs.insert("batch_axis".into(), Attribute::Int(perm[batch] as i64));
    attrs.insert("time_axis".into(), Attribute::Int(perm[time] as i64));
    Some(Permuted { attrs, constants: vec![], perm: perm.to_vec() })
}
