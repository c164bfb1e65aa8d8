//! The model as it crosses the language boundary: flat, typed, and not yet believed.
use crate::constant::Constant;

/// A graph input or output. `dims` holds -1 where the file has a symbol or nothing.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct WireValue {
    pub name: String,
    pub dtype: i32,
    pub dims: Vec<i64>,
    pub dim_names: Vec<String>,
    pub has_shape: bool,
}

/// An attribute of a node.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Attribute {
    Float(f64),
    Int(i64),
    String(String),
    Floats(Vec<f64>),
    Ints(Vec<i64>),
    Strings(Vec<String>),
    Tensor(Constant),
    /// A composite function, written by a rewrite; never read from a file.
    Expression(crate::operator::Expression),
    /// Sub-graphs, types, sparse tensors: present in the file, never usable here.
    Other,
}

/// A node by the names of its tensors; an empty name is an omitted optional input or output.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct WireNode {
    pub name: String,
    pub op_type: String,
    pub domain: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub attributes: Vec<(String, Attribute)>,
}

/// A whole model.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct WireModel {
    pub source: String,
    pub opset: i64,
    pub inputs: Vec<WireValue>,
    pub outputs: Vec<WireValue>,
    pub nodes: Vec<WireNode>,
    pub initializers: Vec<(String, Constant)>,
}
