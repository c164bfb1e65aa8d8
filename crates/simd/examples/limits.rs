//! The limits of one thread as JSON, for `npm run bench:roofline`: GFLOP/s of multiply-adds, and GB/s of reading as many
//! bytes as each argument says.
//!
//! `cargo run --release -p deeplift-simd --example limits [bytes]...`
mod measure;

use deeplift_simd::Isa;

fn main() {
    let isa = Isa::active();
    let read = |bytes: String| {
        let bytes: usize = bytes.parse().expect("a number of bytes");
        format!("{{\"bytes\":{bytes},\"gbPerSecond\":{}}}", measure::reading(isa, bytes))
    };
    let reading: Vec<String> = std::env::args().skip(1).map(read).collect();
    println!("{{\"isa\":\"{isa}\",\"gflops\":{},\"reading\":[{}]}}", measure::peak(isa), reading.join(","));
}
