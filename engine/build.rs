//! Rebuilds when a built-in scene or asset changes.

fn main() {
    println!("cargo:rerun-if-changed=../scenes");
    println!("cargo:rerun-if-changed=../assets");
}
