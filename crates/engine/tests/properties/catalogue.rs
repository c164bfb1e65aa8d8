//! docs/operators.md, drawn from the registry: every operator is planned and scored in random cases under every rule,
//! and the page says what its plans say.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use deeplift_engine::describe::describe;
use deeplift_ops::{ADVICE, TABLE};
use deeplift_rules::RuleName;
use serde_json::Value;

use crate::cases::{self, FORWARD_ONLY, PLAN_TIME};
use crate::common::draw::Draw;
use crate::common::Setup;
use crate::operators::place;

/// Random cases of each operator.
const CASES: u64 = 40;

/// Operators with cases that only rewrites and expansions write.
const OWN: [&str; 2] = ["MovingSum", "Standardise"];

/// Without repetition, and in an order that does not depend on which case was drawn first.
#[derive(Default)]
struct Words(BTreeSet<String>);

impl Words {
    fn add(&mut self, word: impl Into<String>) {
        self.0.insert(word.into());
    }

    fn joined(&self) -> String {
        self.0.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// What plans of one operator say under one rule.
#[derive(Default)]
struct Cell {
    rules: Words,
    incomplete: bool,
}

#[derive(Default)]
struct Row {
    structures: Words,
    /// The nodes that plans have in place of the operator's own.
    stands_for: Words,
    cells: BTreeMap<&'static str, Cell>,
    warnings: Words,
}

/// The plan of one case, and whether contributions sum to the difference of a random target.
fn look(setup: &Setup, seed: Vec<f64>, rule: &str) -> Result<(Value, bool), deeplift_graph::Error> {
    let setup = setup.clone().rule(rule).seeds(vec![seed]);
    let description = describe(&setup.program::<f64>()?.plan);
    let residual = crate::operators::residual::<f64>(&setup)?;
    Ok((description, residual <= 1e-10))
}

/// The steps that stand for the operator: those of its nodes, or all if a rewrite has named them anew. Changes of
/// layout that planning adds are none of its own.
fn steps<'a>(description: &'a Value, op: &str, nodes: &[&str]) -> Vec<&'a Value> {
    let all = description["steps"].as_array().expect("a list");
    let own = |s: &&Value| nodes.contains(&s["node"].as_str().expect("a name"));
    let some = all.iter().any(|s| own(&s));
    all.iter().filter(|s| (!some || own(s)) && (op == "Transpose" || s["op"] != "Transpose")).collect()
}

/// What a plan says about a node of this operator, without the node's name.
fn warnings<'a>(description: &'a Value, op: &str) -> Vec<&'a str> {
    let all = description["warnings"].as_array().expect("a list").iter().filter_map(Value::as_str);
    let what = |w: &'a str| w.split_once(&format!(" ({op}) ")).map(|(_, what)| what);
    all.filter_map(what).map(|w| w.strip_prefix("is ").unwrap_or(w)).collect()
}

fn row(op: &'static str) -> Row {
    let mut row = Row::default();
    for seed in 0..CASES {
        let d = &mut Draw(seed);
        let case = cases::draw(op, d);
        let bare = place(&case, true, d);
        if (case.plain)(&bare.x).is_none() || (case.plain)(&bare.x0).is_none() {
            continue;
        }
        let named = case.net.wire.nodes.iter().filter(|n| n.op_type == op);
        let nodes: Vec<&str> = named.map(|n| n.name.as_str()).collect();
        let Ok(len) = bare.setup.target_len() else { continue };
        let weights = d.reals(len, -1.0, 1.0);
        for rule in RuleName::ALL {
            // What is not finite or not to be had under a rule leaves its cell as it is.
            let Ok((description, complete)) = look(&bare.setup, weights.clone(), rule.name()) else {
                continue;
            };
            let cell = row.cells.entry(rule.name()).or_default();
            cell.incomplete |= !complete;
            let steps = steps(&description, op, &nodes);
            if steps.is_empty() {
                row.structures.add("view");
                cell.rules.add("passed on");
            }
            for step in steps {
                cell.rules.add(step["rule"].as_str().expect("a name"));
                row.structures.add(step["structure"].as_str().expect("a name"));
                let other = step["op"].as_str().expect("a name");
                if other != op {
                    row.stands_for.add(other);
                }
                warnings(&description, other).into_iter().for_each(|w| row.warnings.add(w));
            }
        }
    }
    row
}

fn inputs(op: &str) -> String {
    let (_, range, _) = TABLE.iter().find(|(name, ..)| *name == op).expect("an operator of the table");
    match (*range.start(), *range.end()) {
        (low, usize::MAX) => format!("{low} or more"),
        (low, high) if low == high => low.to_string(),
        (low, high) => format!("{low} to {high}"),
    }
}

const HEAD: &str = "\
# Operators

Drawn from the registry of operators by `npm run docs`: every operator is planned and scored in random cases under every
rule, and this page says what those plans say. Mathematics: [semantics](semantics.md). Opsets 7 to 25 of ONNX are read;
`deeplift inspect` says the same of the nodes of a model.

## Operators that scores pass through

The columns behind _structure_ say which rule applies under the rule that was asked for. **✓**: contributions summed to
the difference of a random target (to 1e-10, in double precision) in every case drawn. `genomics-default` is `reveal-cancel`
at element-wise functions that a dense layer feeds and `rescale` at all others; `integrated-gradients` averages
`gradient` over the way from the reference.

- _linear_: multipliers go back through the adjoint. Where positive and negative parts of a difference have multipliers
  of their own, convolutions and dense layers split terms by their sign, sums and layout pass each part on.
- _exact_: the closed form of the operator, on net differences.
- _view_: the same memory in another shape.
- **–**: not finite in the cases drawn.

";

fn scored_table(rows: &BTreeMap<&'static str, Row>) -> String {
    let mut page = String::from("| operator | inputs | structure |");
    let names: Vec<&str> = RuleName::ALL.iter().map(|r| r.name()).collect();
    for name in &names {
        write!(page, " {name} |").unwrap();
    }
    page.push_str(" notes |\n|---|---|---|");
    page.push_str(&"---|".repeat(names.len() + 1));
    page.push('\n');
    for (op, row) in rows.iter().filter(|(_, row)| !row.cells.is_empty()) {
        write!(page, "| {op} | {} | {} |", inputs(op), row.structures.joined()).unwrap();
        for name in &names {
            match row.cells.get(name) {
                Some(cell) => {
                    let mark = if cell.incomplete { "" } else { " ✓" };
                    write!(page, " {}{mark} |", cell.rules.joined()).unwrap();
                }
                None => page.push_str(" – |"),
            }
        }
        let mut notes = vec![];
        if OWN.contains(op) {
            notes.push("no operator of ONNX, but what others stand for".into());
        }
        if !row.stands_for.0.is_empty() {
            notes.push(format!("planned as {}", row.stands_for.joined()));
        }
        notes.extend(row.warnings.0.iter().cloned());
        writeln!(page, " {} |", notes.join("; ")).unwrap();
    }
    page
}

fn list(ops: impl IntoIterator<Item = &'static str>) -> String {
    ops.into_iter().map(|op| format!("`{op}`")).collect::<Vec<_>>().join(", ")
}

fn page() -> String {
    let rows: BTreeMap<&'static str, Row> = cases::data_ops().map(|op| (op, row(op))).collect();
    let mut page = HEAD.to_string() + &scored_table(&rows);
    page.push_str("\n## Operators that are evaluated while planning\n\n");
    writeln!(page, "From constants and shapes alone: {}.", list(PLAN_TIME.iter().copied())).unwrap();
    page.push_str("\n## Operators that are computed without a rule\n\n");
    page.push_str("Behind inputs that are held fixed and before a layer that is scored; refused where scores would have to\n");
    writeln!(page, "pass: {}.", list(FORWARD_ONLY.iter().copied())).unwrap();
    page.push_str("\n## Operators that are refused\n\nBy the name of the node, with this advice:\n\n");
    page.push_str("| operators | advice |\n|---|---|\n");
    for (ops, advice) in ADVICE {
        writeln!(page, "| {} | {advice} |", list(ops.iter().copied())).unwrap();
    }
    page
}

/// `UPDATE_DOCS=1` writes the page.
#[test]
fn the_page_of_operators_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operators.md");
    let fresh = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, fresh).expect("docs/ can be written");
        return;
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    for (fresh, committed) in fresh.lines().zip(committed.lines()) {
        assert_eq!(fresh, committed, "docs/operators.md is not what the registry gives: run `npm run docs`");
    }
    assert_eq!(fresh.lines().count(), committed.lines().count(), "docs/operators.md: run `npm run docs`");
}
