//! The native part of the Python package `becomingone`: engines on threads of their own, their numbers as arrays.
//!
//! What users call is written in Python, in `becomingone/`, with its types and docstrings. This part is private to it.
//!
//! - `engine`: one engine; `batch`: many worlds; `monitor`: the kernel alone; `scene`: scenes by name, file, or in code.
//! - `picture`: pictures of a world. `table`: tables of recordings, of scores, and of other libraries. `waiting`: waits without the interpreter's lock, until Ctrl-C.
//! - `buffer`: numbers that arrays show. `users`: sensors, controllers and drivers in Python; `parameters`: theirs.
//! - `assistant`: talks. `errors`: exceptions of the package. `request`: commands.

mod assistant;
mod batch;
mod buffer;
mod engine;
mod errors;
mod monitor;
mod parameters;
mod picture;
mod request;
mod scene;
mod table;
mod users;
mod waiting;

use pyo3::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;

/// The program `becomingone` on these arguments; returns its exit status.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<OsString>, program: Option<PathBuf>) -> u8 {
    py.detach(|| becomingone_cli::Cli::new().main_of(arguments, program))
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<batch::Batch>()?;
    module.add_class::<monitor::Monitor>()?;
    module.add_class::<assistant::Talk>()?;
    module.add_class::<table::Columns>()?;
    module.add_function(wrap_pyfunction!(assistant::talk, module)?)?;
    module.add_class::<table::Parquet>()?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    module.add("HAS_AUDIO", cfg!(feature = "audio"))?;
    module.add("HAS_BLUETOOTH", cfg!(feature = "bluetooth"))?;
    module.add_function(wrap_pyfunction!(scene::agents, module)?)?;
    module.add_function(wrap_pyfunction!(scene::check, module)?)?;
    module.add_function(wrap_pyfunction!(scene::kinds, module)?)?;
    module.add_function(wrap_pyfunction!(scene::scenes, module)?)?;
    module.add_function(wrap_pyfunction!(table::columns, module)?)?;
    module.add_function(wrap_pyfunction!(table::read, module)?)?;
    module.add_function(wrap_pyfunction!(table::read_scores, module)?)?;
    module.add_function(wrap_pyfunction!(table::write_stream, module)?)?;
    Ok(())
}
