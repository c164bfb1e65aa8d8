//! Products of matrices and tensors.
use super::products::narrowed;
use super::Case;
use crate::common::draw::Draw;
use crate::common::tensor::{broadcast, indices, Tensor};
use crate::common::{float, int, string, Net};

/// `A' B'` times `alpha`, plus `beta C`: rows of a batch by weights, or two computed matrices.
pub fn gemm(_: &str, d: &mut Draw) -> Case {
    let (alpha, beta) = (d.pick(&[1.0, 0.7]), d.pick(&[1.0, -0.4]));
    let (flip_a, flip_b, biased) = (d.coin(), d.coin(), d.coin());
    let (k, n, computed) = (d.int(1, 6), d.int(1, 6), d.coin());
    // A computed matrix is made of a row of the batch.
    let m = if computed { d.int(1, 4) } else { 1 };
    let at = |flip: bool, r: usize, c: usize| if flip { [c, r] } else { [r, c] };
    let (sa, sb) = (at(flip_a, m, k), at(flip_b, k, n));
    let of = d.pick(&[vec![n], vec![1], vec![], vec![1, n], vec![m, 1], vec![m, n]]);
    let c = Tensor::new(&of, d.reals(of.iter().product(), -1.0, 1.0));
    let w = Tensor::new(&sb, d.reals(k * n, -1.0, 1.0));
    let shape = |s: [usize; 2]| s.map(|d| d as i64);
    let net = Net::new().weight("c", &of, c.data.clone());
    let net = net.list("sa", &shape(sa)).node("Reshape", "a sa", "A", []);
    let net = match computed {
        true => net.list("sb", &shape(sb)).node("Reshape", "b sb", "B", []),
        false => net.weight("B", &sb, w.data.clone()),
    };
    let attributes = [
        int("transA", i64::from(flip_a)),
        int("transB", i64::from(flip_b)),
        float("alpha", alpha),
        float("beta", beta),
    ];
    let net = net.node("Gemm", if biased { "A B c" } else { "A B" }, "y", attributes);
    let inputs = if computed { vec![vec![1, m * k], vec![1, k * n]] } else { vec![vec![1, m * k]] };
    Case::new(net, inputs, move |t| {
        let a = t[0].reshaped(&sa);
        let b = if computed { t[1].reshaped(&sb) } else { w.clone() };
        Tensor::from_fn(&[m, n], |i| {
            let product: f64 = (0..k).map(|l| a.at(&at(flip_a, i[0], l)) * b.at(&at(flip_b, l, i[1]))).sum();
            alpha * product + if biased { beta * c.spread(i) } else { 0.0 }
        })
    })
}

/// NumPy's product of matrices; operands have at least two axes.
fn product(a: &Tensor, b: &Tensor) -> Tensor {
    let (ra, rb) = (a.shape.len(), b.shape.len());
    let rank = ra.max(rb);
    let lead = |s: &[usize]| [vec![1; rank - s.len()], s[..s.len() - 2].to_vec()].concat();
    let mut shape = broadcast(&lead(&a.shape), &lead(&b.shape));
    shape.extend([a.shape[ra - 2], b.shape[rb - 1]]);
    Tensor::from_fn(&shape, |i| {
        let (batch, i, j) = (&i[..rank - 2], i[rank - 2], i[rank - 1]);
        (0..a.shape[ra - 1])
            .map(|l| a.spread(&[batch, &[i, l]].concat()) * b.spread(&[batch, &[l, j]].concat()))
            .sum()
    })
}

/// Activations by a matrix, by matrices that broadcast, by vectors, from either side, or by activations.
pub fn matmul(_: &str, d: &mut Draw) -> Case {
    let axes = d.int(0, 2);
    let lead = d.shape(axes, 3);
    let (m, k, n) = (d.int(1, 4), d.int(1, 5), d.int(1, 4));
    let of = |lead: &[usize], r: usize, c: usize| [lead, &[r, c]].concat();
    let form = d.int(0, 5);
    if form == 0 {
        let (sa, sb) = (of(&narrowed(d, &lead, false), m, k), of(&narrowed(d, &lead, false), k, n));
        let net = Net::new().node("MatMul", "a b", "y", []);
        return Case::new(net, vec![sa, sb], |t| product(&t[0], &t[1]));
    }
    if form == 1 {
        // A vector on the right sums over columns, one on the left over rows.
        let right = d.coin();
        let v = d.reals(k, -1.0, 1.0);
        let shape = if right { of(&lead, m, k) } else { of(&lead, k, n) };
        let net = Net::new().weight("v", &[k], v.clone());
        let net = net.node("MatMul", if right { "a v" } else { "v a" }, "y", []);
        return Case::new(net, vec![shape], move |t| {
            let (y, gone) = if right {
                (product(&t[0], &Tensor::new(&[k, 1], v.clone())), t[0].shape.len() - 1)
            } else {
                (product(&Tensor::new(&[1, k], v.clone()), &t[0]), t[0].shape.len() - 2)
            };
            let mut shape = y.shape.clone();
            shape.remove(gone);
            y.reshaped(&shape)
        });
    }
    let right = d.coin();
    let own = if form == 2 { narrowed(d, &lead, true) } else { vec![] };
    let (x, c) = if right { (of(&lead, m, k), of(&own, k, n)) } else { (of(&lead, k, n), of(&own, m, k)) };
    let w = Tensor::new(&c, d.reals(c.iter().product(), -1.0, 1.0));
    let net = Net::new().weight("w", &c, w.data.clone());
    let net = net.node("MatMul", if right { "a w" } else { "w a" }, "y", []);
    Case::new(net, vec![x], move |t| if right { product(&t[0], &w) } else { product(&w, &t[0]) })
}

/// The sum over all indices that `text` names, operands and output having the letters given.
fn sum_of_products(terms: &[(Vec<char>, Tensor)], output: &[char]) -> Tensor {
    let mut letters: Vec<char> = vec![];
    let mut sizes = vec![];
    for (term, t) in terms {
        for (c, &n) in term.iter().zip(&t.shape) {
            match letters.iter().position(|l| l == c) {
                Some(at) => sizes[at] = n.max(sizes[at]),
                None => {
                    letters.push(*c);
                    sizes.push(n);
                }
            }
        }
    }
    let place = |c: &char| letters.iter().position(|l| l == c).expect("a letter of a term");
    let shape: Vec<usize> = output.iter().map(|c| sizes[place(c)]).collect();
    let mut y = Tensor::new(&shape, vec![0.0; shape.iter().product()]);
    for index in indices(&sizes) {
        let of = |term: &[char]| -> Vec<usize> { term.iter().map(|c| index[place(c)]).collect() };
        let value: f64 = terms.iter().map(|(term, t)| t.spread(&of(term))).product();
        let at = of(output).iter().zip(&shape).fold(0, |flat, (i, n)| flat * n + i);
        y.data[at] += value;
    }
    y
}

/// One to three operands, of which the first or the first two are data: letters at random, some twice in a term, some
/// axes of one element, an output in any order, and letters of an ellipsis.
pub fn einsum(_: &str, d: &mut Draw) -> Case {
    let count = d.int(1, 3);
    let data = d.int(1, count.min(2));
    let letters = ['i', 'j', 'K', 'l'];
    let sizes = d.ints(letters.len(), 1, 3);
    let mut terms: Vec<Vec<char>> = vec![];
    let mut shapes: Vec<Vec<usize>> = vec![];
    // An ellipsis stands for the letters x and y; it leads, behind the batch.
    let dots = d.int(0, 3) == 0;
    for t in 0..count {
        let mut term: Vec<char> = (0..d.int(0, 3)).map(|_| d.pick(&letters)).collect();
        let mut shape: Vec<usize> =
            term.iter().map(|c| sizes[letters.iter().position(|l| l == c).expect("one of them")]).collect();
        if dots {
            term.splice(0..0, ['x', 'y']);
            shape.splice(0..0, [2, 3].map(|n| if d.coin() { n } else { 1 }));
        }
        if t < data {
            term.insert(0, 'n');
            shape.insert(0, 1);
        }
        terms.push(term);
        shapes.push(shape);
    }
    let mut all: Vec<char> = terms.concat();
    all.retain(|c| letters.contains(c));
    all.sort_unstable();
    let mut output = all.clone();
    let implicit = data == 1 && d.coin();
    if implicit {
        output.retain(|c| all.iter().filter(|a| *a == c).count() == 1);
        output.push('n');
    } else {
        output.dedup();
        output.retain(|_| d.coin());
        let order = d.order(output.len());
        output = order.into_iter().map(|i| output[i]).collect();
        output.insert(0, 'n');
    }
    if dots {
        output.splice(usize::from(!implicit)..usize::from(!implicit), ['x', 'y']);
    }
    let spell =
        |term: &[char]| term.iter().collect::<String>().replace("xy", if dots { "..." } else { "xy" });
    let left: Vec<String> = terms.iter().map(|t| spell(t)).collect();
    let mut text = left.join(if d.coin() { "," } else { " , " });
    if !implicit {
        text = format!("{text}->{}", spell(&output));
    }
    let mut net = Net::new();
    let mut names = vec![];
    let mut constants = vec![];
    for t in 0..count {
        let name = if t < data { ["a", "b"][t] } else { ["v", "w", "u"][t] };
        if t >= data {
            let c = Tensor::new(&shapes[t], d.reals(shapes[t].iter().product(), -1.0, 1.0));
            net = net.weight(name, &shapes[t], c.data.clone());
            constants.push(c);
        }
        names.push(name);
    }
    let net = net.node("Einsum", &names.join(" "), "y", [string("equation", &text)]);
    Case::new(net, shapes[..data].to_vec(), move |t| {
        let operands = t.iter().chain(&constants).cloned();
        sum_of_products(&terms.iter().cloned().zip(operands).collect::<Vec<_>>(), &output)
    })
}
