//! Operators that stand for several nodes: because they have several outputs, or because others define them.
//!
//! An operator says what it stands for as data; binding turns that into nodes, each of which is built, folded where its
//! inputs are constant, and may expand itself.
use crate::constant::Constant;
use crate::graph::Attributes;

/// Where an input of a [`Piece`] comes from.
#[derive(Clone)]
pub enum Source {
    /// An input of the operator that expands.
    Input(usize),
    /// The first output of an earlier piece.
    Piece(usize),
    /// Any output of an earlier piece.
    Output(usize, usize),
    /// A value known while planning.
    Constant(Constant),
}

/// One node of an [`Expansion`]; attributes and inputs are those of the newest opset.
#[allow(missing_docs)]
pub struct Piece {
    pub op: &'static str,
    pub attrs: Attributes,
    pub inputs: Vec<Option<Source>>,
}

/// The nodes that an operator stands for, in order of execution.
#[derive(Default)]
#[allow(missing_docs)]
pub struct Expansion {
    pub nodes: Vec<Piece>,
    /// One per output of the operator; `None` where an output is not available.
    pub outputs: Vec<Option<Source>>,
}

impl Expansion {
    /// Without nodes.
    pub fn new() -> Self {
        Expansion::default()
    }

    /// Adds a node whose inputs are all present; returns its first output.
    pub fn add<const N: usize>(
        &mut self,
        op: &'static str,
        attrs: Attributes,
        inputs: [Source; N],
    ) -> Source {
        self.add_some(op, attrs, inputs.into_iter().map(Some).collect())
    }

    /// Adds a node of which inputs may be omitted; returns its first output.
    pub fn add_some(&mut self, op: &'static str, attrs: Attributes, inputs: Vec<Option<Source>>) -> Source {
        self.nodes.push(Piece { op, attrs, inputs });
        Source::Piece(self.nodes.len() - 1)
    }

    /// The expansion with its outputs.
    pub fn done(mut self, outputs: impl IntoIterator<Item = Source>) -> Self {
        self.outputs = outputs.into_iter().map(Some).collect();
        self
    }
}
