use super::*;
use crate::{Kernel, Simd};

/// Runs one tile.
struct Run<'a, T> {
    rows: usize,
    segments: &'a [Segment],
    sources: [&'a [T]; 2],
    weights: Weights<'a, T>,
}

impl<T: Real> Kernel for Run<'_, T> {
    type Output = Vec<T>;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<T> {
        let mut tile = Tile::default();
        simd.tile(self.rows, self.segments, self.sources, &self.weights, &mut tile);
        tile.values()[..self.rows * self.weights.columns].to_vec()
    }
}

/// Values in -1..1 without a pattern (SplitMix64).
fn noise<T: Real>(len: usize, seed: u64) -> Vec<T> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        T::from_f64((z >> 40) as f64 / (1 << 23) as f64 - 1.0)
    };
    (0..len).map(|_| next()).collect()
}

fn segments(depth: usize) -> Vec<Segment> {
    let cut = depth / 3;
    vec![
        Segment { source: 0, start: 5, stride: 7, len: cut, weight: 0 },
        Segment { source: 1, start: 0, stride: 3, len: depth - cut - 1, weight: cut + 1 },
    ]
}

fn agrees_with_a_plain_loop<T: Real>(depths: &[usize]) {
    for isa in Isa::available() {
        for (&depth, half) in depths.iter().flat_map(|d| [(d, false), (d, true)]) {
            let columns = isa.tile_columns::<T>() / if half { 2 } else { 1 };
            let (panel, bias) = (noise::<T>(depth * columns, 1), noise::<T>(columns, 2));
            let (a, b) = (noise::<T>(200 + depth, 3), noise::<T>(200 + depth, 4));
            let segments = segments(depth);
            let weights = Weights { panel: &panel, bias: &bias, columns };
            let all = isa.tile_rows();
            let full = isa.run(Run { rows: all, segments: &segments, sources: [&a, &b], weights });
            for rows in 1..=all {
                let found = isa.run(Run { rows, segments: &segments, sources: [&a, &b], weights });
                assert_eq!(found, full[..rows * columns], "{isa}: {rows} rows, {depth} deep");
            }
            for (i, found) in full.iter().enumerate() {
                let (row, column) = (i / columns, i % columns);
                let mut sum = bias[column].to_f64();
                for s in &segments {
                    for k in 0..s.len {
                        let a = [&a, &b][s.source][s.start + row * s.stride + k].to_f64();
                        sum += a * panel[(s.weight + k) * columns + column].to_f64();
                    }
                }
                let bound = T::EPSILON.to_f64() * depth.max(16) as f64;
                assert!((found.to_f64() - sum).abs() <= bound, "{isa} {depth}: {found} is not {sum}");
            }
        }
    }
}

#[test]
fn every_tile_agrees_with_a_plain_loop_and_with_every_other_number_of_rows() {
    let depths: &[usize] = if cfg!(miri) { &[4, 67] } else { &[3, 4, 63, 64, 65, 128, 1600] };
    agrees_with_a_plain_loop::<f32>(depths);
    agrees_with_a_plain_loop::<f64>(depths);
}

#[test]
fn a_skipped_segment_equals_one_of_zeros() {
    for isa in Isa::available() {
        let columns = isa.tile_columns::<f32>();
        let panel = noise::<f32>(1200 * columns, 1);
        let (a, zeros) = (noise::<f32>(1300, 2), vec![0.0; 1300]);
        let weights = Weights { panel: &panel, bias: &[], columns };
        let at = |source, weight, len| Segment { source, start: weight, stride: 1, len, weight };
        let run = |segments: &[Segment]| isa.run(Run { rows: 3, segments, sources: [&a, &zeros], weights });
        let skipped = run(&[at(0, 700, 500)]);
        assert_eq!(run(&[at(1, 0, 300), at(1, 300, 400), at(0, 700, 500)]), skipped);
        let split = run(&[at(0, 700, 33), at(0, 733, 467)]);
        assert_eq!(split, skipped);
    }
}

/// Three products of two rows of one source, each with a panel of its own.
struct Three<'a> {
    source: &'a [f32],
    distance: usize,
    panels: &'a [f32],
    segment: Segment,
}

impl Kernel for Three<'_> {
    type Output = ([Vec<f32>; 3], Vec<usize>);
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Self::Output {
        let columns = S::ISA.tile_columns::<f32>();
        let (mut tiles, mut calls) = (std::array::from_fn(|_| Tile::default()), Vec::new());
        let (source, panels) = ((self.source, self.distance), (self.panels, columns));
        simd.tiles::<f32, 3>(2, &[self.segment], source, panels, &mut tiles, |n| calls.push(n));
        (tiles.map(|tile| tile.values()[..2 * columns].to_vec()), calls)
    }
}

#[test]
fn several_tiles_equal_one_after_the_other() {
    let (depth, distance) = (70, 9);
    let segment = Segment { source: 0, start: 3, stride: 40, len: depth, weight: 0 };
    let source = noise::<f32>(2 * distance + 3 + 40 + depth, 1);
    for isa in Isa::available() {
        let columns = isa.tile_columns::<f32>();
        let panels = noise::<f32>(3 * depth * columns, 2);
        let (found, calls) = isa.run(Three { source: &source, distance, panels: &panels, segment });
        assert_eq!(calls, [0, 1, 2]);
        for (n, found) in found.iter().enumerate() {
            let weights =
                Weights { panel: &panels[n * depth * columns..][..depth * columns], bias: &[], columns };
            let sources = [&source[n * distance..], &[]];
            assert_eq!(
                *found,
                isa.run(Run { rows: 2, segments: &[segment], sources, weights }),
                "{isa}, {n}"
            );
        }
    }
}

#[test]
#[should_panic(expected = "leaves its source")]
fn the_last_of_several_tiles_stays_in_the_source() {
    let segment = Segment { source: 0, start: 0, stride: 4, len: 4, weight: 0 };
    let panels = vec![0.0; 3 * 4 * Isa::Scalar.tile_columns::<f32>()];
    Isa::Scalar.run(Three { source: &[0.0; 23], distance: 8, panels: &panels, segment });
}

#[test]
#[should_panic(expected = "leaves its source")]
fn a_row_beyond_the_source_is_refused() {
    let columns = Isa::Scalar.tile_columns::<f32>();
    let panel = vec![0.0f32; 4 * columns];
    let segments = [Segment { source: 0, start: 1, stride: 4, len: 4, weight: 0 }];
    let weights = Weights { panel: &panel, bias: &[], columns };
    Isa::Scalar.run(Run { rows: 3, segments: &segments, sources: [&[0.0; 12], &[]], weights });
}

#[test]
#[should_panic(expected = "leaves its source")]
fn an_overflowing_stride_is_refused() {
    let columns = Isa::Scalar.tile_columns::<f32>();
    let panel = vec![0.0f32; 4 * columns];
    let segments = [Segment { source: 0, start: 0, stride: usize::MAX, len: 4, weight: 0 }];
    let weights = Weights { panel: &panel, bias: &[], columns };
    Isa::Scalar.run(Run { rows: 3, segments: &segments, sources: [&[0.0; 12], &[]], weights });
}

#[test]
#[should_panic(expected = "is empty")]
fn an_empty_segment_is_refused() {
    let columns = Isa::Scalar.tile_columns::<f32>();
    let panel = vec![0.0f32; 4 * columns];
    let segments = [Segment { source: 0, start: 0, stride: 1, len: 0, weight: 0 }];
    let weights = Weights { panel: &panel, bias: &[], columns };
    Isa::Scalar.run(Run { rows: 1, segments: &segments, sources: [&[0.0; 12], &[]], weights });
}

#[test]
#[should_panic(expected = "leaves the panel")]
fn a_segment_beyond_the_panel_is_refused() {
    let columns = Isa::Scalar.tile_columns::<f64>();
    let panel = vec![0.0f64; 4 * columns];
    let segments = [Segment { source: 0, start: 0, stride: 0, len: 3, weight: 2 }];
    let weights = Weights { panel: &panel, bias: &[], columns };
    Isa::Scalar.run(Run { rows: 1, segments: &segments, sources: [&[0.0; 12], &[]], weights });
}
