//! What operators, rules and the engine agree on.
//!
//! An ONNX file arrives as a [`wire::WireModel`]: untrusted, flat, typed. [`model::Model`] is that file after
//! validation. [`bind::bind`] fixes the input shapes and the target, infers every shape, folds everything that is
//! constant and returns a [`graph::Graph`]; [`rewrites`] make the graph independent of the exporter. The traits that
//! operators implement stand in [`operator`], the trait of rules in [`rule`]: neither side sees the other.
#![forbid(unsafe_code)]

mod batch;
pub mod bind;
pub mod broadcast;
pub mod constant;
pub mod error;
pub mod expansion;
pub mod graph;
pub mod layers;
mod linear;
pub mod model;
pub mod operator;
pub mod rewrites;
pub mod rule;
mod selection;
pub mod stored;
pub mod wire;

pub use constant::{Constant, DType, Data};
pub use error::{Code, Error, Result};
pub use expansion::{Expansion, Source};
pub use graph::{Attributes, Graph, Node, Tensor, TensorId};
pub use layers::{Layer, Layers};
pub use operator::{Build, Fact, Operator, Registry, Structure};
