//! One name per function: exporters write the same affine map, dense layer or change of shape in many ways.
//!
//! | found | becomes |
//! |---|---|
//! | BatchNormalization (inference), Sub / Div by a constant, constant minus data, Neg | Mul and Add with a constant, the data first |
//! | MatMul with a constant matrix | Dense (weights `[in, out]`, bias) |
//! | Squeeze, Unsqueeze, Flatten, Identity, Dropout, Cast that keeps values | Reshape to a constant shape, or nothing |
//! | Max, Min of data and a number | Clip |
//! | GlobalAveragePool, GlobalMaxPool | ReduceMean, ReduceMax |
use super::attributes;
use crate::error::Result;
use crate::graph::{Attributes, Graph, Node, TensorId, INTERNAL_OPSET};
use crate::operator::{Build, Registry};
use crate::wire::Attribute;
use crate::{Constant, Structure};

pub(super) fn run(graph: &mut Graph, registry: &dyn Registry) -> Result<()> {
    let old = std::mem::take(&mut graph.nodes);
    for mut node in old {
        let name = node.name.clone();
        let replaced =
            rewrite(graph, registry, &mut node).map_err(|e| e.at(format!("node '{name}' ({})", node.op)))?;
        if !replaced {
            graph.nodes.push(node);
        }
    }
    Ok(())
}

/// Emits the canonical nodes; the last one takes over the output tensor of `node`.
fn rewrite(graph: &mut Graph, registry: &dyn Registry, node: &mut Node) -> Result<bool> {
    let mut emit = Emit { graph, registry, node };
    match emit.node.op.as_str() {
        "BatchNormalization" => emit.batch_norm(),
        "Sub" | "Div" | "Mul" | "Add" | "Sum" | "Neg" => emit.affine(),
        "MatMul" => emit.dense(),
        "Max" | "Min" => emit.clip(),
        "Squeeze" | "Unsqueeze" | "Flatten" | "Reshape" => emit.reshape(),
        // A Cast that loses values is a step, not a view.
        "Identity" | "Dropout" | "Cast" if matches!(emit.node.operator.structure64()?, Structure::View) => {
            let (input, output) = (emit.node.inputs[0], emit.node.output);
            emit.alias(input, output)
        }
        "GlobalAveragePool" => emit.global("ReduceMean"),
        "GlobalMaxPool" => emit.global("ReduceMax"),
        _ => Ok(false),
    }
}

struct Emit<'a> {
    graph: &'a mut Graph,
    registry: &'a dyn Registry,
    node: &'a Node,
}

impl Emit<'_> {
    fn push(&mut self, op: &str, attrs: Attributes, inputs: Vec<Option<TensorId>>) -> Result<TensorId> {
        let name = self.node.name.clone();
        let node = self.graph.make_node(self.registry, &name, op, attrs, INTERNAL_OPSET, inputs)?;
        let out = node.output;
        self.graph.nodes.push(node);
        Ok(out)
    }

    /// Lets the last pushed node produce the tensor that the replaced node produced.
    fn finish(&mut self) -> Result<bool> {
        let out = self.node.output;
        let last = self.graph.nodes.last_mut().expect("a node was pushed");
        last.output = out;
        Ok(true)
    }

    fn constant(&mut self, value: Constant) -> Option<TensorId> {
        Some(self.graph.add_constant(&self.node.name.clone(), value))
    }

    fn alias(&mut self, input: Option<TensorId>, output: TensorId) -> Result<bool> {
        let shape = self.graph.shape(output).to_vec();
        let to = self.constant(shape_constant(&shape));
        self.push("Reshape", Attributes::new(), vec![input, to])?;
        self.finish()
    }

    fn reshape(&mut self) -> Result<bool> {
        let (input, output) = (self.node.inputs[0], self.node.output);
        self.alias(input, output)
    }

    fn batch_norm(&mut self) -> Result<bool> {
        let node = self.node;
        let facts = node.inputs.iter().map(|t| t.map(|t| self.graph.fact(t))).collect();
        let cx =
            Build { name: &node.name, op: &node.op, attrs: &node.attrs, opset: node.opset, inputs: facts };
        let [gamma, beta, mean, var] = [
            cx.constant(1, "scale")?.to_f64(),
            cx.constant(2, "bias")?.to_f64(),
            cx.constant(3, "mean")?.to_f64(),
            cx.constant(4, "variance")?.to_f64(),
        ];
        let eps = cx.float("epsilon", 1e-5)?;
        let x = cx.input(0)?.shape.clone();
        let channels = gamma.len();
        let scale: Vec<f64> = gamma.iter().zip(&var).map(|(g, v)| g / (v + eps).sqrt()).collect();
        let shift: Vec<f64> = (0..channels).map(|c| beta[c] - mean[c] * scale[c]).collect();
        let mut shape = vec![1; x.len()];
        shape[1] = channels;
        let scale = self.constant(Constant::f64(shape.clone(), scale));
        let shift = self.constant(Constant::f64(shape, shift));
        let scaled = self.push("Mul", Attributes::new(), vec![self.node.inputs[0], scale])?;
        self.push("Add", Attributes::new(), vec![Some(scaled), shift])?;
        self.finish()
    }

    /// Data first, constant second, and only Mul and Add.
    fn affine(&mut self) -> Result<bool> {
        let inputs = self.node.inputs.clone();
        if self.node.op == "Neg" {
            let minus = self.constant(Constant::f64(vec![], vec![-1.0]));
            self.push("Mul", Attributes::new(), vec![inputs[0], minus])?;
            return self.finish();
        }
        if inputs.len() != 2 {
            return Ok(false);
        }
        let value = |g: &Graph, i: usize| g.constant(inputs[i]).cloned();
        let map = |c: &Constant, f: &dyn Fn(f64) -> f64| {
            Constant::f64(c.shape.clone(), c.to_f64().into_iter().map(f).collect())
        };
        match (self.node.op.as_str(), value(self.graph, 0), value(self.graph, 1)) {
            ("Sub", None, Some(c)) => {
                let c = self.constant(map(&c, &|v| -v));
                self.push("Add", Attributes::new(), vec![inputs[0], c])?;
            }
            ("Sub", Some(_), None) => {
                let minus = self.constant(Constant::f64(vec![], vec![-1.0]));
                let negated = self.push("Mul", Attributes::new(), vec![inputs[1], minus])?;
                self.push("Add", Attributes::new(), vec![Some(negated), inputs[0]])?;
            }
            ("Div", None, Some(c)) => {
                let c = self.constant(map(&c, &|v| 1.0 / v));
                self.push("Mul", Attributes::new(), vec![inputs[0], c])?;
            }
            ("Add" | "Sum" | "Mul", Some(_), None) => {
                let op = if self.node.op == "Mul" { "Mul" } else { "Add" };
                self.push(op, Attributes::new(), vec![inputs[1], inputs[0]])?;
            }
            ("Sum", ..) => {
                self.push("Add", Attributes::new(), inputs)?;
            }
            _ => return Ok(false),
        }
        self.finish()
    }

    fn clip(&mut self) -> Result<bool> {
        let inputs = self.node.inputs.clone();
        let [a, b] = inputs[..] else { return Ok(false) };
        let (x, bound) = if self.graph.constant(a).is_some() { (b, a) } else { (a, b) };
        let number = self.graph.constant(bound).is_some_and(|c| c.len() == 1);
        let same = x.is_some_and(|x| self.graph.shape(x) == self.graph.shape(self.node.output));
        if !number || !same {
            return Ok(false);
        }
        let bounds = if self.node.op == "Max" { vec![x, bound] } else { vec![x, None, bound] };
        self.push("Clip", Attributes::new(), bounds)?;
        self.finish()
    }

    fn dense(&mut self) -> Result<bool> {
        let inputs = self.node.inputs.clone();
        let Some(w) = self.graph.constant(inputs[1]) else { return Ok(false) };
        let spelled = self.node.attrs.contains_key("equation");
        if w.shape.len() != 2 || spelled || self.graph.constant(inputs[0]).is_some() {
            return Ok(false);
        }
        let outs = w.shape[1];
        let bias = self.constant(Constant::f64(vec![outs], vec![0.0; outs]));
        self.push("Dense", Attributes::new(), vec![inputs[0], inputs[1], bias])?;
        self.finish()
    }

    fn global(&mut self, op: &str) -> Result<bool> {
        let rank = self.graph.shape(self.node.inputs[0].expect("checked")).len();
        let axes = Attribute::Ints((2..rank as i64).collect());
        let attrs = attributes([("axes", axes), ("keepdims", Attribute::Int(1))]);
        let inputs = vec![self.node.inputs[0]];
        self.push(op, attrs, inputs)?;
        self.finish()
    }
}

pub(super) fn shape_constant(shape: &[usize]) -> Constant {
    Constant::i64(vec![shape.len()], shape.iter().map(|&d| d as i64).collect())
}
