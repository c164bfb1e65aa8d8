//! A model after validation: every name resolves, no tensor has two producers, nodes are in topological order, and
//! no weight is NaN. Shapes are still open; [`crate::bind`] fixes them.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::constant::{element_count, Constant, DType};
use crate::error::Result;
use crate::graph::Attributes;
use crate::layers::Layers;
use crate::wire::{WireModel, WireNode, WireValue};
use crate::{bail, ensure};

/// Opsets of the ai.onnx domain that operators know how to read.
pub const OPSETS: std::ops::RangeInclusive<i64> = 7..=25;

/// A graph input or output with what the file says of its shape.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Value {
    pub name: String,
    pub dtype: DType,
    /// `None` where the axis is symbolic.
    pub dims: Vec<Option<usize>>,
    pub dim_names: Vec<String>,
    /// Whether the file gives a shape at all; outputs often have none.
    pub has_shape: bool,
}

/// A node of the validated model.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ModelNode {
    pub name: String,
    pub op: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub attrs: Attributes,
}

/// A validated model.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Model {
    pub source: String,
    pub opset: i64,
    pub inputs: Vec<Value>,
    pub outputs: Vec<Value>,
    /// In topological order.
    pub nodes: Vec<ModelNode>,
    pub constants: HashMap<String, Constant>,
    /// What its plans share.
    pub layers: Arc<Layers>,
}

impl Model {
    /// Checks a wire model.
    ///
    /// # Errors
    /// `INVALID_MODEL` naming the node or tensor at fault, `UNSUPPORTED_MODEL` for opsets out of range.
    pub fn new(wire: WireModel) -> Result<Self> {
        let source = wire.source.clone();
        Self::validate(wire).map_err(|e| e.at(source))
    }

    fn validate(wire: WireModel) -> Result<Self> {
        ensure!(
            OPSETS.contains(&wire.opset),
            UnsupportedModel,
            "opset {} is outside {}..={}; export the model with opset 20",
            wire.opset,
            OPSETS.start(),
            OPSETS.end()
        );
        ensure!(!wire.outputs.is_empty(), InvalidModel, "the graph has no output");
        let mut constants = HashMap::new();
        for (name, value) in wire.initializers {
            ensure!(!name.is_empty(), InvalidModel, "an initialiser has no name");
            if let Some(at) = value.first_nan().map_err(|e| e.at(format!("initialiser '{name}'")))? {
                bail!(InvalidModel, "initialiser '{name}' is NaN at flat index {at}");
            }
            let twice = constants.insert(name.clone(), value).is_some();
            ensure!(!twice, InvalidModel, "initialiser '{name}' is given twice");
        }
        let inputs = wire
            .inputs
            .into_iter()
            .filter(|v| !constants.contains_key(&v.name))
            .map(value)
            .collect::<Result<Vec<_>>>()?;
        ensure!(!inputs.is_empty(), InvalidModel, "the graph has no input that is not an initialiser");
        let outputs = wire.outputs.into_iter().map(value).collect::<Result<Vec<_>>>()?;
        let nodes = sort(wire.nodes, &inputs, &constants)?;
        let produced: HashSet<&str> =
            nodes.iter().flat_map(|n| n.outputs.iter().map(String::as_str)).collect();
        for o in &outputs {
            let known = produced.contains(o.name.as_str())
                || constants.contains_key(&o.name)
                || inputs.iter().any(|i| i.name == o.name);
            ensure!(known, InvalidModel, "graph output '{}' is produced by no node", o.name);
        }
        let layers = Arc::default();
        Ok(Model { source: wire.source, opset: wire.opset, inputs, outputs, nodes, constants, layers })
    }

    /// Names of all tensors that can be a target: graph outputs and every tensor between nodes.
    pub fn has_tensor(&self, name: &str) -> bool {
        self.nodes.iter().any(|n| n.outputs.iter().any(|o| o == name))
    }
}

fn value(v: WireValue) -> Result<Value> {
    // 0 is "not said"; such values are numbers in every model that was seen.
    let dtype = DType::from_onnx(if v.dtype == 0 { 1 } else { v.dtype })
        .map_err(|e| e.at(format!("'{}'", v.name)))?;
    let mut dims = Vec::new();
    for (axis, &d) in v.dims.iter().enumerate() {
        ensure!(d >= -1, InvalidModel, "'{}' has dimension {d} on axis {axis}", v.name);
        dims.push((d >= 0).then_some(d as usize));
    }
    let fixed: Vec<usize> = dims.iter().map(|d| d.unwrap_or(1)).collect();
    element_count(&fixed).map_err(|e| e.at(format!("'{}'", v.name)))?;
    Ok(Value { name: v.name, dtype, dims, dim_names: v.dim_names, has_shape: v.has_shape })
}

/// Kahn's algorithm, keeping the file's order among nodes that are ready.
fn sort(
    nodes: Vec<WireNode>,
    inputs: &[Value],
    constants: &HashMap<String, Constant>,
) -> Result<Vec<ModelNode>> {
    let inputs: HashSet<&str> = inputs.iter().map(|v| v.name.as_str()).collect();
    let mut producer: HashMap<&str, usize> = HashMap::new();
    for (i, n) in nodes.iter().enumerate() {
        for o in n.outputs.iter().filter(|o| !o.is_empty()) {
            let taken =
                producer.insert(o, i).is_some() || constants.contains_key(o) || inputs.contains(o.as_str());
            ensure!(!taken, InvalidModel, "tensor '{o}' is produced twice (node '{}')", n.name);
        }
    }
    let mut waiting = vec![0usize; nodes.len()];
    let mut consumers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (i, n) in nodes.iter().enumerate() {
        for t in n.inputs.iter().filter(|t| !t.is_empty()) {
            if let Some(&p) = producer.get(t.as_str()) {
                consumers.entry(p).or_default().push(i);
                waiting[i] += 1;
            } else {
                let known = constants.contains_key(t) || inputs.contains(t.as_str());
                ensure!(
                    known,
                    InvalidModel,
                    "node '{}' ({}) reads '{t}', which is neither a graph input, an initialiser, nor the output of a \
                     node",
                    n.name,
                    n.op_type
                );
            }
        }
    }
    let mut ready: std::collections::BTreeSet<usize> =
        (0..nodes.len()).filter(|&i| waiting[i] == 0).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(i) = ready.pop_first() {
        order.push(i);
        for &c in consumers.get(&i).into_iter().flatten() {
            waiting[c] -= 1;
            if waiting[c] == 0 {
                ready.insert(c);
            }
        }
    }
    if let Some(i) = (0..nodes.len()).find(|&i| waiting[i] > 0) {
        bail!(InvalidModel, "the graph has a cycle through node '{}' ({})", nodes[i].name, nodes[i].op_type);
    }
    let mut slots: Vec<Option<WireNode>> = nodes.into_iter().map(Some).collect();
    order
        .into_iter()
        .map(|i| {
            let n = slots[i].take().expect("each node is ordered once");
            ensure!(
                n.domain.is_empty() || n.domain == "ai.onnx",
                UnsupportedOp,
                "node '{}' is operator {} of domain '{}'; only standard ONNX operators are supported, so export \
                 without runtime-specific optimisation",
                n.name,
                n.op_type,
                n.domain
            );
            Ok(ModelNode {
                name: n.name,
                op: n.op_type,
                inputs: n.inputs,
                outputs: n.outputs,
                attrs: n.attributes.into_iter().collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn value(name: &str) -> WireValue {
        WireValue { name: name.into(), dtype: 1, dims: vec![-1, 4], dim_names: vec![], has_shape: true }
    }

    fn node(name: &str, inputs: &[&str], outputs: &[&str]) -> WireNode {
        let own = |s: &[&str]| s.iter().map(|s| s.to_string()).collect();
        WireNode {
            name: name.into(),
            op_type: "Relu".into(),
            domain: String::new(),
            inputs: own(inputs),
            outputs: own(outputs),
            attributes: vec![],
        }
    }

    fn wire(nodes: Vec<WireNode>) -> WireModel {
        WireModel {
            source: "m.onnx".into(),
            opset: 20,
            inputs: vec![value("x")],
            outputs: vec![value("y")],
            nodes,
            initializers: vec![],
        }
    }

    #[test]
    fn sorts_and_accepts() {
        let m = Model::new(wire(vec![node("b", &["h"], &["y"]), node("a", &["x"], &["h"])])).unwrap();
        assert_eq!(m.nodes.iter().map(|n| n.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn refuses_broken_graphs_by_name() {
        let cases = [
            (wire(vec![node("a", &["y"], &["h"]), node("b", &["h"], &["y"])]), "cycle"),
            (wire(vec![node("a", &["gone"], &["y"])]), "'gone'"),
            (wire(vec![node("a", &["x"], &["y"]), node("b", &["x"], &["y"])]), "twice"),
            (wire(vec![node("a", &["x"], &["z"])]), "'y'"),
        ];
        for (w, text) in cases {
            let e = Model::new(w).unwrap_err();
            assert_eq!(e.code, Code::InvalidModel);
            assert!(e.message.contains(text) && e.message.starts_with("m.onnx"), "{}", e.message);
        }
    }

    #[test]
    fn refuses_nan_weights_and_foreign_domains() {
        let mut w = wire(vec![node("a", &["x"], &["y"])]);
        w.initializers.push(("w".into(), Constant::f64(vec![2], vec![1.0, f64::NAN])));
        assert!(Model::new(w).unwrap_err().message.contains("'w' is NaN at flat index 1"));
        let mut w = wire(vec![node("a", &["x"], &["y"])]);
        w.nodes[0].domain = "com.microsoft".into();
        assert_eq!(Model::new(w).unwrap_err().code, Code::UnsupportedOp);
    }
}
