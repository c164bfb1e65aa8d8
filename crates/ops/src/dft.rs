//! DFT: the discrete Fourier transform along an axis, as the linear map that it is.
use std::f64::consts::TAU;
use std::sync::Arc;

use deeplift_graph::broadcast::axis_index;
use deeplift_graph::operator::LinearKind;
use deeplift_graph::{ensure, Build, Fact, Operator, Result};

use crate::index_map::check_size;
use crate::sparse::{check_entries, Entry, Port, Sparse};

/// The last axis holds real values, or real and imaginary parts; that of the output always both. The axis is an
/// attribute (second axis by default) up to opset 19, an input (last but one by default) from 20 on. A longer
/// `dft_length` pads with zeros, a shorter one cuts.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let rank = x.shape.len();
    ensure!(
        rank >= 2 && (x.shape[rank - 1] == 1 || x.shape[rank - 1] == 2),
        InvalidModel,
        "shape {:?} does not end with 1 (real values) or 2 (complex values)",
        x.shape
    );
    let one = |i: usize, role: &str| -> Result<Option<i64>> {
        let Some(c) = cx.optional_constant(i, role)? else { return Ok(None) };
        let v = c.to_i64()?;
        ensure!(v.len() == 1, InvalidModel, "{role} of shape {:?}", c.shape);
        Ok(Some(v[0]))
    };
    ensure!(
        cx.opset >= 20 || cx.optional(2).is_none(),
        InvalidModel,
        "an axis as an input is known from opset 20 on, and this is opset {}",
        cx.opset
    );
    let axis = if cx.opset < 20 { cx.int("axis", 1)? } else { one(2, "axis")?.unwrap_or(-2) };
    let axis = axis_index(axis, rank)?;
    ensure!(axis < rank - 1, InvalidModel, "axis {axis} holds the parts of complex values");
    let (inverse, onesided) = (cx.int("inverse", 0)? != 0, cx.int("onesided", 0)? != 0);
    let (n, parts) = (x.shape[axis], x.shape[rank - 1]);
    let length = one(1, "dft_length")?.unwrap_or(n as i64);
    ensure!((1..1 << 31).contains(&length), InvalidModel, "a dft_length of {length}");
    let length = length as usize;
    ensure!(
        !(inverse && onesided),
        UnsupportedOp,
        "an inverse transform of one half of the frequencies has no rule; give it all frequencies"
    );
    ensure!(!onesided || parts == 1, InvalidModel, "onesided is for real values");
    let bins = if onesided { length / 2 + 1 } else { length };
    let mut shape = x.shape.clone();
    (shape[axis], shape[rank - 1]) = (bins, 2);
    check_size(&shape)?;
    let between: usize = shape[axis + 1..rank - 1].iter().product();
    let used = n.min(length);
    check_entries(&[bins, 2, used, parts, between])?;
    let factor = if inverse { 1.0 / length as f64 } else { 1.0 };
    let sign = if inverse { 1.0 } else { -1.0 };
    let mut entries: Vec<Entry> = vec![];
    for bin in 0..bins {
        for b in 0..between {
            for out in 0..2 {
                let to = (bin * between + b) * 2 + out;
                for t in 0..used {
                    // Reduced before it is a float: exact for any length.
                    let turn = (bin as u64 * t as u64 % length as u64) as f64 / length as f64;
                    let (sin, cos) = (sign * TAU * turn).sin_cos();
                    for part in 0..parts {
                        let w = match (out, part) {
                            (0, 0) | (1, 1) => cos,
                            (0, _) => -sin,
                            (_, _) => sin,
                        };
                        let from = (t * between + b) * parts + part;
                        entries.push((to as u32, from as u32, w * factor));
                    }
                }
            }
        }
    }
    Ok(Box::new(Sparse {
        fact: Fact::data(shape.clone(), x.dtype),
        outer: shape[..axis].iter().product(),
        output: bins * between * 2,
        inner: 1,
        ports: vec![Port { input: n * between * parts, entries: Arc::new(entries) }],
        base: None,
        kind: LinearKind::Aggregate,
        mixed: vec![axis],
        permutable: None,
    }))
}
