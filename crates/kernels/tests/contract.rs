//! Sums of products against the oracle, for tensors that have any of the axes in any order.

mod common;

use common::{assert_close, noise, wide};
use deeplift_kernels::{oracle, Contraction, Scratch};
use deeplift_simd::{Isa, Real};
use proptest::prelude::*;

/// Strides of a tensor that has `axes`, in this order of memory, and its elements.
fn tensor(sizes: &[usize], axes: &[usize]) -> (Vec<Option<usize>>, usize) {
    let (mut strides, mut len) = (vec![None; sizes.len()], 1);
    for &a in axes.iter().rev() {
        strides[a] = Some(len);
        len *= sizes[a];
    }
    (strides, len)
}

fn check<T: Real>(sizes: &[usize], tensors: [&[usize]; 3]) {
    let [(sa, na), (sb, nb), (sy, ny)] = tensors.map(|axes| tensor(sizes, axes));
    let (a, b, old) = (noise::<T>(na, 1), noise::<T>(nb, 2), noise::<T>(ny, 3));
    let y = oracle::contraction(sizes, [(&wide(&a), &sa), (&wide(&b), &sb)], (&sy, ny));
    let added: Vec<f64> = y.iter().zip(&old).map(|(y, old)| y + old.to_f64()).collect();
    let terms = sizes.iter().product::<usize>() / ny.max(1);
    // An axis that no tensor has repeats a term, whose rounding then adds up in one direction.
    let repeats = (0..sizes.len()).any(|a| sizes[a] > 1 && tensors.iter().all(|t| !t.contains(&a)));
    let terms = if repeats { 8 * terms } else { terms };
    for isa in Isa::available() {
        let context = format!("{isa}, sizes {sizes:?}, {tensors:?}");
        let c = Contraction::new(sizes, [&sa, &sb], &sy, [na, nb, ny], isa);
        let mut scratch = Scratch::default();
        let mut out = vec![T::from_f64(f64::NAN); ny];
        c.run([&a, &b], &mut out, false, &mut scratch);
        assert_close(&out, &y, terms, &context);
        let mut out = old.clone();
        c.run([&a, &b], &mut out, true, &mut scratch);
        assert_close(&out, &added, terms, &context);
    }
}

/// The axes whose bit is set, in an order that `seed` gives.
fn axes(mask: usize, count: usize, mut seed: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = (0..count).filter(|a| mask >> a & 1 == 1).collect();
    for i in (1..chosen.len()).rev() {
        chosen.swap(i, seed % (i + 1));
        seed /= i + 1;
    }
    chosen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_axes_agree_with_the_oracle(
        sizes in prop::collection::vec(1usize..7, 1..5),
        masks in [0usize..16, 0..16, 0..16],
        seeds in [0usize..24, 0..24, 0..24],
    ) {
        let t = [0, 1, 2].map(|i| axes(masks[i], sizes.len(), seeds[i]));
        check::<f32>(&sizes, [&t[0], &t[1], &t[2]]);
        check::<f64>(&sizes, [&t[0], &t[1], &t[2]]);
    }
}

#[test]
fn products_of_matrices_agree_with_the_oracle() {
    // Rows, depth, columns, batches.
    for sizes in [[40, 17, 70, 2], [1, 600, 33, 1], [15, 1, 100, 3], [100, 64, 1, 2], [29, 1030, 16, 1]] {
        for a in [[3, 0, 1], [3, 1, 0], [0, 3, 1]] {
            for b in [[3, 1, 2], [3, 2, 1], [2, 3, 1]] {
                for y in [[3, 0, 2], [3, 2, 0], [0, 3, 2]] {
                    check::<f32>(&sizes, [&a, &b, &y]);
                }
            }
        }
    }
    check::<f64>(&[40, 520, 70, 2], [&[3, 0, 1], &[3, 1, 2], &[3, 0, 2]]);
}

/// A diagonal is an axis whose stride is a sum of strides; what is beside it is 0.
#[test]
fn diagonals_are_read_and_written() {
    let isa = Isa::active();
    let (x, m) = ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0]);
    let trace = Contraction::new(&[2], [&[Some(3)], &[None]], &[None], [4, 1, 1], isa);
    let mut y = [0.0];
    trace.run([&x, &[1.0]], &mut y, false, &mut Scratch::default());
    assert_eq!(y, [5.0]);
    let spread = Contraction::new(&[2], [&[Some(1)], &[None]], &[Some(3)], [2, 1, 4], isa);
    let mut y = [f64::NAN; 4];
    spread.run([&m, &[1.0]], &mut y, false, &mut Scratch::default());
    assert_eq!(y, [5.0, 0.0, 0.0, 6.0]);
}

#[test]
#[should_panic(expected = "element 5 of a tensor of 5")]
fn strides_that_lead_out_of_a_tensor_are_refused() {
    let _ = Contraction::new(
        &[2, 3],
        [&[Some(3), Some(1)], &[None, None]],
        &[None, None],
        [5, 1, 1],
        Isa::active(),
    );
}

/// Attention over heads spread within rows: one head is what a product of its columns alone gives, bit by bit.
#[test]
fn a_batch_does_not_depend_on_its_mates() {
    let (heads, rows, depth, columns) = (3, 20, 24, 31);
    let isa = Isa::active();
    let (a, b) = (noise::<f32>(rows * heads * depth, 1), noise::<f32>(columns * heads * depth, 2));
    let sizes = [heads, rows, depth, columns];
    let (sa, na) = tensor(&sizes, &[1, 0, 2]);
    let (sb, nb) = tensor(&sizes, &[3, 0, 2]);
    let (sy, ny) = tensor(&sizes, &[0, 1, 3]);
    let mut all = vec![0.0; ny];
    let c = Contraction::new(&sizes, [&sa, &sb], &sy, [na, nb, ny], isa);
    c.run([&a, &b], &mut all, false, &mut Scratch::default());
    let sizes = [1, rows, depth, columns];
    let (sy, ny) = tensor(&sizes, &[1, 3]);
    for h in 0..heads {
        let c = Contraction::new(&sizes, [&sa, &sb], &sy, [na - h * depth, nb - h * depth, ny], isa);
        let mut one = vec![0.0; ny];
        c.run([&a[h * depth..], &b[h * depth..]], &mut one, false, &mut Scratch::default());
        assert_eq!(one, all[h * ny..][..ny]);
    }
}
