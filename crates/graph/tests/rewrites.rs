//! Rewrites leave the function unchanged, and remove what exporters add: transposes, batch normalisation, changes of
//! shape. Graphs are evaluated in double precision and compared with plain loops over the nodes as the file has them.
// The parts of the builder that these tests do not use.
#[allow(dead_code)]
#[path = "../../engine/tests/common/draw.rs"]
mod draw;
#[allow(dead_code)]
#[path = "../../engine/tests/common/net.rs"]
mod net;
#[allow(dead_code)]
#[path = "../../engine/tests/common/tensor.rs"]
mod tensor;

use std::collections::HashMap;

use deeplift_graph::bind::{bind, InputShapes};
use deeplift_graph::rewrites::{canonicalise, softmax_variant};
use deeplift_graph::wire::Attribute;
use deeplift_graph::{Graph, Structure};
use deeplift_kernels::Scratch;
use deeplift_ops::Operators;
use draw::Draw;
use net::{int, ints, Net};
use proptest::prelude::*;
use tensor::{indices, Tensor};

fn canonical(net: Net, shape: &[usize]) -> Graph {
    let shapes = InputShapes::from([("x".to_string(), shape.to_vec())]);
    let model = net.output("t").model().unwrap_or_else(|e| panic!("{e}"));
    let mut graph = bind(&model, &Operators, &shapes, &["t".to_string()]).unwrap_or_else(|e| panic!("{e}"));
    canonicalise(&mut graph, &Operators, &[]).unwrap_or_else(|e| panic!("{e}"));
    graph
}

/// The target of a canonical graph at one input.
fn evaluate(graph: &Graph, x: &Tensor) -> Tensor {
    let mut values = HashMap::from([(graph.inputs[0], x.data.clone())]);
    for node in &graph.nodes {
        let fact = graph.fact(node.output);
        let mut y = vec![0.0; fact.len()];
        let inputs: Vec<&[f64]> = graph.data_inputs(node).iter().map(|t| &values[t][..]).collect();
        let structure =
            node.operator.structure64().unwrap_or_else(|e| panic!("{} ({}): {e}", node.name, node.op));
        match structure {
            Structure::View => y.copy_from_slice(inputs[0]),
            Structure::Linear(f) => f.forward(1, &inputs, &mut y, &mut Scratch::default()),
            Structure::Elementwise(f) => f.apply(inputs[0], &mut y),
            Structure::Selection(f) => f.forward(inputs[0], &mut y),
            Structure::ClosedForm(f) => f.forward(&inputs, &mut y),
            Structure::Opaque { advice, .. } => panic!("{} ({}): {advice}", node.name, node.op),
        }
        values.insert(node.output, y);
    }
    Tensor::new(graph.shape(graph.outputs[0]), values[&graph.outputs[0]].clone())
}

fn count(graph: &Graph, op: &str) -> usize {
    graph.nodes.iter().filter(|n| n.op == op).count()
}

#[track_caller]
fn assert_same(found: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(found.shape, expected.shape, "{what}");
    for (i, (f, e)) in found.data.iter().zip(&expected.data).enumerate() {
        assert!((f - e).abs() <= 1e-10 * e.abs().max(1.0), "{what}: element {i} is {f}, expected {e}");
    }
}

/// What one layer computes.
type Plain = Box<dyn Fn(&Tensor) -> Tensor>;

/// A network and what it computes, layer by layer.
struct Chain {
    net: Net,
    /// Name and shape of the last tensor.
    at: String,
    shape: Vec<usize>,
    layers: Vec<Plain>,
    d: Draw,
}

impl Chain {
    fn push<const N: usize>(
        &mut self,
        op: &str,
        more: &str,
        attributes: [net::Named; N],
        shape: Vec<usize>,
        plain: impl Fn(&Tensor) -> Tensor + 'static,
    ) {
        let out = format!("h{}", self.layers.len());
        self.net = self.net.clone().node(op, &format!("{} {more}", self.at), &out, attributes);
        self.at = out;
        self.shape = shape;
        self.layers.push(Box::new(plain));
    }

    fn weight(&mut self, shape: &[usize]) -> (String, Tensor) {
        let name = format!("w{}", self.net.wire.initializers.len());
        let t = Tensor::new(shape, self.d.reals(shape.iter().product(), -1.0, 1.0));
        self.net = self.net.clone().weight(&name, shape, t.data.clone());
        (name, t)
    }

    fn list(&mut self, values: &[i64]) -> String {
        let name = format!("w{}", self.net.wire.initializers.len());
        self.net = self.net.clone().list(&name, values);
        name
    }

    /// One more layer of any kind that fits.
    fn grow(&mut self) {
        let (shape, rank) = (self.shape.clone(), self.shape.len());
        let spatial = (3..=4).contains(&rank) && shape[0] == 1;
        match self.d.int(0, 14) {
            0 | 1 => {
                // The axis of the examples stays first.
                let mut perm = vec![0];
                perm.extend(self.d.order(rank - 1).into_iter().map(|a| a + 1));
                let to = perm.iter().map(|&p| shape[p]).collect();
                self.push("Transpose", "", [ints("perm", &perm)], to, move |t| t.transposed(&perm));
            }
            2 | 3 if spatial => {
                let outs = self.d.int(1, 3);
                let kernel: Vec<usize> = shape[2..].iter().map(|&l| self.d.int(1, l.min(3))).collect();
                let (name, w) = self.weight(&[vec![outs, shape[1]], kernel.clone()].concat());
                let mut to = vec![1, outs];
                to.extend(shape[2..].iter().zip(&kernel).map(|(l, k)| l - k + 1));
                let out = to.clone();
                self.push("Conv", &name, [], to, move |t| {
                    Tensor::from_fn(&out, |i| {
                        let tap = |k: &Vec<usize>| {
                            let at: Vec<usize> = i[2..].iter().zip(&k[1..]).map(|(a, b)| a + b).collect();
                            w.at(&[vec![i[1]], k.clone()].concat()) * t.at(&[vec![0, k[0]], at].concat())
                        };
                        indices(&w.shape[1..]).iter().map(tap).sum()
                    })
                });
            }
            4 if spatial => {
                let kernel: Vec<usize> = shape[2..].iter().map(|&l| self.d.int(1, l.min(2))).collect();
                let mut to = shape[..2].to_vec();
                to.extend(shape[2..].iter().zip(&kernel).map(|(l, k)| l - k + 1));
                let out = to.clone();
                self.push("MaxPool", "", [ints("kernel_shape", &kernel.clone())], to, move |t| {
                    Tensor::from_fn(&out, |i| {
                        let at = |k: &Vec<usize>| {
                            let at: Vec<usize> = i[2..].iter().zip(k).map(|(a, b)| a + b).collect();
                            t.at(&[&i[..2], &at].concat())
                        };
                        indices(&kernel).iter().map(at).fold(f64::NEG_INFINITY, f64::max)
                    })
                });
            }
            5 if rank >= 2 => {
                let n = shape[1];
                let all: Vec<(String, Tensor)> = (0..3).map(|_| self.weight(&[n])).collect();
                let (name, variance) = (format!("v{}", self.layers.len()), self.d.reals(n, 0.2, 2.0));
                self.net = self.net.clone().weight(&name, &[n], variance.clone());
                let names = format!("{} {} {} {name}", all[0].0, all[1].0, all[2].0);
                let [g, h, m] = [0, 1, 2].map(|i| all[i].1.clone());
                self.push("BatchNormalization", &names, [], shape.clone(), move |t| {
                    Tensor::from_fn(&t.shape, |i| {
                        let c = i[1];
                        (t.at(i) - m.data[c]) / (variance[c] + 1e-5).sqrt() * g.data[c] + h.data[c]
                    })
                });
            }
            6 | 7 => {
                // A constant of fewer axes, some of length 1.
                let drop = self.d.int(0, rank);
                let of: Vec<usize> =
                    shape[drop..].iter().map(|&l| if self.d.coin() { l } else { 1 }).collect();
                let (name, c) = self.weight(&of);
                let op = self.d.pick(&["Add", "Mul", "Sub"]);
                self.push(op, &name, [], shape.clone(), move |t| {
                    Tensor::from_fn(&t.shape, |i| match op {
                        "Add" => t.at(i) + c.spread(i),
                        "Mul" => t.at(i) * c.spread(i),
                        _ => t.at(i) - c.spread(i),
                    })
                });
            }
            8 => self.push("Tanh", "", [], shape, |t| t.map(f64::tanh)),
            9 if rank >= 2 => {
                let axis = self.d.int(1, rank - 1);
                let keep = self.d.coin() || rank <= 2;
                let axes = self.list(&[axis as i64]);
                let mut to = shape.clone();
                to[axis] = 1;
                if !keep {
                    to.remove(axis);
                }
                let attributes = [int("keepdims", i64::from(keep))];
                self.push("ReduceMean", &axes, attributes, to, move |t| {
                    t.reduced(&[axis], keep, |g| g.iter().sum::<f64>() / g.len() as f64)
                });
            }
            10 if rank <= 4 => {
                let axis = self.d.int(1, rank);
                let axes = self.list(&[axis as i64]);
                let mut to = shape.clone();
                to.insert(axis, 1);
                let out = to.clone();
                self.push("Unsqueeze", &axes, [], to, move |t| t.reshaped(&out));
            }
            11 if rank >= 2 && shape[1..].contains(&1) && rank > 2 => {
                let axis = 1 + shape[1..].iter().position(|&l| l == 1).expect("checked");
                let axes = self.list(&[axis as i64]);
                let mut to = shape.clone();
                to.remove(axis);
                let out = to.clone();
                self.push("Squeeze", &axes, [], to, move |t| t.reshaped(&out));
            }
            12 => {
                let axis = self.d.int(1, rank - 1);
                let len = shape[axis];
                let picked = self.d.ints(3, 0, len - 1);
                let at = self.list(&picked.iter().map(|&p| p as i64).collect::<Vec<_>>());
                let mut to = shape.clone();
                to[axis] = 3;
                let out = to.clone();
                self.push("Gather", &at, [int("axis", axis as i64)], to, move |t| {
                    Tensor::from_fn(&out, |i| {
                        let mut own = i.to_vec();
                        own[axis] = picked[i[axis]];
                        t.at(&own)
                    })
                });
            }
            13 => {
                // Joined with itself: both ways of reading the tensor keep its order.
                let axis = self.d.int(1, rank - 1);
                let mut to = shape.clone();
                to[axis] *= 2;
                let (out, own) = (to.clone(), self.at.clone());
                self.push("Concat", &own, [int("axis", axis as i64)], to, move |t| {
                    Tensor::from_fn(&out, |i| {
                        let mut at = i.to_vec();
                        at[axis] %= t.shape[axis];
                        t.at(&at)
                    })
                });
            }
            14 if rank >= 2 && self.d.coin() => self.normalise(),
            14 => {
                let axis = self.d.int(1, rank - 1);
                self.push("Softmax", "", [int("axis", axis as i64)], shape.clone(), move |t| {
                    let totals = t.reduced(&[axis], true, |g| g.iter().map(|v| v.exp()).sum());
                    Tensor::from_fn(&t.shape, |i| t.at(i).exp() / totals.spread(i))
                });
            }
            _ => {
                let axis = self.d.int(1, rank - 1);
                let n = shape[axis];
                let (start, step) = (self.d.int(0, n - 1), self.d.int(1, 2));
                let [s, e, a, by] =
                    [start as i64, i64::MAX, axis as i64, step as i64].map(|v| self.list(&[v]));
                let mut to = shape.clone();
                to[axis] = (n - start).div_ceil(step);
                let out = to.clone();
                self.push("Slice", &format!("{s} {e} {a} {by}"), [], to, move |t| {
                    Tensor::from_fn(&out, |i| {
                        let mut own = i.to_vec();
                        own[axis] = start + step * i[axis];
                        t.at(&own)
                    })
                });
            }
        }
    }

    /// Flattens into a dense layer.
    /// A layer that standardises some axes, which layouts move.
    fn normalise(&mut self) {
        let (shape, rank) = (self.shape.clone(), self.shape.len());
        let scaled = |c: Tensor, axes: Vec<usize>| {
            let root = c.reduced(&axes, true, |g| g.iter().map(|v| v * v).sum::<f64>().sqrt());
            Tensor::from_fn(&c.shape, |i| c.at(i) / root.spread(i).max(1e-300))
        };
        if self.d.coin() {
            let axis = self.d.int(1, rank - 1);
            self.push("LpNormalization", "", [int("axis", axis as i64)], shape, move |t| {
                scaled(t.clone(), vec![axis])
            });
            return;
        }
        let groups = (1..=shape[1]).rev().find(|g| shape[1] % g == 0 && *g < 3).unwrap_or(1);
        let inner = shape[1] / groups * shape[2..].iter().product::<usize>();
        let (g, scale) = self.weight(&[shape[1]]);
        let (h, shift) = self.weight(&[shape[1]]);
        let (attributes, to) = ([int("num_groups", groups as i64)], shape.clone());
        self.net.wire.opset = 21;
        self.push("GroupNormalization", &format!("{g} {h}"), attributes, shape, move |t| {
            let t = t.reshaped(&[1, groups, inner]);
            let mean = t.reduced(&[2], true, |g| g.iter().sum::<f64>() / g.len() as f64);
            let c = Tensor::from_fn(&t.shape, |i| t.at(i) - mean.spread(i));
            let v = c.reduced(&[2], true, |g| g.iter().map(|v| v * v).sum::<f64>() / g.len() as f64);
            let y = Tensor::from_fn(&c.shape, |i| c.at(i) / (v.spread(i) + 1e-5).sqrt()).reshaped(&to);
            Tensor::from_fn(&to, |i| y.at(i) * scale.data[i[1]] + shift.data[i[1]])
        });
    }

    fn finish(&mut self) {
        let n: usize = self.shape.iter().product();
        let flat = self.list(&[1, n as i64]);
        self.push("Reshape", &flat, [], vec![1, n], move |t| t.reshaped(&[1, n]));
        if self.d.coin() {
            let (name, c) = self.weight(&[n]);
            self.push("Mul", &name, [], vec![1, n], move |t| {
                Tensor::from_fn(&t.shape, |i| t.at(i) * c.data[i[1]])
            });
            self.push("Relu", "", [], vec![1, n], |t| t.map(|v| v.max(0.0)));
        }
        let (name, w) = self.weight(&[n, 2]);
        self.push("MatMul", &name, [], vec![1, 2], move |t| {
            Tensor::from_fn(&[1, 2], |o| (0..n).map(|i| t.data[i] * w.at(&[i, o[1]])).sum())
        });
    }
}

proptest! {
    #![proptest_config(draw::config(3000))]

    #[test]
    fn canonical_graphs_compute_the_same(seed in any::<u64>()) {
        let mut d = Draw(seed);
        let axes = d.int(1, 3);
        let shape = d.shape(axes, 4);
        let net = Net::new().input("x", &shape[1..]);
        let mut chain = Chain { net, at: "x".into(), shape: shape.clone(), layers: vec![], d };
        for _ in 0..chain.d.int(1, 8) {
            if chain.shape.iter().product::<usize>() < 400 {
                chain.grow();
            }
        }
        if chain.d.coin() {
            chain.finish();
        }
        let last = chain.at.clone();
        let net = chain.net.clone().node("Identity", &last, "t", []);
        let ops = net.ops().join(" ");
        let graph = canonical(net, &shape);
        let x = Tensor::new(&shape, chain.d.reals(shape.iter().product(), -1.0, 1.0));
        let expected = chain.layers.iter().fold(x.clone(), |t, layer| layer(&t));
        assert_same(&evaluate(&graph, &x), &expected, &format!("seed {seed}: {ops}"));
    }
}

/// Convolutions between transposes, as Keras models over `[length, channels]` are exported.
#[test]
fn channels_last_models_keep_no_transpose() {
    let mut d = Draw(1);
    let net = Net::new()
        .input("x", &[20, 4])
        .weight("w1", &[6, 4, 3], d.reals(72, -1.0, 1.0))
        .weight("w2", &[5, 6, 3], d.reals(90, -1.0, 1.0))
        .weight("c", &[6], d.reals(6, -1.0, 1.0))
        .weight("w3", &[8 * 5, 2], d.reals(80, -1.0, 1.0))
        .list("flat", &[-1, 40])
        .node("Transpose", "x", "x1", [ints("perm", &[0, 2, 1])])
        .node("Conv", "x1 w1", "y1", [])
        .node("Transpose", "y1", "z1", [ints("perm", &[0, 2, 1])])
        .node("Add", "z1 c", "b1", [])
        .node("Relu", "b1", "a1", [])
        .node("Transpose", "a1", "x2", [ints("perm", &[0, 2, 1])])
        .node("Conv", "x2 w2", "y2", [])
        .node("MaxPool", "y2", "p2", [ints("kernel_shape", &[2]), ints("strides", &[2])])
        .node("Transpose", "p2", "z2", [ints("perm", &[0, 2, 1])])
        .node("Reshape", "z2 flat", "f", [])
        .node("MatMul", "f w3", "t", []);
    let graph = canonical(net, &[1, 20, 4]);
    assert_eq!(count(&graph, "Transpose"), 0);
    assert_eq!(count(&graph, "Gather"), 0);
}

/// One-dimensional layers as two-dimensional ones of height 1, as TensorFlow's converter writes them.
#[test]
fn one_dimensional_layers_written_in_two_keep_no_transpose() {
    let mut d = Draw(2);
    let net = Net::new()
        .input("x", &[20, 4])
        .weight("w1", &[6, 4, 1, 3], d.reals(72, -1.0, 1.0))
        .weight("w2", &[5, 6, 1, 3], d.reals(90, -1.0, 1.0))
        .weight("w3", &[5, 2], d.reals(10, -1.0, 1.0))
        .list("one", &[1])
        .list("two", &[2])
        .node("Unsqueeze", "x one", "u1", [])
        .node("Transpose", "u1", "x1", [ints("perm", &[0, 3, 1, 2])])
        .node("Conv", "x1 w1", "y1", [])
        .node("Squeeze", "y1 two", "s1", [])
        .node("Transpose", "s1", "z1", [ints("perm", &[0, 2, 1])])
        .node("Relu", "z1", "a1", [])
        .node("Unsqueeze", "a1 one", "u2", [])
        .node("Transpose", "u2", "x2", [ints("perm", &[0, 3, 1, 2])])
        .node("Conv", "x2 w2", "y2", [])
        .node("Transpose", "y2", "z2", [ints("perm", &[0, 2, 3, 1])])
        .node("Squeeze", "z2 one", "s2", [])
        .node("ReduceMean", "s2 one", "g", [int("keepdims", 0)])
        .node("MatMul", "g w3", "t", []);
    let graph = canonical(net, &[1, 20, 4]);
    assert_eq!(count(&graph, "Transpose"), 0);
}

/// Channels first: one transpose of the input, and the order of the flattened positions moves into the weights.
#[test]
fn channels_first_models_transpose_their_input_only() {
    let mut d = Draw(3);
    let net = |residual: bool| {
        let net = Net::new()
            .input("x", &[4, 20])
            .weight("w1", &[6, 4, 3], Draw(4).reals(72, -1.0, 1.0))
            .weight("w2", &[6, 6, 3], Draw(5).reals(108, -1.0, 1.0))
            .weight("w3", &[120, 2], Draw(6).reals(240, -1.0, 1.0))
            .node("Conv", "x w1", "y1", [ints("pads", &[1, 1])])
            .node("Relu", "y1", "a1", [])
            .node("Conv", "a1 w2", "y2", [ints("pads", &[1, 1])])
            .node("Relu", "y2", "a2", []);
        let net = net.node("Add", if residual { "a1 a2" } else { "a2 a2" }, "r", []);
        net.node("Flatten", "r", "f", []).node("Gemm", "f w3", "t", [])
    };
    for residual in [false, true] {
        let graph = canonical(net(residual), &[1, 4, 20]);
        assert_eq!(count(&graph, "Transpose"), 1);
        assert_eq!(count(&graph, "Gather"), 0);
        assert_eq!(graph.nodes[0].op, "Transpose");
        let x = Tensor::new(&[1, 4, 20], d.reals(80, -1.0, 1.0));
        assert_eq!(evaluate(&graph, &x).shape, [1, 2]);
    }
}

#[test]
fn scales_and_shifts_fold_into_the_layer_before() {
    let mut d = Draw(7);
    let mut of = |n: usize| d.reals(n, 0.2, 1.0);
    let net = Net::new()
        .input("x", &[4, 9])
        .weight("w", &[6, 4, 3], of(72))
        .weight("c", &[6], of(6))
        .weight("g", &[6], of(6))
        .weight("h", &[6], of(6))
        .weight("m", &[6], of(6))
        .weight("v", &[6], of(6))
        .weight("two", &[], vec![2.0])
        .weight("each", &[1, 6, 1], of(6))
        .weight("w2", &[6, 3], of(18))
        .weight("c2", &[3], of(3))
        .node("Conv", "x w c", "y", [])
        .node("BatchNormalization", "y g h m v", "z", [])
        .node("Div", "z two", "z2", [])
        .node("Sub", "z2 each", "z3", [])
        .node("Relu", "z3", "a", [])
        .node("GlobalAveragePool", "a", "q", [])
        .node("Flatten", "q", "f", [])
        .node("MatMul", "f w2", "y2", [])
        .node("Add", "y2 c2", "y3", [])
        .node("Mul", "two y3", "t", []);
    let graph = canonical(net, &[1, 4, 9]);
    for op in ["Mul", "Add", "Sub", "Div", "BatchNormalization"] {
        assert_eq!(count(&graph, op), 0, "{op}");
    }
}

/// Of the channels of a transposed convolution, each group has its own.
#[test]
fn scales_fold_into_transposed_convolutions() {
    let mut d = Draw(9);
    for groups in [1, 2, 3] {
        let (ins, own) = (groups * 2, 3);
        let outs = groups * own;
        let scale = d.reals(outs, -1.0, 1.0);
        let layer = Net::new()
            .input("x", &[ins, 5])
            .weight("w", &[ins, own, 3], d.reals(ins * own * 3, -1.0, 1.0))
            .weight("c", &[outs], d.reals(outs, -1.0, 1.0))
            .weight("each", &[outs, 1], scale.clone());
        let attributes = || [int("group", groups as i64), ints("strides", &[2])];
        let plain = layer.clone().node("ConvTranspose", "x w c", "t", attributes());
        let scaled = layer.node("ConvTranspose", "x w c", "y", attributes()).node("Mul", "y each", "t", []);
        let shape = [1, ins, 5];
        let x = Tensor::new(&shape, d.reals(ins * 5, -1.0, 1.0));
        let graph = canonical(scaled, &shape);
        assert_eq!(count(&graph, "Mul"), 0);
        let y = evaluate(&canonical(plain, &shape), &x);
        let expected = Tensor::from_fn(&y.shape, |i| y.at(i) * scale[i[1]]);
        assert_same(&evaluate(&graph, &x), &expected, &format!("{groups} groups"));
    }
}

/// What two readers see cannot be folded: the first reader wants the layer itself.
#[test]
fn layers_with_two_readers_stay() {
    let mut d = Draw(8);
    let net = Net::new()
        .input("x", &[4, 9])
        .weight("w", &[6, 4, 1], d.reals(24, -1.0, 1.0))
        .weight("two", &[], vec![2.0])
        .node("Conv", "x w", "y", [])
        .node("Mul", "y two", "z", [])
        .node("Add", "y z", "t", []);
    let graph = canonical(net.clone(), &[1, 4, 9]);
    let x = Tensor::new(&[1, 4, 9], d.reals(36, -1.0, 1.0));
    let single = Net {
        wire: {
            let mut w = net.wire.clone();
            w.nodes.truncate(1);
            w.nodes[0].outputs = vec!["t".into()];
            w
        },
    };
    let y = evaluate(&canonical(single, &[1, 4, 9]), &x);
    assert_same(&evaluate(&graph, &x), &y.map(|v| 3.0 * v), "y + 2y");
}

/// Spelled-out normalisations and softmax become one node each, and every softmax has the rule that was asked for.
#[test]
fn pieces_become_the_operators_they_define() {
    let net = Net::new()
        .input("x", &[4])
        .list("last", &[-1])
        .weight("two", &[], vec![2.0])
        .weight("epsilon", &[], vec![1e-5])
        .node("ReduceMean", "x last", "m", [])
        .node("Sub", "x m", "c", [])
        .node("Pow", "c two", "q", [])
        .node("ReduceMean", "q last", "v", [])
        .node("Add", "v epsilon", "e", [])
        .node("Sqrt", "e", "s", [])
        .node("Div", "c s", "n", [])
        .node("Softmax", "n", "p", [])
        .node("Exp", "p", "f", [])
        .node("ReduceSum", "f last", "g", [])
        .node("Div", "f g", "t", []);
    let shapes = InputShapes::from([("x".to_string(), vec![1, 4])]);
    let model = net.output("t").model().unwrap();
    let bound = bind(&model, &Operators, &shapes, &["t".to_string()]).unwrap();
    let mut graph = bound.clone();
    softmax_variant::apply(&mut graph, &Operators, "elementwise").unwrap();
    canonicalise(&mut graph, &Operators, &[]).unwrap();
    let ops: Vec<&str> = graph.nodes.iter().map(|n| n.op.as_str()).collect();
    assert_eq!(ops, ["Standardise", "Softmax", "Softmax"]);
    for node in &graph.nodes[1..] {
        assert!(matches!(&node.attrs["variant"], Attribute::String(v) if v == "elementwise"));
    }
    let error = softmax_variant::apply(&mut bound.clone(), &Operators, "sharp").unwrap_err();
    assert!(error.message.contains("'decomposed'"), "{error}");
}
