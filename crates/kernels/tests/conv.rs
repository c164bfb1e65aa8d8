//! Convolutions by direct sums against the oracle, their adjoint, and their reproducibility; what all variants share.

mod common;

use common::{assert_close, inner, noise, wide};
use deeplift_kernels::{oracle, ConvGeometry, Epilogue, PackedConv, PackedConvAdjoint, Scratch, Variant};
use deeplift_simd::{Isa, Real};
use proptest::prelude::*;

fn forward<T: Real>(g: &ConvGeometry, x: &[T], w: &[T], b: &[T], isa: Isa) -> Vec<T> {
    let mut y = vec![T::from_f64(f64::NAN); g.output_len()];
    let epilogue = Epilogue::Store { out: &mut y };
    PackedConv::with_variant(g.clone(), w, b, isa, Variant::Direct).forward(
        x,
        epilogue,
        &mut Scratch::default(),
    );
    y
}

fn adjoint<T: Real>(g: &ConvGeometry, my: &[T], w: &[T], isa: Isa) -> Vec<T> {
    let mut mx = vec![T::from_f64(f64::NAN); g.input_len()];
    let epilogue = Epilogue::Store { out: &mut mx };
    PackedConvAdjoint::with_variant(g.clone(), w, &[], isa, Variant::Direct).apply(
        my,
        epilogue,
        &mut Scratch::default(),
    );
    mx
}

fn transposed<T: Real>(g: &ConvGeometry, x: &[T], w: &[T], b: &[T], isa: Isa) -> Vec<T> {
    let mut y = vec![T::from_f64(f64::NAN); g.input_len()];
    let epilogue = Epilogue::Store { out: &mut y };
    PackedConvAdjoint::with_variant(g.clone(), w, b, isa, Variant::Direct).apply(
        x,
        epilogue,
        &mut Scratch::default(),
    );
    y
}

/// Forward and adjoint of random data against the oracle, the adjoint with a bias, and `<A x, m> = <x, A' m>`, on every instruction set.
fn check<T: Real>(g: &ConvGeometry) {
    let (x, m) = (noise::<T>(g.input_len(), 1), noise::<T>(g.output_len(), 2));
    let (w, b) = (noise::<T>(g.weights_len(), 3), noise::<T>(g.out_channels, 4));
    let (wx, wm, ww) = (wide(&x), wide(&m), wide(&w));
    let (y, mx) = (oracle::conv(g, &wx, &ww, &wide(&b)), oracle::conv_adjoint(g, &wm, &ww));
    let back = noise::<T>(g.in_channels, 5);
    let shifted: Vec<f64> =
        mx.iter().enumerate().map(|(i, m)| m + back[i % g.in_channels].to_f64()).collect();
    let taps: usize = g.kernel.iter().product();
    let (ins, outs) = (g.in_channels / g.groups * taps, g.out_channels / g.groups * taps);
    for isa in Isa::available() {
        assert_close(&forward(g, &x, &w, &b, isa), &y, ins, &format!("{isa} forward {g:?}"));
        assert_close(&adjoint(g, &m, &w, isa), &mx, outs, &format!("{isa} adjoint {g:?}"));
        assert_close(&transposed(g, &m, &w, &back, isa), &shifted, outs, &format!("{isa} transposed {g:?}"));
        let linear = wide(&forward(g, &x, &w, &[], isa));
        let (left, right) = (inner(&linear, &wm), inner(&wx, &wide(&adjoint(g, &m, &w, isa))));
        let size = inner(&linear, &linear).sqrt() * inner(&wm, &wm).sqrt();
        let bound = 1e-12 * (T::EPSILON / T::from_f64(f64::EPSILON)).to_f64() * size.max(1.0);
        assert!((left - right).abs() <= bound, "{isa} {g:?}: <Ax, m> = {left}, <x, A'm> = {right}");
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

/// The first layer of a model of digits.
fn image() -> ConvGeometry {
    ConvGeometry {
        input: [1, 28, 28],
        output: [1, 13, 13],
        kernel: [1, 4, 4],
        stride: [1, 2, 2],
        dilation: [1, 1, 1],
        pad: [0, 0, 0],
        in_channels: 1,
        out_channels: 32,
        groups: 1,
    }
}

fn geometry() -> impl Strategy<Value = ConvGeometry> {
    let axis = || (1usize..9, 1usize..9, 1usize..5, 1usize..5, 1usize..4, 0usize..5);
    let last = (1usize..70, 1usize..70, 1usize..9, 1usize..5, 1usize..6, 0usize..12);
    let channels = prop_oneof![
        Just((1, 1, 1)),
        Just((5, 5, 5)),
        Just((70, 70, 70)),
        Just((6, 9, 3)),
        Just((4, 8, 4)),
        (1usize..9, prop_oneof![Just(1usize), Just(3), Just(17), Just(50), Just(64)])
            .prop_map(|(i, o)| (i, o, 1)),
    ];
    (axis(), axis(), last, channels, 0usize..4).prop_map(
        |(a, b, c, (in_channels, out_channels, groups), rank)| {
            let flat = (1, 1, 1, 1, 1, 0);
            // Rank 0 puts the long axis first, so that trailing axes of one are met too.
            let axes = match rank {
                0 => [flat, c, flat],
                1 => [flat, flat, c],
                2 => [flat, a, c],
                _ => [a, b, (c.0.min(12), c.1.min(12), c.2, c.3, c.4, c.5)],
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
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_geometries_agree_with_the_oracle(g in geometry()) {
        check::<f32>(&g);
        check::<f64>(&g);
    }
}

#[test]
fn named_geometries_agree_with_the_oracle() {
    let cases = [
        // The first layer of a DNA model, and its adjoint with four columns.
        line((114, 114), (21, 1, 1, 10), (4, 64, 1)),
        // A profile head: one output channel, long kernel.
        line((150, 76), (75, 1, 1, 0), (64, 1, 1)),
        line((150, 76), (75, 1, 1, 0), (24, 2, 1)),
        // The adjoint of a first layer over images: few channels, in phases, at borders with and without padding.
        image(),
        ConvGeometry {
            input: [1, 9, 11],
            output: [1, 9, 11],
            kernel: [1, 3, 3],
            stride: [1, 1, 1],
            dilation: [1, 2, 1],
            pad: [0, 2, 1],
            in_channels: 3,
            out_channels: 48,
            groups: 1,
        },
        // Dilated, padding wider than the row tile.
        line((100, 100), (3, 1, 32, 32), (64, 64, 1)),
        line((40, 40), (3, 1, 64, 64), (8, 8, 1)),
        // Asymmetric padding: 3 before, 1 after.
        line((50, 50), (5, 1, 1, 3), (7, 33, 1)),
        // Stride beyond the kernel: some inputs are never read.
        line((64, 13), (2, 5, 1, 0), (6, 10, 1)),
        line((64, 16), (4, 4, 1, 0), (300, 3, 1)),
        line((61, 16), (4, 6, 4, 9), (3, 300, 1)),
        // Kernel longer than the input.
        line((5, 9), (11, 1, 1, 7), (20, 50, 1)),
        // Sums of several blocks.
        line((30, 20), (11, 1, 1, 0), (300, 200, 1)),
        line((30, 30), (3, 1, 2, 2), (520, 40, 1)),
        // Groups and depthwise.
        line((40, 40), (3, 1, 1, 1), (64, 96, 2)),
        line((40, 20), (5, 2, 1, 2), (130, 130, 130)),
        line((40, 18), (5, 2, 2, 2), (6, 12, 6)),
        // Windows that lie wholly in the padding, before and after.
        line((4, 16), (3, 1, 2, 8), (20, 20, 20)),
        line((4, 16), (3, 1, 2, 8), (20, 20, 1)),
        // Images.
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
        ConvGeometry {
            input: [4, 5, 6],
            output: [4, 5, 6],
            kernel: [1, 1, 1],
            stride: [1, 1, 1],
            dilation: [1, 1, 1],
            pad: [0, 0, 0],
            in_channels: 40,
            out_channels: 20,
            groups: 1,
        },
        // A one-dimensional network exported as images of width 1.
        ConvGeometry {
            input: [1, 90, 1],
            output: [1, 86, 1],
            kernel: [1, 5, 1],
            stride: [1, 1, 1],
            dilation: [1, 1, 1],
            pad: [0, 0, 0],
            in_channels: 12,
            out_channels: 18,
            groups: 1,
        },
    ];
    for g in &cases {
        check::<f32>(g);
        check::<f64>(g);
    }
}

#[test]
fn adjoints_over_images_multiply_with_all_taps_at_once() {
    let small = ConvGeometry {
        input: [1, 13, 13],
        output: [1, 5, 5],
        kernel: [1, 5, 5],
        in_channels: 32,
        out_channels: 64,
        ..image()
    };
    // Large enough for what lies in the padding not to matter.
    let large = ConvGeometry {
        input: [1, 28, 28],
        output: [1, 28, 28],
        kernel: [1, 3, 3],
        stride: [1, 1, 1],
        pad: [0, 1, 1],
        ..small.clone()
    };
    for isa in Isa::available() {
        let kernel = |g: &ConvGeometry| {
            let weights = noise::<f32>(g.weights_len(), 1);
            PackedConvAdjoint::with_variant(g.clone(), &weights, &[], isa, Variant::Direct).work().kernel
        };
        for g in [image(), small.clone()] {
            assert!(kernel(&g).ends_with("added"), "{isa}: {} for {g:?}", kernel(&g));
            check::<f32>(&g);
            check::<f64>(&g);
        }
        assert!(!kernel(&large).ends_with("added"), "{isa}: {}", kernel(&large));
    }
}

#[test]
fn interior_rows_do_not_depend_on_the_length() {
    for (kernel, dilation, ins, outs) in [(3, 1, 64, 64), (3, 16, 64, 50), (11, 1, 100, 40), (5, 1, 9, 2)] {
        let width = (kernel - 1) * dilation + 1;
        let [short, long] =
            [120, 333].map(|len| line((len, len + 1 - width), (kernel, 1, dilation, 0), (ins, outs, 1)));
        let x = noise::<f32>(long.input_len(), 1);
        let (w, b) = (noise::<f32>(short.weights_len(), 2), noise::<f32>(outs, 3));
        for isa in Isa::available() {
            let from_short = forward(&short, &x[..short.input_len()], &w, &b, isa);
            let from_long = forward(&long, &x, &w, &b, isa);
            assert_eq!(from_short, from_long[..from_short.len()], "{isa} kernel {kernel}");
        }
    }
}

#[test]
fn padding_equals_zeros_that_are_written_out() {
    for (kernel, dilation, pad) in [(5, 1, 4), (3, 20, 20), (4, 3, 9)] {
        let padded = line((60, 60), (kernel, 1, dilation, pad), (70, 40, 1));
        let zeros = (kernel - 1) * dilation - pad;
        let written = line((60 + pad + zeros, 60), (kernel, 1, dilation, 0), (70, 40, 1));
        let (x, w) = (noise::<f32>(padded.input_len(), 1), noise::<f32>(padded.weights_len(), 2));
        let mut wide = vec![0.0; written.input_len()];
        wide[pad * 70..][..x.len()].copy_from_slice(&x);
        for isa in Isa::available() {
            assert_eq!(forward(&padded, &x, &w, &[], isa), forward(&written, &wide, &w, &[], isa), "{isa}");
        }
    }
}

#[test]
fn a_used_scratch_changes_nothing() {
    for isa in Isa::available() {
        let mut scratch = Scratch::default();
        for g in [
            line((40, 40), (9, 1, 1, 4), (30, 40, 1)),
            line((90, 90), (3, 1, 30, 30), (64, 64, 1)),
            line((20, 20), (7, 1, 1, 6), (5, 70, 1)),
        ] {
            let (x, w) = (noise::<f32>(g.input_len(), 1), noise::<f32>(g.weights_len(), 2));
            let mut y = vec![0.0; g.output_len()];
            PackedConv::with_variant(g.clone(), &w, &[], isa, Variant::Direct).forward(
                &x,
                Epilogue::Store { out: &mut y },
                &mut scratch,
            );
            assert_eq!(y, forward(&g, &x, &w, &[], isa), "{isa} {g:?}");
        }
    }
}

#[test]
fn every_epilogue_does_what_it_says() {
    // 70 channels: two full panels and a remainder.
    for (groups, variant) in [(1, Variant::Direct), (1, Variant::Winograd), (70, Variant::Fastest)] {
        let g = line((31, 31), (3, 1, 1, 1), (70, 70, groups));
        let (x, w, b) = (noise(g.input_len(), 1), noise(g.weights_len(), 2), noise(70, 3));
        let (before, ratio) = (noise::<f32>(g.output_len(), 4), noise::<f32>(g.output_len(), 5));
        for isa in Isa::available() {
            let conv = PackedConv::with_variant(g.clone(), &w, &b, isa, variant);
            let mut scratch = Scratch::default();
            let mut acc = vec![0.0; before.len()];
            conv.forward(&x, Epilogue::Store { out: &mut acc }, &mut scratch);
            let each = |f: &dyn Fn(usize) -> f32| (0..acc.len()).map(f).collect::<Vec<f32>>();

            let mut out = before.clone();
            conv.forward(&x, Epilogue::Add { out: &mut out }, &mut scratch);
            assert_eq!(out, each(&|i| before[i] + acc[i]));

            let mut pre = vec![0.0; out.len()];
            conv.forward(&x, Epilogue::Relu { out: &mut out, pre: Some(&mut pre), base: None }, &mut scratch);
            assert_eq!((&out, &pre), (&each(&|i| acc[i].max(0.0)), &acc));
            out.fill(7.0);
            conv.forward(&x, Epilogue::Relu { out: &mut out, pre: None, base: None }, &mut scratch);
            assert_eq!(out, each(&|i| acc[i].max(0.0)));
            conv.forward(&x, Epilogue::Relu { out: &mut out, pre: None, base: Some(&before) }, &mut scratch);
            assert_eq!(out, each(&|i| before[i] + acc[i].max(0.0)));

            // Every third pre-activation equals that of the reference.
            let actual = each(&|i| if i % 3 == 0 { acc[i] } else { before[i] });
            let mut slopes = vec![0.0; out.len()];
            for base in [None, Some(&before[..])] {
                let epilogue =
                    Epilogue::ReluRatio { out: &mut out, base, ratio: &mut slopes, actual: &actual };
                conv.forward(&x, epilogue, &mut scratch);
                assert_eq!(out, each(&|i| base.map_or(0.0, |b| b[i]) + acc[i].max(0.0)));
            }
            let slope = |i: usize| oracle::relu_ratio(f64::from(actual[i]), f64::from(acc[i]));
            let close = |i: usize| (f64::from(slopes[i]) - slope(i)).abs() < 1e-6;
            assert!((0..acc.len()).all(close));

            conv.forward(&x, Epilogue::Scale { out: &mut out, ratio: &ratio }, &mut scratch);
            assert_eq!(out, each(&|i| acc[i] * ratio[i]));

            out.copy_from_slice(&before);
            let epilogue = Epilogue::AddThenScale { out: &mut out, ratio: &ratio, scaled: &mut slopes };
            conv.forward(&x, epilogue, &mut scratch);
            assert_eq!(out, each(&|i| before[i] + acc[i]));
            assert_eq!(slopes, each(&|i| (before[i] + acc[i]) * ratio[i]));
        }
    }
}

#[test]
fn a_narrowed_convolution_computes_the_same_outputs_and_touches_no_others() {
    let geometries = [
        line((50, 50), (3, 1, 4, 4), (64, 48, 1)),
        line((50, 25), (5, 2, 1, 2), (6, 3, 1)),
        line((50, 50), (1, 1, 1, 0), (20, 16, 1)),
        line((50, 50), (3, 1, 1, 1), (16, 16, 16)),
        ConvGeometry {
            input: [1, 50, 1],
            output: [1, 44, 1],
            kernel: [1, 7, 1],
            ..line((1, 1), (1, 1, 1, 0), (4, 33, 1))
        },
    ];
    for (g, isa) in geometries.iter().flat_map(|g| Isa::available().into_iter().map(move |isa| (g, isa))) {
        let (x, w) = (noise::<f32>(g.input_len(), 1), noise::<f32>(g.weights_len(), 2));
        let my = noise::<f32>(g.output_len(), 3);
        let (ins, outs) = (g.in_channels, g.out_channels);
        let mut scratch = Scratch::default();
        let (outputs, inputs) = (7..19, 3..41);
        let (first, end) = (outputs.start * outs, outputs.end * outs);

        let mut conv = PackedConv::new(g.clone(), &w, &[], isa);
        let mut whole = vec![0.0; g.output_len()];
        conv.forward(&x, Epilogue::Store { out: &mut whole }, &mut scratch);
        assert!(conv.narrow(outputs.clone()));
        let mut y = vec![f32::NAN; g.output_len()];
        // Inputs behind those that the outputs read, of which whatever axis has them.
        let axis = if g.output[2] > 1 { 2 } else { 1 };
        let last = (outputs.end - 1) * g.stride[axis] + (g.kernel[axis] - 1) * g.dilation[axis] - g.pad[axis];
        let mut live = x.clone();
        live[((last + 1) * ins).min(x.len())..].fill(f32::NAN);
        conv.forward(&live, Epilogue::Store { out: &mut y }, &mut scratch);
        close(&y[first..end], &whole[first..end]);
        assert!(y[..first].iter().chain(&y[end..]).all(|y| y.is_nan()), "{isa} {g:?}");

        // Multipliers of dead outputs are never read.
        let mut only = vec![0.0; my.len()];
        only[first..end].copy_from_slice(&my[first..end]);
        let mut dead = vec![f32::NAN; my.len()];
        dead[first..end].copy_from_slice(&my[first..end]);
        let mut adjoint = PackedConvAdjoint::new(g.clone(), &w, isa);
        let mut whole = vec![0.0; g.input_len()];
        adjoint.apply(&only, Epilogue::Store { out: &mut whole }, &mut scratch);
        assert!(adjoint.narrow(outputs, inputs.clone()));
        let mut mx = vec![f32::NAN; g.input_len()];
        adjoint.apply(&dead, Epilogue::Store { out: &mut mx }, &mut scratch);
        let (first, end) = (inputs.start * ins, inputs.end * ins);
        close(&mx[first..end], &whole[first..end]);
        assert!(mx[..first].iter().chain(&mx[end..]).all(|m| m.is_nan()), "{isa} {g:?}");
    }
}

/// Equal but for the order of summation.
fn close(a: &[f32], b: &[f32]) {
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4), "{a:?} {b:?}");
}

#[test]
#[should_panic(expected = "groups must divide")]
fn groups_that_do_not_divide_the_channels_are_refused() {
    PackedConv::<f32>::new(line((8, 8), (1, 1, 1, 0), (4, 6, 3)), &[0.0; 24], &[], Isa::Scalar);
}

#[test]
fn one_channel_is_summed_along_the_terms() {
    // A profile head.
    let g = line((150, 76), (75, 1, 1, 0), (64, 1, 1));
    for isa in Isa::available() {
        let work = PackedConv::new(g.clone(), &vec![1f32; g.weights_len()], &[], isa).work();
        assert!(work.kernel.starts_with("dots"), "{isa}: {}", work.kernel);
        assert_eq!(work.flops, 2.0 * (76 * 75 * 64) as f64, "{isa}");
    }
}
