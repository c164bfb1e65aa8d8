//! Rewrites that make the graph independent of the exporter. Each is one small file and leaves the function unchanged
//! (checked over random inputs in `tests/rewrites.rs`); the contributions may depend on them where SEMANTICS 3.1 says so.
use crate::error::Result;
use crate::graph::{Attributes, Graph};
use crate::operator::Registry;
use crate::wire::Attribute;

mod canonical;
mod compose;
mod fold_affine;
mod insert;
mod layout;
mod pattern;
mod peel;
mod shifted;
pub mod softmax_variant;
mod stack;
mod standardise;

pub use insert::{mark_layer, mean_normalise};
pub use peel::Peeled;

/// Brings a freshly bound graph into the form that plans are made from. Outputs that `peel` names are replaced by
/// their logits; what was taken off each output is returned.
///
/// # Errors
/// `INVALID_MODEL` naming a node that does not fit its inputs.
pub fn canonicalise(
    graph: &mut Graph,
    registry: &dyn Registry,
    peel: &[bool],
) -> Result<Vec<Option<Peeled>>> {
    canonical::run(graph, registry)?;
    shifted::run(graph, registry)?;
    standardise::run(graph, registry)?;
    let mut peeled = vec![];
    for (at, &wanted) in peel.iter().enumerate() {
        peeled.push(if wanted { peel::peel(graph, at) } else { None });
    }
    graph.remove_dead();
    compose::run(graph, registry)?;
    fold_affine::run(graph, registry)?;
    layout::run(graph, registry)?;
    stack::run(graph, registry)?;
    graph.remove_dead();
    Ok(peeled)
}

/// Attributes from pairs.
fn attributes<const N: usize>(pairs: [(&str, Attribute); N]) -> Attributes {
    pairs.into_iter().map(|(k, v)| (k.to_string(), v)).collect()
}
