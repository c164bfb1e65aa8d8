//! Sums and products of elements.
use super::Case;
use crate::common::draw::Draw;
use crate::common::tensor::{broadcast, Tensor};
use crate::common::{float, Net};

/// A shape that broadcasts against `shape`: axes of length 1, leading axes missing.
pub(super) fn narrowed(d: &mut Draw, shape: &[usize], may_drop: bool) -> Vec<usize> {
    let s: Vec<usize> = shape.iter().map(|&n| if d.int(0, 2) == 0 { 1 } else { n }).collect();
    let drop = if may_drop { d.int(0, s.len()) } else { 0 };
    s[drop..].to_vec()
}

/// Two activations, or an activation and a constant on either side, broadcast.
pub fn binary(op: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 4);
    let f: fn(f64, f64) -> f64 = match op {
        "Add" | "Sum" => |a, b| a + b,
        "Mean" => |a, b| 0.5 * (a + b),
        "Sub" => |a, b| a - b,
        "Mul" => |a, b| a * b,
        _ => |a, b| a / b,
    };
    let range = if op == "Div" { (0.3, 2.0) } else { super::ANYWHERE };
    if d.coin() {
        let (sa, sb) = (narrowed(d, &shape, false), narrowed(d, &shape, false));
        let out = broadcast(&sa, &sb);
        let net = Net::new().node(op, "a b", "y", []);
        return Case::new(net, vec![sa, sb], move |t| {
            Tensor::from_fn(&out, |i| f(t[0].spread(i), t[1].spread(i)))
        })
        .within(range.0, range.1);
    }
    let (sa, sc) = (narrowed(d, &shape, false), narrowed(d, &shape, true));
    let out = broadcast(&sa, &sc);
    let mut c = Tensor::new(&sc, d.reals(sc.iter().product(), 0.3, 2.0));
    if d.coin() {
        c = c.map(|v| -v);
    }
    let first = d.coin();
    let net = Net::new().weight("c", &sc, c.data.clone());
    let net = net.node(op, if first { "c a" } else { "a c" }, "y", []);
    Case::new(net, vec![sa], move |t| {
        Tensor::from_fn(&out, |i| {
            let (a, c) = (t[0].spread(i), c.spread(i));
            if first {
                f(c, a)
            } else {
                f(a, c)
            }
        })
    })
    .within(range.0, range.1)
}

pub fn batch_normalization(_: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 4);
    let n = shape[1];
    let [scale, shift, mean] = [0; 3].map(|_| d.reals(n, -1.5, 1.5));
    let variance = d.reals(n, 0.1, 2.0);
    let epsilon = d.pick(&[1e-5, 1e-3]);
    let net = Net::new()
        .weight("g", &[n], scale.clone())
        .weight("h", &[n], shift.clone())
        .weight("m", &[n], mean.clone())
        .weight("v", &[n], variance.clone())
        .node("BatchNormalization", "a g h m v", "y", [float("epsilon", epsilon)]);
    Case::new(net, vec![shape.clone()], move |t| {
        Tensor::from_fn(&shape, |i| {
            let c = i[1];
            scale[c] * (t[0].at(i) - mean[c]) / (variance[c] + epsilon).sqrt() + shift[c]
        })
    })
}
