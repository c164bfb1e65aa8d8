//! ArgMax, ArgMin, Hardmax and TopK: order decides, and order has no differences. They are computed, not attributed.
use std::cmp::Ordering;
use std::sync::Arc;

use deeplift_graph::broadcast::{around, axis_index};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{
    bail, ensure, structures, Build, DType, Expansion, Fact, Operator, Result, Source, Structure,
};
use deeplift_simd::Real;

use crate::forward_only::ForwardOnly;
use crate::softmax::{axes, extents};

const ADVICE: &str =
    "it depends on the order of its inputs, not on their differences; choose a target before it, or \
                      score a layer behind it";

/// The lines of a tensor along one axis.
#[derive(Clone, Copy)]
struct Lines {
    outer: usize,
    n: usize,
    inner: usize,
}

impl Lines {
    fn of(shape: &[usize], axis: usize) -> Self {
        let (outer, n, inner) = around(shape, axis);
        Lines { outer, n, inner }
    }

    /// Writes `kept` elements per line, made from the line's values.
    fn map(&self, x: &[f64], kept: usize, f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
        let mut y = vec![0.0; self.outer * kept * self.inner];
        for o in 0..self.outer {
            for i in 0..self.inner {
                let at = |k: usize, n: usize| (o * n + k) * self.inner + i;
                let line: Vec<f64> = (0..self.n).map(|k| x[at(k, self.n)]).collect();
                f(&line).into_iter().enumerate().for_each(|(k, v)| y[at(k, kept)] = v);
            }
        }
        y
    }
}

/// Indices from best to worst; equals in their order.
fn ranked(line: &[f64], largest: bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..line.len()).collect();
    order.sort_by(|&a, &b| {
        let ascending = line[a].partial_cmp(&line[b]).unwrap_or(Ordering::Equal);
        if largest {
            ascending.reverse()
        } else {
            ascending
        }
    });
    order
}

/// Index of the best element; of equals the first, or the last if asked for.
fn best(line: &[f64], largest: bool, last: bool) -> usize {
    let better = |a: f64, b: f64| if largest { a > b } else { a < b };
    (1..line.len()).fold(0, |at, i| {
        let wins = better(line[i], line[at]) || (last && line[i] == line[at]);
        if wins {
            i
        } else {
            at
        }
    })
}

/// ArgMax and ArgMin: indices along an axis.
pub fn build_arg(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let axis = axis_index(cx.int("axis", 0)?, x.shape.len())?;
    let (largest, last) = (cx.op == "ArgMax", cx.int("select_last_index", 0)? != 0);
    let lines = Lines::of(&x.shape, axis);
    ensure!(lines.n > 0, InvalidModel, "axis {axis} of shape {:?} has no element", x.shape);
    let mut shape = x.shape.clone();
    if cx.int("keepdims", 1)? != 0 {
        shape[axis] = 1;
    } else {
        shape.remove(axis);
    }
    Ok(Box::new(ForwardOnly {
        fact: Fact::data(shape, DType::I64),
        advice: ADVICE,
        mixed: vec![],
        compute: Arc::new(move |x| lines.map(x, 1, |line| vec![best(line, largest, last) as f64])),
    }))
}

/// Hardmax: 1 at the first maximum of a line, 0 elsewhere. Up to opset 12 the axes from `axis` on are one line.
pub fn build_hardmax(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let [outer, n, inner] = extents(cx)?;
    let lines = Lines { outer, n, inner };
    Ok(Box::new(ForwardOnly {
        fact: Fact::data(x.shape.clone(), x.dtype),
        advice: ADVICE,
        mixed: axes(cx)?,
        compute: Arc::new(move |x| {
            lines.map(x, lines.n, |line| {
                let mut y = vec![0.0; line.len()];
                y[best(line, true, false)] = 1.0;
                y
            })
        }),
    }))
}

/// TopK: the best `k` elements of every line, and their indices.
struct TopK {
    shape: Vec<usize>,
    dtype: DType,
    axis: usize,
    largest: bool,
}

/// `k` is an attribute up to opset 9, an input later.
pub fn build_top_k(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let axis = axis_index(cx.int("axis", -1)?, x.shape.len())?;
    let k = match cx.ints_from("k", 1)?.as_deref() {
        Some([k]) => *k,
        found => bail!(InvalidModel, "k is {found:?}, expected one number"),
    };
    let n = x.shape[axis];
    ensure!(k >= 0 && k as u64 <= n as u64, InvalidModel, "takes {k} of {n} elements");
    let mut shape = x.shape.clone();
    shape[axis] = k as usize;
    Ok(Box::new(TopK { shape, dtype: x.dtype, axis, largest: cx.int("largest", 1)? != 0 }))
}

impl TopK {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque { advice: "it is expanded to its outputs before".into(), forward: None })
    }
}

impl Operator for TopK {
    fn outputs(&self) -> Vec<Fact> {
        vec![Fact::data(self.shape.clone(), self.dtype), Fact::data(self.shape.clone(), DType::I64)]
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        let mut e = Expansion::new();
        let mut ranked = |op| {
            let attrs = [("axis", self.axis as i64), ("k", self.shape[self.axis] as i64)];
            let attrs = attrs.into_iter().chain([("largest", i64::from(self.largest))]);
            let attrs = attrs.map(|(name, v)| (name.to_string(), Attribute::Int(v))).collect();
            e.add(op, attrs, [Source::Input(0)])
        };
        let outputs = [ranked("RankedValues"), ranked("RankedIndices")];
        Ok(Some(e.done(outputs)))
    }

    structures!();
}

/// The internal operators `RankedValues` and `RankedIndices`: one output of TopK each.
pub fn build_ranked(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let axis = axis_index(cx.int("axis", -1)?, x.shape.len())?;
    let k = usize::try_from(cx.int("k", 1)?).unwrap_or(usize::MAX).min(x.shape[axis]);
    let largest = cx.int("largest", 1)? != 0;
    let values = cx.op == "RankedValues";
    let lines = Lines::of(&x.shape, axis);
    let mut shape = x.shape.clone();
    shape[axis] = k;
    let pick = move |line: &[f64]| -> Vec<f64> {
        let order = ranked(line, largest).into_iter().take(k);
        order.map(|i| if values { line[i] } else { i as f64 }).collect()
    };
    Ok(Box::new(ForwardOnly {
        fact: Fact::data(shape, if values { x.dtype } else { DType::I64 }),
        advice: ADVICE,
        mixed: vec![axis],
        compute: Arc::new(move |x| lines.map(x, k, pick)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_keep_their_order() {
        assert_eq!(ranked(&[1.0, 3.0, 3.0, 2.0], true), [1, 2, 3, 0]);
        assert_eq!(ranked(&[1.0, 3.0, 1.0, 2.0], false), [0, 2, 3, 1]);
        assert_eq!((best(&[1.0, 3.0, 3.0], true, false), best(&[1.0, 3.0, 3.0], true, true)), (1, 2));
    }

    #[test]
    fn lines_run_along_their_axis() {
        let lines = Lines::of(&[2, 3, 2], 1);
        let x: Vec<f64> = (0..12).map(f64::from).collect();
        let sums = lines.map(&x, 1, |line| vec![line.iter().sum()]);
        assert_eq!(sums, [6.0, 9.0, 24.0, 27.0]);
    }
}
