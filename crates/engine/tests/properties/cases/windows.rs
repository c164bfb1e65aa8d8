//! Convolutions and pools.
use super::Case;
use crate::common::draw::Draw;
use crate::common::tensor::{indices, Tensor};
use crate::common::{int, ints, string, Named, Net};

/// Windows along the spatial axes.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    pub input: Vec<usize>,
    pub output: Vec<usize>,
    pub kernel: Vec<usize>,
    pub stride: Vec<usize>,
    pub dilation: Vec<usize>,
    pub before: Vec<usize>,
    pub after: Vec<usize>,
}

impl Windows {
    /// Draws until every window fits; also gives the attributes.
    pub fn draw(d: &mut Draw, ceil: bool) -> (Self, Vec<Named>) {
        loop {
            let axes = d.pick(&[1, 1, 1, 2, 2, 3]);
            let most = [9, 6, 4][axes - 1];
            let mut w = Windows {
                input: d.ints(axes, 1, most),
                output: vec![],
                kernel: d.ints(axes, 1, 4),
                stride: d.ints(axes, 1, 3),
                dilation: if d.coin() { vec![1; axes] } else { d.ints(axes, 1, 3) },
                before: d.ints(axes, 0, 2),
                after: d.ints(axes, 0, 2),
            };
            let auto = d.pick(&["NOTSET", "NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]);
            let mut attributes =
                vec![ints("strides", &w.stride), ints("dilations", &w.dilation), string("auto_pad", auto)];
            match auto {
                "NOTSET" => {
                    attributes.push(ints("pads", &[w.before.clone(), w.after.clone()].concat()));
                    attributes.push(int("ceil_mode", i64::from(ceil)));
                }
                "VALID" => (w.before, w.after) = (vec![0; axes], vec![0; axes]),
                _ => {
                    for a in 0..axes {
                        let out = w.input[a].div_ceil(w.stride[a]);
                        let need = (out - 1) * w.stride[a] + w.extent(a);
                        let total = need.saturating_sub(w.input[a]);
                        w.before[a] = if auto == "SAME_UPPER" { total / 2 } else { total - total / 2 };
                        w.after[a] = total - w.before[a];
                    }
                }
            }
            if w.place(ceil && auto == "NOTSET") {
                return (w, attributes);
            }
        }
    }

    fn extent(&self, a: usize) -> usize {
        (self.kernel[a] - 1) * self.dilation[a] + 1
    }

    /// Counts the windows; false if one is larger than the padded input.
    fn place(&mut self, ceil: bool) -> bool {
        for a in 0..self.input.len() {
            let padded = self.input[a] + self.before[a] + self.after[a];
            if self.extent(a) > padded {
                return false;
            }
            // ceil_mode adds a window that hangs over; frameworks drop the last one where it starts in the right
            // padding.
            let room = if ceil { padded + self.stride[a] - 1 } else { padded };
            let mut starts = (0..).take_while(|o| o * self.stride[a] + self.extent(a) <= room).count();
            if ceil && (starts - 1) * self.stride[a] >= self.input[a] + self.before[a] {
                starts -= 1;
            }
            self.output.push(starts);
        }
        true
    }

    /// Positions that a window covers: in the input, or not; and whether within the padded input.
    pub fn taps(&self, out: &[usize]) -> Vec<(Vec<usize>, Option<Vec<usize>>, bool)> {
        let place = |tap: Vec<usize>| {
            let at: Vec<isize> = (0..tap.len())
                .map(|a| {
                    (out[a] * self.stride[a] + tap[a] * self.dilation[a]) as isize - self.before[a] as isize
                })
                .collect();
            let inside = (0..at.len()).all(|a| at[a] >= 0 && at[a] < self.input[a] as isize);
            let padded = (0..at.len()).all(|a| at[a] < (self.input[a] + self.after[a]) as isize);
            let position = inside.then(|| at.iter().map(|&p| p as usize).collect());
            (tap, position, padded)
        };
        indices(&self.kernel).into_iter().map(place).collect()
    }
}

/// Data, weights and bias, each constant or made of an input; at least one is.
pub fn conv(_: &str, d: &mut Draw) -> Case {
    let (w, mut attributes) = Windows::draw(d, false);
    attributes.retain(|(name, _)| name != "ceil_mode");
    let groups = d.pick(&[1, 1, 2, 3]);
    let (ins, outs) = (d.int(1, 3), groups * d.int(1, 3));
    attributes.push(int("group", groups as i64));
    if d.coin() {
        attributes.push(ints("kernel_shape", &w.kernel));
    }
    let shapes = [
        [vec![1, groups * ins], w.input.clone()].concat(),
        [vec![outs, ins], w.kernel.clone()].concat(),
        vec![outs],
    ];
    // Which of data, weights and bias are inputs. Weights are those of one example, so they are rows of an input.
    let computed = d.pick(&[[0].as_slice(), &[0], &[0], &[0, 1], &[1], &[0, 2], &[1, 2]]);
    let biased = computed.contains(&2) || d.coin();
    let (mut net, mut given, mut inputs) = (Net::new(), vec![], vec![]);
    for (i, shape) in shapes.iter().enumerate() {
        let name = ["x", "w", "c"][i];
        let n = shape.iter().product();
        let values = d.reals(n, -1.0, 1.0);
        match computed.iter().position(|&c| c == i) {
            Some(at) => {
                let (from, to) = (["a", "b"][at], format!("{name}_shape"));
                inputs.push(if i == 0 { shape.clone() } else { vec![1, n] });
                let dims: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
                net = match i {
                    0 => net.node("Identity", from, name, []),
                    _ => net.list(&to, &dims).node("Reshape", &format!("{from} {to}"), name, []),
                };
                given.push(None);
            }
            None => {
                net = net.weight(name, shape, values.clone());
                given.push(Some(Tensor::new(shape, values)));
            }
        }
    }
    let net = net.node("Conv", if biased { "x w c" } else { "x w" }, "y", attributes);
    Case::new(net, inputs, move |t| {
        let value = |i: usize| match computed.iter().position(|&c| c == i) {
            Some(at) => t[at].reshaped(&shapes[i]),
            None => given[i].clone().expect("a constant"),
        };
        let [x, weights, bias] = [0, 1, 2].map(value);
        Tensor::from_fn(&[vec![1, outs], w.output.clone()].concat(), |i| {
            let (o, at) = (i[1], &i[2..]);
            let first = o / (outs / groups) * ins;
            let mut sum = if biased { bias.at(&[o]) } else { 0.0 };
            for (tap, position, _) in w.taps(at) {
                let Some(p) = position else { continue };
                for c in 0..ins {
                    let weight = weights.at(&[vec![o, c], tap.clone()].concat());
                    sum += weight * x.at(&[vec![0, first + c], p.clone()].concat());
                }
            }
            sum
        })
    })
}

pub fn pool(op: &str, d: &mut Draw) -> Case {
    let ceil = d.coin();
    let (w, mut attributes) = Windows::draw(d, ceil);
    attributes.push(ints("kernel_shape", &w.kernel));
    let average = op == "AveragePool";
    let include = average && d.coin();
    if include {
        attributes.push(int("count_include_pad", 1));
    }
    let channels = d.int(1, 3);
    let input = [vec![1, channels], w.input.clone()].concat();
    let net = Net::new().node(op, "a", "y", attributes);
    let shape = [vec![1, channels], w.output.clone()].concat();
    let plain = move |t: &[Tensor]| {
        let mut defined = true;
        let out = Tensor::from_fn(&shape, |i| {
            let taps = w.taps(&i[2..]);
            let seen: Vec<f64> = taps
                .iter()
                .filter_map(|(_, p, _)| p.as_ref())
                .map(|p| t[0].at(&[vec![0, i[1]], p.clone()].concat()))
                .collect();
            let count = if include { taps.iter().filter(|t| t.2).count() } else { seen.len() };
            defined &= if average { count > 0 } else { !seen.is_empty() };
            if average {
                seen.iter().sum::<f64>() / count as f64
            } else {
                seen.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            }
        });
        defined.then_some(out)
    };
    Case { net, inputs: vec![input], range: super::ANYWHERE, plain: Box::new(plain) }
}

pub fn global(op: &str, d: &mut Draw) -> Case {
    let axes = d.int(1, 3);
    let input = d.shape(1 + axes, 4);
    let net = Net::new().node(op, "a", "y", []);
    let average = op == "GlobalAveragePool";
    Case::new(net, vec![input], move |t| {
        let spatial: Vec<usize> = (2..2 + axes).collect();
        t[0].reduced(&spatial, true, |g| {
            if average {
                g.iter().sum::<f64>() / g.len() as f64
            } else {
                g.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            }
        })
    })
}
