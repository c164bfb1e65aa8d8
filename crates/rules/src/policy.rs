//! Which rule applies at which node.
//!
//! The genomics default (the original library's default) is Rescale where a convolution feeds the activation and
//! RevealCancel where a dense layer does.
use deeplift_graph::rule::Rule;
use deeplift_graph::{bail, Result};
use deeplift_simd::Real;

use crate::{gradient::Gradient, rescale::Rescale, reveal_cancel::RevealCancel};

/// A rule, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleName {
    /// Rescale.
    Rescale,
    /// RevealCancel.
    RevealCancel,
    /// The derivative at the example.
    Gradient,
}

impl RuleName {
    /// All rules.
    pub const ALL: [RuleName; 3] = [RuleName::Rescale, RuleName::RevealCancel, RuleName::Gradient];

    /// The rule in one precision.
    pub fn rule<T: Real>(self) -> Box<dyn Rule<T>> {
        match self {
            RuleName::Rescale => Box::new(Rescale),
            RuleName::RevealCancel => Box::new(RevealCancel),
            RuleName::Gradient => Box::new(Gradient),
        }
    }

    /// The name users write.
    pub fn name(self) -> &'static str {
        self.rule::<f64>().name()
    }

    fn parse(name: &str) -> Result<Self> {
        match RuleName::ALL.into_iter().find(|r| r.name() == name) {
            Some(r) => Ok(r),
            None => {
                let names: Vec<&str> = RuleName::ALL.iter().map(|r| r.name()).collect();
                bail!(
                    InvalidOption,
                    "no rule '{name}'; there are {} and {GENOMICS_DEFAULT}",
                    names.join(", ")
                )
            }
        }
    }
}

const GENOMICS_DEFAULT: &str = "genomics-default";

/// What feeds an activation, seen through layout, bias and scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// A convolution, or only convolutions where branches meet.
    Convolution,
    /// A dense layer, or only dense layers where branches meet.
    Dense,
    /// Something else, or branches that disagree.
    Other,
}

/// How rules are picked.
#[derive(Clone, Debug)]
pub struct Policy {
    /// One rule everywhere, or `None` for the genomics default.
    default: Option<RuleName>,
    /// Node names with `*` for any characters; the last match wins.
    overrides: Vec<(String, RuleName)>,
}

impl Policy {
    /// Reads the names that users write.
    ///
    /// # Errors
    /// `INVALID_OPTION` with the names that exist.
    pub fn parse(default: &str, overrides: &[(String, String)]) -> Result<Self> {
        let default = if default == GENOMICS_DEFAULT { None } else { Some(RuleName::parse(default)?) };
        let overrides = overrides
            .iter()
            .map(|(node, rule)| Ok((node.clone(), RuleName::parse(rule)?)))
            .collect::<Result<_>>()?;
        Ok(Policy { default, overrides })
    }

    /// The rule of the activation `node`, which `feed` feeds.
    pub fn pick(&self, node: &str, feed: Feed) -> RuleName {
        let chosen =
            self.overrides.iter().rev().find(|(pattern, _)| matches(pattern, node)).map(|(_, rule)| *rule);
        chosen.or(self.default).unwrap_or(match feed {
            Feed::Dense => RuleName::RevealCancel,
            Feed::Convolution | Feed::Other => RuleName::Rescale,
        })
    }

    /// Whether the choice for an activation depends on what feeds it.
    pub fn looks_at_feed(&self) -> bool {
        self.default.is_none()
    }

    /// The rule of structures that have no variants (selection, closed form): by pair, or the derivative.
    pub fn uses_reference(&self) -> bool {
        self.default != Some(RuleName::Gradient)
    }

    /// Patterns that match none of `nodes`: typing errors.
    pub fn unmatched<'a>(&'a self, nodes: &[String]) -> Vec<&'a str> {
        let unused = |p: &&(String, RuleName)| !nodes.iter().any(|n| matches(&p.0, n));
        self.overrides.iter().filter(unused).map(|(p, _)| p.as_str()).collect()
    }
}

/// Whether `name` matches a pattern in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or("")) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genomics_default_and_overrides() {
        let p = Policy::parse("genomics-default", &[("head*relu".into(), "rescale".into())]).unwrap();
        assert_eq!(p.pick("a", Feed::Convolution), RuleName::Rescale);
        assert_eq!(p.pick("a", Feed::Dense), RuleName::RevealCancel);
        assert_eq!(p.pick("head/1/relu", Feed::Dense), RuleName::Rescale);
        assert!(Policy::parse("rescal", &[]).unwrap_err().message.contains("reveal-cancel"));
        assert_eq!(p.unmatched(&["other".into()]), ["head*relu"]);
    }

    #[test]
    fn patterns() {
        for (pattern, name, yes) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*c*e", "abcde", true),
            ("a*c*f", "abcde", false),
        ] {
            assert_eq!(matches(pattern, name), yes, "{pattern} {name}");
        }
    }
}
