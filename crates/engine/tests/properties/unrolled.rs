//! A recurrent layer scores as the network of plain operators that it stands for, step after step.
use deeplift_graph::wire::Attribute;
use proptest::prelude::*;

use crate::common::draw::Draw;
use crate::common::{assert_close, float, int, ints, string, Named, Net};

/// Split multipliers collapse at the layer and do not at its pieces, so that only rules without parts agree.
const RULES: [&str; 2] = ["rescale", "gradient"];

struct Layer {
    op: &'static str,
    steps: usize,
    inputs: usize,
    units: usize,
    reverse: bool,
    clip: Option<f64>,
    /// Attribute of the cell that changes its equations.
    variant: bool,
    peepholes: bool,
    /// Operators that give the functions, and their α.
    functions: Vec<(&'static str, f64)>,
    /// Weights of one gate after the other, as ONNX stores them.
    w: Vec<f64>,
    r: Vec<f64>,
    b: Vec<f64>,
    p: Vec<f64>,
    h: Vec<f64>,
    c: Vec<f64>,
}

impl Layer {
    fn draw(op: &'static str, d: &mut Draw) -> Self {
        let (gates, functions) = match op {
            "LSTM" => (4, 3),
            "GRU" => (3, 2),
            _ => (1, 1),
        };
        let (steps, inputs, n) = (d.int(1, 4), d.int(1, 3), d.int(1, 3));
        let mut function = |_| {
            let known = ["Sigmoid", "Tanh", "Softplus", "Elu", "LeakyRelu", "ThresholdedRelu"];
            (d.pick(&known), d.real(0.1, 0.9))
        };
        let functions = (0..functions).map(&mut function).collect();
        let mut reals = |n: usize| d.reals(n, -1.0, 1.0);
        Layer {
            op,
            steps,
            inputs,
            units: n,
            functions,
            w: reals(gates * n * inputs),
            r: reals(gates * n * n),
            b: reals(2 * gates * n),
            p: reals(3 * n),
            h: reals(n),
            c: reals(n),
            reverse: d.coin(),
            clip: d.coin().then_some(0.8),
            variant: d.coin(),
            peepholes: op == "LSTM" && d.coin(),
        }
    }

    /// One node: all outputs, in the order of time.
    fn whole(&self) -> Net {
        let (n, one) = (self.units, |v: &[usize]| [vec![1], v.to_vec()].concat());
        let rows = self.r.len() / n;
        let net = Net::new()
            .input("x", &[self.steps, self.inputs])
            .weight("w", &one(&[rows, self.inputs]), self.w.clone())
            .weight("r", &one(&[rows, n]), self.r.clone())
            .weight("b", &one(&[2 * rows]), self.b.clone())
            .weight("p", &one(&[3 * n]), self.p.clone())
            .weight("h", &[1, 1, n], self.h.clone())
            .weight("c", &[1, 1, n], self.c.clone())
            .list("flat", &[0, -1]);
        let takes = |name: &str| !["Sigmoid", "Tanh", "Softplus"].contains(&name);
        let names = self.functions.iter().map(|f| f.0.to_string()).collect();
        let alphas = self.functions.iter().filter(|f| takes(f.0)).map(|f| f.1).collect();
        let mut attributes: Vec<Named> = vec![
            string("direction", if self.reverse { "reverse" } else { "forward" }),
            int("layout", 1),
            ("activations".into(), Attribute::Strings(names)),
            ("activation_alpha".into(), Attribute::Floats(alphas)),
            int("linear_before_reset", i64::from(self.variant)),
            int("input_forget", i64::from(self.variant)),
        ];
        if let Some(clip) = self.clip {
            attributes.push(float("clip", clip));
        }
        let inputs = match (self.op, self.peepholes) {
            ("LSTM", true) => "x w r b _ h c p",
            ("LSTM", false) => "x w r b _ h c",
            _ => "x w r b _ h",
        };
        net.node(self.op, inputs, "y", attributes).node("Reshape", "y flat", "t", [])
    }

    /// The same in plain operators.
    fn pieces(&self) -> Net {
        let net = Net::new().input("x", &[self.steps, self.inputs]).list("row", &[1]);
        let mut p = Pieces { layer: self, net, made: 0 };
        let n = self.units;
        let mut h = p.constant(&[1, n], &self.h);
        let mut c = p.constant(&[1, n], &self.c);
        let mut outputs = vec![String::new(); self.steps];
        for k in 0..self.steps {
            let t = if self.reverse { self.steps - 1 - k } else { k };
            let x = p.input(t);
            (h, c) = match self.op {
                "LSTM" => p.lstm(&x, &h, &c),
                "GRU" => (p.gru(&x, &h), c),
                _ => {
                    let z = p.gate(0, &x, &h);
                    (p.function(0, &z), c)
                }
            };
            outputs[t].clone_from(&h);
        }
        p.net.node("Concat", &outputs.join(" "), "t", [int("axis", 1)])
    }
}

struct Pieces<'a> {
    layer: &'a Layer,
    net: Net,
    made: usize,
}

impl Pieces<'_> {
    fn node(&mut self, op: &str, inputs: &str, attributes: &[Named]) -> String {
        self.made += 1;
        let out = format!("v{}", self.made);
        self.net = self.net.clone().node(op, inputs, &out, attributes.to_vec());
        out
    }

    fn two(&mut self, op: &str, a: &str, b: &str) -> String {
        self.node(op, &format!("{a} {b}"), &[])
    }

    fn constant(&mut self, shape: &[usize], values: &[f64]) -> String {
        self.made += 1;
        let name = format!("c{}", self.made);
        self.net = self.net.clone().weight(&name, shape, values.to_vec());
        name
    }

    fn input(&mut self, t: usize) -> String {
        self.net = self.net.clone().list(&format!("t{t}"), &[t as i64]);
        let own = self.node("Gather", &format!("x t{t}"), &[int("axis", 1)]);
        self.node("Squeeze", &format!("{own} row"), &[])
    }

    /// `x Wᵀ` with the weights of one gate.
    fn product(&mut self, x: &str, gate: usize, weights: &[f64], depth: usize) -> String {
        let n = self.layer.units;
        let w = self.constant(&[n, depth], &weights[gate * n * depth..][..n * depth]);
        let turned = self.node("Transpose", &w, &[ints("perm", &[1, 0])]);
        self.two("MatMul", x, &turned)
    }

    fn bias(&mut self, row: usize) -> String {
        let n = self.layer.units;
        self.constant(&[n], &self.layer.b[row * n..][..n])
    }

    /// The argument of a gate, biases included.
    fn gate(&mut self, gate: usize, x: &str, h: &str) -> String {
        let gates = self.layer.r.len() / self.layer.units / self.layer.units;
        let own = self.product(x, gate, &self.layer.w, self.layer.inputs);
        let back = self.product(h, gate, &self.layer.r, self.layer.units);
        let sum = self.two("Add", &own, &back);
        let (a, b) = (self.bias(gate), self.bias(gates + gate));
        let sum = self.two("Add", &sum, &a);
        self.two("Add", &sum, &b)
    }

    fn plain(&mut self, i: usize, z: &str) -> String {
        let (op, alpha) = self.layer.functions[i];
        self.node(op, z, &[float("alpha", alpha)])
    }

    /// A function whose argument is clipped.
    fn function(&mut self, i: usize, z: &str) -> String {
        let Some(clip) = self.layer.clip else { return self.plain(i, z) };
        let (low, high) = (self.constant(&[], &[-clip]), self.constant(&[], &[clip]));
        let z = self.node("Clip", &format!("{z} {low} {high}"), &[]);
        self.plain(i, &z)
    }

    fn peephole(&mut self, at: usize, z: String, c: &str) -> String {
        if !self.layer.peepholes {
            return z;
        }
        let n = self.layer.units;
        let p = self.constant(&[n], &self.layer.p[at * n..][..n]);
        let own = self.two("Mul", &p, c);
        self.two("Add", &z, &own)
    }

    /// `a` weighted by `w`, `b` by the rest.
    fn share(&mut self, w: &str, a: &str, b: &str) -> String {
        let one = self.constant(&[], &[1.0]);
        let rest = self.two("Sub", &one, w);
        let (a, b) = (self.two("Mul", w, a), self.two("Mul", &rest, b));
        self.two("Add", &a, &b)
    }

    fn lstm(&mut self, x: &str, h: &str, c: &str) -> (String, String) {
        let z = self.gate(0, x, h);
        let z = self.peephole(0, z, c);
        let i = self.function(0, &z);
        let z = self.gate(3, x, h);
        let g = self.function(1, &z);
        let cell = if self.layer.variant {
            self.share(&i, &g, c)
        } else {
            let z = self.gate(2, x, h);
            let z = self.peephole(2, z, c);
            let f = self.function(0, &z);
            let (kept, new) = (self.two("Mul", &f, c), self.two("Mul", &i, &g));
            self.two("Add", &kept, &new)
        };
        let z = self.gate(1, x, h);
        let z = self.peephole(1, z, &cell);
        let o = self.function(0, &z);
        let u = self.plain(2, &cell);
        (self.two("Mul", &o, &u), cell)
    }

    fn gru(&mut self, x: &str, h: &str) -> String {
        let argument = self.gate(0, x, h);
        let z = self.function(0, &argument);
        let argument = self.gate(1, x, h);
        let r = self.function(0, &argument);
        let own = self.product(x, 2, &self.layer.w, self.layer.inputs);
        let (a, b) = (self.bias(2), self.bias(5));
        let own = self.two("Add", &own, &a);
        let part = if self.layer.variant {
            let back = self.product(h, 2, &self.layer.r, self.layer.units);
            let back = self.two("Add", &back, &b);
            self.two("Mul", &r, &back)
        } else {
            let kept = self.two("Mul", &r, h);
            let back = self.product(&kept, 2, &self.layer.r, self.layer.units);
            self.two("Add", &back, &b)
        };
        let argument = self.two("Add", &own, &part);
        let n = self.function(1, &argument);
        self.share(&z, h, &n)
    }
}

proptest! {
    #![proptest_config(crate::common::draw::config(100))]

    #[test]
    fn recurrent_layers_score_as_their_pieces(seed in any::<u64>()) {
        for op in ["LSTM", "GRU", "RNN"] {
            let d = &mut Draw(seed);
            let layer = Layer::draw(op, d);
            let (x, x0) = d.pair(layer.steps * layer.inputs, -2.0, 2.0);
            for rule in RULES {
                let score = |net: Net| {
                    let setup = net.pair("t", vec![x.clone()], vec![x0.clone()]).every_element();
                    let scores = setup.and_then(|s| s.rule(rule).score::<f64>());
                    scores.unwrap_or_else(|e| panic!("{op}, seed {seed}, {rule}: {e}"))
                };
                let (whole, pieces) = (score(layer.whole()), score(layer.pieces()));
                let what = format!("{op}, seed {seed}, {rule}");
                assert_close(&whole.output, &pieces.output, 1e-13, &format!("{what}: output"));
                assert_close(&whole.multipliers[0], &pieces.multipliers[0], 1e-12, &format!("{what}: multipliers"));
                assert_close(&whole.contributions[0], &pieces.contributions[0], 1e-12, &what);
            }
        }
    }
}
