//! LSTM, GRU and RNN: every attribute, every output, step by step as the standard writes the equations.
use deeplift_graph::wire::Attribute;

use super::{Case, OPSETS};
use crate::common::draw::Draw;
use crate::common::tensor::Tensor;
use crate::common::{float, int, ints, string, Net};

/// A function with its numbers.
#[derive(Clone)]
struct Function {
    name: &'static str,
    numbers: Vec<f64>,
}

impl Function {
    fn draw(d: &mut Draw) -> Self {
        // Not ThresholdedRelu: it jumps, and the quotient over a jump multiplies the rounding of float32.
        let (name, numbers) = d.pick(&[
            ("Sigmoid", 0),
            ("Tanh", 0),
            ("Softsign", 0),
            ("Relu", 0),
            ("Softplus", 0),
            ("Affine", 2),
            ("HardSigmoid", 2),
            ("ScaledTanh", 2),
            ("LeakyRelu", 1),
            ("Elu", 1),
        ]);
        Function { name, numbers: d.reals(numbers, 0.2, 0.9) }
    }

    fn at(&self, x: f64) -> f64 {
        let number = |i: usize| self.numbers[i];
        match self.name {
            "Sigmoid" => 1.0 / (1.0 + (-x).exp()),
            "Tanh" => x.tanh(),
            "Softsign" => x / (1.0 + x.abs()),
            "Relu" => x.max(0.0),
            "Softplus" => (1.0 + x.exp()).ln(),
            "Affine" => number(0) * x + number(1),
            "HardSigmoid" => (number(0) * x + number(1)).clamp(0.0, 1.0),
            "ScaledTanh" => number(0) * (number(1) * x).tanh(),
            "LeakyRelu" if x < 0.0 => number(0) * x,
            "Elu" if x < 0.0 => number(0) * (x.exp() - 1.0),
            _ => x,
        }
    }
}

/// Everything of one layer.
struct Layer {
    op: String,
    steps: usize,
    run: usize,
    sequences: usize,
    inputs: usize,
    units: usize,
    reverse: Vec<bool>,
    functions: Vec<Vec<Function>>,
    clip: f64,
    coupled: bool,
    reset_after: bool,
    w: Tensor,
    r: Tensor,
    b: Option<Tensor>,
    p: Option<Tensor>,
    h: Option<Tensor>,
    c: Option<Tensor>,
}

impl Layer {
    fn draw(op: &str, d: &mut Draw) -> Self {
        let gates = match op {
            "LSTM" => 4,
            "GRU" => 3,
            _ => 1,
        };
        let (steps, inputs, units) = (d.int(1, 4), d.int(1, 3), d.int(1, 3));
        let sequences = if d.int(0, 3) == 0 { 2 } else { 1 };
        let reverse = d.pick(&[vec![false], vec![true], vec![false, true]]);
        let n = reverse.len();
        let usual: &[&'static str] = match op {
            "LSTM" => &["Sigmoid", "Tanh", "Tanh"],
            "GRU" => &["Sigmoid", "Tanh"],
            _ => &["Tanh"],
        };
        let own = d.coin();
        let mut function = |name: &&'static str| match own {
            true => Function::draw(d),
            false => Function { name, numbers: vec![] },
        };
        let functions: Vec<Vec<_>> = (0..n).map(|_| usual.iter().map(&mut function).collect()).collect();
        let mut tensor = |shape: &[usize]| Tensor::new(shape, d.reals(shape.iter().product(), -1.0, 1.0));
        let w = tensor(&[n, gates * units, inputs]);
        let r = tensor(&[n, gates * units, units]);
        let b = tensor(&[n, 2 * gates * units]);
        let p = tensor(&[n, 3 * units]);
        let h = tensor(&[n, sequences, units]);
        let c = tensor(&[n, sequences, units]);
        let lstm = op == "LSTM";
        let mut some = |t: Tensor, has: bool| (d.coin() && has).then_some(t);
        let (b, p, h, c) = (some(b, true), some(p, lstm), some(h, true), some(c, lstm));
        Layer {
            op: op.into(),
            steps,
            run: if d.int(0, 2) == 0 { d.int(1, steps) } else { steps },
            sequences,
            inputs,
            units,
            reverse,
            functions,
            clip: d.pick(&[0.0, 0.7]),
            coupled: lstm && d.coin(),
            reset_after: d.coin(),
            w,
            r,
            b,
            p,
            h,
            c,
        }
    }

    fn gate(&self, a: f64, function: &Function) -> f64 {
        function.at(if self.clip > 0.0 { a.clamp(-self.clip, self.clip) } else { a })
    }

    /// `W x` of one gate and unit, both biases included unless the second is wanted apart.
    fn product(&self, d: usize, row: usize, x: &[f64], h: &[f64]) -> f64 {
        let own: f64 = (0..self.inputs).map(|i| self.w.at(&[d, row, i]) * x[i]).sum();
        let back: f64 = (0..self.units).map(|i| self.r.at(&[d, row, i]) * h[i]).sum();
        own + back + self.bias(d, row) + self.bias(d, row + self.w.shape[1])
    }

    fn bias(&self, d: usize, row: usize) -> f64 {
        self.b.as_ref().map_or(0.0, |b| b.at(&[d, row]))
    }

    fn peephole(&self, d: usize, at: usize, c: f64) -> f64 {
        self.p.as_ref().map_or(0.0, |p| p.at(&[d, at]) * c)
    }

    /// One step of one sequence: output and cell.
    fn step(&self, d: usize, x: &[f64], h: &[f64], c: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let n = self.units;
        let f = &self.functions[d];
        let row = |gate: usize, k: usize| self.product(d, gate * n + k, x, h);
        match self.op.as_str() {
            "LSTM" => (0..n)
                .map(|k| {
                    let i = self.gate(row(0, k) + self.peephole(d, k, c[k]), &f[0]);
                    let forget = self.gate(row(2, k) + self.peephole(d, 2 * n + k, c[k]), &f[0]);
                    let forget = if self.coupled { 1.0 - i } else { forget };
                    let cell = forget * c[k] + i * self.gate(row(3, k), &f[1]);
                    let o = self.gate(row(1, k) + self.peephole(d, n + k, cell), &f[0]);
                    (o * f[2].at(cell), cell)
                })
                .unzip(),
            "GRU" => {
                let reset: Vec<f64> = (0..n).map(|k| self.gate(row(1, k), &f[0])).collect();
                let part: Vec<f64> = (0..n).map(|k| reset[k] * h[k]).collect();
                let zero = vec![0.0; n];
                let new = |k: usize| {
                    let z = self.gate(row(0, k), &f[0]);
                    let at = 2 * n + k;
                    let argument = if self.reset_after {
                        let second = self.bias(d, at + 3 * n);
                        let none = vec![0.0; self.inputs];
                        let back = self.product(d, at, &none, h) - self.bias(d, at) - second;
                        self.product(d, at, x, &zero) - second + reset[k] * (back + second)
                    } else {
                        self.product(d, at, x, &part)
                    };
                    (1.0 - z) * self.gate(argument, &f[1]) + z * h[k]
                };
                ((0..n).map(new).collect(), vec![])
            }
            _ => ((0..n).map(|k| self.gate(row(0, k), &f[0])).collect(), vec![]),
        }
    }

    /// Y `[time, directions, sequences, units]`, then the last outputs and cells `[directions, sequences, units]`, of
    /// inputs `[time, sequences, inputs]`.
    fn run(&self, x: &Tensor, h: Option<&Tensor>) -> [Tensor; 3] {
        let (directions, n) = (self.reverse.len(), self.units);
        let mut y = Tensor::from_fn(&[self.steps, directions, self.sequences, n], |_| 0.0);
        let mut last = [0; 2].map(|_| Tensor::from_fn(&[directions, self.sequences, n], |_| 0.0));
        for d in 0..directions {
            for s in 0..self.sequences {
                let start = |t: Option<&Tensor>| match t {
                    Some(t) => (0..n).map(|k| t.at(&[d, s, k])).collect(),
                    None => vec![0.0; n],
                };
                let (mut h, mut c) = (start(h), start(self.c.as_ref()));
                for k in 0..self.run {
                    let t = if self.reverse[d] { self.run - 1 - k } else { k };
                    let x: Vec<f64> = (0..self.inputs).map(|i| x.at(&[t, s, i])).collect();
                    (h, c) = self.step(d, &x, &h, &c);
                    let at = ((t * directions + d) * self.sequences + s) * n;
                    y.data[at..at + n].copy_from_slice(&h);
                }
                let at = (d * self.sequences + s) * n;
                last[0].data[at..at + n].copy_from_slice(&h);
                if !c.is_empty() {
                    last[1].data[at..at + n].copy_from_slice(&c);
                }
            }
        }
        let [h, c] = last;
        [y, h, c]
    }
}

pub fn layer(op: &str, d: &mut Draw) -> Case {
    let layer = Layer::draw(op, d);
    let (steps, sequences, inputs) = (layer.steps, layer.sequences, layer.inputs);
    let opset = d.pick(&OPSETS);
    let batch_first = opset >= 14 && d.coin();
    let which = d.int(0, if op == "LSTM" { 2 } else { 1 });
    // A first output that depends on the input as well: only for one sequence, that of the example.
    let computed = layer.h.is_some() && sequences == 1 && d.coin();
    let mut net = Net::of_opset(opset);
    let mut attributes = vec![
        string(
            "direction",
            match layer.reverse[..] {
                [false] => "forward",
                [true] => "reverse",
                _ => "bidirectional",
            },
        ),
        int("hidden_size", layer.units as i64),
    ];
    if batch_first {
        attributes.push(int("layout", 1));
    }
    if layer.clip > 0.0 {
        attributes.push(float("clip", layer.clip));
    }
    if layer.coupled {
        attributes.push(int("input_forget", 1));
    }
    if op == "GRU" {
        attributes.push(int("linear_before_reset", i64::from(layer.reset_after)));
    }
    let functions: Vec<&Function> = layer.functions.iter().flatten().collect();
    let names = functions.iter().map(|f| f.name.to_string()).collect();
    attributes.push(("activations".into(), Attribute::Strings(names)));
    for (i, name) in ["activation_alpha", "activation_beta"].into_iter().enumerate() {
        let numbers = functions.iter().filter_map(|f| f.numbers.get(i).copied()).collect();
        attributes.push((name.into(), Attribute::Floats(numbers)));
    }
    net = net.weight("w", &layer.w.shape, layer.w.data.clone());
    net = net.weight("r", &layer.r.shape, layer.r.data.clone());
    let state = |t: &Tensor| if batch_first { t.transposed(&[1, 0, 2]) } else { t.clone() };
    let optional = [
        ("bias", layer.b.clone()),
        ("h", layer.h.as_ref().filter(|_| !computed).map(state)),
        ("c", layer.c.as_ref().map(state)),
        ("p", layer.p.clone()),
    ];
    let mut words = vec![];
    for (name, value) in optional {
        words.push(if value.is_some() { name } else { "_" });
        if let Some(v) = value {
            net = net.weight(name, &v.shape, v.data);
        }
    }
    if computed {
        words[1] = if batch_first { "b" } else { "first" };
        if !batch_first {
            net = net.node("Transpose", "b", "first", [ints("perm", &[1, 0, 2])]);
        }
    }
    let lens = if layer.run < steps { "lens" } else { "_" };
    net = net.list("lens", &vec![layer.run as i64; sequences]);
    // Examples first, then to what the layer reads: several sequences of an example are more rows of the batch.
    let perm: &[i64] = if batch_first { &[0, 2, 1, 3] } else { &[1, 0, 2, 3] };
    let flat =
        if batch_first { [-1, steps as i64, inputs as i64] } else { [steps as i64, -1, inputs as i64] };
    net = net.list("flat", &flat).node("Transpose", "a", "moved", [ints("perm", perm)]).node(
        "Reshape",
        "moved flat",
        "x",
        [],
    );
    let mut inputs_of = format!("x w r {} {lens} {}", words[0], words[1]);
    if op == "LSTM" {
        inputs_of = format!("{inputs_of} {} {}", words[2], words[3]);
    }
    let outputs = ["y _ _", "_ y _", "_ _ y"][which];
    let node = if op == "LSTM" { outputs } else { &outputs[..3] };
    net = net.node(op, &inputs_of, node, attributes);
    let mut shapes = vec![vec![1, steps, sequences, inputs]];
    if computed {
        shapes.push(vec![1, layer.reverse.len(), layer.units]);
    }
    Case::new(net, shapes, move |t| {
        let h = if computed { Some(t[1].transposed(&[1, 0, 2])) } else { layer.h.clone() };
        let y = layer.run(&t[0].reshaped(&[steps, sequences, inputs]), h.as_ref())[which].clone();
        match (batch_first, which) {
            (false, _) => y,
            (true, 0) => y.transposed(&[2, 0, 1, 3]),
            (true, _) => y.transposed(&[1, 0, 2]),
        }
    })
}
