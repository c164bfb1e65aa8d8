//! Operators that pick or replace elements by index, and sums along an axis.
use deeplift_graph::Constant;

use super::{Case, OPSETS};
use crate::common::draw::Draw;
use crate::common::tensor::{indices, Tensor};
use crate::common::{int, ints, string, Named, Net};

pub fn cumsum(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 5);
    let axis = d.int(1, n);
    let (exclusive, reverse) = (d.coin(), d.coin());
    let written = if d.coin() { axis as i64 } else { axis as i64 - n as i64 - 1 };
    let attributes = [int("exclusive", i64::from(exclusive)), int("reverse", i64::from(reverse))];
    let net =
        Net::new().constant("axis", Constant::i64(vec![], vec![written])).node(op, "a axis", "y", attributes);
    Case::new(net, vec![shape.clone()], move |t| {
        Tensor::from_fn(&shape, |i| {
            let counts = |k: usize| match (k == i[axis], reverse) {
                (true, _) => !exclusive,
                (false, true) => k > i[axis],
                (false, false) => k < i[axis],
            };
            let at = |k: usize| [&i[..axis], &[k], &i[axis + 1..]].concat();
            (0..shape[axis]).filter(|&k| counts(k)).map(|k| t[0].at(&at(k))).sum()
        })
    })
}

pub fn trilu(op: &str, d: &mut Draw) -> Case {
    let n = d.int(2, 3);
    let shape = d.shape(n, 4);
    let upper = d.coin();
    let k = d.int(0, 6) as i64 - 3;
    let given = d.coin();
    let net = Net::new().constant("k", Constant::i64(vec![], vec![k]));
    let net = net.node(op, if given { "a k" } else { "a" }, "y", [int("upper", i64::from(upper))]);
    let k = if given { k } else { 0 };
    Case::new(net, vec![shape.clone()], move |t| {
        Tensor::from_fn(&shape, |i| {
            let (row, col) = (i[n - 1] as i64, i[n] as i64);
            let kept = if upper { col - row >= k } else { col - row <= k };
            if kept {
                t[0].at(i)
            } else {
                0.0
            }
        })
    })
}

pub fn reverse_sequence(op: &str, d: &mut Draw) -> Case {
    let mut shape = d.shape(3, 4);
    // Axis 0 is the batch of examples; sequences lie side by side on another axis.
    let (batch, time) = d.pick(&[(0, 1), (1, 2), (2, 1)]);
    shape[0] = 1;
    let lengths: Vec<usize> = (0..shape[batch]).map(|_| d.int(0, shape[time])).collect();
    let written: Vec<i64> = lengths.iter().map(|&l| l as i64).collect();
    let attributes = [int("batch_axis", batch as i64), int("time_axis", time as i64)];
    let net = Net::new().list("lengths", &written).node(op, "a lengths", "y", attributes);
    Case::new(net, vec![shape.clone()], move |t| {
        Tensor::from_fn(&shape, |i| {
            let (mut at, len) = (i.to_vec(), lengths[i[batch]]);
            if at[time] < len {
                at[time] = len - 1 - at[time];
            }
            t[0].at(&at)
        })
    })
}

pub fn compress(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 4);
    let axis = d.int(1, n);
    let mut keep: Vec<bool> = (0..d.int(1, shape[axis])).map(|_| d.coin()).collect();
    keep[0] = true;
    let chosen: Vec<usize> = (0..keep.len()).filter(|&k| keep[k]).collect();
    let net = Net::new().constant("keep", Constant::bool(vec![keep.len()], keep));
    let net = net.node(op, "a keep", "y", [int("axis", axis as i64)]);
    let mut out = shape.clone();
    out[axis] = chosen.len();
    Case::new(net, vec![shape], move |t| {
        Tensor::from_fn(&out, |i| {
            let mut at = i.to_vec();
            at[axis] = chosen[i[axis]];
            t[0].at(&at)
        })
    })
}

pub fn center_crop_pad(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 5);
    let mut out = vec![1];
    out.extend(d.ints(n, 1, 6));
    let axes: Vec<usize> = (1..=n).collect();
    let written: Vec<i64> = out[1..].iter().map(|&l| l as i64).collect();
    let net = Net::new().list("to", &written).node(op, "a to", "y", [ints("axes", &axes)]);
    Case::new(net, vec![shape.clone()], move |t| {
        Tensor::from_fn(&out, |i| {
            let mut at = vec![];
            for a in 0..=n {
                let (from, to) = (shape[a], out[a]);
                if to >= from {
                    let start = (to - from) / 2;
                    if i[a] < start || i[a] >= start + from {
                        return 0.0;
                    }
                    at.push(i[a] - start);
                } else {
                    at.push(i[a] + (from - to) / 2);
                }
            }
            t[0].at(&at)
        })
    })
}

/// A constant of a batch of one, repeated for every example as exporters write it.
fn for_each_example(net: Net, name: &str, value: Constant) -> Net {
    let rest: Vec<i64> = value.shape[1..].iter().map(|&d| d as i64).collect();
    let named = |what: &str| format!("{name}_{what}");
    net.constant(&named("one"), value)
        .list(&named("rest"), &rest)
        .list(&named("first"), &[0])
        .node("Shape", "a", &named("of"), [])
        .node("Gather", &format!("{name}_of {name}_first"), &named("batch"), [])
        .node("Concat", &format!("{name}_batch {name}_rest"), &named("shape"), [int("axis", 0)])
        .node("Expand", &format!("{name}_one {name}_shape"), name, [])
}

/// An index, or the same counted from the end.
fn signed(d: &mut Draw, index: usize, n: usize) -> i64 {
    if d.coin() {
        index as i64
    } else {
        index as i64 - n as i64
    }
}

pub fn gather_elements(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 4);
    let axis = d.int(1, n);
    let out: Vec<usize> = (0..=n).map(|a| if a == axis { d.int(1, 5) } else { d.int(1, shape[a]) }).collect();
    let at = Tensor::from_fn(&out, |_| d.int(0, shape[axis] - 1) as f64);
    let written = at.data.iter().map(|&i| signed(d, i as usize, shape[axis])).collect();
    let net = for_each_example(Net::new(), "at", Constant::i64(out.clone(), written));
    let net = net.node(op, "a at", "y", [int("axis", axis as i64)]);
    Case::new(net, vec![shape], move |t| {
        Tensor::from_fn(&out, |i| {
            let mut from = i.to_vec();
            from[axis] = at.at(i) as usize;
            t[0].at(&from)
        })
    })
}

/// Rows of indices into the first axes after `skip` ones.
fn rows(d: &mut Draw, shape: &[usize], skip: usize, of: &[usize], depth: usize) -> (Tensor, Constant) {
    let full = [of, &[depth]].concat();
    let at = Tensor::from_fn(&full, |i| d.int(0, shape[skip + i[of.len()]] - 1) as f64);
    // Not of the batch: its last example is another one in every batch.
    let index = |(k, &v): (usize, &f64)| match skip + k % depth {
        0 => v as i64,
        axis => signed(d, v as usize, shape[axis]),
    };
    let written = at.data.iter().enumerate().map(index).collect();
    (at, Constant::i64(full, written))
}

pub fn gather_nd(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 3);
    let batch = d.int(0, 1);
    let depth = d.int(1, n + 1 - batch);
    // Without batch axes the rows take the place of the example's axis, of which there is one.
    let of = if batch == 1 { vec![1, d.int(1, 3)] } else { vec![1] };
    let (at, written) = rows(d, &shape, batch, &of, depth);
    // Constant rows name the same elements of the whole batch, whatever its size.
    let net = if batch == 1 {
        for_each_example(Net::new(), "at", written)
    } else {
        Net::new().constant("at", written)
    };
    let net = net.node(op, "a at", "y", [int("batch_dims", batch as i64)]);
    let out = [&of[..], &shape[batch + depth..]].concat();
    let plain = move |t: &[Tensor]| {
        let y = Tensor::from_fn(&out, |i| {
            let (row, rest) = i.split_at(of.len());
            let named = (0..depth).map(|k| at.at(&[row, &[k]].concat()) as usize);
            let from = row[..batch].iter().copied().chain(named).chain(rest.iter().copied());
            t[0].at(&from.collect::<Vec<_>>())
        });
        (batch == 1).then_some(y)
    };
    Case { net, inputs: vec![shape], range: super::ANYWHERE, plain: Box::new(plain) }
}

/// Where each element of the updates goes, with the reductions that have a rule. With `whole`, constants are those of
/// the whole batch, so that constant updates change one example of it only.
fn scattered(
    net: Net,
    (op, whole): (&str, bool),
    d: &mut Draw,
    shape: Vec<usize>,
    (at, written): (impl Fn(&[usize]) -> Vec<usize> + 'static, Constant),
    updates: Vec<usize>,
    mut attributes: Vec<Named>,
) -> Case {
    let mut places: Vec<Vec<usize>> = indices(&updates).iter().map(|i| at(i)).collect();
    places.sort_unstable();
    let once = places.windows(2).all(|w| w[0] != w[1]);
    // A function of an element and several updates has no rule.
    let reduction = match d.int(0, 3) {
        0 if net.wire.opset >= 16 => "add",
        1 if net.wire.opset >= 16 && once => "mul",
        2 if net.wire.opset >= 18 && once => d.pick(&["max", "min"]),
        _ => "none",
    };
    if reduction != "none" || d.coin() && net.wire.opset >= 16 {
        attributes.push(string("reduction", reduction));
    }
    let constant = |net: Net, name: &str, value: Constant| {
        if whole {
            net.constant(name, value)
        } else {
            for_each_example(net, name, value)
        }
    };
    let net = constant(net, "at", written);
    let own = Tensor::new(&shape, d.reals(shape.iter().product(), -1.0, 1.0));
    let other = Tensor::new(&updates, d.reals(updates.iter().product(), -1.0, 1.0));
    let wide = |t: &Tensor| Constant::f64(t.shape.clone(), t.data.clone());
    // The data, the updates or both depend on the input.
    let which = d.int(0, 2);
    let (net, words, inputs) = match which {
        0 => (net, "a at b", vec![shape.clone(), updates.clone()]),
        1 => (constant(net, "c", wide(&other)), "a at c", vec![shape.clone()]),
        _ => (constant(net, "c", wide(&own)), "c at a", vec![updates.clone()]),
    };
    let net = net.node(op, words, "y", attributes);
    let plain = move |t: &[Tensor]| {
        let (mut y, values) = match which {
            0 => (t[0].clone(), &t[1]),
            1 => (t[0].clone(), &other),
            _ => (own.clone(), &t[0]),
        };
        for i in indices(&updates) {
            let flat = at(&i).iter().zip(&shape).fold(0, |flat, (p, n)| flat * n + p);
            y.data[flat] = match reduction {
                "add" => y.data[flat] + values.at(&i),
                "mul" => y.data[flat] * values.at(&i),
                "max" => y.data[flat].max(values.at(&i)),
                "min" => y.data[flat].min(values.at(&i)),
                _ => values.at(&i),
            };
        }
        (!whole || which != 1).then_some(y)
    };
    Case { net, inputs, range: super::ANYWHERE, plain: Box::new(plain) }
}

pub fn scatter_elements(op: &str, d: &mut Draw) -> Case {
    let opset = if op == "Scatter" { 9 } else { d.pick(&OPSETS[1..]) };
    let n = d.int(1, 3);
    let shape = d.shape(n, 4);
    let axis = d.int(1, n);
    let updates: Vec<usize> =
        (0..=n).map(|a| if a == axis { d.int(1, 5) } else { d.int(1, shape[a]) }).collect();
    let at = Tensor::from_fn(&updates, |_| d.int(0, shape[axis] - 1) as f64);
    let written = at.data.iter().map(|&i| signed(d, i as usize, shape[axis])).collect();
    let written = Constant::i64(updates.clone(), written);
    let place = move |i: &[usize]| {
        let mut to = i.to_vec();
        to[axis] = at.at(i) as usize;
        to
    };
    let attributes = vec![int("axis", axis as i64)];
    scattered(Net::of_opset(opset), (op, false), d, shape, (place, written), updates, attributes)
}

pub fn scatter_nd(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 4);
    let depth = d.int(1, n + 1);
    // Updates are data with a batch axis of one.
    let of = vec![1, d.int(1, 3)];
    let (at, written) = rows(d, &shape, 0, &of, depth);
    let updates = [&of[..], &shape[depth..]].concat();
    let place = move |i: &[usize]| {
        let named = (0..depth).map(|k| at.at(&[&i[..of.len()], &[k]].concat()) as usize);
        named.chain(i[of.len()..].iter().copied()).collect()
    };
    let opset = d.pick(&OPSETS[1..]);
    scattered(Net::of_opset(opset), (op, true), d, shape, (place, written), updates, vec![])
}

pub fn dft(op: &str, d: &mut Draw) -> Case {
    let opset = d.pick(&[17, 20]);
    let (n, between) = (d.int(1, 6), d.int(1, 2));
    let (inverse, parts) = (d.coin(), d.int(1, 2));
    let onesided = !inverse && parts == 1 && d.coin();
    let length = if d.coin() { n } else { d.int(1, 7) };
    let given = length != n || d.coin();
    let axis = d.int(1, 2);
    let shape = if axis == 1 { vec![1, n, between, parts] } else { vec![1, between, n, parts] };
    let mut attributes = vec![int("inverse", i64::from(inverse)), int("onesided", i64::from(onesided))];
    let mut net = Net::of_opset(opset).constant("length", Constant::i64(vec![], vec![length as i64]));
    let mut inputs = if given { "a length" } else { "a" };
    if opset == 17 {
        attributes.push(int("axis", axis as i64));
    } else if axis == 1 || d.coin() {
        net = net.constant("axis", Constant::i64(vec![], vec![axis as i64]));
        inputs = if given { "a length axis" } else { "a _ axis" };
    }
    let mut out = shape.clone();
    (out[axis], out[3]) = (if onesided { length / 2 + 1 } else { length }, 2);
    let net = net.node(op, inputs, "y", attributes);
    Case::new(net, vec![shape], move |t| {
        Tensor::from_fn(&out, |i| {
            let (mut re, mut im) = (0.0, 0.0);
            for k in 0..n.min(length) {
                let part = |p: usize| {
                    let mut at = [0, i[1], i[2], p];
                    at[axis] = k;
                    if p < parts {
                        t[0].at(&at)
                    } else {
                        0.0
                    }
                };
                let angle = std::f64::consts::TAU * (i[axis] * k) as f64 / length as f64;
                let (sin, cos) = if inverse { angle } else { -angle }.sin_cos();
                re += part(0) * cos - part(1) * sin;
                im += part(0) * sin + part(1) * cos;
            }
            let scale = if inverse { 1.0 / length as f64 } else { 1.0 };
            scale * if i[3] == 0 { re } else { im }
        })
    })
}
