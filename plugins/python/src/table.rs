//! Tables of numbers and texts: recordings, scores, other people's data frames, without a copy where Arrow can.

use crate::errors;
use arrow_array::ffi_stream::{ArrowArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchIterator,
    RecordBatchReader, StringArray, TimestampNanosecondArray, UInt64Array,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, Field, Schema};
use becomingone_replay::{Column as TableColumn, Kind, Row, Table, TopicRows, Wanted};
use numpy::{PyArray1, PyReadonlyArray1};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use std::ffi::CStr;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Name of capsules that hold a stream, by Arrow's convention.
const STREAM: &CStr = c"arrow_array_stream";

/// Columns of equal length.
#[pyclass(frozen, module = "becomingone._native")]
pub(crate) struct Columns {
    batch: RecordBatch,
    notes: Vec<String>,
}

impl Columns {
    fn new(
        columns: impl IntoIterator<Item = (String, ArrayRef)>,
        notes: Vec<String>,
    ) -> Result<Self, ArrowError> {
        let field = |(name, array): (String, ArrayRef)| {
            (Field::new(name, array.data_type().clone(), true), array)
        };
        let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().map(field).unzip();
        let schema = Arc::new(Schema::new(fields));
        let options = arrow_array::RecordBatchOptions::new();
        let rows = arrays.first().map_or(0, |array| array.len());
        let options = options.with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options)?;
        Ok(Self { batch, notes })
    }
}

#[pymethods]
impl Columns {
    #[getter]
    fn names(&self) -> Vec<String> {
        let schema = self.batch.schema();
        schema.fields().iter().map(|f| f.name().clone()).collect()
    }

    /// What is worth knowing of how the table was read.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn __len__(&self) -> usize {
        self.batch.num_rows()
    }

    /// A column: an array of numbers, whose missing ones are NaN, of times (ns), or a list of texts.
    fn column<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let Some(column) = self.batch.column_by_name(name) else {
            return Err(PyKeyError::new_err(format!(
                "found no column {name:?}; expected one of {}",
                self.names().join(", ")
            )));
        };
        if let Some(numbers) = column.as_any().downcast_ref::<Float64Array>() {
            let array = match numbers.null_count() {
                0 => PyArray1::from_slice(py, numbers.values()),
                _ => PyArray1::from_iter(py, numbers.iter().map(|x| x.unwrap_or(f64::NAN))),
            };
            return Ok(array.into_any());
        }
        if let Some(numbers) = column.as_any().downcast_ref::<Int64Array>() {
            return Ok(PyArray1::from_slice(py, numbers.values()).into_any());
        }
        if let Some(times) = column.as_any().downcast_ref::<TimestampNanosecondArray>() {
            let array = PyArray1::from_slice(py, times.values());
            return array.call_method1("view", ("datetime64[ns]",));
        }
        if let Some(counts) = column.as_any().downcast_ref::<UInt64Array>() {
            return Ok(match counts.null_count() {
                0 => PyArray1::from_slice(py, counts.values()).into_any(),
                // As the other numbers, where some are missing.
                _ => {
                    PyArray1::from_iter(py, counts.iter().map(|n| n.map_or(f64::NAN, |n| n as f64)))
                        .into_any()
                }
            });
        }
        if let Some(flags) = column.as_any().downcast_ref::<BooleanArray>() {
            return match flags.null_count() {
                0 => Ok(
                    PyArray1::from_iter(py, flags.iter().map(|f| f.unwrap_or_default())).into_any(),
                ),
                _ => Ok(flags.iter().collect::<Vec<_>>().into_pyobject(py)?),
            };
        }
        let texts = column.as_any().downcast_ref::<StringArray>();
        let texts: Vec<Option<&str>> = texts.into_iter().flatten().collect();
        texts.into_pyobject(py)
    }

    /// The table as an Arrow stream: pandas, polars, pyarrow and `DuckDB` take it without a copy.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // A wish that need not be met.
        let _ = requested_schema;
        let schema = self.batch.schema();
        let batches = RecordBatchIterator::new([Ok(self.batch.clone())], schema);
        let stream = FFI_ArrowArrayStream::new(Box::new(batches));
        PyCapsule::new_with_value(py, stream, STREAM)
    }

    /// A column as a list, with `None` where it has no value.
    fn values<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let column = self.batch.column_by_name(name);
        let any = column.map(|column| column.as_any());
        if let Some(numbers) = any.and_then(|any| any.downcast_ref::<Float64Array>()) {
            return numbers.iter().collect::<Vec<_>>().into_pyobject(py);
        }
        if let Some(numbers) = any.and_then(|any| any.downcast_ref::<Int64Array>()) {
            return numbers.iter().collect::<Vec<_>>().into_pyobject(py);
        }
        if let Some(counts) = any.and_then(|any| any.downcast_ref::<UInt64Array>()) {
            return counts.iter().collect::<Vec<_>>().into_pyobject(py);
        }
        if let Some(flags) = any.and_then(|any| any.downcast_ref::<BooleanArray>()) {
            return flags.iter().collect::<Vec<_>>().into_pyobject(py);
        }
        self.column(py, name)
    }

    /// Writes the table as an Arrow file.
    fn write(&self, py: Python<'_>, file: PathBuf) -> PyResult<()> {
        let written = py.detach(|| write(&file, [Ok(self.batch.clone())], &self.batch.schema()));
        written.map_err(|error| errors::recording(py, &format!("{}: {error}", file.display())))
    }

    /// Writes the table as Parquet.
    fn write_parquet(&self, py: Python<'_>, file: PathBuf) -> PyResult<()> {
        let written = py.detach(|| {
            let out = File::create(&file).map_err(|error| error.to_string())?;
            let text = |error: parquet::errors::ParquetError| error.to_string();
            let schema = self.batch.schema();
            let mut writer =
                parquet::arrow::ArrowWriter::try_new(BufWriter::new(out), schema, None)
                    .map_err(text)?;
            writer.write(&self.batch).map_err(text)?;
            writer.close().map_err(text).map(drop)
        });
        written.map_err(|error| errors::recording(py, &format!("{}: {error}", file.display())))
    }
}

/// A file of Parquet.
#[pyclass(frozen, module = "becomingone._native")]
pub(crate) struct Parquet {
    file: PathBuf,
    metadata: ArrowReaderMetadata,
}

impl Parquet {
    /// Reads batches of at most so many rows, of all columns or some.
    fn reader(
        &self,
        rows: usize,
        columns: Option<&[String]>,
    ) -> Result<ParquetRecordBatchReader, String> {
        let text = |error: String| format!("{}: {error}", self.file.display());
        let file = File::open(&self.file).map_err(|e| text(e.to_string()))?;
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let mask = columns.map(|columns| {
            // By index: a name with dots is no path.
            let index = |name: &String| builder.schema().index_of(name).ok();
            ProjectionMask::roots(builder.parquet_schema(), columns.iter().filter_map(index))
        });
        let builder = match mask {
            Some(mask) => builder.with_projection(mask),
            None => builder,
        };
        let built = builder.with_batch_size(rows.max(1)).build();
        built.map_err(|e| text(e.to_string()))
    }
}

#[pymethods]
impl Parquet {
    #[new]
    fn new(py: Python<'_>, file: PathBuf) -> PyResult<Self> {
        let read = py.detach(|| {
            let opened = File::open(&file).map_err(|e| e.to_string())?;
            let options = ArrowReaderOptions::new();
            ArrowReaderMetadata::load(&opened, options).map_err(|e| e.to_string())
        });
        let metadata =
            read.map_err(|error| errors::recording(py, &format!("{}: {error}", file.display())))?;
        Ok(Self { file, metadata })
    }

    #[getter]
    fn names(&self) -> Vec<String> {
        let fields = self.metadata.schema().fields();
        fields.iter().map(|field| field.name().clone()).collect()
    }

    fn __len__(&self) -> usize {
        let rows = self.metadata.metadata().file_metadata().num_rows();
        usize::try_from(rows).unwrap_or_default()
    }

    /// Its rows, in pieces.
    #[pyo3(signature = (rows, columns=None))]
    fn batches(
        &self,
        py: Python<'_>,
        rows: usize,
        columns: Option<Vec<String>>,
    ) -> PyResult<ParquetBatches> {
        let reader = self.reader(rows, columns.as_deref());
        let reader = reader.map_err(|error| errors::recording(py, &error))?;
        Ok(ParquetBatches {
            file: self.file.clone(),
            reader: Mutex::new(reader),
        })
    }

    /// The table as an Arrow stream, which reads as it is asked for more.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // A wish that need not be met.
        let _ = requested_schema;
        let reader = self.reader(BATCH, None);
        let reader = reader.map_err(|error| errors::recording(py, &error))?;
        let reader: Box<dyn RecordBatchReader + Send> = Box::new(reader);
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), STREAM)
    }
}

/// Rows of a batch of a stream.
const BATCH: usize = 1 << 16;

/// Pieces of a file of Parquet.
#[pyclass(frozen, module = "becomingone._native")]
pub(crate) struct ParquetBatches {
    file: PathBuf,
    reader: Mutex<ParquetRecordBatchReader>,
}

#[pymethods]
impl ParquetBatches {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Columns>> {
        let next = py.detach(|| {
            let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            reader.next().transpose()
        });
        let next = next
            .map_err(|error| errors::recording(py, &format!("{}: {error}", self.file.display())))?;
        Ok(next.map(|batch| Columns {
            batch,
            notes: Vec::new(),
        }))
    }
}

fn write(
    file: &PathBuf,
    batches: impl IntoIterator<Item = Result<RecordBatch, ArrowError>>,
    schema: &Schema,
) -> Result<(), ArrowError> {
    let mut writer = FileWriter::try_new(BufWriter::new(File::create(file)?), schema)?;
    for batch in batches {
        writer.write(&batch?)?;
    }
    writer.finish()
}

/// Columns of numbers, by their names.
#[pyfunction]
pub(crate) fn columns(
    names: Vec<String>,
    numbers: Vec<PyReadonlyArray1<'_, f64>>,
) -> PyResult<Columns> {
    let arrays = numbers.iter().map(|array| {
        let values = array.as_array().iter().copied().collect::<Vec<f64>>();
        Arc::new(Float64Array::from(values)) as ArrayRef
    });
    let made = Columns::new(names.into_iter().zip(arrays), Vec::new());
    made.map_err(|error| errors::argument(error.to_string()))
}

/// Writes an Arrow stream of somebody else as an Arrow file.
#[pyfunction]
pub(crate) fn write_stream(
    py: Python<'_>,
    stream: &Bound<'_, PyCapsule>,
    file: PathBuf,
) -> PyResult<()> {
    let pointer = stream.pointer_checked(Some(STREAM))?;
    #[expect(
        unsafe_code,
        reason = "the stream of another library is at a raw pointer"
    )]
    // SAFETY: by Arrow's convention, a capsule of this name holds a stream, which is moved out of it: what is left has
    // no `release`, so that the capsule's own end does nothing.
    let reader = unsafe { ArrowArrayStreamReader::from_raw(pointer.cast().as_ptr()) };
    let reader = reader.map_err(|error| errors::argument(format!("an Arrow stream: {error}")))?;
    // It may call into Python: the interpreter's lock is kept.
    let schema = arrow_array::RecordBatchReader::schema(&reader);
    write(&file, reader, &schema)
        .map_err(|error| errors::recording(py, &format!("{}: {error}", file.display())))
}

/// Rows between two looks at signals.
const LOOK: u64 = 1 << 16;

/// Reads a topic of a recording, or a table: time in nanoseconds first, then its numbers.
#[pyfunction]
#[pyo3(signature = (file, topic=None))]
pub(crate) fn read(py: Python<'_>, file: PathBuf, topic: Option<String>) -> PyResult<Columns> {
    if let Some(topic) = &topic {
        let rows = py.detach(|| TopicRows::read(&file, topic));
        // A file of another format is read as a table.
        if let Ok(Some(rows)) = rows {
            let stamps: ArrayRef = Arc::new(Int64Array::from(rows.stamps_ns));
            let arrays = rows.columns.into_iter();
            let arrays = arrays.map(|column| Arc::new(Float64Array::from(column)) as ArrayRef);
            let all = [("t_ns".to_owned(), stamps)].into_iter();
            let made = Columns::new(all.chain(rows.names.into_iter().zip(arrays)), Vec::new());
            return made.map_err(|error| errors::recording(py, &error.to_string()));
        }
    }
    let wanted = Wanted {
        topic,
        ..Wanted::default()
    };
    // Columns that do not change, and those that count, are no channels unless they are asked for.
    let opened = py.detach(|| {
        let table = Table::open(&file, &wanted)?;
        let is_left_out = |column: &TableColumn| column.kind == Kind::Counter;
        if !table.columns().iter().any(is_left_out) {
            return Ok(table);
        }
        let all = table.columns().iter();
        let all = all.filter(|c| c.kind == Kind::Numbers || is_left_out(c));
        let columns = all.map(|column| column.name.clone()).collect();
        Table::open(
            &file,
            &Wanted {
                columns,
                ..wanted.clone()
            },
        )
    });
    let mut table = opened.map_err(|error| errors::recording(py, &error.to_string()))?;
    let names = table.channels().to_vec();
    let mut columns = vec![Vec::new(); names.len()];
    let mut stamps_ns = Vec::new();
    let mut row = Row::default();
    loop {
        let more = py.detach(|| {
            for _ in 0..LOOK {
                if !table.read(&mut row)? {
                    return Ok(false);
                }
                stamps_ns.push(row.stamp_ns);
                for (column, value) in columns.iter_mut().zip(&row.values) {
                    column.push(*value);
                }
            }
            Ok(true)
        });
        let more = more.map_err(|error: becomingone_replay::TableError| {
            errors::recording(py, &error.to_string())
        })?;
        if !more {
            break;
        }
        py.check_signals()?;
    }
    let time = table.time().map(|time| {
        let stamps = std::mem::take(&mut stamps_ns);
        let array: ArrayRef = match time.epoch {
            true => Arc::new(TimestampNanosecondArray::from(stamps)),
            false => Arc::new(Int64Array::from(stamps)),
        };
        let name = if time.epoch { "time" } else { "t_ns" };
        (name.to_owned(), array)
    });
    let numbers = columns
        .into_iter()
        .map(|column| Arc::new(Float64Array::from(column)) as ArrayRef);
    let all = time.into_iter().chain(names.into_iter().zip(numbers));
    let made = Columns::new(all, table.notes().to_vec());
    made.map_err(|error| errors::recording(py, &error.to_string()))
}

/// Reads a table of scores (CSV): columns of numbers where all cells are, else of texts.
#[pyfunction]
pub(crate) fn read_scores(py: Python<'_>, file: PathBuf) -> PyResult<Columns> {
    let read = py.detach(|| {
        let text = |error: csv::Error| format!("{}: {error}", file.display());
        let mut reader = csv::Reader::from_path(&file).map_err(text)?;
        let names: Vec<String> = reader
            .headers()
            .map_err(text)?
            .iter()
            .map(str::to_owned)
            .collect();
        let column = |name: &String| match name.as_str() {
            // Names of channels, which may be numbers.
            "cause" | "state" => Column::Texts(Vec::new()),
            _ => Column::Numbers(Vec::new()),
        };
        let mut columns: Vec<_> = names.iter().map(column).collect();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(text)? {
            for (column, cell) in columns.iter_mut().zip(&record) {
                column.push(cell);
            }
        }
        let arrays = columns.into_iter().map(Column::array);
        Columns::new(names.into_iter().zip(arrays), Vec::new()).map_err(|e| e.to_string())
    });
    read.map_err(|error| errors::recording(py, &error))
}

/// Cells of a column: numbers until one is not.
#[derive(Clone)]
enum Column {
    Numbers(Vec<Option<f64>>),
    Texts(Vec<Option<String>>),
}

impl Column {
    fn push(&mut self, cell: &str) {
        let text = (!cell.is_empty()).then(|| cell.to_owned());
        match self {
            Self::Texts(texts) => texts.push(text),
            Self::Numbers(numbers) => match (cell.parse(), cell) {
                (Ok(x), _) => numbers.push(Some(x)),
                (_, "") => numbers.push(None),
                // The digits of numbers before it would be lost: a column of times begins with a text.
                _ => {
                    let before = numbers.iter().map(|x| x.map(|x| x.to_string()));
                    let texts = before.chain([text]).collect();
                    *self = Self::Texts(texts);
                }
            },
        }
    }

    fn array(self) -> ArrayRef {
        match self {
            Self::Numbers(numbers) => Arc::new(Float64Array::from(numbers)),
            Self::Texts(texts) => Arc::new(StringArray::from(texts)),
        }
    }
}
