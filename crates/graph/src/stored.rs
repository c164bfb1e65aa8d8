//! Large weights that stay in their file until a plan packs them: between the file and the packed form they exist in
//! small pieces only.
//!
//! Whoever asks for all values at once, or one by one, makes them be read and kept. The file stays open, so that it may
//! be renamed or removed; it must not be written to.
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use deeplift_simd::Real;

use crate::broadcast::inverse;
use crate::error::{Code, Error, Result};
use crate::{bail, ensure};

/// Values that are read in one piece.
const PIECE: usize = 1 << 16;

/// A file with weights.
#[derive(Debug)]
pub struct StoredFile {
    path: String,
    file: Mutex<File>,
    stamp: Stamp,
}

/// What changes when somebody writes to a file.
type Stamp = (u64, Option<SystemTime>);

fn stamp(file: &File) -> std::io::Result<Stamp> {
    let found = file.metadata()?;
    Ok((found.len(), found.modified().ok()))
}

#[cfg(unix)]
fn identity(file: &File) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    file.metadata().ok().map(|found| format!("{}:{}", found.dev(), found.ino()))
}

/// Numbers that name a file are no part of the standard library here.
#[cfg(not(unix))]
fn identity(_: &File) -> Option<String> {
    None
}

impl StoredFile {
    /// Opens a file, which must be the one with this `device:inode` if that is given.
    ///
    /// # Errors
    /// `INVALID_MODEL` if it cannot be opened, or is another one.
    pub fn open(path: &str, identity: Option<&str>) -> Result<Arc<Self>> {
        let opened = File::open(path).and_then(|file| stamp(&file).map(|stamp| (file, stamp)));
        let (file, stamp) = opened.map_err(|e| Self::error(path, &format!("cannot be opened: {e}")))?;
        if let Some((wanted, found)) = identity.zip(self::identity(&file)) {
            ensure!(wanted == found, InvalidModel, "{path}: was replaced while it was opened");
        }
        Ok(Arc::new(StoredFile { path: path.into(), file: Mutex::new(file), stamp }))
    }

    fn error(path: &str, what: &str) -> Error {
        Error::new(Code::InvalidModel, format!("{path}: {what}"))
    }

    /// Reads bytes at an offset.
    ///
    /// # Errors
    /// `INVALID_MODEL` if the file ends before, or was written to since it was opened.
    pub fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        self.ensure_holds(offset, len)?;
        let mut bytes = vec![0; len];
        self.fill(offset, &mut bytes)?;
        Ok(bytes)
    }

    fn ensure_holds(&self, offset: u64, len: usize) -> Result<()> {
        let end = offset.checked_add(len as u64);
        ensure!(
            end.is_some_and(|end| end <= self.stamp.0),
            InvalidModel,
            "{}: has {} bytes, not {len} from byte {offset}",
            self.path,
            self.stamp.0
        );
        Ok(())
    }

    fn fill(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let same = stamp(&file).is_ok_and(|found| found == self.stamp);
        ensure!(
            same,
            InvalidModel,
            "{}: was written to since it was loaded; load the model again",
            self.path
        );
        let done = file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(bytes));
        done.map_err(|e| Self::error(&self.path, &format!("cannot be read: {e}")))
    }
}

/// Float32 values in a file, little-endian.
#[derive(Clone, Debug)]
pub struct Stored {
    file: Arc<StoredFile>,
    offset: u64,
    len: usize,
    /// For matrices: how the file has them.
    matrix: Option<Matrix>,
    /// The values in the order of the tensor, once somebody asked for them.
    values: Arc<OnceLock<Vec<f32>>>,
}

/// How a matrix lies in its file.
#[derive(Clone, Debug, PartialEq)]
struct Matrix {
    rows: usize,
    columns: usize,
    /// Whether the file has it column by column.
    transposed: bool,
    /// Which row of the file each row is, if they were reordered.
    order: Option<Arc<Vec<usize>>>,
}

impl Matrix {
    fn of(shape: &[usize]) -> Option<Self> {
        let &[rows, columns] = shape else { return None };
        Some(Matrix { rows, columns, transposed: false, order: None })
    }
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        let place = Arc::ptr_eq(&self.file, &other.file) && self.offset == other.offset;
        place && self.len == other.len && self.matrix == other.matrix
    }
}

impl Stored {
    /// Values of a tensor of this shape at an offset of the file.
    ///
    /// # Errors
    /// `INVALID_MODEL` if the file ends before.
    pub fn new(file: Arc<StoredFile>, offset: u64, shape: &[usize]) -> Result<Self> {
        let len = crate::constant::element_count(shape)?;
        file.ensure_holds(offset, 4 * len)?;
        Ok(Stored { file, offset, len, matrix: Matrix::of(shape), values: Arc::default() })
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Calls `visit` with successive values as the file has them, and where the first of them is.
    ///
    /// # Errors
    /// `INVALID_MODEL` if the file cannot be read any more.
    pub fn pieces(&self, mut visit: impl FnMut(usize, &[f32])) -> Result<()> {
        let (mut bytes, mut values) = (vec![], vec![]);
        for first in (0..self.len).step_by(PIECE) {
            self.read(first, PIECE.min(self.len - first), &mut bytes, &mut values)?;
            visit(first, &values);
        }
        Ok(())
    }

    fn read(&self, first: usize, count: usize, bytes: &mut Vec<u8>, values: &mut Vec<f32>) -> Result<()> {
        bytes.resize(4 * count, 0);
        self.file.fill(self.offset + 4 * first as u64, bytes)?;
        values.clear();
        values.extend(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)));
        Ok(())
    }

    /// All values in the order of the tensor, which are read at the first call.
    ///
    /// # Panics
    /// With an [`Error`] as payload if the file cannot be read any more: who asks for single values has no way to
    /// answer, and who starts a plan catches it.
    pub fn values(&self) -> &[f32] {
        self.values.get_or_init(|| self.to_real())
    }

    /// All values in the order of the tensor, without keeping them.
    ///
    /// # Panics
    /// As [`Stored::values`].
    pub fn to_real<T: Real>(&self) -> Vec<T> {
        let mut values = vec![T::ZERO; self.len];
        let real = |value: f32| T::from_f64(f64::from(value));
        let read = match &self.matrix {
            None => self.pieces(|first, piece| {
                values[first..].iter_mut().zip(piece).for_each(|(to, &value)| *to = real(value));
            }),
            Some(m) => self.runs(|row, column, run| {
                let to = &mut values[row * m.columns + column..][..run.len()];
                to.iter_mut().zip(run).for_each(|(to, &value)| *to = real(value));
            }),
        };
        read.unwrap_or_else(|error| std::panic::resume_unwind(Box::new(error)));
        values
    }

    /// The same values in the same order under another shape; none if the file has them in another order.
    pub fn reshaped(&self, shape: &[usize]) -> Option<Self> {
        let plain = self.matrix.as_ref().is_none_or(|m| !m.transposed && m.order.is_none());
        plain.then(|| Stored { matrix: Matrix::of(shape), ..self.clone() })
    }

    /// The transposed matrix; none if rows were reordered, or it is none.
    pub fn transposed(&self) -> Option<Self> {
        let m = self.matrix.as_ref().filter(|m| m.order.is_none())?;
        let matrix = Matrix { rows: m.columns, columns: m.rows, transposed: !m.transposed, order: None };
        Some(Stored { matrix: Some(matrix), values: Arc::default(), ..self.clone() })
    }

    /// The matrix with row `order[r]` as row `r`; none if rows were reordered before, or it is none.
    pub fn reordered(&self, order: &[usize]) -> Option<Self> {
        let m = self.matrix.as_ref().filter(|m| m.order.is_none() && m.rows == order.len())?;
        let matrix = Matrix { order: Some(Arc::new(order.to_vec())), ..m.clone() };
        Some(Stored { matrix: Some(matrix), values: Arc::default(), ..self.clone() })
    }

    /// Calls `put` with row, first column and values of runs along the rows of a matrix, in an order that the file has
    /// together, until every element was in one.
    ///
    /// # Errors
    /// `INVALID_MODEL` if the file cannot be read any more.
    pub fn runs(&self, mut put: impl FnMut(usize, usize, &[f32])) -> Result<()> {
        let Some(m) = &self.matrix else { bail!(Internal, "runs of a tensor that is no matrix") };
        let (lines, line) = if m.transposed { (m.columns, m.rows) } else { (m.rows, m.columns) };
        // Transposed, some columns at once: what they are copied to is then written in runs.
        let at_once = if m.transposed { COLUMNS } else { (PIECE / line.max(1)).max(1) };
        let places = m.order.as_deref().filter(|_| !m.transposed).map(|order| inverse(order));
        let (mut bytes, mut values) = (vec![], vec![]);
        for first in (0..lines).step_by(at_once) {
            let count = at_once.min(lines - first);
            self.read(first * line, count * line, &mut bytes, &mut values)?;
            if m.transposed {
                let mut run = [0.0; COLUMNS];
                for row in 0..line {
                    let from = m.order.as_ref().map_or(row, |order| order[row]);
                    (0..count).for_each(|c| run[c] = values[c * line + from]);
                    put(row, first, &run[..count]);
                }
                continue;
            }
            for (i, values) in values.chunks_exact(line.max(1)).enumerate() {
                let row = places.as_ref().map_or(first + i, |places| places[first + i]);
                put(row, 0, values);
            }
        }
        Ok(())
    }
}

/// Columns of a transposed matrix that are read at once: two vectors of the widest instruction set.
const COLUMNS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Constant;
    use std::io::Write;
    use std::path::PathBuf;

    /// A file of its own that goes with the test.
    struct Scrap(PathBuf);

    impl Scrap {
        fn new(name: &str, bytes: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("deeplift-{}-{name}", std::process::id()));
            std::fs::write(&path, bytes).unwrap();
            Scrap(path)
        }

        fn open(&self) -> Arc<StoredFile> {
            StoredFile::open(self.0.to_str().unwrap(), None).unwrap()
        }
    }

    impl Drop for Scrap {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    /// The same values in a file, behind a few other bytes, and in memory.
    fn both(name: &str, shape: &[usize]) -> (Scrap, Constant, Constant) {
        let values: Vec<u8> =
            (0..shape.iter().product()).flat_map(|i: usize| (i as f32).to_le_bytes()).collect();
        let file = Scrap::new(name, &[&[1, 2, 3], &values[..]].concat());
        let stored = Constant::stored(shape.to_vec(), file.open(), 3).unwrap();
        (file, stored, Constant::from_bytes(crate::DType::F32, shape.to_vec(), &values).unwrap())
    }

    fn entries(c: &Constant) -> Vec<f64> {
        let mut all = vec![f64::NAN; c.len()];
        let put =
            |row, column, run: &[f64]| all[row * c.shape[1] + column..][..run.len()].copy_from_slice(run);
        c.runs(put).unwrap();
        all
    }

    #[test]
    fn matrices_in_any_order_are_those_in_memory() {
        for (rows, columns) in [(5, 70), (70, 5), (300, 400), (1, 1), (3, 0)] {
            let (_file, stored, memory) = both(&format!("order-{rows}-{columns}"), &[rows, columns]);
            let order: Vec<usize> = (0..rows).map(|r| (r + rows / 2) % rows).collect();
            let turned: Vec<usize> = (0..columns).rev().collect();
            for (s, m) in [
                (stored.clone(), memory.clone()),
                (stored.transposed(&[1, 0]), memory.transposed(&[1, 0])),
                (stored.reordered_rows(&order), memory.reordered_rows(&order)),
                (
                    stored.transposed(&[1, 0]).reordered_rows(&turned),
                    memory.transposed(&[1, 0]).reordered_rows(&turned),
                ),
                (
                    stored.reordered_rows(&order).transposed(&[1, 0]),
                    memory.reordered_rows(&order).transposed(&[1, 0]),
                ),
            ] {
                assert_eq!(s.shape, m.shape);
                assert_eq!(entries(&s), m.to_f64());
                assert_eq!(s.to_real::<f32>(), m.to_real::<f32>());
                assert_eq!(s.to_f64(), m.to_f64());
            }
        }
    }

    #[test]
    fn other_shapes_and_picked_values_are_those_in_memory() {
        let (_file, stored, memory) = both("shapes", &[6, 4]);
        let shape = vec![2, 3, 4];
        assert_eq!(stored.reshaped(shape.clone()).to_f64(), memory.to_f64());
        let flipped = [stored.transposed(&[1, 0]), memory.transposed(&[1, 0])];
        let [s, m] = flipped.map(|c| c.reshaped(shape.clone()).transposed(&[2, 0, 1]));
        assert_eq!((s.shape, s.data), (m.shape, m.data));
        assert_eq!(stored.pick(vec![2], [7, 0].into_iter()).to_f64(), [7.0, 0.0]);
    }

    #[test]
    fn the_first_nan_is_found() {
        let mut values = vec![1.0f32; PIECE + 10];
        values[PIECE + 3] = f32::NAN;
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let file = Scrap::new("nan", &bytes);
        let stored = Constant::stored(vec![values.len()], file.open(), 0).unwrap();
        assert_eq!(stored.first_nan().unwrap(), Some(PIECE + 3));
    }

    #[cfg(unix)]
    #[test]
    fn another_file_than_the_checked_one_is_refused() {
        let (file, other) = (Scrap::new("checked", &[0]), Scrap::new("other", &[0]));
        let checked = identity(&file.open().file.lock().unwrap());
        let open =
            |scrap: &Scrap| StoredFile::open(scrap.0.to_str().unwrap(), checked.as_deref()).map(|_| ());
        assert!(open(&file).is_ok());
        assert!(open(&other).unwrap_err().message.contains("replaced"));
    }

    #[test]
    fn files_that_end_before_or_change_are_refused() {
        let (file, stored, _) = both("changed", &[4, 4]);
        assert!(Constant::stored(vec![4, 4], file.open(), 4).unwrap_err().message.contains("67 bytes"));
        assert!(Constant::stored(vec![4, 4], file.open(), u64::MAX).is_err());
        std::fs::OpenOptions::new().append(true).open(&file.0).unwrap().write_all(&[0]).unwrap();
        let error = stored.runs(|_, _, _: &[f32]| ()).unwrap_err();
        assert!(error.message.contains("written to"), "{}", error.message);
        let payload = std::panic::catch_unwind(|| stored.to_f64()).unwrap_err();
        assert_eq!(payload.downcast_ref::<Error>().unwrap().code, Code::InvalidModel);
    }
}
