//! QuantizeLinear and DequantizeLinear. The first is a step between levels: `saturate(round(x / scale) + zero point)`,
//! halves to even; the second is affine.
use deeplift_graph::broadcast::axis_index;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{
    bail, ensure, structures, Build, Constant, DType, Expansion, Fact, Operator, Result, Source, Structure,
};
use deeplift_simd::Real;

use super::{joint, Joint};
use crate::unary::step;

#[derive(Clone)]
struct Quantize {
    low: f64,
    high: f64,
    /// Whether the quotient is rounded to float32, which decides where ties fall.
    single: bool,
}

impl Joint<3> for Quantize {
    fn value(&self, [x, scale, zero]: [f64; 3]) -> f64 {
        let level = if self.single { f64::from(x as f32 / scale as f32) } else { x / scale };
        (level.round_ties_even() + zero).clamp(self.low, self.high)
    }

    fn multipliers(&self, a: [f64; 3], a0: [f64; 3]) -> [f64; 3] {
        [step::quotient(self.value(a), self.value(a0), a[0] - a0[0]), 0.0, 0.0]
    }

    fn warning(&self) -> Option<String> {
        Some(step::WARNING.into())
    }
}

/// The internal operator `Quantize`: input, scale and zero point broadcast as they are.
pub fn build_levels(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let to = DType::from_onnx(cx.int("to", 2)? as i32)?;
    let (low, high) = match to {
        DType::U8 => (0.0, 255.0),
        DType::I8 => (-128.0, 127.0),
        DType::I16 => (-32768.0, 32767.0),
        DType::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
        _ => bail!(UnsupportedOp, "levels of type {to:?} are not supported; use int8, uint8, int16 or int32"),
    };
    cx.constant(1, "scale")?;
    cx.constant(2, "zero point")?;
    let single = cx.input(0)?.dtype != DType::F64;
    joint(cx, Quantize { low, high, single }, to)
}

/// Scale and zero point of the whole tensor, of every element of an axis, or of blocks along it.
struct Linear {
    fact: Fact,
    scale: Constant,
    zero: Constant,
    quantize: bool,
}

/// Reads scale and zero point, which must be constant.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let x = cx.input(0)?;
    let quantize = cx.op == "QuantizeLinear";
    let scale = cx.constant(1, "scale")?;
    let zero = cx.optional_constant(2, "zero point")?;
    ensure!((0..scale.len()).all(|i| scale.at(i) != 0.0), InvalidModel, "a scale is 0");
    let fallback = if quantize { DType::U8.to_onnx() } else { scale.dtype.to_onnx() };
    let wanted = match cx.int("output_dtype", 0)? {
        0 => zero.filter(|_| quantize).map_or(fallback, |z| z.dtype.to_onnx()),
        code => code,
    };
    let none = Constant::f64(vec![], vec![0.0]);
    Ok(Box::new(Linear {
        fact: Fact::data(x.shape.clone(), DType::from_onnx(wanted as i32)?),
        scale: spread(cx, &x.shape, scale)?,
        zero: zero.map_or(Ok(none), |z| spread(cx, &x.shape, z))?,
        quantize,
    }))
}

/// A parameter in a shape that broadcasts with `shape`.
fn spread(cx: &Build<'_>, shape: &[usize], c: &Constant) -> Result<Constant> {
    if c.len() == 1 {
        return Ok(c.reshaped(vec![]));
    }
    let axis = axis_index(cx.int("axis", 1)?, shape.len())?;
    let block = cx.int("block_size", 0)?;
    let mut to = vec![1; shape.len() - axis];
    to[0] = shape[axis];
    if c.shape.len() == 1 && block == 0 {
        ensure!(
            c.len() == shape[axis],
            InvalidModel,
            "{} parameters for an axis of {}",
            c.len(),
            shape[axis]
        );
        return Ok(c.reshaped(to));
    }
    let mut expected = shape.to_vec();
    if block > 0 {
        expected[axis] = shape[axis].div_ceil(block as usize);
    }
    ensure!(
        block > 0 && c.shape == expected,
        InvalidModel,
        "parameters of shape {:?} do not fit {shape:?} in blocks of {block} along axis {axis}",
        c.shape
    );
    let inner: usize = shape[axis + 1..].iter().product();
    let at = (0..shape.iter().product()).map(|flat: usize| {
        let (row, column) = (flat / inner, flat % inner);
        let (outer, along) = (row / shape[axis], row % shape[axis]);
        (outer * expected[axis] + along / block as usize) * inner + column
    });
    Ok(c.pick(shape.to_vec(), at))
}

impl Linear {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque { advice: "it is expanded to its definition before".into(), forward: None })
    }
}

impl Operator for Linear {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        let mut e = Expansion::new();
        let to = [("to".to_string(), Attribute::Int(self.fact.dtype.to_onnx()))].into_iter().collect();
        let (scale, zero) = (Source::Constant(self.scale.clone()), Source::Constant(self.zero.clone()));
        let y = if self.quantize {
            e.add("Quantize", to, [Source::Input(0), scale, zero])
        } else {
            let x = e.add("Cast", to, [Source::Input(0)]);
            let centred = e.add("Sub", Default::default(), [x, zero]);
            e.add("Mul", Default::default(), [centred, scale])
        };
        Ok(Some(e.done([y])))
    }

    structures!();
}

#[cfg(test)]
mod tests {
    use super::super::laws;
    use super::*;

    #[test]
    fn levels() {
        let q = Quantize { low: -128.0, high: 127.0, single: true };
        assert_eq!(
            [0.25, 0.75, -0.25, 900.0, -900.0].map(|x| q.value([x, 0.5, 3.0])),
            [3., 5., 3., 127., -128.]
        );
        // In float32, 0.35 / 0.1 is 3.5.
        assert_eq!(q.value([f64::from(0.35f32), f64::from(0.1f32), 0.0]), 4.0);
        laws::check(&q, [1.3, 0.5, 3.0], [-0.4, 0.5, 3.0]);
        assert_eq!(q.multipliers([1.3, 0.5, 3.0], [1.4, 0.5, 3.0])[0], 0.0);
    }
}
