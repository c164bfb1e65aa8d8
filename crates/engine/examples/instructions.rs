//! A fixed amount of scoring, for tools that count instructions: `instructions NETWORK SEQUENCES`, each sequence against
//! three dinucleotide shuffles. With no sequence it only plans, which tells the cost of the rest apart.
//!
//! `node scripts/instructions.mjs` counts and compares with the table beside it.
#[path = "../tests/common/mod.rs"]
mod common;

use common::published::{bpnet, genomics};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [network, sequences] = &arguments[..] else { panic!("expected a network and a number of sequences") };
    let sequences: usize = sequences.parse().expect("a number of sequences");
    let setup = match network.as_str() {
        "genomics" => genomics(100, 20, sequences, 3),
        "bpnet" => bpnet(256, 16, 4, sequences, 3),
        other => panic!("no network {other}; there are genomics and bpnet"),
    };
    let scores = setup.score::<f32>().expect("the network can be scored");
    let worst = scores.completeness.iter().copied().fold(0.0, f64::max);
    assert!(worst < 1e-4, "contributions do not sum to the difference: {worst}");
    println!("{network}: {sequences} sequences, completeness {worst:e}");
}
