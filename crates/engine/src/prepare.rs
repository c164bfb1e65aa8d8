//! From options to what a plan is made of: rules by name, inputs, the bound graph, targets.
use deeplift_graph::bind::{bind, InputShapes};
use deeplift_graph::model::Model;
use deeplift_graph::operator::Precision;
use deeplift_graph::rewrites::{canonicalise, mark_layer, mean_normalise, softmax_variant, Peeled};
use deeplift_graph::{bail, ensure, Error, Graph, Result, TensorId};
use deeplift_ops::Operators;
use deeplift_rules::policy::INTEGRATED_GRADIENTS;
use deeplift_rules::Policy;
use deeplift_simd::Real;

use crate::compile::{Choices, Compiled};
use crate::input::{Input, Site};
use crate::options::{PlanOptions, Target};
use crate::target::{PlanTarget, Weights};

/// Points on the path of integrated gradients if their number is not given.
const DEFAULT_POINTS: usize = 50;

/// What the names of rules mean.
pub(crate) fn choices(options: &PlanOptions) -> Result<Choices> {
    let overrides: Vec<_> = options.overrides.iter().map(|o| (o.node.clone(), o.rule.clone())).collect();
    Choices::parse(Policy::parse(&options.rule, &overrides)?, &options.variants)
}

/// Points on the path of integrated gradients; 0 for other rules.
pub(crate) fn points(options: &PlanOptions) -> Result<usize> {
    /// More do not change a digit of a float32 result.
    const MOST: usize = 100_000;
    if options.rule != INTEGRATED_GRADIENTS {
        ensure!(options.steps.is_none(), InvalidOption, "steps go with the rule {INTEGRATED_GRADIENTS}");
        return Ok(0);
    }
    ensure!(
        options.overrides.is_empty() && !options.trace,
        InvalidOption,
        "{INTEGRATED_GRADIENTS} is a rule of the whole network; it takes no overrides and no trace"
    );
    let points = options.steps.unwrap_or(DEFAULT_POINTS);
    ensure!((1..=MOST).contains(&points), InvalidOption, "{points} steps; 1 to {MOST} were expected");
    Ok(points)
}

/// The model's inputs, checked against its file.
pub(crate) fn inputs(model: &Model, options: &PlanOptions) -> Result<Vec<Input>> {
    ensure!(
        options.inputs.len() == model.inputs.len() && options.references.len() == model.inputs.len(),
        InvalidOption,
        "{} inputs and {} references for a model of {} inputs",
        options.inputs.len(),
        options.references.len(),
        model.inputs.len()
    );
    let mut inputs = vec![];
    for (i, o) in options.inputs.iter().enumerate() {
        let axis = options.channel_axis.get(i).copied().flatten();
        inputs.push(Input::new(&o.name, o.shape.clone(), o.encoding, options.references[i].clone(), axis)?);
    }
    let lengths: Vec<usize> =
        inputs.iter().filter(|i| i.letter_axis.is_some()).map(|i| i.positions()).collect();
    for input in &mut inputs {
        // A track along a sequence turns with it; a vector of features has no direction.
        input.site.turns |= lengths.contains(&input.len);
    }
    if options.reverse_complement.is_some() {
        let letters = inputs.iter().any(|i| i.letter_axis.is_some());
        ensure!(
            letters && options.layers.is_empty(),
            InvalidOption,
            "reverseComplement needs an input of sequences, and scores of inputs rather than layers"
        );
    }
    Ok(inputs)
}

/// The targets' tensors, each once.
pub(crate) fn target_names(options: &PlanOptions) -> Result<Vec<String>> {
    ensure!(!options.targets.is_empty(), InvalidOption, "no target is given");
    let mut names: Vec<String> = vec![];
    for t in &options.targets {
        if !names.contains(&t.tensor) {
            names.push(t.tensor.clone());
        }
    }
    if let Some(rc) = &options.reverse_complement {
        let same = rc.targets.iter().map(|t| &t.tensor).eq(options.targets.iter().map(|t| &t.tensor));
        ensure!(
            same,
            InvalidOption,
            "a target on the reverse strand is in the same tensor as the one it mirrors"
        );
    }
    Ok(names)
}

/// A graph in canonical form.
pub(crate) struct Bound {
    pub graph: Graph,
    /// Inner tensors that are scored.
    pub layers: Vec<(Site, TensorId)>,
    /// Shapes of the targets' tensors for one example, as the file has them.
    pub shapes: Vec<Vec<usize>>,
    /// What was taken off each output.
    pub peeled: Vec<Option<Peeled>>,
}

/// Binds the model at the caller's shapes, each with a batch axis of 1.
pub(crate) fn graph(
    model: &Model,
    options: &PlanOptions,
    choices: &Choices,
    inputs: &[Input],
    names: &[String],
) -> Result<Bound> {
    let mut shapes = InputShapes::new();
    for i in &options.inputs {
        let mut shape = vec![1];
        shape.extend(&i.shape);
        shapes.insert(i.name.clone(), shape);
    }
    let wanted: Vec<String> = names.iter().chain(&options.layers).cloned().collect();
    // Binding names the file itself.
    let mut graph = bind(model, &Operators, &shapes, &wanted)?;
    let in_file = |e: Error| e.at(&model.source);
    let found = graph.outputs.split_off(names.len());
    let shapes = graph.outputs.iter().map(|&t| per_example(graph.shape(t)).to_vec()).collect();
    let mut layers = vec![];
    for (name, t) in options.layers.iter().zip(found) {
        let marked = mark_layer(&mut graph, &Operators, t).map_err(in_file)?;
        let shape = per_example(graph.shape(t)).to_vec();
        let len = shape.iter().product();
        let site = Site {
            name: name.clone(),
            shape,
            len,
            letter_axis: None,
            turns: false,
            tensor: None,
            order: None,
        };
        layers.push((site, marked));
    }
    if options.mean_normalised {
        for (input, &t) in inputs.iter().zip(&graph.inputs.clone()) {
            if let Some(axis) = input.letter_axis {
                mean_normalise(&mut graph, &Operators, t, axis + 1).map_err(in_file)?;
            }
        }
    }
    if let Some(variant) = &choices.softmax {
        softmax_variant::apply(&mut graph, &Operators, variant)?;
    }
    let peel: Vec<bool> =
        names.iter().map(|n| options.peel && model.outputs.iter().any(|o| o.name == *n)).collect();
    let peeled = canonicalise(&mut graph, &Operators, &peel).map_err(in_file)?;
    Ok(Bound { graph, layers, shapes, peeled })
}

/// The shape of one example: without the batch axis, which is 1.
fn per_example(shape: &[usize]) -> &[usize] {
    match shape {
        [1, rest @ ..] => rest,
        all => all,
    }
}

/// Refuses layers and targets that have nothing to do with each other.
pub(crate) fn ensure_attributed<T: Real>(
    options: &PlanOptions,
    c: &Compiled<T>,
    targets: &[PlanTarget],
) -> Result<()> {
    let idle = c.scored.iter().find(|s| s.tensor.is_none() && options.layers.contains(&s.name));
    if let Some(layer) = idle {
        bail!(InvalidOption, "no target depends on layer '{}'", layer.name)
    }
    for (target, given) in targets.iter().zip(&options.targets) {
        ensure!(
            c.tensors.attributed[target.tensor],
            InvalidOption,
            "target '{}' does not depend on what is scored",
            given.tensor
        );
    }
    Ok(())
}

/// Finds what is explained, and says what was peeled.
pub(crate) fn targets<T: Precision>(
    options: &PlanOptions,
    names: &[String],
    c: &mut Compiled<T>,
    bound: &Bound,
) -> Result<Vec<PlanTarget>> {
    for (name, peeled) in names.iter().zip(&bound.peeled) {
        let Some(p) = peeled else { continue };
        let what = if p.softmax.is_some() { "centred logits" } else { "logits" };
        c.warnings.push(format!(
            "target '{name}' is explained at its {what}, before node '{}' ({}); peel: false explains it as it is",
            p.node, p.op
        ));
    }
    let reverse = options.reverse_complement.as_ref().map_or(&options.targets, |rc| &rc.targets);
    let mut out = vec![];
    for (target, mirrored) in options.targets.iter().zip(reverse) {
        let at = names.iter().position(|n| *n == target.tensor).expect("every name is listed");
        let peeled = bound.peeled[at].as_ref();
        let resolve = |t: &Target| Weights::resolve(t, &bound.shapes[at], peeled);
        let weights = [resolve(target)?, resolve(mirrored)?];
        let name = peeled.map_or(&target.tensor, |p| &p.node).clone();
        out.push(PlanTarget { tensor: c.outputs[at], name, shape: bound.shapes[at].clone(), weights });
    }
    Ok(out)
}

/// References per example.
pub(crate) fn reference_count(options: &PlanOptions) -> Result<usize> {
    let counts: Vec<usize> = options.references.iter().map(|r| r.count()).collect();
    let most = counts.iter().copied().max().unwrap_or(0);
    ensure!(
        most >= 1 && counts.iter().all(|&c| c == 1 || c == most),
        InvalidOption,
        "inputs have {counts:?} references; each must have one, or the same number"
    );
    Ok(most)
}
