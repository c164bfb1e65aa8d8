//! Throughput of convolutions, their adjoint and dense layers on one thread, in GFLOP/s and as a share of the peak of
//! multiply-adds on registers, which is measured anew before each shape.
//!
//! Products are counted as those of the direct sum, padding included, so that Winograd and large dilations may exceed
//! 100 %. The last column is the relative L2 error against the direct sum in float64.
//!
//! `cargo run --release -p deeplift-kernels --example conv_throughput [filter]`

use deeplift_kernels::{
    ConvGeometry, Epilogue, PackedConv, PackedConvAdjoint, PackedDense, Scratch, Variant,
};
use deeplift_simd::Isa;
#[path = "../../simd/examples/measure/mod.rs"]
mod measure;
use measure::{peak, time};

fn report(isa: Isa, what: &str, flops: f64, seconds: f64, peak: f64, error: Option<f64>) {
    let rate = flops / seconds / 1e9;
    let error = error.map_or(String::new(), |error| format!("{error:>9.1e}"));
    println!(
        "{isa:>6} {what:<44} {:>9.1} us {rate:>7.1} GFLOP/s {:>4.0} %{error}",
        seconds * 1e6,
        100.0 * rate / peak
    );
}

/// Relative L2 distance.
fn distance(found: &[f32], expected: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| f64::from(*a) - b));
    difference / norm(&mut expected.iter().copied())
}

/// A convolution and its adjoint, in one way to compute them.
fn measure(isa: Isa, g: &ConvGeometry, variant: Variant, name: &str) {
    let peak = peak(isa);
    let flops = 2.0 * (g.output_len() * g.in_channels / g.groups * g.kernel[2]) as f64;
    let fill =
        |len: usize| (0..len).map(|i| ((i * i * 7919) % 10_007) as f32 / 10_007.0 - 0.5).collect::<Vec<_>>();
    let (x, m, w) = (fill(g.input_len()), fill(g.output_len()), fill(g.weights_len()));
    let b = fill(g.out_channels);
    let mut scratch = Scratch::default();
    let (mut y, mut ratio, mut mx) = (fill(m.len()), fill(m.len()), fill(x.len()));
    let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    let (mut wide_y, mut wide_mx, mut wide_scratch) = (wide(&m), wide(&x), Scratch::default());
    PackedConv::with_variant(g.clone(), &wide(&w), &wide(&b), isa, Variant::Direct).forward(
        &wide(&x),
        Epilogue::Store { out: &mut wide_y },
        &mut wide_scratch,
    );
    PackedConvAdjoint::with_variant(g.clone(), &wide(&w), &[], isa, Variant::Direct).apply(
        &wide(&m),
        Epilogue::Store { out: &mut wide_mx },
        &mut wide_scratch,
    );
    let forward = PackedConv::with_variant(g.clone(), &w, &b, isa, variant);
    let adjoint = PackedConvAdjoint::with_variant(g.clone(), &w, &[], isa, variant);
    let seconds = time(|| forward.forward(&x, Epilogue::Store { out: &mut y }, &mut scratch));
    report(isa, &format!("{name} store"), flops, seconds, peak, Some(distance(&y, &wide_y)));
    let seconds = time(|| {
        let epilogue = Epilogue::ReluRatio { out: &mut y, base: None, ratio: &mut ratio, actual: &m };
        forward.forward(&x, epilogue, &mut scratch);
    });
    report(isa, &format!("{name} relu+ratio"), flops, seconds, peak, None);
    adjoint.apply(&m, Epilogue::Store { out: &mut mx }, &mut scratch);
    let error = distance(&mx, &wide_mx);
    let seconds = time(|| adjoint.apply(&m, Epilogue::Scale { out: &mut mx, ratio: &x }, &mut scratch));
    report(isa, &format!("{name} adjoint"), flops, seconds, peak, Some(error));
}

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let line = |len: usize, kernel: usize, dilation: usize, ins, outs| ConvGeometry {
        input: [1, 1, len],
        output: [1, 1, len],
        kernel: [1, 1, kernel],
        stride: [1; 3],
        dilation: [1, 1, dilation],
        pad: [0, 0, (kernel - 1) * dilation / 2],
        in_channels: ins,
        out_channels: outs,
        groups: 1,
    };
    let mut cases: Vec<_> = (0..10).map(|i| line(2114, 3, 1 << i, 64, 64)).collect();
    cases.push(line(2114, 3, 4, 512, 512));
    cases.push(line(200, 11, 1, 300, 200));
    cases.push(line(50, 7, 1, 200, 200));
    cases.push(line(1000, 8, 1, 320, 320));
    cases.push(line(2114, 21, 1, 4, 64));
    cases.push(line(1000, 75, 1, 64, 1));
    cases.push(line(200, 7, 1, 50, 50));
    cases.push(ConvGeometry { groups: 256, ..line(1000, 9, 1, 256, 256) });
    for isa in Isa::available().into_iter().rev() {
        println!("{isa:>6} peak {:.1} GFLOP/s", peak(isa));
        for g in &cases {
            let name = format!(
                "{}->{} k{} d{} L{} g{}",
                g.in_channels, g.out_channels, g.kernel[2], g.dilation[2], g.input[2], g.groups
            );
            for variant in [Variant::Direct, Variant::Winograd, Variant::Fastest, Variant::Multipliers] {
                let name = format!("{name} {variant:?}");
                if format!("{isa} {name}").contains(&filter) {
                    measure(isa, g, variant, &name);
                }
            }
        }
        for (rows, k, n) in [(1, 1024, 1024), (20, 4000, 1000), (64, 8000, 925)] {
            let name = format!("dense {rows} x {k} -> {n}");
            if !name.contains(&filter) {
                continue;
            }
            let (x, w) = (vec![0.5f32; rows * k], vec![0.5f32; k * n]);
            let peak = peak(isa);
            let packed = PackedDense::new(k, n, &w, &[], isa);
            let (mut y, mut scratch) = (vec![0.0; rows * n], Scratch::default());
            let seconds = time(|| packed.forward(rows, &x, Epilogue::Store { out: &mut y }, &mut scratch));
            report(isa, &name, 2.0 * (rows * k * n) as f64, seconds, peak, None);
        }
    }
}
