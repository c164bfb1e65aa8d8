//! ScatterElements and ScatterND: a tensor of which some elements are replaced by updates, or reduced with them. The
//! indices are known at plan time; data, updates or both depend on the input.
use std::sync::Arc;

use deeplift_graph::broadcast::{axis_index, strides};
use deeplift_graph::operator::LinearKind;
use deeplift_graph::{
    bail, ensure, structures, Build, Constant, Expansion, Fact, Operator, Result, Source, Structure,
};
use deeplift_simd::Real;

use crate::index_map::check_size;
use crate::layout::gather_nd::{positions, slices};
use crate::sparse::{check_entries, Entry, Port, Sparse};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reduction {
    /// The last update of an element wins.
    Replace,
    Add,
    /// Products and extrema: a function of element and update, by the name of that operator.
    Function(&'static str),
}

struct Scatter {
    fact: Fact,
    reduction: Reduction,
    /// Row of the data that each row of the updates goes to.
    at: Vec<usize>,
    /// Elements of a row, and the lengths of the axes whose indices name rows.
    inner: usize,
    named: Vec<usize>,
    data: Fact,
    updates: Fact,
    /// What gathers the elements that are updated, and its attributes.
    gather: (&'static str, deeplift_graph::Attributes),
}

/// ScatterElements, and Scatter, as it was called up to opset 10.
pub fn elements(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let data = cx.input(0)?;
    let axis = axis_index(cx.int("axis", 0)?, data.shape.len())?;
    let indices = cx.constant(1, "index")?;
    let fits = cx.input(2)?.shape == indices.shape;
    ensure!(
        fits,
        InvalidModel,
        "updates of shape {:?} for indices of shape {:?}",
        cx.input(2)?.shape,
        indices.shape
    );
    let at = positions(&data.shape, axis, indices)?;
    let attrs = [("axis".to_string(), deeplift_graph::wire::Attribute::Int(axis as i64))].into();
    make(cx, at, 1, data.shape.clone(), ("GatherElements", attrs))
}

/// Each row of the indices names a slice, to which a slice of the updates goes.
pub fn nd(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let data = cx.input(0)?;
    let indices = cx.constant(1, "index")?;
    let (first, inner) = slices(&data.shape, indices, 0)?;
    let rank = indices.shape.len();
    let (rows, depth) = (&indices.shape[..rank - 1], indices.shape[rank - 1]);
    let expected = [rows, &data.shape[depth..]].concat();
    let updates = cx.input(2)?;
    ensure!(
        updates.shape == expected,
        InvalidModel,
        "updates of shape {:?} where {expected:?} was expected",
        updates.shape
    );
    let at = first.into_iter().map(|f| f / inner.max(1)).collect();
    make(cx, at, inner, data.shape[..depth].to_vec(), ("GatherND", Default::default()))
}

fn make(
    cx: &Build<'_>,
    at: Vec<usize>,
    inner: usize,
    named: Vec<usize>,
    gather: (&'static str, deeplift_graph::Attributes),
) -> Result<Box<dyn Operator>> {
    let (data, updates) = (cx.input(0)?.clone(), cx.input(2)?.clone());
    check_size(&data.shape)?;
    check_entries(&[named.iter().product::<usize>() + at.len()])?;
    let reduction = match cx.string("reduction", "none")?.as_str() {
        "none" => Reduction::Replace,
        "add" => Reduction::Add,
        "mul" => Reduction::Function("Mul"),
        "max" => Reduction::Function("Max"),
        "min" => Reduction::Function("Min"),
        other => bail!(InvalidModel, "reduction '{other}' is unknown"),
    };
    let fact = Fact::data(data.shape.clone(), data.dtype);
    Ok(Box::new(Scatter { fact, reduction, at, inner, named, data, updates, gather }))
}

impl Scatter {
    /// The last update of every row of the data, if any.
    fn owners(&self) -> Vec<Option<usize>> {
        let mut owners = vec![None; self.named.iter().product()];
        for (update, &row) in self.at.iter().enumerate() {
            owners[row] = Some(update);
        }
        owners
    }

    fn sparse(&self) -> Result<Sparse> {
        let rows = self.named.iter().product();
        let owners = self.owners();
        let replaces = match self.reduction {
            Reduction::Replace => true,
            Reduction::Add => false,
            Reduction::Function(op) => bail!(Internal, "a scatter by {op} is expanded before"),
        };
        let kept = (0..rows).filter(|&r| !replaces || owners[r].is_none()).map(|r| (r as u32, r as u32, 1.0));
        let kept: Vec<Entry> = kept.collect();
        let put: Vec<Entry> = if replaces {
            let owned = owners.iter().enumerate().filter_map(|(r, o)| Some((r as u32, (*o)? as u32, 1.0)));
            owned.collect()
        } else {
            self.at.iter().enumerate().map(|(u, &r)| (r as u32, u as u32, 1.0)).collect()
        };
        let mut ports = vec![];
        let mut base = None;
        for (fact, input, entries) in [(&self.data, rows, kept), (&self.updates, self.at.len(), put)] {
            match &fact.constant {
                None => ports.push(Port { input, entries: Arc::new(entries) }),
                Some(c) => {
                    let base = base.get_or_insert_with(|| vec![0.0; rows * self.inner]);
                    for (o, i, _) in entries {
                        for k in 0..self.inner {
                            base[o as usize * self.inner + k] += c.at(i as usize * self.inner + k);
                        }
                    }
                }
            }
        }
        Ok(Sparse {
            fact: self.fact.clone(),
            outer: 1,
            output: rows,
            inner: self.inner,
            ports,
            base,
            kind: LinearKind::Aggregate,
            mixed: vec![],
            permutable: None,
        })
    }

    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        self.sparse()?.structure()
    }
}

impl Operator for Scatter {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let [Some(data), Some(_), Some(updates)] = inputs[..] else { return Ok(None) };
        let mut y = data.to_f64();
        for (update, &row) in self.at.iter().enumerate() {
            for k in 0..self.inner {
                let (y, u) = (&mut y[row * self.inner + k], updates.at(update * self.inner + k));
                *y = match self.reduction {
                    Reduction::Replace => u,
                    Reduction::Add => *y + u,
                    Reduction::Function("Mul") => *y * u,
                    Reduction::Function("Max") => y.max(u),
                    Reduction::Function(_) => y.min(u),
                };
            }
        }
        let y = Constant::f64(data.shape.clone(), y);
        Ok(Some(vec![crate::shape::as_dtype(y, data.dtype)]))
    }

    /// A reduction by a function of two values is that function of what the indices name, put back.
    fn expand(&self) -> Result<Option<Expansion>> {
        let Reduction::Function(op) = self.reduction else { return Ok(None) };
        let once = self.owners().iter().flatten().count() == self.at.len();
        ensure!(
            once,
            UnsupportedOp,
            "a reduction by {op} whose indices name an element twice has no rule; choose a target before it"
        );
        let mut e = Expansion::new();
        let (gather, attrs) = self.gather.clone();
        let [data, indices, updates] = [0, 1, 2].map(Source::Input);
        let old = e.add(gather, attrs.clone(), [data.clone(), indices.clone()]);
        let new = e.add(op, Default::default(), [old, updates]);
        let scatter = if gather == "GatherND" { "ScatterND" } else { "ScatterElements" };
        let y = e.add(scatter, attrs, [data, indices, new]);
        Ok(Some(e.done([y])))
    }

    /// Axes along which not every slice is updated alike, by the slice of the updates at the same place.
    fn mixed_axes(&self) -> Vec<usize> {
        let owners = self.owners();
        let own = strides(&self.named);
        let mixed = |&a: &usize| {
            let mut step = None;
            let apart = |(row, owner): (usize, &Option<usize>)| {
                let c = row / own[a] % self.named[a];
                match (owners[row - c * own[a]], owner) {
                    (Some(first), &Some(owner)) if c > 0 => {
                        let distance = owner as isize - first as isize;
                        *step.get_or_insert(distance / c as isize) * c as isize == distance
                    }
                    (first, owner) => first.is_some() == owner.is_some(),
                }
            };
            self.named[a] > 1 && !owners.iter().enumerate().all(apart)
        };
        (0..self.named.len()).filter(mixed).collect()
    }

    structures!();
}
