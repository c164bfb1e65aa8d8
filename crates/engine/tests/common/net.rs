//! A network in a few lines.
use deeplift_graph::model::Model;
use deeplift_graph::wire::{Attribute, WireModel, WireNode, WireValue};
use deeplift_graph::{Constant, Result};

/// An attribute by name.
pub type Named = (String, Attribute);

pub fn int(name: &str, v: i64) -> Named {
    (name.into(), Attribute::Int(v))
}

pub fn float(name: &str, v: f64) -> Named {
    (name.into(), Attribute::Float(v))
}

pub fn string(name: &str, v: &str) -> Named {
    (name.into(), Attribute::String(v.into()))
}

pub fn ints(name: &str, v: &[impl Copy + TryInto<i64, Error: std::fmt::Debug>]) -> Named {
    (name.into(), Attribute::Ints(v.iter().map(|&v| v.try_into().expect("fits")).collect()))
}

/// A network under construction. Tensor names are words in one string; `_` is an omitted input.
#[derive(Clone)]
pub struct Net {
    pub wire: WireModel,
}

impl Net {
    pub fn new() -> Self {
        Net::of_opset(20)
    }

    pub fn of_opset(opset: i64) -> Self {
        Net { wire: WireModel { source: "test.onnx".into(), opset, ..WireModel::default() } }
    }

    /// An input of this shape per example, under a dynamic batch axis.
    pub fn input(mut self, name: &str, shape: &[usize]) -> Self {
        let mut dims = vec![-1];
        dims.extend(shape.iter().map(|&d| d as i64));
        let value = WireValue { name: name.into(), dtype: 1, dims, dim_names: vec![], has_shape: true };
        self.wire.inputs.push(value);
        self
    }

    pub fn constant(mut self, name: &str, value: Constant) -> Self {
        self.wire.initializers.push((name.into(), value));
        self
    }

    pub fn weight(self, name: &str, shape: &[usize], values: Vec<f64>) -> Self {
        self.constant(name, Constant::f64(shape.to_vec(), values))
    }

    pub fn list(self, name: &str, values: &[i64]) -> Self {
        self.constant(name, Constant::i64(vec![values.len()], values.to_vec()))
    }

    /// A node named after its first output.
    pub fn node(
        mut self,
        op: &str,
        inputs: &str,
        outputs: &str,
        attributes: impl IntoIterator<Item = Named>,
    ) -> Self {
        let words = |s: &str| -> Vec<String> {
            s.split_whitespace().map(|w| if w == "_" { String::new() } else { w.into() }).collect()
        };
        let outputs = words(outputs);
        self.wire.nodes.push(WireNode {
            name: format!("{}_node", outputs[0]),
            op_type: op.into(),
            domain: String::new(),
            inputs: words(inputs),
            outputs,
            attributes: attributes.into_iter().collect(),
        });
        self
    }

    /// Declares a graph output; every tensor can be a target without.
    pub fn output(mut self, name: &str) -> Self {
        self.wire.outputs.push(WireValue { name: name.into(), dtype: 1, ..WireValue::default() });
        self
    }

    pub fn model(&self) -> Result<Model> {
        Model::new(self.wire.clone())
    }

    /// Names of all nodes' operators.
    pub fn ops(&self) -> Vec<&str> {
        self.wire.nodes.iter().map(|n| n.op_type.as_str()).collect()
    }
}
