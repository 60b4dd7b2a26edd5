//! NumPy's arrays (`.npy`): one or two dimensions, or a structured type, read block by block.

mod dtype;
mod literal;

use super::source::{Columns, TypedSource};
use super::value::Value;
use crate::error::TableError;
use dtype::{Field, Layout};
use flate2::read::DeflateDecoder;
use literal::Literal;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Take};
use std::path::Path;

const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest description of an array (bytes).
const MAX_HEADER_BYTES: usize = 1 << 20;
/// Most columns of an array of two dimensions.
const MAX_COLUMNS: usize = 4096;
/// Most bytes of a row, and bytes of a block.
const MAX_ROW_BYTES: usize = 1 << 20;
const BLOCK_BYTES: usize = 1 << 20;

/// Bytes of an array: a part of a file, as it is or deflated.
pub(super) enum Part {
    Plain {
        from: BufReader<File>,
        /// Place in the file, and bytes.
        begin: u64,
        bytes: u64,
    },
    Deflated(Box<DeflateDecoder<Take<BufReader<File>>>>),
}

impl Part {
    fn read_exact(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from: &mut dyn Read = match self {
            Self::Plain { from, .. } => from,
            Self::Deflated(from) => from,
        };
        let mut read = 0;
        while read < to.len() {
            match from.read(&mut to[read..]) {
                Ok(0) => break,
                Ok(n) => read += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }
}

/// Rows of an array.
pub(super) struct Array {
    part: Part,
    layout: Layout,
    /// Bytes of a row, and the number of items in it.
    row_bytes: usize,
    items: usize,
    pub(super) rows: u64,
    /// Place of the values of a column-major array (Fortran order).
    fortran: Option<u64>,
    block: Vec<u8>,
    /// Rows of the block, and the next one; rows before the block.
    block_rows: usize,
    next: usize,
    before: u64,
    /// Why the rest is not read.
    pub(super) rest: Option<String>,
}

impl std::fmt::Debug for Array {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Array").finish_non_exhaustive()
    }
}

impl Array {
    /// Reads the description of an array. `Err` has what was found and what is expected.
    pub(super) fn open(mut part: Part) -> io::Result<Result<Self, (String, &'static str)>> {
        let mut head = [0; 12];
        let read = part.read_exact(&mut head[..10])?;
        let cut = "the file of `numpy.save`, whole: copy it again";
        if read < 10 || !head.starts_with(MAGIC) {
            return Ok(Err(("no header of a NumPy array".to_owned(), cut)));
        }
        let mut length = usize::from(u16::from_le_bytes([head[8], head[9]]));
        let mut header_at = 10;
        if head[6] >= 2 {
            if part.read_exact(&mut head[10..])? < 2 {
                return Ok(Err(("a header that is cut off".to_owned(), cut)));
            }
            let long = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
            length = usize::try_from(long).unwrap_or(usize::MAX);
            header_at = 12;
        }
        if length > MAX_HEADER_BYTES {
            return Ok(Err((format!("a header of {length} bytes"), cut)));
        }
        let mut header = vec![0; length];
        if part.read_exact(&mut header)? < length {
            return Ok(Err(("a header that is cut off".to_owned(), cut)));
        }
        let header = String::from_utf8_lossy(&header);
        let described = match literal::parse(&header) {
            Some(Literal::Dict(described)) => described,
            _ => return Ok(Err(("a header that is no description".to_owned(), cut))),
        };
        let of = |key: &str| described.iter().find(|(k, _)| k == key).map(|(_, v)| v);
        let (Some(descr), Some(Literal::Bool(fortran)), Some(Literal::List(shape))) =
            (of("descr"), of("fortran_order"), of("shape"))
        else {
            return Ok(Err((
                "a header without type, order and shape".to_owned(),
                cut,
            )));
        };
        let layout = match Layout::of(descr) {
            Ok(layout) => layout,
            Err(refused) => return Ok(Err(refused)),
        };
        let shape: Option<Vec<u64>> = shape.iter().map(Literal::count).collect();
        let Some(shape) = shape else {
            return Ok(Err(("a shape that is no list of sizes".to_owned(), cut)));
        };
        let text = format!("an array of the shape {shape:?}");
        let (rows, items) = match *shape {
            [] => return Ok(Err((text, "rows: a single value is no table"))),
            [rows] => (rows, 1),
            [rows, items] => (rows, items),
            _ => {
                return Ok(Err((
                    text,
                    "one or two dimensions: `a.reshape(len(a), -1)` makes two",
                )));
            }
        };
        let items = usize::try_from(items).unwrap_or(usize::MAX);
        if items > MAX_COLUMNS {
            return Ok(Err((
                text,
                "rows of at most 4096 columns: if rows and columns are exchanged, save `a.T`",
            )));
        }
        let row_bytes = layout.bytes.saturating_mul(items);
        if row_bytes == 0
            || row_bytes > MAX_ROW_BYTES
            || rows.checked_mul(row_bytes as u64).is_none()
        {
            return Ok(Err((text, "rows of 1 byte to 1 MB")));
        }
        let mut array = Self {
            part,
            layout,
            row_bytes,
            items,
            rows,
            fortran: None,
            block: Vec::new(),
            block_rows: 0,
            next: 0,
            before: 0,
            rest: None,
        };
        if *fortran && items > 1 {
            let Part::Plain { begin, bytes, .. } = &array.part else {
                return Ok(Err((
                    "a compressed array in Fortran order".to_owned(),
                    "`numpy.ascontiguousarray(a)`, or `numpy.savez` without compression",
                )));
            };
            let at = (header_at + length) as u64;
            if bytes.saturating_sub(at) < rows.saturating_mul(row_bytes as u64) {
                return Ok(Err((
                    format!(
                        "an array in Fortran order of {} bytes that is cut off after {}: no row is whole",
                        rows.saturating_mul(row_bytes as u64),
                        bytes.saturating_sub(at)
                    ),
                    cut,
                )));
            }
            array.fortran = Some(begin + at);
        }
        Ok(Ok(array))
    }

    /// Names of the columns below the name of the array, and the columns of time stamps.
    pub(super) fn columns(&self, name: &str, columns: &mut Columns) {
        let fields = &self.layout.fields;
        columns.notes.extend(
            self.layout
                .unread
                .as_ref()
                .map(|unread| format!("fields that are not read: {unread}")),
        );
        for item in 0..self.items {
            for field in fields {
                let index = columns.names.len();
                let item = match (self.items, name) {
                    (1, _) => String::new(),
                    (_, "") => format!("column_{}", item + 1),
                    _ => format!("[{item}]"),
                };
                let own = field.name.as_str();
                let own = match (name.is_empty() && item.is_empty(), own) {
                    (true, "") => "column_1".to_owned(),
                    (true, own) => own.to_owned(),
                    (false, "") => format!("{name}{item}"),
                    (false, own) => format!("{name}{item}.{own}"),
                };
                columns.names.push(own);
                columns
                    .times
                    .extend(field.time().map(|format| (index, format)));
            }
        }
    }

    pub(super) fn width(&self) -> usize {
        self.items * self.layout.fields.len()
    }

    pub(super) fn row(&self) -> u64 {
        self.before + self.next as u64
    }

    pub(super) fn advance(&mut self, file: &Path) -> Result<bool, TableError> {
        if self.next >= self.block_rows {
            self.before += self.block_rows as u64;
            self.next = 0;
            self.block_rows = 0;
            let left = self.rows.saturating_sub(self.before);
            if left == 0 || self.rest.is_some() {
                return Ok(false);
            }
            let most = (BLOCK_BYTES / self.row_bytes).max(1);
            let rows = usize::try_from(left).map_or(most, |left| left.min(most));
            match self.fill(rows) {
                Ok(whole) if whole == rows => {}
                Ok(whole) => {
                    self.rest = Some(format!(
                        "the array has {} rows, but the file ends after {}: it was cut off",
                        self.rows,
                        self.before + whole as u64
                    ));
                    self.block_rows = whole;
                }
                Err(cause)
                    if matches!(
                        cause.kind(),
                        io::ErrorKind::InvalidInput
                            | io::ErrorKind::InvalidData
                            | io::ErrorKind::UnexpectedEof
                    ) =>
                {
                    self.rest = Some(format!(
                        "the compressed array is damaged after row {} ({cause}): the rest is not read",
                        self.before
                    ));
                }
                Err(cause) => return Err(TableError::read(file, cause)),
            }
            if self.rest.is_none() {
                self.block_rows = rows;
            }
            if self.block_rows == 0 {
                return Ok(false);
            }
        }
        self.next += 1;
        Ok(true)
    }

    /// Fills the block; returns the number of whole rows.
    fn fill(&mut self, rows: usize) -> io::Result<usize> {
        self.block.resize(rows * self.row_bytes, 0);
        let Some(begin) = self.fortran else {
            let read = self.part.read_exact(&mut self.block)?;
            return Ok(read / self.row_bytes);
        };
        let bytes = rows * self.layout.bytes;
        for (k, column) in self.block.chunks_exact_mut(bytes).enumerate() {
            let at = (k as u64 * self.rows + self.before) * self.layout.bytes as u64;
            if let Part::Plain { from, .. } = &mut self.part {
                from.seek(SeekFrom::Start(begin + at))?;
            }
            if self.part.read_exact(column)? < bytes {
                return Ok(0);
            }
        }
        Ok(rows)
    }

    pub(super) fn value(&self, index: usize) -> Value<'_> {
        let fields = &self.layout.fields;
        let (item, field) = (index / fields.len(), index % fields.len());
        let row = self.next - 1;
        let at = match self.fortran {
            None => row * self.row_bytes + item * self.layout.bytes,
            Some(_) => (item * self.block_rows + row) * self.layout.bytes,
        };
        let bytes = self
            .block
            .get(at..at + self.layout.bytes)
            .unwrap_or_default();
        fields
            .get(field)
            .map_or(Value::Missing, |f: &Field| f.read(bytes))
    }
}

/// Records of an array.
#[derive(Debug)]
pub(crate) struct NpySource(Array);

impl TypedSource for NpySource {
    fn open(file: &Path) -> Result<(Columns, Self), TableError> {
        let failed = |cause| TableError::read(file, cause);
        let from = File::open(file).map_err(failed)?;
        let bytes = from.metadata().map_err(failed)?.len();
        let part = Part::Plain {
            from: BufReader::with_capacity(64 * 1024, from),
            begin: 0,
            bytes,
        };
        let array = Array::open(part).map_err(failed)?;
        let array =
            array.map_err(|(found, expected)| TableError::invalid(file, found, expected))?;
        let mut columns = Columns::default();
        array.columns("", &mut columns);
        columns.make_unique();
        if array.layout.is_plain() {
            columns.notes.push(format!(
                "an array has no names: its columns are {}",
                match columns.names.as_slice() {
                    [first, .., last] => format!("{first} to {last}"),
                    _ => "column_1".to_owned(),
                }
            ));
        }
        Ok((columns, Self(array)))
    }

    fn advance(&mut self, file: &Path) -> Result<bool, TableError> {
        self.0.advance(file)
    }

    fn width(&self) -> usize {
        self.0.width()
    }

    fn value(&self, index: usize) -> Value<'_> {
        self.0.value(index)
    }

    fn number(&self) -> u64 {
        self.0.row()
    }

    fn at_end(&self) -> Vec<String> {
        self.0.rest.iter().cloned().collect()
    }
}
