//! GlobalAveragePool and GlobalMaxPool: reductions over all spatial axes, under which name they are planned.
use deeplift_graph::wire::Attribute;
use deeplift_graph::{Build, Operator, Result};

/// Reduces every axis from the third on and keeps it with length 1.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let rank = cx.input(0)?.shape.len() as i64;
    let attrs = [("axes", Attribute::Ints((2..rank).collect())), ("keepdims", Attribute::Int(1))];
    let attrs = attrs.map(|(name, value)| (name.to_string(), value)).into();
    let average = cx.op == "GlobalAveragePool";
    let op = if average { "ReduceMean" } else { "ReduceMax" };
    let cx = Build { op, attrs: &attrs, inputs: cx.inputs.clone(), ..*cx };
    if average {
        super::mean::build(&cx)
    } else {
        super::max::build(&cx)
    }
}
