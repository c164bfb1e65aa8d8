//! Geometry that convolutions and pools share: auto_pad, asymmetric pads, ceil_mode.
use std::ops::Range;

use deeplift_graph::broadcast::{inverse, transpose_index};
use deeplift_graph::{ensure, Build, Constant, Fact, Result};

/// Sizes along the spatial axes, of which there may be one to three.
#[derive(Clone, Debug)]
pub struct Windows {
    /// Input, output, window and step sizes; paddings before and after.
    pub input: Vec<usize>,
    #[allow(missing_docs)]
    pub output: Vec<usize>,
    #[allow(missing_docs)]
    pub kernel: Vec<usize>,
    #[allow(missing_docs)]
    pub stride: Vec<usize>,
    #[allow(missing_docs)]
    pub dilation: Vec<usize>,
    #[allow(missing_docs)]
    pub pad: Vec<usize>,
    #[allow(missing_docs)]
    pub pad_end: Vec<usize>,
}

/// Lengths on the three axes that kernels have, leading ones for fewer.
pub fn three(v: &[usize], fill: usize) -> [usize; 3] {
    let mut out = [fill; 3];
    out[3 - v.len()..].copy_from_slice(v);
    out
}

/// Splits the shape of input 0 into batch, spatial sizes and channels.
pub fn spatial(cx: &Build<'_>) -> Result<(usize, Vec<usize>, usize, bool)> {
    let shape = &cx.input(0)?.shape;
    let last = cx.int("channels_last", 0)? != 0;
    ensure!(
        (3..=5).contains(&shape.len()),
        InvalidModel,
        "shape {shape:?} has {} axes; batch, channels and one to three spatial axes were expected",
        shape.len()
    );
    ensure!(!shape.contains(&0), InvalidModel, "shape {shape:?} has no element");
    let n = shape.len();
    Ok(if last {
        (shape[0], shape[1..n - 1].to_vec(), shape[n - 1], true)
    } else {
        (shape[0], shape[2..].to_vec(), shape[1], false)
    })
}

/// The output shape in the same order of axes as the input.
pub fn output_shape(batch: usize, spatial: &[usize], channels: usize, last: bool) -> Vec<usize> {
    let mut shape = vec![batch];
    if !last {
        shape.push(channels);
    }
    shape.extend(spatial);
    if last {
        shape.push(channels);
    }
    shape
}

/// An attribute of `n` sizes that are at least `least`.
pub fn sizes(cx: &Build<'_>, name: &str, n: usize, default: i64, least: i64) -> Result<Vec<usize>> {
    let v = cx.ints(name)?.unwrap_or(vec![default; n]);
    ensure!(v.len() == n, InvalidModel, "attribute '{name}' has {} values, expected {n}", v.len());
    let good = v.iter().all(|&v| (least..1 << 31).contains(&v));
    ensure!(good, InvalidModel, "attribute '{name}' is {v:?}; values of at least {least} were expected");
    Ok(v.into_iter().map(|v| v as usize).collect())
}

/// Runs a kernel for channels last on a constant, whose channels are on axis 1 unless `last`.
pub fn fold_channels_last(
    x: &Constant,
    output: &Fact,
    last: bool,
    run: impl FnOnce(&[f64], &mut [f64]),
) -> Constant {
    let mut y = vec![0.0; output.len()];
    if last {
        run(&x.to_f64(), &mut y);
        return crate::shape::as_dtype(Constant::f64(output.shape.clone(), y), output.dtype);
    }
    let mut to_last = vec![0];
    to_last.extend(2..x.shape.len());
    to_last.push(1);
    let (_, index) = transpose_index(&x.shape, &to_last);
    let values: Vec<f64> = index.into_iter().map(|i| x.at(i)).collect();
    run(&values, &mut y);
    let shape: Vec<usize> = to_last.iter().map(|&a| output.shape[a]).collect();
    let y = Constant::f64(shape, y).transposed(&inverse(&to_last));
    crate::shape::as_dtype(y, output.dtype)
}

impl Windows {
    /// Reads strides, dilations, pads, auto_pad and ceil_mode for windows of `kernel`.
    pub fn read(cx: &Build<'_>, input: &[usize], kernel: &[usize]) -> Result<Self> {
        let rank = input.len();
        ensure!(
            kernel.len() == rank && kernel.iter().all(|&k| k > 0),
            InvalidModel,
            "window {kernel:?} does not fit {rank} spatial axes"
        );
        let stride = sizes(cx, "strides", rank, 1, 1)?;
        let dilation = sizes(cx, "dilations", rank, 1, 1)?;
        let pads = sizes(cx, "pads", 2 * rank, 0, 0)?;
        let auto = cx.string("auto_pad", "NOTSET")?;
        let ceil = cx.int("ceil_mode", 0)? != 0;
        let mut w = Windows {
            input: input.to_vec(),
            output: vec![],
            kernel: kernel.to_vec(),
            stride,
            dilation,
            pad: pads[..rank].to_vec(),
            pad_end: pads[rank..].to_vec(),
        };
        for a in 0..rank {
            let extent = (kernel[a] - 1).saturating_mul(w.dilation[a]).saturating_add(1);
            match auto.as_str() {
                "SAME_UPPER" | "SAME_LOWER" => {
                    let out = input[a].div_ceil(w.stride[a]);
                    let reach = out.saturating_sub(1) * w.stride[a];
                    let total = reach.saturating_add(extent).saturating_sub(input[a]);
                    let small = total / 2;
                    let (before, after) =
                        if auto == "SAME_UPPER" { (small, total - small) } else { (total - small, small) };
                    (w.pad[a], w.pad_end[a]) = (before, after);
                }
                "VALID" => (w.pad[a], w.pad_end[a]) = (0, 0),
                "NOTSET" | "" => {}
                _ => deeplift_graph::bail!(InvalidModel, "auto_pad '{auto}' is unknown"),
            }
            let padded = input[a] + w.pad[a] + w.pad_end[a];
            ensure!(
                padded >= extent,
                InvalidModel,
                "a window of {extent} positions does not fit {} positions with padding on spatial axis {a}",
                padded
            );
            let steps = padded - extent;
            let mut out = if ceil { steps.div_ceil(w.stride[a]) } else { steps / w.stride[a] } + 1;
            // A window must start inside the input or its left padding (PyTorch's rule, and ONNX Runtime's).
            if ceil && (out - 1) * w.stride[a] >= input[a] + w.pad[a] {
                out -= 1;
            }
            w.output.push(out);
        }
        Ok(w)
    }

    /// Whether window `o` along axis `a` covers a position of the input.
    pub fn sees_input(&self, a: usize, o: usize) -> bool {
        let start = o * self.stride[a];
        (0..self.kernel[a])
            .any(|t| (self.pad[a]..self.pad[a] + self.input[a]).contains(&(start + t * self.dilation[a])))
    }

    /// The attribute `kernel_shape`.
    pub fn kernel_shape(cx: &Build<'_>) -> Result<Vec<usize>> {
        let k = cx.ints("kernel_shape")?.unwrap_or_default();
        ensure!(
            !k.is_empty() && k.iter().all(|k| (1..1 << 31).contains(k)),
            InvalidModel,
            "kernel_shape {k:?} is not usable"
        );
        Ok(k.into_iter().map(|k| k as usize).collect())
    }

    /// As the kernels' pool geometry.
    pub fn pool(&self, channels: usize) -> deeplift_kernels::PoolGeometry {
        deeplift_kernels::PoolGeometry {
            input: three(&self.input, 1),
            output: three(&self.output, 1),
            kernel: three(&self.kernel, 1),
            stride: three(&self.stride, 1),
            dilation: three(&self.dilation, 1),
            pad: three(&self.pad, 0),
            channels,
        }
    }
}

/// Output elements of a channels-last pooling that see any of the elements `input`.
pub fn writes(g: &deeplift_kernels::PoolGeometry, input: &Range<usize>) -> Range<usize> {
    let c = g.channels.max(1);
    match g.writes(&(input.start / c..input.end.div_ceil(c))) {
        Some(positions) => positions.start * c..positions.end * c,
        None => 0..usize::MAX,
    }
}
