//! The wire model out of JavaScript objects.
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use deeplift_graph::constant::{element_count, Constant};
use deeplift_graph::stored::StoredFile;
use deeplift_graph::wire::{Attribute, WireModel, WireNode, WireValue};
use deeplift_graph::DType;
use napi::bindgen_prelude::*;

use crate::{misuse, thrown};

/// A named property.
pub fn get<T: FromNapiValue>(o: &Object, name: &str) -> Result<T> {
    o.get::<T>(name)?.ok_or_else(|| misuse(format!("property '{name}' is missing")))
}

/// A named array, element by element.
fn each<T>(o: &Object, name: &str, read: impl Fn(&Object) -> Result<T>) -> Result<Vec<T>> {
    let array: Array = get(o, name)?;
    (0..array.len())
        .map(|i| {
            let item: Object = array.get(i)?.ok_or_else(|| misuse(format!("'{name}' has a hole at {i}")))?;
            read(&item)
        })
        .collect()
}

/// Files that weights stay in.
type Files = RefCell<HashMap<String, Arc<StoredFile>>>;

/// Reads a model; weights are converted straight from their bytes, or stay in their file.
pub fn model(o: &Object) -> Result<WireModel> {
    let files = Files::default();
    Ok(WireModel {
        source: get(o, "source")?,
        opset: get(o, "opset")?,
        inputs: each(o, "inputs", value)?,
        outputs: each(o, "outputs", value)?,
        nodes: each(o, "nodes", |o| node(o, &files))?,
        initializers: each(o, "initializers", |o| tensor(o, &files))?,
    })
}

fn value(o: &Object) -> Result<WireValue> {
    Ok(WireValue {
        name: get(o, "name")?,
        dtype: get(o, "dtype")?,
        dims: get(o, "dims")?,
        dim_names: get(o, "dimNames")?,
        has_shape: get(o, "hasShape")?,
    })
}

fn node(o: &Object, files: &Files) -> Result<WireNode> {
    Ok(WireNode {
        name: get(o, "name")?,
        op_type: get(o, "opType")?,
        domain: get(o, "domain")?,
        inputs: get(o, "inputs")?,
        outputs: get(o, "outputs")?,
        attributes: each(o, "attributes", |o| attribute(o, files))?,
    })
}

fn attribute(o: &Object, files: &Files) -> Result<(String, Attribute)> {
    let name: String = get(o, "name")?;
    let kind: String = get(o, "kind")?;
    let floats = || {
        Ok::<_, Error>(get::<Float32Array>(o, "floats")?.iter().map(|&v| f64::from(v)).collect::<Vec<_>>())
    };
    let ints = || Ok::<_, Error>(get::<BigInt64Array>(o, "ints")?.to_vec());
    let strings = || get::<Vec<String>>(o, "strings");
    let empty = || misuse(format!("attribute '{name}' has no value"));
    let value = match kind.as_str() {
        "float" => Attribute::Float(floats()?.first().copied().ok_or_else(empty)?),
        "int" => Attribute::Int(ints()?.first().copied().ok_or_else(empty)?),
        "string" => Attribute::String(strings()?.into_iter().next().ok_or_else(empty)?),
        "floats" => Attribute::Floats(floats()?),
        "ints" => Attribute::Ints(ints()?),
        "strings" => Attribute::Strings(strings()?),
        "tensor" => Attribute::Tensor(tensor(&get(o, "tensor")?, files)?.1),
        _ => Attribute::Other,
    };
    Ok((name, value))
}

fn tensor(o: &Object, files: &Files) -> Result<(String, Constant)> {
    let name: String = get(o, "name")?;
    let dims: Vec<i64> = get(o, "dims")?;
    let bytes: Uint8Array = get(o, "data")?;
    let stored: Option<Object> = o.get("stored")?;
    let place = |s: Object| {
        let identity: Option<String> = s.get("identity")?;
        Ok::<_, Error>((get::<String>(&s, "path")?, get::<i64>(&s, "offset")?, identity))
    };
    let place = stored.map(place).transpose()?;
    let read = || {
        let dtype = DType::from_onnx(get::<i32>(o, "dtype").unwrap_or(0))?;
        let mut shape = Vec::with_capacity(dims.len());
        for &d in &dims {
            let d = usize::try_from(d);
            shape.push(d.map_err(|_| {
                deeplift_graph::Error::new(
                    deeplift_graph::Code::InvalidModel,
                    format!("shape {dims:?} is negative"),
                )
            })?);
        }
        let Some((path, offset, identity)) = place else { return Constant::from_bytes(dtype, shape, &bytes) };
        let known = files.borrow().get(&path).cloned();
        let file = known.map_or_else(|| StoredFile::open(&path, identity.as_deref()), Ok)?;
        files.borrow_mut().insert(path, file.clone());
        let offset = u64::try_from(offset).unwrap_or(u64::MAX);
        if dtype == DType::F32 {
            return Constant::stored(shape, file, offset);
        }
        let bytes = file.read(offset, element_count(&shape)? * dtype.size())?;
        Constant::from_bytes(dtype, shape, &bytes)
    };
    let constant = read().map_err(|e| thrown(e.at(format!("tensor '{name}'"))))?;
    Ok((name, constant))
}
