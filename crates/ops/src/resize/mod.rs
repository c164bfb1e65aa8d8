//! Resize and Upsample: axes get another length; positions in between are copied from the nearest or interpolated.
use std::sync::Arc;

use deeplift_graph::broadcast::{axis_index, axis_indices};
use deeplift_graph::operator::{LinearKind, Permuted};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, ensure, Build, Fact, Operator, Result};

use crate::index_map::check_size;
use crate::sparse::{check_entries, Entry, Port, Sparse};

mod coordinates;
mod weights;

use coordinates::{Axis, Coordinates};
use weights::{Interpolation, Mode, Nearest, Taps};

/// Scales or sizes, and the region of a crop, are known at plan time. Upsample and opset 10 always take the position
/// below `x / scale`.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let old = cx.op == "Upsample" || cx.opset <= 10;
    let most = if cx.op == "Upsample" && cx.attrs.contains_key("scales") {
        1
    } else if old {
        2
    } else {
        4
    };
    ensure!(
        cx.inputs.len() <= most,
        InvalidModel,
        "{} inputs; at most {most} were expected",
        cx.inputs.len()
    );
    let (scales, sizes) = if cx.op == "Upsample" && cx.attrs.contains_key("scales") {
        let Some(Attribute::Floats(scales)) = cx.attrs.get("scales") else {
            bail!(InvalidModel, "attribute 'scales' is not a list of floats")
        };
        (Some(scales.clone()), None)
    } else {
        let (scales, sizes) = if old { (1, 3) } else { (2, 3) };
        // An empty tensor stands for an input that is not given.
        let scales = cx.optional_constant(scales, "scales")?.filter(|c| !c.is_empty());
        let sizes = cx.optional_constant(sizes, "sizes")?.filter(|c| !c.is_empty());
        (scales.map(|c| c.to_f64()), sizes.map(|c| c.to_i64()).transpose()?)
    };
    let named = axes(cx)?;
    let mut all: Vec<Axis> =
        x.shape.iter().map(|&d| Axis { from: d, to: d, scale: 1.0, roi: (0.0, 1.0) }).collect();
    let count = scales.as_ref().map_or(sizes.as_ref().map_or(0, Vec::len), Vec::len);
    ensure!(
        count == named.len() && scales.is_some() != sizes.is_some(),
        InvalidModel,
        "{count} scales or sizes for {} axes; either were expected, not both",
        named.len()
    );
    match (scales, sizes) {
        (Some(scales), _) => scale(&mut all, &named, &scales)?,
        (None, sizes) => {
            let policy = cx.string("keep_aspect_ratio_policy", "stretch")?;
            fit(&mut all, &named, &sizes.unwrap_or_default(), &policy)?;
        }
    }
    let interpolation = interpolation(cx, old)?;
    let roi = if old { None } else { cx.optional_constant(1, "roi")? };
    if interpolation.coordinates == Coordinates::TfCropAndResize {
        let Some(roi) = roi else { bail!(InvalidModel, "a crop without its region, input 1") };
        let roi = roi.to_f64();
        ensure!(
            roi.len() == 2 * named.len() && roi.iter().all(|v| v.is_finite()),
            InvalidModel,
            "{} values of a region for {} axes",
            roi.len(),
            named.len()
        );
        for (i, &a) in named.iter().enumerate() {
            all[a].roi = (roi[i], roi[i + named.len()]);
        }
    }
    let fill = cx.float("extrapolation_value", 0.0)?;
    resized(x, &all, &interpolation, fill)
}

/// Axes that scales, sizes and regions are given for, in their order.
fn axes(cx: &Build<'_>) -> Result<Vec<usize>> {
    let rank = cx.input(0)?.shape.len();
    let axes = cx.ints("axes")?.unwrap_or((0..rank as i64).collect());
    axis_indices(&axes, rank)?;
    axes.into_iter().map(|a| axis_index(a, rank)).collect()
}

/// Lengths from scales, rounded down in float32 as runtimes do.
fn scale(all: &mut [Axis], named: &[usize], scales: &[f64]) -> Result<()> {
    for (&a, &scale) in named.iter().zip(scales) {
        let to = (scale as f32 * all[a].from as f32).floor();
        ensure!(
            scale > 0.0 && scale.is_finite() && to < i32::MAX as f32,
            InvalidModel,
            "scale {scale} of axis {a} is not usable"
        );
        (all[a].to, all[a].scale) = (to as usize, scale);
    }
    Ok(())
}

/// Lengths from sizes, which a policy may take as bounds of one common scale.
fn fit(all: &mut [Axis], named: &[usize], sizes: &[i64], policy: &str) -> Result<()> {
    let good = sizes.iter().all(|s| (1..1 << 31).contains(s)) && named.iter().all(|&a| all[a].from > 0);
    ensure!(good, InvalidModel, "sizes {sizes:?} are not usable");
    let scales = named.iter().zip(sizes).map(|(&a, &s)| s as f64 / all[a].from as f64);
    let common = match policy {
        "stretch" => None,
        "not_larger" => scales.clone().reduce(f64::min),
        "not_smaller" => scales.clone().reduce(f64::max),
        _ => bail!(InvalidModel, "keep_aspect_ratio_policy '{policy}' is unknown"),
    };
    let scales: Vec<f64> = scales.map(|own| common.unwrap_or(own)).collect();
    for ((&a, &size), scale) in named.iter().zip(sizes).zip(scales) {
        let to = if common.is_some() {
            (scale * all[a].from as f64 + 0.5).floor() as usize
        } else {
            size as usize
        };
        (all[a].to, all[a].scale) = (to, scale);
    }
    Ok(())
}

fn interpolation(cx: &Build<'_>, old: bool) -> Result<Interpolation> {
    let name = |attribute: &str, default: &str, of_old: &str| {
        if old {
            Ok(of_old.into())
        } else {
            cx.string(attribute, default)
        }
    };
    let coordinates = name("coordinate_transformation_mode", "half_pixel", "asymmetric")?;
    let nearest = name("nearest_mode", "round_prefer_floor", "floor")?;
    let mode = match cx.string("mode", "nearest")?.as_str() {
        "nearest" => Mode::Nearest(Nearest::parse(&nearest)?),
        // "bilinear" was written by exporters for the first version of Upsample.
        "linear" | "bilinear" => Mode::Linear,
        "cubic" if !old => Mode::Cubic(cx.float("cubic_coeff_a", -0.75)?),
        other => bail!(InvalidModel, "mode '{other}' is unknown"),
    };
    Ok(Interpolation {
        mode,
        coordinates: Coordinates::parse(&coordinates)?,
        exclude_outside: cx.int("exclude_outside", 0)? != 0,
        antialias: cx.int("antialias", 0)? != 0 && !matches!(mode, Mode::Nearest(_)),
    })
}

/// The linear map of the axes that change: weights of several axes multiply.
fn resized(x: &Fact, all: &[Axis], interpolation: &Interpolation, fill: f64) -> Result<Box<dyn Operator>> {
    let shape: Vec<usize> = all.iter().map(|a| a.to).collect();
    check_size(&shape)?;
    let cropped = interpolation.coordinates == Coordinates::TfCropAndResize;
    let changes = |&a: &usize| {
        let Axis { from, to, scale, roi } = all[a];
        from != to || scale != 1.0 || (cropped && roi != (0.0, 1.0))
    };
    let changes: Vec<usize> = (0..all.len()).filter(changes).collect();
    let block = changes.first().copied().unwrap_or(0)..changes.last().map_or(0, |l| l + 1);
    let taps: usize =
        all[block.clone()].iter().map(|a| if a.from > 0 { interpolation.taps(a) } else { 0 }).product();
    let product = |of: fn(&Axis) -> usize, range: std::ops::Range<usize>| all[range].iter().map(of).product();
    let (input, output): (usize, usize) =
        (product(|a| a.from, block.clone()), product(|a| a.to, block.clone()));
    check_entries(&[output, taps])?;
    let outer: usize = product(|a| a.to, 0..block.start);
    let inner: usize = product(|a| a.to, block.end..all.len());
    let (entries, outside) = combined(&all[block.clone()], interpolation);
    let base = (!outside.is_empty() && fill != 0.0).then(|| {
        let mut base = vec![0.0; outer * output * inner];
        for o in 0..outer {
            for &at in &outside {
                base[(o * output + at) * inner..][..inner].fill(fill);
            }
        }
        base
    });
    let copies = matches!(interpolation.mode, Mode::Nearest(_));
    Ok(Box::new(Sparse {
        fact: Fact::data(shape, x.dtype),
        outer,
        output,
        inner,
        ports: vec![Port { input, entries: Arc::new(entries) }],
        base,
        kind: if copies { LinearKind::Transparent } else { LinearKind::Aggregate },
        mixed: changes,
        permutable: Some(permute),
    }))
}

/// All weights of a block of axes, in the order of outputs, and the outputs that show nothing of the input.
fn combined(axes: &[Axis], interpolation: &Interpolation) -> (Vec<Entry>, Vec<usize>) {
    let mut rows: Vec<Taps> = vec![Some(vec![(0, 1.0)])];
    for axis in axes {
        let own = interpolation.weights(axis);
        let join = |outer: &Taps, inner: &Taps| {
            let (outer, inner) = (outer.as_ref()?, inner.as_ref()?);
            let pair = |&(i, v): &(usize, f64)| inner.iter().map(move |&(k, w)| (i * axis.from + k, v * w));
            Some(outer.iter().flat_map(pair).collect())
        };
        rows = rows.iter().flat_map(|outer| own.iter().map(move |inner| join(outer, inner))).collect();
    }
    let outside = (0..rows.len()).filter(|&o| rows[o].is_none()).collect();
    let of_row = |(o, taps): (usize, &Taps)| -> Vec<Entry> {
        taps.iter().flatten().map(|&(i, w)| (o as u32, i as u32, w)).collect()
    };
    (rows.iter().enumerate().flat_map(of_row).collect(), outside)
}

/// Scales, sizes and regions stay in their order; the axes that they are for are named.
fn permute(cx: &Build<'_>, perm: &[usize]) -> Option<Permuted> {
    let mut attrs = cx.attrs.clone();
    let moved = axes(cx).ok()?.into_iter().map(|a| perm[a] as i64).collect();
    attrs.insert("axes".into(), Attribute::Ints(moved));
    Some(Permuted { attrs, constants: vec![], perm: perm.to_vec() })
}
