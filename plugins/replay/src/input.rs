//! Byte stream of a table: file or standard input.

use std::fs::File;
use std::io::{self, Read, Stdin};

/// Byte stream of a table.
#[derive(Debug)]
pub(crate) enum Input {
    File(File),
    Stdin(Stdin),
}

impl Read for Input {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(to),
            Self::Stdin(stdin) => stdin.read(to),
        }
    }
}
