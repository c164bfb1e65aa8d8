//! LayerNormalization and RMSNormalization: standardised over the last axes, scaled and shifted element by element.
use deeplift_graph::broadcast::axis_index;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{Build, Expansion, Fact, Operator, Result, Source};

use super::{attributes, axes, epsilon, fits, number, Expanded};

/// The first of the axes that are normalised.
fn first_axis(cx: &Build<'_>) -> Result<usize> {
    let shape = &cx.input(0)?.shape;
    axis_index(cx.int("axis", -1)?, shape.len())
}

/// Standardise, Mul, Add; the mean and the inverse of the standard deviation are made of sums and functions of one
/// element. `stash_type`, the precision of the statistics, is always that of the plan or higher.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let (first, rank) = (first_axis(cx)?, x.shape.len());
    let epsilon = epsilon(cx, 1e-5)?;
    fits(cx, 1, "scale")?;
    let shifted = cx.optional(2).is_some();
    if shifted {
        fits(cx, 2, "bias")?;
    }
    let fact = Fact::data(x.shape.clone(), x.dtype);
    let level: Vec<usize> = x.shape.iter().enumerate().map(|(a, &d)| if a < first { d } else { 1 }).collect();
    let level = Fact::data(level, x.dtype);
    let expansion = move || {
        let over = || attributes([("axes", axes(first..rank))]);
        let mut e = Expansion::new();
        let mut attrs = over();
        attrs.insert("epsilon".into(), Attribute::Float(epsilon));
        let standard = e.add("Standardise", attrs, [Source::Input(0)]);
        let mut y = e.add("Mul", attributes([]), [standard, Source::Input(1)]);
        if shifted {
            y = e.add("Add", attributes([]), [y, Source::Input(2)]);
        }
        let mean = e.add("ReduceMean", over(), [Source::Input(0)]);
        let centred = e.add("Sub", attributes([]), [Source::Input(0), mean.clone()]);
        let square = e.add("Pow", attributes([]), [centred, number(2.0)]);
        let variance = e.add("ReduceMean", over(), [square]);
        let sum = e.add("Add", attributes([]), [variance, number(epsilon)]);
        let inverse = e.add("Pow", attributes([]), [sum, number(-0.5)]);
        e.done([y, mean, inverse])
    };
    Ok(Box::new(Expanded { facts: vec![fact, level.clone(), level], expansion: Box::new(expansion) }))
}

/// Standardise without a mean, Mul.
pub fn build_rms(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let (first, rank) = (first_axis(cx)?, x.shape.len());
    let epsilon = epsilon(cx, 1e-5)?;
    fits(cx, 1, "scale")?;
    Expanded::one(Fact::data(x.shape.clone(), x.dtype), move || {
        let mut e = Expansion::new();
        let attrs = attributes([
            ("axes", axes(first..rank)),
            ("centre", Attribute::Int(0)),
            ("epsilon", Attribute::Float(epsilon)),
        ]);
        let standard = e.add("Standardise", attrs, [Source::Input(0)]);
        let y = e.add("Mul", attributes([]), [standard, Source::Input(1)]);
        e.done([y])
    })
}
