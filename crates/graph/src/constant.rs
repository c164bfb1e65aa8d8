//! Constant tensors: weights, and everything that shape arithmetic produces.
use std::sync::Arc;

use deeplift_simd::Real;

use crate::error::Result;
use crate::stored::{Stored, StoredFile};
use crate::{bail, ensure};

/// Most elements that one tensor may have. Larger numbers in a file are taken as an attack or a defect: 2^31
/// elements of float32 are 8 GiB.
pub const MAX_ELEMENTS: usize = 1 << 31;

/// Element types of the ONNX standard that this package reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DType {
    F32,
    F64,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl DType {
    /// The type behind a `TensorProto.DataType` number.
    pub fn from_onnx(code: i32) -> Result<Self> {
        Ok(match code {
            1 => DType::F32,
            2 => DType::U8,
            3 => DType::I8,
            5 => DType::I16,
            6 => DType::I32,
            7 => DType::I64,
            9 => DType::Bool,
            10 => DType::F16,
            11 => DType::F64,
            16 => DType::BF16,
            _ => bail!(
                UnsupportedModel,
                "element type {code} of the ONNX standard is not supported; use float32, float64, float16, bfloat16, \
                 int64, int32, int16, int8, uint8 or bool"
            ),
        })
    }

    /// The type's `TensorProto.DataType` number.
    pub fn to_onnx(self) -> i64 {
        match self {
            DType::F32 => 1,
            DType::U8 => 2,
            DType::I8 => 3,
            DType::I16 => 5,
            DType::I32 => 6,
            DType::I64 => 7,
            DType::Bool => 9,
            DType::F16 => 10,
            DType::F64 => 11,
            DType::BF16 => 16,
        }
    }

    /// Bytes of one element in a file.
    pub fn size(self) -> usize {
        match self {
            DType::F64 | DType::I64 => 8,
            DType::F32 | DType::I32 => 4,
            DType::F16 | DType::BF16 | DType::I16 => 2,
            DType::I8 | DType::U8 | DType::Bool => 1,
        }
    }

    /// Whether values of this type carry contributions.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64 | DType::F16 | DType::BF16)
    }
}

/// Values of a constant. Half precision is widened to float32 (exact); integers to 64 bits.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Data {
    F32(Arc<Vec<f32>>),
    F64(Arc<Vec<f64>>),
    I64(Arc<Vec<i64>>),
    Bool(Arc<Vec<bool>>),
    /// Float32 that is still in its file.
    Stored(Stored),
}

/// A tensor whose values are known at plan time. `data.len()` is the product of `shape`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Constant {
    pub shape: Vec<usize>,
    pub dtype: DType,
    pub data: Data,
}

/// Product of dimensions, refused above [`MAX_ELEMENTS`].
pub fn element_count(shape: &[usize]) -> Result<usize> {
    let mut n = 1usize;
    for &d in shape {
        n = match n.checked_mul(d) {
            Some(n) if n <= MAX_ELEMENTS => n,
            _ => bail!(InvalidModel, "a tensor of shape {shape:?} has more than {MAX_ELEMENTS} elements"),
        };
    }
    Ok(n)
}

impl Constant {
    /// Reads little-endian bytes of an ONNX element type; `bytes` may be unaligned.
    pub fn from_bytes(dtype: DType, shape: Vec<usize>, bytes: &[u8]) -> Result<Self> {
        let n = element_count(&shape)?;
        ensure!(
            bytes.len() == n * dtype.size(),
            InvalidModel,
            "shape {shape:?} of {dtype:?} needs {} bytes, found {}",
            n * dtype.size(),
            bytes.len()
        );
        fn each<const W: usize, U>(bytes: &[u8], read: impl Fn([u8; W]) -> U) -> Arc<Vec<U>> {
            Arc::new(bytes.chunks_exact(W).map(|c| read(c.try_into().expect("chunks_exact"))).collect())
        }
        let data = match dtype {
            DType::F32 => Data::F32(each(bytes, f32::from_le_bytes)),
            DType::F64 => Data::F64(each(bytes, f64::from_le_bytes)),
            DType::F16 => Data::F32(each(bytes, |b| half::f16::from_le_bytes(b).to_f32())),
            DType::BF16 => Data::F32(each(bytes, |b| half::bf16::from_le_bytes(b).to_f32())),
            DType::I64 => Data::I64(each(bytes, i64::from_le_bytes)),
            DType::I32 => Data::I64(each(bytes, |b| i64::from(i32::from_le_bytes(b)))),
            DType::I16 => Data::I64(each(bytes, |b| i64::from(i16::from_le_bytes(b)))),
            DType::I8 => Data::I64(each(bytes, |b: [u8; 1]| i64::from(b[0] as i8))),
            DType::U8 => Data::I64(each(bytes, |b: [u8; 1]| i64::from(b[0]))),
            DType::Bool => Data::Bool(each(bytes, |b: [u8; 1]| b[0] != 0)),
        };
        Ok(Constant { shape, dtype, data })
    }

    /// Float32 values that stay in their file, where they start at `offset`, until they are used.
    ///
    /// # Errors
    /// `INVALID_MODEL` if the file ends before.
    pub fn stored(shape: Vec<usize>, file: Arc<StoredFile>, offset: u64) -> Result<Self> {
        let data = Data::Stored(Stored::new(file, offset, &shape)?);
        Ok(Constant { shape, dtype: DType::F32, data })
    }

    /// A float64 constant.
    pub fn f64(shape: Vec<usize>, values: Vec<f64>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Constant { shape, dtype: DType::F64, data: Data::F64(Arc::new(values)) }
    }

    /// An int64 constant.
    pub fn i64(shape: Vec<usize>, values: Vec<i64>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Constant { shape, dtype: DType::I64, data: Data::I64(Arc::new(values)) }
    }

    /// A bool constant.
    pub fn bool(shape: Vec<usize>, values: Vec<bool>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Constant { shape, dtype: DType::Bool, data: Data::Bool(Arc::new(values)) }
    }

    /// A constant of a shape without elements.
    pub fn empty(shape: Vec<usize>, dtype: DType) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), 0);
        let data = match dtype {
            DType::F64 => Data::F64(Arc::default()),
            DType::F32 | DType::F16 | DType::BF16 => Data::F32(Arc::default()),
            DType::Bool => Data::Bool(Arc::default()),
            DType::I64 | DType::I32 | DType::I16 | DType::I8 | DType::U8 => Data::I64(Arc::default()),
        };
        Constant { shape, dtype, data }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match &self.data {
            Data::F32(v) => v.len(),
            Data::F64(v) => v.len(),
            Data::I64(v) => v.len(),
            Data::Bool(v) => v.len(),
            Data::Stored(v) => v.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element `i` as a double.
    pub fn at(&self, i: usize) -> f64 {
        match &self.data {
            Data::F32(v) => f64::from(v[i]),
            Data::F64(v) => v[i],
            Data::I64(v) => v[i] as f64,
            Data::Bool(v) => f64::from(u8::from(v[i])),
            Data::Stored(v) => f64::from(v.values()[i]),
        }
    }

    /// Whether all values are those of the other constant, bit for bit. Values in files are compared by where they are.
    pub fn same(&self, other: &Constant) -> bool {
        fn all<U>(a: &Arc<Vec<U>>, b: &Arc<Vec<U>>, same: impl Fn(&U, &U) -> bool) -> bool {
            Arc::ptr_eq(a, b) || (a.len() == b.len() && a.iter().zip(&**b).all(|(a, b)| same(a, b)))
        }
        let values = match (&self.data, &other.data) {
            (Data::F32(a), Data::F32(b)) => all(a, b, |a, b| a.to_bits() == b.to_bits()),
            (Data::F64(a), Data::F64(b)) => all(a, b, |a, b| a.to_bits() == b.to_bits()),
            (a, b) => a == b,
        };
        values && self.shape == other.shape && self.dtype == other.dtype
    }

    /// Whether the values stay where they are if this constant is dropped: in a file, or with somebody else.
    pub fn is_held_elsewhere(&self) -> bool {
        match &self.data {
            Data::F32(v) => Arc::strong_count(v) > 1,
            Data::F64(v) => Arc::strong_count(v) > 1,
            Data::I64(v) => Arc::strong_count(v) > 1,
            Data::Bool(v) => Arc::strong_count(v) > 1,
            Data::Stored(_) => true,
        }
    }

    /// All values as doubles.
    pub fn to_f64(&self) -> Vec<f64> {
        (0..self.len()).map(|i| self.at(i)).collect()
    }

    /// All values in the plan's precision.
    pub fn to_real<T: Real>(&self) -> Vec<T> {
        match &self.data {
            Data::Stored(v) => v.to_real(),
            _ => (0..self.len()).map(|i| T::from_f64(self.at(i))).collect(),
        }
    }

    /// All values as integers; floats are refused.
    pub fn to_i64(&self) -> Result<Vec<i64>> {
        Ok(match &self.data {
            Data::I64(v) => v.to_vec(),
            Data::Bool(v) => v.iter().map(|&b| i64::from(b)).collect(),
            _ => bail!(InvalidModel, "expected an integer tensor, found {:?}", self.dtype),
        })
    }

    /// The single value of a one-element tensor.
    pub fn scalar(&self) -> Option<f64> {
        (self.len() == 1).then(|| self.at(0))
    }

    /// The same values under another shape of equal size.
    pub fn reshaped(&self, shape: Vec<usize>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), self.len());
        let data = match &self.data {
            Data::Stored(v) => match v.reshaped(&shape) {
                Some(same) => Data::Stored(same),
                None => Data::F32(Arc::new(v.values().to_vec())),
            },
            data => data.clone(),
        };
        Constant { shape, dtype: self.dtype, data }
    }

    /// Calls `put` with row, first column and values of runs along the rows of a matrix, in an order that suits where they are,
    /// until every element was in one.
    ///
    /// # Errors
    /// `INVALID_MODEL` if the values are in a file that cannot be read any more.
    pub fn runs<T: Real>(&self, mut put: impl FnMut(usize, usize, &[T])) -> Result<()> {
        ensure!(self.shape.len() == 2, Internal, "runs of a tensor that is no matrix");
        let mut own = vec![];
        if let Data::Stored(v) = &self.data {
            return v.runs(|row, column, run| {
                own.clear();
                own.extend(run.iter().map(|&value| T::from_f64(f64::from(value))));
                put(row, column, &own);
            });
        }
        let (rows, columns) = (self.shape[0], self.shape[1]);
        for row in 0..rows {
            own.clear();
            own.extend((row * columns..(row + 1) * columns).map(|i| T::from_f64(self.at(i))));
            put(row, 0, &own);
        }
        Ok(())
    }

    /// The matrix with row `order[r]` as row `r`.
    pub fn reordered_rows(&self, order: &[usize]) -> Self {
        if let Data::Stored(v) = &self.data {
            if let Some(v) = v.reordered(order) {
                return Constant { data: Data::Stored(v), ..self.clone() };
            }
        }
        let columns = self.shape[1];
        self.pick(self.shape.clone(), order.iter().flat_map(|&r| (0..columns).map(move |c| r * columns + c)))
    }

    /// The same element type with values picked by `index` (flat positions in this constant).
    pub fn pick(&self, shape: Vec<usize>, index: impl Iterator<Item = usize>) -> Self {
        let data = match &self.data {
            Data::F32(v) => Data::F32(Arc::new(index.map(|i| v[i]).collect())),
            Data::F64(v) => Data::F64(Arc::new(index.map(|i| v[i]).collect())),
            Data::I64(v) => Data::I64(Arc::new(index.map(|i| v[i]).collect())),
            Data::Bool(v) => Data::Bool(Arc::new(index.map(|i| v[i]).collect())),
            Data::Stored(v) => {
                let v = v.values();
                Data::F32(Arc::new(index.map(|i| v[i]).collect()))
            }
        };
        Constant { shape, dtype: self.dtype, data }
    }

    /// The tensor with its axes reordered: output axis `a` is input axis `perm[a]`.
    pub fn transposed(&self, perm: &[usize]) -> Self {
        if let (Data::Stored(v), [1, 0]) = (&self.data, perm) {
            if let Some(v) = v.transposed() {
                let shape = vec![self.shape[1], self.shape[0]];
                return Constant { shape, dtype: self.dtype, data: Data::Stored(v) };
            }
        }
        let (shape, strides) = crate::broadcast::transpose_strides(&self.shape, perm);
        self.pick(shape.clone(), crate::broadcast::strided(&shape, &strides))
    }

    /// Where the first value is that is NaN.
    ///
    /// # Errors
    /// `INVALID_MODEL` if the values are in a file that cannot be read any more.
    pub fn first_nan(&self) -> Result<Option<usize>> {
        Ok(match &self.data {
            Data::F32(v) => v.iter().position(|x| x.is_nan()),
            Data::F64(v) => v.iter().position(|x| x.is_nan()),
            Data::I64(_) | Data::Bool(_) => None,
            Data::Stored(v) => {
                let mut found = None;
                v.pieces(|first, piece| {
                    found = found.or_else(|| Some(first + piece.iter().position(|x| x.is_nan())?));
                })?;
                found
            }
        })
    }
}
