//! Operators that move elements.
use super::{Case, OPSETS};
use crate::common::draw::Draw;
use crate::common::tensor::Tensor;
use crate::common::{float, int, ints, string, Net};

pub fn identity(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 4);
    let attributes = if op == "Cast" { vec![int("to", d.pick(&[1, 10, 11, 16]))] } else { vec![] };
    let net = match (op, d.coin()) {
        ("Dropout", true) => Net::new()
            .weight("ratio", &[], vec![0.5])
            .constant("off", deeplift_graph::Constant::bool(vec![], vec![false]))
            .node(op, "a ratio off", "y", []),
        ("Dropout", false) => Net::of_opset(9).node(op, "a", "y", [float("ratio", 0.3)]),
        _ => Net::new().node(op, "a", "y", attributes),
    };
    Case::new(net, vec![shape], |t| t[0].clone())
}

pub fn reshape(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let mut shape = d.shape(n, 4);
    let opset = d.pick(&OPSETS);
    let net = Net::of_opset(opset);
    let rank = shape.len();
    let (net, out) = match op {
        "Flatten" => {
            let axis = d.int(0, rank);
            let written = if axis < rank && d.coin() { axis as i64 - rank as i64 } else { axis as i64 };
            let out = vec![shape[..axis].iter().product(), shape[axis..].iter().product()];
            (net.node(op, "a", "y", [int("axis", written)]), out)
        }
        "Reshape" => {
            let count: usize = shape.iter().product();
            let (out, written) = match d.int(0, 3) {
                0 => (vec![1, count], vec![0, -1]),
                1 => (vec![1, count, 1], vec![1, -1, 1]),
                2 => (vec![shape[0], shape[1], count / shape[1]], vec![0, 0, -1]),
                _ => (vec![count], vec![count as i64]),
            };
            (net.list("to", &written).node(op, "a to", "y", []), out)
        }
        "Squeeze" => {
            let axis = d.int(1, rank);
            shape.insert(axis, 1);
            let written = if d.coin() { axis as i64 } else { axis as i64 - shape.len() as i64 };
            let out = [&shape[..axis], &shape[axis + 1..]].concat();
            if opset < 13 {
                (net.node(op, "a", "y", [ints("axes", &[written])]), out)
            } else {
                (net.list("axes", &[written]).node(op, "a axes", "y", []), out)
            }
        }
        _ => {
            let mut axes = vec![d.int(0, rank)];
            if d.coin() {
                axes.push(rank + 1);
            }
            let mut out = shape.clone();
            axes.iter().for_each(|&a| out.insert(a, 1));
            let written: Vec<i64> =
                axes.iter().map(|&a| if d.coin() { a as i64 } else { a as i64 - out.len() as i64 }).collect();
            if opset < 13 {
                (net.node(op, "a", "y", [ints("axes", &written)]), out)
            } else {
                (net.list("axes", &written).node(op, "a axes", "y", []), out)
            }
        }
    };
    Case::new(net, vec![shape], move |t| t[0].reshaped(&out))
}

pub fn concat(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 4);
    let axis = d.int(1, n);
    let other = |d: &mut Draw| {
        let mut s = shape.clone();
        s[axis] = d.int(1, 3);
        s
    };
    let (second, third) = (other(d), other(d));
    let constant = Tensor::new(&third, d.reals(third.iter().product(), -1.0, 1.0));
    let written = if d.coin() { axis as i64 } else { axis as i64 - shape.len() as i64 };
    // Two activations around a constant; the first of them twice.
    let net = Net::new().weight("c", &third, constant.data.clone());
    let net = net.node(op, "a c b a", "y", [int("axis", written)]);
    let mut out = shape.clone();
    out[axis] = 2 * shape[axis] + second[axis] + third[axis];
    Case::new(net, vec![shape, second], move |t| {
        Tensor::from_fn(&out, |i| {
            let mut at = i.to_vec();
            for part in [&t[0], &constant, &t[1], &t[0]] {
                if at[axis] < part.shape[axis] {
                    return part.at(&at);
                }
                at[axis] -= part.shape[axis];
            }
            unreachable!("the parts cover the axis")
        })
    })
}

pub fn expand(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let full = d.shape(n, 4);
    let shape: Vec<usize> = full.iter().map(|&l| if d.coin() { 1 } else { l }).collect();
    // The shape may have length 1 where the data is longer, and lack leading axes.
    let want: Vec<i64> =
        full.iter().zip(&shape).map(|(&f, &s)| if f == s && d.coin() { 1 } else { f as i64 }).collect();
    let skip = want.iter().take_while(|&&w| w == 1).count().min(d.int(0, n));
    let out: Vec<usize> = want.iter().zip(&shape).map(|(&w, &s)| (w as usize).max(s)).collect();
    let net = Net::new().list("to", &want[skip..]).node(op, "a to", "y", []);
    Case::new(net, vec![shape], move |t| Tensor::from_fn(&out, |i| t[0].spread(i)))
}

pub fn gather(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 4);
    let axis = d.int(1, n);
    let len = shape[axis];
    let of: Vec<usize> = d.pick(&[vec![], vec![3], vec![2, 2]]);
    let picked = d.ints(of.iter().product(), 0, len - 1);
    let written = picked.iter().map(|&i| if d.coin() { i as i64 } else { i as i64 - len as i64 }).collect();
    let net = Net::new().constant("at", deeplift_graph::Constant::i64(of.clone(), written)).node(
        op,
        "a at",
        "y",
        [int("axis", axis as i64)],
    );
    let out = [&shape[..axis], &of, &shape[axis + 1..]].concat();
    let at = Tensor::new(&of, picked.iter().map(|&i| i as f64).collect());
    Case::new(net, vec![shape], move |t| {
        Tensor::from_fn(&out, |i| {
            let k = at.at(&i[axis..axis + at.shape.len()]) as usize;
            t[0].at(&[&i[..axis], &[k], &i[axis + at.shape.len()..]].concat())
        })
    })
}

pub fn pad(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape: Vec<usize> = d.shape(n, 5);
    let mode = d.pick(&["constant", "constant", "reflect", "edge", "wrap"]);
    let opset = d.pick(&[9, 11, 18, 20]);
    // Reflection needs a shorter padding than the axis, cropping at least one element left.
    let amount = |d: &mut Draw, len: usize| match mode {
        "reflect" => d.int(0, len - 1) as i64,
        "wrap" => d.int(0, len) as i64,
        _ => d.int(0, 2) as i64 - i64::from(len > 2 && d.coin()),
    };
    let mut before = vec![0];
    let mut after = vec![0];
    for &len in &shape[1..] {
        before.push(amount(d, len));
        after.push(amount(d, len));
    }
    let fill = d.real(-1.0, 1.0);
    let has_fill = mode == "constant" && d.coin();
    let pads = [before.clone(), after.clone()].concat();
    let mut attributes = vec![string("mode", mode)];
    let mut net = Net::of_opset(opset);
    let mut inputs = "a".to_string();
    if opset < 11 {
        attributes.push(ints("pads", &pads));
        if has_fill {
            attributes.push(float("value", fill));
        }
    } else {
        let some = opset >= 18 && d.coin();
        if some {
            // The batch axis is not named.
            let axes: Vec<i64> =
                (1..=n as i64).map(|a| if d.coin() { a } else { a - n as i64 - 1 }).collect();
            net = net.list("pads", &[&before[1..], &after[1..]].concat()).list("axes", &axes);
        } else {
            net = net.list("pads", &pads);
        }
        inputs += " pads";
        if has_fill {
            net = net.weight("fill", &[], vec![fill]);
            inputs += " fill";
        } else if some {
            inputs += " _";
        }
        if some {
            inputs += " axes";
        }
    }
    let fill = if has_fill { fill } else { 0.0 };
    let out: Vec<usize> = (0..=n).map(|a| (shape[a] as i64 + before[a] + after[a]) as usize).collect();
    let net = net.node(op, &inputs, "y", attributes);
    Case::new(net, vec![shape], move |t| {
        Tensor::from_fn(&out, |i| {
            let mut at = vec![];
            for a in 0..i.len() {
                let (len, mut p) = (t[0].shape[a] as i64, i[a] as i64 - before[a]);
                match mode {
                    "constant" if p < 0 || p >= len => return fill,
                    "edge" => p = p.max(0).min(len - 1),
                    "wrap" => p = (p + len) % len,
                    "reflect" if p < 0 => p = -p,
                    "reflect" if p >= len => p = 2 * (len - 1) - p,
                    _ => {}
                }
                at.push(p as usize);
            }
            t[0].at(&at)
        })
    })
}

pub fn slice(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 6);
    let opset = d.pick(&[9, 10, 11, 13, 20]);
    let (mut starts, mut ends, mut axes, mut steps) = (vec![], vec![], vec![], vec![]);
    // Chosen elements of each axis, found by walking as Python does.
    let mut chosen: Vec<Vec<usize>> = shape.iter().map(|&l| (0..l).collect()).collect();
    for a in 1..=n {
        let len = shape[a] as i64;
        let step = if opset < 10 { 1 } else { d.pick(&[1, 1, 2, 3, -1, -2]) };
        let first = d.int(0, shape[a] - 1) as i64;
        let last = if step > 0 {
            d.int(first as usize + 1, shape[a]) as i64
        } else {
            d.int(0, first as usize) as i64 - 1
        };
        let mut own = vec![];
        let mut p = first;
        while if step > 0 { p < last } else { p > last } {
            own.push(p as usize);
            p += step;
        }
        chosen[a] = own;
        starts.push(if d.coin() { first } else { first - len });
        ends.push(match (step > 0, last) {
            (true, l) if l == len => d.pick(&[len, i64::MAX, i64::from(i32::MAX)]),
            (false, -1) => d.pick(&[i64::MIN, -len - 1, i64::from(i32::MIN)]),
            (_, l) => l,
        });
        axes.push(if d.coin() { a as i64 } else { a as i64 - shape.len() as i64 });
        steps.push(step);
    }
    let net = if opset < 10 {
        let attributes = [ints("starts", &starts), ints("ends", &ends), ints("axes", &axes)];
        Net::of_opset(opset).node(op, "a", "y", attributes)
    } else {
        let net = Net::of_opset(opset).list("s", &starts).list("e", &ends).list("axes", &axes);
        let all_one = steps.iter().all(|&s| s == 1);
        if all_one && d.coin() {
            net.node(op, "a s e axes", "y", [])
        } else {
            net.list("steps", &steps).node(op, "a s e axes steps", "y", [])
        }
    };
    let out: Vec<usize> = chosen.iter().map(Vec::len).collect();
    Case::new(net, vec![shape], move |t| {
        Tensor::from_fn(&out, |i| {
            let at: Vec<usize> = i.iter().zip(&chosen).map(|(&i, c)| c[i]).collect();
            t[0].at(&at)
        })
    })
}

/// The parts are joined again in another order, so that one tensor shows them all.
pub fn split(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let mut shape = d.shape(n, 3);
    let axis = d.int(1, n);
    let opset = d.pick(&[11, 13, 18, 20]);
    let count = d.int(2, 3);
    let mut lengths = d.ints(count, 1, 3);
    let mut net = Net::of_opset(opset);
    let mut attributes = vec![int("axis", axis as i64)];
    let mut inputs = "a";
    match d.int(0, 2) {
        0 if opset < 13 => attributes.push(ints("split", &lengths)),
        0 => {
            let written: Vec<i64> = lengths.iter().map(|&l| l as i64).collect();
            net = net.list("lengths", &written);
            inputs = "a lengths";
        }
        // Equal parts: as many as the node has outputs; from opset 18 on the last may be shorter.
        _ => {
            let each = lengths[0].max(2);
            lengths = vec![each; count];
            if opset >= 18 {
                attributes.push(int("num_outputs", count as i64));
                lengths[count - 1] -= usize::from(d.coin());
            }
        }
    }
    shape[axis] = lengths.iter().sum();
    let (outputs, joined) = if count == 2 { ("p q", "q p") } else { ("p q r", "r p q") };
    let net =
        net.node(op, inputs, outputs, attributes).node("Concat", joined, "y", [int("axis", axis as i64)]);
    let last = lengths[count - 1];
    Case::new(net, vec![shape.clone()], move |t| {
        Tensor::from_fn(&shape, |i| {
            let len = shape[axis];
            let mut at = i.to_vec();
            // The last part comes first.
            at[axis] = (i[axis] + len - last) % len;
            t[0].at(&at)
        })
    })
}

pub fn tile(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 3);
    let mut repeats = vec![1];
    repeats.extend(d.ints(n, 1, 3));
    let written: Vec<i64> = repeats.iter().map(|&r| r as i64).collect();
    let out: Vec<usize> = shape.iter().zip(&repeats).map(|(s, r)| s * r).collect();
    let net = Net::new().list("times", &written).node(op, "a times", "y", []);
    Case::new(net, vec![shape], move |t| {
        Tensor::from_fn(&out, |i| {
            let at: Vec<usize> = i.iter().zip(&t[0].shape).map(|(&i, &s)| i % s).collect();
            t[0].at(&at)
        })
    })
}

pub fn transpose(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 4);
    let given = d.coin();
    let perm = if given { d.order(n + 1) } else { (0..=n).rev().collect() };
    let attributes = if given { vec![ints("perm", &perm)] } else { vec![] };
    let net = Net::new().node(op, "a", "y", attributes);
    Case::new(net, vec![shape], move |t| t[0].transposed(&perm))
}
