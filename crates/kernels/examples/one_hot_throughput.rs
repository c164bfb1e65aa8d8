//! First convolutions of DNA models on one thread, by letters and by numbers, in microseconds per sequence.
//!
//! `cargo run --release -p deeplift-kernels --example one_hot_throughput [filter]`

use deeplift_kernels::{
    ConvGeometry, Epilogue, OneHotAdjoint, OneHotConv, PackedConv, PackedConvAdjoint, Scratch,
};
use deeplift_simd::Isa;
use std::time::Instant;

/// Microseconds per call: the best of several samples of at least 20 ms.
fn time(mut work: impl FnMut()) -> f64 {
    work();
    let mut best = f64::INFINITY;
    for _ in 0..7 {
        let (start, mut calls) = (Instant::now(), 0);
        while start.elapsed().as_secs_f64() < 0.02 {
            work();
            calls += 1;
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(calls));
    }
    best * 1e6
}

/// Letters without a pattern.
fn letters(len: usize, seed: u32) -> Vec<u8> {
    (0..len as u32)
        .map(|i| ((i + 1).wrapping_mul(2_654_435_761).rotate_left(seed).wrapping_mul(40_503) >> 30) as u8)
        .collect()
}

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let shapes = [
        ("BPNet 64 k21 L2114", 2114, 21, 64),
        ("ChromBPNet 512 k21 L2114", 2114, 21, 512),
        ("Basset 300 k19 L600", 600, 19, 300),
        ("DeepSEA 320 k8 L1000", 1000, 8, 320),
        ("genomics 50 k11 L200", 200, 11, 50),
    ];
    for isa in Isa::available().into_iter().rev() {
        for (name, len, kernel, outs) in shapes.into_iter().filter(|s| s.0.contains(&filter)) {
            let g = ConvGeometry {
                input: [1, 1, len],
                output: [1, 1, len],
                kernel: [1, 1, kernel],
                stride: [1; 3],
                dilation: [1; 3],
                pad: [0, 0, (kernel - 1) / 2],
                in_channels: 4,
                out_channels: outs,
                groups: 1,
            };
            let fill =
                |len: usize| (0..len).map(|i| ((i * 7919) % 101) as f32 / 101.0 - 0.5).collect::<Vec<f32>>();
            let (m, w, b) = (fill(g.output_len()), fill(g.weights_len()), fill(outs));
            let (x, x0) = (letters(len, 3), letters(len, 9));
            let mut hot = vec![0.0f32; g.input_len()];
            x.iter().enumerate().for_each(|(p, &c)| hot[p * 4 + usize::from(c)] = 1.0);
            let (mut y, mut ratio, mut mx) = (fill(m.len()), fill(m.len()), fill(hot.len()));
            let mut scratch = Scratch::default();
            let dense = PackedConv::new(g.clone(), &w, &b, isa);
            let by_letters = OneHotConv::new(&g, &w, &b, isa).expect("a convolution over letters");
            let dense_store = time(|| dense.forward(&hot, Epilogue::Store { out: &mut y }, &mut scratch));
            let store = time(|| by_letters.forward(&x, Epilogue::Store { out: &mut y }, &mut scratch));
            let dense_ratio = time(|| {
                let epilogue = Epilogue::ReluRatio { out: &mut y, base: None, ratio: &mut ratio, actual: &m };
                dense.forward(&hot, epilogue, &mut scratch);
            });
            let relu_ratio = time(|| {
                let epilogue = Epilogue::ReluRatio { out: &mut y, base: None, ratio: &mut ratio, actual: &m };
                by_letters.forward(&x, epilogue, &mut scratch);
            });
            let back = PackedConvAdjoint::new(g.clone(), &w, isa);
            let differing = OneHotAdjoint::new(&g, &w, isa).expect("a convolution over letters");
            let dense_back = time(|| back.apply(&m, Epilogue::Store { out: &mut mx }, &mut scratch));
            let some_back = time(|| differing.apply(&m, &x, &x0, &mut mx, &mut scratch));
            println!(
                "{isa:>6} {name:<26} store {dense_store:>7.1} {store:>7.1}  relu+ratio {dense_ratio:>7.1} {relu_ratio:>7.1}  \
                 adjoint {dense_back:>7.1} {some_back:>7.1}"
            );
        }
    }
}
