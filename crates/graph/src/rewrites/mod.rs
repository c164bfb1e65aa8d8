//! Rewrites that make the graph independent of the exporter. Each is one small file and leaves the function unchanged
//! (checked over random inputs in `tests/rewrites.rs`); the contributions may depend on them where SEMANTICS 3.1 says so.
use crate::error::Result;
use crate::graph::{Attributes, Graph};
use crate::operator::Registry;
use crate::wire::Attribute;

mod canonical;
mod compose;
mod fold_affine;
mod layout;
mod shifted;

/// Brings a freshly bound graph into the form that plans are made from.
pub fn canonicalise(graph: &mut Graph, registry: &dyn Registry) -> Result<()> {
    canonical::run(graph, registry)?;
    shifted::run(graph, registry)?;
    compose::run(graph, registry)?;
    fold_affine::run(graph, registry)?;
    layout::run(graph, registry)?;
    graph.remove_dead();
    Ok(())
}

/// Attributes from pairs.
fn attributes<const N: usize>(pairs: [(&str, Attribute); N]) -> Attributes {
    pairs.into_iter().map(|(k, v)| (k.to_string(), v)).collect()
}
