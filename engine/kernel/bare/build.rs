//! Tells the linker that there is no start-up code; on a Cortex-M, where memory is.

fn main() {
    let target = std::env::var("TARGET").unwrap_or_default();
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo:rustc-link-arg=-nostartfiles");
    if target.starts_with("thumb") {
        println!("cargo:rustc-link-arg=-nostdlib");
        println!("cargo:rustc-link-arg=-T{here}/link.x");
    } else {
        println!("cargo:rustc-link-arg=-static");
    }
    println!("cargo:rerun-if-changed=link.x");
}
