//! ArgMax, ArgMin, Hardmax and TopK: computed as ONNX says, refused where contributions would have to pass.
use deeplift_graph::Code;
use proptest::prelude::*;

use crate::common::draw::Draw;
use crate::common::net::Named;
use crate::common::tensor::Tensor;
use crate::common::{assert_close, int, Net, Setup};

/// The lines of a tensor along an axis, each replaced by `kept` numbers.
fn lines(x: &Tensor, axis: usize, kept: usize, f: impl Fn(&[f64]) -> Vec<f64>) -> Tensor {
    let mut shape = x.shape.clone();
    shape[axis] = kept;
    Tensor::from_fn(&shape, |i| {
        let mut at = i.to_vec();
        let line: Vec<f64> = (0..x.shape[axis])
            .map(|k| {
                at[axis] = k;
                x.at(&at)
            })
            .collect();
        f(&line)[i[axis]]
    })
}

/// Positions of a line by value, equals in their order.
fn order(line: &[f64], largest: bool) -> Vec<usize> {
    let mut left: Vec<usize> = (0..line.len()).collect();
    let mut out = vec![];
    while !left.is_empty() {
        let best =
            left.iter().map(|&i| line[i]).fold(line[left[0]], if largest { f64::max } else { f64::min });
        let at = left.iter().position(|&i| line[i] == best).expect("the best is there");
        out.push(left.remove(at));
    }
    out
}

/// What a ranking operator gives for a constant.
fn computed(net: Net, x: &Tensor, op: &str, attributes: Vec<Named>, inputs: &str, outputs: &str) -> Vec<f64> {
    let net = net
        .input("zero", &[1])
        .weight("c", &x.shape, x.data.clone())
        .node(op, inputs, outputs, attributes)
        .node("Cast", "r", "numbers", [int("to", 1)])
        .list("flat", &[1, -1])
        .node("Reshape", "numbers flat", "row", [])
        .node("Add", "row zero", "t", []);
    let one = net.pair("t", vec![vec![0.0]], vec![vec![1.0]]);
    one.every_element().unwrap().score::<f64>().unwrap().output
}

proptest! {
    #![proptest_config(crate::common::draw::config(100))]

    #[test]
    fn rankings_of_constants(seed in any::<u64>()) {
        let d = &mut Draw(seed);
        let rank = d.int(1, 3);
        let shape = d.ints(rank, 1, 4);
        // Few values, so that there are equals.
        let x = Tensor::from_fn(&shape, |_| d.int(0, 3) as f64);
        let axis = d.int(0, rank - 1);
        let written = int("axis", if d.coin() { axis as i64 } else { axis as i64 - rank as i64 });
        let (last, largest) = (d.coin(), d.coin());

        let op = if largest { "ArgMax" } else { "ArgMin" };
        let attributes = vec![written.clone(), int("select_last_index", i64::from(last))];
        let found = computed(Net::new(), &x, op, attributes, "c", "r");
        let expected = lines(&x, axis, 1, |line| {
            let ranked = order(line, largest);
            let best = ranked.iter().filter(|&&i| line[i] == line[ranked[0]]);
            vec![if last { best.max() } else { best.min() }.map_or(f64::NAN, |&i| i as f64)]
        });
        assert_close(&found, &expected.data, 0.0, op);

        let found = computed(Net::new(), &x, "Hardmax", vec![written.clone()], "c", "r");
        let expected = lines(&x, axis, shape[axis], |line| {
            let at = order(line, true)[0];
            (0..line.len()).map(|i| f64::from(u8::from(i == at))).collect()
        });
        assert_close(&found, &expected.data, 0.0, "Hardmax");

        let k = d.int(1, shape[axis]);
        let net = Net::new().list("k", &[k as i64]);
        let attributes = vec![written, int("largest", i64::from(largest))];
        let top = |line: &[f64], value: bool| -> Vec<f64> {
            let ranked = order(line, largest).into_iter().take(k);
            ranked.map(|i| if value { line[i] } else { i as f64 }).collect()
        };
        for (outputs, value) in [("r other", true), ("other r", false)] {
            let found = computed(net.clone(), &x, "TopK", attributes.clone(), "c k", outputs);
            let expected = lines(&x, axis, k, |line| top(line, value));
            assert_close(&found, &expected.data, 0.0, "TopK");
        }
    }
}

/// Up to opset 12 everything from the axis on is one line.
#[test]
fn hardmax_of_old_files() {
    let x = Tensor::new(&[1, 2, 2], vec![1.0, 4.0, 2.0, 3.0]);
    let net = Net::of_opset(11);
    assert_eq!(computed(net, &x, "Hardmax", vec![], "c", "r"), [0.0, 1.0, 0.0, 0.0]);
}

/// Behind a ranking a layer can be scored: it is computed on the example and on the reference.
#[test]
fn layers_behind_rankings_are_scored() {
    let net = Net::new().input("x", &[4]).weight("w", &[4, 1], vec![1.0, 2.0, 4.0, 8.0]);
    let net = net.node("Hardmax", "x", "h", [int("axis", 1)]).node("MatMul", "h w", "t", []);
    let mut setup = net.pair("t", vec![vec![0.0, 3.0, 1.0, 2.0]], vec![vec![0.5, 0.0, 0.0, 0.9]]);
    setup.options.layers = vec!["h".into()];
    let s = setup.score::<f64>().unwrap();
    assert_eq!((s.output[0], s.reference_output[0]), (2.0, 8.0));
    assert_eq!(s.contributions[0], [0.0, 2.0, 0.0, -8.0]);
}

#[test]
fn rankings_are_refused_on_the_path() {
    let net = Net::new().input("x", &[4]).list("k", &[2]);
    let along = || [int("axis", 1)];
    for net in [
        net.clone().node("ArgMax", "x", "r", along()).node("Cast", "r", "t", [int("to", 1)]),
        net.clone().node("Hardmax", "x", "t", along()),
        net.clone().node("TopK", "x k", "t i", along()),
    ] {
        let error = Setup::new(net, "t").program::<f32>().map(|_| ()).unwrap_err();
        assert_eq!(error.code, Code::UnsupportedOp);
        assert!(error.message.contains("_node") && error.message.contains("order"), "{error}");
    }
}
