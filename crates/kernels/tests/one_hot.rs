//! Convolutions of letters against the oracle of the same sequences as numbers.

mod common;

use common::{assert_close, noise, wide};
use deeplift_kernels::one_hot::{read_codes, LETTERS, NO_LETTER};
use deeplift_kernels::{oracle, ConvGeometry, Epilogue, OneHotAdjoint, OneHotConv, Scratch};
use deeplift_simd::{Isa, Real};
use proptest::prelude::*;

/// Letters without a pattern, some of them absent.
fn letters(len: usize, seed: u64) -> Vec<u8> {
    noise::<f64>(len, seed).iter().map(|v| ((v + 1.0) * 2.4) as u8).collect()
}

fn one_hot<T: Real>(codes: &[u8]) -> Vec<T> {
    let column = |&code: &u8| (0..LETTERS as u8).map(move |l| if l == code { T::ONE } else { T::ZERO });
    codes.iter().flat_map(column).collect()
}

/// A convolution over letters along one of the three axes.
fn along(
    axis: usize,
    (input, output): (usize, usize),
    (kernel, stride, pad): (usize, usize, usize),
    outs: usize,
) -> ConvGeometry {
    let on = |value: usize, other: usize| std::array::from_fn(|a| if a == axis { value } else { other });
    ConvGeometry {
        input: on(input, 1),
        output: on(output, 1),
        kernel: on(kernel, 1),
        stride: on(stride, 1),
        dilation: [1; 3],
        pad: on(pad, 0),
        in_channels: LETTERS,
        out_channels: outs,
        groups: 1,
    }
}

fn check_forward<T: Real>(g: &ConvGeometry) {
    let codes = letters(g.input_len() / LETTERS, 1);
    let (w, b) = (noise::<T>(g.weights_len(), 2), noise::<T>(g.out_channels, 3));
    let y = oracle::conv(g, &one_hot(&codes), &wide(&w), &wide(&b));
    for isa in Isa::available() {
        let packed = OneHotConv::new(g, &w, &b, isa).expect("a convolution over letters");
        let mut found = vec![T::from_f64(f64::NAN); y.len()];
        packed.forward(&codes, Epilogue::Store { out: &mut found }, &mut Scratch::default());
        assert_close(&found, &y, g.kernel.iter().product(), &format!("{isa} {g:?}"));
    }
}

fn geometry() -> impl Strategy<Value = ConvGeometry> {
    let outs = prop_oneof![1usize..9, Just(16), Just(48), Just(50), Just(64), Just(70), Just(130)];
    (0usize..3, (2usize..40, 2usize..40), (1usize..24, 1usize..4, 0usize..12), outs)
        .prop_map(|(axis, lens, windows, outs)| along(axis, lens, windows, outs))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_geometries_agree_with_the_oracle(g in geometry()) {
        check_forward::<f32>(&g);
        check_forward::<f64>(&g);
    }
}

#[test]
fn long_kernels_take_shorter_words() {
    for kernel in [1, 2, 3, 4, 150, 700] {
        check_forward::<f32>(&along(2, (720, 21), (kernel, 1, 0), 5));
        check_forward::<f64>(&along(2, (300, 300), (kernel, 1, kernel / 2), 5));
    }
}

#[test]
fn every_epilogue_finds_the_sums_where_they_belong() {
    // 115 channels: a full panel and one of three quarters, not filled.
    let g = along(2, (31, 31), (5, 1, 2), 115);
    let codes = letters(31, 1);
    let (w, b) = (noise::<f32>(g.weights_len(), 2), noise(115, 3));
    let (before, ratio) = (noise::<f32>(g.output_len(), 4), noise::<f32>(g.output_len(), 5));
    for isa in Isa::available() {
        let (packed, mut scratch) = (OneHotConv::new(&g, &w, &b, isa).unwrap(), Scratch::default());
        let mut acc = vec![0.0; g.output_len()];
        packed.forward(&codes, Epilogue::Store { out: &mut acc }, &mut scratch);
        let each = |f: &dyn Fn(usize) -> f32| (0..acc.len()).map(f).collect::<Vec<f32>>();

        let mut out = before.clone();
        packed.forward(&codes, Epilogue::Add { out: &mut out }, &mut scratch);
        assert_eq!(out, each(&|i| before[i] + acc[i]));

        let mut pre = vec![0.0; out.len()];
        packed.forward(
            &codes,
            Epilogue::Relu { out: &mut out, pre: Some(&mut pre), base: None },
            &mut scratch,
        );
        assert_eq!((&out, &pre), (&each(&|i| acc[i].max(0.0)), &acc));

        let mut slopes = vec![0.0; out.len()];
        let epilogue = Epilogue::ReluRatio { out: &mut out, base: None, ratio: &mut slopes, actual: &before };
        packed.forward(&codes, epilogue, &mut scratch);
        assert_eq!(out, each(&|i| acc[i].max(0.0)));
        let slope = |i: usize| oracle::relu_ratio(f64::from(before[i]), f64::from(acc[i]));
        assert!((0..acc.len()).all(|i| (f64::from(slopes[i]) - slope(i)).abs() < 1e-6));

        packed.forward(&codes, Epilogue::Scale { out: &mut out, ratio: &ratio }, &mut scratch);
        assert_eq!(out, each(&|i| acc[i] * ratio[i]));
    }
}

#[test]
fn absent_letters_are_padding() {
    let (padded, written) = (along(2, (40, 40), (9, 1, 4), 33), along(2, (48, 40), (9, 1, 0), 33));
    let (codes, w) = (letters(40, 1), noise::<f32>(padded.weights_len(), 2));
    let wide = [&[NO_LETTER; 4], &codes[..], &[NO_LETTER; 4]].concat();
    for isa in Isa::available() {
        let run = |g: &ConvGeometry, codes: &[u8]| {
            let mut y = vec![0.0; g.output_len()];
            let packed = OneHotConv::new(g, &w, &[], isa).unwrap();
            packed.forward(codes, Epilogue::Store { out: &mut y }, &mut Scratch::default());
            y
        };
        assert_eq!(run(&padded, &codes), run(&written, &wide), "{isa}");
    }
}

#[test]
fn outputs_that_are_left_out_are_not_touched() {
    let g = along(2, (40, 40), (9, 1, 4), 70);
    let (codes, w) = (letters(40, 1), noise::<f32>(g.weights_len(), 2));
    for isa in Isa::available() {
        let mut packed = OneHotConv::new(&g, &w, &[], isa).unwrap();
        let run = |packed: &OneHotConv<f32>| {
            let mut y = vec![7.0; g.output_len()];
            packed.forward(&codes, Epilogue::Store { out: &mut y }, &mut Scratch::default());
            y
        };
        let all = run(&packed);
        packed.narrow(5..31);
        let mut expected = vec![7.0; all.len()];
        expected[5 * 70..31 * 70].copy_from_slice(&all[5 * 70..31 * 70]);
        assert_eq!(run(&packed), expected, "{isa}");
    }
}

#[test]
fn other_convolutions_are_left_to_other_kernels() {
    let g = along(2, (40, 40), (9, 1, 4), 8);
    let two_axes = ConvGeometry { input: [1, 2, 40], output: [1, 2, 40], ..g.clone() };
    let dilated = ConvGeometry { dilation: [1, 1, 2], ..g.clone() };
    let grouped = ConvGeometry { groups: 4, ..g.clone() };
    let wider = ConvGeometry { in_channels: 5, ..g };
    for g in [two_axes, dilated, grouped, wider] {
        let w = vec![0.0f32; g.weights_len()];
        assert!(OneHotConv::new(&g, &w, &[], Isa::Scalar).is_none(), "{g:?}");
    }
}

#[test]
fn only_letters_are_read_as_letters() {
    let codes = letters(50, 1);
    let mut values = one_hot::<f32>(&codes);
    let mut found = vec![9; 50];
    assert!(read_codes(&values, &mut found));
    assert_eq!(found, codes);
    let first = usize::from(codes[7] == 0);
    for wrong in [0.5, -1.0, 2.0, 1.0, f32::NAN, f32::INFINITY] {
        let old = std::mem::replace(&mut values[7 * LETTERS + first], wrong);
        // A second one is as wrong as a fraction; at an absent letter it would be right.
        let right = wrong == 1.0 && codes[7] == NO_LETTER;
        assert_eq!(read_codes(&values, &mut found), right, "{wrong}");
        values[7 * LETTERS + first] = old;
    }
}

/// The oracle's multipliers where letters differ, and zeros elsewhere, at every instruction set; `narrow` outputs count.
fn check_adjoint<T: Real>(g: &ConvGeometry, narrow: Option<std::ops::Range<usize>>) {
    let positions = g.input_len() / LETTERS;
    let (x, x0) = (letters(positions, 1), letters(positions, 2));
    let (w, mut my) = (noise::<T>(g.weights_len(), 3), noise::<T>(g.output_len(), 4));
    let live = narrow.clone().unwrap_or(0..g.output_len() / g.out_channels);
    let dead = |i: usize| !live.contains(&(i / g.out_channels));
    let seen: Vec<f64> = my.iter().enumerate().map(|(i, m)| if dead(i) { 0.0 } else { m.to_f64() }).collect();
    (0..my.len()).filter(|&i| dead(i)).for_each(|i| my[i] = T::from_f64(f64::NAN));
    let mut expected = oracle::conv_adjoint(g, &seen, &wide(&w));
    for (p, (a, b)) in x.iter().zip(&x0).enumerate() {
        for letter in 0..LETTERS as u8 {
            if a == b || (*a != letter && *b != letter) {
                expected[p * LETTERS + usize::from(letter)] = 0.0;
            }
        }
    }
    for isa in Isa::available() {
        let mut packed = OneHotAdjoint::new(g, &w, isa).expect("a convolution over letters");
        if let Some(outputs) = &narrow {
            packed.narrow(outputs.clone());
        }
        let mut found = vec![T::from_f64(f64::NAN); g.input_len()];
        packed.apply(&my, &x, &x0, &mut found, &mut Scratch::default());
        let terms = g.out_channels * g.kernel.iter().product::<usize>();
        assert_close(&found, &expected, terms, &format!("{isa} {g:?} {narrow:?}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn multipliers_where_letters_differ_agree_with_the_oracle(g in geometry(), a in 0usize..40, b in 0usize..40) {
        let g = ConvGeometry { stride: [1; 3], ..g };
        check_adjoint::<f32>(&g, None);
        check_adjoint::<f64>(&g, None);
        let positions = g.output_len() / g.out_channels;
        check_adjoint::<f32>(&g, Some(a.min(b).min(positions)..a.max(b).min(positions)));
    }
}

/// How many positions share a pair of letters, and where they lie, depends on the rest of the sequences.
#[test]
fn a_multiplier_does_not_depend_on_other_positions() {
    let g = along(2, (60, 60), (7, 1, 3), 50);
    let (w, my) = (noise::<f32>(g.weights_len(), 3), noise::<f32>(g.output_len(), 4));
    let (x, x0) = (vec![0; 60], vec![2; 60]);
    for isa in Isa::available() {
        let packed = OneHotAdjoint::new(&g, &w, isa).unwrap();
        let run = |x0: &[u8]| {
            let mut mx = vec![0.0; g.input_len()];
            packed.apply(&my, &x, x0, &mut mx, &mut Scratch::default());
            mx
        };
        let all = run(&x0);
        for p in 0..60 {
            let mut alone = x.clone();
            alone[p] = 2;
            assert_eq!(run(&alone)[p * LETTERS..][..LETTERS], all[p * LETTERS..][..LETTERS], "{isa} {p}");
        }
    }
}
