//! The instruction sets that kernels are compiled for, and the choice between them.

use std::fmt;
use std::sync::OnceLock;

/// Name of the environment variable that forces one instruction set for the whole process.
const OVERRIDE: &str = "DEEPLIFT_ISA";

/// An instruction set that kernels are compiled for.
///
/// Results agree between instruction sets up to rounding; within one they are reproducible bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// Portable code that the compiler vectorises for the baseline of the target (SSE2, NEON).
    Scalar,
    /// AVX2 with fused multiply-add.
    Avx2,
    /// AVX-512 (F, VL, DQ, BW) with fused multiply-add.
    Avx512,
}

impl Isa {
    /// Every instruction set known to this crate, slowest first.
    pub const ALL: [Isa; 3] = [Isa::Scalar, Isa::Avx2, Isa::Avx512];

    /// The instruction sets this processor can run, slowest first. Never empty.
    pub fn available() -> Vec<Isa> {
        Isa::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// Whether this processor, and its operating system, can run the set.
    #[inline]
    pub fn is_available(self) -> bool {
        match self {
            Isa::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                Isa::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 => false,
        }
    }

    /// The set used by default: the one named by `DEEPLIFT_ISA`, otherwise the best available.
    ///
    /// # Errors
    /// A message for the user if the variable names an unknown or unavailable set.
    pub fn try_active() -> Result<Isa, String> {
        static ACTIVE: OnceLock<Result<Isa, String>> = OnceLock::new();
        ACTIVE.get_or_init(|| Isa::from_override(std::env::var(OVERRIDE).ok().as_deref())).clone()
    }

    /// Like [`Isa::try_active`], but a wrong `DEEPLIFT_ISA` falls back on the best available set.
    pub fn active() -> Isa {
        static ACTIVE: OnceLock<Isa> = OnceLock::new();
        *ACTIVE.get_or_init(|| Isa::try_active().unwrap_or_else(|_| Isa::best()))
    }

    /// The lower-case name, as `DEEPLIFT_ISA` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }

    fn best() -> Isa {
        Isa::ALL.into_iter().rev().find(|isa| isa.is_available()).unwrap_or(Isa::Scalar)
    }

    fn from_override(name: Option<&str>) -> Result<Isa, String> {
        let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(Isa::best()) };
        let names = |sets: &[Isa]| sets.iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", ");
        let Some(isa) = Isa::ALL.into_iter().find(|isa| isa.name() == name) else {
            return Err(format!("{OVERRIDE}: expected one of {}, found \"{name}\"", names(&Isa::ALL)));
        };
        if !isa.is_available() {
            return Err(format!(
                "{OVERRIDE}: this processor has no {name}; expected one of {}",
                names(&Isa::available())
            ));
        }
        Ok(isa)
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portable_set_is_always_there_and_the_best_is_last() {
        let available = Isa::available();
        assert_eq!(available[0], Isa::Scalar);
        assert_eq!(*available.last().unwrap(), Isa::best());
    }

    #[test]
    fn the_override_picks_refuses_and_defaults() {
        assert_eq!(Isa::from_override(None), Ok(Isa::best()));
        assert_eq!(Isa::from_override(Some("")), Ok(Isa::best()));
        assert_eq!(Isa::from_override(Some("scalar")), Ok(Isa::Scalar));
        let message = Isa::from_override(Some("sse9")).unwrap_err();
        assert!(message.contains("scalar, avx2, avx512") && message.contains("sse9"), "{message}");
        for isa in Isa::ALL {
            assert_eq!(Isa::from_override(Some(isa.name())).is_ok(), isa.is_available());
        }
    }
}
