//! Operators that change the number of positions: transposed convolutions, norms of windows, interpolation.
use super::windows::Windows;
use super::Case;
use crate::common::draw::Draw;
use crate::common::tensor::{indices, Tensor};
use crate::common::{float, int, ints, string, Named, Net};

/// Every input position is spread over the taps from it on; what lies in the pads is cut off.
pub fn conv_transpose(op: &str, d: &mut Draw) -> Case {
    let axes = d.pick(&[1, 1, 2, 2, 3]);
    let input = d.ints(axes, 1, [6, 4, 3][axes - 1]);
    let kernel = d.ints(axes, 1, 3);
    let stride = d.ints(axes, 1, 3);
    let dilation = if d.coin() { vec![1; axes] } else { d.ints(axes, 1, 2) };
    let extra: Vec<usize> = stride.iter().map(|&s| if d.coin() { d.int(0, s - 1) } else { 0 }).collect();
    let full: Vec<usize> = (0..axes)
        .map(|a| stride[a] * (input[a] - 1) + (kernel[a] - 1) * dilation[a] + 1 + extra[a])
        .collect();
    let mut attributes: Vec<Named> = vec![ints("strides", &stride), ints("dilations", &dilation)];
    if d.coin() || extra.iter().any(|&e| e > 0) {
        attributes.push(ints("output_padding", &extra));
    }
    // Positions cut before and the length that is left.
    let (before, output): (Vec<usize>, Vec<usize>) = match d.int(0, 3) {
        0 => {
            let cut = |d: &mut Draw, n: usize| (d.int(0, (n - 1) / 2), d.int(0, (n - 1) / 2));
            let cuts: Vec<(usize, usize)> = full.iter().map(|&n| cut(d, n)).collect();
            let pads: Vec<usize> = cuts.iter().map(|c| c.0).chain(cuts.iter().map(|c| c.1)).collect();
            attributes.push(ints("pads", &pads));
            cuts.iter().zip(&full).map(|(&(b, e), n)| (b, n - b - e)).unzip()
        }
        1 => {
            let auto = d.pick(&["SAME_UPPER", "SAME_LOWER"]);
            attributes.push(string("auto_pad", auto));
            let cut = |a: usize| {
                let total = full[a].saturating_sub(input[a] * stride[a]);
                (if auto == "SAME_UPPER" { total / 2 } else { total - total / 2 }, input[a] * stride[a])
            };
            (0..axes).map(cut).unzip()
        }
        2 => {
            let wanted: Vec<usize> = full.iter().map(|&n| d.int(n.max(3) - 2, n + 1)).collect();
            attributes.push(ints("output_shape", &wanted));
            let before = (0..axes).map(|a| full[a].saturating_sub(wanted[a]).div_ceil(2)).collect();
            (before, wanted)
        }
        _ => (vec![0; axes], full.clone()),
    };
    let groups = d.pick(&[1, 1, 2, 3]);
    let (ins, outs) = (groups * d.int(1, 3), d.int(1, 3));
    let weights = [vec![ins, outs], kernel.clone()].concat();
    let values = Tensor::new(&weights, d.reals(weights.iter().product(), -1.0, 1.0));
    let bias = d.coin().then(|| d.reals(groups * outs, -1.0, 1.0));
    attributes.push(int("group", groups as i64));
    let mut net = Net::new().weight("w", &weights, values.data.clone());
    net = match &bias {
        Some(b) => net.weight("c", &[groups * outs], b.clone()).node(op, "a w c", "y", attributes),
        None => net.node(op, "a w", "y", attributes),
    };
    let shape = [vec![1, ins], input.clone()].concat();
    let out = [vec![1, groups * outs], output].concat();
    Case::new(net, vec![shape.clone()], move |t| {
        let mut y = Tensor::from_fn(&out, |i| bias.as_ref().map_or(0.0, |b| b[i[1]]));
        for at in indices(&shape) {
            for tap in indices(&kernel) {
                for o in 0..outs {
                    let mut to = vec![0, at[1] / (ins / groups) * outs + o];
                    for a in 0..axes {
                        // Positions before the first wrap around and are beyond the last.
                        to.push((at[a + 2] * stride[a] + tap[a] * dilation[a]).wrapping_sub(before[a]));
                    }
                    if to.iter().zip(&out).all(|(p, n)| p < n) {
                        let flat = to.iter().zip(&out).fold(0, |flat, (p, n)| flat * n + p);
                        y.data[flat] += t[0].at(&at) * values.at(&[vec![at[1], o], tap.clone()].concat());
                    }
                }
            }
        }
        y
    })
}

pub fn lp_pool(op: &str, d: &mut Draw) -> Case {
    let p = d.pick(&[1usize, 2, 2, 3]);
    let channels = d.int(1, 3);
    let norm = move |g: &[f64]| g.iter().map(|v| v.abs().powi(p as i32)).sum::<f64>().powf(1.0 / p as f64);
    if op == "GlobalLpPool" {
        let axes = d.int(1, 3);
        let input = [vec![1, channels], d.ints(axes, 1, 4)].concat();
        let net = Net::new().node(op, "a", "y", [int("p", p as i64)]);
        let spatial: Vec<usize> = (2..2 + axes).collect();
        return Case::new(net, vec![input], move |t| t[0].reduced(&spatial, true, norm));
    }
    let ceil = d.coin();
    let (w, mut attributes) = Windows::draw(d, ceil);
    attributes.push(ints("kernel_shape", &w.kernel));
    attributes.push(int("p", p as i64));
    let input = [vec![1, channels], w.input.clone()].concat();
    let net = Net::new().node(op, "a", "y", attributes);
    let shape = [vec![1, channels], w.output.clone()].concat();
    Case::new(net, vec![input], move |t| {
        Tensor::from_fn(&shape, |i| {
            let taps = w.taps(&i[2..]);
            let seen = taps.iter().filter_map(|(_, at, _)| at.as_ref());
            let seen: Vec<f64> = seen.map(|at| t[0].at(&[vec![0, i[1]], at.clone()].concat())).collect();
            norm(&seen)
        })
    })
}

/// One resized axis, as the standard describes it.
#[derive(Clone)]
struct Resized {
    from: usize,
    to: usize,
    scale: f64,
    roi: (f64, f64),
}

#[derive(Clone)]
struct Resize {
    mode: &'static str,
    nearest: &'static str,
    coordinates: &'static str,
    cubic: f64,
    exclude: bool,
    antialias: bool,
}

impl Resize {
    /// Weights of the input positions of an output position; none where a crop shows nothing.
    fn row(&self, axis: &Resized, at: usize) -> Option<Vec<f64>> {
        let (n, m) = (axis.from as f64, axis.to as f64);
        // Nearest positions are found in float32.
        let nearest = self.mode == "nearest";
        let f = |v: f64| if nearest { f64::from(v as f32) } else { v };
        let (x, s) = (at as f64, f(axis.scale));
        let length = f(s * n);
        let half = f(f((x + 0.5) / s) - 0.5);
        let x = match self.coordinates {
            "half_pixel" => half,
            "pytorch_half_pixel" => half * f64::from(u8::from(m > 1.0)),
            "half_pixel_symmetric" => f(f(n / 2.0 * f(1.0 - f(m / length))) + half),
            "align_corners" if m == 1.0 || length == 1.0 => 0.0,
            "align_corners" => f(f(x * (n - 1.0)) / f(length - 1.0)),
            "asymmetric" => f(x / s),
            "tf_half_pixel_for_nn" => f(f(x + 0.5) / s),
            _ => {
                let (a, b) = (f(axis.roi.0), f(axis.roi.1));
                let x = if m == 1.0 {
                    f(f(0.5 * f(a + b)) * (n - 1.0))
                } else {
                    f(f(a * (n - 1.0)) + f(f(x * f(f(b - a) * (n - 1.0))) / f(length - 1.0)))
                };
                if x < 0.0 || x > n - 1.0 {
                    return None;
                }
                x
            }
        };
        let mut row = vec![0.0; axis.from];
        let clamp = |i: f64| i.max(0.0).min(n - 1.0) as usize;
        if nearest {
            let (low, high) = (x.floor(), x.ceil());
            let i = match self.nearest {
                "floor" => low,
                "ceil" => high,
                "round_prefer_floor" if x - low <= 0.5 => low,
                "round_prefer_ceil" if x - low < 0.5 => low,
                _ => high,
            };
            row[clamp(i)] = 1.0;
            return Some(row);
        }
        let stretch = if self.antialias && axis.scale < 1.0 { axis.scale } else { 1.0 };
        let kernel = |t: f64| {
            let (t, a) = ((t * stretch).abs(), self.cubic);
            match self.mode {
                "linear" => (1.0 - t).max(0.0),
                _ if t <= 1.0 => (a + 2.0) * t.powi(3) - (a + 3.0) * t.powi(2) + 1.0,
                _ if t < 2.0 => a * t.powi(3) - 5.0 * a * t.powi(2) + 8.0 * a * t - 4.0 * a,
                _ => 0.0,
            }
        };
        let reach = 4 * axis.from as i64 + 8;
        let mut total = 0.0;
        for i in -reach..reach {
            let inside = i >= 0 && i < axis.from as i64;
            if inside || !self.exclude {
                row[clamp(i as f64)] += kernel(i as f64 - x);
                total += kernel(i as f64 - x);
            }
        }
        Some(row.into_iter().map(|w| w / total).collect())
    }
}

pub fn resize(op: &str, d: &mut Draw) -> Case {
    let opset = if op == "Upsample" { d.pick(&[7, 9]) } else { d.pick(&[10, 11, 13, 18, 19]) };
    let old = opset <= 10;
    let spatial = d.int(1, 2);
    let shape = [vec![1, d.int(1, 2)], d.ints(spatial, 2, 5)].concat();
    let rank = shape.len();
    let modern = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize"];
    let mut own = Resize {
        mode: d.pick(if old { &["nearest", "linear"] } else { &["nearest", "linear", "cubic"] }),
        nearest: d.pick(&["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
        coordinates: d.pick(&modern),
        cubic: d.pick(&[-0.75, -0.5]),
        exclude: !old && d.int(0, 3) == 0,
        antialias: opset >= 18 && d.int(0, 3) == 0,
    };
    if opset >= 19 && d.int(0, 3) == 0 {
        own.coordinates = "half_pixel_symmetric";
    }
    if opset < 13 && own.mode == "nearest" && d.int(0, 4) == 0 {
        own.coordinates = "tf_half_pixel_for_nn";
    }
    if own.mode == "nearest" {
        (own.exclude, own.antialias) = (false, false);
    }
    let fill = d.real(-1.0, 1.0);
    let mut attributes = vec![string("mode", own.mode)];
    if old {
        (own.nearest, own.coordinates) = ("floor", "asymmetric");
    } else {
        attributes.push(string("coordinate_transformation_mode", own.coordinates));
        attributes.push(string("nearest_mode", own.nearest));
        attributes.push(float("cubic_coeff_a", own.cubic));
        attributes.push(int("exclude_outside", i64::from(own.exclude)));
        attributes.push(float("extrapolation_value", fill));
        if opset >= 18 {
            attributes.push(int("antialias", i64::from(own.antialias)));
        }
    }
    // The axes that lengths are given for, in any order.
    let named: Vec<usize> = if opset >= 18 && d.coin() {
        let order = d.order(spatial);
        attributes.push(ints("axes", &order.iter().map(|a| a + 2).collect::<Vec<_>>()));
        order.iter().map(|a| a + 2).collect()
    } else {
        (0..rank).collect()
    };
    let mut axes: Vec<Resized> =
        shape.iter().map(|&n| Resized { from: n, to: n, scale: 1.0, roi: (0.0, 1.0) }).collect();
    let by_size = !old && d.coin();
    for axis in &mut axes[2..] {
        if by_size {
            axis.to = d.int(1, 8);
            axis.scale = axis.to as f64 / axis.from as f64;
        } else {
            let scale: f64 = if op == "Upsample" { d.real(1.0, 3.0) } else { d.real(0.5, 2.5) };
            axis.scale = f64::from(d.pick(&[2.0, 1.0, scale as f32]));
            axis.to = (axis.scale * axis.from as f64).floor() as usize;
        }
        axis.roi = (d.real(-0.2, 0.4), d.real(0.6, 1.2));
    }
    let policy = if by_size && named.len() == spatial {
        d.pick(&["stretch", "not_larger", "not_smaller"])
    } else {
        "stretch"
    };
    let sizes: Vec<i64> = named.iter().map(|&a| axes[a].to as i64).collect();
    if policy != "stretch" {
        attributes.push(string("keep_aspect_ratio_policy", policy));
        let all = named.iter().map(|&a| axes[a].scale);
        let common = if policy == "not_larger" { all.reduce(f64::min) } else { all.reduce(f64::max) };
        for &a in &named {
            axes[a].scale = common.expect("an axis");
            axes[a].to = (axes[a].scale * axes[a].from as f64).round() as usize;
        }
    }
    let mut net = Net::of_opset(opset);
    let scales: Vec<f64> = named.iter().map(|&a| axes[a].scale).collect();
    if opset == 7 {
        let scales = deeplift_graph::wire::Attribute::Floats(scales);
        attributes.push(("scales".into(), scales));
        net = net.node(op, "a", "y", attributes);
    } else if old {
        net = net.weight("scales", &[named.len()], scales).node(op, "a scales", "y", attributes);
    } else {
        let roi: Vec<f64> =
            named.iter().map(|&a| axes[a].roi.0).chain(named.iter().map(|&a| axes[a].roi.1)).collect();
        net = net.weight("roi", &[roi.len()], roi).weight("none", &[0], vec![]);
        net = if by_size && named.len() == rank {
            // The length of the batch is taken from the data.
            net.list("rest", &sizes[1..])
                .list("first", &[0])
                .node("Shape", "a", "of", [])
                .node("Gather", "of first", "batch", [])
                .node("Concat", "batch rest", "sizes", [int("axis", 0)])
                .node(op, "a roi none sizes", "y", attributes)
        } else if by_size {
            net.list("sizes", &sizes).node(op, "a roi none sizes", "y", attributes)
        } else {
            net.weight("scales", &[named.len()], scales).node(op, "a roi scales", "y", attributes)
        };
    }
    let out: Vec<usize> = axes.iter().map(|a| a.to).collect();
    let batch_changes = out[0] != 1;
    let cropped = own.coordinates == "tf_crop_and_resize";
    let plain = move |t: &[Tensor]| {
        if batch_changes || out.contains(&0) {
            return None;
        }
        let inside = |i: &[usize]| -> Option<f64> {
            let mut values = vec![(vec![], 1.0)];
            for (axis, &at) in axes.iter().zip(i) {
                let row = if axis.from == axis.to && axis.scale == 1.0 && (!cropped || axis.roi == (0.0, 1.0))
                {
                    (0..axis.from).map(|k| f64::from(u8::from(k == at))).collect()
                } else {
                    own.row(axis, at)?
                };
                let add = |(from, v): (Vec<usize>, f64)| {
                    let longer = move |(k, w): (usize, &f64)| ([from.clone(), vec![k]].concat(), v * w);
                    row.iter().enumerate().map(longer).collect::<Vec<_>>()
                };
                values = values.into_iter().flat_map(add).collect();
            }
            Some(values.iter().map(|(at, w)| t[0].at(at) * w).sum())
        };
        Some(Tensor::from_fn(&out, |i| inside(i).unwrap_or(fill)))
    };
    Case { net, inputs: vec![shape], range: super::ANYWHERE, plain: Box::new(plain) }
}

pub fn depth_to_space(op: &str, d: &mut Draw) -> Case {
    let (b, c, h, w) = (d.int(1, 3), d.int(1, 3), d.int(1, 3), d.int(1, 3));
    let crd = op == "DepthToSpace" && d.coin();
    let mut attributes = vec![int("blocksize", b as i64)];
    if op == "DepthToSpace" {
        attributes.push(string("mode", if crd { "CRD" } else { "DCR" }));
    }
    let net = Net::new().node(op, "a", "y", attributes);
    let (deep, wide) = (vec![1, c * b * b, h, w], vec![1, c, h * b, w * b]);
    if op == "SpaceToDepth" {
        return Case::new(net, vec![wide], move |t| {
            Tensor::from_fn(&deep, |i| {
                let (block, channel) = (i[1] / c, i[1] % c);
                t[0].at(&[0, channel, i[2] * b + block / b, i[3] * b + block % b])
            })
        });
    }
    Case::new(net, vec![deep], move |t| {
        Tensor::from_fn(&wide, |i| {
            let block = i[2] % b * b + i[3] % b;
            let channel = if crd { i[1] * b * b + block } else { block * c + i[1] };
            t[0].at(&[0, channel, i[2] / b, i[3] / b])
        })
    })
}

/// Every column is put back where its block was taken.
pub fn col2im(op: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 2);
    let (w, attributes) = loop {
        let (w, attributes) = Windows::draw(d, false);
        if w.input.len() == axes && attributes.iter().any(|(name, _)| name == "pads") {
            break (w, attributes);
        }
    };
    let keep = ["strides", "dilations", "pads"];
    let attributes: Vec<Named> =
        attributes.into_iter().filter(|(name, _)| keep.contains(&name.as_str())).collect();
    let channels = d.int(1, 2);
    let taps: usize = w.kernel.iter().product();
    let blocks: usize = w.output.iter().product();
    let list = |v: &[usize]| v.iter().map(|&v| v as i64).collect::<Vec<_>>();
    let net = Net::new().list("image", &list(&w.input)).list("block", &list(&w.kernel));
    let net = net.node(op, "a image block", "y", attributes);
    let out = [vec![1, channels], w.input.clone()].concat();
    Case::new(net, vec![vec![1, channels * taps, blocks]], move |t| {
        let mut y = Tensor::from_fn(&out, |_| 0.0);
        for c in 0..channels {
            for (place, at) in indices(&w.output).iter().enumerate() {
                for (tap, (_, position, _)) in w.taps(at).into_iter().enumerate() {
                    let Some(p) = position else { continue };
                    let flat = p.iter().zip(&w.input).fold(c, |flat, (p, n)| flat * n + p);
                    y.data[flat] += t[0].at(&[0, c * taps + tap, place]);
                }
            }
        }
        y
    })
}

pub fn max_unpool(op: &str, d: &mut Draw) -> Case {
    let (channels, from, kernel, stride) = (d.int(1, 2), d.int(1, 4), d.int(1, 3), d.int(1, 3));
    let to = (from - 1) * stride + kernel;
    // Each value goes to an own place of its channel.
    let places: Vec<usize> = (0..channels)
        .flat_map(|c| {
            let order = d.order(to);
            (0..from).map(move |i| c * to + order[i % to]).collect::<Vec<_>>()
        })
        .collect();
    let at =
        deeplift_graph::Constant::i64(vec![1, channels, from], places.iter().map(|&p| p as i64).collect());
    let attributes = [ints("kernel_shape", &[kernel]), ints("strides", &[stride])];
    let net = Net::new().constant("at", at).node(op, "a at", "y", attributes);
    Case::new(net, vec![vec![1, channels, from]], move |t| {
        let mut y = Tensor::from_fn(&[1, channels, to], |_| 0.0);
        for (&place, &value) in places.iter().zip(&t[0].data) {
            y.data[place] = value;
        }
        y
    })
}
