//! ConvTranspose: the adjoint of a convolution, plus a bias. One to three spatial axes, groups, strides, dilations.
use deeplift_graph::constant::element_count;
use deeplift_graph::operator::Linear;
use deeplift_graph::{bail, ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::{ConvGeometry, Scratch};
use deeplift_simd::Real;

use crate::conv_kernel::{Direction, Kernel};
use crate::pool::{fold_channels_last, output_shape, sizes, spatial, three};

struct ConvTranspose {
    fact: Fact,
    batch: usize,
    /// Of the convolution whose adjoint it is: its output is this operator's input.
    geometry: ConvGeometry,
    last: bool,
    weights: Constant,
    bias: Option<Constant>,
}

/// Weights `[in, out / groups, taps..]` and the optional bias are constants.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let (batch, input, channels, last) = spatial(cx)?;
    let weights = cx.constant(1, "weights")?.clone();
    let groups = cx.int("group", 1)?;
    ensure!(weights.shape.len() == input.len() + 2, InvalidModel, "weights of shape {:?}", weights.shape);
    let (ins, outs, taps) = (weights.shape[0], weights.shape[1], &weights.shape[2..]);
    ensure!(
        groups > 0 && ins == channels && channels.is_multiple_of(groups as usize),
        InvalidModel,
        "weights of shape {:?} with {groups} groups do not fit {channels} channels",
        weights.shape
    );
    let outs = outs.saturating_mul(groups as usize);
    if let Some(k) = cx.ints("kernel_shape")? {
        let same = k.len() == taps.len() && k.iter().zip(taps).all(|(&k, &t)| k == t as i64);
        ensure!(same, InvalidModel, "kernel_shape {k:?} differs from weights of shape {:?}", weights.shape);
    }
    let bias = cx.optional_constant(2, "bias")?.cloned();
    if let Some(b) = &bias {
        ensure!(b.len() == outs, InvalidModel, "bias of {} values for {outs} output channels", b.len());
    }
    let axes = axes(cx, &input, taps)?;
    let output: Vec<usize> = axes.iter().map(|a| a.output).collect();
    let shape = output_shape(batch, &output, outs, last);
    element_count(&shape)?;
    let column = |f: fn(&Axis) -> usize, fill: usize| three(&axes.iter().map(f).collect::<Vec<_>>(), fill);
    let geometry = ConvGeometry {
        input: column(|a| a.output, 1),
        output: three(&input, 1),
        kernel: three(taps, 1),
        stride: column(|a| a.stride, 1),
        dilation: column(|a| a.dilation, 1),
        pad: column(|a| a.pad, 0),
        in_channels: outs,
        out_channels: channels,
        groups: groups as usize,
    };
    let fact = Fact::data(shape, cx.input(0)?.dtype);
    Ok(Box::new(ConvTranspose { fact, batch, geometry, last, weights, bias }))
}

/// One spatial axis: output positions, of which the first `pad` that the taps reach are cut off.
struct Axis {
    output: usize,
    stride: usize,
    dilation: usize,
    pad: usize,
}

/// Positions that taps reach are `stride (n - 1) + (taps - 1) dilation + 1 + output_padding`. Explicit pads cut them;
/// a wanted output shape, or auto_pad SAME with `n stride`, says how many are cut in total.
fn axes(cx: &Build<'_>, input: &[usize], taps: &[usize]) -> Result<Vec<Axis>> {
    let rank = input.len();
    ensure!(taps.iter().all(|&t| t > 0), InvalidModel, "weights without taps");
    let stride = sizes(cx, "strides", rank, 1, 1)?;
    let dilation = sizes(cx, "dilations", rank, 1, 1)?;
    let extra = sizes(cx, "output_padding", rank, 0, 0)?;
    let pads = sizes(cx, "pads", 2 * rank, 0, 0)?;
    let auto = cx.string("auto_pad", "NOTSET")?;
    ensure!(
        ["NOTSET", "", "SAME_UPPER", "SAME_LOWER", "VALID"].contains(&auto.as_str()),
        InvalidModel,
        "auto_pad '{auto}' is unknown"
    );
    let wanted = match cx.ints("output_shape")? {
        None => None,
        // Some exporters write batch and channels too.
        Some(s) if s.len() == rank || s.len() == rank + 2 => Some(s[s.len() - rank..].to_vec()),
        Some(s) => bail!(InvalidModel, "output_shape {s:?} does not fit {rank} spatial axes"),
    };
    let mut axes = Vec::with_capacity(rank);
    for a in 0..rank {
        let reach = (input[a].max(1) - 1).saturating_mul(stride[a]);
        let extent = (taps[a] - 1).saturating_mul(dilation[a]).saturating_add(1);
        let full = reach.saturating_add(extent).saturating_add(extra[a]);
        let same = auto.starts_with("SAME").then(|| input[a].saturating_mul(stride[a]));
        let exact = match &wanted {
            Some(w) => {
                ensure!((1..1 << 31).contains(&w[a]), InvalidModel, "output_shape {w:?} is not usable");
                Some(w[a] as usize)
            }
            None => same,
        };
        let (output, pad) = match exact {
            Some(output) => {
                let total = full.saturating_sub(output);
                (output, if auto == "SAME_UPPER" { total / 2 } else { total - total / 2 })
            }
            None if auto == "VALID" => (full, 0),
            None => {
                let (before, after) = (pads[a], pads[a + rank]);
                ensure!(
                    before + after < full,
                    InvalidModel,
                    "pads {before} and {after} leave nothing of {full} positions on spatial axis {a}"
                );
                (full - before - after, before)
            }
        };
        axes.push(Axis { output, stride: stride[a], dilation: dilation[a], pad });
    }
    Ok(axes)
}

impl ConvTranspose {
    fn kernel<T: Real>(&self) -> Kernel<T> {
        let bias = self.bias.as_ref().map_or(vec![], Constant::to_real);
        Kernel::new(Direction::Transposed, self.batch, &self.geometry, &self.weights, bias)
    }

    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        if !self.last {
            bail!(Internal, "a transposed convolution has a kernel for channels last only")
        }
        Ok(Structure::Linear(Box::new(self.kernel())))
    }
}

impl Operator for ConvTranspose {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        let Some(x) = inputs[0] else { return Ok(None) };
        let kernel = self.kernel::<f64>();
        let run = |x: &[f64], y: &mut [f64]| kernel.forward(1, &[x], y, &mut Scratch::default());
        Ok(Some(vec![fold_channels_last(x, &self.fact, self.last, run)]))
    }

    structures!();
}
