//! Describes the messages of gRPC for the server: `proto/becomingone/v1/engine.proto`, without `protoc`.

use prost::Message as _;
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    // Comments, for who asks by reflection.
    compiler.include_source_info(true);
    compiler.open_file("becomingone/v1/engine.proto")?;
    let out = std::env::var_os("OUT_DIR").map(PathBuf::from);
    let out = out.ok_or("no OUT_DIR")?.join("engine.bin");
    std::fs::write(out, compiler.file_descriptor_set().encode_to_vec())?;
    Ok(())
}
