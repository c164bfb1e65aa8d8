//! Reductions and softmax.
use super::{Case, OPSETS};
use crate::common::draw::Draw;
use crate::common::tensor::Tensor;
use crate::common::{int, ints, Net};

/// A non-empty set of axes, each written from either end, never the batch axis.
fn axes_of(d: &mut Draw, rank: usize) -> (Vec<usize>, Vec<i64>) {
    let mut axes: Vec<usize> = (1..rank).filter(|_| d.coin()).collect();
    if axes.is_empty() {
        axes.push(d.int(1, rank - 1));
    }
    let written = axes.iter().map(|&a| if d.coin() { a as i64 } else { a as i64 - rank as i64 }).collect();
    (axes, written)
}

pub fn reduce(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 4);
    let opset = d.pick(&OPSETS);
    let keep = d.coin();
    let as_input = opset >= 18 || (op == "ReduceSum" && opset >= 13);
    let (mut axes, written) = axes_of(d, shape.len());
    let mut net = Net::of_opset(opset);
    let mut attributes = vec![int("keepdims", i64::from(keep))];
    let mut inputs = "a";
    match d.int(0, 4) {
        // No axes: all of them, the examples' too, or none with the attribute that says so.
        0 => axes = (0..shape.len()).collect(),
        1 if as_input => {
            axes = vec![];
            attributes.push(int("noop_with_empty_axes", 1));
        }
        _ if as_input => {
            net = net.list("axes", &written);
            inputs = "a axes";
        }
        _ => attributes.push(ints("axes", &written)),
    }
    let f: fn(&[f64]) -> f64 = match op {
        "ReduceSum" => |g| g.iter().sum(),
        "ReduceMean" => |g| g.iter().sum::<f64>() / g.len() as f64,
        "ReduceMax" => |g| g.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        "ReduceL1" => |g| g.iter().map(|v| v.abs()).sum(),
        "ReduceL2" => |g| g.iter().map(|v| v * v).sum::<f64>().sqrt(),
        "ReduceLogSum" => |g| g.iter().sum::<f64>().ln(),
        "ReduceProd" => |g| g.iter().product(),
        "ReduceSumSquare" => |g| g.iter().map(|v| v * v).sum(),
        "ReduceMin" => |g| g.iter().copied().fold(f64::INFINITY, f64::min),
        _ => |g| g.iter().map(|v| v.exp()).sum::<f64>().ln(),
    };
    let net = net.node(op, inputs, "y", attributes);
    let plain = move |t: &[Tensor]| (!axes.contains(&0)).then(|| t[0].reduced(&axes, keep, f));
    let range = if op == "ReduceLogSum" { (0.1, 2.0) } else { super::ANYWHERE };
    Case { net, inputs: vec![shape], range, plain: Box::new(plain) }
}

pub fn softmax(op: &str, d: &mut Draw) -> Case {
    let n = d.int(1, 3);
    let shape = d.shape(n, 4);
    let opset = d.pick(&OPSETS);
    let given = d.coin();
    let rank = shape.len();
    let old = opset < 13;
    let axis = if given {
        d.int(1, rank - 1)
    } else if old {
        1
    } else {
        rank - 1
    };
    let written = if d.coin() { axis as i64 } else { axis as i64 - rank as i64 };
    let attributes = if given { vec![int("axis", written)] } else { vec![] };
    let net = Net::of_opset(opset).node(op, "a", "y", attributes);
    let log = op == "LogSoftmax";
    Case::new(net, vec![shape.clone()], move |t| {
        // Up to opset 12 everything from the axis on is one axis.
        let axes: Vec<usize> = if old { (axis..rank).collect() } else { vec![axis] };
        let totals = t[0].reduced(&axes, true, |g| g.iter().map(|v| v.exp()).sum());
        Tensor::from_fn(&shape, |i| {
            let p = t[0].at(i).exp() / totals.spread(i);
            if log {
                p.ln()
            } else {
                p
            }
        })
    })
}
