//! Files and options that cannot be right are refused at once, by name, without the memory that they ask for.
use std::time::{Duration, Instant};

use deeplift_engine::options::{Encoding, ProfileWeights, References, ReverseComplement};
use deeplift_engine::score::Values;
use deeplift_graph::wire::Attribute;
use deeplift_graph::{Code, Constant, Error};

use crate::common::{float, int, ints, string, value, Net, Setup};

const HUGE: i64 = 1 << 40;

/// Why a network cannot be planned. Refusing takes no time: nothing of the wanted size is made.
#[track_caller]
fn refused(net: Net) -> Error {
    let started = Instant::now();
    let text = format!("{:?}", net.wire.nodes);
    let error = Setup::new(net, "t").program::<f32>().err();
    let error = error.unwrap_or_else(|| panic!("the network is accepted: {text}"));
    assert!(started.elapsed() < Duration::from_secs(2), "refusing took {:?}", started.elapsed());
    error
}

#[track_caller]
pub fn assert_refused(net: Net, code: Code, texts: &[&str]) {
    let error = refused(net);
    assert_eq!(error.code, code, "{error}");
    assert_eq!(error.message.matches("test.onnx").count(), 1, "the file is named once: {error}");
    for text in texts {
        assert!(error.message.contains(text), "'{text}' is not in: {error}");
    }
}

pub fn x(shape: &[usize]) -> Net {
    Net::new().input("x", shape)
}

#[test]
fn broken_graphs() {
    let cycle = x(&[3]).node("Add", "x b", "a", []).node("Relu", "a", "b", []).node("Relu", "b", "t", []);
    assert_refused(cycle, Code::InvalidModel, &["cycle", "a_node"]);
    let missing = x(&[3]).node("MatMul", "x w", "t", []);
    assert_refused(missing, Code::InvalidModel, &["'w'", "t_node", "MatMul"]);
    let own = x(&[3]).node("Relu", "t", "t", []);
    assert_refused(own, Code::InvalidModel, &["cycle"]);
    let twice = x(&[3]).node("Relu", "x", "t", []).node("Abs", "x", "t", []);
    assert_refused(twice, Code::InvalidModel, &["'t'", "twice"]);
    let no_input = Net::new().weight("x", &[1, 3], vec![1.0; 3]).node("Relu", "x", "t", []);
    assert_refused(no_input, Code::InvalidModel, &["no input"]);
    let constant = x(&[3]).weight("w", &[3], vec![1.0; 3]).node("Relu", "w", "t", []);
    assert_refused(constant, Code::InvalidOption, &["'t'", "does not depend"]);
}

#[test]
fn values_that_are_no_numbers() {
    let nan = x(&[3]).weight("w", &[3, 1], vec![1.0, f64::NAN, 0.0]).node("MatMul", "x w", "t", []);
    assert_refused(nan, Code::InvalidModel, &["'w'", "NaN", "1"]);
}

#[test]
fn opsets_out_of_range() {
    for opset in [-1, 0, 6, 26, i64::MAX] {
        let net = Net::of_opset(opset).input("x", &[3]).node("Relu", "x", "t", []);
        assert_refused(net, Code::UnsupportedModel, &[&opset.to_string()]);
    }
}

#[test]
fn shapes_that_do_not_fit() {
    let w = |shape: &[usize]| x(&[4, 6]).weight("w", shape, vec![0.1; shape.iter().product()]);
    for net in [
        w(&[3, 5, 3]).node("Conv", "x w", "t", []),
        w(&[3, 4]).node("Conv", "x w", "t", []),
        w(&[3, 4, 3, 3]).node("Conv", "x w", "t", []),
        // Groups that do not divide, and no groups.
        w(&[3, 2, 3]).node("Conv", "x w", "t", [int("group", 2)]),
        w(&[4, 1, 3]).node("Conv", "x w", "t", [int("group", 3)]),
        w(&[4, 4, 3]).node("Conv", "x w", "t", [int("group", 0)]),
        w(&[4, 4, 3]).node("Conv", "x w", "t", [int("group", -1)]),
        w(&[4, 4, 3]).node("Conv", "x w", "t", [int("group", i64::MAX)]),
        // Larger than the input.
        w(&[3, 4, 7]).node("Conv", "x w", "t", []),
        w(&[3, 4, 3]).node("Conv", "x w", "t", [ints("dilations", &[3])]),
        w(&[3, 4, 3]).node("Conv", "x w", "t", [ints("kernel_shape", &[5])]),
        w(&[3, 4, 3]).weight("c", &[2], vec![0.0; 2]).node("Conv", "x w c", "t", []),
        w(&[3, 4, 3]).node("Conv", "x w", "t", [ints("strides", &[0])]),
        w(&[3, 4, 3]).node("Conv", "x w", "t", [ints("strides", &[1, 1])]),
        w(&[3, 4, 3]).node("Conv", "x w", "t", [ints("pads", &[-1, 1])]),
        w(&[3, 4, 3]).node("Conv", "x w", "t", [ints("pads", &[1])]),
        w(&[3, 4, 3]).node("Conv", "x w", "t", [string("auto_pad", "SOME")]),
        w(&[3, 4, 3]).node("Conv", "x w", "t", [string("group", "1")]),
        w(&[5, 2]).node("MatMul", "x w", "t", []),
        w(&[6, 2]).weight("c", &[3], vec![0.0; 3]).node("Flatten", "x", "f", []).node(
            "Gemm",
            "f w c",
            "t",
            [],
        ),
        w(&[3]).node("Add", "x w", "t", []),
        w(&[1, 1, 4, 6]).node("PRelu", "x w", "t", []),
        x(&[4, 6]).node("MaxPool", "x", "t", [ints("kernel_shape", &[7])]),
        x(&[4, 6]).node("MaxPool", "x", "t", [ints("kernel_shape", &[2, 2])]),
        x(&[4, 6]).node("MaxPool", "x", "t", [ints("kernel_shape", &[2]), ints("pads", &[2, 0])]),
        x(&[4, 6]).node("MaxPool", "x", "t", []),
        x(&[4, 6]).node("Concat", "x x", "t", [int("axis", 3)]),
        x(&[4, 6]).input("z", &[3, 5]).node("Concat", "x z", "t", [int("axis", 1)]),
        x(&[4, 6]).node("Transpose", "x", "t", [ints("perm", &[0, 1, 1])]),
        x(&[4, 6]).node("Transpose", "x", "t", [ints("perm", &[0, -1, 1])]),
        x(&[4, 6]).node("Softmax", "x", "t", [int("axis", 3)]),
        x(&[4, 6]).list("to", &[1, 5, 5]).node("Reshape", "x to", "t", []),
        x(&[4, 6]).list("to", &[-1, -1]).node("Reshape", "x to", "t", []),
        x(&[4, 6]).list("to", &[-1, 7]).node("Reshape", "x to", "t", []),
        x(&[4, 6]).list("to", &[-2, 12]).node("Reshape", "x to", "t", []),
        x(&[4, 6]).list("axes", &[1]).node("Squeeze", "x axes", "t", []),
        x(&[4, 6]).list("axes", &[1, 1]).node("Unsqueeze", "x axes", "t", []),
        x(&[4, 6]).list("axes", &[5]).node("ReduceSum", "x axes", "t", []),
        x(&[4, 6]).list("at", &[4]).node("Gather", "x at", "t", [int("axis", 1)]),
        x(&[4, 6]).list("at", &[-5]).node("Gather", "x at", "t", [int("axis", 1)]),
        w(&[4, 2, 3]).node("ConvTranspose", "x w", "t", [ints("pads", &[4, 4])]),
        w(&[4, 2, 3]).node("ConvTranspose", "x w", "t", [ints("output_shape", &[0])]),
        w(&[4, 2, 3]).node("ConvTranspose", "x w", "t", [int("group", 3)]),
        w(&[3, 2, 3]).node("ConvTranspose", "x w", "t", []),
        w(&[2]).node("Resize", "x _ w", "t", []),
        w(&[3]).node("Resize", "x _ w", "t", [string("mode", "quintic")]),
        w(&[3]).node(
            "Resize",
            "x _ w",
            "t",
            [string("coordinate_transformation_mode", "tf_crop_and_resize")],
        ),
        w(&[3]).list("n", &[1, 4, 6]).node("Resize", "x _ w n", "t", []),
        x(&[4, 6]).list("n", &[1, 4, 0]).node("Resize", "x _ _ n", "t", []),
        x(&[4, 6, 6]).node("DepthToSpace", "x", "t", [int("blocksize", 3)]),
        x(&[4, 6, 6]).node("SpaceToDepth", "x", "t", [int("blocksize", 4)]),
        x(&[4, 6, 6]).node("SpaceToDepth", "x", "t", []),
        x(&[4, 6]).list("n", &[7]).node(
            "ReverseSequence",
            "x n",
            "t",
            [int("batch_axis", 0), int("time_axis", 1)],
        ),
        x(&[4, 6]).list("n", &[1, 4]).node("CenterCropPad", "x n", "t", []),
        x(&[4, 6]).list("n", &[1, 1, 1, 1, 1, 1, 1]).node("Compress", "x n", "t", [int("axis", 2)]),
        x(&[4, 6]).list("n", &[6]).node("GatherND", "x n", "t", []),
        x(&[4, 6]).list("n", &[0, 0, 0, 0]).node("GatherND", "x n", "t", []),
        x(&[4, 6]).list("n", &[0]).node("GatherElements", "x n", "t", []),
        w(&[1]).list("n", &[0]).node("ScatterND", "x n w", "t", []),
        w(&[4, 6]).list("n", &[0]).node("ScatterND", "x n w", "t", [string("reduction", "mean")]),
        w(&[1, 1, 1]).list("n", &[0]).node("ScatterElements", "x n w", "t", []),
        x(&[4, 6]).node("LpPool", "x", "t", [ints("kernel_shape", &[2]), int("p", 0)]),
        x(&[4, 6]).list("n", &[5]).list("b", &[2]).node("Col2Im", "x n b", "t", []),
        x(&[4, 6]).node("DFT", "x", "t", []),
        x(&[4, 6]).constant("n", Constant::i64(vec![1, 4, 6], vec![99; 24])).node(
            "MaxUnpool",
            "x n",
            "t",
            [ints("kernel_shape", &[2])],
        ),
        x(&[4, 6]).list("n", &[2, 3]).node("Split", "x n", "t u", [int("axis", 1)]),
        x(&[4, 6]).list("n", &[2, 2]).node("Split", "x n", "t u v", [int("axis", 1)]),
        x(&[4, 6]).list("n", &[i64::MAX, i64::MAX, 6]).node("Split", "x n", "t u v", [int("axis", 1)]),
    ] {
        let op = net.ops()[net.ops().len() - 1].to_string();
        assert_refused(net, Code::InvalidModel, &["t_node", &op]);
    }
}

/// Numbers in a file decide nothing about memory before they are checked.
#[test]
fn dimensions_that_no_memory_has() {
    let list = |values: &[i64]| x(&[4, 6]).list("n", values);
    let scalar = |net: Net, name: &str, v: i64| net.constant(name, Constant::i64(vec![], vec![v]));
    for size in [HUGE, 1 << 31, 1 << 30, i64::MAX] {
        let range = scalar(scalar(scalar(x(&[4]), "from", 0), "to", size), "by", 1);
        for net in [
            list(&[size, 1, 1]).node("Reshape", "x n", "t", []),
            list(&[size, 1, 1]).node("Expand", "x n", "t", []),
            list(&[1, size, 1]).node("Tile", "x n", "t", []),
            list(&[0, 0, size, 0, 0, 0]).node("Pad", "x n", "t", []),
            list(&[0, size, size, 0, size, size]).node("Pad", "x n", "t", []),
            list(&[size, size]).node("ConstantOfShape", "n", "c", []).node("Add", "x c", "t", []),
            list(&[size]).node("ConstantOfShape", "n", "c", []).node("Add", "x c", "t", []),
            range.node("Range", "from to by", "r", []).node("Gather", "x r", "t", [int("axis", 1)]),
            x(&[4, 6]).weight("w", &[1, 4, 1], vec![1.0; 4]).node(
                "Conv",
                "x w",
                "t",
                [ints("pads", &[size, size])],
            ),
            list(&[1, size, 1]).node("CenterCropPad", "x n", "t", []),
            list(&[1, 4, size]).node("Resize", "x _ _ n", "t", []),
            x(&[4, 6]).weight("by", &[3], vec![1.0, 1.0, size as f64]).node("Resize", "x _ by", "t", []),
            list(&[size]).list("at", &[0]).weight("of", &[2], vec![0.0, 1.0]).node(
                "OneHot",
                "at n of",
                "t",
                [],
            ),
            x(&[4, 6, 1]).list("n", &[size]).node("DFT", "x n", "t", []),
            list(&[size]).list("b", &[4]).node("Col2Im", "x n b", "t", []),
            x(&[4, 6]).node("DepthToSpace", "x", "t", [int("blocksize", size)]),
            x(&[4, 6]).weight("w", &[4, 1, 1], vec![1.0; 4]).node(
                "ConvTranspose",
                "x w",
                "t",
                [ints("output_padding", &[size])],
            ),
            x(&[4, 6]).weight("w", &[4, 1, 2], vec![1.0; 8]).node(
                "ConvTranspose",
                "x w",
                "t",
                [ints("strides", &[size]), ints("dilations", &[size])],
            ),
            x(&[4, 6]).constant("at", Constant::i64(vec![1, 4, 6], vec![0; 24])).node(
                "MaxUnpool",
                "x at",
                "t",
                [ints("kernel_shape", &[1]), ints("strides", &[size])],
            ),
            x(&[4, 6]).node(
                "AveragePool",
                "x",
                "t",
                [ints("kernel_shape", &[size]), ints("pads", &[size, size])],
            ),
        ] {
            let op = net.ops()[0].to_string();
            let error = refused(net);
            assert!(matches!(error.code, Code::InvalidModel | Code::UnsupportedModel | Code::InvalidOption));
            assert!(error.message.contains("_node"), "{op} of {size}: {error}");
        }
    }
    for n in [HUGE, i64::MAX] {
        let mut net = x(&[4]).node("Relu", "x", "t", []);
        net.wire.inputs[0].dims = vec![n, n];
        assert_eq!(net.output("t").model().unwrap_err().code, Code::InvalidModel);
    }
    let mut net = x(&[4]).node("Relu", "x", "t", []);
    net.wire.inputs[0].dims = vec![-1, -2];
    assert_eq!(net.output("t").model().unwrap_err().code, Code::InvalidModel);
}

#[test]
fn operators_without_a_rule_are_named_where_they_matter() {
    for op in ["Unique", "Loop", "NonZero", "DynamicQuantizeLinear", "NoSuchOperator", "Dense", "Maximum"] {
        let on_the_path = x(&[4]).node(op, "x", "h", []).node("Relu", "h", "t", []);
        assert_refused(on_the_path, Code::UnsupportedOp, &["h_node", op]);
        let beside = x(&[4]).node("Relu", "x", "t", []).node(op, "t", "other", []);
        assert!(Setup::new(beside.clone(), "t").program::<f32>().is_ok(), "{op} beside the path");
        assert!(Setup::new(beside.output("other"), "t").program::<f32>().is_ok(), "{op} at another output");
    }
    let second = x(&[4]).node("Dropout", "x", "h mask", []).node("Relu", "mask", "t", []);
    assert_refused(second, Code::UnsupportedOp, &["h_node", "Dropout"]);
    let mut foreign = x(&[4]).node("FusedConv", "x", "t", []);
    foreign.wire.nodes[0].domain = "com.microsoft".into();
    assert_refused(foreign, Code::UnsupportedOp, &["t_node", "com.microsoft"]);
}

#[test]
fn training_mode_is_refused() {
    let net = x(&[2, 3]).weight("p", &[2], vec![1.0; 2]);
    let net = net.node("BatchNormalization", "x p p p p", "t", [int("training_mode", 1)]);
    assert_refused(net, Code::UnsupportedModel, &["t_node", "eval()"]);
    let net = x(&[2]).weight("r", &[], vec![0.5]).constant("on", Constant::bool(vec![], vec![true]));
    assert_refused(net.node("Dropout", "x r on", "t", []), Code::UnsupportedModel, &["t_node", "eval()"]);
}

#[test]
fn tensors_without_elements_are_refused() {
    for net in [
        x(&[5]).list("s", &[3]).list("e", &[3]).list("a", &[1]).node("Slice", "x s e a", "t", []),
        x(&[5]).list("s", &[3]).list("e", &[3]).list("a", &[1]).node("Slice", "x s e a", "h", []).node(
            "Concat",
            "x h",
            "t",
            [int("axis", 1)],
        ),
        x(&[5]).list("n", &[0, -2, 0, -3]).node("Pad", "x n", "h", []).node("Relu", "h", "t", []),
        x(&[0]).node("Relu", "x", "t", []),
        x(&[5]).list("n", &[1, 0]).node("Tile", "x n", "t", []),
    ] {
        let ops = net.ops().join(", ");
        let mut setup = Setup::new(net, "t");
        let n = setup.options.inputs[0].shape[0];
        setup.x = vec![Values::F64(vec![0.5; n])];
        let result = setup.score::<f32>();
        let fine = match &result {
            Ok(s) => s.completeness[0] <= 1e-6,
            Err(e) => e.code != Code::Internal,
        };
        assert!(fine, "{ops}: {result:?}");
    }
}

#[test]
fn options_that_do_not_fit() {
    let net = || {
        let net = x(&[4]).weight("w", &[4, 2], vec![0.1; 8]).node("MatMul", "x w", "h", []);
        net.node("Relu", "h", "t", [])
    };
    let with = |change: fn(&mut Setup)| {
        let mut s = Setup::new(net(), "t");
        s.x = vec![Values::F64(vec![0.5; 4])];
        change(&mut s);
        s.score::<f32>().err().unwrap_or_else(|| panic!("accepted"))
    };
    let cases: Vec<(Error, Code, &str)> = vec![
        (with(|s| s.options.rule = "rescal".into()), Code::InvalidOption, "rescal"),
        (with(|s| s.options.targets = vec![value("t", 2)]), Code::InvalidOption, "out of range"),
        (with(|s| s.options.targets[0].index = None), Code::InvalidOption, "2 values"),
        (with(|s| s.options.targets[0].seed = Some(vec![1.0])), Code::InvalidOption, "seed"),
        (with(|s| s.options.targets.clear()), Code::InvalidOption, "no target"),
        (
            with(|s| s.options.targets[0].profile = Some(ProfileWeights::Mean)),
            Code::InvalidOption,
            "one of index",
        ),
        (
            with(|s| {
                s.options.layers = vec!["h".into()];
                s.options.reverse_complement = Some(ReverseComplement { targets: vec![value("t", 0)] });
            }),
            Code::InvalidOption,
            "sequences",
        ),
        (with(|s| s.options.layers = vec!["z".into()]), Code::InvalidOption, "'z'"),
        (
            with(|s| {
                s.options.layers = vec!["t".into()];
                s.options.targets = vec![value("h", 0)];
            }),
            Code::InvalidOption,
            "no target depends on layer 't'",
        ),
        (with(|s| s.options.steps = Some(5)), Code::InvalidOption, "integrated-gradients"),
        (
            with(|s| {
                s.options.rule = "integrated-gradients".into();
                s.options.steps = Some(0);
            }),
            Code::InvalidOption,
            "0 steps",
        ),
        (with(|s| s.options.variants.max_pool = Some("max".into())), Code::InvalidOption, "shapley"),
        (with(|s| s.options.variants.near_zero = Some("never".into())), Code::InvalidOption, "tangermeme"),
        (with(|s| s.options.inputs[0].shape = vec![5]), Code::InvalidInput, "'x'"),
        (with(|s| s.options.inputs[0].name = "y".into()), Code::InvalidInput, "'x'"),
        (with(|s| s.options.references.clear()), Code::InvalidOption, "references"),
        (
            with(|s| s.options.references = vec![References::Shared { count: 2 }]),
            Code::InvalidInput,
            "missing",
        ),
        (
            with(|s| s.options.references = vec![References::PerExample { count: 0 }]),
            Code::InvalidOption,
            "0",
        ),
        (with(|s| s.options.inputs[0].encoding = Encoding::Codes), Code::InvalidInput, "'x'"),
        (with(|s| s.options.channel_axis = vec![Some(3)]), Code::InvalidOption, "axis 3"),
        (with(|s| s.options.memory = -1.0), Code::InvalidOption, "memory"),
        (with(|s| s.options.memory = f64::NAN), Code::InvalidOption, "memory"),
        (with(|s| s.x = vec![Values::F64(vec![0.5; 5])]), Code::InvalidInput, "5 values"),
        (with(|s| s.x = vec![Values::F64(vec![0.5, 1.0, f64::NAN, 0.0])]), Code::InvalidInput, "index 2"),
        (with(|s| s.x = vec![Values::F32(vec![f32::INFINITY; 4])]), Code::InvalidInput, "index 0"),
        (with(|s| s.x.clear()), Code::InvalidInput, "inputs"),
        (
            with(|s| {
                s.options.references = vec![References::PerExample { count: 1 }];
                s.references = vec![Some(Values::F64(vec![0.0, 0.0, f64::NAN, 0.0]))];
            }),
            Code::InvalidInput,
            "finite",
        ),
        (
            with(|s| {
                s.options.overrides = vec![deeplift_engine::options::Override {
                    node: "nothing*".into(),
                    rule: "rescale".into(),
                }]
            }),
            Code::InvalidOption,
            "nothing*",
        ),
    ];
    for (error, code, text) in cases {
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(text), "'{text}' is not in: {error}");
    }
}

/// Constants that only shape arithmetic sees are computed exactly as the standard says.
#[test]
fn constants_are_folded_as_the_standard_says() {
    let m = |name: &str, v: &[f64]| (name.to_string(), Constant::f64(vec![2, 2], v.to_vec()));
    let (a, b) = (m("a", &[1., 2., 3., 4.]), m("b", &[5., 6., 7., 8.]));
    let base = || {
        let mut net = x(&[2, 2]);
        net.wire.initializers = vec![a.clone(), b.clone()];
        net
    };
    for (net, expected) in [
        (base().node("MatMul", "a b", "c", []), [19., 22., 43., 50.]),
        (base().node("Gemm", "a b", "c", [int("transA", 1)]), [26., 30., 38., 44.]),
        (base().node("Gemm", "a b", "c", [int("transB", 1)]), [17., 23., 39., 53.]),
        (base().node("Gemm", "a b", "c", [float("alpha", 2.0)]), [38., 44., 86., 100.]),
        (base().node("Sub", "a b", "c", []), [-4., -4., -4., -4.]),
        (base().node("Div", "b a", "c", []), [5., 3., 7. / 3., 2.]),
        (base().node("Max", "a b a a a b", "c", []), [5., 6., 7., 8.]),
        (base().node("Min", "b b b b b a", "c", []), [1., 2., 3., 4.]),
        (base().node("Softmax", "a", "s", [int("axis", 1)]).node("Log", "s", "c", []), {
            let l = -(1.0 + 1f64.exp()).ln();
            [l, l + 1.0, l, l + 1.0]
        }),
        (base().node("Transpose", "a", "c", []), [1., 3., 2., 4.]),
        (base().node("Relu", "a", "c", []), [1., 2., 3., 4.]),
        (base().node("Neg", "a", "c", []), [-1., -2., -3., -4.]),
    ] {
        let what = format!("{} {:?}", net.ops().join(", "), net.wire.nodes[0].attributes);
        // Either the values of the standard, or a refusal; never other values.
        let setup = net.node("Add", "x c", "t", []).pair("t", vec![vec![0.0; 4]], vec![vec![0.0; 4]]);
        match setup.every_element().and_then(|s| s.score::<f64>()) {
            Ok(s) => crate::common::assert_close(&s.output, &expected, 1e-6, &what),
            Err(e) => assert_eq!(e.code, Code::UnsupportedOp, "{what}: {e}"),
        }
    }
}

/// An LSTM of two units over one input that is right but for what `change` does to it.
fn lstm(attributes: Vec<crate::common::Named>, w: &[usize], inputs: &str) -> Net {
    x(&[5, 1])
        .weight("w", w, vec![0.1; w.iter().product()])
        .weight("r", &[1, 8, 2], vec![0.1; 16])
        .list("lens", &[9])
        .node("Transpose", "x", "time", [ints("perm", &[1, 0, 2])])
        .node("LSTM", inputs, "t", attributes)
}

#[test]
fn recurrent_layers_that_do_not_fit() {
    let fine = lstm(vec![], &[1, 8, 1], "time w r");
    assert!(Setup::new(fine, "t").program::<f32>().is_ok());
    let broken = |net: Net, texts: &[&str]| assert_refused(net, Code::InvalidModel, texts);
    broken(lstm(vec![], &[1, 8, 3], "time w r"), &["t_node", "W", "[1, 8, 3]", "[1, 8, 1]"]);
    broken(lstm(vec![int("hidden_size", HUGE)], &[1, 8, 1], "time w r"), &["hidden_size"]);
    broken(lstm(vec![string("direction", "both")], &[1, 8, 1], "time w r"), &["'both'"]);
    broken(lstm(vec![float("clip", -1.0)], &[1, 8, 1], "time w r"), &["clip -1"]);
    broken(lstm(vec![float("clip", f64::NAN)], &[1, 8, 1], "time w r"), &["clip NaN"]);
    broken(lstm(vec![], &[1, 8, 1], "time w r _ lens"), &["sequence_lens 9", "5"]);
    broken(lstm(vec![], &[1, 8, 1], "time w r _ _ w"), &["input 5", "[1, 1, 2]"]);
    let strings = |v: &[&str]| Attribute::Strings(v.iter().map(|v| v.to_string()).collect());
    let activations = |v: &[&str]| lstm(vec![("activations".into(), strings(v))], &[1, 8, 1], "time w r");
    broken(activations(&["Tanh"]), &["1 activations", "3"]);
    broken(activations(&["Sigmoid", "Tanh", "Sin"]), &["'Sin'"]);
    broken(activations(&["Sigmoid", "Tanh", "Affine"]), &["Affine", "activation_alpha"]);
}

#[test]
fn recurrent_layers_without_a_rule() {
    let computed = lstm(vec![], &[1, 8, 1], "time w r");
    let computed = computed.list("flat", &[1, 8, 1]).list("n", &[1, 8, 5]);
    let weights = computed
        .node("Reshape", "x row", "one", [])
        .list("row", &[1, 1, 5])
        .node("Expand", "one n", "wide", [])
        .node("LSTM", "time wide r", "u", []);
    let error = Setup::new(weights, "u").program::<f32>().err().expect("a computed weight matrix");
    assert_eq!(error.code, Code::UnsupportedOp, "{error}");
    assert!(error.message.contains("weight matrix W"), "{error}");
    // Examples along the axis of time.
    let mixed = x(&[5, 1]).weight("w", &[1, 8, 1], vec![0.1; 8]).weight("r", &[1, 8, 2], vec![0.1; 16]).node(
        "LSTM",
        "x w r",
        "t",
        [],
    );
    assert_refused(mixed, Code::UnsupportedOp, &["t_node", "axis 0", "examples"]);
}
