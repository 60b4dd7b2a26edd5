//! The kernel on a bare machine: no std, no allocator, no main.
//!
//! On Linux it is one static program that exits with 0 if all checks hold, and with the number of the first
//! failed one otherwise: `cargo run --release` here. On a Cortex-M4 it reports the same by semihosting:
//! `cortex_m4.sh` builds it and runs it under QEMU.

#![no_std]
#![no_main]

#[cfg(target_arch = "x86_64")]
mod memory;

use core::hint::black_box;
use core::panic::PanicInfo;

use becomingone_kernel::{
    AgeOctaves, Binned, Bins, Blend, BlendConfig, ConfigError, DEFAULT_LAGS, Kuramoto,
    PhaseVelocity, Pyramid, PyramidConfig, Role, SelfModelConfig, Synchrony, SynchronyConfig,
    Trainer, Transducer, encode_angle, lorentzian_quantile,
};

/// A tone, in 50 Hz samples, through the micro-controller's profile: both transducers lock.
fn tone_locks() -> Result<bool, ConfigError> {
    let mut velocity = PhaseVelocity::<f32, 4>::new(4)?;
    let mut emissary = Transducer::<f32, 4, 3, 5>::new(Role::Emissary, 4, DEFAULT_LAGS)?;
    let mut master = Transducer::<f32, 4, 3, 5>::new(Role::Master, 4, DEFAULT_LAGS)?;
    let mut synchrony = Synchrony::new(SynchronyConfig::default())?;
    for k in 0..200_u16 {
        let z = Some(encode_angle(black_box(0.6) * f32::from(k)));
        let d = velocity.push(&[z; 4], 0.02);
        emissary.push(d, 0.02);
        master.push(d, 0.02);
        synchrony.update(emissary.reading(), master.reading());
    }
    Ok(synchrony.collapsed())
}

/// The same tone from stamped readings, at a lag of 25 samples.
fn pyramid_measures_the_phase() -> Result<bool, ConfigError> {
    let mut bins = Bins::<f32, 1>::new(1, 20_000_000, 40_000_000)?;
    let mut pyramid = Pyramid::<f32, 1, 4, 6>::new(PyramidConfig::new(1, 0.02))?;
    for k in 0..4000_u64 {
        let z = encode_angle(0.05 * (k % 4000) as f32);
        bins.push(k * 20_000_000, &[Some(z)], |bin| match bin {
            Binned::Bin(cells) => {
                pyramid.push_covered(cells);
            }
            Binned::Gap { bins } => pyramid.pass(bins),
        });
    }
    // Level 2, blocks of four: lag 6.
    let t = pyramid.t(0.48).unwrap_or_default();
    Ok((t - encode_angle(0.05_f32 * 24.0)).norm_sqr() < 1e-6)
}

/// A frozen sensor is detected.
fn frozen_sensor_is_detected() -> Result<bool, ConfigError> {
    let config = SelfModelConfig {
        outputs: 2,
        ..SelfModelConfig::default()
    };
    let mut model = Trainer::<f32, 2, 0>::new(config)?;
    let mut noise = 1_u32;
    let mut scatter = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let (mut early, mut late) = (false, false);
    for k in 0..1000 {
        let speed = scatter();
        let other = if k < 800 {
            speed + 0.1 * scatter()
        } else {
            0.3
        };
        if let Some(verdict) = model.push(&[Some(speed), Some(other)], &[], 0.02) {
            if k < 800 {
                early |= verdict.dissipated;
            } else {
                late |= verdict.dissipated;
            }
        }
    }
    Ok(late && !early)
}

/// Oscillators above the threshold lock; a memory is restored from bytes.
fn fleet_locks_and_memory_is_restored() -> Result<bool, ConfigError> {
    let mut omegas = [0.0_f32; 64];
    for (i, omega) in omegas.iter_mut().enumerate() {
        *omega = lorentzian_quantile(i, 64, 0.5);
    }
    let mut phases = [encode_angle(0.0_f32); 64];
    let fleet = Kuramoto {
        coupling_rad_s: 4.0,
        frame_rad_s: 0.0,
    };
    let mut r = 0.0;
    for _ in 0..400 {
        r = fleet
            .step(&mut phases, &omegas, 0.05)
            .map_or(0.0, |f| f.norm_sqr());
    }
    let config = BlendConfig {
        fading_per_s: 0.01,
        protection: 0.9,
        recall: 0.3,
        forget_below: 0.05,
    };
    let mut blend = Blend::<f32, u32, 8>::new(config)?;
    for k in 0..20 {
        blend.consolidate(&AgeOctaves::new(1.0, 2)?, |a, _| *a);
        blend.remember(k, 1.0);
        blend.advance(0.5, None);
    }
    let mut bytes = [0; 600];
    let back = blend
        .save(&mut bytes)
        .map(|saved| Blend::load(config, saved));
    // r^2 = 1 - K_c/K = 3/4 of infinitely many.
    Ok((r - 0.75).abs() < 0.05 && back == Ok(Ok(blend)))
}

/// 0 if all checks hold, else the number of the first failed one.
fn failed() -> i32 {
    let checks = [
        tone_locks,
        pyramid_measures_the_phase,
        frozen_sensor_is_detected,
        fleet_locks_and_memory_is_restored,
    ];
    for (number, check) in (1..).zip(checks) {
        if check() != Ok(true) {
            return number;
        }
    }
    0
}

#[panic_handler]
fn panicked(_: &PanicInfo) -> ! {
    end(99)
}

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".global _start",
    "_start:",
    "and rsp, -16",
    "call begin",
    "ud2"
);

/// # Safety
///
/// Called once, by the reset code.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn begin() -> ! {
    end(failed())
}

#[cfg(target_arch = "x86_64")]
fn end(code: i32) -> ! {
    // SAFETY: exit does not return and touches no memory.
    unsafe {
        core::arch::asm!("syscall", in("rax") 60, in("rdi") code, options(noreturn, nostack));
    }
}

// The host's core is built with unwind tables, which refer to these.
#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
pub extern "C" fn rust_eh_personality() {}

#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_Resume() -> ! {
    end(98)
}

// The FPU is enabled before any Rust code runs.
#[cfg(target_arch = "arm")]
core::arch::global_asm!(
    ".thumb_func",
    ".global _reset",
    "_reset:",
    "ldr r0, =0xE000ED88",
    "ldr r1, =0x00F00000",
    "str r1, [r0]",
    "dsb",
    "isb",
    "bl begin",
    "b ."
);

#[cfg(target_arch = "arm")]
fn semihost(operation: u32, argument: u32) {
    // SAFETY: a breakpoint that the debugger, or QEMU, handles as a call; it reads the memory behind the
    // argument.
    unsafe {
        core::arch::asm!("bkpt 0xAB", inlateout("r0") operation => _, in("r1") argument, options(nostack));
    }
}

#[cfg(target_arch = "arm")]
fn end(code: i32) -> ! {
    let message: &[u8] = match code {
        0 => b"kernel OK\n\0",
        1 => b"check 1 failed\n\0",
        2 => b"check 2 failed\n\0",
        3 => b"check 3 failed\n\0",
        4 => b"check 4 failed\n\0",
        _ => b"panicked\n\0",
    };
    semihost(0x04, message.as_ptr() as u32);
    semihost(0x18, if code == 0 { 0x20026 } else { 0x20023 });
    loop {}
}
