//! Functions of one element.
use super::products::narrowed;
use super::Case;
use crate::common::draw::Draw;
use crate::common::tensor::{broadcast, Tensor};
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
    if op == "Clip" && d.int(0, 3) == 0 {
        return computed_bounds(shape, d);
    }
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
        "Acos" => Box::new(|x: f64| std::f64::consts::FRAC_PI_2 - arcsine(x)),
        "Acosh" => Box::new(|x: f64| (x + (x * x - 1.0).sqrt()).ln()),
        "Asin" => Box::new(arcsine),
        "Asinh" => Box::new(|x: f64| (x + (x * x + 1.0).sqrt()).ln()),
        "Atan" => Box::new(|x: f64| arcsine(x / (1.0 + x * x).sqrt())),
        "Atanh" => Box::new(|x: f64| 0.5 * ((1.0 + x) / (1.0 - x)).ln()),
        "Cos" => Box::new(|x: f64| (x + std::f64::consts::FRAC_PI_2).sin()),
        "Cosh" => Box::new(|x: f64| 0.5 * (x.exp() + (-x).exp())),
        "Sin" => Box::new(f64::sin),
        "Sinh" => Box::new(|x: f64| 0.5 * (x.exp() - (-x).exp())),
        "Tan" => Box::new(|x: f64| x.sin() / x.cos()),
        "Shrink" => {
            let lambda = if given { alpha } else { 0.5 };
            let bias = if given { beta } else { 0.0 };
            if given {
                attributes = vec![float("lambd", alpha), float("bias", beta)];
            }
            Box::new(move |x: f64| if x.abs() > lambda { x - bias * x.signum() } else { 0.0 })
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
    match op {
        "Log" | "Sqrt" | "Reciprocal" => case.within(0.3, 3.0),
        "Acos" | "Asin" | "Atanh" => case.within(-0.9, 0.9),
        "Acosh" => case.within(1.2, 4.0),
        "Tan" => case.within(-1.2, 1.2),
        // A jump multiplies the rounding of what stands before it.
        "Shrink" | "ThresholdedRelu" => case.within(-2.5, 2.5),
        _ => case,
    }
}

/// Clip of which a bound is a computed scalar.
fn computed_bounds(shape: Vec<usize>, d: &mut Draw) -> Case {
    let bound = vec![1; shape.len()];
    let low = d.real(-1.0, 0.0);
    let both = d.coin();
    let net = Net::new().weight("low", &[], vec![low]);
    let net = net.node("Clip", if both { "a low b" } else { "a _ b" }, "y", []);
    let low = if both { low } else { f64::NEG_INFINITY };
    Case::new(net, vec![shape, bound], move |t| t[0].map(|x| x.max(low).min(t[1].data[0])))
}

/// The arc sine by its Maclaurin series, through the half angle where that converges slowly.
fn arcsine(x: f64) -> f64 {
    if x.abs() > 0.5 {
        return x.signum() * (std::f64::consts::FRAC_PI_2 - 2.0 * arcsine(((1.0 - x.abs()) / 2.0).sqrt()));
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..40 {
        let n = f64::from(n);
        term *= x * x * (2.0 * n - 1.0) / (2.0 * n);
        sum += term / (2.0 * n + 1.0);
    }
    sum
}

pub fn pow(op: &str, d: &mut Draw) -> Case {
    if d.int(0, 2) > 0 {
        return powers(op, d);
    }
    let exponent = d.pick(&[2.0, 3.0, 0.5, -0.5, 1.0, -1.0, 1.7, -2.3, 4.0, 0.0]);
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 5);
    let of = if d.coin() { vec![] } else { vec![1] };
    let net = Net::new().weight("n", &of, vec![exponent]).node(op, "a n", "y", []);
    let case = Case::new(net, vec![shape], move |t: &[Tensor]| t[0].map(|x| x.powf(exponent)));
    let whole = exponent > 0.0 && exponent.fract() == 0.0;
    if whole {
        case
    } else {
        case.within(0.3, 3.0)
    }
}

/// An exponent per element, a constant base, or both computed.
fn powers(op: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 4);
    let (sa, sb) = (narrowed(d, &shape, false), narrowed(d, &shape, false));
    let out = broadcast(&sa, &sb);
    if d.coin() {
        let net = Net::new().node(op, "a b", "y", []);
        return Case::new(net, vec![sa, sb], move |t| {
            Tensor::from_fn(&out, |i| (t[1].spread(i) * t[0].spread(i).ln()).exp())
        })
        .within(0.3, 2.5);
    }
    let c = Tensor::new(&sb, d.reals(sb.iter().product(), 0.5, 2.5));
    let first = d.coin();
    let net = Net::new().weight("c", &sb, c.data.clone());
    let net = net.node(op, if first { "c a" } else { "a c" }, "y", []);
    Case::new(net, vec![sa], move |t| {
        Tensor::from_fn(&out, |i| {
            let (a, c) = (t[0].spread(i), c.spread(i));
            if first { a * c.ln() } else { c * a.ln() }.exp()
        })
    })
    .within(0.3, 2.5)
}

pub fn prelu(_: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let shape = d.shape(axes, 5);
    // Slopes broadcast to the data: one per channel, or one for all.
    let mut of = vec![1; axes];
    if d.coin() {
        of[0] = shape[1];
    }
    if d.coin() {
        let mut of = of;
        of.insert(0, 1);
        let net = Net::new().node("PRelu", "a b", "y", []);
        return Case::new(net, vec![shape.clone(), of], move |t| {
            Tensor::from_fn(&shape, |i| {
                let x = t[0].at(i);
                if x < 0.0 {
                    t[1].spread(i) * x
                } else {
                    x
                }
            })
        });
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
