//! Attention and rotary embeddings.
use super::Case;
use crate::common::draw::Draw;
use crate::common::tensor::Tensor;
use crate::common::{float, int, Net};
use deeplift_graph::Constant;

/// Heads apart: `[batch, heads, positions, depth]` of a tensor that may hold them in its last of three axes.
fn apart(t: &Tensor, heads: usize) -> Tensor {
    let [b, positions, all] = t.shape[..] else { return t.clone() };
    t.reshaped(&[b, positions, heads, all / heads]).transposed(&[0, 2, 1, 3])
}

/// The inverse, for three axes.
fn together(t: &Tensor) -> Tensor {
    let [b, heads, positions, depth] = t.shape[..] else { unreachable!("four axes") };
    t.transposed(&[0, 2, 1, 3]).reshaped(&[b, positions, heads * depth])
}

/// `b` after `a` along axis 2.
fn joined(a: &Tensor, b: &Tensor) -> Tensor {
    let n = a.shape[2];
    let mut shape = b.shape.clone();
    shape[2] += n;
    Tensor::from_fn(&shape, |i| if i[2] < n { a.at(i) } else { b.at(&[i[0], i[1], i[2] - n, i[3]]) })
}

/// Queries `a`, keys `b`, values `b` or constant, some cached; every kind of mask, of which some leave a query nothing.
pub fn attention(_: &str, d: &mut Draw) -> Case {
    let (groups, repeats, folded) = (d.int(1, 2), d.int(1, 2), d.coin());
    let (depth, queries, kv) = (d.int(1, 3), d.int(1, 3), d.int(1, 3));
    let past = if d.coin() { d.int(1, 2) } else { 0 };
    let (heads, total) = (groups * repeats, past + kv);
    let own_values = d.coin();
    let v_depth = if own_values { depth } else { d.int(1, 3) };
    let shape = |heads: usize, positions: usize, depth: usize| match folded {
        true => vec![1, positions, heads * depth],
        false => vec![1, heads, positions, depth],
    };
    let random =
        |d: &mut Draw, shape: &[usize]| Tensor::new(shape, d.reals(shape.iter().product(), -1.0, 1.0));
    let values = random(d, &shape(groups, kv, v_depth));
    let past_k = random(d, &[1, groups, past, depth]);
    let past_v = random(d, &[1, groups, past, v_depth]);
    let mut attributes = vec![];
    if folded {
        attributes.push(int("q_num_heads", heads as i64));
        attributes.push(int("kv_num_heads", groups as i64));
    }
    let scale = if d.coin() {
        attributes.push(float("scale", 0.6));
        0.6
    } else {
        1.0 / (depth as f64).sqrt()
    };
    let softcap = d.pick(&[0.0, 0.0, 1.5]);
    attributes.push(float("softcap", softcap));
    let causal = d.int(0, 2) == 0;
    attributes.push(int("is_causal", i64::from(causal)));
    let (left, right) = (d.pick(&[-1, -1, -1, 0, 1]), d.pick(&[-1, -1, -1, 0, 1]));
    attributes.push(int("left_window_size", left));
    attributes.push(int("right_window_size", right));
    // The mask may have fewer columns than there are keys.
    let columns = d.int(1, total);
    let lead = d.pick(&[vec![], vec![queries], vec![heads, queries], vec![1, 1, queries], vec![1, heads, 1]]);
    let of = [lead, vec![columns]].concat();
    let kind = d.pick(&["none", "none", "bool", "float"]);
    let mask = match kind {
        "none" => None,
        "bool" => Some(Tensor::new(
            &of,
            (0..of.iter().product()).map(|_| f64::from(u8::from(d.int(0, 3) > 0))).collect(),
        )),
        _ => {
            let value = |d: &mut Draw| if d.int(0, 3) == 0 { f64::NEG_INFINITY } else { d.real(-1.0, 1.0) };
            Some(Tensor::new(&of, (0..of.iter().product()).map(|_| value(d)).collect()))
        }
    };
    let padded = past == 0 && d.int(0, 3) == 0;
    let valid = if padded { d.int(0, total) } else { total };
    let masks = kind != "none" || causal || left >= 0 || right >= 0 || padded;
    // Scores below which there is −inf have no differences.
    let shown = d.pick(if masks { &[0, 1, 3][..] } else { &[0, 1, 2, 3][..] });
    attributes.push(int("qk_matmul_output_mode", shown));
    let mut net = Net::new().weight("v", &values.shape, values.data.clone());
    net = match (&mask, kind) {
        (Some(m), "bool") => {
            net.constant("m", Constant::bool(of.clone(), m.data.iter().map(|&v| v != 0.0).collect()))
        }
        (Some(m), _) => net.weight("m", &of, m.data.clone()),
        _ => net,
    };
    net =
        net.weight("pk", &past_k.shape, past_k.data.clone()).weight("pv", &past_v.shape, past_v.data.clone());
    net = net.list("n", &[valid as i64]);
    let inputs = format!(
        "a b {} {} {} {}",
        if own_values { "b" } else { "v" },
        if mask.is_some() { "m" } else { "_" },
        if past > 0 { "pk pv" } else { "_ _" },
        if padded { "n" } else { "_" }
    );
    // Constant values are no target.
    let output = d.pick(if own_values { &[0, 0, 1, 2, 3][..] } else { &[0, 0, 1, 3][..] });
    let outputs = ["y", "u y", "u v_all y", "u k_all v_all y"][output];
    let net = net.node("Attention", &inputs, outputs, attributes);
    let offset = if padded { valid as i64 - queries as i64 } else { past as i64 };
    let sees = move |q: usize, k: usize| {
        let behind = q as i64 + offset - k as i64;
        (!causal || behind >= 0)
            && (left < 0 || behind <= left)
            && (right < 0 || -behind <= right)
            && (!padded || k < valid)
    };
    let shapes = vec![shape(heads, queries, depth), shape(groups, kv, depth)];
    Case::new(net, shapes, move |t| {
        let (q, k) = (apart(&t[0], heads), joined(&past_k, &apart(&t[1], groups)));
        let v = joined(&past_v, &apart(if own_values { &t[1] } else { &values }, groups));
        let raw = Tensor::from_fn(&[1, heads, queries, total], |i| {
            let at = |l| q.at(&[0, i[1], i[2], l]) * k.at(&[0, i[1] / repeats, i[3], l]);
            scale * (0..depth).map(at).sum::<f64>()
        });
        let capped = if softcap > 0.0 { raw.map(|s| softcap * (s / softcap).tanh()) } else { raw.clone() };
        let bias = Tensor::from_fn(&raw.shape, |i| match &mask {
            _ if !sees(i[2], i[3]) => f64::NEG_INFINITY,
            Some(_) if i[3] >= columns => f64::NEG_INFINITY,
            Some(m) if kind == "bool" => m.spread(&[0, i[1], i[2], i[3]]).ln(),
            Some(m) => m.spread(&[0, i[1], i[2], i[3]]),
            None => 0.0,
        });
        let e = Tensor::from_fn(&raw.shape, |i| (capped.at(i) + bias.at(i)).exp());
        let sums = e.reduced(&[3], true, |v| v.iter().sum());
        let p = Tensor::from_fn(&raw.shape, |i| if e.at(i) == 0.0 { 0.0 } else { e.at(i) / sums.spread(i) });
        let y = Tensor::from_fn(&[1, heads, queries, v_depth], |i| {
            (0..total).map(|l| p.at(&[0, i[1], i[2], l]) * v.at(&[0, i[1] / repeats, l, i[3]])).sum()
        });
        match output {
            0 if folded => together(&y),
            0 => y,
            1 => k,
            2 => v,
            _ => [&raw, &capped, &capped, &p][shown as usize].clone(),
        }
    })
}

/// Pairs of elements of each head turned by an angle per position.
pub fn rotary(_: &str, d: &mut Draw) -> Case {
    let (heads, positions, half) = (d.int(1, 3), d.int(1, 3), d.int(1, 2));
    let (rest, folded, interleaved, given) = (d.int(0, 2), d.coin(), d.coin(), d.coin());
    let depth = 2 * half + rest;
    let shape = if folded { vec![1, positions, heads * depth] } else { vec![1, heads, positions, depth] };
    let rows = if given { 5 } else { positions };
    let of = if given { vec![rows, half] } else { vec![1, rows, half] };
    let angles = d.reals(rows * half, -3.0, 3.0);
    let at: Vec<i64> = (0..positions).map(|_| d.int(0, rows - 1) as i64).collect();
    let mut attributes = vec![int("interleaved", i64::from(interleaved))];
    if folded {
        attributes.push(int("num_heads", heads as i64));
    }
    if rest > 0 || d.coin() {
        attributes.push(int("rotary_embedding_dim", 2 * half as i64));
    }
    let net = Net::new()
        .weight("cos", &of, angles.iter().map(|a| a.cos()).collect())
        .weight("sin", &of, angles.iter().map(|a| a.sin()).collect())
        .constant("at", Constant::i64(vec![1, positions], at.clone()))
        .node("RotaryEmbedding", if given { "a cos sin at" } else { "a cos sin" }, "y", attributes);
    Case::new(net, vec![shape], move |t| {
        let x = apart(&t[0], heads);
        let y = Tensor::from_fn(&x.shape, |i| {
            let (p, l) = (i[2], i[3]);
            if l >= 2 * half {
                return x.at(i);
            }
            let (pair, second) = if interleaved { (l / 2, l % 2 == 1) } else { (l % half, l >= half) };
            let row = if given { at[p] as usize } else { p };
            let angle = angles[row * half + pair];
            let [first, other] = if interleaved { [2 * pair, 2 * pair + 1] } else { [pair, pair + half] };
            let [a, b] = [first, other].map(|l| x.at(&[i[0], i[1], p, l]));
            if second {
                a * angle.sin() + b * angle.cos()
            } else {
                a * angle.cos() - b * angle.sin()
            }
        });
        if folded {
            together(&y)
        } else {
            y
        }
    })
}
