//! DepthToSpace and SpaceToDepth: blocks of channels become blocks of positions, or the other way round.
use deeplift_graph::broadcast::{strided_index, strides};
use deeplift_graph::{ensure, Build, Fact, Operator, Result};

use crate::index_map::{check_size, Moves};

/// Channels first, two spatial axes. DepthToSpace reads its channels as `[block, block, channels]` in mode DCR and
/// as `[channels, block, block]` in mode CRD; SpaceToDepth writes `[block, block, channels]`.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let [n, c, h, w] = x.shape[..] else {
        deeplift_graph::bail!(
            InvalidModel,
            "shape {:?}; batch, channels, height and width were expected",
            x.shape
        )
    };
    let block = cx.int("blocksize", 0)?;
    ensure!((1..1 << 15).contains(&block), InvalidModel, "blocksize {block} is not usable");
    let b = block as usize;
    // The input seen with its blocks as axes, and the order of those axes in the output.
    let (seen, order, shape) = if cx.op == "SpaceToDepth" {
        ensure!(
            h.is_multiple_of(b) && w.is_multiple_of(b),
            InvalidModel,
            "blocks of {b} do not divide {h} x {w} positions"
        );
        (vec![n, c, h / b, b, w / b, b], [0, 3, 5, 1, 2, 4], vec![n, c.saturating_mul(b * b), h / b, w / b])
    } else {
        ensure!(c.is_multiple_of(b * b), InvalidModel, "blocks of {b} x {b} do not divide {c} channels");
        let mode = cx.string("mode", "DCR")?;
        ensure!(mode == "DCR" || mode == "CRD", InvalidModel, "mode '{mode}' is unknown");
        let rest = c / (b * b);
        let shape = vec![n, rest, h.saturating_mul(b), w.saturating_mul(b)];
        if mode == "DCR" {
            (vec![n, b, b, rest, h, w], [0, 3, 4, 1, 5, 2], shape)
        } else {
            (vec![n, rest, b, b, h, w], [0, 1, 4, 2, 5, 3], shape)
        }
    };
    check_size(&shape)?;
    let own = strides(&seen);
    let lengths: Vec<usize> = order.iter().map(|&a| seen[a]).collect();
    let steps: Vec<isize> = order.iter().map(|&a| own[a] as isize).collect();
    Ok(Box::new(Moves::new(Fact::data(shape, x.dtype), x.len(), strided_index(&lengths, &steps))))
}
