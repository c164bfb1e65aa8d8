//! OneHot: from indices to rows with one value "on". A step of its indices: computed, never attributed.
use deeplift_graph::broadcast::around;
use deeplift_graph::operator::Evaluate;
use deeplift_graph::{ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

use crate::index_map::check_size;

struct OneHot {
    fact: Fact,
    rows: Rows,
}

/// Depth and the values `[off, on]` are known at plan time; the new axis is the last by default. Indices out of range
/// have no value "on".
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let indices = cx.input(0)?;
    let depth = cx.constant(1, "depth")?;
    let values = cx.constant(2, "values")?;
    ensure!(
        depth.len() == 1 && depth.at(0) >= 1.0 && depth.at(0) < f64::from(i32::MAX),
        InvalidModel,
        "a depth of {:?}",
        depth.to_f64()
    );
    ensure!(values.len() == 2, InvalidModel, "{} values where off and on were expected", values.len());
    let rank = indices.shape.len();
    let axis = deeplift_graph::broadcast::axis_index(cx.int("axis", -1)?, rank + 1)?;
    let mut shape = indices.shape.clone();
    shape.insert(axis, depth.at(0) as usize);
    check_size(&shape)?;
    let rows = Rows { around: around(&shape, axis), off: values.at(0), on: values.at(1) };
    Ok(Box::new(OneHot { fact: Fact::data(shape, values.dtype), rows }))
}

impl OneHot {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque {
            advice: "indices cannot be attributed; score at the output of OneHot instead".into(),
            forward: Some(Box::new(self.rows.clone())),
        })
    }
}

impl Operator for OneHot {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let Some(indices) = inputs[0] else { return Ok(None) };
        let mut y = vec![0.0; self.fact.len()];
        self.rows.forward(&[&indices.to_f64()], &mut y);
        let y = Constant::f64(self.fact.shape.clone(), y);
        Ok(Some(vec![crate::shape::as_dtype(y, self.fact.dtype)]))
    }

    structures!();
}

#[derive(Clone)]
struct Rows {
    around: (usize, usize, usize),
    off: f64,
    on: f64,
}

impl<T: Real> Evaluate<T> for Rows {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        let (_, n, inner) = self.around;
        y.fill(T::from_f64(self.off));
        for (i, at) in x[0].iter().enumerate() {
            let at = at.to_f64();
            let row = if at < 0.0 { at + n as f64 } else { at };
            if row >= 0.0 && row < n as f64 {
                y[(i / inner * n + row as usize) * inner + i % inner] = T::from_f64(self.on);
            }
        }
    }
}
