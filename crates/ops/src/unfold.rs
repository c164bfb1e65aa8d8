//! Unfold, which expansions write: the windows of a convolution side by side, `[batch, channels, positions..]` to
//! `[batch, channels, taps, windows]`, 0 where a window reaches into the padding.
use deeplift_graph::broadcast::strides;
use deeplift_graph::{ensure, Build, Fact, Operator, Result};

use crate::index_map::{check_size, Moves, NOWHERE};
use crate::pool::{spatial, Windows};

/// Windows with the attributes of a convolution.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let (batch, input, channels, last) = spatial(cx)?;
    ensure!(!last, InvalidModel, "channels are expected first");
    let w = Windows::read(cx, &input, &Windows::kernel_shape(cx)?)?;
    let (taps, places) = (w.kernel.iter().product::<usize>(), w.output.iter().product::<usize>());
    let shape = vec![batch, channels, taps, places];
    check_size(&shape)?;
    let (of_tap, of_place, of_cell) = (strides(&w.kernel), strides(&w.output), strides(&input));
    let reach = |tap: usize, place: usize| -> Option<usize> {
        (0..input.len()).try_fold(0, |flat, a| {
            let at = place / of_place[a] % w.output[a] * w.stride[a]
                + tap / of_tap[a] % w.kernel[a] * w.dilation[a];
            let at = at.checked_sub(w.pad[a]).filter(|&at| at < input[a])?;
            Some(flat + at * of_cell[a])
        })
    };
    let cells: usize = input.iter().product();
    let window: Vec<Option<usize>> = (0..taps)
        .flat_map(|tap| (0..places).map(move |place| (tap, place)))
        .map(|(t, p)| reach(t, p))
        .collect();
    let planes = 0..batch * channels;
    let index = planes
        .flat_map(|plane| window.iter().map(move |c| c.map_or(NOWHERE as usize, |c| plane * cells + c)));
    Ok(Box::new(Moves::new(Fact::data(shape, cx.input(0)?.dtype), batch * channels * cells, index)))
}
