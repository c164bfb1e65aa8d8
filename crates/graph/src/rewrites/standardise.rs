//! Normalisations that an exporter spelled out: `c / sqrt(mean c² + epsilon)`, with `c` the deviation from a mean or the
//! input itself, in its many spellings.
//!
//! The pieces have the same multipliers under Rescale (SEMANTICS 3.1 ii). In one node they also have them under
//! RevealCancel, which would split at the root, and where the spread is 0, of which a root has no derivative.
use super::attributes;
use super::pattern::{axes, made_by, replace, Found, Lookup};
use crate::broadcast::axis_indices;
use crate::error::Result;
use crate::graph::{Graph, TensorId};
use crate::operator::Registry;
use crate::wire::Attribute;

pub(super) fn run(graph: &mut Graph, registry: &dyn Registry) -> Result<()> {
    replace(graph, registry, |graph, i| {
        let node = &graph.nodes[i];
        let [Some(a), Some(b)] = node.inputs[..] else { return None };
        let spread = match node.op.as_str() {
            "Div" => spread(graph, b).and_then(|s| standardised(graph, a, s)),
            "Mul" => {
                let found = |c, r| inverse(graph, r).and_then(|s| standardised(graph, c, s));
                found(a, b).or_else(|| found(b, a))
            }
            _ => None,
        };
        spread.filter(|(_, _, x)| graph.shape(*x) == graph.shape(node.output))
    })
}

/// `sqrt(square + epsilon) + offset`.
struct Spread {
    square: TensorId,
    epsilon: f64,
    offset: f64,
}

/// A tensor plus a number, which is 0 where nothing is added.
fn plus(graph: &Lookup<'_>, t: TensorId) -> (TensorId, f64) {
    let sum = || {
        let node = made_by(graph, Some(t), "Add")?;
        let [Some(x), c] = node.inputs[..] else { return None };
        let number = graph.constant(c)?.scalar()?;
        (graph.shape(x) == graph.shape(t)).then_some((x, number))
    };
    sum().unwrap_or((t, 0.0))
}

/// The argument of `x^n`.
fn power(graph: &Lookup<'_>, t: TensorId, n: f64) -> Option<TensorId> {
    let node = made_by(graph, Some(t), "Pow")?;
    let exponent = graph.constant(node.inputs.get(1).copied().flatten())?.scalar()?;
    if exponent == n {
        node.inputs[0]
    } else {
        None
    }
}

fn spread(graph: &Lookup<'_>, t: TensorId) -> Option<Spread> {
    let (root, offset) = plus(graph, t);
    let argument = match made_by(graph, Some(root), "Sqrt") {
        Some(node) => node.inputs[0]?,
        None => power(graph, root, 0.5)?,
    };
    let (square, epsilon) = plus(graph, argument);
    Some(Spread { square, epsilon, offset })
}

/// One over a spread.
fn inverse(graph: &Lookup<'_>, t: TensorId) -> Option<Spread> {
    if let Some(argument) = power(graph, t, -0.5) {
        let (square, epsilon) = plus(graph, argument);
        return Some(Spread { square, epsilon, offset: 0.0 });
    }
    if let Some(node) = made_by(graph, Some(t), "Reciprocal") {
        return spread(graph, node.inputs[0]?);
    }
    let node = made_by(graph, Some(t), "Div")?;
    let one = graph.constant(node.inputs[0])?.scalar()? == 1.0;
    one.then(|| spread(graph, node.inputs[1]?))?
}

/// `c` over a spread that is made of the squares of `c`.
fn standardised(graph: &Lookup<'_>, c: TensorId, s: Spread) -> Found {
    let (sum, factor) = scaled(graph, s.square);
    let (reduction, averaged) = match made_by(graph, Some(sum), "ReduceMean") {
        Some(node) => (node, true),
        None => (made_by(graph, Some(sum), "ReduceSum")?, false),
    };
    let rank = graph.shape(c).len();
    let over = axis_indices(&axes(graph, reduction)?, rank).ok()?;
    if over.is_empty() || graph.shape(reduction.output).len() != rank {
        return None;
    }
    let squared = square(graph, reduction.inputs[0]?)?;
    let centre = centred(graph, c, &over);
    if squared != c && (centre.is_none() || centred(graph, squared, &over) != centre) {
        return None;
    }
    let n: usize = over.iter().map(|&a| graph.shape(c)[a]).product();
    let divisor = if averaged { n as f64 } else { 1.0 } / factor;
    let fits = |v: f64| v >= 0.0 && v.is_finite();
    if !(fits(s.epsilon) && fits(s.offset) && fits(divisor) && divisor > 0.0) {
        return None;
    }
    let attrs = attributes([
        ("axes", Attribute::Ints(over.iter().map(|&a| a as i64).collect())),
        ("centre", Attribute::Int(i64::from(centre.is_some()))),
        ("divisor", Attribute::Float(divisor)),
        ("epsilon", Attribute::Float(s.epsilon)),
        ("offset", Attribute::Float(s.offset)),
    ]);
    Some(("Standardise", attrs, centre.unwrap_or(c)))
}

/// A tensor times a number, which is 1 where nothing is multiplied.
fn scaled(graph: &Lookup<'_>, t: TensorId) -> (TensorId, f64) {
    let product = || {
        let node = made_by(graph, Some(t), "Mul")?;
        let [Some(x), c] = node.inputs[..] else { return None };
        let number = graph.constant(c)?.scalar()?;
        (graph.shape(x) == graph.shape(t)).then_some((x, number))
    };
    product().unwrap_or((t, 1.0))
}

/// What a tensor is the square of.
fn square(graph: &Lookup<'_>, t: TensorId) -> Option<TensorId> {
    if let Some(node) = made_by(graph, Some(t), "Mul") {
        return if node.inputs[0] == node.inputs[1] { node.inputs[0] } else { None };
    }
    power(graph, t, 2.0)
}

/// `x` where `c = x - mean x` over these axes.
fn centred(graph: &Lookup<'_>, c: TensorId, over: &[usize]) -> Option<TensorId> {
    let node = made_by(graph, Some(c), "Sub")?;
    let [Some(x), mean] = node.inputs[..] else { return None };
    let mean = made_by(graph, mean, "ReduceMean")?;
    let rank = graph.shape(x).len();
    let same = mean.inputs[0] == Some(x)
        && graph.shape(x) == graph.shape(c)
        && graph.shape(mean.output).len() == rank
        && axis_indices(&axes(graph, mean)?, rank).ok()? == over;
    same.then_some(x)
}
