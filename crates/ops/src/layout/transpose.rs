//! Transpose: reorders axes.
use deeplift_graph::broadcast::{strided_index, strides};
use deeplift_graph::{ensure, Build, Fact, Operator, Result};

/// `perm` defaults to the reversed order.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let rank = x.shape.len();
    let perm: Vec<usize> = match cx.ints("perm")? {
        Some(p) => p.iter().map(|&a| a as usize).collect(),
        None => (0..rank).rev().collect(),
    };
    let mut sorted = perm.clone();
    sorted.sort_unstable();
    ensure!(
        sorted.iter().copied().eq(0..rank),
        InvalidModel,
        "perm {perm:?} is no order of the axes of {:?}",
        x.shape
    );
    let own = strides(&x.shape);
    let shape: Vec<usize> = perm.iter().map(|&a| x.shape[a]).collect();
    crate::index_map::check_size(&shape)?;
    let st: Vec<isize> = perm.iter().map(|&a| own[a] as isize).collect();
    let index = strided_index(&shape, &st);
    Ok(Box::new(crate::index_map::Moves::new(Fact::data(shape, x.dtype), x.len(), index)))
}
