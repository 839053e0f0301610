//! Parquet: a table in, a file of columns out, for DuckDB, Spark, pandas and the like.
//!
//! Each file says in its key-value metadata which table it is of, and of which version
//! ([`SCHEMA`]). Numbers are `INT64`, those without a sign marked so, text is UTF-8, and a column that is
//! optional has no value where there is none. Rows go out in groups of at most `GROUP_ROWS`, packed by
//! zstd; no more than one group is held.

use super::tables::{Cell, Column, Kind, SCHEMA, Source, Table};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use std::io::{self, Write};
use std::sync::Arc;

/// The most rows of a group,
const GROUP_ROWS: usize = 1 << 17;
/// and the most bytes of text that are begun to be put into one.
const GROUP_BYTES: usize = 32 << 20;

/// Writes a table; returns how many blocks of the trace could not be read.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(table: &dyn Table, source: &Source<'_>, out: &mut impl Write) -> io::Result<u64> {
    let mut file = File::new(table, out)?;
    let unreadable_blocks = table.rows(source, &mut |row| file.push(row))?;
    file.finish()?;
    Ok(unreadable_blocks)
}

/// A file that is being made, and the group that gathers.
struct File<'o, W: Write> {
    out: &'o mut W,
    /// Writes to memory, which is emptied into `out` after each group.
    writer: SerializedFileWriter<Vec<u8>>,
    columns: Vec<Gathered>,
    rows: usize,
    bytes: usize,
}

impl<'o, W: Write> File<'o, W> {
    fn new(table: &dyn Table, out: &'o mut W) -> io::Result<Self> {
        let columns = table.columns();
        let said = [("gotrace.schema", SCHEMA), ("gotrace.table", table.name())];
        let said = said.map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("gotrace ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(said.to_vec()))
            .build();
        let schema = schema(table.name(), &columns).map_err(failed)?;
        let writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties));
        Ok(Self {
            out,
            writer: writer.map_err(failed)?,
            columns: columns.iter().map(Gathered::of).collect(),
            rows: 0,
            bytes: 0,
        })
    }

    fn push(&mut self, row: &mut dyn Iterator<Item = Cell<'_>>) -> io::Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(row) {
            self.bytes += column.push(cell);
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.write_group()?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> io::Result<()> {
        self.put_group().map_err(failed)?;
        (self.rows, self.bytes) = (0, 0);
        self.writer.flush()?;
        let written = std::mem::take(self.writer.inner_mut());
        self.out.write_all(&written)
    }

    fn put_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            if let Some(mut writer) = group.next_column()? {
                column.put(writer.untyped())?;
                writer.close()?;
            }
        }
        group.close()?;
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        let rest = self.writer.into_inner().map_err(failed)?;
        self.out.write_all(&rest)
    }
}

/// The crate writes to memory alone: what it complains of is nothing of the system's.
fn failed(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

fn schema(name: &str, columns: &[Column]) -> Result<TypePtr, ParquetError> {
    let fields = columns.iter().map(|column| {
        let (physical, logical) = match column.kind {
            Kind::Unsigned => (Physical::INT64, Some(LogicalType::integer(64, false))),
            Kind::Signed => (Physical::INT64, Some(LogicalType::integer(64, true))),
            Kind::Truth => (Physical::BOOLEAN, None),
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let repetition = match column.optional {
            true => Repetition::OPTIONAL,
            false => Repetition::REQUIRED,
        };
        let field = Type::primitive_type_builder(column.name, physical)
            .with_logical_type(logical)
            .with_repetition(repetition);
        field.build().map(Arc::new)
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    let schema = Type::group_type_builder(name).with_fields(fields).build()?;
    Ok(Arc::new(schema))
}

/// The cells of a column that gather: their values, and where it is optional, which rows have one.
struct Gathered {
    values: Values,
    present: Option<Vec<i16>>,
}

enum Values {
    Numbers(Vec<i64>),
    Truths(Vec<bool>),
    Texts(Vec<ByteArray>),
}

impl Gathered {
    fn of(column: &Column) -> Self {
        Self {
            values: match column.kind {
                Kind::Unsigned | Kind::Signed => Values::Numbers(Vec::new()),
                Kind::Truth => Values::Truths(Vec::new()),
                Kind::Text => Values::Texts(Vec::new()),
            },
            present: column.optional.then(Vec::new),
        }
    }

    /// Adds a cell; returns how many bytes of text it holds.
    fn push(&mut self, cell: Cell<'_>) -> usize {
        if let Some(present) = &mut self.present {
            present.push(i16::from(cell != Cell::None));
        }
        match (&mut self.values, cell) {
            // The same 64 bits: the schema says that they have no sign.
            (Values::Numbers(numbers), Cell::Unsigned(number)) => {
                numbers.push(number.cast_signed());
            }
            (Values::Numbers(numbers), Cell::Signed(number)) => numbers.push(number),
            (Values::Truths(truths), Cell::Truth(truth)) => truths.push(truth),
            (Values::Texts(texts), Cell::Text(text)) => {
                texts.push(text.as_bytes().to_vec().into());
                return text.len();
            }
            // A cell is of its column's kind, or none.
            _ => {}
        }
        0
    }

    /// Writes what has gathered, and begins anew.
    fn put(&mut self, writer: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let present = self.present.as_deref();
        match (&self.values, writer) {
            (Values::Numbers(numbers), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(numbers, present, None)?;
            }
            (Values::Truths(truths), ColumnWriter::BoolColumnWriter(writer)) => {
                writer.write_batch(truths, present, None)?;
            }
            (Values::Texts(texts), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                writer.write_batch(texts, present, None)?;
            }
            _ => return Err(ParquetError::General("a column of another type".to_owned())),
        }
        match &mut self.values {
            Values::Numbers(numbers) => numbers.clear(),
            Values::Truths(truths) => truths.clear(),
            Values::Texts(texts) => texts.clear(),
        }
        if let Some(present) = &mut self.present {
            present.clear();
        }
        Ok(())
    }
}
