//! CastLike: a Cast to the element type of the second input, of which nothing else is read.
use deeplift_graph::wire::Attribute;
use deeplift_graph::{structures, Build, DType, Expansion, Fact, Operator, Result, Source, Structure};
use deeplift_simd::Real;

struct CastLike {
    shape: Vec<usize>,
    to: DType,
}

/// The attribute `saturate` concerns float8, which is not supported.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    Ok(Box::new(CastLike { shape: cx.input(0)?.shape.clone(), to: cx.input(1)?.dtype }))
}

impl CastLike {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque { advice: "it is expanded to Cast before".into(), forward: None })
    }
}

impl Operator for CastLike {
    fn outputs(&self) -> Vec<Fact> {
        vec![Fact::data(self.shape.clone(), self.to)]
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        let mut e = Expansion::new();
        let attrs = [("to".to_string(), Attribute::Int(self.to.to_onnx()))].into_iter().collect();
        let cast = e.add("Cast", attrs, [Source::Input(0)]);
        Ok(Some(e.done([cast])))
    }

    structures!();
}
