//! The wire model out of JavaScript objects.
use deeplift_graph::constant::Constant;
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

/// Reads a model; weights are converted straight from their bytes.
pub fn model(o: &Object) -> Result<WireModel> {
    Ok(WireModel {
        source: get(o, "source")?,
        opset: get(o, "opset")?,
        inputs: each(o, "inputs", value)?,
        outputs: each(o, "outputs", value)?,
        nodes: each(o, "nodes", node)?,
        initializers: each(o, "initializers", tensor)?,
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

fn node(o: &Object) -> Result<WireNode> {
    Ok(WireNode {
        name: get(o, "name")?,
        op_type: get(o, "opType")?,
        domain: get(o, "domain")?,
        inputs: get(o, "inputs")?,
        outputs: get(o, "outputs")?,
        attributes: each(o, "attributes", attribute)?,
    })
}

fn attribute(o: &Object) -> Result<(String, Attribute)> {
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
        "tensor" => Attribute::Tensor(tensor(&get(o, "tensor")?)?.1),
        _ => Attribute::Other,
    };
    Ok((name, value))
}

fn tensor(o: &Object) -> Result<(String, Constant)> {
    let name: String = get(o, "name")?;
    let dims: Vec<i64> = get(o, "dims")?;
    let bytes: Uint8Array = get(o, "data")?;
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
        Constant::from_bytes(dtype, shape, &bytes)
    };
    let constant = read().map_err(|e| thrown(e.at(format!("tensor '{name}'"))))?;
    Ok((name, constant))
}
