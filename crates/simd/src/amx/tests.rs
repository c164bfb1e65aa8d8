use super::*;

/// Values in -1..1 without a pattern (SplitMix64).
fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// The first `products.planes()` parts of a float.
fn parts(value: f32, products: Products) -> [u16; 3] {
    match products {
        Products::One => [split::<1>(value)[0], 0, 0],
        Products::Three => {
            let [hi, lo] = split(value);
            [hi, lo, 0]
        }
        Products::Six => split(value),
    }
}

/// A product of random values: `rows` rows at `stride`, steps of `offsets`.
struct Case {
    products: Products,
    a: Vec<f32>,
    w: Vec<f32>,
    rows: usize,
    stride: usize,
    offsets: Vec<usize>,
    columns: usize,
}

impl Case {
    fn new(products: Products, rows: usize, columns: usize, stride: usize, offsets: &[usize]) -> Self {
        let furthest = offsets.iter().max().unwrap_or(&0);
        let len = START + (SPAN - 1) * stride + furthest + STEP;
        Case {
            products,
            a: noise(len, 1),
            w: noise(offsets.len() * STEP * columns, 2),
            rows,
            stride,
            offsets: offsets.to_vec(),
            columns,
        }
    }

    /// The rows and columns of the product that were asked for.
    fn run(&self, unit: TileUnit) -> Vec<f32> {
        let Case { products, columns, .. } = *self;
        let mut planes = vec![0; products.planes() * self.a.len()];
        for (i, &value) in self.a.iter().enumerate() {
            for plane in 0..products.planes() {
                planes[plane * self.a.len() + i] = parts(value, products)[plane];
            }
        }
        let mut panel = vec![0; products.panel_len(self.offsets.len(), columns)];
        for (i, &value) in self.w.iter().enumerate() {
            let (step, k, column) = (i / columns / STEP, i / columns % STEP, i % columns);
            for plane in 0..products.planes() {
                panel[products.panel_index(columns, step, plane, k, column)] = parts(value, products)[plane];
            }
        }
        let a = Operand {
            planes: &planes,
            plane_len: self.a.len(),
            start: START,
            stride: self.stride,
            rows: self.rows,
        };
        let mut block = Block::default();
        Tiles::new(unit).multiply(products, a, &self.offsets, &panel, columns, &mut block);
        block.rows().take(self.rows).flat_map(|row| row[..columns].to_vec()).collect()
    }

    /// What the product of the floats is, and the sum of the magnitudes of its terms.
    fn plain(&self, row: usize, column: usize) -> (f64, f64) {
        let (mut sum, mut size) = (0.0, 0.0);
        for (step, offset) in self.offsets.iter().enumerate() {
            for k in 0..STEP {
                let a = f64::from(self.a[START + row * self.stride + offset + k]);
                let term = a * f64::from(self.w[(step * STEP + k) * self.columns + column]);
                sum += term;
                size += term.abs();
            }
        }
        (sum, size)
    }
}

const START: usize = 5;

/// Largest error of a product of two floats, relative to it: of the splitting of both factors and of what is left out.
fn lost(products: Products) -> f64 {
    let power = |p: i32| 2f64.powi(p);
    match products {
        // Each factor rounded to 8 bits.
        Products::One => 2.0 * power(-9) + power(-18),
        // Each factor to 17 bits, and `lo lo`.
        Products::Three => 2.0 * power(-18) + power(-18) + power(-30),
        // `mid lo`, `lo mid` and `lo lo`.
        Products::Six => 2.0 * power(-27) + power(-36),
    }
}

#[test]
fn every_unit_agrees_with_a_plain_loop() {
    let shapes: &[(usize, usize)] =
        if cfg!(miri) { &[(17, 16)] } else { &[(1, 16), (16, 32), (17, 16), (31, 32), (32, 32)] };
    for (&(rows, columns), products) in shapes.iter().flat_map(|s| Products::ALL.map(|p| (s, p))) {
        // Overlapping rows, rows of a plane blocked by 32, and a dilated one.
        for (stride, offsets) in [(4, &[0, 32, 64][..]), (32, &[0, 640, 1280, 32]), (96, &[0, 960])] {
            let case = Case::new(products, rows, columns, stride, offsets);
            let roundings = (offsets.len() * (products.count() + STEP)) as f64;
            let bound = lost(products) + roundings * f64::from(f32::EPSILON);
            for unit in TileUnit::available() {
                for (i, &found) in case.run(unit).iter().enumerate() {
                    let (sum, size) = case.plain(i / columns, i % columns);
                    let error = (f64::from(found) - sum).abs();
                    assert!(error <= bound * size, "{unit:?} {products:?} {rows} rows: {found} is not {sum}");
                }
            }
        }
    }
}

#[test]
fn no_rows_beyond_those_asked_for_and_no_columns_beyond_change_a_result() {
    // An interpreter needs a minute for each product.
    let some = if cfg!(miri) { 1 } else { Products::ALL.len() };
    for products in Products::ALL.into_iter().take(some) {
        for unit in TileUnit::available() {
            let all = Case::new(products, SPAN, SPAN, 32, &[0, 320]);
            let full = all.run(unit);
            for rows in if cfg!(miri) { vec![17] } else { vec![1, 15, 16, 17] } {
                let some = Case { rows, a: all.a.clone(), w: all.w.clone(), offsets: vec![0, 320], ..all };
                assert_eq!(some.run(unit), full[..rows * SPAN], "{unit:?} {products:?} {rows} rows");
            }
        }
    }
}

/// Where every sum is exact in any order, units agree bit by bit, and with integers.
#[test]
#[cfg_attr(miri, ignore = "reads nothing that the others do not")]
fn small_integers_are_exact() {
    for products in Products::ALL {
        let mut case = Case::new(products, SPAN, SPAN, 32, &[0, 1024, 64]);
        let integer = |v: &f32| (v * 5.0).round();
        case.a = case.a.iter().map(integer).collect();
        case.w = case.w.iter().map(integer).collect();
        for unit in TileUnit::available() {
            for (i, &found) in case.run(unit).iter().enumerate() {
                assert_eq!(f64::from(found), case.plain(i / SPAN, i % SPAN).0, "{unit:?} {products:?}");
            }
        }
    }
}

/// By hand: even and odd products are summed apart, each step is added by one rounding, denormals are zero.
#[test]
fn sums_are_those_of_the_manual() {
    let one = |a: &[(usize, f32)], w: &[(usize, f32)]| {
        let mut case = Case::new(Products::One, 1, TILE, 32, &[0, 32]);
        case.a.fill(0.0);
        case.w.fill(0.0);
        a.iter().for_each(|&(k, v)| case.a[START + k] = v);
        w.iter().for_each(|&(k, v)| case.w[k * TILE] = v);
        case.run(TileUnit::Plain)[0]
    };
    let big = 2f32.powi(24);
    // 2^24 + 1 is 2^24: the two ones are lost next to it, but not where they meet first, in the odd chain.
    assert_eq!(one(&[(0, big), (2, 1.0), (4, 1.0)], &[(0, 1.0), (2, 1.0), (4, 1.0)]), big);
    assert_eq!(one(&[(0, big), (1, 1.0), (3, 1.0)], &[(0, 1.0), (1, 1.0), (3, 1.0)]), big + 2.0);
    // The second step is a sum of its own.
    assert_eq!(one(&[(0, big), (32, 1.0), (34, 1.0)], &[(0, 1.0), (32, 1.0), (34, 1.0)]), big + 2.0);
    let tiny = f32::MIN_POSITIVE;
    assert_eq!(one(&[(0, tiny / 2.0)], &[(0, big)]), 0.0);
    assert_eq!(one(&[(0, tiny)], &[(0, 0.5)]), 0.0);
    assert_eq!(one(&[(0, tiny)], &[(0, 2.0)]), 2.0 * tiny);
}

#[test]
fn parts_of_a_float_sum_to_it() {
    for value in noise(2000, 3).into_iter().flat_map(|v| [v, v * 1e20, v * 1e-20]) {
        let sum = |planes: &[u16]| planes.iter().map(|&p| f64::from(widen(p))).sum::<f64>();
        let error = |planes: &[u16]| (sum(planes) - f64::from(value)).abs() / f64::from(value).abs();
        assert!(error(&split::<1>(value)) <= 2f64.powi(-8), "{value}");
        assert!(error(&split::<2>(value)) <= 2f64.powi(-17), "{value}");
        assert_eq!(error(&split::<3>(value)), 0.0, "{value}");
    }
    // Ties go to the even neighbour.
    assert_eq!(
        [1.0, 1.0 + 2f32.powi(-8), 1.0 + 3.0 * 2f32.powi(-8)].map(|v| split::<1>(v)[0]),
        [0x3f80, 0x3f80, 0x3f82]
    );
    for value in [0.0, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(split::<3>(value), [(value.to_bits() >> 16) as u16, 0, 0]);
    }
    assert!(widen(split::<2>(f32::NAN)[0]).is_nan());
}

#[test]
fn the_override_picks_and_refuses() {
    assert_eq!(TileUnit::from_override(Some("off")), Ok(None));
    assert_eq!(TileUnit::from_override(Some("emulate")), Ok(Some(TileUnit::Plain)));
    assert_eq!(TileUnit::from_override(Some("")), TileUnit::from_override(None));
    assert!(TileUnit::from_override(Some("on")).unwrap_err().contains("\"on\""));
    let found = TileUnit::from_override(None).unwrap();
    assert_eq!(found.is_some(), TileUnit::available().contains(&TileUnit::Amx));
}

#[test]
#[should_panic(expected = "leave their plane")]
fn a_row_beyond_the_plane_is_refused() {
    let mut case = Case::new(Products::One, 17, TILE, 32, &[0]);
    case.a.pop();
    case.run(TileUnit::Plain);
}

#[test]
#[should_panic(expected = "weights of 2 steps")]
fn a_panel_of_another_size_is_refused() {
    let panel = vec![0; Products::One.panel_len(3, TILE)];
    let planes = vec![0; 4096];
    let a = Operand { planes: &planes, plane_len: 4096, start: 0, stride: 32, rows: 1 };
    Tiles::new(TileUnit::Plain).multiply(Products::One, a, &[0, 32], &panel, TILE, &mut Block::default());
}

#[test]
#[should_panic(expected = "in use on this thread")]
fn a_thread_has_one_set_of_registers() {
    let _first = Tiles::new(TileUnit::Plain);
    Tiles::new(TileUnit::Plain);
}
