//! Operators that shape arithmetic is made of. They are evaluated at plan time; on values that depend on the input
//! they are refused, unless they are part of a function of one element.
use std::sync::Arc;

use deeplift_graph::broadcast::{broadcast_index, broadcast_shape};
use deeplift_graph::operator::Pointwise;
use deeplift_graph::{structures, Constant, DType, Data, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

pub mod constant;
pub mod constant_of_shape;
pub mod eye_like;
pub mod range;
pub mod shape_of;

/// The same values as another element type (integers truncate towards zero).
pub(crate) fn as_dtype(c: Constant, dtype: DType) -> Constant {
    if c.dtype == dtype {
        return c;
    }
    let n = c.len();
    let data = match (dtype, &c.data) {
        (DType::F64, _) => Data::F64(Arc::new(c.to_f64())),
        (DType::F32 | DType::F16 | DType::BF16, Data::F32(v)) => Data::F32(v.clone()),
        (DType::F32 | DType::F16 | DType::BF16, _) => {
            Data::F32(Arc::new((0..n).map(|i| c.at(i) as f32).collect()))
        }
        (DType::Bool, _) => Data::Bool(Arc::new((0..n).map(|i| c.at(i) != 0.0).collect())),
        (_, Data::I64(v)) => Data::I64(v.clone()),
        _ => Data::I64(Arc::new((0..n).map(|i| c.at(i) as i64).collect())),
    };
    Constant { shape: c.shape, dtype, data }
}

/// Evaluates a function of two broadcast constants, in integers if both are integers.
pub(crate) fn zip(
    a: &Constant,
    b: &Constant,
    int: impl Fn(i64, i64) -> i64,
    float: impl Fn(f64, f64) -> f64,
) -> Result<Constant> {
    let shape = broadcast_shape(&a.shape, &b.shape)?;
    let (ia, ib) = (broadcast_index(&a.shape, &shape), broadcast_index(&b.shape, &shape));
    if let (Data::I64(x), Data::I64(y)) = (&a.data, &b.data) {
        let values = ia.iter().zip(&ib).map(|(&i, &j)| int(x[i], y[j])).collect();
        return Ok(Constant { shape, dtype: a.dtype, data: Data::I64(Arc::new(values)) });
    }
    let values = ia.iter().zip(&ib).map(|(&i, &j)| float(a.at(i), b.at(j))).collect();
    Ok(as_dtype(Constant::f64(shape, values), a.dtype))
}

/// Evaluates a function of constants that broadcast against each other; the result is a number per element.
pub(crate) fn evaluate(
    inputs: &[Option<&Constant>],
    f: &impl Fn(&[f64], &mut [f64]) -> f64,
    dtype: DType,
) -> Result<Constant> {
    let inputs: Vec<&Constant> = inputs.iter().copied().flatten().collect();
    let mut shape = vec![];
    for c in &inputs {
        shape = broadcast_shape(&shape, &c.shape)?;
    }
    let index: Vec<Vec<usize>> = inputs.iter().map(|c| broadcast_index(&c.shape, &shape)).collect();
    let n = shape.iter().product();
    let mut d = vec![0.0; inputs.len()];
    let value = |i: usize| {
        let args: Vec<f64> = inputs.iter().zip(&index).map(|(c, at)| c.at(at[i])).collect();
        f(&args, &mut d)
    };
    Ok(as_dtype(Constant::f64(shape, (0..n).map(value).collect()), dtype))
}

/// How a shape operator computes its value.
type Evaluate = Box<dyn Fn(&[Option<&Constant>]) -> Result<Constant> + Send + Sync>;

/// An operator that exists at plan time only.
pub(crate) struct PlanTime {
    pub fact: Fact,
    pub evaluate: Evaluate,
    /// Whether shapes suffice.
    pub from_shapes: bool,
    /// Its meaning within a function of one element.
    pub pointwise: Option<Arc<dyn Pointwise>>,
}

impl PlanTime {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque {
            advice: "it is a step or a choice that depends on the input; choose a target before it".into(),
            forward: None,
        })
    }
}

impl Operator for PlanTime {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        Ok(Some(vec![(self.evaluate)(inputs)?]))
    }

    fn folds_shapes(&self) -> bool {
        self.from_shapes
    }

    fn pointwise(&self) -> Option<Arc<dyn Pointwise>> {
        self.pointwise.clone()
    }

    structures!();
}

/// Broadcast shape of all inputs of a node.
pub(crate) fn common_shape(cx: &deeplift_graph::Build<'_>) -> Result<Vec<usize>> {
    let mut shape = vec![];
    for f in cx.inputs.iter().flatten() {
        shape = broadcast_shape(&shape, &f.shape)?;
    }
    Ok(shape)
}

/// The constant scalars among a node's inputs; `None` where an input is data. Fails where a constant has more than
/// one element, for then the node is no function of one element.
pub(crate) fn scalar_arguments(cx: &deeplift_graph::Build<'_>) -> Option<Vec<Option<f64>>> {
    cx.inputs
        .iter()
        .flatten()
        .map(|f| match &f.constant {
            None => Some(None),
            Some(c) => c.scalar().map(Some),
        })
        .collect()
}

/// A function whose constant arguments are filled in.
pub(crate) struct Partial<F> {
    /// Constant value of each argument, or `None` for data.
    pub arguments: Vec<Option<f64>>,
    /// Value and partial derivatives at all arguments.
    pub function: F,
}

impl<F: Fn(&[f64], &mut [f64]) -> f64 + Send + Sync> Pointwise for Partial<F> {
    fn eval(&self, args: &[f64], d: &mut [f64]) -> f64 {
        let mut all = [0.0; 4];
        let mut all_d = [0.0; 4];
        let mut data = args.iter();
        for (slot, constant) in all.iter_mut().zip(&self.arguments) {
            *slot = constant.unwrap_or_else(|| *data.next().expect("one argument per data input"));
        }
        let n = self.arguments.len();
        let y = (self.function)(&all[..n], &mut all_d[..n]);
        let mut out = d.iter_mut();
        for (_, &dv) in self.arguments.iter().zip(&all_d).filter(|(c, _)| c.is_none()) {
            *out.next().expect("one derivative per data input") = dv;
        }
        y
    }
}

/// A function of a node's data inputs, if its constants are scalars.
pub(crate) fn partial(
    cx: &deeplift_graph::Build<'_>,
    function: impl Fn(&[f64], &mut [f64]) -> f64 + Send + Sync + 'static,
) -> Option<Arc<dyn Pointwise>> {
    let arguments = scalar_arguments(cx).filter(|a| a.len() <= 4)?;
    Some(Arc::new(Partial { arguments, function }))
}
