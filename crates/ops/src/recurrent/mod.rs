//! LSTM, GRU and RNN over sequences: directions, layouts, initial states and lengths of ONNX around one
//! [`recurrence`] per direction. Rules are those of SEMANTICS 3.2, row LSTM: linear gates, divided differences of the
//! functions, products by averages, and back through time.
//!
//! Inputs are X `[time, batch, inputs]` (or `[batch, time, inputs]` under layout 1), the weights of all directions,
//! sequence_lens, initial_h, initial_c (LSTM), and the peepholes (LSTM). Outputs are Y `[time, directions, batch,
//! units]` (layout 1: `[batch, time, directions, units]`) and the last output, and cell, of each direction
//! `[directions, batch, units]` (layout 1: batch first).
use deeplift_graph::wire::Attribute;
use deeplift_graph::{
    bail, ensure, structures, Attributes, Build, Constant, Expansion, Fact, Operator, Result, Source,
    Structure,
};
use deeplift_simd::Real;

mod activations;
mod cell;
mod gru;
mod lstm;
pub mod recurrence;
mod rnn;

use activations::Spec;

/// The cell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gru,
    Lstm,
    Rnn,
}

impl Kind {
    fn of(name: &str) -> Result<Self> {
        Ok(match name {
            "GRU" => Kind::Gru,
            "LSTM" => Kind::Lstm,
            "RNN" => Kind::Rnn,
            _ => bail!(Internal, "'{name}' is no recurrent cell"),
        })
    }

    fn gates(self) -> usize {
        match self {
            Kind::Gru => 3,
            Kind::Lstm => 4,
            Kind::Rnn => 1,
        }
    }

    /// Default functions of one direction.
    fn activations(self) -> &'static [&'static str] {
        match self {
            Kind::Gru => &["Sigmoid", "Tanh"],
            Kind::Lstm => &["Sigmoid", "Tanh", "Tanh"],
            Kind::Rnn => &["Tanh"],
        }
    }
}

/// Where inputs stand in ONNX.
const LENGTHS: usize = 4;
const FIRST_OUTPUT: usize = 5;
const FIRST_CELL: usize = 6;

struct Layer {
    op: String,
    kind: Kind,
    attrs: Attributes,
    batch_first: bool,
    length: usize,
    units: usize,
    /// Whether each direction runs backwards.
    reverse: Vec<bool>,
    specs: Vec<Vec<Spec>>,
    /// W, R, B and P of all directions, along the first axis.
    weights: [Option<Constant>; 4],
    /// Whether initial states are given.
    starts: [bool; 2],
    facts: Vec<Fact>,
}

/// Reads attributes and shapes of LSTM, GRU or RNN.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let kind = Kind::of(cx.op)?;
    let x = cx.input(0)?;
    ensure!(x.shape.len() == 3, InvalidModel, "expected an input of three axes, found shape {:?}", x.shape);
    let batch_first = cx.int("layout", 0)? != 0;
    let [steps, batch] = if batch_first { [x.shape[1], x.shape[0]] } else { [x.shape[0], x.shape[1]] };
    let reverse = match cx.string("direction", "forward")?.as_str() {
        "forward" => vec![false],
        "reverse" => vec![true],
        "bidirectional" => vec![false, true],
        other => bail!(InvalidModel, "direction '{other}' is none of forward, reverse, bidirectional"),
    };
    let directions = reverse.len();
    let (w, r) = (cx.constant(1, "weight matrix W")?, cx.constant(2, "weight matrix R")?);
    let units = r.shape.last().copied().unwrap_or(0);
    let hidden = cx.int("hidden_size", units as i64)?;
    ensure!(
        units > 0 && hidden == units as i64,
        InvalidModel,
        "hidden_size {hidden} does not fit R of shape {:?}",
        r.shape
    );
    let peepholes = if kind == Kind::Lstm { cx.optional_constant(7, "peephole P")? } else { None };
    let weights = [Some(w), Some(r), cx.optional_constant(3, "bias B")?, peepholes];
    let gates = kind.gates() * units;
    let expected = [vec![gates, x.shape[2]], vec![gates, units], vec![2 * gates], vec![3 * units]]
        .map(|s| [vec![directions], s].concat());
    for ((weight, expected), name) in weights.iter().zip(&expected).zip(["W", "R", "B", "P"]) {
        let shape = weight.map_or(expected, |w| &w.shape);
        ensure!(shape == expected, InvalidModel, "{name} has shape {shape:?}, expected {expected:?}");
    }
    let state = if batch_first { vec![batch, directions, units] } else { vec![directions, batch, units] };
    let starts: &[usize] = if kind == Kind::Lstm { &[FIRST_OUTPUT, FIRST_CELL] } else { &[FIRST_OUTPUT] };
    for &i in starts {
        let shape = cx.optional(i).map_or(&state, |f| &f.shape);
        ensure!(*shape == state, InvalidModel, "input {i} has shape {shape:?}, expected {state:?}");
    }
    let all = if batch_first {
        vec![batch, steps, directions, units]
    } else {
        vec![steps, directions, batch, units]
    };
    let mut facts = vec![Fact::data(all, x.dtype), Fact::data(state.clone(), x.dtype)];
    if kind == Kind::Lstm {
        facts.push(Fact::data(state, x.dtype));
    }
    Ok(Box::new(Layer {
        op: cx.op.into(),
        kind,
        attrs: passed(cx)?,
        batch_first,
        length: length(cx, steps, batch)?,
        units,
        specs: activations::read(cx, kind.activations(), directions)?,
        reverse,
        weights: weights.map(|w| w.cloned()),
        starts: [FIRST_OUTPUT, FIRST_CELL].map(|i| starts.contains(&i) && cx.optional(i).is_some()),
        facts,
    }))
}

/// Attributes that every direction has.
fn passed(cx: &Build<'_>) -> Result<Attributes> {
    let clip = cx.float("clip", 0.0)?;
    ensure!(clip >= 0.0 && clip.is_finite(), InvalidModel, "clip {clip} is no threshold");
    let mut attrs = Attributes::from([("clip".into(), Attribute::Float(clip))]);
    for name in ["input_forget", "linear_before_reset"] {
        attrs.insert(name.into(), Attribute::Int(cx.int(name, 0)?));
    }
    Ok(attrs)
}

/// Steps that are run: all, or as many as `sequence_lens` says.
fn length(cx: &Build<'_>, steps: usize, batch: usize) -> Result<usize> {
    let Some(fact) = cx.optional(LENGTHS) else { return Ok(steps) };
    let Some(lens) = &fact.constant else {
        bail!(
            UnsupportedOp,
            "its sequence_lens depend on the input; export the model for sequences of one length, without them"
        )
    };
    let lens = lens.to_i64()?;
    ensure!(lens.len() == batch, InvalidModel, "{} sequence_lens for a batch of {batch}", lens.len());
    let first = lens.first().copied().unwrap_or(0);
    ensure!(
        lens.iter().all(|&l| l == first),
        UnsupportedOp,
        "its sequence_lens {lens:?} differ; export the model for sequences of one length, without them"
    );
    ensure!(
        first >= 1 && first as u64 <= steps as u64,
        InvalidModel,
        "sequence_lens {first} is not within 1 and {steps}"
    );
    Ok(first as usize)
}

/// Index `d` of the first axis, which is dropped.
fn of_direction(c: &Constant, d: usize) -> Constant {
    let each = c.len() / c.shape[0];
    c.pick(c.shape[1..].to_vec(), d * each..(d + 1) * each)
}

fn list(values: &[usize]) -> Source {
    Source::Constant(Constant::i64(vec![values.len()], values.iter().map(|&v| v as i64).collect()))
}

fn slice(e: &mut Expansion, x: &Source, from: &[usize], to: &[usize], axes: &[usize]) -> Source {
    e.add("Slice", Attributes::new(), [x.clone(), list(from), list(to), list(axes)])
}

fn transpose(e: &mut Expansion, x: Source, perm: &[i64]) -> Source {
    e.add("Transpose", Attributes::from([("perm".into(), Attribute::Ints(perm.to_vec()))]), [x])
}

/// The directions' tensors along an axis on which each has length 1.
fn join(e: &mut Expansion, mut of: Vec<Source>, axis: i64) -> Source {
    if of.len() == 1 {
        return of.remove(0);
    }
    let attrs = Attributes::from([("axis".into(), Attribute::Int(axis))]);
    e.add_some("Concat", attrs, of.into_iter().map(Some).collect())
}

impl Layer {
    /// An initial state of one direction, `[batch, units]`.
    fn start(&self, e: &mut Expansion, input: usize, d: usize) -> Source {
        let axis = usize::from(self.batch_first);
        let own = slice(e, &Source::Input(input), &[d], &[d + 1], &[axis]);
        e.add("Squeeze", Attributes::new(), [own, list(&[axis])])
    }

    /// States `[time, batch, state]` of one direction.
    fn states(&self, e: &mut Expansion, x: &Source, d: usize) -> Source {
        let mut attrs = self.attrs.clone();
        attrs.insert("cell".into(), Attribute::String(self.op.clone()));
        attrs.insert("reverse".into(), Attribute::Int(i64::from(self.reverse[d])));
        attrs.insert("length".into(), Attribute::Int(self.length as i64));
        activations::write(&self.specs[d], &mut attrs);
        let mut inputs = vec![Some(x.clone())];
        inputs.extend(self.weights.iter().map(|w| Some(Source::Constant(of_direction(w.as_ref()?, d)))));
        for (given, input) in self.starts.into_iter().zip([FIRST_OUTPUT, FIRST_CELL]) {
            inputs.push(given.then(|| self.start(e, input, d)));
        }
        e.add_some("Recurrence", attrs, inputs)
    }

    fn structure<T: Real>(&self) -> Result<Structure<T>> {
        Ok(Structure::Opaque { advice: "it is expanded to recurrences before".into(), forward: None })
    }
}

impl Operator for Layer {
    fn outputs(&self) -> Vec<Fact> {
        self.facts.clone()
    }

    fn expand(&self) -> Result<Option<Expansion>> {
        let mut e = Expansion::new();
        let x =
            if self.batch_first { transpose(&mut e, Source::Input(0), &[1, 0, 2]) } else { Source::Input(0) };
        let n = self.units;
        let (mut all, mut outputs, mut cells) = (vec![], vec![], vec![]);
        for (d, &reverse) in self.reverse.iter().enumerate() {
            let states = self.states(&mut e, &x, d);
            let h = slice(&mut e, &states, &[0], &[n], &[2]);
            let last = if reverse { 0 } else { self.length - 1 };
            all.push(e.add("Unsqueeze", Attributes::new(), [h.clone(), list(&[1])]));
            outputs.push(slice(&mut e, &h, &[last], &[last + 1], &[0]));
            if self.kind == Kind::Lstm {
                cells.push(slice(&mut e, &states, &[last, n], &[last + 1, 2 * n], &[0, 2]));
            }
        }
        let mut made = vec![join(&mut e, all, 1), join(&mut e, outputs, 0)];
        if self.kind == Kind::Lstm {
            made.push(join(&mut e, cells, 0));
        }
        if self.batch_first {
            let perms: [&[i64]; 3] = [&[2, 0, 1, 3], &[1, 0, 2], &[1, 0, 2]];
            made = made.into_iter().zip(perms).map(|(y, perm)| transpose(&mut e, y, perm)).collect();
        }
        Ok(Some(e.done(made)))
    }

    structures!();
}
