//! Convolutions over images in fewer products against the oracle.

mod common;

use common::{assert_close, noise, wide};
use deeplift_kernels::{oracle, ConvGeometry, Epilogue, PackedConv, PackedConvAdjoint, Scratch, Variant};
use deeplift_simd::Isa;
use proptest::prelude::*;

/// `(input, output, kernel, stride, pad)` of an axis.
type Side = (usize, usize, usize, usize, usize);

fn image(a: Side, b: Side, (in_channels, out_channels): (usize, usize)) -> ConvGeometry {
    ConvGeometry {
        input: [1, a.0, b.0],
        output: [1, a.1, b.1],
        kernel: [1, a.2, b.2],
        stride: [1, a.3, b.3],
        dilation: [1; 3],
        pad: [0, a.4, b.4],
        in_channels,
        out_channels,
        groups: 1,
    }
}

/// The second layer of a model of digits.
fn digits() -> ConvGeometry {
    image((13, 5, 4, 2, 0), (13, 5, 4, 2, 0), (32, 64))
}

/// A few lanes, forward and adjoint with biases, on every instruction set; each lane as if it were alone, bit for bit.
///
/// The bound is that of the direct sum times the amplification, which is derived from the transforms.
fn check(g: &ConvGeometry, lanes: usize) {
    let (ins, outs) = (g.input_len(), g.output_len());
    let (x, m) = (noise::<f32>(lanes * ins, 1), noise::<f32>(lanes * outs, 2));
    let (w, b) = (noise::<f32>(g.weights_len(), 3), noise::<f32>(g.out_channels, 4));
    let back = noise::<f32>(g.in_channels, 5);
    let taps: usize = g.kernel.iter().product();
    for isa in Isa::available() {
        let forward = PackedConv::with_variant(g.clone(), &w, &b, isa, Variant::Winograd);
        let adjoint = PackedConvAdjoint::with_variant(g.clone(), &w, &back, isa, Variant::Winograd);
        assert!(forward.amplification() > 1.0 && adjoint.amplification() > 1.0, "{g:?}");
        assert!(!forward.is_even() && !adjoint.is_even());
        let mut scratch = Scratch::default();
        let (mut y, mut mx) = (vec![f32::NAN; lanes * outs], vec![f32::NAN; lanes * ins]);
        let lane = |all: &mut [f32], len: usize, lane: usize, finish: &mut dyn FnMut(Epilogue<'_, f32>)| {
            finish(Epilogue::Store { out: &mut all[lane * len..][..len] });
        };
        forward.forward_lanes(lanes, &x, &mut |l, finish| lane(&mut y, outs, l, finish), &mut scratch);
        adjoint.apply_lanes(lanes, &m, &mut |l, finish| lane(&mut mx, ins, l, finish), &mut scratch);
        for l in 0..lanes {
            let (x, m) = (&x[l * ins..][..ins], &m[l * outs..][..outs]);
            let (y, mx) = (&y[l * outs..][..outs], &mx[l * ins..][..ins]);
            let terms = |channels: usize, growth: f64| ((channels * taps) as f64 * growth) as usize;
            let expected = oracle::conv(g, &wide(x), &wide(&w), &wide(&b));
            let bound = terms(g.in_channels, forward.amplification());
            assert_close(y, &expected, bound, &format!("{isa} forward {g:?}, lane {l}"));
            let mut expected = oracle::conv_adjoint(g, &wide(m), &wide(&w));
            expected.iter_mut().enumerate().for_each(|(i, m)| *m += f64::from(back[i % g.in_channels]));
            let bound = terms(g.out_channels, adjoint.amplification());
            assert_close(mx, &expected, bound, &format!("{isa} adjoint {g:?}, lane {l}"));

            let (mut alone, mut back) = (vec![f32::NAN; outs], vec![f32::NAN; ins]);
            let mut scratch = Scratch::default();
            forward.forward(x, Epilogue::Store { out: &mut alone }, &mut scratch);
            adjoint.apply(m, Epilogue::Store { out: &mut back }, &mut scratch);
            assert_eq!((y, mx), (&alone[..], &back[..]), "{isa} {g:?}, lane {l}");
        }
    }
}

/// Of two or three taps per residue.
fn side(taps: usize) -> impl Strategy<Value = Side> {
    let stride = 1usize..4;
    (2usize..9, stride, 0usize..3, 0usize..4, 0usize..4).prop_map(move |(output, stride, less, pad, more)| {
        let kernel = stride * taps - less.min(stride - 1);
        let reach = (output - 1) * stride + kernel;
        (reach.saturating_sub(pad + more).max(1), output, kernel, stride, pad)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_images_agree_with_the_oracle(
        (a, b) in (2usize..4).prop_flat_map(|taps| (side(taps), side(taps))),
        longer in 0usize..5, ins in 16usize..40, outs in 16usize..70, lanes in 1usize..4,
    ) {
        let g = image((a.0 + longer, a.1, a.2, a.3, a.4), b, (ins, outs));
        check(&g, lanes);
    }
}

#[test]
fn named_images_agree_with_the_oracle() {
    check(&digits(), 5);
    check(&image((14, 14, 3, 1, 1), (14, 14, 3, 1, 1), (32, 32)), 2);
    // More lanes than are multiplied together.
    check(&image((16, 16, 3, 1, 1), (16, 16, 3, 1, 1), (64, 48)), 4);
}

#[test]
fn small_images_of_many_channels_are_tiled() {
    let tiled = |g: &ConvGeometry, variant: Variant| {
        let w = vec![0.5f32; g.weights_len()];
        let conv = PackedConv::with_variant(g.clone(), &w, &[], Isa::Scalar, variant);
        let adjoint = PackedConvAdjoint::with_variant(g.clone(), &w, &[], Isa::Scalar, variant);
        [conv.work().kernel, adjoint.work().kernel].map(|kernel| kernel.starts_with("winograd"))
    };
    for variant in [Variant::Fastest, Variant::Multipliers, Variant::Winograd] {
        assert_eq!(tiled(&digits(), variant), [true; 2]);
    }
    assert_eq!(tiled(&digits(), Variant::Direct), [false; 2]);
    let asked = |g: ConvGeometry| tiled(&g, Variant::Winograd);
    assert_eq!(asked(ConvGeometry { groups: 2, ..digits() }), [false; 2]);
    assert_eq!(asked(ConvGeometry { in_channels: 15, ..digits() }), [false; 2]);
    assert_eq!(asked(image((12, 12, 1, 1, 0), (12, 12, 3, 1, 1), (32, 32))), [false; 2]);
    assert_eq!(asked(image((300, 300, 3, 1, 1), (300, 300, 3, 1, 1), (64, 64))), [false; 2]);
    let w = vec![0.5f64; digits().weights_len()];
    let wide = PackedConv::with_variant(digits(), &w, &[], Isa::Scalar, Variant::Winograd);
    assert!(wide.is_even());
}

#[test]
fn work_counts_the_products_of_all_points() {
    let w = vec![0.5f32; digits().weights_len()];
    let work = PackedConv::new(digits(), &w, &[], Isa::Scalar).work();
    assert_eq!(work.kernel, "winograd F(3 x 3, 2 x 2)");
    // Five outputs are tiles of three and two, of four and three points.
    assert_eq!(work.flops, (2 * 7 * 7 * 128 * 64) as f64);
    assert_eq!(work.weight_bytes, 16 * 128 * 64 * 4);
}
