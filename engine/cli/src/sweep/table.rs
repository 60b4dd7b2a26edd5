//! Rows as Parquet: parts of a sweep, and their union.

use crate::failure::Failure;
use arrow_array::builder::{BooleanBuilder, Float64Builder, StringBuilder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use becomingone::sweep::{Cell, ColumnKind, Plan, Row};
use becomingone_systems::output_file::Replacement;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::collections::HashMap;
use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Key in the schema of a part: the hash of its plan.
const PLAN: &str = "becomingone.plan";

/// Rows that are read at once.
const BATCH_ROWS: usize = 1024;

/// Bytes of a row group that are collected before it is written.
const GROUP_BYTES: usize = 8 << 20;

pub(super) fn failed(file: &Path, cause: impl Display) -> Failure {
    Failure::Run(format!("{}: {cause}", file.display()))
}

/// Schema of all parts of a plan, and of its table.
pub(super) fn schema(plan: &Plan) -> SchemaRef {
    let fields = plan.columns.iter().map(|column| {
        let kind = match column.kind {
            ColumnKind::Count => DataType::UInt64,
            ColumnKind::Number => DataType::Float64,
            ColumnKind::Flag => DataType::Boolean,
            ColumnKind::Text => DataType::Utf8,
        };
        Field::new(&column.name, kind, true)
    });
    let fields: Vec<Field> = fields.collect();
    let metadata = HashMap::from([(PLAN.to_owned(), plan.hash.clone())]);
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// Writes a part, in place of what is there, as a whole.
pub(super) fn write_part(file: &Path, plan: &Plan, rows: &[Row]) -> Result<(), Failure> {
    let begun = Replacement::begin(file).map_err(|e| failed(file, e))?;
    let whole = write_rows(begun, plan, rows).map_err(|e| failed(file, e))?;
    whole.finish().map_err(|e| failed(file, e))
}

/// Writes rows as a Parquet file, and returns where it was written to.
pub(super) fn write_rows<W: Write + Send>(
    to: W,
    plan: &Plan,
    rows: &[Row],
) -> Result<W, Box<dyn std::error::Error>> {
    let schema = schema(plan);
    let mut writer = writer(to, &schema)?;
    for rows in rows.chunks(BATCH_ROWS) {
        writer.write(&batch(&schema, plan, rows)?)?;
    }
    Ok(writer.into_inner()?)
}

fn writer<W: Write + Send>(
    to: W,
    schema: &SchemaRef,
) -> Result<ArrowWriter<W>, parquet::errors::ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    ArrowWriter::try_new(to, schema.clone(), Some(properties))
}

/// Rows as columns.
fn batch(
    schema: &SchemaRef,
    plan: &Plan,
    rows: &[Row],
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let columns = plan.columns.iter().enumerate().map(|(k, column)| {
        let cells = rows.iter().map(|row| row.cells.get(k));
        let array: ArrayRef = match column.kind {
            ColumnKind::Count => {
                let mut of = UInt64Builder::with_capacity(rows.len());
                cells.for_each(|cell| match cell {
                    Some(Cell::Count(count)) => of.append_option(*count),
                    _ => of.append_null(),
                });
                Arc::new(of.finish())
            }
            ColumnKind::Number => {
                let mut of = Float64Builder::with_capacity(rows.len());
                cells.for_each(|cell| match cell {
                    Some(Cell::Number(number)) => of.append_option(*number),
                    _ => of.append_null(),
                });
                Arc::new(of.finish())
            }
            ColumnKind::Flag => {
                let mut of = BooleanBuilder::with_capacity(rows.len());
                cells.for_each(|cell| match cell {
                    Some(Cell::Flag(flag)) => of.append_option(*flag),
                    _ => of.append_null(),
                });
                Arc::new(of.finish())
            }
            ColumnKind::Text => {
                let mut of = StringBuilder::new();
                cells.for_each(|cell| match cell {
                    Some(Cell::Text(text)) => of.append_option(text.as_deref()),
                    _ => of.append_null(),
                });
                Arc::new(of.finish())
            }
        };
        array
    });
    RecordBatch::try_new(schema.clone(), columns.collect())
}

/// Batches of a part; refuses what is no part of the plan.
pub(super) fn read_part(
    file: &Path,
    plan: &Plan,
    chunk: u64,
) -> Result<ParquetRecordBatchReader, Failure> {
    let refused = |found: String| {
        failed(
            file,
            format!(
                "found {found}; expected a part of this plan. Remove it, and start the sweep again"
            ),
        )
    };
    let (reader, schema_there, rows) = read(file).map_err(|e| refused(e.to_string()))?;
    let schema = schema(plan);
    if schema_there.fields() != schema.fields() {
        return Err(refused("other columns".to_owned()));
    }
    if schema_there.metadata().get(PLAN) != Some(&plan.hash) {
        return Err(refused("a part of another plan".to_owned()));
    }
    let runs = plan.runs_of(chunk);
    let expected = runs.end - runs.start;
    if rows != expected {
        return Err(refused(format!("{rows} rows in place of {expected}")));
    }
    Ok(reader)
}

type Read = (ParquetRecordBatchReader, SchemaRef, u64);

fn read(file: &Path) -> Result<Read, Box<dyn std::error::Error>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?;
    let schema = builder.schema().clone();
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows())?;
    let reader = builder.with_batch_size(BATCH_ROWS).build()?;
    Ok((reader, schema, rows))
}

/// The union of the parts, in their order: a table that is written batch by batch.
pub(super) struct Merge {
    writer: ArrowWriter<Replacement>,
}

impl Merge {
    pub(super) fn begin(file: &Path, plan: &Plan) -> Result<Self, Failure> {
        let begun = Replacement::begin(file).map_err(|e| failed(file, e))?;
        let writer = writer(begun, &schema(plan)).map_err(|e| failed(file, e))?;
        Ok(Self { writer })
    }

    pub(super) fn add(&mut self, file: &Path, batch: &RecordBatch) -> Result<(), Failure> {
        self.writer.write(batch).map_err(|e| failed(file, e))?;
        if self.writer.in_progress_size() > GROUP_BYTES {
            self.writer.flush().map_err(|e| failed(file, e))?;
        }
        Ok(())
    }

    pub(super) fn finish(self, file: &Path) -> Result<(), Failure> {
        let whole = self.writer.into_inner().map_err(|e| failed(file, e))?;
        whole.finish().map_err(|e| failed(file, e))
    }
}
