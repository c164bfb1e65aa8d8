//! One file per operator: attributes, shapes, forward, structure, tests. To add one, write its file and its line in
//! [`TABLE`].
#![forbid(unsafe_code)]

use deeplift_graph::{bail, Build, Operator, Registry, Result};

mod add;
mod average_pool;
mod composite;
mod concat;
mod conv;
mod dense;
mod div;
mod index_map;
mod layout;
mod log_softmax;
mod max_pool;
mod mul;
mod pool;
mod reduce;
mod shape;
mod softmax;
mod sub;
mod unary;
mod where_;

type BuildFn = fn(&Build<'_>) -> Result<Box<dyn Operator>>;

/// Every operator, by its ONNX name; `Dense` and `Composite` are made by rewrites.
pub const TABLE: &[(&str, BuildFn)] = &[
    ("Abs", unary::abs::build),
    ("Add", add::build),
    ("And", shape::logical::build),
    ("AveragePool", average_pool::build),
    ("BatchNormalization", layout::batch_normalization::build),
    ("Cast", layout::cast::build),
    ("Celu", unary::celu::build),
    ("Clip", unary::clip::build),
    ("Composite", composite::build),
    ("Concat", concat::build),
    ("Constant", shape::constant::build),
    ("ConstantOfShape", shape::constant_of_shape::build),
    ("Conv", conv::build),
    ("Dense", dense::build),
    ("Div", div::build),
    ("Dropout", layout::identity::build),
    ("Elu", unary::elu::build),
    ("Equal", shape::compare::build),
    ("Erf", unary::erf::build),
    ("Exp", unary::exp::build),
    ("Expand", layout::expand::build),
    ("Flatten", layout::flatten::build),
    ("Gather", layout::gather::build),
    ("Gelu", unary::gelu::build),
    ("Gemm", dense::build_unresolved),
    ("GlobalAveragePool", reduce::global::build),
    ("GlobalMaxPool", reduce::global::build),
    ("Greater", shape::compare::build),
    ("GreaterOrEqual", shape::compare::build),
    ("HardSigmoid", unary::hard_sigmoid::build),
    ("HardSwish", unary::hard_swish::build),
    ("Identity", layout::identity::build),
    ("IsInf", shape::is_special::build),
    ("IsNaN", shape::is_special::build),
    ("LeakyRelu", unary::leaky_relu::build),
    ("Less", shape::compare::build),
    ("LessOrEqual", shape::compare::build),
    ("Log", unary::log::build),
    ("LogSoftmax", log_softmax::build),
    ("MatMul", dense::build_unresolved),
    ("Max", shape::extremum::build),
    ("MaxPool", max_pool::build),
    ("Min", shape::extremum::build),
    ("Mish", unary::mish::build),
    ("Mod", shape::modulo::build),
    ("Mul", mul::build),
    ("Neg", unary::neg::build),
    ("Not", shape::logical::build),
    ("Or", shape::logical::build),
    ("PRelu", unary::prelu::build),
    ("Pad", layout::pad::build),
    ("Pow", unary::pow::build),
    ("Range", shape::range::build),
    ("Reciprocal", unary::reciprocal::build),
    ("ReduceLogSumExp", reduce::log_sum_exp::build),
    ("ReduceMax", reduce::max::build),
    ("ReduceMean", reduce::mean::build),
    ("ReduceMin", reduce::max::build),
    ("ReduceProd", shape::reduce_prod::build),
    ("ReduceSum", reduce::sum::build),
    ("Relu", unary::relu::build),
    ("Reshape", layout::reshape::build),
    ("Selu", unary::selu::build),
    ("Shape", shape::shape_of::build),
    ("Sigmoid", unary::sigmoid::build),
    ("Sign", shape::sign::build),
    ("Size", shape::shape_of::build),
    ("Slice", layout::slice::build),
    ("Softmax", softmax::build),
    ("Softplus", unary::softplus::build),
    ("Softsign", unary::softsign::build),
    ("Split", layout::split::build),
    ("Sqrt", unary::sqrt::build),
    ("Squeeze", layout::squeeze::build),
    ("Sub", sub::build),
    ("Sum", add::build),
    ("Swish", unary::swish::build),
    ("Tanh", unary::tanh::build),
    ("ThresholdedRelu", unary::thresholded_relu::build),
    ("Tile", layout::tile::build),
    ("Transpose", layout::transpose::build),
    ("Unsqueeze", layout::unsqueeze::build),
    ("Where", where_::build),
    ("Xor", shape::logical::build),
];

/// What to do about operators that people meet and that have no exact rule here.
const ADVICE: &[(&[&str], &str)] = &[
    (&["Loop", "Scan", "If"], "data-dependent control flow has no DeepLIFT rule; export from PyTorch, or unroll the loop"),
    (&["TopK", "NonZero", "Unique", "ArgMax", "ArgMin", "Hardmax"], "it is not a function with differences; choose a target before this node"),
    (&["RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"], "it draws random numbers; export the model in inference mode"),
    (&["QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"], "export the model before quantisation"),
    (&["Erfc"], "it is not an ONNX operator; the exporter wrote an invalid file: use the tanh approximation of GELU or export from PyTorch"),
];

/// The operators of [`TABLE`].
pub struct Operators;

impl Registry for Operators {
    fn build(&self, cx: &Build<'_>) -> Result<Box<dyn Operator>> {
        let at = match TABLE.binary_search_by(|(name, _)| (*name).cmp(cx.op)) {
            Ok(at) => at,
            Err(_) => {
                let advice = ADVICE.iter().find(|(names, _)| names.contains(&cx.op)).map_or(
                    "choose a target before this node (an inner tensor can be named), or export the model differently",
                    |(_, advice)| advice,
                );
                bail!(UnsupportedOp, "operator {} has no rule; {advice}", cx.op)
            }
        };
        TABLE[at].1(cx)
    }

    fn knows(&self, op: &str) -> bool {
        TABLE.binary_search_by(|(name, _)| (*name).cmp(op)).is_ok()
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
