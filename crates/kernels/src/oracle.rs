//! Plain float64 loops: the reference every kernel is tested against. Slow, short, and obviously right.

use crate::{ConvGeometry, PoolGeometry};

/// Row-major positions of a grid.
fn positions(shape: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..shape.iter().product::<usize>())
        .map(move |i| [i / (shape[1] * shape[2]), i / shape[2] % shape[1], i % shape[2]])
}

/// Row-major index of a position.
fn index(shape: [usize; 3], at: [usize; 3]) -> usize {
    (at[0] * shape[1] + at[1]) * shape[2] + at[2]
}

/// Where tap `tap` of output `at` reads the input: `at * stride + tap * dilation - pad`, before any check.
fn reach(
    at: [usize; 3],
    tap: [usize; 3],
    stride: [usize; 3],
    dilation: [usize; 3],
    pad: [usize; 3],
) -> [isize; 3] {
    std::array::from_fn(|a| (at[a] * stride[a] + tap[a] * dilation[a]) as isize - pad[a] as isize)
}

/// The index of a reached cell, or `None` in the padding.
fn inside(shape: [usize; 3], at: [isize; 3]) -> Option<usize> {
    (0..3)
        .all(|a| at[a] >= 0 && at[a] < shape[a] as isize)
        .then(|| index(shape, std::array::from_fn(|a| at[a] as usize)))
}

/// Calls `visit(x index, y index, weight index)` for every product in a convolution.
fn conv_products(g: &ConvGeometry, mut visit: impl FnMut(usize, usize, usize)) {
    let (ins, outs) = (g.in_channels / g.groups, g.out_channels / g.groups);
    let taps: usize = g.kernel.iter().product();
    for at in positions(g.output) {
        for tap in positions(g.kernel) {
            let Some(source) = inside(g.input, reach(at, tap, g.stride, g.dilation, g.pad)) else { continue };
            for o in 0..g.out_channels {
                for i in 0..ins {
                    visit(
                        source * g.in_channels + o / outs * ins + i,
                        index(g.output, at) * g.out_channels + o,
                        (o * ins + i) * taps + index(g.kernel, tap),
                    );
                }
            }
        }
    }
}

/// Convolution of one lane; `weights` are `[out_channels][in_channels / groups][k0][k1][k2]`.
pub fn conv(g: &ConvGeometry, x: &[f64], weights: &[f64], bias: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; g.output_len()];
    conv_products(g, |xi, yi, wi| y[yi] += x[xi] * weights[wi]);
    if !bias.is_empty() {
        y.iter_mut().enumerate().for_each(|(i, y)| *y += bias[i % g.out_channels]);
    }
    y
}

/// Adjoint of [`conv`] without bias.
pub fn conv_adjoint(g: &ConvGeometry, my: &[f64], weights: &[f64]) -> Vec<f64> {
    let mut mx = vec![0.0; g.input_len()];
    conv_products(g, |xi, yi, wi| mx[xi] += my[yi] * weights[wi]);
    mx
}

/// `y[m, n] = sum_k x[m, k] w[k, n] + b[n]`.
pub fn dense(rows: usize, k: usize, n: usize, x: &[f64], weights: &[f64], bias: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; rows * n];
    for m in 0..rows {
        for j in 0..n {
            let sum: f64 = (0..k).map(|i| x[m * k + i] * weights[i * n + j]).sum();
            y[m * n + j] = sum + bias.get(j).copied().unwrap_or(0.0);
        }
    }
    y
}

/// Calls `visit(y position, x positions inside the window in row-major order)`.
fn windows(g: &PoolGeometry, mut visit: impl FnMut(usize, &[usize])) {
    for at in positions(g.output) {
        let cells: Vec<usize> = positions(g.kernel)
            .filter_map(|tap| inside(g.input, reach(at, tap, g.stride, g.dilation, g.pad)))
            .collect();
        visit(index(g.output, at), &cells);
    }
}

/// Maximum and the index of its first occurrence in the lane, per window and channel.
pub fn max_pool(g: &PoolGeometry, x: &[f64]) -> (Vec<f64>, Vec<u32>) {
    let mut y = vec![f64::NEG_INFINITY; g.output_len()];
    let mut winners = vec![0; g.output_len()];
    windows(g, |to, cells| {
        for c in 0..g.channels {
            let indices = cells.iter().map(|cell| cell * g.channels + c);
            let best = indices.reduce(|best, i| if x[i] > x[best] { i } else { best });
            let best = best.expect("window has a real cell");
            y[to * g.channels + c] = x[best];
            winners[to * g.channels + c] = best as u32;
        }
    });
    (y, winners)
}

/// Number of cells each window of an average divides by.
fn divisor(g: &PoolGeometry, at: [usize; 3], count_include_pad: bool, pad_end: [usize; 3]) -> f64 {
    let counted = positions(g.kernel).filter(|&tap| {
        let cell = reach(at, tap, g.stride, g.dilation, g.pad);
        (0..3).all(|a| {
            let end = g.input[a] + if count_include_pad { pad_end[a] } else { 0 };
            (count_include_pad || cell[a] >= 0) && cell[a] < end as isize
        })
    });
    counted.count() as f64
}

/// Calls `visit(x index, y index, 1 / divisor)` for every term of an average pool.
fn average_terms(
    g: &PoolGeometry,
    count_include_pad: bool,
    pad_end: [usize; 3],
    mut visit: impl FnMut(usize, usize, f64),
) {
    let grid: Vec<[usize; 3]> = positions(g.output).collect();
    windows(g, |to, cells| {
        let divisor = divisor(g, grid[to], count_include_pad, pad_end);
        for cell in cells {
            for c in 0..g.channels {
                visit(cell * g.channels + c, to * g.channels + c, 1.0 / divisor);
            }
        }
    });
}

/// Average pooling of one lane.
pub fn average_pool(g: &PoolGeometry, count_include_pad: bool, pad_end: [usize; 3], x: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; g.output_len()];
    average_terms(g, count_include_pad, pad_end, |xi, yi, weight| y[yi] += x[xi] * weight);
    y
}

/// Adjoint of [`average_pool`].
pub fn average_pool_adjoint(
    g: &PoolGeometry,
    count_include_pad: bool,
    pad_end: [usize; 3],
    my: &[f64],
) -> Vec<f64> {
    let mut mx = vec![0.0; g.input_len()];
    average_terms(g, count_include_pad, pad_end, |xi, yi, weight| mx[xi] += my[yi] * weight);
    mx
}

/// Divided difference of ReLU; the derivative where both are equal.
pub fn relu_ratio(z: f64, z0: f64) -> f64 {
    if z == z0 {
        f64::from(z > 0.0)
    } else {
        (z.max(0.0) - z0.max(0.0)) / (z - z0)
    }
}

/// The values along the middle axis of `[outer, axis, inner]`, one vector per (outer, inner).
pub fn lines(shape: [usize; 3], x: &[f64]) -> Vec<Vec<f64>> {
    let [outer, axis, inner] = shape;
    let line = |l: usize| (0..axis).map(|a| x[((l / inner) * axis + a) * inner + l % inner]).collect();
    (0..outer * inner).map(line).collect()
}

/// `ln sum exp` of one line.
pub fn log_sum_exp(line: &[f64]) -> f64 {
    let max = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if max.is_infinite() {
        return max;
    }
    max + line.iter().map(|v| (v - max).exp()).sum::<f64>().ln()
}

/// Sum of products over named axes, see [`Contraction`](crate::Contraction): for every index of all axes, the product
/// of the operands' elements is added to the output's.
pub fn contraction(
    sizes: &[usize],
    operands: [(&[f64], &[Option<usize>]); 2],
    (out, len): (&[Option<usize>], usize),
) -> Vec<f64> {
    let mut y = vec![0.0; len];
    let at = |strides: &[Option<usize>], index: &[usize]| -> usize {
        strides.iter().zip(index).map(|(s, i)| s.unwrap_or(0) * i).sum()
    };
    for mut flat in 0..sizes.iter().product::<usize>() {
        let mut index = vec![0; sizes.len()];
        for (i, n) in index.iter_mut().zip(sizes) {
            (*i, flat) = (flat % n, flat / n);
        }
        let [(a, sa), (b, sb)] = operands;
        y[at(out, &index)] += a[at(sa, &index)] * b[at(sb, &index)];
    }
    y
}

/// Deviations from the mean of the middle axis (from 0 without `centre`) over the root of their mean square plus
/// `epsilon`; any number of `[s0, s1, s2]` blocks.
pub fn standardise([_, extent, inner]: [usize; 3], centre: bool, epsilon: f64, x: &[f64]) -> Vec<f64> {
    let line = |i: usize| {
        let start = i / (extent * inner) * extent * inner + i % inner;
        (0..extent).map(move |k| x[start + k * inner])
    };
    let n = extent as f64;
    let standard = |(i, v): (usize, &f64)| {
        let mean = if centre { line(i).sum::<f64>() / n } else { 0.0 };
        let square = line(i).map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
        (v - mean) / (square + epsilon).sqrt()
    };
    x.iter().enumerate().map(standard).collect()
}
