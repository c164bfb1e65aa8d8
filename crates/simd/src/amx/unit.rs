//! Who multiplies tiles: detection, and the choice between processor and portable code.

use super::product::{Block, Operand, Tiles};
use super::{Products, SPAN, STEP};
use std::sync::OnceLock;

/// Name of the environment variable that replaces the processor's unit, or does without.
const OVERRIDE: &str = "DEEPLIFT_AMX";

/// What multiplies tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileUnit {
    /// The processor's AMX.
    Amx,
    /// Portable code with the same arithmetic, hundreds of times slower: for tests.
    Plain,
}

impl TileUnit {
    /// Every unit that works here: the portable one, and the processor's if it has one.
    pub fn available() -> Vec<TileUnit> {
        [TileUnit::Plain, TileUnit::Amx].into_iter().filter(|unit| unit.missing().is_none()).collect()
    }

    /// Why the unit cannot be used, if so. The first call asks the operating system for permission and checks the unit on
    /// a product whose result is known.
    pub fn missing(self) -> Option<&'static str> {
        static AMX: OnceLock<Option<&str>> = OnceLock::new();
        match self {
            TileUnit::Plain => None,
            TileUnit::Amx => *AMX.get_or_init(|| permission().and_then(|()| self_check()).err()),
        }
    }

    /// The unit to be used: the processor's if it has one, unless `DEEPLIFT_AMX` is `off` or `emulate`.
    ///
    /// # Errors
    /// A message for the user if the variable has another value.
    pub fn try_active() -> Result<Option<TileUnit>, String> {
        static ACTIVE: OnceLock<Result<Option<TileUnit>, String>> = OnceLock::new();
        ACTIVE.get_or_init(|| TileUnit::from_override(std::env::var(OVERRIDE).ok().as_deref())).clone()
    }

    /// Like [`TileUnit::try_active`], without the variable if its value is wrong.
    pub fn active() -> Option<TileUnit> {
        TileUnit::try_active().unwrap_or_else(|_| TileUnit::of_processor())
    }

    /// The lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            TileUnit::Amx => "amx",
            TileUnit::Plain => "emulated",
        }
    }

    fn of_processor() -> Option<TileUnit> {
        TileUnit::Amx.missing().is_none().then_some(TileUnit::Amx)
    }

    pub(super) fn from_override(value: Option<&str>) -> Result<Option<TileUnit>, String> {
        match value {
            None | Some("") => Ok(TileUnit::of_processor()),
            Some("off") => Ok(None),
            Some("emulate") => Ok(Some(TileUnit::Plain)),
            Some(other) => Err(format!("{OVERRIDE}: expected off or emulate, found \"{other}\"")),
        }
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn permission() -> Result<(), &'static str> {
    if cfg!(miri) {
        return Err("an interpreter has no tiles");
    }
    super::hardware::permission()
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn permission() -> Result<(), &'static str> {
    Err("AMX is used on Linux for x86-64 only")
}

/// Multiplies a block on both units. Operands are small integers, so that all sums are exact in any order.
fn self_check() -> Result<(), &'static str> {
    const STEPS: [usize; 2] = [0, STEP];
    let products = Products::Six;
    // bf16 of -3 to 3: upper halves of the floats.
    let integers = |len: usize, factor: usize| -> Vec<u16> {
        (0..len).map(|i| ((((i * factor) % 7) as f32 - 3.0).to_bits() >> 16) as u16).collect()
    };
    let plane_len = SPAN * 2 * STEP;
    let planes = integers(products.planes() * plane_len, 5);
    let panel = integers(products.panel_len(STEPS.len(), SPAN), 11);
    let a = Operand { planes: &planes, plane_len, start: 0, stride: 2 * STEP, rows: SPAN };
    let multiply = |unit: TileUnit| {
        let mut block = Block::default();
        // SAFETY: `permission` said yes: the caller asked.
        let mut tiles = unsafe { Tiles::new_unchecked(unit) };
        tiles.multiply(products, a, &STEPS, &panel, SPAN, &mut block);
        block
    };
    if multiply(TileUnit::Amx).rows().eq(multiply(TileUnit::Plain).rows()) {
        Ok(())
    } else {
        Err("this processor's AMX failed a check of its results")
    }
}
