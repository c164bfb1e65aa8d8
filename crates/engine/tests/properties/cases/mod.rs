//! One random case per operator: a node with random attributes and shapes, and what ONNX says it computes, in plain
//! loops of double precision that share nothing with the crates under test.
use crate::common::draw::Draw;
use crate::common::tensor::Tensor;
use crate::common::Net;

mod attention;
mod choices;
mod contractions;
mod indexing;
mod moves;
mod normalisations;
mod pointwise;
mod products;
mod recurrent;
mod reductions;
mod resampling;
mod windows;

/// What ONNX says a node computes; `None` where that is not defined, or mixes examples.
pub type Plain = Box<dyn Fn(&[Tensor]) -> Option<Tensor>>;

/// A network of one node that reads `a` (and `b`) and writes `y`.
pub struct Case {
    pub net: Net,
    /// Shapes of `a` and `b` with the batch axis.
    pub inputs: Vec<Vec<usize>>,
    /// Where the operator is defined and well conditioned.
    pub range: (f64, f64),
    pub plain: Plain,
}

impl Case {
    fn new(net: Net, inputs: Vec<Vec<usize>>, plain: impl Fn(&[Tensor]) -> Tensor + 'static) -> Self {
        Case { net, inputs, range: ANYWHERE, plain: Box::new(move |t| Some(plain(t))) }
    }

    fn within(mut self, low: f64, high: f64) -> Self {
        self.range = (low, high);
        self
    }
}

/// The range of operators that are defined everywhere.
pub const ANYWHERE: (f64, f64) = (-2.0, 2.0);

/// Opsets between which attributes moved.
pub const OPSETS: [i64; 6] = [9, 11, 13, 18, 20, 21];

type Make = fn(&str, &mut Draw) -> Case;

/// Operators that data flows through, and how a case of each is drawn.
pub const DATA: &[(&[&str], Make)] = &[
    (&["Conv"], windows::conv),
    (&["AveragePool", "MaxPool"], windows::pool),
    (&["GlobalAveragePool", "GlobalMaxPool"], windows::global),
    (
        &[
            "Abs",
            "Acos",
            "Acosh",
            "Asin",
            "Asinh",
            "Atan",
            "Atanh",
            "Celu",
            "Clip",
            "Cos",
            "Cosh",
            "Elu",
            "Erf",
            "Exp",
            "Gelu",
            "HardSigmoid",
            "HardSwish",
            "LeakyRelu",
            "Log",
            "Mish",
            "Neg",
            "Reciprocal",
            "Relu",
            "Selu",
            "Shrink",
            "Sigmoid",
            "Sin",
            "Sinh",
            "Softplus",
            "Softsign",
            "Sqrt",
            "Swish",
            "Tan",
            "Tanh",
            "ThresholdedRelu",
        ],
        pointwise::unary,
    ),
    (&["Pow"], pointwise::pow),
    (&["PRelu"], pointwise::prelu),
    (&["Add", "Div", "Mean", "Mul", "Sub", "Sum"], products::binary),
    (&["Attention"], attention::attention),
    (&["RotaryEmbedding"], attention::rotary),
    (&["Einsum"], contractions::einsum),
    (&["Gemm"], contractions::gemm),
    (&["MatMul"], contractions::matmul),
    (&["BatchNormalization"], products::batch_normalization),
    (
        &[
            "ReduceL1",
            "ReduceL2",
            "ReduceLogSum",
            "ReduceLogSumExp",
            "ReduceMax",
            "ReduceMean",
            "ReduceMin",
            "ReduceProd",
            "ReduceSum",
            "ReduceSumSquare",
        ],
        reductions::reduce,
    ),
    (&["LayerNormalization", "RMSNormalization"], normalisations::layer),
    (&["GroupNormalization", "InstanceNormalization"], normalisations::channels),
    (&["MeanVarianceNormalization"], normalisations::mean_variance),
    (&["LpNormalization"], normalisations::lp),
    (&["LRN"], normalisations::lrn),
    (&["MovingSum", "Standardise"], normalisations::internal),
    (&["LogSoftmax", "Softmax"], reductions::softmax),
    (&["Dropout", "Identity"], moves::identity),
    (&["GRU", "LSTM", "RNN"], recurrent::layer),
    (&["Flatten", "Reshape", "Squeeze", "Unsqueeze"], moves::reshape),
    (&["Concat"], moves::concat),
    (&["Expand"], moves::expand),
    (&["Gather"], moves::gather),
    (&["Pad"], moves::pad),
    (&["Slice"], moves::slice),
    (&["Split"], moves::split),
    (&["Tile"], moves::tile),
    (&["Transpose"], moves::transpose),
    (&["Cast"], choices::cast),
    (&["CastLike"], choices::cast_like),
    (&["Ceil", "Floor", "IsInf", "IsNaN", "Round", "Sign"], choices::step),
    (&["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"], choices::compare),
    (&["And", "Not", "Or", "Xor"], choices::logic),
    (&["Mod"], choices::modulo),
    (&["Max", "Min"], choices::extremum),
    (&["DequantizeLinear", "QuantizeLinear"], choices::quantize),
    (&["Where"], choices::select),
    (&["ConvTranspose"], resampling::conv_transpose),
    (&["GlobalLpPool", "LpPool"], resampling::lp_pool),
    (&["Resize", "Upsample"], resampling::resize),
    (&["DepthToSpace", "SpaceToDepth"], resampling::depth_to_space),
    (&["Col2Im"], resampling::col2im),
    (&["MaxUnpool"], resampling::max_unpool),
    (&["CenterCropPad"], indexing::center_crop_pad),
    (&["Compress"], indexing::compress),
    (&["CumSum"], indexing::cumsum),
    (&["DFT"], indexing::dft),
    (&["GatherElements"], indexing::gather_elements),
    (&["GatherND"], indexing::gather_nd),
    (&["ReverseSequence"], indexing::reverse_sequence),
    (&["Scatter", "ScatterElements"], indexing::scatter_elements),
    (&["ScatterND"], indexing::scatter_nd),
    (&["Trilu"], indexing::trilu),
];

/// Operators that are evaluated while planning; on data they are part of a composite or refused.
pub const PLAN_TIME: &[&str] = &["Constant", "ConstantOfShape", "EyeLike", "Range", "Shape", "Size"];

/// Operators that are computed but have no rule.
pub const FORWARD_ONLY: &[&str] = &["ArgMax", "ArgMin", "Hardmax", "OneHot", "TopK"];

/// Names of all operators with a case.
pub fn data_ops() -> impl Iterator<Item = &'static str> {
    DATA.iter().flat_map(|(names, _)| names.iter().copied())
}

/// Draws a case of an operator.
pub fn draw(op: &str, d: &mut Draw) -> Case {
    let (_, make) = DATA.iter().find(|(names, _)| names.contains(&op)).expect("a listed operator");
    make(op, d)
}
