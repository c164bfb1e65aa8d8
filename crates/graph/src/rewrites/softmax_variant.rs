//! The rule of Softmax as an option (SEMANTICS 3.4): spelled-out softmax is put together, then every Softmax is told.
use super::shifted;
use crate::error::Result;
use crate::graph::{Graph, Node};
use crate::operator::Registry;
use crate::wire::Attribute;

/// Gives every Softmax of a freshly bound graph the rule `variant`: `logmean`, `elementwise` or `decomposed`. To be called
/// before [`super::canonicalise`].
///
/// # Errors
/// `INVALID_OPTION` for any other name, if there is a Softmax.
pub fn apply(graph: &mut Graph, registry: &dyn Registry, variant: &str) -> Result<()> {
    shifted::run(graph, registry)?;
    for i in 0..graph.nodes.len() {
        let node = &graph.nodes[i];
        if node.op != "Softmax" {
            continue;
        }
        let Node { name, op, mut attrs, opset, inputs, output, .. } = node.clone();
        attrs.insert("variant".into(), Attribute::String(variant.into()));
        let made = graph.make_node(registry, &name, &op, attrs, opset, inputs)?;
        graph.nodes[i] = Node { output, ..made };
    }
    Ok(())
}
