//! Numbers worked out by hand or in arbitrary precision: SEMANTICS 5 and 3.4.
use crate::common::{assert_close, float, int, ints, Net};

/// Contributions of every element of the target, one row each.
fn rows(net: Net, x: &[&[f64]], x0: &[&[f64]]) -> (Vec<Vec<f64>>, Vec<f64>) {
    let own = |v: &[&[f64]]| v.iter().map(|v| v.to_vec()).collect();
    let setup = net.pair("t", own(x), own(x0)).every_element().unwrap();
    let s = setup.score::<f64>().unwrap();
    let targets = s.output.len();
    let row = |k: usize| {
        let inputs = s.contributions.iter().zip(x);
        inputs.flat_map(|(c, x)| c[k * x.len()..][..x.len()].to_vec()).collect()
    };
    ((0..targets).map(row).collect(), s.multipliers[0].clone())
}

fn contributions(net: Net, x: &[&[f64]], x0: &[&[f64]]) -> Vec<Vec<f64>> {
    rows(net, x, x0).0
}

#[test]
fn softmax() {
    let net = |n| Net::new().input("x", &[n]).node("Softmax", "x", "t", []);
    let c = contributions(net(3), &[&[1.0, 2.0, 3.0]], &[&[0.0; 3]]);
    assert_close(&c[0], &[0.1496165982, -0.1118608726, -0.2810584858], 1e-10, "y0");
    assert_close(&c[1], &[-0.0559304363, 0.4009314698, -0.4336058958], 1e-10, "y1");
    assert_close(&c[2], &[-0.0936861619, -0.2890705972, 0.7146643816], 1e-10, "y2");
    let (c, m) = rows(net(4), &[&[2.0, -1.0, 0.5, 0.0]], &[&[0.5, 0.5, -2.0, 0.0]]);
    assert_close(&c[0], &[0.3262836457, 0.1252955089, -0.1134178526, 0.0], 1e-10, "y0");
    assert_close(&m[3..4], &[-0.0886249501], 1e-10, "multiplier of an element that does not differ");
}

#[test]
fn layer_normalisation() {
    let net = Net::of_opset(17).input("x", &[4]).weight("g", &[4], vec![1.0, 0.5, -1.0, 2.0]).node(
        "LayerNormalization",
        "x g",
        "t",
        [float("epsilon", 1e-5)],
    );
    let c = contributions(net, &[&[1.0, 2.0, 3.0, 4.0]], &[&[0.0, 0.0, 0.0, 1.0]]);
    assert_close(&c[0], &[0.6916252965, -1.2379000936, -0.9829315075, 0.7649057584], 1e-10, "y0");
    assert_close(&c[2], &[0.3276438358, 0.7385180176, -3.5730221173, 1.4823135834], 1e-10, "y2");
    assert_close(&[c[0].iter().sum()], &[-0.7643005462], 1e-10, "difference of y0");
}

/// Three factors: each changes before, between or after the others.
#[test]
fn a_product_of_three() {
    let net = Net::new().input("x", &[3]).list("axes", &[1]).node("ReduceProd", "x axes", "t", []);
    let c = contributions(net, &[&[2.0, 3.0, 5.0]], &[&[1.0, 1.0, 1.0]]);
    // Shapley values: (1·(1 + ½(3 + 5) + 15))/3 and so on, from the six orders.
    let of = |d: f64, a: f64, b: f64| d * (2.0 + (a + b) + 2.0 * a * b) / 6.0;
    assert_close(&c[0], &[of(1.0, 3.0, 5.0), of(2.0, 2.0, 5.0), of(4.0, 2.0, 3.0)], 1e-12, "contributions");
    assert_close(&[c[0].iter().sum()], &[29.0], 1e-12, "difference");
}

#[test]
fn softmax_written_in_pieces() {
    for shift in [false, true] {
        let net = Net::new().input("x", &[3]);
        let net = if shift {
            net.list("axes", &[1])
                .node("ReduceMax", "x axes", "top", [])
                .node("Sub", "x top", "shifted", [])
                .node("Exp", "shifted", "e", [])
        } else {
            net.list("axes", &[1]).node("Exp", "x", "e", [])
        };
        let net = net.node("ReduceSum", "e axes", "s", []).node("Div", "e s", "t", []);
        let c = contributions(net, &[&[1.0, 2.0, 3.0]], &[&[0.0; 3]]);
        assert_close(&c[0], &[0.1496165982, -0.1118608726, -0.2810584858], 1e-10, "y0");
    }
}

#[test]
fn quotient_and_product_of_activations() {
    let net = |op| Net::new().input("a", &[1]).input("b", &[1]).node(op, "a b", "t", []);
    let c = contributions(net("Div"), &[&[3.0], &[2.0]], &[&[1.0], &[4.0]]);
    assert_close(&c[0], &[0.75, 0.5], 1e-12, "Div");
    let c = contributions(net("Mul"), &[&[3.0], &[2.0]], &[&[1.0], &[4.0]]);
    assert_close(&c[0], &[6.0, -4.0], 1e-12, "Mul");
}

#[test]
fn functions_of_one_element() {
    let unary = |op: &str| Net::new().input("x", &[1]).node(op, "x", "t", []);
    let power = |n: f64| Net::new().input("x", &[1]).weight("n", &[], vec![n]).node("Pow", "x n", "t", []);
    for (net, multiplier) in [
        (power(2.0), 4.0),
        (power(-0.5), -0.2113249),
        (unary("Sqrt"), 0.3660254),
        (unary("Reciprocal"), -1.0 / 3.0),
        (unary("Exp"), 8.6836275),
        (unary("Log"), 0.5493061),
        (unary("Tanh"), 0.1167303),
        (unary("Sigmoid"), 0.1107578),
    ] {
        let op = net.ops()[0].to_string();
        let (_, m) = rows(net, &[&[3.0]], &[&[1.0]]);
        assert_close(&m, &[multiplier], 5e-8, &op);
    }
}

#[test]
fn maxima_give_everything_to_the_winner_of_the_larger_side() {
    let pool = |n| Net::new().input("x", &[1, n]).node("MaxPool", "x", "t", [ints("kernel_shape", &[n])]);
    let reduce = |n| {
        let net = Net::new().input("x", &[1, n]).list("axes", &[1, 2]);
        net.node("ReduceMax", "x axes", "t", [int("keepdims", 0)])
    };
    let global = |n| Net::new().input("x", &[1, n]).node("GlobalMaxPool", "x", "t", []);
    for net in [pool, reduce, global] as [fn(usize) -> Net; 3] {
        let c = contributions(net(4), &[&[1.0; 4]], &[&[1.0, 2.0, 3.0, 9.0]]);
        assert_eq!(c[0], [0.0, 0.0, 0.0, -8.0]);
        let c = contributions(net(3), &[&[3.0, 2.9, 0.0]], &[&[0.0; 3]]);
        assert_eq!(c[0], [3.0, 0.0, 0.0]);
        // Ties: the first of them.
        let c = contributions(net(3), &[&[2.0, 2.0, 2.0]], &[&[0.0; 3]]);
        assert_eq!(c[0], [2.0, 0.0, 0.0]);
    }
}

/// Among several tensors the Shapley value of the maximum is the default: ties are split.
#[test]
fn several_tensors_share_their_maximum() {
    let net = |op: &str, names: &str| {
        let net = names.split(' ').fold(Net::new(), |net, name| net.input(name, &[1]));
        net.node(op, names, "t", [])
    };
    let each = |op: &str, x: &[f64], x0: &[f64]| {
        let names = &"a b c d"[..2 * x.len() - 1];
        let (x, x0): (Vec<&[f64]>, Vec<&[f64]>) = (x.chunks(1).collect(), x0.chunks(1).collect());
        contributions(net(op, names), &x, &x0).remove(0)
    };
    assert_close(&each("Max", &[3.0, 2.9, 0.0], &[0.0; 3]), &[1.55, 1.45, 0.0], 1e-12, "rising");
    let falling = each("Max", &[1.0; 4], &[1.0, 2.0, 3.0, 9.0]);
    assert_close(&falling, &[0.0, -1.0 / 3.0, -5.0 / 6.0, -41.0 / 6.0], 1e-12, "falling");
    assert_close(&each("Max", &[1.0; 4], &[0.0; 4]), &[0.25; 4], 1e-12, "ties");
    // Two tensors, as SHAP has it: half of what each order gives.
    assert_close(&each("Max", &[3.0, 2.0], &[0.0, 1.0]), &[1.5, 0.5], 1e-12, "two");
    assert_close(&each("Min", &[-3.0, -2.0], &[0.0, -1.0]), &[-1.5, -0.5], 1e-12, "minimum");
}

/// `c ? p : q` with `c = a > 1`: from q = 5 to p = 2 while p went from 1 to 2 and q from 5 to 4.
#[test]
fn a_choice_shares_between_condition_and_branches() {
    let net = Net::new().input("a", &[1]).input("p", &[1]).input("q", &[1]).weight("one", &[], vec![1.0]);
    let net = net.node("Greater", "a one", "c", []).node("Where", "c p q", "t", []);
    let c = contributions(net, &[&[3.0], &[2.0], &[4.0]], &[&[0.0], &[1.0], &[5.0]]);
    assert_close(&c[0], &[-3.0, 0.5, -0.5], 1e-12, "condition, true, false");
}

/// Masked scores are infinite on both sides: they and what is behind them contribute nothing, and nothing is NaN.
#[test]
fn masks_of_attention_leave_no_trace() {
    let mask = |net: Net, constant: bool| {
        if constant {
            let open = vec![true, false, true];
            return net.constant("open", deeplift_graph::Constant::bool(vec![3], open)).input("m", &[3]);
        }
        net.input("m", &[3]).weight("zero", &[], vec![0.0]).node("Greater", "m zero", "open", [])
    };
    for constant in [true, false] {
        for rule in ["rescale", "reveal-cancel"] {
            let net = mask(Net::new().input("x", &[3]), constant).weight("out", &[], vec![f64::NEG_INFINITY]);
            let net = net.node("Where", "open x out", "masked", []).node("Softmax", "masked", "p", []);
            let net = net.weight("w", &[3, 1], vec![1.0, 2.0, -1.0]).node("MatMul", "p w", "t", []);
            let net = if constant { net.node("Identity", "m", "unread", []) } else { net };
            let m = vec![1.0, -1.0, 1.0];
            let setup = net.pair("t", vec![vec![1.0, 9.0, -0.5], m.clone()], vec![vec![0.0, 2.0, 0.5], m]);
            let s = setup.rule(rule).score::<f64>().unwrap();
            assert!(s.completeness[0] < 1e-12, "{rule}: {:e}", s.completeness[0]);
            assert!(s.contributions[0][1] == 0.0 && s.contributions[0][0] > 0.0, "{:?}", s.contributions[0]);
            assert_eq!(s.contributions[1], [0.0; 3]);
        }
    }
}

#[test]
fn steps_are_warned_of_where_they_are_passed() {
    let net = Net::new().input("x", &[4]).node("Floor", "x", "h", []).node("Relu", "h", "t", []);
    let plan = |net: Net, layers: &[&str]| {
        let mut setup = crate::common::Setup::new(net, "t");
        setup.options.layers = layers.iter().map(|&l| l.into()).collect();
        setup.program::<f64>().unwrap().plan.warnings.clone()
    };
    let [warning] = &plan(net.clone(), &[])[..] else { panic!("one warning") };
    assert!(warning.contains("h_node") && warning.contains("Floor") && warning.contains("step"), "{warning}");
    assert!(plan(net, &["h"]).is_empty(), "nothing passes the step");
}

/// Windows that overlap accumulate: each is complete, so their sum is.
#[test]
fn overlapping_windows_accumulate() {
    let net = Net::new().input("x", &[1, 4]).node("MaxPool", "x", "p", [ints("kernel_shape", &[3])]);
    let net = net.list("axes", &[1, 2]).node("ReduceSum", "p axes", "t", []);
    let c = contributions(net, &[&[1.0, 5.0, 2.0, 0.0]], &[&[0.0; 4]]);
    assert_eq!(c[0], [0.0, 10.0, 0.0, 0.0]);
}

#[test]
fn log_sum_exp_weights_sum_to_one() {
    let net = Net::new().input("x", &[3]).list("axes", &[1]).node("ReduceLogSumExp", "x axes", "t", []);
    let (_, m) = rows(net, &[&[1.0, -2.0, 0.5]], &[&[0.0, 1.0, 3.0]]);
    assert_close(&[m.iter().sum()], &[1.0], 1e-12, "sum of the multipliers");
}
