//! Memory functions that the compiler calls for copies, and that a C library would provide: on x86-64, where
//! string instructions are never compiled into such a call. Cortex-M has them from `compiler_builtins`.

use core::arch::asm;

/// # Safety
///
/// As C's: `n` bytes at both, which do not overlap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    // SAFETY: by the caller.
    unsafe {
        asm!("rep movsb", inout("rcx") n => _, inout("rdi") to => _, inout("rsi") from => _);
    }
    to
}

/// # Safety
///
/// As C's: `n` bytes at both.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= n {
        // SAFETY: forwards, `to` never overwrites bytes that are still to be read.
        return unsafe { memcpy(to, from, n) };
    }
    // SAFETY: by the caller, backwards from the last byte of `n` >= 1.
    unsafe {
        asm!(
            "std",
            "rep movsb",
            "cld",
            inout("rcx") n => _,
            inout("rdi") to.add(n - 1) => _,
            inout("rsi") from.add(n - 1) => _,
        );
    }
    to
}

/// # Safety
///
/// As C's: `n` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memset(to: *mut u8, byte: i32, n: usize) -> *mut u8 {
    // SAFETY: by the caller.
    unsafe {
        asm!("rep stosb", inout("rcx") n => _, inout("rdi") to => _, in("al") byte as u8);
    }
    to
}

/// # Safety
///
/// As C's: `n` bytes at both.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, n: usize) -> i32 {
    for i in 0..n {
        // SAFETY: by the caller.
        let (a, b) = unsafe { (one.add(i).read_volatile(), other.add(i).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

/// # Safety
///
/// As [`memcmp`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, n: usize) -> i32 {
    // SAFETY: by the caller.
    unsafe { memcmp(one, other, n) }
}
