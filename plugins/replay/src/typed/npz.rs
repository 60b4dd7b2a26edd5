//! NumPy's archives (`.npz`): arrays of equal length are the columns.

use super::npy::{Array, Part};
use super::source::{Columns, TypedSource};
use super::value::Value;
use crate::error::TableError;
use flate2::read::DeflateDecoder;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use zip::{CompressionMethod, ZipArchive};

/// Most arrays of an archive: each has a file that is open.
const MAX_ARRAYS: usize = 256;

/// Whether a ZIP archive begins with an array.
pub(super) fn is_npz(head: &[u8]) -> bool {
    let Some(length) = head.get(26..28) else {
        return false;
    };
    let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
    let name = head.get(30..30 + length);
    head.starts_with(b"PK\x03\x04") && name.is_some_and(|name| name.ends_with(b".npy"))
}

/// Records of an archive.
#[derive(Debug)]
pub(crate) struct NpzSource {
    arrays: Vec<Array>,
    /// Array, and column in it, of each column.
    columns: Vec<(usize, usize)>,
    number: u64,
}

/// Member of an archive.
struct Member {
    name: String,
    begin: u64,
    bytes: u64,
    deflated: bool,
    /// Why its bytes are not those that were written.
    damage: Option<String>,
}

impl Member {
    fn part(&self, file: &Path) -> std::io::Result<Part> {
        let mut from = File::open(file)?;
        from.seek(SeekFrom::Start(self.begin))?;
        let from = BufReader::with_capacity(64 * 1024, from);
        Ok(if self.deflated {
            Part::Deflated(Box::new(DeflateDecoder::new(from.take(self.bytes))))
        } else {
            Part::Plain {
                from,
                begin: self.begin,
                bytes: self.bytes,
            }
        })
    }
}

fn members(file: &Path) -> Result<Vec<Member>, TableError> {
    let from = File::open(file).map_err(|e| TableError::read(file, e))?;
    let damaged = |error: zip::result::ZipError| {
        TableError::invalid(
            file,
            format!(
                "a NumPy archive without its directory, which is at its end ({error}): it was cut off"
            ),
            "the whole file: copy it again",
        )
    };
    let mut zip = ZipArchive::new(BufReader::new(from)).map_err(damaged)?;
    let mut members = Vec::new();
    for k in 0..zip.len() {
        // At the end, the checksum is compared.
        let damage = zip
            .by_index(k)
            .ok()
            .and_then(|mut member| std::io::copy(&mut member, &mut std::io::sink()).err());
        let member = zip.by_index_raw(k).map_err(damaged)?;
        let name = member.name().map_err(damaged)?;
        let Some(name) = name.strip_suffix(".npy") else {
            continue;
        };
        let deflated = match member.compression() {
            CompressionMethod::Stored => false,
            CompressionMethod::Deflated => true,
            other => {
                return Err(TableError::invalid(
                    file,
                    format!("the array `{name}` in the compression {other:?}"),
                    "`numpy.savez_compressed`, which deflates",
                ));
            }
        };
        members.push(Member {
            name: name.to_owned(),
            begin: member.data_start().unwrap_or(u64::MAX),
            bytes: member.compressed_size(),
            deflated,
            damage: damage.map(|error| error.to_string()),
        });
    }
    Ok(members)
}

impl TypedSource for NpzSource {
    fn open(file: &Path) -> Result<(Columns, Self), TableError> {
        let members = members(file)?;
        let mut columns = Columns::default();
        let mut arrays: Vec<(String, Array)> = Vec::new();
        let mut unread = Vec::new();
        for member in &members {
            let name = &member.name;
            if arrays.len() >= MAX_ARRAYS {
                unread.push(format!("`{name}` (more than {MAX_ARRAYS} arrays)"));
                continue;
            }
            if let Some(damage) = &member.damage {
                unread.push(format!("`{name}` (damaged: {damage})"));
                continue;
            }
            let part = member.part(file).map_err(|e| TableError::read(file, e))?;
            match Array::open(part) {
                Ok(Ok(array)) => arrays.push((name.clone(), array)),
                Ok(Err((found, expected))) => {
                    unread.push(format!("`{name}` ({found}; expected {expected})"));
                }
                Err(error) => unread.push(format!("`{name}` (damaged: {error})")),
            }
        }
        let Some(rows) = arrays.first().map(|(_, a)| a.rows) else {
            return Err(TableError::invalid(
                file,
                match unread.as_slice() {
                    [] => "a NumPy archive without arrays".to_owned(),
                    unread => format!("no array that can be read: {}", unread.join(", ")),
                },
                "arrays of numbers with rows",
            ));
        };
        if arrays.iter().any(|(_, a)| a.rows != rows) {
            let listed = arrays
                .iter()
                .map(|(name, a)| format!("`{name}` ({})", a.rows));
            return Err(TableError::invalid(
                file,
                format!(
                    "arrays of different lengths: {}",
                    listed.collect::<Vec<_>>().join(", ")
                ),
                "arrays of one length in a file: a = numpy.load(..); numpy.savez('one.npz', t=a['t'], x=a['x'])",
            ));
        }
        if !unread.is_empty() {
            columns
                .notes
                .push(format!("arrays that are not read: {}", unread.join(", ")));
        }
        let mut places = Vec::new();
        for (k, (name, array)) in arrays.iter().enumerate() {
            array.columns(name, &mut columns);
            places.extend((0..array.width()).map(|column| (k, column)));
        }
        columns.make_unique();
        let source = Self {
            arrays: arrays.into_iter().map(|(_, a)| a).collect(),
            columns: places,
            number: 0,
        };
        Ok((columns, source))
    }

    fn advance(&mut self, file: &Path) -> Result<bool, TableError> {
        for array in &mut self.arrays {
            if !array.advance(file)? {
                return Ok(false);
            }
        }
        self.number += 1;
        Ok(true)
    }

    fn width(&self) -> usize {
        self.columns.len()
    }

    fn value(&self, index: usize) -> Value<'_> {
        let place = self.columns.get(index);
        place.map_or(Value::Missing, |(array, k)| self.arrays[*array].value(*k))
    }

    fn number(&self) -> u64 {
        self.number
    }

    fn at_end(&self) -> Vec<String> {
        self.arrays.iter().filter_map(|a| a.rest.clone()).collect()
    }
}
