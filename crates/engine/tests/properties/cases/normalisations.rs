//! Normalisations.
use super::{Case, OPSETS};
use crate::common::draw::Draw;
use crate::common::tensor::{indices, Tensor};
use crate::common::{float, int, ints, Net};

/// Deviation from the mean of `axes` over the root of the mean square deviation plus `epsilon`.
fn standard(x: &Tensor, axes: &[usize], centre: bool, epsilon: f64) -> Tensor {
    let mean = x.reduced(axes, true, |g| g.iter().sum::<f64>() / g.len() as f64);
    let c = Tensor::from_fn(&x.shape, |i| x.at(i) - if centre { mean.spread(i) } else { 0.0 });
    let variance = c.reduced(axes, true, |g| g.iter().map(|v| v * v).sum::<f64>() / g.len() as f64);
    Tensor::from_fn(&x.shape, |i| c.at(i) / (variance.spread(i) + epsilon).sqrt())
}

/// LayerNormalization and RMSNormalization, their scale a constant or computed, their bias given or not.
pub fn layer(op: &str, d: &mut Draw) -> Case {
    if op == "LayerNormalization" && d.int(0, 4) == 0 {
        return statistics(d);
    }
    let n = d.int(1, 3);
    let shape = d.shape(n, 4);
    let rank = shape.len();
    let centre = op == "LayerNormalization";
    let given = d.coin();
    let axis = if given { d.int(1, rank - 1) } else { rank - 1 };
    let written = if d.coin() { axis as i64 } else { axis as i64 - rank as i64 };
    let epsilon = d.pick(&[1e-5, 1e-2]);
    let mut attributes = vec![float("epsilon", epsilon)];
    if given {
        attributes.push(int("axis", written));
    }
    let inner = &shape[axis..];
    let count = inner.iter().product();
    let (scale, bias) =
        (Tensor::new(inner, d.reals(count, -1.5, 1.5)), Tensor::new(inner, d.reals(count, -1.0, 1.0)));
    let computed = d.coin();
    let shifted = centre && d.coin();
    let net = Net::of_opset(if centre { d.pick(&[17, 21]) } else { 23 })
        .weight("g", inner, scale.data.clone())
        .weight("h", inner, bias.data.clone());
    let scaled = if computed { "a b" } else { "a g" };
    let names = if shifted { format!("{scaled} h") } else { scaled.to_string() };
    let net = net.node(op, &names, "y", attributes);
    let inputs = if computed { vec![shape.clone(); 2] } else { vec![shape.clone()] };
    Case::new(net, inputs, move |t| {
        let axes: Vec<usize> = (axis..t[0].shape.len()).collect();
        let y = standard(&t[0], &axes, centre, epsilon);
        Tensor::from_fn(&y.shape, |i| {
            let scale = if computed { t[1].at(i) } else { scale.spread(i) };
            y.at(i) * scale + if shifted { bias.spread(i) } else { 0.0 }
        })
    })
}

/// InstanceNormalization and GroupNormalization of both definitions.
pub fn channels(op: &str, d: &mut Draw) -> Case {
    let groups = if op == "GroupNormalization" { d.int(1, 3) } else { 1 };
    let each = d.int(1, 3);
    let c = groups * each;
    let mut shape = vec![1, c];
    let spatial = d.int(1, 2);
    shape.extend(d.ints(spatial, 1, 4));
    let old = op == "GroupNormalization" && d.coin();
    let opset = match op {
        "GroupNormalization" if old => 18,
        "GroupNormalization" => 21,
        _ => d.pick(&OPSETS),
    };
    let values = if old { groups } else { c };
    let (scale, bias) = (d.reals(values, -1.5, 1.5), d.reals(values, -1.0, 1.0));
    let epsilon = d.pick(&[1e-5, 1e-2]);
    let mut attributes = vec![float("epsilon", epsilon)];
    let groups = if op == "GroupNormalization" {
        attributes.push(int("num_groups", groups as i64));
        groups
    } else {
        c
    };
    let net = Net::of_opset(opset)
        .weight("g", &[values], scale.clone())
        .weight("h", &[values], bias.clone())
        .node(op, "a g h", "y", attributes);
    Case::new(net, vec![shape.clone()], move |t| {
        let positions: usize = shape[2..].iter().product();
        let grouped = t[0].reshaped(&[1, groups, c / groups * positions]);
        let y = standard(&grouped, &[2], true, epsilon).reshaped(&shape);
        Tensor::from_fn(&shape, |i| {
            let k = if old { i[1] / (c / groups) } else { i[1] };
            y.at(i) * scale[k] + bias[k]
        })
    })
}

pub fn mean_variance(_: &str, d: &mut Draw) -> Case {
    let shape = d.shape(3, 3);
    let axes = d.pick(&[vec![2, 3], vec![1], vec![1, 3], vec![0, 2, 3]]);
    let default = axes[0] == 0;
    let attributes = if default && d.coin() { vec![] } else { vec![ints("axes", &axes)] };
    let net = Net::of_opset(d.pick(&[9, 13])).node("MeanVarianceNormalization", "a", "y", attributes);
    let plain = move |t: &[Tensor]| {
        let mean = t[0].reduced(&axes, true, |g| g.iter().sum::<f64>() / g.len() as f64);
        let c = Tensor::from_fn(&t[0].shape, |i| t[0].at(i) - mean.spread(i));
        let root = c.reduced(&axes, true, |g| (g.iter().map(|v| v * v).sum::<f64>() / g.len() as f64).sqrt());
        // Axes with the examples' among them mix examples.
        (!default).then(|| Tensor::from_fn(&c.shape, |i| c.at(i) / (root.spread(i) + 1e-9)))
    };
    Case { net, inputs: vec![shape], range: super::ANYWHERE, plain: Box::new(plain) }
}

pub fn lp(_: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 4);
    let rank = shape.len();
    let axis = d.int(1, rank - 1);
    let p = d.int(1, 2);
    let mut attributes = vec![int("axis", if d.coin() { axis as i64 } else { axis as i64 - rank as i64 })];
    if p == 1 || d.coin() {
        attributes.push(int("p", p as i64));
    }
    let net = Net::of_opset(d.pick(&[9, 22])).node("LpNormalization", "a", "y", attributes);
    Case::new(net, vec![shape], move |t| {
        let norm = t[0].reduced(&[axis], true, |g| match p {
            1 => g.iter().map(|v| v.abs()).sum(),
            _ => g.iter().map(|v| v * v).sum::<f64>().sqrt(),
        });
        Tensor::from_fn(
            &t[0].shape,
            |i| if norm.spread(i) == 0.0 { 0.0 } else { t[0].at(i) / norm.spread(i) },
        )
    })
}

pub fn lrn(_: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 2);
    let mut shape = vec![1, d.int(1, 6)];
    shape.extend(d.ints(n, 1, 3));
    let size = d.int(1, 5);
    let (alpha, beta, bias) = (d.pick(&[1e-4, 0.7]), d.pick(&[0.75, 0.5, 1.3]), d.pick(&[1.0, 2.0]));
    let attributes =
        [int("size", size as i64), float("alpha", alpha), float("beta", beta), float("bias", bias)];
    let net = Net::of_opset(d.pick(&[9, 13])).node("LRN", "a", "y", attributes);
    Case::new(net, vec![shape.clone()], move |t| {
        let channels = shape[1] as isize;
        Tensor::from_fn(&shape, |i| {
            let c = i[1] as isize;
            let (low, high) = (c - (size as isize - 1) / 2, c + size as isize / 2);
            let at = |k: isize| {
                let mut i = i.to_vec();
                i[1] = k as usize;
                t[0].at(&i)
            };
            let sum: f64 = (low.max(0)..=high.min(channels - 1)).map(|k| at(k) * at(k)).sum();
            t[0].at(i) / (bias + alpha / size as f64 * sum).powf(beta)
        })
    })
}

/// The mean and the inverse standard deviation that a LayerNormalization gives next to its output.
fn statistics(d: &mut Draw) -> Case {
    let only_mean = d.coin();
    let shape = d.shape(2, 4);
    let count = shape[2];
    let net = Net::of_opset(17).weight("g", &[count], d.reals(count, -1.0, 1.0)).node(
        "LayerNormalization",
        "a g",
        if only_mean { "z y" } else { "z m y" },
        [float("epsilon", 0.1)],
    );
    Case::new(net, vec![shape.clone()], move |t| {
        let mean = t[0].reduced(&[2], true, |g| g.iter().sum::<f64>() / g.len() as f64);
        if only_mean {
            return mean;
        }
        let c = Tensor::from_fn(&shape, |i| t[0].at(i) - mean.spread(i));
        c.reduced(&[2], true, |g| (g.iter().map(|v| v * v).sum::<f64>() / g.len() as f64 + 0.1).powf(-0.5))
    })
}

/// An internal operator by its definition: every window summed, every group standardised.
pub fn internal(op: &str, d: &mut Draw) -> Case {
    let n = d.int(2, 3);
    let shape = d.shape(n, 4);
    if op == "MovingSum" {
        let axis = d.int(1, shape.len() - 1);
        let (before, after) = (d.int(0, 3), d.int(0, 3));
        let attributes = [int("axis", axis as i64), int("before", before as i64), int("after", after as i64)];
        let net = Net::new().node(op, "a", "y", attributes);
        return Case::new(net, vec![shape.clone()], move |t| {
            Tensor::from_fn(&shape, |i| {
                let near = |k: &&Vec<usize>| {
                    let same = (0..k.len()).all(|a| a == axis || k[a] == i[a]);
                    same && k[axis] + before >= i[axis] && k[axis] <= i[axis] + after
                };
                indices(&shape).iter().filter(near).map(|k| t[0].at(k)).sum()
            })
        });
    }
    let axes: Vec<usize> = (1..shape.len()).filter(|_| d.coin()).collect();
    let (centre, averaged) = (d.coin(), d.coin());
    let mut attributes = vec![
        ints("axes", &axes),
        int("centre", i64::from(centre)),
        float("epsilon", 0.3),
        float("offset", 0.2),
    ];
    if !averaged {
        attributes.push(float("divisor", 2.5));
    }
    let net = Net::new().node(op, "a", "y", attributes);
    Case::new(net, vec![shape.clone()], move |t| {
        let mean = t[0].reduced(&axes, true, |g| g.iter().sum::<f64>() / g.len() as f64);
        let c = Tensor::from_fn(&shape, |i| t[0].at(i) - if centre { mean.spread(i) } else { 0.0 });
        let root = c.reduced(&axes, true, |g| {
            let square: f64 = g.iter().map(|v| v * v).sum();
            (square / if averaged { g.len() as f64 } else { 2.5 } + 0.3).sqrt() + 0.2
        });
        Tensor::from_fn(&shape, |i| c.at(i) / root.spread(i))
    })
}
