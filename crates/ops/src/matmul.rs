//! MatMul of any ranks, as NumPy has it: vectors are rows or columns, and axes before the last two broadcast. By a
//! constant matrix it is a dense layer, by any other constant linear, of two activations bilinear (SEMANTICS 3.2).
use deeplift_graph::broadcast::broadcast_shape;
use deeplift_graph::expansion::{Expansion, Source};
use deeplift_graph::graph::Attributes;
use deeplift_graph::operator::{Precision, Structure};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{ensure, structures, Build, Constant, Fact, Operator, Result};

use crate::einsum::equation::Equation;
use crate::einsum::product::{self, Product};

/// A product of matrices. Rewrites write the order of axes of its operands and output into `equation`.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    if cx.attrs.contains_key("equation") {
        return product::build(cx);
    }
    let (a, b) = (cx.input(0)?, cx.input(1)?);
    let equation = equation(&a.shape, &b.shape)?;
    let product = Product::new(cx, &equation)?;
    // A matrix of weights makes it a dense layer, which has kernels of its own.
    let spelled = !(b.constant.is_some() && b.shape.len() == 2);
    Ok(Box::new(MatMul { product, spelled: spelled.then(|| equation.text()) }))
}

/// The equation of a product of these shapes.
fn equation(a: &[usize], b: &[usize]) -> Result<Equation> {
    ensure!(
        !a.is_empty() && !b.is_empty(),
        InvalidModel,
        "shapes {a:?} and {b:?} are no matrices or vectors"
    );
    let (rows, columns) = (a.len() > 1, b.len() > 1);
    let (depth, other) = (a[a.len() - 1], b[b.len() - if columns { 2 } else { 1 }]);
    ensure!(depth == other, InvalidModel, "shapes {a:?} and {b:?} do not fit: {depth} columns, {other} rows");
    let lead = |s: &[usize]| s[..s.len().saturating_sub(2)].to_vec();
    let count = broadcast_shape(&lead(a), &lead(b))?.len();
    let all: Vec<char> = ('d'..='z').chain('A'..='Z').take(count).collect();
    ensure!(all.len() == count, UnsupportedOp, "products of more than 50 axes have no rule");
    let term = |s: &[usize], matrix: [char; 2], vector: char| -> Vec<char> {
        let batch = all[count - lead(s).len()..].iter().copied();
        if s.len() > 1 {
            batch.chain(matrix).collect()
        } else {
            vec![vector]
        }
    };
    let mut output = all.clone();
    output.extend(rows.then_some('a'));
    output.extend(columns.then_some('c'));
    Ok(Equation { terms: vec![term(a, ['a', 'b'], 'b'), term(b, ['b', 'c'], 'b')], output })
}

struct MatMul {
    product: Product,
    /// The equation, unless it is a dense layer.
    spelled: Option<String>,
}

impl MatMul {
    fn structure<T: Precision>(&self) -> Result<Structure<T>> {
        T::structure(&self.product)
    }
}

impl Operator for MatMul {
    fn outputs(&self) -> Vec<Fact> {
        self.product.outputs()
    }

    fn fold(&self, inputs: &[Option<&Constant>]) -> Result<Option<Vec<Constant>>> {
        self.product.fold(inputs)
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        let Some(text) = &self.spelled else { return Ok(None) };
        let mut e = Expansion::new();
        let attrs = Attributes::from([("equation".into(), Attribute::String(text.clone()))]);
        let y = e.add("MatMul", attrs, [Source::Input(0), Source::Input(1)]);
        Ok(Some(e.done([y])))
    }

    fn mixed_axes(&self) -> Vec<usize> {
        self.product.mixed_axes()
    }

    structures!();
}
