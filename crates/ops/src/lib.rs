//! One file per operator: attributes, shapes, forward, structure, tests. To add one, write its file and its line in
//! [`TABLE`].
#![forbid(unsafe_code)]

use deeplift_graph::{ensure, Build, Code, Error, Operator, Registry, Result};

mod add;
mod attention;
mod average_pool;
mod col2im;
mod composite;
mod concat;
mod conv;
mod conv_computed;
mod conv_kernel;
mod conv_layer;
mod conv_transpose;
mod cumsum;
mod dense;
mod dense_layer;
mod dft;
mod div;
mod einsum;
mod extremum;
mod forward_only;
mod gemm;
mod index_map;
mod joint;
mod layout;
mod log_softmax;
mod lp_pool;
mod matmul;
mod max_pool;
mod max_unpool;
mod mean;
mod mul;
mod norm;
mod one_hot;
mod pool;
mod ranking;
mod recurrent;
mod reduce;
mod resize;
mod rotary_embedding;
mod scatter;
mod shape;
mod softmax;
mod softmax_variant;
mod sparse;
mod sub;
mod unary;
mod unfold;
mod where_;

type BuildFn = fn(&Build<'_>) -> Result<Box<dyn Operator>>;

/// Fewest and most inputs; the first ones must be present, the others may be omitted.
type Inputs = std::ops::RangeInclusive<usize>;

/// Any number of inputs, none omitted.
const ANY: Inputs = 1..=usize::MAX;

/// Every operator, by its ONNX name, with the number of its inputs. Names that ONNX does not know are made by rewrites
/// and expansions.
pub const TABLE: &[(&str, Inputs, BuildFn)] = &[
    ("Abs", 1..=1, unary::abs::build),
    ("Acos", 1..=1, unary::trigonometric::build),
    ("Acosh", 1..=1, unary::trigonometric::build),
    ("Add", 2..=2, add::build),
    ("And", 2..=2, joint::logical::build),
    ("ArgMax", 1..=1, ranking::build_arg),
    ("ArgMin", 1..=1, ranking::build_arg),
    ("Asin", 1..=1, unary::trigonometric::build),
    ("Asinh", 1..=1, unary::trigonometric::build),
    ("Atan", 1..=1, unary::trigonometric::build),
    ("Atanh", 1..=1, unary::trigonometric::build),
    ("Attention", 3..=7, attention::build),
    ("AveragePool", 1..=1, average_pool::build),
    ("BatchNormalization", 5..=5, layout::batch_normalization::build),
    ("Cast", 1..=1, layout::cast::build),
    ("CastLike", 2..=2, layout::cast_like::build),
    ("Ceil", 1..=1, unary::step::build),
    ("Celu", 1..=1, unary::celu::build),
    ("CenterCropPad", 2..=2, layout::center_crop_pad::build),
    ("Clip", 1..=3, unary::clip::build),
    ("Col2Im", 3..=3, col2im::build),
    ("Composite", 1..=1, composite::build),
    ("Compress", 2..=2, layout::compress::build),
    ("Concat", ANY, concat::build),
    ("Constant", 0..=0, shape::constant::build),
    ("ConstantOfShape", 1..=1, shape::constant_of_shape::build),
    ("Conv", 2..=3, conv::build),
    ("ConvTranspose", 2..=3, conv_transpose::build),
    ("Cos", 1..=1, unary::trigonometric::build),
    ("Cosh", 1..=1, unary::trigonometric::build),
    ("CumSum", 2..=2, cumsum::build),
    ("DFT", 1..=3, dft::build),
    ("Dense", 3..=3, dense::build),
    ("DepthToSpace", 1..=1, layout::depth_to_space::build),
    ("DequantizeLinear", 2..=3, joint::quantize::build),
    ("Div", 2..=2, div::build),
    ("Dropout", 1..=3, layout::identity::build),
    ("Einsum", ANY, einsum::build),
    ("Elu", 1..=1, unary::elu::build),
    ("Equal", 2..=2, joint::compare::build),
    ("Erf", 1..=1, unary::erf::build),
    ("Exp", 1..=1, unary::exp::build),
    ("Expand", 2..=2, layout::expand::build),
    ("EyeLike", 1..=1, shape::eye_like::build),
    ("Flatten", 1..=1, layout::flatten::build),
    ("Floor", 1..=1, unary::step::build),
    ("GRU", 3..=6, recurrent::build),
    ("Gather", 2..=2, layout::gather::build),
    ("GatherElements", 2..=2, layout::gather_nd::elements),
    ("GatherND", 2..=2, layout::gather_nd::nd),
    ("Gelu", 1..=1, unary::gelu::build),
    ("Gemm", 2..=3, gemm::build),
    ("GlobalAveragePool", 1..=1, reduce::global::build),
    ("GlobalLpPool", 1..=1, lp_pool::build),
    ("GlobalMaxPool", 1..=1, reduce::global::build),
    ("Greater", 2..=2, joint::compare::build),
    ("GreaterOrEqual", 2..=2, joint::compare::build),
    ("GroupNormalization", 3..=3, norm::channels::build_group),
    ("HardSigmoid", 1..=1, unary::hard_sigmoid::build),
    ("HardSwish", 1..=1, unary::hard_swish::build),
    ("Hardmax", 1..=1, ranking::build_hardmax),
    ("Identity", 1..=1, layout::identity::build),
    ("InstanceNormalization", 3..=3, norm::channels::build_instance),
    ("IsInf", 1..=1, unary::step::build_is_special),
    ("IsNaN", 1..=1, unary::step::build_is_special),
    ("LRN", 1..=1, norm::lrn::build),
    ("LSTM", 3..=8, recurrent::build),
    ("Layer", 1..=1, layout::layer::build),
    ("LayerNormalization", 2..=3, norm::layer::build),
    ("LeakyRelu", 1..=1, unary::leaky_relu::build),
    ("Less", 2..=2, joint::compare::build),
    ("LessOrEqual", 2..=2, joint::compare::build),
    ("Log", 1..=1, unary::log::build),
    ("LogSoftmax", 1..=1, log_softmax::build),
    ("LpNormalization", 1..=1, norm::lp::build),
    ("LpPool", 1..=1, lp_pool::build),
    ("MatMul", 2..=2, matmul::build),
    ("Max", ANY, extremum::build),
    ("MaxPool", 1..=1, max_pool::build),
    ("MaxUnpool", 2..=3, max_unpool::build),
    ("Maximum", 1..=1, reduce::max::build),
    ("Mean", ANY, mean::build),
    ("MeanVarianceNormalization", 1..=1, norm::mean_variance::build),
    ("Min", ANY, extremum::build),
    ("Minimum", 1..=1, reduce::max::build),
    ("Mish", 1..=1, unary::mish::build),
    ("Mod", 2..=2, joint::modulo::build),
    ("MovingSum", 1..=1, norm::moving_sum::build),
    ("Mul", 2..=2, mul::build),
    ("Neg", 1..=1, unary::neg::build),
    ("Not", 1..=1, joint::logical::build),
    ("OneHot", 3..=3, one_hot::build),
    ("Or", 2..=2, joint::logical::build),
    ("PRelu", 2..=2, unary::prelu::build),
    ("Pad", 1..=4, layout::pad::build),
    ("Pow", 2..=2, joint::pow::build),
    ("Quantize", 3..=3, joint::quantize::build_levels),
    ("QuantizeLinear", 2..=3, joint::quantize::build),
    ("RMSNormalization", 2..=2, norm::layer::build_rms),
    ("RNN", 3..=6, recurrent::build),
    ("Range", 3..=3, shape::range::build),
    ("RankedIndices", 1..=1, ranking::build_ranked),
    ("RankedValues", 1..=1, ranking::build_ranked),
    ("Reciprocal", 1..=1, unary::reciprocal::build),
    ("Recurrence", 3..=7, recurrent::recurrence::build),
    ("ReduceL1", 1..=2, reduce::composed::build_l1),
    ("ReduceL2", 1..=2, reduce::l2::build),
    ("ReduceLogSum", 1..=2, reduce::composed::build_log_sum),
    ("ReduceLogSumExp", 1..=2, reduce::log_sum_exp::build),
    ("ReduceMax", 1..=2, reduce::max::build),
    ("ReduceMean", 1..=2, reduce::mean::build),
    ("ReduceMin", 1..=2, reduce::max::build),
    ("ReduceProd", 1..=2, reduce::prod::build),
    ("ReduceSum", 1..=2, reduce::sum::build),
    ("ReduceSumSquare", 1..=2, reduce::composed::build_sum_square),
    ("Relu", 1..=1, unary::relu::build),
    ("Reshape", 2..=2, layout::reshape::build),
    ("Resize", 1..=4, resize::build),
    ("ReverseSequence", 2..=2, layout::reverse_sequence::build),
    ("RotaryEmbedding", 3..=4, rotary_embedding::build),
    ("Round", 1..=1, unary::step::build),
    ("Scatter", 3..=3, scatter::elements),
    ("ScatterElements", 3..=3, scatter::elements),
    ("ScatterND", 3..=3, scatter::nd),
    ("Selu", 1..=1, unary::selu::build),
    ("Shape", 1..=1, shape::shape_of::build),
    ("Shrink", 1..=1, unary::shrink::build),
    ("Sigmoid", 1..=1, unary::sigmoid::build),
    ("Sign", 1..=1, unary::step::build),
    ("Sin", 1..=1, unary::trigonometric::build),
    ("Sinh", 1..=1, unary::trigonometric::build),
    ("Size", 1..=1, shape::shape_of::build),
    ("Slice", 1..=5, layout::slice::build),
    ("Softmax", 1..=1, softmax::build),
    ("Softplus", 1..=1, unary::softplus::build),
    ("Softsign", 1..=1, unary::softsign::build),
    ("SpaceToDepth", 1..=1, layout::depth_to_space::build),
    ("Split", 1..=2, layout::split::build),
    ("Sqrt", 1..=1, unary::sqrt::build),
    ("Squeeze", 1..=2, layout::squeeze::build),
    ("Standardise", 1..=1, norm::standardise::build),
    ("Sub", 2..=2, sub::build),
    ("Sum", ANY, add::build),
    ("Swish", 1..=1, unary::swish::build),
    ("Tan", 1..=1, unary::trigonometric::build),
    ("Tanh", 1..=1, unary::tanh::build),
    ("ThresholdedRelu", 1..=1, unary::thresholded_relu::build),
    ("Tile", 2..=2, layout::tile::build),
    ("TopK", 1..=2, ranking::build_top_k),
    ("Transpose", 1..=1, layout::transpose::build),
    ("Trilu", 1..=2, layout::trilu::build),
    ("Unfold", 1..=1, unfold::build),
    ("Unsqueeze", 1..=2, layout::unsqueeze::build),
    ("Upsample", 1..=2, resize::build),
    ("Where", 3..=3, where_::build),
    ("Xor", 2..=2, joint::logical::build),
];

/// Operators that only rewrites and expansions write; ONNX does not know them, and a file that names one is refused.
pub const INTERNAL: &[&str] = &[
    "Composite",
    "Dense",
    "Layer",
    "Maximum",
    "Minimum",
    "Quantize",
    "RankedIndices",
    "RankedValues",
    "Recurrence",
    "Unfold",
];

/// What to do about operators that people meet and that have no exact rule here.
pub const ADVICE: &[(&[&str], &str)] = &[
    (&["Loop", "Scan"], "data-dependent control flow has no DeepLIFT rule; export from PyTorch, or unroll the loop"),
    (&["If"], "a branch that the input decides has no DeepLIFT rule; where only shapes decide it, export with fixed shapes or fold constants first, which leaves one branch"),
    (&["NonZero", "Unique"], "the shape of its output depends on values; choose a target before this node"),
    (&["RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"], "it draws random numbers; export the model in inference mode"),
    (&["GridSample", "AffineGrid", "RoiAlign", "MaxRoiPool", "DeformConv"], "where it samples depends on its inputs; choose a target before this node"),
    (&["NonMaxSuppression", "Det"], "it has no rule that is exact; choose a target before this node"),
    (&["DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"], "export the model before quantisation"),
    (&["Erfc"], "it is not an ONNX operator; the exporter wrote an invalid file: use the tanh approximation of GELU or export from PyTorch"),
];

/// The operators of [`TABLE`].
pub struct Operators;

impl Registry for Operators {
    fn build(&self, cx: &Build<'_>) -> Result<Box<dyn Operator>> {
        let at = match TABLE.binary_search_by(|(name, ..)| (*name).cmp(cx.op)) {
            Ok(at) => at,
            Err(_) => return Err(self.refuse(cx.op)),
        };
        let (_, expected, build) = &TABLE[at];
        let given = cx.inputs.len();
        let present = cx.inputs.iter().take_while(|i| i.is_some()).count();
        let needed = if *expected == ANY { given.max(1) } else { *expected.start() };
        ensure!(
            given <= *expected.end() && present >= needed,
            InvalidModel,
            "has {given} inputs, of which the first {present} are given; {needed} were expected"
        );
        build(cx)
    }

    fn knows(&self, op: &str) -> bool {
        TABLE.binary_search_by(|(name, ..)| (*name).cmp(op)).is_ok() && !INTERNAL.contains(&op)
    }

    fn refuse(&self, op: &str) -> Error {
        let advice = ADVICE.iter().find(|(names, _)| names.contains(&op)).map_or(
            "choose a target before this node (an inner tensor can be named), or export the model differently",
            |(_, advice)| advice,
        );
        Error::new(Code::UnsupportedOp, format!("operator {op} has no rule; {advice}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE.windows(2).all(|w| w[0].0 < w[1].0));
    }
}
