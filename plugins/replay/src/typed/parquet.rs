//! Parquet files, batch by batch.

mod footer;

use super::arrow::{LeafArray, Leaves};
use super::source::{Columns, TypedSource};
use super::value::Value;
use crate::error::TableError;
use crate::guard::guarded;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// Records of a Parquet file.
pub(crate) struct ParquetSource {
    batches: ParquetRecordBatchReader,
    leaves: Leaves,
    arrays: Vec<LeafArray>,
    /// Rows of the batch, and the next one.
    rows: usize,
    next: usize,
    /// Row of the file (from 1).
    number: u64,
    /// Why the rest is not read.
    rest: Option<String>,
}

impl std::fmt::Debug for ParquetSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetSource").finish_non_exhaustive()
    }
}

impl TypedSource for ParquetSource {
    fn open(file: &Path) -> Result<(Columns, Self), TableError> {
        let failed = |cause| TableError::read(file, cause);
        let mut from = File::open(file).map_err(failed)?;
        let bytes = from.metadata().map_err(failed)?.len();
        let mut end = [0; 8];
        if bytes >= 12 {
            from.seek(SeekFrom::End(-8)).map_err(failed)?;
            from.read_exact(&mut end).map_err(failed)?;
        }
        if &end[4..] == b"PARE" {
            return Err(TableError::invalid(
                file,
                "an encrypted Parquet file",
                "one that is not encrypted: pyarrow reads it with its key, and writes it without",
            ));
        }
        if &end[4..] != b"PAR1"
            || u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]])) + 12 > bytes
        {
            return Err(TableError::invalid(
                file,
                format!(
                    "a Parquet file of {bytes} bytes without its end, which has the description of all columns: it was cut off"
                ),
                "the whole file: copy it again, or close its writer",
            ));
        }
        let invalid = |error: String| {
            TableError::invalid(
                file,
                format!("a damaged Parquet file ({error})"),
                "the whole file: copy it again",
            )
        };
        let mut description =
            vec![0; u32::from_le_bytes([end[0], end[1], end[2], end[3]]) as usize];
        from.seek(SeekFrom::End(-8 - description.len() as i64))
            .and_then(|_| from.read_exact(&mut description))
            .map_err(failed)?;
        if !footer::is_sound(&description) {
            return Err(invalid("its description".to_owned()));
        }
        let builder =
            guarded(|| ParquetRecordBatchReaderBuilder::try_new(from)).map_err(invalid)?;
        let (columns, leaves) = Leaves::of(builder.schema());
        let roots = leaves.roots();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots.iter().copied());
        let builder = builder.with_batch_size(BATCH_ROWS).with_projection(mask);
        let batches = guarded(|| builder.build()).map_err(invalid)?;
        let source = Self {
            batches,
            leaves: leaves.projected(&roots),
            arrays: Vec::new(),
            rows: 0,
            next: 0,
            number: 0,
            rest: None,
        };
        Ok((columns, source))
    }

    fn advance(&mut self, _: &Path) -> Result<bool, TableError> {
        while self.next == self.rows {
            if self.rest.is_some() {
                return Ok(false);
            }
            match guarded(|| self.batches.next().transpose()) {
                Ok(Some(batch)) => {
                    (self.rows, self.next) = (batch.num_rows(), 0);
                    self.arrays = self.leaves.arrays(&batch);
                }
                Ok(None) => return Ok(false),
                Err(error) => {
                    self.rest = Some(format!(
                        "the file is damaged after row {} ({error}): the rest is not read",
                        self.number
                    ));
                    return Ok(false);
                }
            }
        }
        self.next += 1;
        self.number += 1;
        Ok(true)
    }

    fn width(&self) -> usize {
        self.leaves.len()
    }

    fn value(&self, index: usize) -> Value<'_> {
        let array = self.arrays.get(index);
        array.map_or(Value::Missing, |a| a.value(self.next - 1))
    }

    fn number(&self) -> u64 {
        self.number
    }

    fn at_end(&self) -> Vec<String> {
        self.rest.iter().cloned().collect()
    }
}
