//! Columns of Arrow record batches as cells.

use super::source::Columns;
use super::value::{NS_PER_DAY, NS_PER_S, SECONDS, Value};
use crate::time_format::{Clock, TimeFormat};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use std::fmt::Display;

/// Most levels of nested structs, and most columns.
const MAX_DEPTH: usize = 32;
const MAX_COLUMNS: usize = 65_536;

/// Columns of a schema: structs are taken apart into `a.b`.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaves {
    /// Index of the field at each level.
    paths: Vec<Vec<usize>>,
}

impl Leaves {
    /// Finds the columns of a schema; lists, bytes and the like are noted.
    pub(super) fn of(schema: &Schema) -> (Columns, Self) {
        let (mut leaves, mut columns) = (Self::default(), Columns::default());
        let mut unread = Vec::new();
        let mut path = Vec::new();
        for (k, field) in schema.fields().iter().enumerate() {
            path.push(k);
            leaves.add(field, field.name(), &mut path, &mut columns, &mut unread);
            path.pop();
        }
        if !unread.is_empty() {
            columns
                .notes
                .push(format!("columns that are not read: {}", unread.join(", ")));
        }
        // The index of a pandas frame is its time, if there are more.
        let pandas = schema.metadata.get("pandas");
        let pandas: Option<serde_json::Value> = pandas.and_then(|m| serde_json::from_str(m).ok());
        if let Some(index) = pandas.as_ref().and_then(|m| m["index_columns"].as_array()) {
            let is_index = |k: usize| index.iter().any(|name| name == columns.names[k].as_str());
            columns.times.sort_by_key(|(k, _)| !is_index(*k));
        }
        columns.make_unique();
        (columns, leaves)
    }

    fn add(
        &mut self,
        field: &Field,
        name: &str,
        path: &mut Vec<usize>,
        columns: &mut Columns,
        unread: &mut Vec<String>,
    ) {
        if let DataType::Struct(fields) = field.data_type() {
            if path.len() >= MAX_DEPTH {
                unread.push(format!("`{name}` (nested too deep)"));
                return;
            }
            for (k, field) in fields.iter().enumerate() {
                path.push(k);
                let name = format!("{name}.{}", field.name());
                self.add(field, &name, path, columns, unread);
                path.pop();
            }
            return;
        }
        let unread_kind = match value_type(field.data_type()) {
            DataType::List(_)
            | DataType::ListView(_)
            | DataType::LargeList(_)
            | DataType::LargeListView(_)
            | DataType::FixedSizeList(..) => Some("a list"),
            DataType::Map(..) => Some("a map"),
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Some("bytes"),
            DataType::Union(..) | DataType::RunEndEncoded(..) | DataType::Struct(_) => {
                Some("of mixed or nested type")
            }
            DataType::Interval(_) => Some("calendar intervals"),
            _ => None,
        };
        if let Some(kind) = unread_kind {
            unread.push(format!("`{name}` ({kind})"));
            return;
        }
        if self.paths.len() >= MAX_COLUMNS {
            unread.push(format!("`{name}` (more than {MAX_COLUMNS} columns)"));
            return;
        }
        let index = columns.names.len();
        let time = match value_type(field.data_type()) {
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Some(TimeFormat::Iso),
            DataType::Duration(_) => Some(SECONDS),
            DataType::Time32(_) | DataType::Time64(_) => Some(TimeFormat::Clock(Clock::Day)),
            _ => None,
        };
        columns.times.extend(time.map(|format| (index, format)));
        columns.names.push(name.to_owned());
        self.paths.push(path.clone());
    }

    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }

    /// Fields of the schema in which there is a column.
    #[cfg(feature = "parquet")]
    pub(super) fn roots(&self) -> Vec<usize> {
        let mut roots: Vec<usize> = self
            .paths
            .iter()
            .filter_map(|p| p.first().copied())
            .collect();
        roots.dedup();
        roots
    }

    /// The same columns in batches that have these fields only.
    #[cfg(feature = "parquet")]
    pub(super) fn projected(mut self, roots: &[usize]) -> Self {
        for root in self.paths.iter_mut().filter_map(|p| p.first_mut()) {
            *root = roots.iter().position(|r| r == root).unwrap_or(0);
        }
        self
    }

    /// Arrays of a batch whose schema these are the columns of.
    pub(super) fn arrays(&self, batch: &RecordBatch) -> Vec<LeafArray> {
        self.paths
            .iter()
            .map(|path| {
                let mut nullable = Vec::new();
                let mut array = path.first().and_then(|k| batch.columns().get(*k)).cloned();
                for k in path.iter().skip(1) {
                    let outer = array.take();
                    let inner = outer.as_ref().and_then(|a| a.as_struct_opt());
                    array = inner.and_then(|s| s.columns().get(*k)).cloned();
                    nullable.extend(outer.filter(|a| a.null_count() > 0));
                }
                LeafArray { nullable, array }
            })
            .collect()
    }
}

/// Type of the values: that of a dictionary's values.
fn value_type(kind: &DataType) -> &DataType {
    match kind {
        DataType::Dictionary(_, values) => values,
        kind => kind,
    }
}

/// Array of a column in a batch.
#[derive(Debug)]
pub(super) struct LeafArray {
    /// Structs around it that have nulls.
    nullable: Vec<ArrayRef>,
    array: Option<ArrayRef>,
}

impl LeafArray {
    pub(super) fn value(&self, row: usize) -> Value<'_> {
        match &self.array {
            Some(array)
                if row < array.len() && self.nullable.iter().all(|outer| outer.is_valid(row)) =>
            {
                value(array.as_ref(), row)
            }
            _ => Value::Missing,
        }
    }
}

fn unit_ns(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => NS_PER_S,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// Number of hundredths and the like. (Arrow's own text of it depends on the precision, which a damaged file may not have.)
fn decimal(count: &dyn Display, scale: i8) -> Value<'static> {
    Value::Decimal(format!("{count}e{}", -i32::from(scale)).into())
}

fn value(array: &dyn Array, row: usize) -> Value<'_> {
    if array.is_null(row) {
        return Value::Missing;
    }
    macro_rules! at {
        ($type:ty) => {
            array.as_primitive::<$type>().value(row)
        };
    }
    // Beyond the years of nanoseconds in 64 bits, a stamp has no value.
    let scaled = |count: i64, unit_ns: i64| count.checked_mul(unit_ns);
    let stamp = |count: i64, unit_ns: i64, zoned: bool| {
        scaled(count, unit_ns).map_or(Value::Missing, |ns| Value::Stamp(ns, zoned))
    };
    match array.data_type() {
        DataType::Boolean => Value::Int(i128::from(array.as_boolean().value(row))),
        DataType::Int8 => Value::Int(at!(Int8Type).into()),
        DataType::Int16 => Value::Int(at!(Int16Type).into()),
        DataType::Int32 => Value::Int(at!(Int32Type).into()),
        DataType::Int64 => Value::Int(at!(Int64Type).into()),
        DataType::UInt8 => Value::Int(at!(UInt8Type).into()),
        DataType::UInt16 => Value::Int(at!(UInt16Type).into()),
        DataType::UInt32 => Value::Int(at!(UInt32Type).into()),
        DataType::UInt64 => Value::Int(at!(UInt64Type).into()),
        DataType::Float16 => Value::Single(at!(Float16Type).to_f32()),
        DataType::Float32 => Value::Single(at!(Float32Type)),
        DataType::Float64 => Value::Double(at!(Float64Type)),
        DataType::Decimal32(_, scale) => decimal(&at!(Decimal32Type), *scale),
        DataType::Decimal64(_, scale) => decimal(&at!(Decimal64Type), *scale),
        DataType::Decimal128(_, scale) => decimal(&at!(Decimal128Type), *scale),
        DataType::Decimal256(_, scale) => decimal(&at!(Decimal256Type), *scale),
        DataType::Timestamp(unit, zone) => {
            let count = match unit {
                TimeUnit::Second => at!(TimestampSecondType),
                TimeUnit::Millisecond => at!(TimestampMillisecondType),
                TimeUnit::Microsecond => at!(TimestampMicrosecondType),
                TimeUnit::Nanosecond => at!(TimestampNanosecondType),
            };
            stamp(count, unit_ns(*unit), zone.is_some())
        }
        DataType::Date32 => stamp(at!(Date32Type).into(), NS_PER_DAY, false),
        DataType::Date64 => stamp(at!(Date64Type), 1_000_000, false),
        DataType::Duration(unit) => {
            let count = match unit {
                TimeUnit::Second => at!(DurationSecondType),
                TimeUnit::Millisecond => at!(DurationMillisecondType),
                TimeUnit::Microsecond => at!(DurationMicrosecondType),
                TimeUnit::Nanosecond => at!(DurationNanosecondType),
            };
            scaled(count, unit_ns(*unit)).map_or(Value::Missing, Value::Duration)
        }
        DataType::Time32(TimeUnit::Second) => {
            Value::TimeOfDay(i64::from(at!(Time32SecondType)) * NS_PER_S)
        }
        DataType::Time32(_) => Value::TimeOfDay(i64::from(at!(Time32MillisecondType)) * 1_000_000),
        DataType::Time64(TimeUnit::Nanosecond) => Value::TimeOfDay(at!(Time64NanosecondType)),
        DataType::Time64(_) => {
            scaled(at!(Time64MicrosecondType), 1_000).map_or(Value::Missing, Value::TimeOfDay)
        }
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).into()),
        DataType::LargeUtf8 => Value::Text(array.as_string::<i64>().value(row).into()),
        DataType::Utf8View => Value::Text(array.as_string_view().value(row).into()),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            match value(dictionary.keys(), row) {
                Value::Int(key) => match usize::try_from(key) {
                    Ok(key) if key < dictionary.values().len() => {
                        value(dictionary.values().as_ref(), key)
                    }
                    _ => Value::Missing,
                },
                _ => Value::Missing,
            }
        }
        _ => Value::Missing,
    }
}
