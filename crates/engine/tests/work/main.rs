//! Counted work of plans against a table of upper bounds: a guard against slower plans that no clock disturbs.
//!
//! The table has a line per network, instruction set and step: operations of products forwards and backwards, and bytes
//! that a pair reads and writes. `UPDATE_WORK=1 cargo test -p deeplift-engine --test work` writes it anew; a commit that
//! raises a number says why.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use deeplift_engine::work::{self, StepCost};
use deeplift_simd::Isa;

#[path = "../common/mod.rs"]
mod common;

use common::published::{basset, bpnet, genomics, mnist};
use common::Setup;

/// What a line counts.
const COLUMNS: [&str; 3] = ["forward FLOP", "multiplier FLOP", "bytes"];

/// Lines of the table, by network, instruction set and step.
type Table = BTreeMap<String, [u64; 3]>;

fn networks() -> Vec<(&'static str, Setup)> {
    vec![
        ("genomics", genomics(200, 50, 1, 20)),
        ("basset", basset(1, 20)),
        ("bpnet", bpnet(500, 64, 6, 1, 20)),
        ("mnist", mnist(1)),
    ]
}

fn counts(cost: &StepCost) -> [u64; 3] {
    let passes = || cost.record.iter().chain(&cost.adjoint);
    let adjoint = cost.adjoint.as_ref().map_or(0.0, |a| a.work.flops);
    let record = cost.record.as_ref().map_or(0.0, |r| r.work.flops);
    let bytes = cost.forward.bytes() + passes().map(|pass| pass.bytes()).sum::<f64>();
    [cost.forward.work.flops + record, adjoint, bytes].map(|n| n.round() as u64)
}

/// The lines of the instruction set in use.
fn count() -> Table {
    let mut table = Table::new();
    for (name, setup) in networks() {
        let program = setup.program::<f32>().expect("the network can be planned");
        for (i, cost) in work::steps(&program.plan).iter().enumerate() {
            let step = &program.plan.steps[i].name;
            table.insert(format!("{name}\t{}\t{i:02} {step}", Isa::active()), counts(cost));
        }
    }
    table
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/work/table.tsv")
}

fn read(text: &str) -> Table {
    let line = |line: &str| {
        let (key, numbers) = line.split_once('=')?;
        let numbers: Vec<u64> = numbers.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        Some((key.trim().to_string(), numbers.try_into().ok()?))
    };
    text.lines().filter_map(line).collect()
}

fn write(table: &Table) -> String {
    table.iter().map(|(key, [a, b, c])| format!("{key} = {a} {b} {c}\n")).collect()
}

/// What is worse than the table says, one line each.
fn worse(found: &Table, expected: &Table) -> Vec<String> {
    let mut all = vec![];
    for (key, found) in found {
        let place = key.replace('\t', ", ");
        let Some(expected) = expected.get(key) else {
            all.push(format!("{place}: there is no such step in the table"));
            continue;
        };
        for ((what, found), expected) in COLUMNS.iter().zip(found).zip(expected) {
            if found > expected {
                all.push(format!("{place}: {what}: expected at most {expected}, found {found}"));
            }
        }
    }
    all
}

/// Run by the test below in a process of its own for every instruction set, because a process has one.
#[test]
#[ignore = "prints the counts of one instruction set for the other test"]
fn print_counts() {
    println!("{}", write(&count()));
}

#[test]
fn no_plan_does_more_than_the_table_says() {
    let own = std::env::current_exe().expect("the test has a file");
    let mut found = Table::new();
    for isa in Isa::available() {
        let arguments = ["--exact", "print_counts", "--ignored", "--nocapture"];
        let run = Command::new(&own).args(arguments).env("DEEPLIFT_ISA", isa.name()).output();
        let run = run.expect("the test can run itself");
        assert!(run.status.success(), "{isa}: {}", String::from_utf8_lossy(&run.stderr));
        let lines = read(&String::from_utf8_lossy(&run.stdout));
        assert!(lines.len() > 50, "{isa}: {} lines", lines.len());
        found.extend(lines);
    }
    let table = std::fs::read_to_string(path()).unwrap_or_default();
    let mut expected = read(&table);
    if std::env::var_os("UPDATE_WORK").is_some() {
        // Lines of instruction sets that this machine lacks stay.
        let kept = |key: &String| Isa::available().iter().all(|isa| !key.contains(&format!("\t{isa}\t")));
        expected.retain(|key, _| kept(key));
        expected.extend(found);
        std::fs::write(path(), write(&expected)).expect("the table can be written");
        return;
    }
    let worse = worse(&found, &expected);
    assert!(
        worse.is_empty(),
        "{} counts rose:\n{}\nIf that is meant, UPDATE_WORK=1 cargo test -p deeplift-engine --test work writes the \
         table anew; say why in the commit.",
        worse.len(),
        worse.join("\n")
    );
}

/// The guard itself: a rise is told by place, kind, bound and count, a fall is not.
#[test]
fn a_rise_is_reported_with_its_place() {
    let table = |flops| Table::from([("net\tavx2\t00 conv".to_string(), [flops, 2, 3])]);
    assert!(worse(&table(10), &table(10)).is_empty());
    assert!(worse(&table(9), &table(10)).is_empty());
    assert_eq!(
        worse(&table(11), &table(10)),
        ["net, avx2, 00 conv: forward FLOP: expected at most 10, found 11"]
    );
    assert_eq!(worse(&table(1), &Table::new()).len(), 1);
}
