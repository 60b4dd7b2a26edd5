//! Rebuilds when a file is added or removed.

fn main() {
    println!("cargo:rerun-if-changed=.");
}
