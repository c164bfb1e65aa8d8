//! Col2Im: blocks of columns are added up at their places in an image.
use std::sync::Arc;

use deeplift_graph::broadcast::strides;
use deeplift_graph::operator::LinearKind;
use deeplift_graph::{bail, ensure, Build, Fact, Operator, Result};

use crate::index_map::check_size;
use crate::pool::sizes;
use crate::sparse::{check_entries, Entry, Port, Sparse};

/// `[batch, channels * block elements, blocks]` to `[batch, channels, image..]`; the shapes of image and block are
/// known at plan time.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let [batch, columns, blocks] = x.shape[..] else {
        bail!(InvalidModel, "shape {:?}; batch, columns and blocks were expected", x.shape)
    };
    let lengths = |i: usize, role: &str| -> Result<Vec<usize>> {
        let v = cx.constant(i, role)?.to_i64()?;
        let good = !v.is_empty() && v.iter().all(|l| (1..1 << 31).contains(l));
        ensure!(good, InvalidModel, "{role} {v:?} is not usable");
        Ok(v.into_iter().map(|l| l as usize).collect())
    };
    let (image, block) = (lengths(1, "image_shape")?, lengths(2, "block_shape")?);
    let rank = image.len();
    ensure!(block.len() == rank, InvalidModel, "block {block:?} does not fit image {image:?}");
    let stride = sizes(cx, "strides", rank, 1, 1)?;
    let dilation = sizes(cx, "dilations", rank, 1, 1)?;
    let pads = sizes(cx, "pads", 2 * rank, 0, 0)?;
    let taps = check_size(&block)?;
    let pixels = check_size(&image)?;
    // Blocks along each axis.
    let mut grid = Vec::with_capacity(rank);
    for a in 0..rank {
        let extent = (block[a] - 1).saturating_mul(dilation[a]).saturating_add(1);
        let padded = image[a] + pads[a] + pads[a + rank];
        ensure!(padded >= extent, InvalidModel, "blocks {block:?} are larger than the image {image:?}");
        grid.push((padded - extent) / stride[a] + 1);
    }
    ensure!(
        columns.is_multiple_of(taps) && grid.iter().product::<usize>() == blocks,
        InvalidModel,
        "{columns} columns of {blocks} blocks do not fit blocks {block:?} at {grid:?} places"
    );
    check_entries(&[taps, blocks])?;
    let channels = columns / taps;
    let shape = [&[batch, channels][..], &image].concat();
    check_size(&shape)?;
    let (of_tap, of_place, of_pixel) = (strides(&block), strides(&grid), strides(&image));
    let entry = |tap: usize, place: usize| -> Option<Entry> {
        let pixel = (0..rank).try_fold(0, |flat, a| {
            let at = place / of_place[a] % grid[a] * stride[a] + tap / of_tap[a] % block[a] * dilation[a];
            let at = at.checked_sub(pads[a]).filter(|&at| at < image[a])?;
            Some(flat + at * of_pixel[a])
        })?;
        Some((pixel as u32, (tap * blocks + place) as u32, 1.0))
    };
    let entries = (0..taps).flat_map(|tap| (0..blocks).map(move |place| (tap, place)));
    let entries: Vec<Entry> = entries.filter_map(|(tap, place)| entry(tap, place)).collect();
    Ok(Box::new(Sparse {
        fact: Fact::data(shape, x.dtype),
        outer: batch * channels,
        output: pixels,
        inner: 1,
        ports: vec![Port { input: taps * blocks, entries: Arc::new(entries) }],
        base: None,
        kind: LinearKind::Aggregate,
        mixed: vec![],
        permutable: None,
    }))
}
