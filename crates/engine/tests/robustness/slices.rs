//! Slices at and beyond the ends of an axis.
use crate::common::int;
use crate::refusals::x;

/// A part that has nothing in it is left out of what is joined.
#[test]
fn an_empty_slice_adds_nothing() {
    let net = x(&[3]).list("s", &[2]).list("e", &[1]).list("a", &[1]);
    let net = net.node("Slice", "x s e a", "h", []).node("Concat", "h x", "t", [int("axis", 1)]);
    let setup = net.pair("t", vec![vec![1., 2., 3.]], vec![vec![0.; 3]]);
    let s = setup.every_element().unwrap().score::<f64>().unwrap();
    assert_eq!(s.output, [1., 2., 3.]);
    assert_eq!(s.contributions[0], [1., 0., 0., 0., 2., 0., 0., 0., 3.]);
}

/// Sentinels that mean "to the end" in either direction, and steps as large as integers go.
#[test]
fn slices_to_the_ends() {
    let (low, high) = (i64::MIN, i64::MAX);
    for (start, end, step, expected) in [
        (0, high, 1, vec![0., 1., 2., 3., 4.]),
        (low, high, 1, vec![0., 1., 2., 3., 4.]),
        (-1, low, -1, vec![4., 3., 2., 1., 0.]),
        (high, low, -1, vec![4., 3., 2., 1., 0.]),
        (high, low, -2, vec![4., 2., 0.]),
        (1, high, high, vec![1.]),
        (-2, low, low, vec![3.]),
        (0, high, 4, vec![0., 4.]),
        (-3, -1, 1, vec![2., 3.]),
    ] {
        let net = x(&[5]).list("s", &[start]).list("e", &[end]).list("a", &[1]).list("by", &[step]);
        let net = net.node("Slice", "x s e a by", "t", []);
        let setup = net.pair("t", vec![vec![0., 1., 2., 3., 4.]], vec![vec![0.; 5]]);
        let s = setup.every_element().unwrap().score::<f64>().unwrap();
        assert_eq!(s.output, expected, "{start}:{end}:{step}");
    }
}
