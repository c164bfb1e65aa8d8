//! Trilu: the upper or lower triangle of matrices, zeros elsewhere.
use deeplift_graph::{ensure, Build, Operator, Result};

use crate::index_map::{check_size, Moves};

/// Keeps elements on the wanted side of diagonal `k`, which belongs to both sides.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let [.., rows, cols] = x.shape[..] else {
        deeplift_graph::bail!(InvalidModel, "shape {:?} is no matrix", x.shape)
    };
    let upper = cx.int("upper", 1)? != 0;
    let k = match cx.optional_constant(1, "diagonal")? {
        Some(k) => {
            let values = k.to_i64()?;
            ensure!(values.len() == 1, InvalidModel, "diagonal of shape {:?}", k.shape);
            values[0]
        }
        None => 0,
    };
    let n = check_size(&x.shape)?;
    let keep = |i: usize| {
        let diagonal = (i % cols) as i64 - (i / cols % rows) as i64;
        let inside = if upper { diagonal >= k } else { diagonal <= k };
        inside.then_some(i)
    };
    Ok(Box::new(Moves::along(x, x.shape.clone(), (0..n).map(keep))))
}
