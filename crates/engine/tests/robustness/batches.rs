//! Examples of a batch stay apart, or the node that joins them is refused.
use deeplift_graph::{Code, Constant};

use crate::common::{int, string, Net, Setup};
use crate::refusals::{assert_refused, x};

/// A score never depends on the other examples of its batch.
#[test]
fn operators_that_mix_examples_are_refused() {
    for net in
        [
            x(&[3]).node("Softmax", "x", "t", [int("axis", 0)]),
            x(&[3]).node("ReduceMean", "x", "t", []),
            x(&[3]).list("axes", &[0]).node("ReduceSum", "x axes", "t", []),
            x(&[3]).node("ReduceMax", "x", "m", []).node("Sub", "x m", "t", []),
            x(&[3]).constant("a", Constant::i64(vec![], vec![0])).node("CumSum", "x a", "t", []),
            // Examples in reverse or shifted order.
            x(&[3]).list("s", &[-1]).list("e", &[i64::MIN]).list("a", &[0]).list("by", &[-1]).node(
                "Slice",
                "x s e a by",
                "t",
                [],
            ),
            x(&[3]).list("n", &[1, 0, -1, 0]).node("Pad", "x n", "t", [string("mode", "wrap")]),
            // What is done to an example depends on its place.
            x(&[3]).node("Trilu", "x", "t", []),
            x(&[3])
                .constant("at", Constant::i64(vec![1, 1], vec![0]))
                .weight("u", &[1, 3], vec![0.0; 3])
                .node("ScatterND", "x at u", "t", []),
        ]
    {
        assert_refused(net, Code::UnsupportedOp, &["_node", "other examples"]);
    }
    // The same along other axes, and scatters that do the same to every example.
    let rows = x(&[3]).node("Shape", "x", "of", []).node("Expand", "one of", "u", []);
    for net in [
        x(&[3]).constant("a", Constant::i64(vec![], vec![1])).node("CumSum", "x a", "t", []),
        x(&[3, 3]).node("Trilu", "x", "t", []),
        rows.weight("one", &[1, 3], vec![0.5; 3])
            .constant("zero", Constant::i64(vec![1, 3], vec![2, 0, 1]))
            .node("Expand", "zero of", "at", [])
            .node("ScatterElements", "x at u", "t", [int("axis", 1)]),
    ] {
        assert!(Setup::new(net.clone(), "t").program::<f32>().is_ok(), "{:?}", net.ops());
    }
}

/// Products pair the examples of both operands, or are refused.
#[test]
fn products_that_mix_examples_are_refused() {
    let einsum = |net: Net, equation: &str| net.node("Einsum", "x x", "t", [string("equation", equation)]);
    let with_other = |shape: &[i64]| {
        let net = x(&[1, 3]).list("shape", shape).node("Reshape", "x shape", "c", []);
        net.node("MatMul", "x c", "t", [])
    };
    for net in [
        x(&[3]).node("Transpose", "x", "c", []).node("MatMul", "x c", "t", []),
        x(&[3]).node("Gemm", "x x", "t", [int("transA", 1)]),
        einsum(x(&[3]), "ni,mi->nm"),
        einsum(x(&[2, 3]), "nij,nik->ijk"),
        // The examples of one operand meet the heads of the other.
        with_other(&[-1, 1, 3, 1]),
    ] {
        assert_refused(net, Code::UnsupportedOp, &["t_node", "other examples"]);
    }
    for net in [einsum(x(&[3]), "ni,ni->n"), einsum(x(&[2, 3]), "nij,nik->njk"), with_other(&[1, -1, 3, 1])] {
        assert!(Setup::new(net.clone(), "t").program::<f32>().is_ok(), "{:?}", net.ops());
    }
}
