//! MeanVarianceNormalization: the deviation over the standard deviation plus 1e-9, as the function body that defines it
//! in ONNX.
use deeplift_graph::broadcast::axis_indices;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{Build, Expansion, Fact, Operator, Result, Source};

use super::{attributes, axes, Expanded};

/// Over `axes`; without them over those of examples and positions of an image.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let over = axis_indices(&cx.ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]), x.shape.len())?;
    Expanded::one(Fact::data(x.shape.clone(), x.dtype), move || {
        let mut e = Expansion::new();
        let attrs = attributes([("axes", axes(over.iter().copied())), ("offset", Attribute::Float(1e-9))]);
        let y = e.add("Standardise", attrs, [Source::Input(0)]);
        e.done([y])
    })
}
