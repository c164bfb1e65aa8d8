//! BatchNormalization in inference mode: an affine map per channel. It is checked here and rewritten to Mul and Add,
//! which fold into the layer before where there is one.
use deeplift_graph::{ensure, structures, Build, Fact, Operator, Result, Structure};
use deeplift_simd::Real;

struct BatchNormalization(Fact);

/// Refuses training mode.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    ensure!(
        cx.int("training_mode", 0)? == 0,
        UnsupportedModel,
        "BatchNormalization in training mode mixes examples; export the model after model.eval()"
    );
    ensure!(x.shape.len() >= 2, InvalidModel, "shape {:?} has no channel axis", x.shape);
    for (i, role) in [(1, "scale"), (2, "bias"), (3, "mean"), (4, "variance")] {
        let c = cx.constant(i, role)?;
        ensure!(
            c.len() == x.shape[1],
            InvalidModel,
            "{role} has {} values for {} channels",
            c.len(),
            x.shape[1]
        );
    }
    Ok(Box::new(BatchNormalization(Fact::data(x.shape.clone(), x.dtype))))
}

impl BatchNormalization {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque {
            advice: "on computed tensors it is rewritten to Mul and Add before".into(),
            forward: None,
        })
    }
}

impl Operator for BatchNormalization {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.0.clone()]
    }

    structures!();
}
