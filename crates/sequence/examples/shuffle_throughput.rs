//! Microseconds per dinucleotide shuffle on one thread.
//!
//! `cargo run --release -p deeplift-sequence --example shuffle_throughput`

use deeplift_sequence::{dinucleotide_shuffle, NPolicy, ShuffleKey, ShuffleScratch};
use std::time::Instant;

fn main() {
    for len in [200u32, 600, 2114] {
        let codes: Vec<u8> =
            (0..len).map(|i| (i.wrapping_mul(2_654_435_761).wrapping_mul(i) >> 30) as u8).collect();
        let (mut out, mut scratch) = (vec![0; codes.len()], ShuffleScratch::default());
        let mut best = f64::INFINITY;
        for sample in 0..7 {
            const CALLS: u64 = 2_000;
            let start = Instant::now();
            for shuffle in 0..CALLS {
                let key = ShuffleKey { seed: 1, example: sample, shuffle };
                dinucleotide_shuffle(&codes, key, NPolicy::Symbol, &mut out, &mut scratch).expect("letters");
            }
            best = best.min(start.elapsed().as_secs_f64() / CALLS as f64);
        }
        println!("{len:>5} bases {:>6.2} us", best * 1e6);
    }
}
