//! Which outputs of a line some inputs reach, and a part of the outputs by itself.
use std::ops::Range;

use deeplift_kernels::pool::max_pool;
use deeplift_kernels::{AveragePool, ConvGeometry, PoolGeometry};
use proptest::prelude::*;

/// Inputs inside of the window of an output.
fn window(o: usize, [input, kernel, stride, dilation, pad]: [usize; 5]) -> Vec<usize> {
    let at = |k: usize| (o * stride + k * dilation).checked_sub(pad);
    (0..kernel).filter_map(at).filter(|&i| i < input).collect()
}

/// Outputs that see any of the inputs, from the first to the last.
fn seen(sizes: [usize; 5], output: usize, inputs: &Range<usize>) -> Option<(usize, usize)> {
    let sees = |&o: &usize| window(o, sizes).iter().any(|i| inputs.contains(i));
    Some(((0..output).find(sees)?, (0..output).rev().find(sees)?))
}

proptest! {
    #[test]
    fn of_convolutions_and_pools(
        input in 1usize..30, output in 1usize..20, kernel in 1usize..6, stride in 1usize..5, dilation in 1usize..4,
        pad in 0usize..6, ends in (0usize..30, 1usize..8), cut in (0usize..20, 1usize..20),
    ) {
        let sizes = [input, kernel, stride, dilation, pad];
        let line = |n: usize| [1, n, 1];
        let conv = ConvGeometry {
            input: line(input), output: line(output), kernel: line(kernel), stride: line(stride),
            dilation: line(dilation), pad: [0, pad, 0], in_channels: 1, out_channels: 1, groups: 1,
        };
        let pool = PoolGeometry {
            input: line(input), output: line(output), kernel: line(kernel), stride: line(stride),
            dilation: line(dilation), pad: [0, pad, 0], channels: 2,
        };
        let inputs = ends.0.min(input - 1)..(ends.0.min(input - 1) + ends.1).min(input);
        let found = conv.writes(1, &inputs);
        if let Some((first, last)) = seen(sizes, output, &inputs) {
            // Taps that are apart leave out some outputs in between, so that more may be named.
            prop_assert!(found.start <= first && last < found.end, "{found:?} for {first} to {last}");
            if dilation == 1 {
                prop_assert_eq!(found.clone(), first..last + 1);
            }
        }
        prop_assert!(found.end <= output);
        prop_assert_eq!(pool.writes(&inputs), Some(found));

        let outputs = cut.0.min(output - 1)..(cut.0.min(output - 1) + cut.1).min(output);
        let x: Vec<f64> = (0..2 * input).map(|i| ((i * 37 + 11) % 23) as f64 - 9.0).collect();
        let (part, from) = pool.part(&outputs).expect("one axis");
        let (x_part, at) = (&x[2 * from.start..2 * from.end], 2 * outputs.start..2 * outputs.end);
        let (mut whole, mut own) = (vec![0.0; 2 * output], vec![0.0; 2 * outputs.len()]);
        max_pool(&pool, &x, &mut whole);
        max_pool(&part, x_part, &mut own);
        prop_assert_eq!(&own, &whole[at.clone()]);
        for count_pad in [false, true] {
            let average = AveragePool::<f64>::new(pool.clone(), count_pad, [0, 1, 0]);
            let (part, again) = average.part(&outputs).expect("one axis");
            prop_assert_eq!(again, from.clone());
            average.forward(&x, &mut whole);
            part.forward(x_part, &mut own);
            prop_assert_eq!(&own, &whole[at.clone()]);
        }
    }
}
