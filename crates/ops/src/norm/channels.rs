//! InstanceNormalization and GroupNormalization: standardised over the positions of each channel, or of each group of
//! channels; scaled and shifted per channel.
use deeplift_graph::wire::Attribute;
use deeplift_graph::{ensure, Build, Expansion, Fact, Operator, Result, Source};

use super::{attributes, axes, epsilon, shape, Expanded};

/// One group per channel.
pub fn build_instance(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let channels = channels(cx)?;
    normalisation(cx, channels, channels)
}

/// `num_groups` groups. Up to opset 20 scale and shift have a value per group, later one per channel.
pub fn build_group(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let channels = channels(cx)?;
    let groups = cx.int("num_groups", 0)?;
    ensure!(
        groups > 0 && channels as i64 % groups == 0,
        InvalidModel,
        "num_groups is {groups}; expected a divisor of {channels} channels"
    );
    let groups = groups as usize;
    normalisation(cx, groups, if cx.opset < 21 { groups } else { channels })
}

fn channels(cx: &Build<'_>) -> Result<usize> {
    let shape = &cx.input(0)?.shape;
    ensure!(shape.len() >= 2, InvalidModel, "shape {shape:?} has no channel axis");
    Ok(shape[1])
}

/// Scale and shift have `values` values each, which are as many as there are channels, or groups.
fn normalisation(cx: &Build<'_>, groups: usize, values: usize) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let (channels, rank) = (x.shape[1], x.shape.len());
    let epsilon = epsilon(cx, 1e-5)?;
    for (i, role) in [(1, "scale"), (2, "bias")] {
        let found = &cx.input(i)?.shape;
        ensure!(
            found == &[values],
            InvalidModel,
            "{role} has shape {found:?}; expected [{values}] for {channels} channels in {groups} groups"
        );
    }
    Expanded::one(Fact::data(x.shape.clone(), x.dtype), move || {
        let mut e = Expansion::new();
        let attrs = attributes([
            ("axes", axes(2..rank)),
            ("cut_axis", Attribute::Int(1)),
            ("pieces", Attribute::Int(groups as i64)),
            ("epsilon", Attribute::Float(epsilon)),
        ]);
        let standard = e.add("Standardise", attrs, [Source::Input(0)]);
        let scale = per_channel(&mut e, Source::Input(1), values, channels, rank);
        let shift = per_channel(&mut e, Source::Input(2), values, channels, rank);
        let scaled = e.add("Mul", attributes([]), [standard, scale]);
        let y = e.add("Add", attributes([]), [scaled, shift]);
        e.done([y])
    })
}

/// Values repeated for the channels of each group, along axis 1 of `rank` axes.
fn per_channel(e: &mut Expansion, v: Source, values: usize, channels: usize, rank: usize) -> Source {
    let each = channels / values;
    let mut v = v;
    if each > 1 {
        v = e.add("Reshape", attributes([]), [v, shape(&[values, 1])]);
        v = e.add("Expand", attributes([]), [v, shape(&[values, each])]);
    }
    let mut dims = vec![1; rank];
    dims[1] = channels;
    e.add("Reshape", attributes([]), [v, shape(&dims)])
}
