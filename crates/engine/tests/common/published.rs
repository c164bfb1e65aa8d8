//! Networks as published, or smaller ones of the same make, with random weights: what performance is watched on.
use super::draw::Draw;
use super::{int, ints, Named, Net, Setup};
use deeplift_engine::options::{Encoding, Outputs, Precision, References, Unknown};
use deeplift_engine::score::Values;

/// A network under construction, from the value `at` of this shape per example on.
struct Layers {
    net: Net,
    draw: Draw,
    at: String,
    shape: Vec<usize>,
    count: usize,
}

impl Layers {
    fn new(input: &str, shape: &[usize]) -> Self {
        let net = Net::new().input(input, shape);
        Layers { net, draw: Draw(7), at: input.into(), shape: shape.to_vec(), count: 0 }
    }

    fn node(mut self, op: &str, others: &str, shape: &[usize], attributes: &[Named]) -> Self {
        self.count += 1;
        let name = format!("{}{}", op.to_lowercase(), self.count);
        self.net = self.net.node(op, &format!("{} {others}", self.at), &name, attributes.to_vec());
        (self.at, self.shape) = (name, shape.to_vec());
        self
    }

    /// Draws weights within the bounds that keep the size of signals (He et al. 2015).
    fn weight(&mut self, shape: &[usize]) -> String {
        let name = format!("w{}", self.count);
        let bound = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
        let values = self.draw.reals(shape.iter().product(), -bound, bound);
        self.net = self.net.clone().weight(&name, shape, values);
        name
    }

    /// A convolution over all axes but the first, as wide along each.
    fn conv(mut self, filters: usize, width: usize, stride: usize, dilation: usize, pad: usize) -> Self {
        let axes = self.shape.len() - 1;
        let mut weights = vec![filters, self.shape[0]];
        weights.extend(vec![width; axes]);
        let reach = (width - 1) * dilation;
        let mut shape = vec![filters];
        shape.extend(self.shape[1..].iter().map(|&n| (n + 2 * pad - reach - 1) / stride + 1));
        let w = self.weight(&weights);
        let attributes = [
            ints("strides", &vec![stride; axes]),
            ints("dilations", &vec![dilation; axes]),
            ints("pads", &vec![pad; 2 * axes]),
        ];
        self.node("Conv", &w, &shape, &attributes)
    }

    fn relu(self) -> Self {
        let shape = self.shape.clone();
        self.node("Relu", "", &shape, &[])
    }

    fn pool(self, op: &str, width: usize) -> Self {
        let shape = [self.shape[0], self.shape[1] / width];
        self.node(op, "", &shape, &[ints("kernel_shape", &[width]), ints("strides", &[width])])
    }

    fn flatten(self) -> Self {
        let n = self.shape.iter().product();
        self.node("Flatten", "", &[n], &[])
    }

    fn dense(mut self, features: usize) -> Self {
        let w = self.weight(&[features, self.shape[0]]);
        self.node("Gemm", &w, &[features], &[int("transB", 1)])
    }

    /// The network of sequences against dinucleotide shuffles; the first value of the last layer is explained.
    fn sequences(self, examples: usize, shuffles: usize) -> Setup {
        let length = self.net.wire.inputs[0].dims[2] as usize;
        let mut draw = self.draw.clone();
        let codes = (0..examples * length).map(|_| draw.int(0, 3) as u8).collect();
        let mut setup = self.setup(examples);
        setup.options.inputs[0].encoding = Encoding::Codes;
        setup.options.references =
            vec![References::Dinucleotide { count: shuffles, seed: 1, unknown: Unknown::Symbol }];
        setup.x = vec![Values::Codes(codes)];
        setup
    }

    fn setup(self, examples: usize) -> Setup {
        let mut setup = Setup::new(self.net, &self.at);
        setup.options.precision = Precision::Float32;
        setup.options.outputs = Outputs { contributions: true, ..Outputs::default() };
        setup.examples = examples;
        setup
    }
}

/// The genomics network of the paper: two convolutions of width 11, a mean over all positions, two dense layers.
pub fn genomics(length: usize, filters: usize, examples: usize, shuffles: usize) -> Setup {
    let mut net = Layers::new("sequence", &[4, length]);
    for _ in 0..2 {
        net = net.conv(filters, 11, 1, 1, 0).relu();
    }
    let all = net.shape[1];
    net.pool("AveragePool", all).flatten().dense(filters).relu().dense(3).sequences(examples, shuffles)
}

/// Basset (Kelley et al. 2016) without BatchNorm.
pub fn basset(examples: usize, shuffles: usize) -> Setup {
    let mut net = Layers::new("sequence", &[4, 600]);
    for (filters, width, pool) in [(300, 19, 3), (200, 11, 4), (200, 7, 4)] {
        net = net.conv(filters, width, 1, 1, 0).relu().pool("MaxPool", pool);
    }
    net = net.flatten();
    for _ in 0..2 {
        net = net.dense(1000).relu();
    }
    net.dense(164).sequences(examples, shuffles)
}

/// BPNet (Avsec et al. 2021): residual blocks of growing dilation, the counts head over the central positions.
pub fn bpnet(length: usize, filters: usize, blocks: u32, examples: usize, shuffles: usize) -> Setup {
    let mut net = Layers::new("sequence", &[4, length]).conv(filters, 21, 1, 1, 10).relu();
    for block in 1..=blocks {
        let (base, dilation) = (net.at.clone(), 1 << block);
        let shape = net.shape.clone();
        net = net.conv(filters, 3, 1, dilation, dilation).relu().node("Add", &base, &shape, &[]);
    }
    let (start, end) = (length / 4, length - length / 4);
    net.net = net.net.list("start", &[start as i64]).list("end", &[end as i64]).list("axis", &[2]);
    net = net.node("Slice", "start end axis", &[filters, end - start], &[]);
    let reduced = net.node("ReduceMean", "axis", &[filters], &[int("keepdims", 0)]);
    reduced.dense(1).sequences(examples, shuffles)
}

/// The all-convolutional network for digits of the paper, against an empty image.
pub fn mnist(examples: usize) -> Setup {
    let net = Layers::new("image", &[1, 28, 28]).conv(32, 4, 2, 1, 0).relu().conv(64, 4, 2, 1, 0).relu();
    let mut draw = net.draw.clone();
    let mut setup = net.flatten().dense(128).relu().dense(10).setup(examples);
    setup.x = vec![Values::F32(draw.reals(examples * 784, 0.0, 1.0).iter().map(|&v| v as f32).collect())];
    setup
}
