//! Scores as JavaScript objects, copied into memory that JavaScript owns.
use deeplift_engine::mutagenesis::Effects;
use deeplift_engine::score::Scores;
use napi::bindgen_prelude::*;
use napi::sys;

/// Scores of one batch in the plan's precision.
pub enum Results {
    F32(Scores<f32>),
    F64(Scores<f64>),
}

impl Results {
    fn object<'e>(&self, env: &'e Env) -> Result<Object<'e>> {
        let mut o = Object::new(env)?;
        match self {
            Results::F32(s) => {
                let list =
                    |all: &[Vec<f32>]| all.iter().map(|v| Float32ArraySlice::copy_from(env, v)).collect();
                arrays(&mut o, s, list)?;
                summaries(env, &mut o, s)?;
            }
            Results::F64(s) => {
                let list =
                    |all: &[Vec<f64>]| all.iter().map(|v| Float64ArraySlice::copy_from(env, v)).collect();
                arrays(&mut o, s, list)?;
                summaries(env, &mut o, s)?;
            }
        }
        Ok(o)
    }
}

fn arrays<T, V: ToNapiValue>(
    o: &mut Object,
    s: &Scores<T>,
    list: impl Fn(&[Vec<T>]) -> Result<Vec<V>>,
) -> Result<()> {
    o.set("contributions", list(&s.contributions)?)?;
    o.set("hypothetical", list(&s.hypothetical)?)?;
    o.set("multipliers", list(&s.multipliers)?)?;
    o.set("perReference", list(&s.per_reference)?)
}

fn summaries<T>(env: &Env, o: &mut Object, s: &Scores<T>) -> Result<()> {
    o.set("output", Float64ArraySlice::copy_from(env, &s.output)?)?;
    o.set("referenceOutput", Float64ArraySlice::copy_from(env, &s.reference_output)?)?;
    o.set("delta", Float64ArraySlice::copy_from(env, &s.delta)?)?;
    o.set("completeness", Float64ArraySlice::copy_from(env, &s.completeness)?)
}

impl ToNapiValue for Results {
    unsafe fn to_napi_value(raw: sys::napi_env, value: Self) -> Result<sys::napi_value> {
        let env = Env::from_raw(raw);
        let object = value.object(&env)?;
        // SAFETY: `object` was made in the environment `raw`, on its thread, by the lines above.
        unsafe { ToNapiValue::to_napi_value(raw, object) }
    }
}

/// Every output of one batch, `[example][element]`, in the plan's precision.
pub enum Outputs {
    F32(Vec<Vec<f32>>),
    F64(Vec<Vec<f64>>),
}

impl Outputs {
    fn array<'e>(&self, env: &'e Env) -> Result<Array<'e>> {
        match self {
            Outputs::F32(all) => {
                let each = |v: &Vec<f32>| Float32ArraySlice::copy_from(env, v);
                Array::from_vec(env, all.iter().map(each).collect::<Result<_>>()?)
            }
            Outputs::F64(all) => {
                let each = |v: &Vec<f64>| Float64ArraySlice::copy_from(env, v);
                Array::from_vec(env, all.iter().map(each).collect::<Result<_>>()?)
            }
        }
    }
}

impl ToNapiValue for Outputs {
    unsafe fn to_napi_value(raw: sys::napi_env, value: Self) -> Result<sys::napi_value> {
        let env = Env::from_raw(raw);
        let array = value.array(&env)?;
        // SAFETY: `array` was made in the environment `raw`, on its thread, by the lines above.
        unsafe { ToNapiValue::to_napi_value(raw, array) }
    }
}

/// Effects of one batch in the plan's precision.
pub enum Changes {
    F32(Effects<f32>),
    F64(Effects<f64>),
}

impl Changes {
    fn object<'e>(&self, env: &'e Env) -> Result<Object<'e>> {
        let mut o = Object::new(env)?;
        let output = match self {
            Changes::F32(e) => {
                o.set("effects", Float32ArraySlice::copy_from(env, &e.effects)?)?;
                &e.output
            }
            Changes::F64(e) => {
                o.set("effects", Float64ArraySlice::copy_from(env, &e.effects)?)?;
                &e.output
            }
        };
        o.set("output", Float64ArraySlice::copy_from(env, output)?)?;
        Ok(o)
    }
}

impl ToNapiValue for Changes {
    unsafe fn to_napi_value(raw: sys::napi_env, value: Self) -> Result<sys::napi_value> {
        let env = Env::from_raw(raw);
        let object = value.object(&env)?;
        // SAFETY: `object` was made in the environment `raw`, on its thread, by the lines above.
        unsafe { ToNapiValue::to_napi_value(raw, object) }
    }
}
