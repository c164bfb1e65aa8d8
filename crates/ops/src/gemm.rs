//! Gemm, `alpha A' B' + beta C`, where `'` is an optional transpose: a dense layer where `B` and `C` are constants that
//! fit one, else the operators that its definition names.
use deeplift_graph::broadcast::broadcast_shape;
use deeplift_graph::expansion::{Expansion, Source};
use deeplift_graph::graph::Attributes;
use deeplift_graph::operator::Structure;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, ensure, structures, Build, Constant, Fact, Operator, Result};
use deeplift_simd::Real;

struct Gemm {
    fact: Fact,
    /// Whether `A` and `B` are transposed.
    transposed: [bool; 2],
    alpha: f64,
    beta: f64,
    biased: bool,
    /// Weights `[in, out]` and bias `[out]`, if it is a dense layer.
    dense: Option<[Constant; 2]>,
}

/// Two matrices, and the optional `C`, which broadcasts to the product.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let (a, b, c) = (cx.input(0)?, cx.input(1)?, cx.optional(2));
    let transposed = [cx.int("transA", 0)? != 0, cx.int("transB", 0)? != 0];
    let (alpha, beta) = (cx.float("alpha", 1.0)?, cx.float("beta", 1.0)?);
    ensure!(
        a.shape.len() == 2 && b.shape.len() == 2,
        InvalidModel,
        "shapes {:?} and {:?} are not matrices",
        a.shape,
        b.shape
    );
    let of = |f: &Fact, flip: bool| if flip { [f.shape[1], f.shape[0]] } else { [f.shape[0], f.shape[1]] };
    let ([m, k], [depth, n]) = (of(a, transposed[0]), of(b, transposed[1]));
    ensure!(
        k == depth,
        InvalidModel,
        "shapes {:?} and {:?} do not fit: {k} columns, {depth} rows",
        a.shape,
        b.shape
    );
    if let Some(c) = c {
        let fits = broadcast_shape(&[m, n], &c.shape).is_ok_and(|s| s == [m, n]);
        ensure!(fits, InvalidModel, "C of shape {:?} does not fit a product of shape {:?}", c.shape, [m, n]);
    }
    let bias = match c {
        None => Some(vec![0.0; n]),
        Some(f) => f
            .constant
            .as_ref()
            .filter(|c| c.len() == 1 || (c.len() == n && c.shape.last() == Some(&n)))
            .map(|c| (0..n).map(|i| beta * c.at(if c.len() == 1 { 0 } else { i })).collect()),
    };
    let dense = match (&a.constant, &b.constant, bias) {
        (None, Some(w), Some(bias)) => {
            let w = if transposed[1] { w.transposed(&[1, 0]) } else { w.clone() };
            let w = if alpha == 1.0 {
                w
            } else {
                Constant::f64(w.shape.clone(), w.to_f64().into_iter().map(|v| v * alpha).collect())
            };
            Some([w, Constant::f64(vec![n], bias)])
        }
        _ => None,
    };
    let fact = Fact::data(vec![m, n], a.dtype);
    Ok(Box::new(Gemm { fact, transposed, alpha, beta, biased: c.is_some(), dense }))
}

impl Gemm {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        bail!(Internal, "Gemm stands for other nodes")
    }
}

impl Operator for Gemm {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        let mut e = Expansion::new();
        let none = Attributes::new;
        let scaled = |e: &mut Expansion, x: Source, factor: f64| {
            if factor == 1.0 {
                return x;
            }
            e.add("Mul", none(), [x, Source::Constant(Constant::f64(vec![], vec![factor]))])
        };
        let operand = |e: &mut Expansion, i: usize| {
            if !self.transposed[i] {
                return Source::Input(i);
            }
            let perm = Attributes::from([("perm".into(), Attribute::Ints(vec![1, 0]))]);
            e.add("Transpose", perm, [Source::Input(i)])
        };
        let a = operand(&mut e, 0);
        if let Some([weights, bias]) = &self.dense {
            let parameters = [weights, bias].map(|c| Source::Constant(c.clone()));
            let [weights, bias] = parameters;
            let y = e.add("Dense", none(), [a, weights, bias]);
            return Ok(Some(e.done([y])));
        }
        let b = operand(&mut e, 1);
        let product = e.add("MatMul", none(), [a, b]);
        let mut y = scaled(&mut e, product, self.alpha);
        if self.biased {
            let c = scaled(&mut e, Source::Input(2), self.beta);
            y = e.add("Add", none(), [y, c]);
        }
        Ok(Some(e.done([y])))
    }

    structures!();
}
