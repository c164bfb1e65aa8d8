//! Attention: its worked numbers, and transformer blocks as exporters of different versions write them.
use proptest::prelude::*;

use crate::common::draw::Draw;
use crate::common::{assert_close, float, int, ints, string, Net};
use crate::fused::same;

/// `softmax(X Xᵀ / √2) X`: products and a Softmax, one product over named axes, and the operator.
fn plain_attention() -> [Net; 3] {
    let net = || Net::new().input("x", &[2, 2]).weight("scale", &[], vec![0.5f64.sqrt()]);
    let equation = |text: &str| [string("equation", text)];
    [
        net()
            .node("Transpose", "x", "k", [ints("perm", &[0, 2, 1])])
            .node("MatMul", "x k", "raw", [])
            .node("Mul", "raw scale", "scores", [])
            .node("Softmax", "scores", "p", [int("axis", -1)])
            .node("MatMul", "p x", "t", []),
        net()
            .node("Einsum", "x x scale", "scores", equation("...id,...jd,->...ij"))
            .node("Softmax", "scores", "p", [int("axis", -1)])
            .node("Einsum", "p x", "t", equation("bij,bjd->bid")),
        net().node("Attention", "x x x", "t", [int("q_num_heads", 1), int("kv_num_heads", 1)]),
    ]
}

/// SEMANTICS 5: the identity matrix against a matrix of two equal columns.
#[test]
fn attention_has_its_worked_numbers() {
    for (i, net) in plain_attention().into_iter().enumerate() {
        let (x, x0) = (vec![1.0, 0.0, 0.0, 1.0], vec![0.0, 0.0, 0.5, 0.5]);
        let s = net.pair("t", vec![x], vec![x0]).every_element().unwrap().score::<f64>().unwrap();
        let delta = |k: usize| s.output[k] - s.reference_output[k];
        let first = [0.6167110652, 0.0, -0.1969495158, 0.0];
        assert_close(&s.contributions[0][..4], &first, 1e-10, &format!("form {i}, target (0, 0)"));
        assert_close(&[delta(0), delta(3)], &[0.4197615493, 0.3760220489], 1e-10, &format!("form {i}"));
        let last = [-0.0308559557, 0.0, 0.0, 0.4068780046];
        assert_close(&s.contributions[0][12..], &last, 1e-10, &format!("form {i}, target (1, 1)"));
    }
}

/// Sizes of a block: positions, heads of queries and of keys, elements of a head.
struct Block {
    positions: usize,
    heads: usize,
    groups: usize,
    depth: usize,
    causal: bool,
    /// Added to the scores, `[positions, positions]`.
    mask: Vec<f64>,
    /// Cosines and sines per position and pair of elements.
    angles: Vec<f64>,
    weights: Draw,
}

impl Block {
    fn draw(seed: u64) -> Self {
        let d = &mut Draw(seed);
        let groups = d.int(1, 2);
        let (positions, heads, depth) = (d.int(2, 4), groups * d.int(1, 2), 2 * d.int(1, 2));
        let value = |d: &mut Draw, i: usize| match d.int(0, 4) {
            0 if !i.is_multiple_of(positions + 1) => f64::NEG_INFINITY,
            _ => d.real(-1.0, 1.0),
        };
        let mask = (0..positions * positions).map(|i| value(d, i)).collect();
        let angles = d.reals(positions * depth / 2, -2.0, 2.0);
        Block { positions, heads, groups, depth, causal: d.coin(), mask, angles, weights: d.clone() }
    }

    fn width(&self) -> usize {
        self.heads * self.depth
    }

    /// Norm, queries and keys with rotary embeddings, attention, a residual, and a dense layer with GELU.
    fn net(&self, fused: bool) -> Net {
        let (n, w) = (self.positions, self.width());
        let d = &mut self.weights.clone();
        let mut net = Net::of_opset(23).input("x", &[n, w]);
        let kv = self.groups * self.depth;
        for (name, k, outs) in
            [("wq", w, w), ("wk", w, kv), ("wv", w, kv), ("wo", w, w), ("w1", w, 2 * w), ("w2", 2 * w, w)]
        {
            let values = d.reals(k * outs, -1.0, 1.0).into_iter().map(|v| v / (k as f64).sqrt()).collect();
            net = net.weight(name, &[k, outs], values);
        }
        net = net.weight("g", &[w], d.reals(w, 0.5, 1.5)).weight("c", &[w], d.reals(w, -0.5, 0.5));
        net = net.node("LayerNormalization", "x g c", "h", [float("epsilon", 1e-5)]);
        for name in ["q", "k", "v"] {
            net = net.node("MatMul", &format!("h w{name}"), name, []);
        }
        net = if fused { self.operators(net) } else { self.pieces(net) };
        net.node("MatMul", "o wo", "projected", [])
            .node("Add", "x projected", "r", [])
            .node("MatMul", "r w1", "m1", [])
            .node("Gelu", "m1", "m2", [])
            .node("MatMul", "m2 w2", "m3", [])
            .node("Add", "r m3", "y", [])
            .node("ReduceMean", "y over", "t", [int("keepdims", 0)])
            .list("over", &[1])
    }

    /// From `q`, `k`, `v` to `o`, as opset 23 has it.
    fn operators(&self, net: Net) -> Net {
        let shape = [1, self.positions, self.depth / 2];
        let of = |f: fn(f64) -> f64| self.angles.iter().map(|&a| f(a)).collect::<Vec<_>>();
        let turn = |heads: usize| [int("num_heads", heads as i64)];
        net.weight("cos", &shape, of(f64::cos))
            .weight("sin", &shape, of(f64::sin))
            .weight("mask", &[self.positions; 2], self.mask.clone())
            .node("RotaryEmbedding", "q cos sin", "qr", turn(self.heads))
            .node("RotaryEmbedding", "k cos sin", "kr", turn(self.groups))
            .node(
                "Attention",
                "qr kr v mask",
                "o",
                [
                    int("q_num_heads", self.heads as i64),
                    int("kv_num_heads", self.groups as i64),
                    int("is_causal", i64::from(self.causal)),
                ],
            )
    }

    /// The same as exporters write it below opset 23: heads by Reshape and Transpose, keys and values repeated by
    /// Expand, halves of a head swapped by Slice, Neg and Concat, and one mask for everything.
    fn pieces(&self, net: Net) -> Net {
        let Block { positions: n, heads, groups, depth, .. } = *self;
        let (r, half) = (heads / groups, depth / 2);
        let both = |f: fn(f64) -> f64| -> Vec<f64> {
            self.angles.chunks(half).flat_map(|a| [a, a].concat()).map(f).collect()
        };
        let mut mask = self.mask.clone();
        for (i, m) in mask.iter_mut().enumerate() {
            if self.causal && i % n > i / n {
                *m = f64::NEG_INFINITY;
            }
        }
        let dims = |s: &[usize]| s.iter().map(|&d| d as i64).collect::<Vec<_>>();
        let mut net = net
            .weight("cos", &[n, depth], both(f64::cos))
            .weight("sin", &[n, depth], both(f64::sin))
            .weight("mask", &[n, n], mask)
            .weight("scale", &[], vec![1.0 / (depth as f64).sqrt()])
            .list("from", &[0])
            .list("middle", &[half as i64])
            .list("to", &[depth as i64])
            .list("last", &[-1])
            .list("second", &[2])
            .list("repeated", &dims(&[1, groups, r, n, depth]))
            .list("as_heads", &dims(&[1, heads, n, depth]))
            .list("flat", &dims(&[0, 0, heads * depth]));
        for (name, count) in [("q", heads), ("k", groups), ("v", groups)] {
            let shape = format!("{name}_shape");
            net = net
                .list(&shape, &dims(&[0, 0, count, depth]))
                .node("Reshape", &format!("{name} {shape}"), &format!("{name}_split"), [])
                .node(
                    "Transpose",
                    &format!("{name}_split"),
                    &format!("{name}_heads"),
                    [ints("perm", &[0, 2, 1, 3])],
                );
        }
        for name in ["q", "k"] {
            let of = |piece: &str| format!("{name}_{piece}");
            net = net
                .node("Slice", &format!("{name}_heads from middle last"), &of("low"), [])
                .node("Slice", &format!("{name}_heads middle to last"), &of("high"), [])
                .node("Neg", &of("high"), &of("minus"), [])
                .node("Concat", &format!("{name}_minus {name}_low"), &of("swapped"), [int("axis", -1)])
                .node("Mul", &format!("{name}_heads cos"), &of("c"), [])
                .node("Mul", &format!("{name}_swapped sin"), &of("s"), [])
                .node("Add", &format!("{name}_c {name}_s"), &of("turned"), []);
        }
        for (name, from) in [("k", "k_turned"), ("v", "v_heads")] {
            net = net
                .node("Unsqueeze", &format!("{from} second"), &format!("{name}_one"), [])
                .node("Expand", &format!("{name}_one repeated"), &format!("{name}_many"), [])
                .node("Reshape", &format!("{name}_many as_heads"), &format!("{name}_all"), []);
        }
        net.node("Transpose", "k_all", "k_columns", [ints("perm", &[0, 1, 3, 2])])
            .node("MatMul", "q_turned k_columns", "raw", [])
            .node("Mul", "raw scale", "scaled", [])
            .node("Add", "scaled mask", "scores", [])
            .node("Softmax", "scores", "p", [int("axis", -1)])
            .node("MatMul", "p v_all", "o_heads", [])
            .node("Transpose", "o_heads", "o_split", [ints("perm", &[0, 2, 1, 3])])
            .node("Reshape", "o_split flat", "o", [])
    }
}

proptest! {
    #![proptest_config(crate::common::draw::config(40))]

    /// SEMANTICS 3.1: multipliers do not depend on which operators a block is written with.
    #[test]
    fn transformer_blocks_in_pieces(seed in any::<u64>()) {
        let block = Block::draw(seed);
        let elements = block.positions * block.width();
        same(block.net(true), block.net(false), elements, &mut Draw(seed), "transformer block");
    }

    #[test]
    fn transformer_blocks_are_exact(seed in any::<u64>()) {
        let block = Block::draw(seed);
        let d = &mut Draw(seed);
        let (x, x0) = d.pair(block.positions * block.width(), -2.0, 2.0);
        let w = d.reals(block.width(), -1.0, 1.0);
        let setup = block.net(true).pair("t", vec![x], vec![x0]).seeds(vec![w]);
        let (exact, single) = (setup.score::<f64>().unwrap(), setup.score::<f32>().unwrap());
        prop_assert!(exact.completeness[0] < 1e-12, "{:e}", exact.completeness[0]);
        prop_assert!(single.completeness[0] < 1e-5, "{:e} in float32", single.completeness[0]);
    }
}
