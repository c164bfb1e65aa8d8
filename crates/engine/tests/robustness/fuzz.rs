//! Any operator with any inputs and attributes is planned and scored, or refused; it never panics.
use std::panic::{catch_unwind, AssertUnwindSafe};

use deeplift_engine::score::Values;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{Code, Constant};
use proptest::prelude::*;

use crate::cases;
use crate::common::draw::Draw;
use crate::common::{Named, Net, Setup};

const ATTRIBUTES: &[&str] = &[
    "allowzero",
    "alpha",
    "approximate",
    "auto_pad",
    "axes",
    "axis",
    "beta",
    "ceil_mode",
    "count_include_pad",
    "dilations",
    "end",
    "ends",
    "epsilon",
    "fmod",
    "gamma",
    "group",
    "keepdims",
    "kernel_shape",
    "max",
    "min",
    "mode",
    "noop_with_empty_axes",
    "num_outputs",
    "pads",
    "perm",
    "split",
    "start",
    "starts",
    "steps",
    "strides",
    "to",
    "transA",
    "transB",
    "value",
    "value_float",
    "value_ints",
    "outputs",
    "channels_last",
    "expression",
];

const WORDS: &[&str] =
    &["", "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "reflect", "edge", "wrap", "tanh", "no"];

fn integer(d: &mut Draw) -> i64 {
    match d.int(0, 15) {
        0 => d.pick(&[i64::MIN, i64::MAX, i64::from(i32::MIN), i64::from(i32::MAX), 1 << 40, -(1 << 40)]),
        1 => d.pick(&[100, 1000, -100]),
        _ => d.int(0, 6) as i64 - 2,
    }
}

fn integers(d: &mut Draw) -> Vec<i64> {
    (0..d.int(0, 6)).map(|_| integer(d)).collect()
}

fn real(d: &mut Draw) -> f64 {
    match d.int(0, 12) {
        0 => d.pick(&[0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1e300, 1e-300]),
        _ => d.real(-3.0, 3.0),
    }
}

fn shape(d: &mut Draw) -> Vec<usize> {
    let axes = d.int(0, 4);
    (0..axes).map(|_| d.pick(&[1, 1, 2, 3, 3, 4, 0])).collect()
}

fn constant(d: &mut Draw) -> Constant {
    if d.int(0, 2) == 0 {
        let values = integers(d);
        return match d.int(0, 3) {
            0 if values.len() == 1 => Constant::i64(vec![], values),
            1 => Constant::bool(vec![values.len()], values.iter().map(|v| v & 1 == 1).collect()),
            _ => Constant::i64(vec![values.len()], values),
        };
    }
    let shape = shape(d);
    let n = shape.iter().product();
    Constant::f64(shape, (0..n).map(|_| real(d)).collect())
}

fn attribute(d: &mut Draw, name: &str) -> Attribute {
    // The type that the name usually has, or any.
    let list = name.ends_with('s') && name != "keepdims";
    match d.int(0, 9) {
        0 => Attribute::Float(real(d)),
        1 => Attribute::Int(integer(d)),
        2 => Attribute::Ints(integers(d)),
        3 => Attribute::Floats(vec![real(d); d.int(0, 3)]),
        4 => Attribute::Tensor(constant(d)),
        5 => Attribute::Other,
        6 => Attribute::String(d.pick(WORDS).into()),
        _ if ["auto_pad", "mode", "approximate"].contains(&name) => Attribute::String(d.pick(WORDS).into()),
        _ if ["alpha", "beta", "gamma", "epsilon"].contains(&name) => Attribute::Float(real(d)),
        _ if list => Attribute::Ints(integers(d)),
        _ => Attribute::Int(integer(d)),
    }
}

/// A node of `op` among other nodes.
fn network(op: &str, d: &mut Draw) -> Net {
    let mut net = Net::of_opset(d.pick(&[7, 9, 11, 13, 18, 20, 25]));
    let mut names = vec![];
    for i in 0..d.int(0, 5) {
        let name = format!("i{i}");
        names.push(match d.int(0, 7) {
            0 => "_".to_string(),
            1..=3 if i > 0 => {
                net = net.constant(&name, constant(d));
                name
            }
            _ => {
                let shape = shape(d);
                net = net.input(&name, &shape);
                if d.coin() {
                    name
                } else {
                    let unary = format!("{name}u");
                    net = net.node(d.pick(&["Relu", "Tanh", "Identity"]), &name, &unary, []);
                    unary
                }
            }
        });
    }
    if net.wire.inputs.is_empty() {
        net = net.input("x", &[2, 3]);
    }
    let mut attributes: Vec<Named> = vec![];
    for _ in 0..d.int(0, 4) {
        let name = d.pick(ATTRIBUTES);
        if attributes.iter().all(|(n, _)| n != name) {
            attributes.push((name.to_string(), attribute(d, name)));
        }
    }
    let outputs = d.pick(&["h", "h", "h", "h h2", "h h2 h3"]);
    net = net.node(op, &names.join(" "), outputs, attributes);
    match d.int(0, 4) {
        0 => net.node("Relu", "h", "t", []),
        1 => net.node("Flatten", "h", "f", []).node("Tanh", "f", "t", []),
        2 => net.node("Transpose", "h", "t", []),
        3 => net.node("Mul", "h h", "t", []),
        _ => net.node("Identity", "h", "t", []),
    }
}

/// A network that can be scored, with one to three things changed.
fn spoilt(op: &str, d: &mut Draw) -> Net {
    let case = cases::draw(op, d);
    let mut net = case.net;
    for (shape, name) in case.inputs.iter().zip(["a", "b"]) {
        net = net.input(name, &shape[1..]);
    }
    for _ in 0..d.int(1, 3) {
        let wire = &mut net.wire;
        let at = d.int(0, wire.nodes.len() - 1);
        let node = &mut wire.nodes[at];
        match d.int(0, 7) {
            0 | 1 if !node.attributes.is_empty() => {
                let i = d.int(0, node.attributes.len() - 1);
                let name = node.attributes[i].0.clone();
                match &mut node.attributes[i].1 {
                    Attribute::Ints(v) if !v.is_empty() && d.coin() => {
                        let k = d.int(0, v.len() - 1);
                        v[k] = integer(d);
                    }
                    other => *other = attribute(d, &name),
                }
            }
            2 if !wire.initializers.is_empty() => {
                let i = d.int(0, wire.initializers.len() - 1);
                let c = &mut wire.initializers[i].1;
                *c = match c.to_i64() {
                    Ok(mut v) if !v.is_empty() && d.coin() => {
                        let k = d.int(0, v.len() - 1);
                        v[k] = integer(d);
                        Constant::i64(c.shape.clone(), v)
                    }
                    _ => constant(d),
                };
            }
            3 => {
                let i = d.int(0, wire.inputs.len() - 1);
                let axes = wire.inputs[i].dims.len();
                if axes > 1 {
                    wire.inputs[i].dims[d.int(1, axes - 1)] = d.int(0, 5) as i64;
                }
            }
            4 => {
                let i = d.int(0, node.inputs.len() - 1);
                node.inputs[i] = String::new();
            }
            5 => node.inputs.push("a".into()),
            6 => wire.opset = d.pick(&[7, 9, 11, 13, 18, 21, 25]),
            _ => node.op_type = d.pick(deeplift_ops::TABLE).0.into(),
        }
    }
    net.node(d.pick(&["Relu", "Flatten", "Transpose", "Identity"]), "y", "t", [])
}

/// Plans and scores; a panic anywhere is a failure.
fn check(op: &str, seed: u64, make: fn(&str, &mut Draw) -> Net) -> Result<(), String> {
    let mut d = Draw(seed);
    let net = make(op, &mut d);
    let text = || {
        let constants: Vec<String> = net
            .wire
            .initializers
            .iter()
            .map(|(n, c)| format!("{n}: {:?} {:?}", c.shape, c.to_f64()))
            .collect();
        let inputs: Vec<String> =
            net.wire.inputs.iter().map(|i| format!("{}: {:?}", i.name, i.dims)).collect();
        format!("opset {}\n{inputs:?}\n{constants:?}\n{:#?}", net.wire.opset, net.wire.nodes)
    };
    let rule = d.pick(&["rescale", "reveal-cancel", "genomics-default", "gradient"]);
    let mut setup = Setup::new(net.clone(), "t").rule(rule);
    setup.options.memory = 1e8;
    setup.x = setup
        .options
        .inputs
        .iter()
        .map(|i| Values::F64(d.reals(i.shape.iter().product(), -2.0, 2.0)))
        .collect();
    let outcome = catch_unwind(AssertUnwindSafe(|| setup.score::<f64>()));
    match outcome {
        Err(_) => Err(format!("{op}, seed {seed}: planning panics\n{}", text())),
        Ok(Err(e)) if e.code == Code::Internal => Err(format!("{op}, seed {seed}: {e}\n{}", text())),
        Ok(_) => Ok(()),
    }
}

proptest! {
    #![proptest_config(crate::common::draw::config(1000))]

    #[test]
    fn no_operator_panics(seed in any::<u64>()) {
        for (i, (op, ..)) in deeplift_ops::TABLE.iter().enumerate() {
            check(op, seed.wrapping_add(i as u64), network).map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn no_change_of_a_good_file_panics(seed in any::<u64>()) {
        for (i, op) in cases::data_ops().enumerate() {
            check(op, seed.wrapping_add(i as u64), spoilt).map_err(TestCaseError::fail)?;
        }
    }
}

/// Thousands of layers in a row, joined at the end: nothing recurses as deep as a file is long.
#[test]
fn long_chains_are_planned() {
    const LAYERS: usize = 20_000;
    let mut net = Net::new().input("x", &[2]);
    let mut last = "x".to_string();
    for i in 0..LAYERS {
        let next = format!("c{i}");
        net = net.node("Tanh", &last, &next, []);
        last = next;
    }
    let net = net.node("Add", &format!("x {last}"), "t", []);
    let mut setup = Setup::new(net, "t");
    setup.x = vec![Values::F64(vec![0.5, -0.5])];
    let s = setup.score::<f64>().unwrap();
    assert!(s.completeness[0] <= 1e-10);
}

/// A function of one element that is joined with itself again and again: composites neither nest nor grow without
/// bound.
#[test]
fn long_chains_of_joins_are_planned() {
    const LAYERS: usize = 3000;
    let mut net = Net::new().input("x", &[2]);
    let mut last = "x".to_string();
    for i in 0..LAYERS {
        let (gate, next) = (format!("g{i}"), format!("c{i}"));
        net = net.node("Sigmoid", &last, &gate, []).node("Mul", &format!("{last} {gate}"), &next, []);
        last = next;
    }
    let net = net.node("Add", &format!("x {last}"), "t", []);
    let mut setup = Setup::new(net, "t");
    setup.x = vec![Values::F64(vec![0.5, -0.5])];
    let s = setup.score::<f64>().unwrap();
    assert!(s.completeness[0] <= 1e-10);
}
