//! Deviations from the mean over their spread, over any axes (SEMANTICS 3.2, row LayerNorm). It is no operator of ONNX:
//! normalisations expand to it.
//!
//! | attribute | meaning |
//! |---|---|
//! | `axes` | axes whose elements meet |
//! | `cut_axis`, `pieces` | an axis that is cut into so many equal pieces, within which elements meet |
//! | `centre` | whether the mean is subtracted (1) |
//! | `divisor` | what the sum of squares is divided by (how many there are) |
//! | `epsilon`, `offset` | added to the mean square, and to its root (0) |
use deeplift_graph::broadcast::{axis_index, axis_indices};
use deeplift_graph::operator::{ClosedForm, Permuted};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{ensure, structures, Build, Fact, Operator, Result, Structure};
use deeplift_kernels::{Groups, Standardise as Kernel};
use deeplift_simd::Real;

use super::axes;

struct Standardise {
    fact: Fact,
    mixed: Vec<usize>,
    kernel: Kernel,
}

/// The axes whose elements meet, and the one that is cut.
struct Meeting {
    whole: Vec<usize>,
    cut: Option<(usize, usize)>,
}

impl Meeting {
    fn read(cx: &Build<'_>) -> Result<Self> {
        let shape = &cx.input(0)?.shape;
        let whole = axis_indices(&cx.ints("axes")?.unwrap_or_default(), shape.len())?;
        if !cx.attrs.contains_key("cut_axis") {
            return Ok(Meeting { whole, cut: None });
        }
        let axis = axis_index(cx.int("cut_axis", 0)?, shape.len())?;
        let pieces = cx.int("pieces", 1)?;
        ensure!(
            pieces > 0 && shape[axis] as i64 % pieces == 0 && !whole.contains(&axis),
            InvalidModel,
            "an axis of {} elements cannot be cut into {pieces} pieces",
            shape[axis]
        );
        Ok(Meeting { whole, cut: Some((axis, pieces as usize)) })
    }

    fn groups(&self, shape: &[usize]) -> Groups {
        let (mut extents, mut inside) = (vec![], vec![]);
        for (a, &extent) in shape.iter().enumerate() {
            match self.cut {
                Some((axis, pieces)) if axis == a => {
                    extents.extend([pieces, extent / pieces]);
                    inside.extend([false, true]);
                }
                _ => {
                    extents.push(extent);
                    inside.push(self.whole.contains(&a));
                }
            }
        }
        Groups::new(&extents, &inside)
    }
}

/// Reads the attributes above.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let meeting = Meeting::read(cx)?;
    let groups = meeting.groups(&x.shape);
    let divisor = cx.float("divisor", groups.size() as f64)?;
    ensure!(divisor > 0.0 && divisor.is_finite(), InvalidModel, "divides squares by {divisor}");
    let mut mixed = meeting.whole;
    mixed.extend(meeting.cut.map(|(axis, _)| axis));
    Ok(Box::new(Standardise {
        fact: Fact::data(x.shape.clone(), x.dtype),
        mixed,
        kernel: Kernel {
            groups,
            centre: cx.int("centre", 1)? != 0,
            divisor,
            epsilon: super::epsilon(cx, 0.0)?,
            offset: cx.float("offset", 0.0)?,
        },
    }))
}

impl Standardise {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::ClosedForm(Box::new(Record(self.kernel.clone()))))
    }
}

impl Operator for Standardise {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn permute(&self, cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
        let meeting = Meeting::read(cx).ok()?;
        let mut attrs = cx.attrs.clone();
        attrs.insert("axes".into(), axes(meeting.whole.iter().map(|&a| perm[a])));
        if let Some((axis, _)) = meeting.cut {
            attrs.insert("cut_axis".into(), Attribute::Int(perm[axis] as i64));
        }
        Some(Permuted { attrs, constants: vec![], perm: perm.to_vec() })
    }

    fn mixed_axes(&self) -> Vec<usize> {
        self.mixed.clone()
    }

    structures!();
}

struct Record(Kernel);

impl<T: Real> ClosedForm<T> for Record {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        self.0.forward(x[0], y);
    }

    fn record_len(&self) -> usize {
        self.0.record_len()
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        self.0.record(x[0], x0[0], record);
    }

    fn adjoint(&self, _port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        self.0.adjoint(record, my, mx, accumulate);
    }
}
