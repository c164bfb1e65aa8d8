//! BatchNormalization in inference mode: an affine map per channel. Of a computed tensor with constant parameters it is
//! rewritten to Mul and Add, which fold into the layer before where there is one; otherwise it stands for its formula.
use deeplift_graph::{ensure, structures, Build, Expansion, Fact, Operator, Result, Source, Structure};
use deeplift_simd::Real;

use crate::norm::{attributes, epsilon, number, shape};

struct BatchNormalization {
    fact: Fact,
    epsilon: f64,
    /// Whether scale, shift, mean and variance are known, and the input is not.
    affine: bool,
}

/// Refuses training mode.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    // Up to opset 13 training mode has no attribute; it shows in the statistics that the node gives.
    let statistics = cx.opset < 14 && cx.int("outputs", 1)? > 1;
    ensure!(
        cx.int("training_mode", 0)? == 0 && !statistics,
        UnsupportedModel,
        "BatchNormalization in training mode mixes examples; export the model after model.eval()"
    );
    ensure!(x.shape.len() >= 2, InvalidModel, "shape {:?} has no channel axis", x.shape);
    ensure!(
        cx.opset >= 9 || cx.int("spatial", 1)? != 0 || x.shape.len() == 2,
        UnsupportedOp,
        "spatial = 0 has statistics per position and no rule; export the model with opset 9 or later"
    );
    let mut affine = x.constant.is_none();
    for (i, role) in [(1, "scale"), (2, "bias"), (3, "mean"), (4, "variance")] {
        let f = cx.input(i)?;
        affine &= f.constant.is_some();
        ensure!(
            f.shape == [x.shape[1]],
            InvalidModel,
            "{role} has shape {:?} for {} channels",
            f.shape,
            x.shape[1]
        );
    }
    let fact = Fact::data(x.shape.clone(), x.dtype);
    Ok(Box::new(BatchNormalization { fact, epsilon: epsilon(cx, 1e-5)?, affine }))
}

impl BatchNormalization {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque { advice: "it is rewritten to Mul and Add before".into(), forward: None })
    }
}

impl Operator for BatchNormalization {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        if self.affine {
            return Ok(None);
        }
        let mut e = Expansion::new();
        let mut dims = vec![1; self.fact.shape.len()];
        dims[1] = self.fact.shape[1];
        let [scale, shift, mean, variance] =
            [1, 2, 3, 4].map(|i| e.add("Reshape", attributes([]), [Source::Input(i), shape(&dims)]));
        let sum = e.add("Add", attributes([]), [variance, number(self.epsilon)]);
        let inverse = e.add("Pow", attributes([]), [sum, number(-0.5)]);
        let centred = e.add("Sub", attributes([]), [Source::Input(0), mean]);
        let scale = e.add("Mul", attributes([]), [inverse, scale]);
        let scaled = e.add("Mul", attributes([]), [centred, scale]);
        let y = e.add("Add", attributes([]), [scaled, shift]);
        Ok(Some(e.done([y])))
    }

    structures!();
}
