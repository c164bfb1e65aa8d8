//! Gather: by indices that are known at plan time, a move; by computed ones it can be computed, not attributed.
use deeplift_graph::broadcast::{around, axis_index};
use deeplift_graph::constant::element_count;
use deeplift_graph::operator::{Evaluate, Permuted};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

/// Indices may be negative.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let axis = axis_index(cx.int("axis", 0)?, x.shape.len())?;
    let Some(indices) = &cx.input(1)?.constant else { return look_up(cx, axis) };
    let (outer, n, inner) = around(&x.shape, axis);
    let mut at = Vec::new();
    for i in indices.to_i64()? {
        let k = if i < 0 { i + n as i64 } else { i };
        ensure!(k >= 0 && k < n as i64, InvalidModel, "index {i} is out of range for an axis of {n}");
        at.push(k as usize);
    }
    let mut shape = x.shape[..axis].to_vec();
    shape.extend(&indices.shape);
    shape.extend(&x.shape[axis + 1..]);
    crate::index_map::check_size(&shape)?;
    let at = &at;
    let index: Vec<usize> = (0..outer)
        .flat_map(|o| at.iter().flat_map(move |&a| (0..inner).map(move |i| (o * n + a) * inner + i)))
        .collect();
    let mut moves = crate::index_map::Moves::new(Fact::data(shape, x.dtype), x.len(), index);
    moves.permutable = Some(permute);
    let reordered = indices.shape.len() == 1 && at.len() == n && at.iter().enumerate().any(|(i, &a)| i != a);
    moves.along = reordered.then(|| x.shape.clone());
    Ok(Box::new(moves))
}

fn permute(cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
    let axis = axis_index(cx.int("axis", 0).ok()?, perm.len()).ok()?;
    let mut attrs = cx.attrs.clone();
    attrs.insert("axis".into(), Attribute::Int(perm[axis] as i64));
    match cx.input(1).ok()?.shape.len() {
        1 => Some(Permuted { attrs, constants: vec![], perm: perm.to_vec() }),
        0 => {
            // The axis disappears; the others keep their relative order.
            let rest = perm.iter().filter(|&&p| p != perm[axis]);
            let rest = rest.map(|&p| if p > perm[axis] { p - 1 } else { p }).collect();
            Some(Permuted { attrs, constants: vec![], perm: rest })
        }
        _ => None,
    }
}

/// A look-up by indices that depend on the input, such as the embedding of tokens.
struct LookUp {
    fact: Fact,
    /// Values, unless they depend on the input too.
    table: Option<Constant>,
    /// Outer, axis and inner extents of the values; number of indices.
    around: (usize, usize, usize),
    indices: usize,
}

fn look_up(cx: &Build<'_>, axis: usize) -> Result<Box<dyn Operator>> {
    let (x, indices) = (cx.input(0)?, cx.input(1)?);
    let shape = [&x.shape[..axis], &indices.shape, &x.shape[axis + 1..]].concat();
    element_count(&shape)?;
    let around = around(&x.shape, axis);
    ensure!(around.1 > 0, InvalidModel, "there is nothing to gather along axis {axis} of {:?}", x.shape);
    let fact = Fact::data(shape, x.dtype);
    Ok(Box::new(LookUp { fact, table: x.constant.clone(), around, indices: indices.len() }))
}

impl LookUp {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque {
            advice: "Gather by an index that depends on the input cannot be attributed; score at the gathered tensor \
                     instead"
                .into(),
            forward: Some(Box::new(Rows {
                table: self.table.as_ref().map(Constant::to_real),
                around: self.around,
                indices: self.indices,
            })),
        })
    }
}

impl Operator for LookUp {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    structures!();
}

struct Rows<T> {
    table: Option<Vec<T>>,
    around: (usize, usize, usize),
    indices: usize,
}

impl<T: Real> Evaluate<T> for Rows<T> {
    /// An index out of range gives NaN, which is refused by name where it is seen.
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        let (outer, n, inner) = self.around;
        let (values, at) = match &self.table {
            Some(table) => (&table[..], x[0]),
            None => (x[0], x[1]),
        };
        let missing = T::from_f64(f64::NAN);
        for o in 0..outer {
            for (k, at) in at.iter().enumerate() {
                let at = at.to_f64();
                let row = if at < 0.0 { at + n as f64 } else { at };
                let to = &mut y[(o * self.indices + k) * inner..][..inner];
                if row >= 0.0 && row < n as f64 {
                    to.copy_from_slice(&values[(o * n + row as usize) * inner..][..inner]);
                } else {
                    to.fill(missing);
                }
            }
        }
    }
}
