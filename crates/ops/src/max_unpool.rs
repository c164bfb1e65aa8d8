//! MaxUnpool: values are put where a pool took them from, zeros elsewhere.
use deeplift_graph::{ensure, Build, Fact, Operator, Result};

use crate::index_map::{check_size, Moves, NOWHERE};
use crate::pool::{sizes, Windows};

/// The indices, into the whole output, are known at plan time; of two values for one place the last is put.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let indices = cx.constant(1, "index of a pool")?;
    ensure!(
        indices.shape == x.shape && (3..=5).contains(&x.shape.len()),
        InvalidModel,
        "indices of shape {:?} for values of shape {:?}",
        indices.shape,
        x.shape
    );
    let kernel = Windows::kernel_shape(cx)?;
    let rank = x.shape.len() - 2;
    ensure!(kernel.len() == rank, InvalidModel, "window {kernel:?} does not fit {rank} spatial axes");
    let stride = sizes(cx, "strides", rank, 1, 1)?;
    let pads = sizes(cx, "pads", 2 * rank, 0, 0)?;
    let mut shape = x.shape.clone();
    for a in 0..rank {
        let full = (x.shape[a + 2].max(1) - 1).saturating_mul(stride[a]).saturating_add(kernel[a]);
        let cut = pads[a] + pads[a + rank];
        ensure!(cut < full, InvalidModel, "pads {pads:?} leave nothing of {full} positions");
        shape[a + 2] = full - cut;
    }
    if let Some(wanted) = cx.optional_constant(2, "output_shape")? {
        let same = wanted.to_i64()?.iter().copied().eq(shape.iter().map(|&d| d as i64));
        ensure!(
            same,
            UnsupportedOp,
            "an output_shape other than {shape:?} is computed differently by different runtimes; pad the output instead"
        );
    }
    let n = check_size(&shape)?;
    let mut index = vec![NOWHERE as usize; n];
    for (value, at) in indices.to_i64()?.into_iter().enumerate() {
        ensure!((0..n as i64).contains(&at), InvalidModel, "index {at} is out of range for {n} elements");
        index[at as usize] = value;
    }
    Ok(Box::new(Moves::new(Fact::data(shape, x.dtype), x.len(), index)))
}
