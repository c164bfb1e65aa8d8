//! Convolutions in fewer products against the oracle.

mod common;

use common::{assert_close, noise, wide};
use deeplift_kernels::{oracle, ConvGeometry, Epilogue, PackedConv, PackedConvAdjoint, Scratch, Variant};
use deeplift_simd::Isa;
use proptest::prelude::*;
use std::ops::Range;

fn line(
    (input, output): (usize, usize),
    (kernel, dilation, pad): (usize, usize, usize),
    (in_channels, out_channels): (usize, usize),
) -> ConvGeometry {
    ConvGeometry {
        input: [1, 1, input],
        output: [1, 1, output],
        kernel: [1, 1, kernel],
        stride: [1; 3],
        dilation: [1, 1, dilation],
        pad: [0, 0, pad],
        in_channels,
        out_channels,
        groups: 1,
    }
}

/// Part of the output, and of the input, of which nothing else is needed.
type Parts = (Range<usize>, Range<usize>);

/// Forward, and the adjoint with a bias, on every instruction set.
///
/// The bound is that of the direct sum times the amplification, which is derived from the transforms.
fn check(g: &ConvGeometry, parts: Option<&Parts>) {
    let (x, mut m) = (noise::<f32>(g.input_len(), 1), noise::<f32>(g.output_len(), 2));
    let (ins, outs) = (g.in_channels, g.out_channels);
    let all = (0..g.output[2], 0..g.input[2]);
    let (outputs, inputs) = parts.unwrap_or(&all);
    m[..outputs.start * outs].fill(0.0);
    m[outputs.end * outs..].fill(0.0);
    let (w, b, back) = (noise::<f32>(g.weights_len(), 3), noise::<f32>(outs, 4), noise::<f32>(ins, 5));
    let y = oracle::conv(g, &wide(&x), &wide(&w), &wide(&b));
    let mut mx = oracle::conv_adjoint(g, &wide(&m), &wide(&w));
    mx.iter_mut().enumerate().for_each(|(i, m)| *m += f64::from(back[i % ins]));
    for isa in Isa::available() {
        let mut scratch = Scratch::default();
        let mut forward = PackedConv::with_variant(g.clone(), &w, &b, isa, Variant::Winograd);
        let mut adjoint = PackedConvAdjoint::with_variant(g.clone(), &w, &back, isa, Variant::Winograd);
        if parts.is_some() {
            assert!(forward.narrow(outputs.clone()) && adjoint.narrow(outputs.clone(), inputs.clone()));
        }
        let terms = |channels: usize, amplification: f64| (channels * g.kernel[2]) as f64 * amplification;
        let mut found = vec![f32::NAN; y.len()];
        let x = alone(g, &x, outputs);
        forward.forward(&x, Epilogue::Store { out: &mut found }, &mut scratch);
        let range = outputs.start * outs..outputs.end * outs;
        let bound = terms(ins, forward.amplification()) as usize;
        assert_close(
            &found[range.clone()],
            &y[range.clone()],
            bound,
            &format!("{isa} forward {g:?} {parts:?}"),
        );
        found.drain(range);
        assert!(found.iter().all(|y| y.is_nan()), "{isa} forward {g:?} {parts:?}");

        let mut found = vec![f32::NAN; mx.len()];
        adjoint.apply(&m, Epilogue::Store { out: &mut found }, &mut scratch);
        let range = inputs.start * ins..inputs.end * ins;
        let bound = terms(outs, adjoint.amplification()) as usize;
        assert_close(
            &found[range.clone()],
            &mx[range.clone()],
            bound,
            &format!("{isa} adjoint {g:?} {parts:?}"),
        );
        found.drain(range);
        assert!(found.iter().all(|m| m.is_nan()), "{isa} adjoint {g:?} {parts:?}");
    }
}

/// The inputs between the first and the last that `outputs` read, among values that nobody must look at.
fn alone(g: &ConvGeometry, x: &[f32], outputs: &Range<usize>) -> Vec<f32> {
    let last = (outputs.end + (g.kernel[2] - 1) * g.dilation[2]).saturating_sub(g.pad[2]);
    let read = outputs.start.saturating_sub(g.pad[2])..last.min(g.input[2]);
    let inside = |i: usize| !outputs.is_empty() && read.contains(&(i / g.in_channels));
    x.iter().enumerate().map(|(i, &x)| if inside(i) { x } else { f32::NAN }).collect()
}

fn geometry() -> impl Strategy<Value = ConvGeometry> {
    let channels = || prop_oneof![Just(16usize), Just(64), Just(50), Just(33), 16usize..50];
    let dilation = prop_oneof![Just(1usize), 2usize..40];
    (1usize..150, 0usize..60, 3usize..13, dilation, 0usize..40, channels(), channels()).prop_map(
        |(input, lost, kernel, dilation, pad, ins, outs)| {
            let output = (input + 2 * pad).saturating_sub(lost).max(1);
            line((input, output), (kernel, dilation, pad), (ins, outs))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_lines_agree_with_the_oracle(g in geometry(), narrow: bool, cuts in prop::array::uniform4(0.0f64..1.0)) {
        let cut = |len: usize, a: f64, b: f64| {
            let at = |f: f64| (f * len as f64) as usize;
            at(a).min(at(b))..at(a).max(at(b))
        };
        let parts = (cut(g.output[2], cuts[0], cuts[1]), cut(g.input[2], cuts[2], cuts[3]));
        check(&g, narrow.then_some(&parts));
    }
}

#[test]
fn named_lines_agree_with_the_oracle() {
    let cases = [
        // Phases of 8 and 9 positions: the ninth is left to the direct sum.
        line((530, 530), (3, 64, 64), (16, 16)),
        // Phases of two and three positions.
        line((150, 150), (3, 60, 60), (17, 40)),
        // Phases of one position: no tile at all.
        line((40, 40), (3, 64, 64), (16, 16)),
        // Sums of several blocks; segments of four taps, and of three.
        line((60, 50), (11, 1, 0), (300, 33)),
        line((60, 60), (9, 1, 4), (64, 64)),
        line((60, 60), (6, 3, 7), (64, 64)),
        line((200, 200), (3, 4, 4), (512, 32)),
    ];
    for g in &cases {
        check(g, None);
    }
}

#[test]
fn only_lines_of_stride_one_are_tiled() {
    let tiled = |g: &ConvGeometry| {
        let w = vec![0.5f32; g.weights_len()];
        PackedConv::with_variant(g.clone(), &w, &[], Isa::Scalar, Variant::Winograd).amplification() > 1.0
    };
    let whole = line((40, 40), (3, 1, 1), (32, 32));
    assert!(tiled(&whole));
    assert!(!tiled(&ConvGeometry { stride: [1, 1, 2], output: [1, 1, 20], ..whole.clone() }));
    assert!(!tiled(&ConvGeometry { groups: 2, ..whole.clone() }));
    assert!(!tiled(&ConvGeometry { kernel: [1, 1, 2], ..whole.clone() }));
    assert!(!tiled(&ConvGeometry { in_channels: 15, ..whole.clone() }));
    assert!(!tiled(&ConvGeometry { input: [1, 40, 40], output: [1, 40, 40], ..whole.clone() }));
    let w = vec![0.5f64; whole.weights_len()];
    let wide = PackedConv::with_variant(whole, &w, &[], Isa::Scalar, Variant::Winograd);
    assert_eq!(wide.amplification(), 1.0);
}

#[test]
fn a_used_scratch_changes_nothing() {
    for isa in Isa::available() {
        let mut scratch = Scratch::default();
        for g in [
            line((90, 90), (9, 1, 4), (30, 40)),
            line((90, 90), (3, 30, 30), (64, 64)),
            line((20, 20), (7, 1, 6), (16, 70)),
        ] {
            let (x, w) = (noise::<f32>(g.input_len(), 1), noise::<f32>(g.weights_len(), 2));
            let conv = PackedConv::with_variant(g.clone(), &w, &[], isa, Variant::Winograd);
            let [mut used, mut fresh] = [vec![0.0; g.output_len()], vec![0.0; g.output_len()]];
            conv.forward(&x, Epilogue::Store { out: &mut used }, &mut scratch);
            conv.forward(&x, Epilogue::Store { out: &mut fresh }, &mut Scratch::default());
            assert_eq!(used, fresh, "{isa} {g:?}");
        }
    }
}

#[test]
fn work_counts_the_products_of_tiles_and_of_the_rest() {
    let work = |g: ConvGeometry| {
        let w = vec![0.5f32; g.weights_len()];
        PackedConv::with_variant(g, &w, &[], Isa::Scalar, Variant::Winograd).work()
    };
    let tiles = work(line((40, 40), (3, 1, 1), (32, 32)));
    assert_eq!(tiles.kernel, "winograd F(4, 3)");
    assert_eq!(tiles.flops, (2 * 10 * 6 * 32 * 32) as f64);
    assert_eq!(tiles.weight_bytes, 6 * 32 * 32 * 4);
    // 64 phases of eight positions in tiles, and 18 positions that lie behind all of them: their last tap is padding.
    let mixed = work(line((530, 530), (3, 64, 64), (32, 32)));
    assert_eq!(mixed.kernel, "winograd F(4, 3) + direct 6x2");
    assert_eq!(mixed.flops, (2 * (2 * 64 * 6 + 18 * 2) * 32 * 32) as f64);
    assert_eq!(mixed.weight_bytes, (6 + 3) * 32 * 32 * 4);
}
