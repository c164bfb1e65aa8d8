//! Expand: NumPy broadcasting to a shape that is known at plan time.
use deeplift_graph::broadcast::{broadcast_shape, broadcast_strides, strided_index};
use deeplift_graph::{ensure, Build, Fact, Operator, Result};

/// The shape is a constant input and broadcasts with that of the data.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let want = cx.constant(1, "shape")?.to_i64()?;
    ensure!(want.iter().all(|&d| d >= 0), InvalidModel, "shape {want:?} has a negative dimension");
    let want: Vec<usize> = want.iter().map(|&d| d as usize).collect();
    let shape = broadcast_shape(&x.shape, &want)?;
    crate::index_map::check_size(&shape)?;
    let index = strided_index(&shape, &broadcast_strides(&x.shape, &shape));
    Ok(Box::new(crate::index_map::Moves::new(Fact::data(shape, x.dtype), x.len(), index)))
}
