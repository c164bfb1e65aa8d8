//! Which rule applies at which node.
//!
//! The genomics default (the original library's default) is Rescale where a convolution feeds the activation and
//! RevealCancel where a dense layer does.
use deeplift_graph::rule::Rule;
use deeplift_graph::{bail, Result};
use deeplift_simd::Real;

use crate::gradient::Gradient;
use crate::guided::{DeconvNet, Guided};
use crate::near_zero::NearZero;
use crate::rescale::Rescale;
use crate::reveal_cancel::RevealCancel;

/// A rule, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleName {
    /// Rescale.
    Rescale,
    /// RevealCancel.
    RevealCancel,
    /// The derivative at the example.
    Gradient,
    /// Guided backpropagation.
    GuidedBackprop,
    /// Guided backpropagation with the multipliers of Rescale.
    GuidedBackpropRescale,
    /// DeconvNet.
    DeconvNet,
}

impl RuleName {
    /// All rules.
    pub const ALL: [RuleName; 6] = [
        RuleName::Rescale,
        RuleName::RevealCancel,
        RuleName::Gradient,
        RuleName::GuidedBackprop,
        RuleName::GuidedBackpropRescale,
        RuleName::DeconvNet,
    ];

    /// The rule in one precision.
    pub fn rule<T: Real>(self, near: NearZero) -> Box<dyn Rule<T>> {
        match self {
            RuleName::Rescale => Box::new(Rescale { near }),
            RuleName::RevealCancel => Box::new(RevealCancel),
            RuleName::Gradient => Box::new(Gradient),
            RuleName::GuidedBackprop => Box::new(Guided { rescale: false }),
            RuleName::GuidedBackpropRescale => Box::new(Guided { rescale: true }),
            RuleName::DeconvNet => Box::new(DeconvNet),
        }
    }

    /// The name users write.
    pub fn name(self) -> &'static str {
        self.rule::<f64>(NearZero::Accurate).name()
    }

    /// Whether multipliers compare with the reference; otherwise operators that have no variants pass on their
    /// derivative.
    pub fn uses_reference(self) -> bool {
        self.rule::<f64>(NearZero::Accurate).uses_reference()
    }

    /// Whether contributions sum to the difference of the output.
    pub fn is_complete(self) -> bool {
        self.rule::<f64>(NearZero::Accurate).is_complete()
    }

    fn parse(name: &str) -> Result<Self> {
        match RuleName::ALL.into_iter().find(|r| r.name() == name) {
            Some(r) => Ok(r),
            None => {
                let names: Vec<&str> = RuleName::ALL.iter().map(|r| r.name()).collect();
                bail!(
                    InvalidOption,
                    "no rule '{name}'; there are {}, {GENOMICS_DEFAULT} and {INTEGRATED_GRADIENTS} (the last two for a whole \
                     network)",
                    names.join(", ")
                )
            }
        }
    }
}

const GENOMICS_DEFAULT: &str = "genomics-default";

/// The mean of gradients along the straight path from reference to example: the gradient rule, run at several points.
pub const INTEGRATED_GRADIENTS: &str = "integrated-gradients";

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
        let default = match default {
            GENOMICS_DEFAULT => None,
            INTEGRATED_GRADIENTS => Some(RuleName::Gradient),
            name => Some(RuleName::parse(name)?),
        };
        let overrides = overrides
            .iter()
            .map(|(node, rule)| Ok((node.clone(), RuleName::parse(rule)?)))
            .collect::<Result<_>>()?;
        Ok(Policy { default, overrides })
    }

    /// The rule of `node`, which `feed` feeds if it is an activation.
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

    /// Whether the rule of the network as a whole compares with the reference.
    pub fn compares(&self) -> bool {
        self.default.is_none_or(RuleName::uses_reference)
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
