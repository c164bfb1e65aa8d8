//! The functions that a recurrent layer is told to use, per direction: names, the numbers they take, and clipping.
use deeplift_graph::graph::INTERNAL_OPSET;
use deeplift_graph::operator::{Elementwise, Precision};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, ensure, Attributes, Build, DType, Fact, Operator, Registry, Result, Structure};

use crate::unary::{unary, Function};
use crate::Operators;

/// A function and its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Name in the ONNX standard.
    pub name: &'static str,
    /// Its first number, if it takes one.
    pub alpha: f64,
    /// Its second number, if it takes one.
    pub beta: f64,
}

/// A number that a function takes.
enum Number {
    /// It takes none.
    None,
    /// With this default.
    Or(f64),
    /// The standard gives no default.
    Required,
}

/// Names, and the numbers α and β. Affine and ScaledTanh are no operators of the standard any more, so that "the
/// default of the operator" is not defined for them.
const KNOWN: [(&str, Number, Number); 11] = [
    ("Affine", Number::Required, Number::Required),
    ("Elu", Number::Or(1.0), Number::None),
    ("HardSigmoid", Number::Or(0.2), Number::Or(0.5)),
    ("LeakyRelu", Number::Or(0.01), Number::None),
    ("Relu", Number::None, Number::None),
    ("ScaledTanh", Number::Required, Number::Required),
    ("Sigmoid", Number::None, Number::None),
    ("Softplus", Number::None, Number::None),
    ("Softsign", Number::None, Number::None),
    ("Tanh", Number::None, Number::None),
    ("ThresholdedRelu", Number::Or(1.0), Number::None),
];

/// Reads `activations`, `activation_alpha` and `activation_beta`: a list per direction. Numbers are consumed in the
/// order of the functions, by those that take them.
pub fn read(cx: &Build<'_>, defaults: &[&str], directions: usize) -> Result<Vec<Vec<Spec>>> {
    let names: Vec<String> = match cx.attrs.get("activations") {
        None => defaults.repeat(directions).into_iter().map(String::from).collect(),
        Some(Attribute::Strings(names)) => names.clone(),
        Some(_) => bail!(InvalidModel, "attribute 'activations' is not a list of strings"),
    };
    let wanted = defaults.len() * directions;
    ensure!(names.len() == wanted, InvalidModel, "{} activations are given, expected {wanted}", names.len());
    let (alphas, betas) = (floats(cx.attrs, "activation_alpha")?, floats(cx.attrs, "activation_beta")?);
    let (mut alphas, mut betas) = (alphas.into_iter(), betas.into_iter());
    let mut specs = Vec::with_capacity(wanted);
    for name in &names {
        let Some((name, alpha, beta)) = KNOWN.iter().find(|(n, ..)| n.eq_ignore_ascii_case(name)) else {
            bail!(InvalidModel, "activation '{name}' is none that a recurrent layer may have")
        };
        let take = |number: &Number, given: &mut dyn Iterator<Item = f64>, of: &str| match number {
            Number::None => Ok(0.0),
            Number::Or(default) => Ok(given.next().unwrap_or(*default)),
            Number::Required => match given.next() {
                Some(v) => Ok(v),
                None => bail!(InvalidModel, "activation {name} needs a value in '{of}'"),
            },
        };
        let alpha = take(alpha, &mut alphas, "activation_alpha")?;
        let beta = take(beta, &mut betas, "activation_beta")?;
        specs.push(Spec { name, alpha, beta });
    }
    Ok(specs.chunks(defaults.len()).map(<[Spec]>::to_vec).collect())
}

/// A list of floats, empty if it is not given.
fn floats(attrs: &Attributes, name: &str) -> Result<Vec<f64>> {
    match attrs.get(name) {
        None => Ok(vec![]),
        Some(Attribute::Floats(v)) => Ok(v.clone()),
        Some(_) => bail!(InvalidModel, "attribute '{name}' is not a list of floats"),
    }
}

/// Writes the functions of one direction in full, in the form that [`read`] takes.
pub fn write(specs: &[Spec], attrs: &mut Attributes) {
    let consumed = |take: fn(&(&str, Number, Number)) -> bool, value: fn(&Spec) -> f64| {
        let takes = |s: &&Spec| KNOWN.iter().any(|k| k.0 == s.name && take(k));
        Attribute::Floats(specs.iter().filter(takes).map(value).collect())
    };
    let alpha = consumed(|k| !matches!(k.1, Number::None), |s| s.alpha);
    let beta = consumed(|k| !matches!(k.2, Number::None), |s| s.beta);
    let names = specs.iter().map(|s| s.name.to_string()).collect();
    attrs.insert("activations".into(), Attribute::Strings(names));
    attrs.insert("activation_alpha".into(), alpha);
    attrs.insert("activation_beta".into(), beta);
}

/// A function behind the limit that `clip` sets to its argument.
pub struct Activation<T> {
    function: Box<dyn Elementwise<T>>,
    clip: Option<Box<dyn Elementwise<T>>>,
}

impl<T: Precision> Activation<T> {
    /// The function on `units` elements; its argument is limited to `-clip..clip` if given.
    pub fn new(spec: &Spec, units: usize, clip: Option<f64>) -> Result<Self> {
        let clip = match clip {
            None => None,
            Some(clip) => Some(element_wise("Clip", &[("min", -clip), ("max", clip)], units)?),
        };
        let numbers = [("alpha", spec.alpha), ("beta", spec.beta)];
        Ok(Activation { function: element_wise(spec.name, &numbers, units)?, clip })
    }

    /// `y = f(x)`.
    pub fn apply(&self, x: &[T], y: &mut [T]) {
        match &self.clip {
            None => self.function.apply(x, y),
            Some(clip) => {
                let mut limited = vec![T::ZERO; x.len()];
                clip.apply(x, &mut limited);
                self.function.apply(&limited, y);
            }
        }
    }

    /// The divided difference of the whole; that of a chain is the product of its links'.
    pub fn divided_difference(&self, x: &[T], x0: &[T], d: &mut [T]) {
        let Some(clip) = &self.clip else { return self.function.divided_difference(x, x0, d) };
        let [mut a, mut b, mut outer] = [0; 3].map(|_| vec![T::ZERO; x.len()]);
        clip.apply(x, &mut a);
        clip.apply(x0, &mut b);
        self.function.divided_difference(&a, &b, &mut outer);
        clip.divided_difference(x, x0, d);
        d.iter_mut().zip(&outer).for_each(|(d, &outer)| *d *= outer);
    }
}

/// The function of an element-wise operator by its name.
fn element_wise<T: Precision>(
    op: &str,
    numbers: &[(&str, f64)],
    units: usize,
) -> Result<Box<dyn Elementwise<T>>> {
    let attrs: Attributes = numbers.iter().map(|&(n, v)| (n.to_string(), Attribute::Float(v))).collect();
    let fact = Fact::data(vec![units], DType::F32);
    let cx = Build { name: op, op, attrs: &attrs, opset: INTERNAL_OPSET, inputs: vec![Some(&fact)] };
    let operator: Box<dyn Operator> = match op {
        "Affine" => unary(&cx, Affine { alpha: cx.float("alpha", 1.0)?, beta: cx.float("beta", 0.0)? })?,
        "ScaledTanh" => {
            unary(&cx, ScaledTanh { alpha: cx.float("alpha", 1.0)?, beta: cx.float("beta", 1.0)? })?
        }
        _ => Operators.build(&cx)?,
    };
    match T::structure(operator.as_ref())? {
        Structure::Elementwise(f) => Ok(f),
        _ => bail!(Internal, "{op} is not a function of one element"),
    }
}

/// `α x + β`.
#[derive(Clone)]
struct Affine {
    alpha: f64,
    beta: f64,
}

impl Function for Affine {
    fn value(&self, x: f64) -> f64 {
        self.alpha * x + self.beta
    }

    fn derivative(&self, _: f64) -> f64 {
        self.alpha
    }

    fn divided(&self, _: f64, _: f64) -> f64 {
        self.alpha
    }
}

/// `α tanh(β x)`.
#[derive(Clone)]
struct ScaledTanh {
    alpha: f64,
    beta: f64,
}

impl Function for ScaledTanh {
    fn value(&self, x: f64) -> f64 {
        self.alpha * (self.beta * x).tanh()
    }

    fn derivative(&self, x: f64) -> f64 {
        let c = (self.beta * x).cosh();
        self.alpha * self.beta / (c * c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws() {
        crate::unary::laws::check(&Affine { alpha: -0.7, beta: 0.4 }, -5.0..5.0);
        crate::unary::laws::check(&ScaledTanh { alpha: 1.7, beta: 0.6 }, -5.0..5.0);
    }
}
