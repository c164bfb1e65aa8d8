//! Arrays with plain loops: what the operators are compared with.

/// A row-major array.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

/// All index vectors of a shape, in row-major order.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &d in shape {
        all = all.into_iter().flat_map(|i| (0..d).map(move |k| [i.clone(), vec![k]].concat())).collect();
    }
    all
}

impl Tensor {
    pub fn new(shape: &[usize], data: Vec<f64>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len());
        Tensor { shape: shape.to_vec(), data }
    }

    pub fn from_fn(shape: &[usize], mut f: impl FnMut(&[usize]) -> f64) -> Self {
        Tensor { shape: shape.to_vec(), data: indices(shape).iter().map(|i| f(i)).collect() }
    }

    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Tensor { shape: self.shape.clone(), data: self.data.iter().map(|&v| f(v)).collect() }
    }

    pub fn at(&self, index: &[usize]) -> f64 {
        assert_eq!(index.len(), self.shape.len());
        let flat = index.iter().zip(&self.shape).fold(0, |flat, (&i, &d)| {
            assert!(i < d);
            flat * d + i
        });
        self.data[flat]
    }

    /// The element that NumPy broadcasting shows at an index of a larger shape.
    pub fn spread(&self, index: &[usize]) -> f64 {
        let own = &index[index.len() - self.shape.len()..];
        let own: Vec<usize> =
            own.iter().zip(&self.shape).map(|(&i, &d)| if d == 1 { 0 } else { i }).collect();
        self.at(&own)
    }

    pub fn reshaped(&self, shape: &[usize]) -> Self {
        Tensor::new(shape, self.data.clone())
    }

    /// Output axis `a` is axis `perm[a]`.
    pub fn transposed(&self, perm: &[usize]) -> Self {
        let shape: Vec<usize> = perm.iter().map(|&p| self.shape[p]).collect();
        Tensor::from_fn(&shape, |i| {
            let mut own = vec![0; perm.len()];
            for (a, &p) in perm.iter().enumerate() {
                own[p] = i[a];
            }
            self.at(&own)
        })
    }

    /// Groups of elements along `axes`, one per output element; the output keeps the axes with length 1 or drops
    /// them.
    pub fn reduced(&self, axes: &[usize], keep: bool, f: impl Fn(&[f64]) -> f64) -> Self {
        let kept: Vec<usize> =
            self.shape.iter().enumerate().map(|(a, &d)| if axes.contains(&a) { 1 } else { d }).collect();
        let inside: Vec<usize> =
            self.shape.iter().enumerate().map(|(a, &d)| if axes.contains(&a) { d } else { 1 }).collect();
        let out = Tensor::from_fn(&kept, |i| {
            let group: Vec<f64> = indices(&inside)
                .iter()
                .map(|k| self.at(&i.iter().zip(k).map(|(a, b)| a + b).collect::<Vec<_>>()))
                .collect();
            f(&group)
        });
        if keep {
            return out;
        }
        let shape: Vec<usize> =
            (0..self.shape.len()).filter(|a| !axes.contains(a)).map(|a| self.shape[a]).collect();
        out.reshaped(&shape)
    }
}

/// The shape that NumPy broadcasting gives to shapes of equal rank.
pub fn broadcast(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let dim = |s: &[usize], i: usize| if i + s.len() >= rank { s[i + s.len() - rank] } else { 1 };
    (0..rank).map(|i| dim(a, i).max(dim(b, i))).collect()
}
