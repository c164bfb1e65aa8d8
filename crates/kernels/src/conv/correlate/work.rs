//! What a correlation executes: which kernel, and how many products.

use super::{meets, tile_rows, Axis, Correlation};
use crate::Work;
use deeplift_simd::Real;

impl<T: Real> Correlation<T> {
    /// Counted work of one lane.
    pub(in crate::conv) fn work(&self) -> Work {
        let lines = |axis: &Axis| (0..axis.count).map(|j| axis.taps_inside(j).len()).sum::<usize>();
        let (rows, tiles) = self.rows_and_tiles();
        let mut terms = 0;
        for tile in 0..tiles {
            let rows = tile_rows(tile, rows, tiles);
            let runs = (0..self.reach).step_by(self.run());
            let read = runs.filter(|&tap| meets(&self.span(&rows, tap, self.run()), self.axes[2].from_len));
            terms += rows.len() * read.count() * self.run() * self.ins;
        }
        let terms = self.groups * lines(&self.axes[0]) * lines(&self.axes[1]) * terms;
        let vectors = if self.width() < self.isa.tile_columns::<T>() { 1 } else { 2 };
        let mut kernel = format!("direct {}x{vectors}", self.isa.tile_rows());
        if self.joined > 1 {
            kernel += &format!(" joined x{}", self.joined);
        }
        if self.groups > 1 {
            kernel += &format!(" in {} groups", self.groups);
        }
        Work { kernel, flops: 2.0 * terms as f64 * self.width() as f64, weight_bytes: self.panels.bytes() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::correlate::Blocks;
    use crate::conv::weights::MapWeights;
    use crate::{ConvGeometry, Scratch, Source};
    use deeplift_simd::Isa;
    use proptest::prelude::*;

    proptest! {
        /// What is counted is what the tiles are told to multiply.
        #[test]
        fn work_is_the_products_of_the_tiles(
            input in 1usize..40, kernel in 1usize..6, stride in 1usize..3, dilation in 1usize..9,
            pad in 0usize..12, ins in 1usize..5, outs in 1usize..40, groups in 1usize..3, lines in 1usize..4,
        ) {
            let g = ConvGeometry {
                input: [1, lines, input], output: [1, lines, input], kernel: [1, 2, kernel],
                stride: [1, 1, stride], dilation: [1, 1, dilation], pad: [0, 1, pad],
                in_channels: ins * groups, out_channels: outs * groups, groups,
            };
            for isa in Isa::available() {
                let axes = [0, 1, 2].map(|axis| Axis::forward(&g, axis));
                let none = MapWeights::new(&g, Source::new(g.weights_len(), || panic!("nothing is computed")), false);
                let packed = Correlation::<f32>::new(axes, &none, &[], isa);
                let (x, mut scratch, mut terms) = (vec![0.0; g.input_len()], Scratch::default(), 0);
                for group in 0..groups {
                    let mut blocks = Blocks::new(&packed, group, &x, &mut scratch);
                    while blocks.next(&mut scratch) {
                        for job in &scratch.jobs {
                            let segments = &scratch.segments[job.first..job.end];
                            terms += job.rows * segments.iter().map(|s| s.len).sum::<usize>();
                        }
                    }
                }
                prop_assert_eq!(packed.work().flops, 2.0 * (terms * packed.width()) as f64);
            }
        }
    }
}
