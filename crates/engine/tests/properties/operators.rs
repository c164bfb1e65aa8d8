//! Every operator: it computes what ONNX says, and its contributions sum to the difference of the output, for every
//! rule, in both precisions, alone and between other layers.
use deeplift_engine::score::Values;
use deeplift_graph::operator::Precision;
use deeplift_graph::Result;
use proptest::prelude::*;

use crate::cases::{self, Case};
use crate::common::draw::Draw;
use crate::common::tensor::Tensor;
use crate::common::{assert_close, Setup};

/// Rules under which contributions sum to the difference.
pub const COMPLETE: [&str; 3] = ["rescale", "reveal-cancel", "genomics-default"];

#[test]
fn every_operator_is_in_one_list() {
    let mut listed: Vec<&str> = cases::data_ops().collect();
    listed.extend(cases::PLAN_TIME);
    listed.extend(deeplift_ops::INTERNAL);
    listed.extend(cases::FORWARD_ONLY);
    listed.sort_unstable();
    let table: Vec<&str> = deeplift_ops::TABLE.iter().map(|(name, ..)| *name).collect();
    assert_eq!(listed, table);
}

/// A case with its inputs, references and the layers around it.
pub struct Drawn {
    pub setup: Setup,
    pub x: Vec<Tensor>,
    pub x0: Vec<Tensor>,
}

/// `bare` gives the operator the inputs themselves and its output to the target.
pub fn place(case: &Case, bare: bool, d: &mut Draw) -> Drawn {
    let (low, high) = case.range;
    let bounded = case.range != cases::ANYWHERE;
    let before = if bare || bounded { 0 } else { d.int(0, 3) };
    let after = if bare { 0 } else { d.int(0, 3) };
    let mut net = case.net.clone();
    let mut x = vec![];
    let mut x0 = vec![];
    for (shape, name) in case.inputs.iter().zip(["a", "b"]) {
        let outer = format!("{name}_in");
        let given = if before == 0 { name } else { outer.as_str() };
        net = net.input(given, &shape[1..]);
        net = match before {
            0 => net,
            1 => net
                .weight(&format!("{name}_scale"), &[], vec![d.real(-1.5, 1.5)])
                .weight(&format!("{name}_shift"), &[], vec![d.real(-1.0, 1.0)])
                .node("Mul", &format!("{given} {name}_scale"), &format!("{name}_scaled"), [])
                .node("Add", &format!("{name}_scaled {name}_shift"), name, []),
            2 => net.node("Tanh", given, name, []),
            _ => {
                let k = shape[shape.len() - 1];
                net.weight(&format!("{name}_w"), &[k, k], d.reals(k * k, -1.0, 1.0)).node(
                    "MatMul",
                    &format!("{given} {name}_w"),
                    name,
                    [],
                )
            }
        };
        let n = shape.iter().product();
        let (own, reference) = d.pair(n, low, high);
        x.push(Tensor::new(shape, own));
        x0.push(Tensor::new(shape, reference));
    }
    let mut target = "y";
    if after > 0 {
        // Parts of differences flow through the operator into an activation that splits them.
        net = net
            .weight("y_scale", &[], vec![-1.3])
            .weight("y_shift", &[], vec![d.real(-0.5, 0.5)])
            .node("Mul", "y y_scale", "y_scaled", [])
            .node("Add", "y_scaled y_shift", "y_moved", [])
            .node(["Relu", "Tanh", "Softplus"][after - 1], "y_moved", "t", []);
        target = "t";
    }
    let data = |t: &[Tensor]| t.iter().map(|t| t.data.clone()).collect();
    Drawn { setup: net.pair(target, data(&x), data(&x0)), x, x0 }
}

/// Relative residual of one target: against the outputs, and against what was summed, which is what rounding scales
/// with.
pub fn residual<T: Precision>(setup: &Setup) -> Result<f64> {
    let s = setup.score::<T>()?;
    let mut worst = 0.0f64;
    for k in 0..s.output.len() {
        let (mut sum, mut size) = (0.0, 0.0);
        for (i, input) in setup.options.inputs.iter().enumerate() {
            let n: usize = input.shape.iter().product();
            let row = &s.contributions[i][k * n..][..n];
            sum += row.iter().map(|c| c.to_f64()).sum::<f64>();
            size += row.iter().map(|c| c.to_f64().abs()).sum::<f64>();
        }
        let delta = s.output[k] - s.reference_output[k];
        let seed = setup.options.targets[k].seed.as_ref().map_or(1.0, |s| s.iter().map(|v| v.abs()).sum());
        let scale = [delta.abs(), s.output[k].abs(), s.reference_output[k].abs(), size, seed];
        worst = worst.max((sum - delta).abs() / scale.into_iter().fold(1e-12, f64::max));
    }
    Ok(worst)
}

fn check(op: &str, seed: u64) {
    let d = &mut Draw(seed);
    let case = cases::draw(op, d);
    let what = format!("{op}, seed {seed}");
    let bare = place(&case, true, d);
    let setup = bare.setup.clone().every_element();
    let (Some(y), Some(y0)) = ((case.plain)(&bare.x), (case.plain)(&bare.x0)) else {
        assert!(setup.is_err(), "{what}: it is not defined or mixes examples, but it is scored");
        return;
    };
    let s = setup.and_then(|s| s.score::<f64>()).unwrap_or_else(|e| panic!("{what}: {e}"));
    // The standard's float32 attributes have seven digits.
    let tolerance = if op == "Selu" { 1e-7 } else { 1e-11 };
    assert_close(&s.output, &y.data, tolerance, &format!("{what}: y"));
    assert_close(&s.reference_output, &y0.data, tolerance, &format!("{what}: y of the reference"));
    for rule in COMPLETE {
        let mut drawn = place(&case, false, d);
        let n = drawn.setup.target_len().unwrap_or_else(|e| panic!("{what}: {e}"));
        drawn.setup = drawn.setup.rule(rule).seeds(vec![d.reals(n, -1.0, 1.0), d.reals(n, -1.0, 1.0)]);
        let exact = residual::<f64>(&drawn.setup).unwrap_or_else(|e| panic!("{what}, {rule}: {e}"));
        assert!(exact <= 1e-10, "{what}, {rule}: residual {exact:e}");
        let single = residual::<f32>(&drawn.setup).unwrap_or_else(|e| panic!("{what}, {rule}: {e}"));
        assert!(single <= 1e-5, "{what}, {rule}: residual {single:e} in float32");
    }
}

/// The references of one example are kept apart by their index.
#[test]
fn inputs_may_be_float32() {
    let d = &mut Draw(1);
    let case = cases::draw("Tanh", d);
    let drawn = place(&case, true, d);
    let mut single = drawn.setup.clone();
    let narrow = |v: &Values| match v {
        Values::F64(v) => Values::F32(v.iter().map(|&v| v as f32).collect()),
        other => other.clone(),
    };
    single.x = single.x.iter().map(narrow).collect();
    let (a, b) = (drawn.setup.score::<f64>().unwrap(), single.score::<f64>().unwrap());
    assert_close(&a.output, &b.output, 1e-6, "output");
}

macro_rules! operators {
    ($($name:ident: $($op:literal),+;)*) => {
        $(proptest! {
            #![proptest_config(crate::common::draw::config(120))]
            #[test]
            fn $name(seed in any::<u64>()) {
                for op in [$($op),+] {
                    check(op, seed);
                }
            }
        })*

        #[test]
        fn every_data_operator_is_checked() {
            let checked = [$($($op),+),*];
            for op in cases::data_ops() {
                assert!(checked.contains(&op), "{op} is checked nowhere");
            }
        }
    };
}

operators! {
    convolution: "Conv", "Conv", "Conv";
    pools: "AveragePool", "MaxPool", "AveragePool", "MaxPool", "GlobalAveragePool", "GlobalMaxPool";
    piecewise_linear: "Abs", "Clip", "HardSigmoid", "HardSwish", "LeakyRelu", "PRelu", "Relu", "ThresholdedRelu";
    smooth: "Celu", "Elu", "Erf", "Exp", "Gelu", "Log", "Mish", "Neg", "Pow", "Reciprocal", "Selu", "Sigmoid",
        "Softplus", "Softsign", "Sqrt", "Swish", "Tanh";
    arithmetic: "Add", "Div", "Mean", "Mul", "Sub", "Sum", "Add", "Div", "Mul", "Sub", "Sum";
    layers: "BatchNormalization";
    attention: "Attention", "RotaryEmbedding", "Attention";
    contractions: "Einsum", "Gemm", "MatMul", "Einsum", "Gemm", "MatMul";
    reductions: "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
        "ReduceProd", "ReduceSum", "ReduceSumSquare";
    normalisations: "GroupNormalization", "InstanceNormalization", "LRN", "LayerNormalization", "LpNormalization",
        "MeanVarianceNormalization", "MovingSum", "RMSNormalization", "Standardise";
    softmax: "LogSoftmax", "Softmax";
    trigonometric: "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Sin", "Sinh", "Tan";
    steps: "Cast", "CastLike", "Ceil", "Floor", "IsInf", "IsNaN", "Mod", "QuantizeLinear", "Round",
        "Shrink", "Sign";
    extrema: "Max", "Min", "DequantizeLinear";
    choices: "And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or", "Where", "Where", "Xor";
    views: "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze";
    recurrent: "GRU", "LSTM", "RNN";
    moves: "Concat", "Expand", "Gather", "Pad", "Slice", "Split", "Tile", "Transpose";
    transposed_convolution: "ConvTranspose", "ConvTranspose", "ConvTranspose";
    norms_of_windows: "GlobalLpPool", "LpPool", "LpPool";
    resampling: "Resize", "Resize", "Resize", "Upsample", "Col2Im", "DepthToSpace", "MaxUnpool", "SpaceToDepth";
    indexing: "CenterCropPad", "Compress", "GatherElements", "GatherND", "ReverseSequence", "Scatter",
        "ScatterElements", "ScatterND", "Trilu";
    along_an_axis: "CumSum", "DFT";
}
