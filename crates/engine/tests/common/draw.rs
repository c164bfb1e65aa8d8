//! A case is a seed: everything random of one case is drawn from it, so a failure names the case.
use proptest::test_runner::{Config, RngSeed};

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone)]
pub struct Draw(pub u64);

impl Draw {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `low..=high`.
    pub fn int(&mut self, low: usize, high: usize) -> usize {
        low + (self.bits() % (high - low + 1) as u64) as usize
    }

    pub fn coin(&mut self) -> bool {
        self.bits() & 1 == 1
    }

    /// Uniform in `low..high`.
    pub fn real(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.int(0, from.len() - 1)].clone()
    }

    pub fn reals(&mut self, n: usize, low: f64, high: f64) -> Vec<f64> {
        (0..n).map(|_| self.real(low, high)).collect()
    }

    pub fn ints(&mut self, n: usize, low: usize, high: usize) -> Vec<usize> {
        (0..n).map(|_| self.int(low, high)).collect()
    }

    /// An order of `n` axes.
    pub fn order(&mut self, n: usize) -> Vec<usize> {
        let mut p: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            p.swap(i, self.int(0, i));
        }
        p
    }

    /// Batch 1 and `axes` more axes of 1 to `most` elements.
    pub fn shape(&mut self, axes: usize, most: usize) -> Vec<usize> {
        let mut s = vec![1];
        s.extend(self.ints(axes, 1, most));
        s
    }

    /// An example and a reference: elements that differ a lot, hardly, or not at all.
    pub fn pair(&mut self, n: usize, low: f64, high: f64) -> (Vec<f64>, Vec<f64>) {
        let x = self.reals(n, low, high);
        let reference = |d: &mut Draw, x: f64| match d.int(0, 5) {
            0 => x,
            1 => (x + d.real(-1e-7, 1e-7)).clamp(low, high),
            2 => (x + d.real(-1e-2, 1e-2)).clamp(low, high),
            _ => d.real(low, high),
        };
        let x0 = x.iter().map(|&x| reference(self, x)).collect();
        (x, x0)
    }
}

/// A configuration of property tests: the same cases in every run, so that a failure belongs to the change that caused
/// it. Cases are seeds, of which a smaller one is no simpler: nothing is shrunk. `PROPTEST_RNG_SEED` draws others.
pub fn config(cases: u32) -> Config {
    let chosen = Config::default();
    let rng_seed = match chosen.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        fixed => fixed,
    };
    Config { cases, max_shrink_iters: 0, failure_persistence: None, rng_seed, ..chosen }
}
