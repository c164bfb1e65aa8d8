//! The tile registers of the processor, by inline assembly: Rust's intrinsics for them are unstable.
//!
//! Registers keep their values from one `asm!` block to the next. That relies on the compiler never using them for its
//! own ends, which it does only in functions that enable AMX; there is none.

use super::registers::Registers;
use super::TILE;
use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// Bits of leaf 7 of CPUID, register EDX.
const AMX_BF16: u32 = 1 << 22;
const AMX_TILE: u32 = 1 << 24;

/// Bit of leaf 1 of CPUID, register ECX: the operating system uses `xsave`, and `xgetbv` exists.
const OSXSAVE: u32 = 1 << 27;

/// Parts of the processor's state that the operating system must save for us: tile configuration and tiles.
const TILE_STATE: u64 = 1 << 17 | 1 << 18;

/// The system call `arch_prctl`, and its request for a part of the state: tiles.
const ARCH_PRCTL: i64 = 158;
const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
const XFEATURE_XTILEDATA: i64 = 18;

/// Whether processor, operating system and process allow the use of tiles. Asks Linux for the permission of this process,
/// which all of its threads then have and nothing takes away.
pub(super) fn permission() -> Result<(), &'static str> {
    if !has_amx() {
        return Err("this processor has no AMX for bf16");
    }
    if !has_palette() {
        return Err("this processor's tiles are of another size");
    }
    if !saves_tiles() {
        return Err("the operating system does not save tile registers");
    }
    let result: i64;
    // SAFETY: this request of `arch_prctl` changes nothing but what this process may do; the kernel writes no memory,
    // and the registers that a system call changes are declared.
    unsafe {
        asm!("syscall", inlateout("rax") ARCH_PRCTL => result, in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    if result == 0 {
        Ok(())
    } else {
        Err("Linux refused the permission to use tiles")
    }
}

/// CPUID of a leaf and sub-leaf, if the processor has the leaf.
fn cpuid(leaf: u32, sub: u32) -> Option<std::arch::x86_64::CpuidResult> {
    #[allow(unused_unsafe, reason = "these functions became safe after the oldest supported compiler")]
    // SAFETY: every x86-64 processor has the instruction.
    unsafe {
        (__cpuid(0).eax >= leaf).then(|| __cpuid_count(leaf, sub))
    }
}

fn has_amx() -> bool {
    cpuid(7, 0).is_some_and(|l| l.edx & (AMX_BF16 | AMX_TILE) == AMX_BF16 | AMX_TILE)
}

/// Whether palette 1 is what this file configures: 8 tiles of 16 rows of 64 bytes.
fn has_palette() -> bool {
    let most = cpuid(0x1d, 0).map_or(0, |l| l.eax);
    most >= 1
        && cpuid(0x1d, 1)
            .is_some_and(|l| l.eax >> 16 == 1024 && l.ebx == 8 << 16 | 64 && l.ecx & 0xffff == 16)
}

fn saves_tiles() -> bool {
    #[target_feature(enable = "xsave")]
    fn state() -> u64 {
        // SAFETY: the caller found OSXSAVE, with which the register 0 exists.
        unsafe { _xgetbv(0) }
    }
    if cpuid(1, 0).is_none_or(|l| l.ecx & OSXSAVE == 0) {
        return false;
    }
    // SAFETY: OSXSAVE, checked above, says that the processor has the feature and that it is enabled.
    unsafe { state() & TILE_STATE == TILE_STATE }
}

/// The operand of `ldtilecfg`.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// All eight registers as full tiles.
static CONFIG: Config = Config {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Registers that are configured on this thread until dropped.
pub(super) struct Hardware(());

impl Hardware {
    /// # Safety
    /// [`permission`] must have said yes, and no other value of this type may be alive on this thread.
    pub(super) unsafe fn new() -> Self {
        // SAFETY: the instruction exists and is allowed (contract), and reads the 64 bytes of CONFIG, which describe the
        // palette that `permission` found.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG, options(nostack, preserves_flags, readonly))
        };
        Hardware(())
    }
}

impl Drop for Hardware {
    fn drop(&mut self) {
        // SAFETY: the instruction exists, or this value would not. Without it Linux would save the tiles of a thread
        // that does something else.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags, nomem)) };
    }
}

// Blocks that touch no memory still depend on each other through registers that the compiler does not know: without
// `pure`, they are executed, in their order.
impl Registers for Hardware {
    #[inline(always)]
    unsafe fn zero<const T: usize>(&mut self) {
        // SAFETY: the registers are configured (contract).
        unsafe { asm!("tilezero tmm{}", const T, options(nostack, preserves_flags, nomem)) };
    }

    #[inline(always)]
    unsafe fn load<const T: usize>(&mut self, from: *const u16, stride: usize) {
        // SAFETY: the registers are configured and 16 rows of 64 bytes are readable (contract).
        unsafe {
            asm!("tileloadd tmm{}, [{} + {} * 1]", const T, in(reg) from, in(reg) stride * size_of::<u16>(),
                options(nostack, preserves_flags, readonly));
        }
    }

    #[inline(always)]
    unsafe fn dot<const SUM: usize, const A: usize, const B: usize>(&mut self) {
        // SAFETY: the registers are configured (contract) and, as the caller's names for them are, distinct.
        unsafe {
            asm!("tdpbf16ps tmm{}, tmm{}, tmm{}", const SUM, const A, const B,
                options(nostack, preserves_flags, nomem));
        }
    }

    #[inline(always)]
    unsafe fn store<const T: usize>(&self, to: *mut f32, stride: usize) {
        // SAFETY: the registers are configured and 16 rows of 64 bytes are writable (contract).
        unsafe {
            asm!("tilestored [{} + {} * 1], tmm{}", in(reg) to, in(reg) stride * size_of::<f32>(), const T,
                options(nostack, preserves_flags));
        }
    }
}

const _: () = assert!(size_of::<Config>() == 64 && TILE == 16);
