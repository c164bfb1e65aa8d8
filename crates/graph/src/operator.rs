//! The contract of operators: what they tell the planner, and the structures that rules work on.
//!
//! An operator never knows a rule. It says which *structure* it has (linear, element-wise, selection, closed form,
//! or none that is exact), and rules are written once per structure.
use std::ops::Range;
use std::sync::Arc;

use deeplift_kernels::{Holding, Scratch, Work};
use deeplift_simd::Real;

use crate::constant::{Constant, DType, Data};
use crate::error::{Error, Result};
use crate::expansion::Expansion;
use crate::graph::Attributes;
use crate::wire::Attribute;
use crate::{bail, ensure};

pub use crate::linear::{Even, FusedLinear, Linear, LinearKind, OneHotLinear, Parts};
pub use crate::selection::{cross_winners, Members, Selection};

/// What is known of a tensor at fixed input shapes.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Fact {
    pub shape: Vec<usize>,
    pub dtype: DType,
    pub constant: Option<Constant>,
}

impl Fact {
    /// A tensor whose values depend on the input.
    pub fn data(shape: Vec<usize>, dtype: DType) -> Self {
        Fact { shape, dtype, constant: None }
    }

    /// Elements of one lane.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether a lane has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Everything an operator may look at while it is built.
#[allow(missing_docs)]
pub struct Build<'a> {
    pub name: &'a str,
    pub op: &'a str,
    pub attrs: &'a Attributes,
    pub opset: i64,
    pub inputs: Vec<Option<&'a Fact>>,
}

impl<'a> Build<'a> {
    /// The fact of input `i`, which must be present.
    pub fn input(&self, i: usize) -> Result<&'a Fact> {
        match self.inputs.get(i).copied().flatten() {
            Some(f) => Ok(f),
            None => bail!(InvalidModel, "input {i} is missing"),
        }
    }

    /// The fact of an optional input.
    pub fn optional(&self, i: usize) -> Option<&'a Fact> {
        self.inputs.get(i).copied().flatten()
    }

    /// The values of input `i`, which must be known at plan time.
    pub fn constant(&self, i: usize, role: &str) -> Result<&'a Constant> {
        match &self.input(i)?.constant {
            Some(c) => Ok(c),
            None => bail!(UnsupportedOp, "{} with a computed {role} (input {i}) has no rule yet", self.op),
        }
    }

    /// The values of input `i` if it is present; an error if it is computed.
    pub fn optional_constant(&self, i: usize, role: &str) -> Result<Option<&'a Constant>> {
        if self.optional(i).is_some() {
            self.constant(i, role).map(Some)
        } else {
            Ok(None)
        }
    }

    /// An integer attribute.
    pub fn int(&self, name: &str, default: i64) -> Result<i64> {
        match self.attrs.get(name) {
            None => Ok(default),
            Some(Attribute::Int(v)) => Ok(*v),
            _ => bail!(InvalidModel, "attribute '{name}' is not an integer"),
        }
    }

    /// A float attribute.
    pub fn float(&self, name: &str, default: f64) -> Result<f64> {
        match self.attrs.get(name) {
            None => Ok(default),
            Some(Attribute::Float(v)) => Ok(*v),
            _ => bail!(InvalidModel, "attribute '{name}' is not a float"),
        }
    }

    /// A list of integers, if given.
    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>> {
        match self.attrs.get(name) {
            None => Ok(None),
            Some(Attribute::Ints(v)) => Ok(Some(v.clone())),
            Some(Attribute::Int(v)) => Ok(Some(vec![*v])),
            _ => bail!(InvalidModel, "attribute '{name}' is not a list of integers"),
        }
    }

    /// A string attribute.
    pub fn string(&self, name: &str, default: &str) -> Result<String> {
        match self.attrs.get(name) {
            None => Ok(default.into()),
            Some(Attribute::String(v)) => Ok(v.clone()),
            _ => bail!(InvalidModel, "attribute '{name}' is not a string"),
        }
    }

    /// Integers that older opsets keep in an attribute and newer ones in an input.
    pub fn ints_from(&self, name: &str, input: usize) -> Result<Option<Vec<i64>>> {
        if let Some(v) = self.ints(name)? {
            ensure!(
                self.optional(input).is_none(),
                InvalidModel,
                "'{name}' is given by an attribute and by input {input}"
            );
            return Ok(Some(v));
        }
        self.optional_constant(input, name)?.map(Constant::to_i64).transpose()
    }
}

/// Looks up and builds operators by name. Implemented by the table of operators.
pub trait Registry: Send + Sync {
    /// Builds the operator; errors already name node and operator.
    fn build(&self, cx: &Build<'_>) -> Result<Box<dyn Operator>>;
    /// Whether a file may hold the operator; those that only rewrites and expansions write it may not.
    fn knows(&self, op: &str) -> bool;
    /// Why an operator that is not known is refused, and what to do.
    fn refuse(&self, op: &str) -> Error;
}

/// The same operator on inputs whose axes are in another order: `op(transpose(x, p)) = transpose(op'(x), perm)`.
pub struct Permuted {
    /// Attributes of `op'`.
    pub attrs: Attributes,
    /// Replacements of constant inputs, by input index.
    pub constants: Vec<(usize, Constant)>,
    /// Order of the output's axes.
    pub perm: Vec<usize>,
}

/// How a family of operators computes, seen by rules. Slices hold one or more lanes of the shapes in the operator's
/// facts, contiguous.
pub enum Structure<T: Real> {
    /// The output is the input's memory under another shape.
    View,
    /// Affine in its data inputs.
    Linear(Box<dyn Linear<T>>),
    /// One output element per input element.
    Elementwise(Box<dyn Elementwise<T>>),
    /// Each output element is one of the input elements.
    Selection(Box<dyn Selection<T>>),
    /// Anything else with an exactly complete rule in closed form.
    ClosedForm(Box<dyn ClosedForm<T>>),
    /// No exact rule. Refused where contributions would have to pass it.
    Opaque {
        /// What the user can do instead.
        advice: String,
        /// How it is computed where nothing has to pass it: upstream of a scored layer, or behind inputs that are
        /// held fixed.
        forward: Option<Box<dyn Evaluate<T>>>,
    },
}

/// The two directions in which a step is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Values, from inputs to the output.
    Forward,
    /// Multipliers, from the output to all data inputs.
    Adjoint,
}

/// `y_i = f_i(x_i)`, one lane at a time.
pub trait Elementwise<T: Real>: Send + Sync {
    /// `y = f(x)`.
    fn apply(&self, x: &[T], y: &mut [T]);
    /// `d = (f(x) - f(x0)) / (x - x0)`, the derivative where both are equal, accurate for nearby arguments.
    fn divided_difference(&self, x: &[T], x0: &[T], d: &mut [T]);
    /// Whether `f` is ReLU, which kernels can fuse.
    fn is_relu(&self) -> bool {
        false
    }
    /// Whether `f` is one function for all elements, so that it can be applied to any part of a lane.
    fn is_uniform(&self) -> bool {
        false
    }
}

/// An operator that can only be computed, one lane at a time.
pub trait Evaluate<T: Real>: Send + Sync {
    /// Computes one lane; `x` has one slice per data input. Values of any type are carried as reals, truth as 0 and 1.
    fn forward(&self, x: &[&[T]], y: &mut [T]);
}

/// A differentiable operator whose difference is a known linear map of its inputs' differences. `record` writes that
/// map for a pair; with `x0 = x` it is the derivative.
pub trait ClosedForm<T: Real>: Send + Sync {
    /// Computes one lane.
    fn forward(&self, x: &[&[T]], y: &mut [T]);
    /// Length of a record of one lane.
    fn record_len(&self) -> usize;
    /// The linear map of the pair (`x`, `x0`).
    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]);
    /// As [`Linear::writes`].
    fn writes(&self, _port: usize, _input: &Range<usize>) -> Range<usize> {
        0..usize::MAX
    }
    /// Multipliers of data input `port` from those of the output.
    fn adjoint(&self, port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool);

    /// Computes several lanes; operators that stream weights do so once for all of them.
    fn forward_lanes(&self, lanes: usize, x: &[&[T]], y: &mut [T], _scratch: &mut Scratch<T>) {
        for l in 0..lanes {
            let own: Vec<&[T]> = x.iter().map(|x| &x[of_lane(x.len(), lanes, l)]).collect();
            let at = of_lane(y.len(), lanes, l);
            self.forward(&own, &mut y[at]);
        }
    }
    /// Multipliers of data input `port` for several lanes.
    fn adjoint_lanes(
        &self,
        lanes: usize,
        port: usize,
        record: &[T],
        my: &[T],
        mx: &mut [T],
        accumulate: bool,
        _scratch: &mut Scratch<T>,
    ) {
        for l in 0..lanes {
            let (record, my) = (&record[of_lane(record.len(), lanes, l)], &my[of_lane(my.len(), lanes, l)]);
            let at = of_lane(mx.len(), lanes, l);
            self.adjoint(port, record, my, &mut mx[at], accumulate);
        }
    }

    /// Whether [`ClosedForm::record_from_outputs`] spares work, so that outputs are kept for it.
    fn reads_outputs(&self) -> bool {
        false
    }
    /// The same as [`ClosedForm::record`] where the outputs `y` and `y0` of both are known.
    fn record_from_outputs(&self, x: &[&[T]], x0: &[&[T]], _y: &[T], _y0: &[T], record: &mut [T]) {
        self.record(x, x0, record);
    }

    /// Floating-point operations of one lane, counted densely.
    fn flops(&self) -> f64 {
        0.0
    }
    /// Bytes of weights that one pass streams.
    fn weight_bytes(&self) -> usize {
        0
    }
    /// As [`Linear::tally`].
    fn tally(&self, _multipliers: bool, _holding: &mut Holding) {}
    /// What one lane executes. Operators without a kernel of their own to name count as densely as `flops`.
    fn work(&self, _pass: Pass) -> Work {
        Work { kernel: String::new(), flops: self.flops(), weight_bytes: self.weight_bytes() }
    }

    /// What its rule is called; every rule but `exact` is one that a caller asked for.
    fn rule(&self) -> &'static str {
        "exact"
    }
    /// Whether contributions sum to the difference of the output.
    fn is_complete(&self) -> bool {
        true
    }
}

/// The least range that has every output element `o` of which `index[o]`, the input element that it depends on, is in
/// `input`.
pub fn written(index: impl IntoIterator<Item = (usize, u32)>, input: &Range<usize>) -> Range<usize> {
    let hit = index.into_iter().filter(|&(_, i)| input.contains(&(i as usize))).map(|(o, _)| o..o + 1);
    hit.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or(0..0)
}

/// Where lane `l` of `lanes` lies in a buffer of `len` elements.
fn of_lane(len: usize, lanes: usize, l: usize) -> Range<usize> {
    let each = len / lanes;
    l * each..(l + 1) * each
}

/// A function of one element of each argument, with its partial derivatives: what composites are made of.
pub trait Pointwise: Send + Sync {
    /// The value at `args`; partial derivatives are written to `d`.
    fn eval(&self, args: &[f64], d: &mut [f64]) -> f64;
}

/// A composite function of one variable: step `i` computes value `i + 1` from earlier values; value 0 is the
/// variable and the last value is the result.
#[derive(Clone)]
pub struct Expression {
    /// Function and argument indices of each step.
    pub steps: Vec<(Arc<dyn Pointwise>, Vec<usize>)>,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expression of {} steps", self.steps.len())
    }
}

/// An operator with its attributes read and its shapes known.
pub trait Operator: Send + Sync {
    /// Facts of the outputs at batch 1.
    fn outputs(&self) -> Vec<Fact>;

    /// Values of the outputs where they are known; `inputs` are all constant unless [`Operator::folds_shapes`].
    /// `None` asks for evaluation by the float64 kernel.
    fn fold(&self, _inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        Ok(None)
    }

    /// Whether the outputs depend on the shapes of the inputs only.
    fn folds_shapes(&self) -> bool {
        false
    }

    /// The nodes that this one stands for, if it has several outputs or is defined by other operators.
    ///
    /// # Errors
    /// What about its attributes or inputs has no expansion.
    fn expand(&self) -> Result<Option<Expansion>> {
        Ok(None)
    }

    /// The operator on inputs whose axes are permuted; `None` if it depends on the order of axes.
    fn permute(&self, _cx: &Build<'_>, _perm: &[usize]) -> Option<Permuted> {
        None
    }

    /// Axes of the first data input along which elements meet although the output is as long as the input.
    fn mixed_axes(&self) -> Vec<usize> {
        vec![]
    }

    /// The operator as a function of one element of each of its data inputs.
    fn pointwise(&self) -> Option<Arc<dyn Pointwise>> {
        None
    }

    /// What users should know before they trust scores that pass through this node.
    fn warning(&self) -> Option<String> {
        None
    }

    /// The structure in float32.
    fn structure32(&self) -> Result<Structure<f32>>;
    /// The structure in float64.
    fn structure64(&self) -> Result<Structure<f64>>;
}

/// Implements the two structure methods by one generic function `structure::<T>(&self)`.
#[macro_export]
macro_rules! structures {
    () => {
        fn structure32(&self) -> $crate::Result<$crate::Structure<f32>> {
            self.structure::<f32>()
        }
        fn structure64(&self) -> $crate::Result<$crate::Structure<f64>> {
            self.structure::<f64>()
        }
    };
}

/// Precisions a plan can be made in, so that generic code can ask an operator for its structure.
pub trait Precision: Real {
    /// The structure of an operator in this precision.
    fn structure(op: &dyn Operator) -> Result<Structure<Self>>;
}

impl Precision for f32 {
    fn structure(op: &dyn Operator) -> Result<Structure<f32>> {
        op.structure32()
    }
}

impl Precision for f64 {
    fn structure(op: &dyn Operator) -> Result<Structure<f64>> {
        op.structure64()
    }
}

/// Evaluates an operator on constants by its float64 kernel: input 0 is data, the others are already in the operator.
pub fn fold_by_kernel(op: &dyn Operator, x: &Constant) -> Result<Constant> {
    let outputs = op.outputs();
    ensure!(outputs.len() == 1, UnsupportedOp, "cannot be evaluated on constants");
    let fact = &outputs[0];
    let values = x.to_f64();
    let mut y = vec![0.0; fact.len()];
    match op.structure64()? {
        Structure::View => return Ok(x.reshaped(fact.shape.clone())),
        Structure::Linear(f) => f.forward(1, &[&values], &mut y, &mut Scratch::default()),
        Structure::Elementwise(f) => f.apply(&values, &mut y),
        Structure::Selection(f) => f.forward(&values, &mut y),
        Structure::ClosedForm(f) => f.forward(&[&values], &mut y),
        Structure::Opaque { forward: Some(f), .. } => f.forward(&[&values], &mut y),
        Structure::Opaque { advice, .. } => {
            bail!(UnsupportedOp, "cannot be evaluated on constants; {advice}")
        }
    }
    let data = match fact.dtype {
        DType::F64 => Data::F64(Arc::new(y)),
        _ => Data::F32(Arc::new(y.into_iter().map(|v| v as f32).collect())),
    };
    Ok(Constant { shape: fact.shape.clone(), dtype: fact.dtype, data })
}
