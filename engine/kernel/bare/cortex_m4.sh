#!/bin/sh
# Builds this program for a Cortex-M4 and runs it under QEMU. Needs a rustc with its sources, cargo, a
# linker for ARM and QEMU; Debian has them all: rustc-web rust-web-src cargo-web gcc-arm-none-eabi
# qemu-system-arm. ARM_ROOT is their root folder, if not /usr. Skipped with a message where one is missing.
set -eu
root=${ARM_ROOT:-}/usr
for tool in rustc cargo arm-none-eabi-gcc qemu-system-arm; do
    if [ ! -x "$root/bin/$tool" ]; then
        echo "SKIPPED: no $root/bin/$tool" >&2
        exit 0
    fi
done
if [ ! -e "$root/lib/rustlib/src/rust" ]; then
    echo "SKIPPED: no sources of $root/bin/rustc" >&2
    exit 0
fi
here=$(dirname "$(readlink -f "$0")")
target=${CARGO_TARGET_DIR:-$here/target}
if [ -n "${ARM_ROOT:-}" ]; then
    libraries=lib/x86_64-linux-gnu
    export LD_LIBRARY_PATH="$root/$libraries:$ARM_ROOT/$libraries:$root/lib/llvm-22/lib"
fi
export PATH="$root/bin:$PATH" RUSTC="$root/bin/rustc" RUSTC_BOOTSTRAP=1 CARGO_HOME="$target/home"
export CARGO_TARGET_THUMBV7EM_NONE_EABIHF_LINKER="$root/bin/arm-none-eabi-gcc"
cpu='-Clink-arg=-mthumb -Clink-arg=-mcpu=cortex-m4'
export CARGO_TARGET_THUMBV7EM_NONE_EABIHF_RUSTFLAGS="$cpu -Clink-arg=-mfloat-abi=hard -Clink-arg=-mfpu=fpv4-sp-d16"
"$root/bin/cargo" build --release -Zbuild-std=core,alloc --target thumbv7em-none-eabihf \
    --manifest-path "$here/Cargo.toml" --target-dir "$target"
exec timeout 60 "$root/bin/qemu-system-arm" -M mps2-an386 -cpu cortex-m4 -nographic \
    -semihosting-config enable=on,target=native \
    -kernel "$target/thumbv7em-none-eabihf/release/bare"
