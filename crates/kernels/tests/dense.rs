//! Dense layers against the oracle, their adjoint, and their reproducibility.

mod common;

use common::{assert_close, inner, noise, wide};
use deeplift_kernels::{oracle, Epilogue, PackedDense, Scratch};
use deeplift_simd::{Isa, Real};
use proptest::prelude::*;

fn store<T: Real>(packed: &PackedDense<T>, rows: usize, x: &[T]) -> Vec<T> {
    let mut y = vec![T::from_f64(f64::NAN); rows * packed.outputs()];
    packed.forward(rows, x, Epilogue::Store { out: &mut y }, &mut Scratch::default());
    y
}

fn check<T: Real>(rows: usize, k: usize, n: usize) {
    let (x, m) = (noise::<T>(rows * k, 1), noise::<T>(rows * n, 2));
    let (w, b) = (noise::<T>(k * n, 3), noise::<T>(n, 4));
    let before = noise::<T>(rows * k, 5);
    let flipped: Vec<f64> = (0..n * k).map(|i| w[(i % k) * n + i / k].to_f64()).collect();
    let y = oracle::dense(rows, k, n, &wide(&x), &wide(&w), &wide(&b));
    let mx = oracle::dense(rows, n, k, &wide(&m), &flipped, &[]);
    for isa in Isa::available() {
        let context = format!("{isa} {rows} x {k} x {n}");
        assert_close(&store(&PackedDense::new(k, n, &w, &b, isa), rows, &x), &y, k, &context);
        let mut adjoint = vec![];
        let alone = PackedDense::new(k, n, &w, &b, isa);
        for packed in [alone.clone().with_adjoint(), alone.clone()] {
            let mut scratch = Scratch::default();
            adjoint = vec![T::from_f64(f64::NAN); rows * k];
            let mut added = before.clone();
            packed.adjoint(rows, &m, &mut adjoint, false, &mut scratch);
            assert_close(&adjoint, &mx, n, &context);
            packed.adjoint(rows, &m, &mut added, true, &mut scratch);
            let sums: Vec<f64> = mx.iter().zip(&before).map(|(m, b)| m + b.to_f64()).collect();
            assert_close(&added, &sums, n, &context);
        }
        let part = alone.part(|w| w.max(T::ZERO));
        let positive: Vec<f64> = w.iter().map(|w| w.to_f64().max(0.0)).collect();
        let expected = oracle::dense(rows, k, n, &wide(&x), &positive, &[]);
        assert_close(&store(&part, rows, &x), &expected, k, &context);
        let linear = wide(&store(&PackedDense::new(k, n, &w, &[], isa), rows, &x));
        let (left, right) = (inner(&linear, &wide(&m)), inner(&wide(&x), &wide(&adjoint)));
        let bound = 1e-12 * (T::EPSILON / T::from_f64(f64::EPSILON)).to_f64() * (rows * n) as f64;
        assert!((left - right).abs() <= bound, "{context}: <Ax, m> = {left}, <x, A'm> = {right}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_shapes_agree_with_the_oracle(rows in 1usize..40, k in 1usize..90, n in 1usize..90) {
        check::<f32>(rows, k, n);
        check::<f64>(rows, k, n);
    }
}

#[test]
fn named_shapes_agree_with_the_oracle() {
    for (rows, k, n) in
        [(1, 1, 1), (1, 1500, 3), (40, 513, 65), (3, 70, 1100), (15, 512, 32), (2, 1024, 16), (70, 40, 1300)]
    {
        check::<f32>(rows, k, n);
        check::<f64>(rows, k, n);
    }
}

#[test]
fn a_row_does_not_depend_on_its_mates() {
    let (k, n) = (700, 50);
    let (x, w, b) = (noise::<f32>(40 * k, 1), noise::<f32>(k * n, 2), noise::<f32>(n, 3));
    for isa in Isa::available() {
        let packed = PackedDense::new(k, n, &w, &b, isa);
        let all = store(&packed, 40, &x);
        for rows in 1..40 {
            assert_eq!(store(&packed, rows, &x[..rows * k]), all[..rows * n], "{isa}: {rows} rows");
            let from = 40 - rows;
            assert_eq!(store(&packed, rows, &x[from * k..]), all[from * n..], "{isa}: last {rows} rows");
        }
        // Backwards, with more rows than are turned together.
        let (back, mut scratch) = (noise::<f32>(3000 * n, 4), Scratch::default());
        let (mut all, mut some) = (vec![0.0; 3000 * k], vec![0.0; 40 * k]);
        packed.adjoint(3000, &back, &mut all, false, &mut scratch);
        for (rows, from) in [(1, 0), (1, 2999), (17, 5), (31, 1270), (40, 2960)] {
            packed.adjoint(rows, &back[from * n..][..rows * n], &mut some[..rows * k], false, &mut scratch);
            assert_eq!(some[..rows * k], all[from * k..][..rows * k], "{isa}: rows {from} and {rows} more");
        }
    }
}

#[test]
fn epilogues_see_finished_sums_only() {
    let (rows, k, n) = (5, 1200, 40);
    let (x, w, b) = (noise::<f32>(rows * k, 1), noise::<f32>(k * n, 2), noise::<f32>(n, 3));
    let ratio = noise::<f32>(rows * n, 4);
    for isa in Isa::available() {
        let packed = PackedDense::new(k, n, &w, &b, isa);
        let acc = store(&packed, rows, &x);
        let (mut out, mut scratch) = (vec![1.0; rows * n], Scratch::default());
        let mut scaled = vec![0.0; rows * n];
        let epilogue = Epilogue::AddThenScale { out: &mut out, ratio: &ratio, scaled: &mut scaled };
        packed.forward(rows, &x, epilogue, &mut scratch);
        let expected: Vec<f32> = acc.iter().map(|a| 1.0 + a).collect();
        assert_eq!(out, expected, "{isa}");
        assert_eq!(scaled, expected.iter().zip(&ratio).map(|(e, r)| e * r).collect::<Vec<_>>(), "{isa}");
        packed.forward(rows, &x, Epilogue::Relu { out: &mut out, pre: None, base: None }, &mut scratch);
        assert_eq!(out, acc.iter().map(|a| a.max(0.0)).collect::<Vec<_>>(), "{isa}");
    }
}

#[test]
fn no_inputs_give_the_bias() {
    for isa in Isa::available() {
        let packed = PackedDense::<f32>::new(0, 3, &[], &[1.0, 2.0, 3.0], isa);
        assert_eq!(store(&packed, 2, &[]), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    }
}

#[test]
fn weights_that_come_in_runs_are_those_that_come_one_by_one() {
    for isa in Isa::available() {
        for (k, n, runs) in [(3, 100, 7), (130, 33, 33), (1, 1, 1), (2, 64, 64), (5, 17, 16)] {
            let w: Vec<f32> = (0..k * n).map(|i| (i + 1) as f32).collect();
            let (single, own) = (PackedDense::new(k, n, &w, &[], isa), w.clone());
            let packed = PackedDense::filled(k, n, &[], isa, move |packing| {
                for (input, row) in own.chunks(n).enumerate() {
                    row.chunks(runs).enumerate().for_each(|(i, run)| packing.set_run(input, i * runs, run));
                }
            });
            for (at, &weight) in w.iter().enumerate() {
                let found = [&packed, &single].map(|packed| packed.weight(at / n, at % n));
                assert_eq!(found, [weight; 2], "{isa}, {k} x {n}: weight {at}");
            }
        }
    }
}
