#![allow(missing_docs)]
use deeplift_kernels::*;
use std::time::Instant;
fn t(n: &str, elems: usize, mut f: impl FnMut()) {
    f();
    let mut b = f64::MAX;
    for _ in 0..20 {
        let s = Instant::now();
        for _ in 0..10 {
            f();
        }
        b = b.min(s.elapsed().as_secs_f64() / 10.0);
    }
    println!("{n:<20} {:.3} ns/elem", b * 1e9 / elems as f64);
}
fn main() {
    let n = 8192;
    let a: Vec<f32> = (0..n).map(|i| ((i * 7919) % 101) as f32 / 50.0 - 1.0).collect();
    let b: Vec<f32> = a.iter().rev().copied().collect();
    let mut oo = vec![0f32; n + 200];
    let o: &mut [f32] = &mut oo[100..100 + n];
    t("add", n, || map::add(&a, &b, o));
    t("mul_assign", n, || map::mul_assign(o, &b));
    t("relu_ratio", n, || map::relu_ratio(&a, &b, o));
    t("exp", n, || map::exp(&a, o));
    t("sigmoid", n, || map::sigmoid(&a, o));
    t("tanh", n, || map::tanh(&a, o));
    t("erf", n, || map::erf(&a, o));
    t("softplus", n, || map::softplus(&a, o));
    t("dot", n, || {
        std::hint::black_box(map::dot(&a, &b));
    });
    t("scale", n, || map::scale(1.0001f32, o));
    let mut w = vec![0u32; n];
    let mut s = vec![0f32; 64];
    t("sum [1,128,64]", n, || reduce::sum(&a, [1, 128, 64], &mut s));
    t("sum [64,128,1]", n, || reduce::sum(&a, [64, 128, 1], &mut s));
    t("max [64,128,1]", n, || reduce::max(&a, [64, 128, 1], &mut s));
    t("argmax [64,128,1]", n, || reduce::max_index(&a, [64, 128, 1], &mut w[..64]));
    t("argmax [1,128,64]", n, || reduce::max_index(&a, [1, 128, 64], &mut w[..64]));
    t("softmax [64,128,1]", n, || softmax::softmax(&a, [64, 128, 1], o));
    let g = PoolGeometry {
        input: [1, 1, 128],
        output: [1, 1, 32],
        kernel: [1, 1, 4],
        stride: [1, 1, 4],
        dilation: [1; 3],
        pad: [0; 3],
        channels: 64,
    };
    let mut y = vec![0f32; g.output_len()];
    t("max_pool", n, || pool::max_pool(&g, &a, &mut y));
    t("winners", n, || pool::max_pool_winners(&g, &a, &mut w[..2048]));
    let av = AveragePool::new(g.clone(), false, [0; 3]);
    t("avg", n, || av.forward(&a, &mut y));
    let mut mx = a.clone();
    t("avg adj", n, || av.adjoint(&y, &mut mx, false));
    let sv = StridedView { offset: 0, strides: vec![1, 128] };
    let dv = StridedView::contiguous(&[128, 64]);
    t("transpose", n, || strided::copy(&[128, 64], &a, &sv, o, &dv));
    t("copy", n, || strided::copy(&[128, 64], &a, &dv, o, &dv));
    let bc = StridedView { offset: 0, strides: vec![0, 1] };
    t("broadcast", n, || strided::copy(&[128, 64], &a, &bc, o, &dv));
    t("acc bcast", n, || strided::accumulate(&[128, 64], &a, &dv, o, &bc));
}
