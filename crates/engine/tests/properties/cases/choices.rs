//! Steps, comparisons, logic and choices between tensors.
use super::products::narrowed;
use super::Case;
use crate::common::draw::Draw;
use crate::common::net::Named;
use crate::common::tensor::{broadcast, Tensor};
use crate::common::{int, Net};
use deeplift_graph::{Constant, DType};

/// The whole range, but nothing in front of the operator: a step multiplies the rounding of what is.
const BARE: (f64, f64) = (-2.5, 2.5);

fn truth(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

fn float_cast() -> [Named; 1] {
    [int("to", 1)]
}

/// Floor, Ceil, Round and Sign; Cast to integers and to truth values, and back.
pub fn step(op: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 5);
    let net = Net::new();
    let (net, f): (Net, fn(f64) -> f64) = match op {
        "Floor" => (net.node(op, "a", "y", []), |x| x - x.rem_euclid(1.0)),
        "Ceil" => (net.node(op, "a", "y", []), |x| x + (-x).rem_euclid(1.0)),
        "Round" => (net.node(op, "a", "y", []), |x| {
            let below = x - x.rem_euclid(1.0);
            let odd = below.rem_euclid(2.0) == 1.0;
            below + truth(x - below > 0.5 || (x - below == 0.5 && odd))
        }),
        "Sign" => (net.node(op, "a", "y", []), |x| truth(x > 0.0) - truth(x < 0.0)),
        "IsInf" | "IsNaN" => (net.node(op, "a", "is", []).node("Cast", "is", "y", float_cast()), |_| 0.0),
        "Cast" => {
            let to = d.pick(&[3, 5, 6, 7, 9]);
            let net = net.node(op, "a", "whole", [int("to", to)]).node(op, "whole", "y", float_cast());
            (net, if to == 9 { |x| truth(x != 0.0) } else { |x| x - x % 1.0 })
        }
        _ => unreachable!("{op} is listed"),
    };
    let case = Case::new(net, vec![shape], move |t: &[Tensor]| t[0].map(f));
    case.within(BARE.0, BARE.1)
}

/// Two activations, or an activation and a constant on either side, broadcast; the truth value as a number.
pub fn compare(op: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 4);
    let f: fn(f64, f64) -> bool = match op {
        "Equal" => |a, b| a == b,
        "Greater" => |a, b| a > b,
        "GreaterOrEqual" => |a, b| a >= b,
        "Less" => |a, b| a < b,
        _ => |a, b| a <= b,
    };
    let (sa, sb) = (narrowed(d, &shape, false), narrowed(d, &shape, false));
    let out = broadcast(&sa, &sb);
    // Where numbers are whole, equality is met.
    let whole = d.coin();
    let round = move |v: f64| if whole { v.round_ties_even() } else { v };
    let c = Tensor::new(&sb, d.reals(sb.iter().product(), -2.0, 2.0)).map(round);
    let mut net = Net::new();
    let mut names = ["a", "b"];
    if whole {
        net = net.node("Round", "a", "ra", []);
        names[0] = "ra";
    }
    let computed = d.coin();
    let first = d.coin();
    if computed && whole {
        net = net.node("Round", "b", "rb", []);
        names[1] = "rb";
    } else if !computed {
        net = net.weight("c", &sb, c.data.clone());
        names[1] = "c";
    }
    let [a, b] = names;
    let operands = if first { format!("{a} {b}") } else { format!("{b} {a}") };
    let net = net.node(op, &operands, "is", []).node("Cast", "is", "y", float_cast());
    let inputs = if computed { vec![sa, sb] } else { vec![sa] };
    Case::new(net, inputs, move |t| {
        let other = if computed { &t[1] } else { &c };
        Tensor::from_fn(&out, |i| {
            let (a, b) = (round(t[0].spread(i)), round(other.spread(i)));
            truth(if first { f(a, b) } else { f(b, a) })
        })
    })
    .within(BARE.0, BARE.1)
}

/// Logic of the signs of two activations, or of one and a constant.
pub fn logic(op: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 4);
    let (sa, sb) = (narrowed(d, &shape, false), narrowed(d, &shape, false));
    let net = Net::new().weight("zero", &[], vec![0.0]).node("Greater", "a zero", "p", []);
    let numbers = |net: Net| net.node("Cast", "r", "y", float_cast());
    if op == "Not" {
        let net = numbers(net.node(op, "p", "r", []));
        return Case::new(net, vec![sa], |t| t[0].map(|a| truth(a <= 0.0))).within(BARE.0, BARE.1);
    }
    let f: fn(bool, bool) -> bool = match op {
        "And" => |a, b| a && b,
        "Or" => |a, b| a || b,
        _ => |a, b| a != b,
    };
    let out = broadcast(&sa, &sb);
    if d.coin() {
        let net = numbers(net.node("Less", "b zero", "q", []).node(op, "p q", "r", []));
        return Case::new(net, vec![sa, sb], move |t| {
            Tensor::from_fn(&out, |i| truth(f(t[0].spread(i) > 0.0, t[1].spread(i) < 0.0)))
        })
        .within(BARE.0, BARE.1);
    }
    let q: Vec<bool> = (0..sb.iter().product()).map(|_| d.coin()).collect();
    let q_values = Tensor::new(&sb, q.iter().map(|&q| truth(q)).collect());
    let net = numbers(net.constant("q", Constant::bool(sb, q)).node(op, "q p", "r", []));
    Case::new(net, vec![sa], move |t| {
        Tensor::from_fn(&out, |i| truth(f(t[0].spread(i) > 0.0, q_values.spread(i) != 0.0)))
    })
    .within(BARE.0, BARE.1)
}

/// A constant condition, or one that compares an activation; branches computed or constant.
pub fn select(_: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 4);
    let [sa, sb, sc] = [0; 3].map(|_| narrowed(d, &shape, false));
    let out = broadcast(&broadcast(&sa, &sb), &sc);
    let swapped = d.coin();
    let order = |c: &str, yes: &str, no: &str| if swapped { [c, no, yes] } else { [c, yes, no] }.join(" ");
    let n = sc.iter().product();
    if d.coin() {
        let c: Vec<bool> = (0..n).map(|_| d.coin()).collect();
        let holds = Tensor::new(&sc, c.iter().map(|&c| truth(c)).collect());
        let computed = d.coin();
        let w = Tensor::new(&sb, d.reals(sb.iter().product(), -2.0, 2.0));
        let net = Net::new().constant("c", Constant::bool(sc, c)).weight("w", &sb, w.data.clone());
        let net = net.node("Where", &order("c", "a", if computed { "b" } else { "w" }), "y", []);
        let inputs = if computed { vec![sa, sb] } else { vec![sa] };
        return Case::new(net, inputs, move |t| {
            let other = if computed { &t[1] } else { &w };
            Tensor::from_fn(&out, |i| {
                let yes = (holds.spread(i) != 0.0) != swapped;
                if yes { &t[0] } else { other }.spread(i)
            })
        });
    }
    let threshold = d.real(-1.0, 1.0);
    let w = Tensor::new(&sc, d.reals(n, -2.0, 2.0));
    let net = Net::new().weight("h", &[], vec![threshold]).weight("w", &sc, w.data.clone());
    let net = net.node("Greater", "a h", "c", []).node("Where", &order("c", "b", "w"), "y", []);
    Case::new(net, vec![sa, sb], move |t| {
        Tensor::from_fn(&out, |i| {
            let yes = (t[0].spread(i) > threshold) != swapped;
            if yes { &t[1] } else { &w }.spread(i)
        })
    })
    .within(BARE.0, BARE.1)
}

/// A Cast between numbers, or one that loses something.
pub fn cast(op: &str, d: &mut Draw) -> Case {
    match d.coin() {
        true => super::moves::identity(op, d),
        false => step(op, d),
    }
}

/// The element type of another tensor, of which no value is read.
pub fn cast_like(op: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 4);
    let like = if d.coin() { Constant::i64(vec![1], vec![3]) } else { Constant::f64(vec![2], vec![0.5; 2]) };
    let whole = !like.dtype.is_float();
    let net = Net::new().constant("like", like).node(op, "a like", "typed", []);
    let net = net.node("Cast", "typed", "y", float_cast());
    Case::new(net, vec![shape], move |t| t[0].map(|x| if whole { x - x % 1.0 } else { x }))
        .within(BARE.0, BARE.1)
}

/// Remainders with the sign of the dividend; the divisor constant or computed.
pub fn modulo(op: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 4);
    let (sa, sb) = (narrowed(d, &shape, false), narrowed(d, &shape, false));
    let out = broadcast(&sa, &sb);
    let fmod = [int("fmod", 1)];
    let remainder = |a: f64, b: f64| a - b * (a / b).trunc();
    if d.coin() {
        // The divisor stays away from 0.
        let net = Net::new().weight("two", &[], vec![2.0]).node("Abs", "b", "size", []);
        let net = net.node("Add", "size two", "divisor", []).node(op, "a divisor", "y", fmod);
        return Case::new(net, vec![sa, sb], move |t| {
            Tensor::from_fn(&out, |i| remainder(t[0].spread(i), t[1].spread(i).abs() + 2.0))
        })
        .within(BARE.0, BARE.1);
    }
    let w = Tensor::new(&sb, d.reals(sb.iter().product(), 0.4, 1.5));
    let net = Net::new().weight("w", &sb, w.data.clone()).node(op, "a w", "y", fmod);
    Case::new(net, vec![sa], move |t| Tensor::from_fn(&out, |i| remainder(t[0].spread(i), w.spread(i))))
        .within(BARE.0, BARE.1)
}

/// Maxima and minima of two activations, of one and a constant tensor, or of three operands, broadcast; and of one
/// activation and a multiple of it, which is a function of one element.
pub fn extremum(op: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 4);
    let f: fn(f64, f64) -> f64 = if op == "Max" { f64::max } else { f64::min };
    let (sa, sb) = (narrowed(d, &shape, false), narrowed(d, &shape, false));
    let out = broadcast(&sa, &sb);
    let w = Tensor::new(&sb, d.reals(sb.iter().product(), -1.5, 1.5));
    let net = Net::new().weight("w", &sb, w.data.clone()).weight("half", &[], vec![0.5]);
    match d.int(0, 3) {
        0 => Case::new(net.node(op, "a b", "y", []), vec![sa, sb], move |t| {
            Tensor::from_fn(&out, |i| f(t[0].spread(i), t[1].spread(i)))
        }),
        1 => {
            let operands = if d.coin() { "a w" } else { "w a" };
            Case::new(net.node(op, operands, "y", []), vec![sa], move |t| {
                Tensor::from_fn(&out, |i| f(t[0].spread(i), w.spread(i)))
            })
        }
        2 => Case::new(net.node(op, "a w b half", "y", []), vec![sa, sb], move |t| {
            Tensor::from_fn(&out, |i| f(f(t[0].spread(i), w.spread(i)), f(t[1].spread(i), 0.5)))
        }),
        _ => {
            let net = net.node("Mul", "a half", "h", []).node(op, "a h", "y", []);
            Case::new(net, vec![sa], move |t| t[0].map(|a| f(a, 0.5 * a)))
        }
    }
}

/// Quantised and back: one scale, one per element of an axis, or one per block.
pub fn quantize(_: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 5);
    let axis = d.int(1, axes);
    let block = d.int(1, 3);
    let (of, attributes) = match d.int(0, 2) {
        0 => (vec![], vec![]),
        1 => (vec![shape[axis]], vec![int("axis", axis as i64)]),
        _ => {
            let mut of = shape.clone();
            of[axis] = shape[axis].div_ceil(block);
            let along = axis as i64 - shape.len() as i64;
            (of, vec![int("axis", along), int("block_size", block as i64)])
        }
    };
    let n = of.iter().product();
    let scale = Tensor::new(&of, d.reals(n, 0.01, 0.4));
    let signed = d.coin();
    let (low, high) = if signed { (-128.0, 127.0) } else { (0.0, 255.0) };
    let zero: Vec<i64> = (0..n).map(|_| d.int(0, 100) as i64).collect();
    let dtype = if signed { DType::I8 } else { DType::U8 };
    let net = Net::of_opset(21)
        .weight("s", &of, scale.data.clone())
        .constant("z", Constant { dtype, ..Constant::i64(of.clone(), zero.clone()) })
        .node("QuantizeLinear", "a s z", "q", attributes.clone())
        .node("DequantizeLinear", "q s z", "y", attributes);
    Case::new(net, vec![shape.clone()], move |t| {
        Tensor::from_fn(&shape, |i| {
            let mut at = match of.len() {
                0 => vec![],
                1 => vec![i[axis]],
                _ => i.to_vec(),
            };
            if of.len() > 1 {
                at[axis] /= block;
            }
            let (s, flat) = (scale.at(&at), flat(&of, &at));
            let z = zero[flat] as f64;
            // Levels of float32 tensors are computed in float32.
            let level = f64::from(t[0].at(i) as f32 / s as f32).round_ties_even() + z;
            (level.clamp(low, high) - z) * s
        })
    })
    .within(BARE.0, BARE.1)
}

fn flat(shape: &[usize], index: &[usize]) -> usize {
    shape.iter().zip(index).fold(0, |flat, (&n, &i)| flat * n + i)
}
