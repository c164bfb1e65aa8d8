//! Normalisations. All of them stand for [`standardise`], one closed form, between scales, shifts and sums.
use deeplift_graph::broadcast::broadcast_shape;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{
    ensure, Attributes, Build, Constant, Expansion, Fact, Operator, Result, Source, Structure,
};
use deeplift_simd::Real;

pub mod channels;
pub mod layer;
pub mod lp;
pub mod lrn;
pub mod mean_variance;
pub mod moving_sum;
pub mod standardise;

/// Attributes from pairs.
pub(crate) fn attributes<const N: usize>(pairs: [(&str, Attribute); N]) -> Attributes {
    pairs.into_iter().map(|(k, v)| (k.to_string(), v)).collect()
}

/// A list of axes as an attribute.
pub(crate) fn axes(axes: impl IntoIterator<Item = usize>) -> Attribute {
    Attribute::Ints(axes.into_iter().map(|a| a as i64).collect())
}

/// A number as the input of a piece.
pub(crate) fn number(v: f64) -> Source {
    Source::Constant(Constant::f64(vec![], vec![v]))
}

/// A shape as the input of a piece.
pub(crate) fn shape(dims: &[usize]) -> Source {
    Source::Constant(Constant::i64(vec![dims.len()], dims.iter().map(|&d| d as i64).collect()))
}

/// What is added under a root, which must not make it undefined.
pub(crate) fn epsilon(cx: &Build<'_>, default: f64) -> Result<f64> {
    let epsilon = cx.float("epsilon", default)?;
    ensure!(epsilon >= 0.0 && epsilon.is_finite(), InvalidModel, "epsilon is {epsilon}; expected at least 0");
    Ok(epsilon)
}

/// Checks that scale or shift `input` broadcasts to the shape that is normalised without enlarging it.
pub(crate) fn fits(cx: &Build<'_>, input: usize, role: &str) -> Result<()> {
    let (x, f) = (cx.input(0)?, cx.input(input)?);
    ensure!(
        broadcast_shape(&x.shape, &f.shape).is_ok_and(|s| s == x.shape),
        InvalidModel,
        "{role} of shape {:?} does not broadcast to the input's {:?}",
        f.shape,
        x.shape
    );
    Ok(())
}

/// An operator that is nothing but its expansion.
pub(crate) struct Expanded {
    pub facts: Vec<Fact>,
    pub expansion: Box<dyn Fn() -> Expansion + Send + Sync>,
}

impl Expanded {
    /// With one output.
    pub fn one(
        fact: Fact,
        expansion: impl Fn() -> Expansion + Send + Sync + 'static,
    ) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Expanded { facts: vec![fact], expansion: Box::new(expansion) }))
    }

    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque { advice: "it stands for other nodes".into(), forward: None })
    }
}

impl Operator for Expanded {
    fn outputs(&self) -> Vec<Fact> {
        self.facts.clone()
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        Ok(Some((self.expansion)()))
    }

    deeplift_graph::structures!();
}
