//! Elementwise maps, reductions, softmax and pooling against the oracle.

mod common;

use common::{assert_close, inner, noise, wide};
use deeplift_kernels::{map, oracle, pool, reduce, softmax, AveragePool, Groups, PoolGeometry, Standardise};
use deeplift_simd::{Isa, Real};
use proptest::prelude::*;

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// These kernels use the active instruction set, so the whole file runs again in a process for each other one.
#[test]
fn every_other_instruction_set_passes_too() {
    if std::env::var_os("DEEPLIFT_ISA").is_some() {
        return;
    }
    for isa in Isa::available().into_iter().filter(|isa| *isa != Isa::active()) {
        let program = std::env::current_exe().unwrap();
        let output = std::process::Command::new(program).env("DEEPLIFT_ISA", isa.name()).output().unwrap();
        assert!(output.status.success(), "{isa}:\n{}", String::from_utf8_lossy(&output.stdout));
    }
}

fn maps_agree<T: Real>(len: usize) {
    let (a, b) = (noise::<T>(len, 1), noise::<T>(len, 2));
    let (wa, wb) = (wide(&a), wide(&b));
    let each = |f: &dyn Fn(f64, f64) -> f64| wa.iter().zip(&wb).map(|(a, b)| f(*a, *b)).collect::<Vec<_>>();
    let mut out = vec![T::from_f64(f64::NAN); len];
    macro_rules! agrees {
        ($name:literal, $run:expr, $exact:expr) => {
            $run;
            assert_close(&out, &each(&$exact), 4, $name);
        };
    }
    agrees!("add", map::add(&a, &b, &mut out), |a, b| a + b);
    agrees!("sub", map::sub(&a, &b, &mut out), |a, b| a - b);
    agrees!("mul", map::mul(&a, &b, &mut out), |a, b| a * b);
    agrees!("relu", map::relu(&a, &mut out), |a, _| a.max(0.0));
    agrees!("exp", map::exp(&a, &mut out), |a, _| a.exp());
    agrees!("sigmoid", map::sigmoid(&a, &mut out), |a, _| 1.0 / (1.0 + (-a).exp()));
    agrees!("tanh", map::tanh(&a, &mut out), |a, _| a.tanh());
    agrees!("erf", map::erf(&a, &mut out), |a, _| Real::erf(a));
    agrees!("softplus", map::softplus(&a, &mut out), |a, _| a.exp().ln_1p());
    out.copy_from_slice(&a);
    agrees!("add_assign", map::add_assign(&mut out, &b), |a, b| a + b);
    out.copy_from_slice(&a);
    agrees!("axpy", map::axpy(T::from_f64(0.75), &b, &mut out), |a, b| a + 0.75 * b);
    out.copy_from_slice(&a);
    agrees!("mul_add_assign", map::mul_add_assign(&mut out, &b, &b), |a, b| a + b * b);
    out.copy_from_slice(&a);
    agrees!("scale", map::scale(T::from_f64(-1.5), &mut out), |a, _| -1.5 * a);
    let mut z0 = b.clone();
    z0.iter_mut().zip(&a).step_by(3).for_each(|(z0, z)| *z0 = *z);
    map::relu_ratio(&a, &z0, &mut out);
    for i in 0..len {
        let exact = oracle::relu_ratio(a[i].to_f64(), z0[i].to_f64());
        assert!((out[i].to_f64() - exact).abs() <= 4.0 * T::EPSILON.to_f64(), "relu_ratio {i}");
    }
}

#[test]
fn maps_agree_with_float64() {
    for len in [0, 1, 15, 16, 17, 32, 100, 1003] {
        maps_agree::<f32>(len);
        maps_agree::<f64>(len);
    }
}

/// The exact slope by quadrature of the derivative: 500 pieces of three-point Gauss-Legendre.
fn slope(z: f64, z0: f64, df: impl Fn(f64) -> f64) -> f64 {
    let h = (z - z0) / 500.0;
    let piece = |i: usize| {
        let (mid, out) = (z0 + (i as f64 + 0.5) * h, 0.5 * h * 0.6f64.sqrt());
        (5.0 * df(mid - out) + 8.0 * df(mid) + 5.0 * df(mid + out)) / 18.0
    };
    (0..500).map(piece).sum::<f64>() / 500.0
}

fn slopes_agree<T: Real>(tolerance: f64) {
    let (mut z, mut z0) = (vec![], vec![]);
    for i in -40..=40 {
        for step in [0.0, 1e-9, -1e-6, 1e-3, -0.04, 0.7, -3.0, 15.0] {
            let at = T::from_f64(f64::from(i) * 0.3);
            z.push(at);
            z0.push(at + T::from_f64(step));
        }
    }
    let mut out = vec![T::ZERO; z.len()];
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    for tanh in [false, true] {
        if tanh {
            map::tanh_slope(&z, &z0, &mut out);
        } else {
            map::sigmoid_slope(&z, &z0, &mut out);
        }
        for i in 0..z.len() {
            let (a, b) = (z[i].to_f64(), z0[i].to_f64());
            let exact = if tanh {
                slope(a, b, |x| x.cosh().powi(-2))
            } else {
                slope(a, b, |x| sigmoid(x) * sigmoid(-x))
            };
            let error = (out[i].to_f64() - exact).abs() / exact;
            assert!(error <= tolerance, "tanh {tanh}: {a} {b} gives {}, not {exact}: {error:e}", out[i]);
        }
    }
}

#[test]
fn slopes_of_sigmoids_have_no_cancellation() {
    // Single precision: 16 ULP. Double: the error of the quadrature.
    slopes_agree::<f32>(16.0 * f64::from(f32::EPSILON));
    slopes_agree::<f64>(1e-11);
}

#[test]
fn the_ratio_of_relu_at_equal_inputs_is_its_derivative() {
    let mut out = [f32::NAN; 6];
    let z = [2.0, -2.0, 0.0, -0.0, 1.0, -1.0];
    map::relu_ratio(&z, &[2.0, -2.0, 0.0, 0.0, -1.0, 1.0], &mut out);
    assert_eq!(out, [1.0, 0.0, 0.0, 0.0, 0.5, 0.5]);
}

fn reductions_agree<T: Real>(shape: [usize; 3]) {
    let x = noise::<T>(shape.iter().product(), 7);
    let lines = oracle::lines(shape, &wide(&x));
    let per_line = |f: &dyn Fn(&[f64]) -> f64| lines.iter().map(|l| f(l)).collect::<Vec<f64>>();
    let context = format!("{shape:?}");
    let mut out = vec![T::from_f64(f64::NAN); lines.len()];
    let total = |l: &[f64]| l.iter().sum::<f64>();
    reduce::sum(&x, shape, &mut out);
    // One rounding of the result, whatever the length of the axis.
    assert_close(&out, &per_line(&total), shape[1].min(60), &context);
    reduce::mean(&x, shape, &mut out);
    assert_close(&out, &per_line(&|l| total(l) / l.len() as f64), 1, &context);
    reduce::max(&x, shape, &mut out);
    assert_eq!(wide(&out), per_line(&|l| l.iter().copied().fold(f64::NEG_INFINITY, f64::max)), "{context}");
    reduce::min(&x, shape, &mut out);
    assert_eq!(wide(&out), per_line(&|l| l.iter().copied().fold(f64::INFINITY, f64::min)), "{context}");
    reduce::log_sum_exp(&x, shape, &mut out);
    assert_close(&out, &per_line(&oracle::log_sum_exp), 16, &context);
    // Few distinct values, so that the first of several equal ones is wanted.
    let coarse: Vec<T> = x.iter().map(|v| (*v * T::from_f64(2.0)).floor()).collect();
    let lines = oracle::lines(shape, &wide(&coarse));
    let mut at = vec![9; lines.len()];
    let first = |better: &dyn Fn(f64, f64) -> bool| {
        let best = |l: &Vec<f64>| (0..l.len()).reduce(|m, i| if better(l[i], l[m]) { i } else { m });
        lines.iter().map(|l| best(l).unwrap() as u32).collect::<Vec<_>>()
    };
    reduce::max_index(&coarse, shape, &mut at);
    assert_eq!(at, first(&|a, b| a > b), "{context}");
    reduce::min_index(&coarse, shape, &mut at);
    assert_eq!(at, first(&|a, b| a < b), "{context}");
}

fn softmaxes_agree<T: Real>(shape: [usize; 3]) {
    let mut x = noise::<T>(shape.iter().product(), 3);
    // Large values would overflow without the shift; -inf must get probability 0.
    x.iter_mut().for_each(|v| *v *= T::from_f64(200.0));
    if shape[1] > 1 {
        x[0] = T::NEG_INFINITY;
    }
    let (mut soft, mut log) = (x.clone(), x.clone());
    softmax::softmax(&x, shape, &mut soft);
    softmax::log_softmax(&x, shape, &mut log);
    let lines = [&x, &soft, &log].map(|v| oracle::lines(shape, &wide(v)));
    for (i, line) in lines[0].iter().enumerate() {
        let norm = oracle::log_sum_exp(line);
        for (j, x) in line.iter().enumerate() {
            let tolerance = 1000.0 * T::EPSILON.to_f64();
            assert!((lines[1][i][j] - (x - norm).exp()).abs() <= tolerance, "softmax {shape:?}");
            let (found, exact) = (lines[2][i][j], x - norm);
            assert!(
                found == exact || (found - exact).abs() <= tolerance,
                "log {shape:?}: {found}, not {exact}"
            );
        }
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn reductions_and_softmax_agree_with_the_oracle(
        outer in 1usize..5, axis in 1usize..150, inner in prop_oneof![Just(1usize), 2usize..70],
    ) {
        reductions_agree::<f32>([outer, axis, inner]);
        reductions_agree::<f64>([outer, axis, inner]);
        softmaxes_agree::<f32>([outer, axis, inner]);
        softmaxes_agree::<f64>([outer, axis, inner]);
    }
}

#[test]
fn empty_axes_and_lines_of_minus_infinity_are_defined() {
    let mut out = [7.0f32; 2];
    reduce::sum(&[], [2, 0, 1], &mut out);
    assert_eq!(out, [0.0; 2]);
    reduce::max(&[], [1, 0, 2], &mut out);
    assert_eq!(out, [f32::NEG_INFINITY; 2]);
    reduce::log_sum_exp(&[f32::NEG_INFINITY; 4], [2, 2, 1], &mut out);
    assert_eq!(out, [f32::NEG_INFINITY; 2]);
}

fn pooling() -> impl Strategy<Value = (PoolGeometry, [usize; 3])> {
    let axis = (1usize..14, 1usize..5, 1usize..5, 1usize..4, 0usize..4, 0usize..4, any::<bool>());
    (axis.clone(), axis.clone(), axis, 1usize..40, 1usize..4).prop_map(|(a, b, c, channels, rank)| {
        let flat = (1, 1, 1, 1, 0, 0, false);
        let axes = [if rank > 2 { a } else { flat }, if rank > 1 { b } else { flat }, c];
        // Windows that start inside the padded input; with `ceil`, the last may reach beyond it. Padding is less
        // than the window, so that each window has a real cell, as ONNX demands.
        let pads = axes.map(|(_, k, _, _, p, e, _)| (p.min(k - 1), e.min(k - 1)));
        let outputs: [usize; 3] = std::array::from_fn(|i| {
            let (input, k, stride, d, _, _, ceil) = axes[i];
            let (padded, span) = (input + pads[i].0 + pads[i].1, (k - 1) * d + 1);
            let steps = padded.saturating_sub(span);
            let steps = if ceil { steps.div_ceil(stride) } else { steps / stride };
            // A last window that starts in the end padding is dropped.
            if steps * stride >= input + pads[i].0 {
                steps
            } else {
                steps + 1
            }
        });
        let g = PoolGeometry {
            input: axes.map(|a| a.0),
            output: outputs,
            kernel: axes.map(|a| a.1),
            stride: axes.map(|a| a.2),
            dilation: axes.map(|a| a.3),
            pad: pads.map(|p| p.0),
            channels,
        };
        (g, pads.map(|p| p.1))
    })
}

fn has_only_real_windows(g: &PoolGeometry) -> bool {
    (0..3).all(|a| {
        (0..g.output[a]).all(|o| {
            (0..g.kernel[a]).any(|k| {
                let cell = (o * g.stride[a] + k * g.dilation[a]) as isize - g.pad[a] as isize;
                (0..g.input[a] as isize).contains(&cell)
            })
        })
    })
}

/// The rule `cross` by its definition, and the way back, which with differences gives those of the maxima.
fn crosses_agree<T: Real>(g: &PoolGeometry, x: &[T]) {
    // Some windows agree, some have ties, and some are equal on both sides.
    let x0: Vec<T> = noise::<T>(x.len(), 3).iter().map(|v| (*v * T::from_f64(2.0)).floor()).collect();
    let x0: Vec<T> =
        x0.iter().zip(x).enumerate().map(|(i, (a, b))| if i % 3 > 0 { *a } else { *b }).collect();
    let ((y, w), (y0, w0)) = (oracle::max_pool(g, &wide(x)), oracle::max_pool(g, &wide(&x0)));
    let (n, context) = (y.len(), format!("{g:?}"));
    let (mut found0, mut taken, mut m) = (vec![T::ZERO; n], vec![0; n], vec![T::ZERO; n]);
    pool::max_pool_cross(g, x, &x0, &mut found0, &mut taken, &mut m);
    assert_eq!(wide(&found0), y0, "{context}");
    let difference = |i: u32| x[i as usize].to_f64() - x0[i as usize].to_f64();
    let mut expected = vec![];
    for o in 0..n {
        let at = if y[o] >= y0[o] { w[o] } else { w0[o] };
        assert_eq!(taken[o], at, "{context}: window {o}");
        let whole = w[o] == w0[o] || difference(at) == 0.0;
        expected.push(if whole { 1.0 } else { (y[o] - y0[o]) / difference(at) });
    }
    assert_close(&m, &expected, 1, &context);
    let my = noise::<T>(n, 4);
    let scale = noise::<T>(x.len(), 5);
    let origin = 7;
    taken.iter_mut().for_each(|t| *t += origin);
    for (scale, accumulate) in
        [(None, false), (None, true), (Some(&scale[..]), false), (Some(&scale[..]), true)]
    {
        let mut mx = vec![T::from_f64(if accumulate { 1.0 } else { f64::NAN }); x.len()];
        let mut sums = vec![if accumulate { 1.0 } else { 0.0 }; x.len()];
        for o in 0..n {
            let at = (taken[o] - origin) as usize;
            sums[at] += m[o].to_f64() * my[o].to_f64() * scale.map_or(1.0, |s| s[at].to_f64());
        }
        pool::max_pool_route(g, origin, &taken, &m, &my, scale, &mut mx, accumulate);
        assert_close(&mx, &sums, 128, &context);
    }
}

fn pools_agree<T: Real>(g: &PoolGeometry, pad_end: [usize; 3]) {
    let x: Vec<T> =
        noise::<T>(g.input_len(), 1).into_iter().map(|v| (v * T::from_f64(3.0)).floor()).collect();
    let m = noise::<T>(g.output_len(), 2);
    let (expected, winners) = oracle::max_pool(g, &wide(&x));
    let mut y = vec![T::ZERO; g.output_len()];
    pool::max_pool(g, &x, &mut y);
    assert_eq!(wide(&y), expected, "{g:?}");
    let mut found = vec![0; y.len()];
    pool::max_pool_winners(g, &x, &mut found);
    assert_eq!(found, winners, "{g:?}");
    if g.cells() <= pool::MOST_CELLS {
        crosses_agree(g, &x);
    }
    for count_include_pad in [false, true] {
        let average = AveragePool::new(g.clone(), count_include_pad, pad_end);
        average.forward(&x, &mut y);
        let context = format!("{g:?} {count_include_pad}");
        assert_close(&y, &oracle::average_pool(g, count_include_pad, pad_end, &wide(&x)), 128, &context);
        let mut mx = vec![T::ONE; x.len()];
        average.adjoint(&m, &mut mx, true);
        let adjoint = oracle::average_pool_adjoint(g, count_include_pad, pad_end, &wide(&m));
        assert_close(&mx, &adjoint.iter().map(|v| v + 1.0).collect::<Vec<_>>(), 128, &context);
        average.adjoint(&m, &mut mx, false);
        assert_close(&mx, &adjoint, 128, &context);
        let (left, right) = (inner(&wide(&y), &wide(&m)), inner(&wide(&x), &wide(&mx)));
        let bound = 8.0 * T::EPSILON.to_f64() * (x.len() + m.len()) as f64;
        assert!((left - right).abs() <= bound, "{context}: <Ax, m> = {left}, <x, A'm> = {right}");
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn pooling_agrees_with_the_oracle((g, pad_end) in pooling()) {
        prop_assume!(has_only_real_windows(&g));
        pools_agree::<f32>(&g, pad_end);
        pools_agree::<f64>(&g, pad_end);
    }
}

/// Standardising the middle axis, cut into pieces, of lanes with one innermost element and with many: the output, and
/// that multipliers times differences are the difference of the output.
fn standardising_agrees<T: Real>(shape: [usize; 3], centre: bool) {
    let groups = Groups::new(&[shape[0], 2, shape[1], shape[2]], &[false, false, true, false]);
    let n = groups.elements();
    let kernel = Standardise { groups, centre, divisor: shape[1] as f64, epsilon: 0.01, offset: 0.0 };
    let (x, x0, m) = (noise::<T>(n, 1), noise::<T>(n, 2), noise::<T>(n, 3));
    let (y, y0) = (
        oracle::standardise(shape, centre, 0.01, &wide(&x)),
        oracle::standardise(shape, centre, 0.01, &wide(&x0)),
    );
    let mut found = vec![T::ZERO; n];
    kernel.forward(&x, &mut found);
    let context = format!("{shape:?} {centre}");
    assert_close(&found, &y, 64, &context);
    let mut record = vec![T::ZERO; kernel.record_len()];
    kernel.record(&x, &x0, &mut record);
    let mut mx = vec![T::ONE; n];
    kernel.adjoint(&record, &m, &mut mx, true);
    mx.iter_mut().for_each(|v| *v -= T::ONE);
    let difference = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(&b).map(|(a, b)| a - b).collect::<Vec<_>>();
    let left = inner(&wide(&m), &difference(y, y0));
    let right = inner(&wide(&mx), &difference(wide(&x), wide(&x0)));
    let bound = 64.0 * T::EPSILON.to_f64() * n as f64;
    assert!((left - right).abs() <= bound, "{context}: {left} and {right}");
}

#[test]
fn standardising_agrees_with_the_oracle() {
    for shape in [[1, 5, 1], [3, 40, 1], [1, 7, 33], [2, 3, 4], [1, 100, 16]] {
        for centre in [false, true] {
            standardising_agrees::<f32>(shape, centre);
            standardising_agrees::<f64>(shape, centre);
        }
    }
}

/// Logarithmic means against their definition, and multipliers against the law that they are made for: times the
/// difference of the inputs they are the difference of the output.
fn softmax_pairs_agree<T: Real>(shape: [usize; 3], scale: f64) {
    let n = shape.iter().product();
    let scaled =
        |seed: u64| -> Vec<T> { noise::<T>(n, seed).into_iter().map(|v| v * T::from_f64(scale)).collect() };
    let (mut x, mut x0, m) = (scaled(5), scaled(6), noise::<T>(n, 7));
    // Equal, almost equal, masked in both, masked in one.
    x0[0] = x[0];
    x0[n / 2] = x[n / 2] + T::from_f64(1e-3);
    if shape[1] > 4 {
        (x[n - 1], x0[n - 1]) = (T::NEG_INFINITY, T::NEG_INFINITY);
    }
    let context = format!("{shape:?} x {scale}");
    let mut means = vec![T::ONE; n];
    softmax::log_means(&x, &x0, shape, &mut means);
    let lines = [&x, &x0].map(|v| oracle::lines(shape, &wide(v)));
    let found = oracle::lines(shape, &wide(&means));
    for (i, found) in found.iter().enumerate() {
        let norms = [0, 1].map(|s| oracle::log_sum_exp(&lines[s][i]));
        for (j, found) in found.iter().enumerate() {
            let [p, q] = [0, 1].map(|s| lines[s][i][j] - norms[s]);
            let exact = if p == f64::NEG_INFINITY || q == f64::NEG_INFINITY {
                0.0
            } else if (p - q).abs() < 1e-6 {
                (0.5 * (p + q)).exp()
            } else {
                q.exp() * (p - q).exp_m1() / (p - q)
            };
            let bound = 64.0 * T::EPSILON.to_f64() * (1.0 + scale) * exact + 1e-30 + 1e-12 * exact;
            assert!((found - exact).abs() <= bound, "{context}: mean {found}, not {exact}");
        }
    }
    let mut mx = vec![T::ONE; n];
    softmax::adjoint(&means, &m, shape, &mut mx, true);
    let mut fresh = vec![T::ZERO; n];
    softmax::adjoint(&means, &m, shape, &mut fresh, false);
    let mut soft = [x.clone(), x0.clone()];
    softmax::softmax(&x, shape, &mut soft[0]);
    softmax::softmax(&x0, shape, &mut soft[1]);
    let (mut left, mut right) = (0.0, 0.0);
    for i in 0..n {
        assert!((mx[i] - T::ONE - fresh[i]).abs() <= T::EPSILON + T::EPSILON, "{context}: added");
        if x[i] > T::NEG_INFINITY {
            right += fresh[i].to_f64() * (x[i].to_f64() - x0[i].to_f64());
        }
        left += m[i].to_f64() * (soft[0][i].to_f64() - soft[1][i].to_f64());
    }
    let bound = 64.0 * T::EPSILON.to_f64() * (1.0 + scale) * (shape[0] * shape[2]) as f64;
    assert!((left - right).abs() <= bound, "{context}: {left} and {right}");
}

#[test]
fn pairs_of_softmaxes_agree_with_their_definition() {
    for shape in [[1, 1, 1], [1, 7, 1], [40, 300, 1], [2, 5, 3], [3, 17, 40], [1, 9000, 1]] {
        for scale in [1.0, 20.0] {
            softmax_pairs_agree::<f32>(shape, scale);
            softmax_pairs_agree::<f64>(shape, scale);
        }
    }
}

#[test]
fn masked_lines_have_no_means_and_no_multipliers() {
    let x = [f64::NEG_INFINITY; 3];
    let mut means = [1.0; 3];
    softmax::log_means(&x, &x, [1, 3, 1], &mut means);
    assert_eq!(means, [0.0; 3]);
    let mut mx = [1.0; 3];
    softmax::adjoint(&means, &[1.0, 2.0, 3.0], [1, 3, 1], &mut mx, false);
    assert_eq!(mx, [0.0; 3]);
    // Masked on one side only: the limit.
    softmax::log_means(&[0.0, f64::NEG_INFINITY], &[0.0, 0.0], [1, 2, 1], &mut means[..2]);
    assert_eq!(means[1], 0.0);
}
