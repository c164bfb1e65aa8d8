//! Functions of one element.
use super::Case;
use crate::common::draw::Draw;
use crate::common::tensor::Tensor;
use crate::common::{float, string, Net};

/// The error function by its Maclaurin series, which needs no more than 60 terms for |x| < 3.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..80 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    (1.0 + x.exp()).ln()
}

pub fn unary(op: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 5);
    let given = d.coin();
    let alpha = d.real(0.2, 1.5);
    let beta = d.real(0.2, 0.8);
    let a = move |default: f64| if given { alpha } else { default };
    let one = if given { vec![float("alpha", alpha)] } else { vec![] };
    let mut net = Net::new();
    let mut attributes = vec![];
    let mut inputs = "a".to_string();
    let f: Box<dyn Fn(f64) -> f64> = match op {
        "Abs" => Box::new(f64::abs),
        "Celu" | "Elu" => {
            attributes = one;
            let inner = if op == "Celu" { a(1.0) } else { 1.0 };
            Box::new(move |x: f64| x.max(0.0) + (a(1.0) * ((x / inner).exp() - 1.0)).min(0.0))
        }
        "Clip" => {
            let (low, high) = (d.real(-1.0, 0.0), d.real(0.0, 1.0));
            match d.int(0, 3) {
                0 => {
                    net = Net::of_opset(9);
                    attributes = vec![float("min", low), float("max", high)];
                    Box::new(move |x: f64| x.max(low).min(high))
                }
                1 => {
                    net = net.weight("low", &[], vec![low]);
                    inputs += " low";
                    Box::new(move |x: f64| x.max(low))
                }
                2 => {
                    net = net.weight("high", &[], vec![high]);
                    inputs += " _ high";
                    Box::new(move |x: f64| x.min(high))
                }
                _ => {
                    net = net.weight("low", &[], vec![low]).weight("high", &[], vec![high]);
                    inputs += " low high";
                    Box::new(move |x: f64| x.max(low).min(high))
                }
            }
        }
        "Erf" => Box::new(erf),
        "Exp" => Box::new(f64::exp),
        "Gelu" if given => {
            attributes = vec![string("approximate", "tanh")];
            let c = (2.0 / std::f64::consts::PI).sqrt();
            Box::new(move |x: f64| 0.5 * x * (1.0 + (c * (x + 0.044715 * x.powi(3))).tanh()))
        }
        "Gelu" => Box::new(|x: f64| 0.5 * x * (1.0 + erf(x / 2f64.sqrt()))),
        "HardSigmoid" => {
            if given {
                attributes = vec![float("alpha", alpha), float("beta", beta)];
            }
            let b = if given { beta } else { 0.5 };
            Box::new(move |x: f64| (a(0.2) * x + b).clamp(0.0, 1.0))
        }
        "HardSwish" => Box::new(|x: f64| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        "LeakyRelu" => {
            attributes = one;
            Box::new(move |x: f64| if x < 0.0 { a(0.01) * x } else { x })
        }
        "Log" => Box::new(f64::ln),
        "Mish" => Box::new(|x: f64| x * softplus(x).tanh()),
        "Neg" => Box::new(|x: f64| -x),
        "Reciprocal" => Box::new(|x: f64| 1.0 / x),
        "Relu" => Box::new(|x: f64| x.max(0.0)),
        "Selu" => {
            let mut gamma = 1.050700987;
            let mut scale = 1.6732632423543772;
            // The defaults of the standard are rounded to float32.
            if given {
                (gamma, scale) = (1.0 + beta, alpha);
                attributes = vec![float("alpha", alpha), float("gamma", gamma)];
            }
            Box::new(move |x: f64| gamma * (x.max(0.0) + (scale * (x.exp() - 1.0)).min(0.0)))
        }
        "Sigmoid" => Box::new(sigmoid),
        "Softplus" => Box::new(softplus),
        "Softsign" => Box::new(|x: f64| x / (1.0 + x.abs())),
        "Sqrt" => Box::new(f64::sqrt),
        "Swish" => {
            attributes = one;
            Box::new(move |x: f64| x * sigmoid(a(1.0) * x))
        }
        "Tanh" => Box::new(f64::tanh),
        "ThresholdedRelu" => {
            attributes = one;
            Box::new(move |x: f64| if x > a(1.0) { x } else { 0.0 })
        }
        _ => unreachable!("{op} is listed"),
    };
    let net = net.node(op, &inputs, "y", attributes);
    let case = Case::new(net, vec![shape], move |t: &[Tensor]| t[0].map(&f));
    if ["Log", "Sqrt", "Reciprocal"].contains(&op) {
        return case.within(0.3, 3.0);
    }
    case
}

pub fn pow(_: &str, d: &mut Draw) -> Case {
    let exponent = d.pick(&[2.0, 3.0, 0.5, -0.5, 1.0, -1.0, 1.7, -2.3, 4.0, 0.0]);
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 5);
    let of = if d.coin() { vec![] } else { vec![1] };
    let net = Net::new().weight("n", &of, vec![exponent]).node("Pow", "a n", "y", []);
    let case = Case::new(net, vec![shape], move |t: &[Tensor]| t[0].map(|x| x.powf(exponent)));
    let whole = exponent > 0.0 && exponent.fract() == 0.0;
    if whole {
        case
    } else {
        case.within(0.3, 3.0)
    }
}

pub fn prelu(_: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 5);
    // Slopes broadcast to the data: one per channel, or one for all.
    let mut of = vec![1; axes];
    if d.coin() {
        of[0] = shape[1];
    }
    let slope = Tensor::new(&of, d.reals(of.iter().product(), -0.5, 1.5));
    let net = Net::new().weight("s", &of, slope.data.clone()).node("PRelu", "a s", "y", []);
    Case::new(net, vec![shape.clone()], move |t| {
        Tensor::from_fn(&shape, |i| {
            let x = t[0].at(i);
            if x < 0.0 {
                slope.spread(i) * x
            } else {
                x
            }
        })
    })
}
