//! The input positions that each output position of an axis is made of, with their weights.
use deeplift_graph::{bail, Result};

use super::coordinates::{Axis, Coordinates};

/// `mode`, with `nearest_mode` or the coefficient of the cubic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    Nearest(Nearest),
    Linear,
    Cubic(f64),
}

/// `nearest_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nearest {
    RoundPreferFloor,
    RoundPreferCeil,
    Floor,
    Ceil,
}

impl Nearest {
    pub fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "round_prefer_floor" => Nearest::RoundPreferFloor,
            "round_prefer_ceil" => Nearest::RoundPreferCeil,
            "floor" => Nearest::Floor,
            "ceil" => Nearest::Ceil,
            _ => bail!(InvalidModel, "nearest_mode '{name}' is unknown"),
        })
    }

    fn of(self, x: f64) -> f64 {
        match self {
            Nearest::RoundPreferFloor => (x - 0.5).ceil(),
            Nearest::RoundPreferCeil => (x + 0.5).floor(),
            Nearest::Floor => x.floor(),
            Nearest::Ceil => x.ceil(),
        }
    }
}

/// How all axes are interpolated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interpolation {
    pub mode: Mode,
    pub coordinates: Coordinates,
    pub exclude_outside: bool,
    /// Widens the kernel where positions become fewer.
    pub antialias: bool,
}

/// Input positions and weights of one output position; `None` beyond the part of a crop that the input has.
pub(super) type Taps = Option<Vec<(usize, f64)>>;

impl Interpolation {
    /// Most taps of one output position.
    pub fn taps(&self, axis: &Axis) -> usize {
        match self.mode {
            Mode::Nearest(_) => 1,
            mode => self.offsets(mode, axis).count(),
        }
    }

    /// The taps of every output position.
    pub fn weights(&self, axis: &Axis) -> Vec<Taps> {
        let last = axis.from as f64 - 1.0;
        let single = matches!(self.mode, Mode::Nearest(_));
        let position = |at: usize| {
            let x = axis.coordinate(self.coordinates, at, single);
            if self.coordinates == Coordinates::TfCropAndResize && axis.is_outside(x) {
                return None;
            }
            Some(match self.mode {
                Mode::Nearest(nearest) => vec![(nearest.of(x).clamp(0.0, last) as usize, 1.0)],
                mode => self.blend(mode, axis, x),
            })
        };
        (0..axis.to).map(position).collect()
    }

    /// Distances of the taps from the last position before the coordinate.
    fn offsets(&self, mode: Mode, axis: &Axis) -> std::ops::Range<i64> {
        let reach = if matches!(mode, Mode::Cubic(_)) { 2.0 } else { 1.0 };
        let first = (-reach / self.stretch(axis)).floor() as i64 + 1;
        first..2 - first
    }

    /// Factor of distances: below 1 the kernel is wider.
    fn stretch(&self, axis: &Axis) -> f64 {
        if self.antialias {
            axis.scale.min(1.0)
        } else {
            1.0
        }
    }

    fn blend(&self, mode: Mode, axis: &Axis, x: f64) -> Vec<(usize, f64)> {
        let base = x.ceil() - 1.0;
        let ratio = x - base;
        let stretch = self.stretch(axis);
        let inside = |i: i64| (0..axis.from as i64).contains(&i);
        let mut taps = Vec::new();
        for offset in self.offsets(mode, axis) {
            let distance = ((offset as f64 - ratio) * stretch).abs();
            let weight = match mode {
                Mode::Cubic(a) => cubic(a, distance),
                _ => (1.0 - distance).max(0.0),
            };
            let at = base as i64 + offset;
            if weight != 0.0 && (inside(at) || !self.exclude_outside) {
                taps.push((at.clamp(0, axis.from as i64 - 1) as usize, weight));
            }
        }
        let total: f64 = taps.iter().map(|t| t.1).sum();
        if self.antialias || self.exclude_outside {
            taps.iter_mut().for_each(|t| t.1 /= total);
        }
        merged(taps)
    }
}

/// The cubic convolution kernel with coefficient `a` at a distance.
fn cubic(a: f64, d: f64) -> f64 {
    if d <= 1.0 {
        ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    } else if d < 2.0 {
        ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a
    } else {
        0.0
    }
}

/// Taps at the border fall together.
fn merged(taps: Vec<(usize, f64)>) -> Vec<(usize, f64)> {
    let mut out: Vec<(usize, f64)> = Vec::with_capacity(taps.len());
    for (at, weight) in taps {
        match out.last_mut() {
            Some(last) if last.0 == at => last.1 += weight,
            _ => out.push((at, weight)),
        }
    }
    out
}
