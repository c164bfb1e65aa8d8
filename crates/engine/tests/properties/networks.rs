//! Random networks of the kinds that people score: convolutions over positions, residual and gated blocks, pools,
//! dense layers.
use crate::common::draw::Draw;
use crate::common::{int, ints, Net};

/// A network over `[channels, length]` with a target `t` of two values.
pub struct Network {
    pub net: Net,
    pub channels: usize,
    pub length: usize,
}

/// What a network is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Any,
    /// Convolutions, means, layout and dense layers only.
    Linear,
    /// ReLU between layers without bias.
    BiasFreeRelu,
    /// Rising activations and weights above zero.
    Rising,
}

struct Builder<'a> {
    net: Net,
    kind: Kind,
    d: &'a mut Draw,
    made: usize,
    /// The last tensor, its channels and length.
    at: String,
    channels: usize,
    length: usize,
}

impl Builder<'_> {
    fn name(&mut self) -> String {
        self.made += 1;
        format!("h{}", self.made)
    }

    fn weights(&mut self, shape: &[usize]) -> String {
        let name = self.name();
        let n = shape.iter().product();
        let low = if self.kind == Kind::Rising { 0.05 } else { -1.0 };
        let scale = 2.0 / (shape[1..].iter().product::<usize>().max(1) as f64).sqrt();
        let values = self.d.reals(n, low, 1.0).into_iter().map(|v| v * scale).collect();
        self.net = self.net.clone().weight(&name, shape, values);
        name
    }

    fn node<const N: usize>(
        &mut self,
        op: &str,
        inputs: &str,
        attributes: [crate::common::Named; N],
    ) -> String {
        let out = self.name();
        self.net = self.net.clone().node(op, inputs, &out, attributes);
        out
    }

    /// A convolution that keeps the length.
    fn conv(&mut self, from: &str, outs: usize) -> String {
        let (kernel, dilation) = (self.d.pick(&[1, 3, 5]), self.d.int(1, 2));
        let groups = if self.channels == outs && self.d.int(0, 3) == 0 { outs } else { 1 };
        let w = self.weights(&[outs, self.channels / groups, kernel]);
        let bias = if self.kind == Kind::BiasFreeRelu || self.d.coin() {
            String::new()
        } else {
            format!(" {}", self.weights(&[outs]))
        };
        let pad = (kernel - 1) / 2 * dilation;
        let attributes =
            [ints("pads", &[pad, pad]), ints("dilations", &[dilation]), int("group", groups as i64)];
        self.node("Conv", &format!("{from} {w}{bias}"), attributes)
    }

    fn activation(&mut self, from: &str) -> String {
        let all = ["Relu", "Relu", "Sigmoid", "Tanh", "Gelu", "Softplus", "Elu", "LeakyRelu", "Swish"];
        let rising = ["Relu", "Sigmoid", "Tanh", "Softplus", "Elu"];
        match self.kind {
            Kind::Linear => self.node("Identity", from, []),
            Kind::BiasFreeRelu => self.node("Relu", from, []),
            Kind::Rising => {
                let op = self.d.pick(&rising);
                self.node(op, from, [])
            }
            Kind::Any => {
                let op = self.d.pick(&all);
                self.node(op, from, [])
            }
        }
    }

    fn pool(&mut self) {
        if self.length < 4 {
            return;
        }
        // The winner of a window of negative numbers is the reference's, which is no gradient at the example.
        let smooth = matches!(self.kind, Kind::Linear | Kind::BiasFreeRelu);
        let op = if smooth { "AveragePool" } else { self.d.pick(&["AveragePool", "MaxPool"]) };
        // Windows of 3 in steps of 2 overlap.
        let (kernel, stride) = self.d.pick(&[(2, 2), (3, 2), (3, 1)]);
        let from = self.at.clone();
        self.at = self.node(op, &from, [ints("kernel_shape", &[kernel]), ints("strides", &[stride])]);
        self.length = (self.length - kernel) / stride + 1;
    }

    fn block(&mut self) {
        let from = self.at.clone();
        let outs = self.d.int(1, 5);
        match self.d.int(0, if self.kind == Kind::Any { 4 } else { 2 }) {
            0 => {
                let c = self.conv(&from, outs);
                self.at = self.activation(&c);
                self.channels = outs;
            }
            1 => {
                let c = self.conv(&from, self.channels);
                let a = self.activation(&c);
                self.at = self.node("Add", &format!("{from} {a}"), []);
            }
            2 => self.pool(),
            3 => {
                let (c, g) = (self.conv(&from, outs), self.conv(&from, outs));
                let gate = self.node("Sigmoid", &g, []);
                self.at = self.node("Mul", &format!("{c} {gate}"), []);
                self.channels = outs;
            }
            _ => {
                let c = self.conv(&from, outs);
                let a = self.activation(&c);
                self.at = self.node("Concat", &format!("{from} {a}"), [int("axis", 1)]);
                self.channels += outs;
            }
        }
    }

    fn dense(&mut self, from: &str, ins: usize, outs: usize) -> String {
        let w = self.weights(&[ins, outs]);
        let bias = if self.kind == Kind::BiasFreeRelu {
            String::new()
        } else {
            format!(" {}", self.weights(&[outs]))
        };
        self.node("Gemm", &format!("{from} {w}{bias}"), [])
    }
}

/// Draws a network.
pub fn draw(kind: Kind, d: &mut Draw) -> Network {
    let (channels, length) = (d.int(2, 4), d.int(3, 12));
    let net = Net::new().input("x", &[channels, length]);
    let mut b = Builder { net, kind, d, made: 0, at: "x".into(), channels, length };
    for _ in 0..b.d.int(1, 4) {
        b.block();
    }
    let from = b.at.clone();
    let flat = b.node("Flatten", &from, []);
    let hidden = b.d.int(1, 6);
    let size = b.channels * b.length;
    let z = b.dense(&flat, size, hidden);
    let a = b.activation(&z);
    let last = b.dense(&a, hidden, 2);
    let softmax = b.kind == Kind::Any && b.d.int(0, 2) == 0;
    b.net = b.net.node(if softmax { "Softmax" } else { "Identity" }, &last, "t", []);
    Network { net: b.net, channels, length }
}
