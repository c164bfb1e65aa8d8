//! Convolutions and dense layers in products of bf16: against the oracle, and their reproducibility.

mod common;

use common::{noise, wide};
use deeplift_kernels::{
    oracle, ConvGeometry, Epilogue, PackedConv, PackedConvAdjoint, PackedDense, Reduced, Scratch, Variant,
};
use deeplift_simd::amx::{Products, TileUnit};
use deeplift_simd::Isa;
use proptest::prelude::*;

/// Every way to compute in products of bf16 that this machine has.
fn ways() -> Vec<(Isa, Products, TileUnit)> {
    let mut all = vec![];
    for isa in Isa::available() {
        for products in Products::ALL {
            all.extend(TileUnit::available().into_iter().map(|unit| (isa, products, unit)));
        }
    }
    all
}

fn variant(products: Products, unit: TileUnit) -> Variant {
    Variant::Reduced(Reduced::new(products, unit).always())
}

/// Largest error of a product of two floats relative to it: both factors rounded, and products that are left out.
fn lost(products: Products) -> f64 {
    match products {
        Products::One => 2f64.powi(-7),
        Products::Three => 2f64.powi(-15),
        Products::Six => 2f64.powi(-24),
    }
}

/// Panics unless `found` is within the rounding of products and sums; `size` is the sum of the magnitudes of the terms.
#[track_caller]
fn assert_within(
    found: &[f32],
    (expected, size): (&[f64], &[f64]),
    products: Products,
    depth: usize,
    what: &str,
) {
    assert_eq!(found.len(), expected.len(), "{what}");
    // A step of 32 products is summed in two chains and added by one rounding; steps that are half empty come on top.
    let roundings = 40 + products.count() * depth.div_ceil(8);
    let bound = lost(products) + roundings as f64 * f64::from(f32::EPSILON);
    for (i, ((&found, expected), size)) in found.iter().zip(expected).zip(size).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(error <= bound * size + 1e-30, "{what}: element {i} is {found}, expected {expected}");
    }
}

fn magnitudes(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| v.abs()).collect()
}

/// Forward, adjoint, and adjoint with a bias, on every instruction set and unit.
fn check(g: &ConvGeometry) {
    let (x, m) = (noise::<f32>(g.input_len(), 1), noise::<f32>(g.output_len(), 2));
    let (w, b) = (noise::<f32>(g.weights_len(), 3), noise::<f32>(g.out_channels, 4));
    let back = noise::<f32>(g.in_channels, 5);
    let (wx, wm, ww, wb) = (wide(&x), wide(&m), wide(&w), wide(&b));
    let sizes = |values: &[f64], bias: &[f64]| {
        oracle::conv(g, &magnitudes(values), &magnitudes(&ww), &magnitudes(bias))
    };
    let shifted = |mx: Vec<f64>, bias: &[f64]| -> Vec<f64> {
        mx.iter().enumerate().map(|(i, m)| m + bias[i % g.in_channels]).collect()
    };
    let forward = (oracle::conv(g, &wx, &ww, &wb), sizes(&wx, &wb));
    let adjoint = (
        shifted(oracle::conv_adjoint(g, &wm, &ww), &wide(&back)),
        shifted(oracle::conv_adjoint(g, &magnitudes(&wm), &magnitudes(&ww)), &magnitudes(&wide(&back))),
    );
    let taps: usize = g.kernel.iter().product();
    let (ins, outs) = (g.in_channels / g.groups * taps, g.out_channels / g.groups * taps);
    for (isa, products, unit) in ways() {
        let what = format!("{isa} {products:?} {unit:?} {g:?}");
        let conv = PackedConv::with_variant(g.clone(), &w, &b, isa, variant(products, unit));
        let mut y = vec![f32::NAN; g.output_len()];
        conv.forward(&x, Epilogue::Store { out: &mut y }, &mut Scratch::default());
        assert_within(&y, (&forward.0, &forward.1), products, ins, &format!("forward {what}"));
        let conv = PackedConvAdjoint::with_variant(g.clone(), &w, &back, isa, variant(products, unit));
        let mut mx = vec![f32::NAN; g.input_len()];
        conv.apply(&m, Epilogue::Store { out: &mut mx }, &mut Scratch::default());
        assert_within(&mx, (&adjoint.0, &adjoint.1), products, outs, &format!("adjoint {what}"));
    }
}

fn line(
    (input, output): (usize, usize),
    (kernel, stride, dilation, pad): (usize, usize, usize, usize),
    (in_channels, out_channels, groups): (usize, usize, usize),
) -> ConvGeometry {
    ConvGeometry {
        input: [1, 1, input],
        output: [1, 1, output],
        kernel: [1, 1, kernel],
        stride: [1, 1, stride],
        dilation: [1, 1, dilation],
        pad: [0, 0, pad],
        in_channels,
        out_channels,
        groups,
    }
}

fn geometry() -> impl Strategy<Value = ConvGeometry> {
    let axis = || (1usize..7, 1usize..7, 1usize..4, 1usize..4, 1usize..4, 0usize..5);
    let last = (1usize..70, 1usize..70, 1usize..7, 1usize..4, 1usize..6, 0usize..12);
    let channels = prop_oneof![
        Just((6, 9, 3)),
        Just((4, 8, 4)),
        Just((70, 40, 2)),
        (1usize..40, prop_oneof![Just(1usize), Just(3), Just(17), Just(50)]).prop_map(|(i, o)| (i, o, 1)),
    ];
    (axis(), axis(), last, channels, 0usize..3).prop_map(
        |(a, b, c, (in_channels, out_channels, groups), rank)| {
            let flat = (1, 1, 1, 1, 1, 0);
            let axes = match rank {
                0 => [flat, flat, c],
                1 => [flat, a, (c.0.min(40), c.1.min(40), c.2, c.3, c.4, c.5)],
                _ => [a, b, (c.0.min(9), c.1.min(9), c.2.min(3), c.3, c.4, c.5)],
            };
            ConvGeometry {
                input: axes.map(|a| a.0),
                output: axes.map(|a| a.1),
                kernel: axes.map(|a| a.2),
                stride: axes.map(|a| a.3),
                dilation: axes.map(|a| a.4),
                pad: axes.map(|a| a.5),
                in_channels,
                out_channels,
                groups,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_geometries_agree_with_the_oracle(g in geometry()) {
        check(&g);
    }
}

#[test]
fn named_geometries_agree_with_the_oracle() {
    let cases = [
        // The first layer of a DNA model, and its adjoint with four columns.
        line((114, 114), (21, 1, 1, 10), (4, 64, 1)),
        // Dilated, padding wider than the tile: whole taps are left out.
        line((100, 100), (3, 1, 64, 64), (64, 64, 1)),
        // One run over all taps of an odd number of channels.
        line((60, 50), (11, 1, 1, 0), (50, 50, 1)),
        line((50, 50), (5, 1, 1, 3), (7, 33, 1)),
        // Stride beyond the kernel: some inputs are never read.
        line((64, 13), (2, 5, 1, 0), (40, 10, 1)),
        line((61, 16), (4, 6, 4, 9), (33, 100, 1)),
        // Kernel longer than the input, and a window wholly in the padding.
        line((5, 9), (11, 1, 1, 7), (20, 50, 1)),
        line((4, 16), (3, 1, 2, 8), (32, 20, 1)),
        // Several row blocks.
        line((700, 690), (11, 1, 1, 0), (300, 16, 1)),
        line((40, 40), (3, 1, 1, 1), (64, 96, 2)),
        line((40, 40), (3, 1, 2, 1), (32, 6, 2)),
        ConvGeometry {
            input: [1, 28, 28],
            output: [1, 14, 14],
            kernel: [1, 3, 3],
            stride: [1, 2, 2],
            dilation: [1, 1, 1],
            pad: [0, 1, 0],
            in_channels: 16,
            out_channels: 32,
            groups: 1,
        },
    ];
    cases.iter().for_each(check);
}

/// A lane of `g` through its convolution.
fn forward(
    g: &ConvGeometry,
    x: &[f32],
    way: (Isa, Products, TileUnit),
    scratch: &mut Scratch<f32>,
) -> Vec<f32> {
    let (w, b) = (noise::<f32>(g.weights_len(), 2), noise::<f32>(g.out_channels, 3));
    let conv = PackedConv::with_variant(g.clone(), &w, &b, way.0, variant(way.1, way.2));
    assert!(conv.is_reduced());
    let mut y = vec![f32::NAN; g.output_len()];
    conv.forward(x, Epilogue::Store { out: &mut y }, scratch);
    y
}

#[test]
fn interior_rows_do_not_depend_on_the_length() {
    for (kernel, dilation, ins, outs) in [(3, 1, 64, 64), (3, 16, 64, 50), (11, 1, 50, 40)] {
        let width = (kernel - 1) * dilation + 1;
        let [short, long] =
            [120, 333].map(|len| line((len, len + 1 - width), (kernel, 1, dilation, 0), (ins, outs, 1)));
        let x = noise::<f32>(long.input_len(), 1);
        for way in ways() {
            let from_short = forward(&short, &x[..short.input_len()], way, &mut Scratch::default());
            let from_long = forward(&long, &x, way, &mut Scratch::default());
            assert_eq!(from_short, from_long[..from_short.len()], "{way:?} kernel {kernel}");
        }
    }
}

#[test]
fn padding_equals_zeros_that_are_written_out() {
    for (kernel, dilation, pad) in [(5, 1, 4), (3, 20, 20), (4, 60, 100)] {
        let padded = line((60, 60), (kernel, 1, dilation, pad), (70, 40, 1));
        let after = ((kernel - 1) * dilation).saturating_sub(pad);
        let written = line((60 + pad + after, 60), (kernel, 1, dilation, 0), (70, 40, 1));
        let x = noise::<f32>(padded.input_len(), 1);
        let mut wide = vec![0.0; written.input_len()];
        wide[pad * 70..][..x.len()].copy_from_slice(&x);
        for way in ways() {
            let [a, b] =
                [(&padded, &x), (&written, &wide)].map(|(g, x)| forward(g, x, way, &mut Scratch::default()));
            assert_eq!(a, b, "{way:?}");
        }
    }
}

#[test]
fn narrowed_maps_compute_what_is_left_of_them() {
    for (kernel, stride, dilation, pad, ins, outs) in
        [(3, 1, 16, 16, 64, 50), (11, 1, 1, 5, 50, 40), (4, 3, 1, 2, 40, 33)]
    {
        let output = (90 + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1;
        let g = line((90, output), (kernel, stride, dilation, pad), (ins, outs, 1));
        let (x, m) = (noise::<f32>(g.input_len(), 1), noise::<f32>(g.output_len(), 2));
        let w = noise::<f32>(g.weights_len(), 3);
        let (some, inputs) = (output / 3..output - 4, 10..70);
        let live = some.start * outs..some.end * outs;
        let mut cut = vec![0.0; m.len()];
        cut[live.clone()].copy_from_slice(&m[live.clone()]);
        for (isa, products, unit) in ways() {
            let how = variant(products, unit);
            let mut conv = PackedConv::with_variant(g.clone(), &w, &[], isa, how);
            let mut adjoint = PackedConvAdjoint::with_variant(g.clone(), &w, &[], isa, how);
            let run = |conv: &PackedConv<f32>| {
                let mut y = vec![7.0; g.output_len()];
                conv.forward(&x, Epilogue::Store { out: &mut y }, &mut Scratch::default());
                y
            };
            let back = |adjoint: &PackedConvAdjoint<f32>, m: &[f32]| {
                let mut mx = vec![7.0; g.input_len()];
                adjoint.apply(m, Epilogue::Store { out: &mut mx }, &mut Scratch::default());
                mx
            };
            let (all, all_back) = (run(&conv), back(&adjoint, &cut));
            assert!(conv.narrow(some.clone()) && adjoint.narrow(some.clone(), inputs.clone()));
            let (part, part_back) = (run(&conv), back(&adjoint, &m));
            let kept = |full: &[f32], range: std::ops::Range<usize>| -> Vec<f32> {
                (0..full.len()).map(|i| if range.contains(&i) { full[i] } else { 7.0 }).collect()
            };
            assert_eq!(part, kept(&all, live.clone()), "{isa} {products:?}");
            assert_eq!(
                part_back,
                kept(&all_back, inputs.start * ins..inputs.end * ins),
                "{isa} {products:?}"
            );
        }
    }
}

#[test]
fn what_a_scratch_held_changes_nothing() {
    let cases = [
        line((90, 90), (3, 1, 30, 30), (64, 64, 1)),
        line((40, 40), (9, 1, 1, 4), (30, 40, 1)),
        line((20, 20), (7, 1, 1, 6), (5, 70, 1)),
    ];
    for way in ways() {
        let mut scratch = Scratch::default();
        for g in &cases {
            let x = noise::<f32>(g.input_len(), 1);
            forward(g, &vec![f32::NAN; x.len()], way, &mut scratch);
            let fresh = forward(g, &x, way, &mut Scratch::default());
            assert_eq!(forward(g, &x, way, &mut scratch), fresh, "{way:?} {g:?}");
        }
    }
}

#[test]
fn epilogues_see_finished_sums() {
    let g = line((41, 41), (3, 1, 1, 1), (70, 70, 1));
    let (x, w, b) = (noise(g.input_len(), 1), noise(g.weights_len(), 2), noise(70, 3));
    let (before, ratio) = (noise::<f32>(g.output_len(), 4), noise::<f32>(g.output_len(), 5));
    for way in ways() {
        let acc = forward(&g, &x, way, &mut Scratch::default());
        let conv = PackedConv::with_variant(g.clone(), &w, &b, way.0, variant(way.1, way.2));
        let mut scratch = Scratch::default();
        let (mut out, mut pre) = (before.clone(), vec![0.0; before.len()]);
        conv.forward(&x, Epilogue::Relu { out: &mut out, pre: Some(&mut pre), base: None }, &mut scratch);
        let relu: Vec<f32> = acc.iter().map(|a| a.max(0.0)).collect();
        assert_eq!((&out, &pre), (&relu, &acc), "{way:?}");
        out.copy_from_slice(&before);
        let epilogue = Epilogue::AddThenScale { out: &mut out, ratio: &ratio, scaled: &mut pre };
        conv.forward(&x, epilogue, &mut scratch);
        let sum: Vec<f32> = (0..acc.len()).map(|i| before[i] + acc[i]).collect();
        let scaled: Vec<f32> = (0..acc.len()).map(|i| sum[i] * ratio[i]).collect();
        assert_eq!((&out, &pre), (&sum, &scaled), "{way:?}");
    }
}

#[test]
fn layers_that_would_mostly_multiply_zeros_stay_in_floats() {
    let reduced = |g: &ConvGeometry, products| {
        let way = Variant::Reduced(Reduced::new(products, TileUnit::Plain));
        let (w, isa) = (noise::<f32>(g.weights_len(), 1), Isa::Scalar);
        let forward = PackedConv::with_variant(g.clone(), &w, &[], isa, way).is_reduced();
        (forward, PackedConvAdjoint::with_variant(g.clone(), &w, &[], isa, way).is_reduced())
    };
    let first = line((114, 114), (21, 1, 1, 10), (4, 64, 1));
    assert_eq!(reduced(&first, Products::Six), (true, false));
    // The adjoint has another way in floats, which is not asked for.
    let small = ConvGeometry {
        input: [1, 13, 13],
        output: [1, 5, 5],
        kernel: [1, 5, 5],
        stride: [1, 2, 2],
        dilation: [1, 1, 1],
        pad: [0, 0, 0],
        in_channels: 32,
        out_channels: 64,
        groups: 1,
    };
    assert_eq!(reduced(&small, Products::One), (true, true));
    let one = line((64, 64), (1, 1, 1, 0), (1, 1, 1));
    let depthwise = line((64, 64), (3, 1, 1, 1), (64, 64, 64));
    for g in [one, depthwise] {
        assert_eq!(reduced(&g, Products::One), (false, false), "{g:?}");
    }
}

#[test]
fn dense_layers_agree_with_the_oracle_whatever_the_number_of_rows() {
    for (rows, k, n) in [(1, 1, 1), (5, 40, 33), (20, 513, 65), (40, 1100, 16), (33, 600, 50)] {
        let (x, m) = (noise::<f32>(rows * k, 1), noise::<f32>(rows * n, 2));
        let (w, b) = (noise::<f32>(k * n, 3), noise::<f32>(n, 4));
        let flipped: Vec<f64> = (0..n * k).map(|i| f64::from(w[(i % k) * n + i / k])).collect();
        let (wx, wm, ww, wb) = (wide(&x), wide(&m), wide(&w), wide(&b));
        let sized = |rows, k, n, x: &[f64], w: &[f64], b: &[f64]| {
            let size = oracle::dense(rows, k, n, &magnitudes(x), &magnitudes(w), &magnitudes(b));
            (oracle::dense(rows, k, n, x, w, b), size)
        };
        let (y, mx) = (sized(rows, k, n, &wx, &ww, &wb), sized(rows, n, k, &wm, &flipped, &[]));
        for (isa, products, unit) in ways() {
            let what = format!("{isa} {products:?} {unit:?} {rows} x {k} x {n}");
            let run = |packed: &PackedDense<f32>, rows: usize, x: &[f32]| {
                let mut y = vec![f32::NAN; rows * packed.outputs()];
                packed.forward(rows, x, Epilogue::Store { out: &mut y }, &mut Scratch::default());
                y
            };
            let layer = PackedDense::new(k, n, &w, &b, isa).reduced(Reduced::new(products, unit).always());
            let layer = layer.expect("products of bf16 pay on this unit");
            let all = run(&layer, rows, &x);
            assert_within(&all, (&y.0, &y.1), products, k, &what);
            for some in 1..rows {
                assert_eq!(run(&layer, some, &x[..some * k]), all[..some * n], "{what}: {some} rows");
                let last = run(&layer, some, &x[(rows - some) * k..]);
                assert_eq!(last, all[(rows - some) * n..], "{what}: last {some} rows");
            }
            let (mut back, mut scratch) = (vec![f32::NAN; rows * k], Scratch::default());
            layer.adjoint(rows, &m, &mut back, false, &mut scratch);
            assert_within(&back, (&mx.0, &mx.1), products, n, &format!("adjoint {what}"));
        }
    }
}
