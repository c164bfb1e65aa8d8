//! Conv with weights or a bias that depend on the input. The windows of the data times the weights is one product,
//! bilinear where both are computed (SEMANTICS 3.2, row Conv with dynamic W).
use deeplift_graph::expansion::{Expansion, Source};
use deeplift_graph::operator::Structure;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{bail, structures, Attributes, Build, Constant, Fact, Operator, Result};
use deeplift_simd::Real;

use crate::conv::Layer;

struct Conv {
    layer: Layer,
    fact: Fact,
    attrs: Attributes,
    biased: bool,
    /// Whether only the bias is computed.
    weights_known: bool,
}

/// A convolution of this shape, channels first.
pub fn build(cx: &Build<'_>, layer: Layer, fact: Fact) -> Result<Box<dyn Operator>> {
    let weights_known = cx.input(1)?.constant.is_some();
    Ok(Box::new(Conv {
        layer,
        fact,
        attrs: cx.attrs.clone(),
        biased: cx.optional(2).is_some(),
        weights_known,
    }))
}

impl Conv {
    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        bail!(Internal, "a convolution with computed weights stands for other nodes")
    }

    /// The windows times the weights, without bias.
    fn product(&self, e: &mut Expansion) -> Source {
        let Layer { batch, channels, outs, groups, windows: w, .. } = &self.layer;
        let list = |v: &[usize]| Attribute::Ints(v.iter().map(|&n| n as i64).collect());
        let attrs = Attributes::from([
            ("kernel_shape".into(), list(&w.kernel)),
            ("strides".into(), list(&w.stride)),
            ("dilations".into(), list(&w.dilation)),
            ("pads".into(), list(&[&w.pad[..], &w.pad_end].concat())),
        ]);
        let (ins, taps) = (channels / groups, w.kernel.iter().product());
        let places = w.output.iter().product();
        let x = e.add("Unfold", attrs, [Source::Input(0)]);
        let x = reshape(e, x, &[*batch, *groups, ins, taps, places]);
        let weights = reshape(e, Source::Input(1), &[*groups, outs / groups, ins, taps]);
        let equation = Attribute::String("bgctp,goct->bgop".into());
        let y = e.add("Einsum", Attributes::from([("equation".into(), equation)]), [x, weights]);
        reshape(e, y, &self.fact.shape)
    }
}

impl Operator for Conv {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        let mut e = Expansion::new();
        let mut y = if self.weights_known {
            e.add("Conv", self.attrs.clone(), [Source::Input(0), Source::Input(1)])
        } else {
            self.product(&mut e)
        };
        if self.biased {
            let mut along = vec![1; self.fact.shape.len() - 1];
            along[0] = self.layer.outs;
            let bias = reshape(&mut e, Source::Input(2), &along);
            y = e.add("Add", Attributes::new(), [y, bias]);
        }
        Ok(Some(e.done([y])))
    }

    structures!();
}

fn reshape(e: &mut Expansion, x: Source, shape: &[usize]) -> Source {
    let to = Constant::i64(vec![shape.len()], shape.iter().map(|&d| d as i64).collect());
    e.add("Reshape", Attributes::new(), [x, Source::Constant(to)])
}
