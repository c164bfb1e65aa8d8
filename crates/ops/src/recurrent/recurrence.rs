//! One direction of a recurrent layer, what LSTM, GRU and RNN are expanded to: states `[time, sequences, state]` from
//! inputs `[time, sequences, inputs]`.
//!
//! A state begins with the output (and the cell of an LSTM); behind it stands what records are made of, so that a pair
//! is recorded without running anything again. Weights are packed once, the inputs' part of the gates is one product
//! for many steps, and the recurrent product of a step is one for all sequences of all lanes.
use std::borrow::Cow;

use deeplift_graph::operator::{ClosedForm, Precision};
use deeplift_graph::{ensure, structures, Build, Constant, Fact, Operator, Result, Structure};
use deeplift_kernels::{Epilogue, Holding, PackedDense, Scratch};

use super::activations::{read, Activation, Spec};
use super::cell::{tally, Carry, Cell, Gates, Records, Side, Work};
use super::gru::Gru;
use super::lstm::Lstm;
use super::rnn::Rnn;
use super::Kind;

/// Steps whose products with the inputs are made at once: enough rows for the kernel, little memory.
const STEPS_AT_ONCE: usize = 16;

/// Where the inputs of a recurrence stand among those of its node.
const INPUTS: [usize; 3] = [0, 5, 6];

#[derive(Clone)]
struct Shape {
    steps: usize,
    /// Steps that are run; behind them, outputs are 0.
    length: usize,
    sequences: usize,
    inputs: usize,
    units: usize,
    /// Values of all gates of a sequence.
    gates: usize,
    reverse: bool,
}

struct Recurrence {
    kind: Kind,
    shape: Shape,
    fact: Fact,
    specs: Vec<Spec>,
    clip: Option<f64>,
    coupled: bool,
    reset_after: bool,
    /// `[gates][inputs]` and `[gates][units]`.
    weights: [Gates; 2],
    /// `[2 gates]`, if given.
    bias: Option<Constant>,
    /// `[3 units]`, if given.
    peepholes: Option<Constant>,
    /// Inputs, first output, first cell.
    given: [Source; 3],
}

/// Where a value comes from.
#[derive(Clone)]
enum Source {
    /// It is 0.
    Absent,
    Constant(Constant),
    /// The data input of this number.
    Data(usize),
}

/// Inputs: X, W, R, B, P, first output, first cell, each of one direction; attributes as [`super::expand`] writes them.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    let kind = Kind::of(&cx.string("cell", "")?)?;
    let (x, w) = (cx.input(0)?, cx.constant(1, "W")?);
    let (r, [bias, peepholes]) = (cx.constant(2, "R")?, [optional(cx, 3)?, optional(cx, 4)?]);
    ensure!(
        x.shape.len() == 3 && w.shape.len() == 2 && r.shape.len() == 2 && x.shape[2] == w.shape[1],
        Internal,
        "shapes {:?}, {:?}, {:?} are no recurrence",
        x.shape,
        w.shape,
        r.shape
    );
    let (units, gates) = (r.shape[1], w.shape[0]);
    let fits = gates == kind.gates() * units
        && r.shape[0] == gates
        && bias.as_ref().is_none_or(|b| b.len() == 2 * gates)
        && peepholes.as_ref().is_none_or(|p| p.len() == 3 * units);
    ensure!(fits, Internal, "weights of {gates} gates and {units} units do not fit");
    let (steps, sequences) = (x.shape[0], x.shape[1]);
    let shape = Shape {
        steps,
        length: cx.int("length", steps as i64)? as usize,
        sequences,
        inputs: x.shape[2],
        units,
        gates,
        reverse: cx.int("reverse", 0)? != 0,
    };
    ensure!(shape.length <= steps, Internal, "{} of {steps} steps", shape.length);
    let mut data = 0;
    let given = INPUTS.map(|i| match cx.optional(i) {
        None => Source::Absent,
        Some(Fact { constant: Some(c), .. }) => Source::Constant(c.clone()),
        Some(_) => {
            data += 1;
            Source::Data(data - 1)
        }
    });
    let clip = cx.float("clip", 0.0)?;
    let reset_after = cx.int("linear_before_reset", 0)? != 0;
    let state = units
        * match kind {
            Kind::Lstm => 6,
            Kind::Gru => 4 + usize::from(reset_after),
            Kind::Rnn => 2,
        };
    Ok(Box::new(Recurrence {
        kind,
        fact: Fact::data(vec![steps, sequences, state], x.dtype),
        shape,
        specs: read(cx, kind.activations(), 1)?.remove(0),
        clip: (clip > 0.0).then_some(clip),
        coupled: cx.int("input_forget", 0)? != 0,
        reset_after,
        weights: [w, r].map(Gates::new),
        bias,
        peepholes,
        given,
    }))
}

fn optional(cx: &Build<'_>, i: usize) -> Result<Option<Constant>> {
    Ok(cx.optional_constant(i, "weight")?.cloned())
}

impl Recurrence {
    fn structure<T: Precision>(&self) -> Result<Structure<T>> {
        let s = &self.shape;
        let values = |c: &Option<Constant>| c.as_ref().map(|c| c.to_real::<T>()).unwrap_or_default();
        let ([w, r], [b, p]) = (&self.weights, [&self.bias, &self.peepholes].map(values));
        let activation = |i: usize, clip| Activation::new(&self.specs[i], s.units, clip);
        // Both biases are added before the recurrence, but for the one that the reset gate acts on.
        let mut bias: Vec<T> = b.iter().take(s.gates).copied().collect();
        let recurrent = b.get(s.gates..).unwrap_or(&[]);
        bias.iter_mut().zip(recurrent).for_each(|(a, &b)| *a += b);
        let cell: Box<dyn Cell<T>> = match self.kind {
            Kind::Lstm => {
                let functions = [activation(0, self.clip)?, activation(1, self.clip)?, activation(2, None)?];
                Box::new(Lstm::new(s.units, r, &p, functions, self.coupled))
            }
            Kind::Gru => {
                let mut own = vec![T::ZERO; s.units];
                if self.reset_after && !b.is_empty() {
                    let from = 2 * s.units;
                    own.copy_from_slice(&recurrent[from..]);
                    bias[from..].copy_from_slice(&b[from..s.gates]);
                }
                let functions = [activation(0, self.clip)?, activation(1, self.clip)?];
                Box::new(Gru::new(s.units, r, self.reset_after.then_some(&own[..]), functions))
            }
            Kind::Rnn => Box::new(Rnn::new(s.units, r, activation(0, self.clip)?)),
        };
        let from = |s: &Source, len: usize| match s {
            Source::Absent => Given::Values(vec![T::ZERO; len]),
            Source::Constant(c) => Given::Values(c.to_real()),
            Source::Data(port) => Given::Port(*port),
        };
        let [x, h, c] = &self.given;
        let carried = s.sequences * s.units;
        Ok(Structure::ClosedForm(Box::new(Kernel {
            input: w.packed(s.gates, s.inputs, &bias),
            input_adjoint: w.packed_adjoint(s.gates, s.inputs),
            cell,
            x: from(x, s.steps * s.sequences * s.inputs),
            h: from(h, carried),
            c: from(c, if self.kind == Kind::Lstm { carried } else { 0 }),
            cells: self.kind == Kind::Lstm,
            shape: s.clone(),
        })))
    }
}

impl Operator for Recurrence {
    fn outputs(&self) -> Vec<Fact> {
        vec![self.fact.clone()]
    }

    fn mixed_axes(&self) -> Vec<usize> {
        // Of the first data input: time and features, or the units of a first state.
        match &self.given[0] {
            Source::Data(_) => vec![0, 2],
            _ => vec![1],
        }
    }

    structures!();
}

/// Values that are the same for every lane, or those of a data input.
enum Given<T> {
    Values(Vec<T>),
    Port(usize),
}

impl<T: Precision> Given<T> {
    fn of<'a>(&'a self, lanes: usize, x: &[&'a [T]]) -> Cow<'a, [T]> {
        match self {
            Given::Values(v) if lanes == 1 => Cow::Borrowed(v),
            Given::Values(v) => Cow::Owned(v.repeat(lanes)),
            Given::Port(port) => Cow::Borrowed(x[*port]),
        }
    }

    fn is_port(&self, port: usize) -> bool {
        matches!(self, Given::Port(p) if *p == port)
    }
}

struct Kernel<T: Precision> {
    shape: Shape,
    input: PackedDense<T>,
    input_adjoint: PackedDense<T>,
    cell: Box<dyn Cell<T>>,
    x: Given<T>,
    h: Given<T>,
    c: Given<T>,
    /// Whether a cell goes from step to step besides the output.
    cells: bool,
}

impl<T: Precision> Kernel<T> {
    /// Steps in the order in which they are run.
    fn order(&self) -> Vec<usize> {
        let length = self.shape.length;
        (0..length).map(|k| if self.shape.reverse { length - 1 - k } else { k }).collect()
    }

    /// Positions of step `t` of all rows, in units of one position; a row is a sequence of a lane.
    fn positions(&self, lanes: usize, t: usize, at: &mut Vec<usize>) {
        let Shape { steps, sequences, .. } = self.shape;
        at.clear();
        at.extend((0..lanes).flat_map(|l| (0..sequences).map(move |n| (l * steps + t) * sequences + n)));
    }

    /// Positions of the steps that are not run.
    fn behind(&self, lanes: usize) -> impl Iterator<Item = usize> {
        let Shape { steps, length, sequences, .. } = self.shape;
        (0..lanes).flat_map(move |l| (l * steps + length) * sequences..(l + 1) * steps * sequences)
    }

    fn state_len(&self) -> usize {
        self.cell.state_len()
    }

    /// Output and cell before the first step of one lane, `[sequences][output, cell]`.
    fn start(&self, x: &[&[T]]) -> Vec<T> {
        let (h, c) = (self.h.of(1, x), self.c.of(1, x));
        let n = self.shape.units;
        let row = |r: usize| h[r * n..][..n].iter().chain(c.iter().skip(r * n).take(n)).copied();
        (0..self.shape.sequences).flat_map(row).collect()
    }
}

impl<T: Precision> ClosedForm<T> for Kernel<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T]) {
        self.forward_lanes(1, x, y, &mut Scratch::default());
    }

    fn record_len(&self) -> usize {
        self.shape.steps * self.shape.sequences * self.cell.record_len()
    }

    fn record(&self, x: &[&[T]], x0: &[&[T]], record: &mut [T]) {
        let mut outputs =
            [x, x0].map(|_| vec![T::ZERO; self.shape.steps * self.shape.sequences * self.state_len()]);
        let [y, y0] = &mut outputs;
        self.forward(x, y);
        self.forward(x0, y0);
        self.record_from_outputs(x, x0, y, y0, record);
    }

    fn adjoint(&self, port: usize, record: &[T], my: &[T], mx: &mut [T], accumulate: bool) {
        self.adjoint_lanes(1, port, record, my, mx, accumulate, &mut Scratch::default());
    }

    fn forward_lanes(&self, lanes: usize, x: &[&[T]], y: &mut [T], scratch: &mut Scratch<T>) {
        let Shape { sequences, inputs, gates, .. } = self.shape;
        let (rows, state) = (lanes * sequences, self.state_len());
        let given = self.x.of(lanes, x);
        let mut carry = Carry { h: self.h.of(lanes, x).to_vec(), c: self.c.of(lanes, x).to_vec() };
        let mut work = Work::new(scratch);
        let (mut columns, mut projected) = (vec![], vec![]);
        let mut states = vec![T::ZERO; rows * state];
        let mut at = vec![];
        for block in self.order().chunks(STEPS_AT_ONCE) {
            columns.clear();
            for &t in block {
                self.positions(lanes, t, &mut at);
                at.iter().for_each(|p| columns.extend_from_slice(&given[p * inputs..][..inputs]));
            }
            projected.resize(block.len() * rows * gates, T::ZERO);
            let out = Epilogue::Store { out: &mut projected };
            self.input.forward(block.len() * rows, &columns, out, work.scratch);
            for (&t, projected) in block.iter().zip(projected.chunks_exact(rows * gates)) {
                self.cell.step(projected, &mut carry, &mut states, &mut work);
                self.positions(lanes, t, &mut at);
                for (p, own) in at.iter().zip(states.chunks_exact(state)) {
                    y[p * state..][..state].copy_from_slice(own);
                }
            }
        }
        self.behind(lanes).for_each(|p| y[p * state..][..state].fill(T::ZERO));
    }

    fn adjoint_lanes(
        &self,
        lanes: usize,
        port: usize,
        record: &[T],
        my: &[T],
        mx: &mut [T],
        accumulate: bool,
        scratch: &mut Scratch<T>,
    ) {
        let Shape { sequences, inputs, gates, units, .. } = self.shape;
        let (rows, state, len) = (lanes * sequences, self.state_len(), self.cell.record_len());
        let zeros = |n: usize| vec![T::ZERO; n];
        let mut carry = Carry { h: zeros(rows * units), c: zeros(if self.cells { rows * units } else { 0 }) };
        if !accumulate {
            mx.fill(T::ZERO);
        }
        let mut work = Work::new(scratch);
        let (mut multipliers, mut columns) = (vec![], vec![]);
        let mut at = vec![];
        for block in self.order().rchunks(STEPS_AT_ONCE) {
            multipliers.resize(block.len() * rows * gates, T::ZERO);
            for (&t, own) in block.iter().zip(multipliers.chunks_exact_mut(rows * gates)).rev() {
                self.positions(lanes, t, &mut at);
                for (r, p) in at.iter().enumerate() {
                    let my = &my[p * state..][..state];
                    add(&mut carry.h[r * units..][..units], &my[..units]);
                    if !carry.c.is_empty() {
                        add(&mut carry.c[r * units..][..units], &my[units..2 * units]);
                    }
                }
                let records = Records { all: record, at: &at, len };
                self.cell.back(&records, &mut carry, own, &mut work);
            }
            if self.x.is_port(port) {
                columns.resize(block.len() * rows * inputs, T::ZERO);
                let out = Epilogue::Store { out: &mut columns };
                self.input_adjoint.forward(block.len() * rows, &multipliers, out, work.scratch);
                for (&t, columns) in block.iter().zip(columns.chunks_exact(rows * inputs)) {
                    self.positions(lanes, t, &mut at);
                    for (p, column) in at.iter().zip(columns.chunks_exact(inputs)) {
                        add(&mut mx[p * inputs..][..inputs], column);
                    }
                }
            }
        }
        if self.h.is_port(port) {
            add(mx, &carry.h);
        } else if self.c.is_port(port) {
            add(mx, &carry.c);
        }
    }

    fn reads_outputs(&self) -> bool {
        true
    }

    fn record_from_outputs(&self, x: &[&[T]], x0: &[&[T]], y: &[T], y0: &[T], record: &mut [T]) {
        let (state, len) = (self.state_len(), self.cell.record_len());
        let starts = [self.start(x), self.start(x0)];
        let carried = starts[0].len() / self.shape.sequences;
        let mut scratch = Scratch::default();
        let mut work = Work::new(&mut scratch);
        let (mut at, mut before) = (vec![], vec![]);
        for (k, t) in self.order().into_iter().enumerate() {
            self.positions(1, t, &mut at);
            for (n, &p) in at.iter().enumerate() {
                let [own, own0] = [(y, &starts[0]), (y0, &starts[1])].map(|(y, start)| Side {
                    state: &y[p * state..][..state],
                    before: if k == 0 {
                        &start[n * carried..][..carried]
                    } else {
                        &y[before[n] * state..][..carried]
                    },
                });
                self.cell.record(&own, &own0, &mut record[p * len..][..len], &mut work);
            }
            std::mem::swap(&mut at, &mut before);
        }
    }

    fn flops(&self) -> f64 {
        let Shape { length, sequences, inputs, gates, units, .. } = self.shape;
        2.0 * (length * sequences * gates) as f64 * (inputs + units) as f64
    }

    fn tally(&self, multipliers: bool, holding: &mut Holding) {
        tally([&self.input, &self.input_adjoint], multipliers, holding);
        self.cell.tally(multipliers, holding);
    }

    fn weight_bytes(&self) -> usize {
        self.shape.gates * (self.shape.inputs + self.shape.units) * size_of::<T>()
    }
}

fn add<T: Precision>(sum: &mut [T], x: &[T]) {
    deeplift_kernels::map::add_assign(sum, x);
}
