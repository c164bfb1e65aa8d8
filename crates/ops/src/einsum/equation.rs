//! The equation of an Einsum: one letter per axis of every operand, `...` for axes that broadcast, and the letters of
//! the output, which are those that appear once where none are given.
use deeplift_graph::{bail, ensure, Result};

/// An equation whose axes all have letters of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Equation {
    /// Letters of the axes of each operand.
    pub terms: Vec<Vec<char>>,
    /// Letters of the axes of the output.
    pub output: Vec<char>,
}

const ELLIPSIS: &str = "...";

impl Equation {
    /// Reads an equation for operands of these ranks; broadcast axes get letters that it does not use.
    pub fn parse(text: &str, ranks: &[usize]) -> Result<Self> {
        let text: String = text.chars().filter(|c| *c != ' ').collect();
        let (left, right) = match text.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (text.as_str(), None),
        };
        let given: Vec<&str> = left.split(',').collect();
        ensure!(
            given.len() == ranks.len(),
            InvalidModel,
            "equation '{text}' is for {} operands, the node has {}",
            given.len(),
            ranks.len()
        );
        let used: Vec<char> = text.chars().filter(char::is_ascii_alphabetic).collect();
        let mut spare = ('A'..='Z').chain('a'..='z').filter(|c| !used.contains(c));
        let mut broadcast = vec![];
        for (term, &rank) in given.iter().zip(ranks) {
            let letters = letters(term)?.iter().map(String::len).sum::<usize>();
            let wanted = rank.checked_sub(letters);
            let fits = if term.contains(ELLIPSIS) { wanted.is_some() } else { wanted == Some(0) };
            ensure!(fits, InvalidModel, "term '{term}' does not fit an operand of {rank} axes");
            while broadcast.len() < wanted.unwrap_or(0) {
                let Some(letter) = spare.next() else {
                    bail!(UnsupportedOp, "equation '{text}' needs more than 52 axes")
                };
                broadcast.push(letter);
            }
        }
        let fill = |term: &str, count: usize| -> Result<Vec<char>> {
            let axes = &broadcast[broadcast.len() - count..];
            Ok(match &letters(term)?[..] {
                [all] => all.chars().collect(),
                [before, after] => before.chars().chain(axes.iter().copied()).chain(after.chars()).collect(),
                _ => bail!(InvalidModel, "term '{term}' has two ellipses"),
            })
        };
        let mut terms = vec![];
        for (term, &rank) in given.iter().zip(ranks) {
            let letters: usize = letters(term)?.iter().map(String::len).sum();
            terms.push(fill(term, rank - letters)?);
        }
        let output = match right {
            Some(right) => fill(right, broadcast.len())?,
            None => {
                let mut once: Vec<char> = used.clone();
                once.retain(|c| used.iter().filter(|u| *u == c).count() == 1);
                once.sort_unstable();
                broadcast.iter().copied().chain(once).collect()
            }
        };
        let equation = Equation { terms, output };
        for (i, c) in equation.output.iter().enumerate() {
            let known = equation.terms.iter().any(|t| t.contains(c));
            ensure!(
                known && !equation.output[..i].contains(c),
                InvalidModel,
                "letter '{c}' of the output of '{text}' stands there twice, or in no operand"
            );
        }
        let dropped = right.is_some_and(|r| !r.contains(ELLIPSIS)) && !broadcast.is_empty();
        ensure!(!dropped, InvalidModel, "the output of '{text}' lacks the ellipsis of its operands");
        Ok(equation)
    }

    /// All letters, each once, in order of appearance.
    pub fn letters(&self) -> Vec<char> {
        let mut all: Vec<char> = vec![];
        for c in self.terms.iter().flatten() {
            if !all.contains(c) {
                all.push(*c);
            }
        }
        all
    }

    /// The equation with nothing left implicit.
    pub fn text(&self) -> String {
        let terms: Vec<String> = self.terms.iter().map(|t| t.iter().collect()).collect();
        format!("{}->{}", terms.join(","), self.output.iter().collect::<String>())
    }
}

/// The letters of a term before and after its ellipsis.
fn letters(term: &str) -> Result<Vec<String>> {
    let parts: Vec<String> = term.split(ELLIPSIS).map(String::from).collect();
    let good = parts.iter().all(|p| p.chars().all(|c| c.is_ascii_alphabetic()));
    ensure!(
        good && parts.len() <= 2,
        InvalidModel,
        "term '{term}' of the equation is not made of letters and at most one ellipsis"
    );
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(equation: &str, ranks: &[usize]) -> String {
        Equation::parse(equation, ranks).map_or_else(|e| e.to_string(), |e| e.text())
    }

    #[test]
    fn equations_are_spelled_out() {
        assert_eq!(text("ij,jk->ik", &[2, 2]), "ij,jk->ik");
        assert_eq!(text(" bij , bjk ", &[3, 3]), "bij,bjk->ik");
        assert_eq!(text("bA", &[2]), "bA->Ab");
        assert_eq!(text("...ij,...jk->...ik", &[4, 3]), "ABij,Bjk->ABik");
        assert_eq!(text("A...,...", &[2, 2]), "AB,CB->BA".replace("AB,CB->BA", "AC,BC->BCA"));
        assert_eq!(text("ii", &[2]), "ii->");
        assert_eq!(text("...", &[0]), "->");
        assert_eq!(text("i,->i", &[1, 0]), "i,->i");
    }

    #[test]
    fn broken_equations_are_refused() {
        for (equation, ranks) in [
            ("ij,jk->ik", &[2][..]),
            ("ij->i", &[3]),
            ("i->j", &[1]),
            ("ij->ii", &[2]),
            ("i.j->ij", &[2]),
            ("......->", &[2]),
            ("...i->i", &[2]),
            ("ij->i->j", &[2]),
            ("i\u{e9}->i", &[2]),
        ] {
            assert!(Equation::parse(equation, ranks).is_err(), "{equation}");
        }
    }
}
