#![allow(missing_docs)]
use deeplift_kernels::*;
fn main() {
    for off in [0usize, 16, 100, 500] {
        for n in [1024usize, 2048, 4096, 8192] {
            let a = vec![0.5f32; n];
            let b = vec![0.25f32; n];
            let mut oo = vec![0f32; n + 600];
            let o = &mut oo[off..off + n];
            map::add(&a, &b, o);
            let s = std::time::Instant::now();
            for _ in 0..20000 {
                map::add(&a, &b, o);
            }
            println!("{off} {n} {:.3} ns/elem", s.elapsed().as_secs_f64() * 1e9 / 20000.0 / n as f64);
        }
    }
}
