//! From a place to rows: who reads it, where the rows go, and when it is enough.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::builder::{BinaryBuilder, Int64Builder, StringBuilder, TimestampNanosecondBuilder};
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use outofports::Progress;
use tokio::sync::mpsc::Sender;

use crate::column::Cell;
use crate::scan::Scan;
use crate::table::Table;
use crate::{case, event, file};

/// Rows of a batch.
const BATCH_ROWS: usize = 1 << 13;

/// Bytes of values from which on a batch is full: payloads can be long.
const BATCH_BYTES: usize = 4 << 20;

/// Why reading ends before the end.
pub(crate) enum Stop {
    /// There are rows enough, or nobody takes them.
    Ended,
    /// The query fails.
    Failed(DataFusionError),
}

impl From<DataFusionError> for Stop {
    fn from(error: DataFusionError) -> Self {
        Self::Failed(error)
    }
}

pub(crate) type Read = std::result::Result<(), Stop>;

/// A place that is being read.
pub(crate) struct Reading<'r> {
    /// As rows name it.
    pub(crate) place: &'r str,
    /// Where it lies on this machine.
    pub(crate) path: &'r Path,
    pub(crate) scan: &'r Scan,
    pub(crate) out: &'r mut Out,
}

impl Reading<'_> {
    pub(crate) fn read(&mut self) -> Read {
        match self.scan.table {
            Table::Events => event::events(self),
            Table::Failures => event::failures(self),
            Table::Files => file::files(self),
            Table::Cases => case::cases(self),
        }
    }

    /// What could not be opened is left out where the call says so, and ends the query elsewhere: rows would be missing.
    pub(crate) fn skip(&mut self, why: &dyn Display) -> Read {
        if self.scan.skips_unreadable {
            self.out.metrics.unreadable.add(1);
            return Ok(());
        }
        Err(self.failed(&format!("{why} (unreadable => 'skip' leaves such files out)")))
    }

    /// The error that names the place and the machine.
    pub(crate) fn failed(&self, why: &dyn Display) -> Stop {
        let host = std::env::var("HOSTNAME").map(|host| format!(" on {host}")).unwrap_or_default();
        Stop::Failed(DataFusionError::Execution(format!("{}: cannot be read{host}: {why}", self.place)))
    }
}

/// What a scan counts.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Places that were read.
    pub(crate) places: Count,
    /// Bytes of traces in them.
    pub(crate) bytes_scanned: Count,
    /// Records whose header was looked at.
    pub(crate) records: Count,
    /// Bytes of payloads that were decoded by their schema.
    pub(crate) bytes_decoded: Count,
    /// Places that are no trace.
    pub(crate) not_traces: Count,
    /// Places that could not be opened and are left out.
    pub(crate) unreadable: Count,
    output_rows: Count,
}

impl Metrics {
    pub(crate) fn new(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(metrics).counter(name, partition);
        Self {
            places: counter("places"),
            bytes_scanned: counter("bytes_scanned"),
            records: counter("records"),
            bytes_decoded: counter("bytes_decoded"),
            not_traces: counter("not_traces"),
            unreadable: counter("unreadable"),
            output_rows: MetricBuilder::new(metrics).output_rows(partition),
        }
    }
}

/// Where rows go.
pub(crate) struct Out {
    to: Sender<Result<RecordBatch>>,
    /// Of the columns that are wanted.
    schema: SchemaRef,
    projection: Vec<usize>,
    builders: Vec<Builder>,
    rows: usize,
    bytes: usize,
    /// Rows that are still wanted.
    left: Option<usize>,
    pub(crate) metrics: Metrics,
}

impl Out {
    pub(crate) fn new(to: Sender<Result<RecordBatch>>, scan: &Scan, schema: SchemaRef, metrics: Metrics) -> Self {
        let builders = schema.fields().iter().map(|field| Builder::new(field.data_type())).collect();
        Self { to, schema, projection: scan.projection.clone(), builders, rows: 0, bytes: 0, left: scan.limit, metrics }
    }

    /// Whether somebody wants more.
    pub(crate) fn go_on(&self) -> Read {
        if self.left == Some(0) || self.to.is_closed() { Err(Stop::Ended) } else { Ok(()) }
    }

    /// Asked by what reads for long.
    pub(crate) fn watched(&self) -> Watched {
        Watched(self.to.clone())
    }

    /// Adds a row, of which `value` gives the columns that are wanted.
    pub(crate) fn row<'r>(&mut self, value: impl Fn(usize) -> Cell<'r>) -> Read {
        self.go_on()?;
        for (builder, column) in self.builders.iter_mut().zip(&self.projection) {
            self.bytes += builder.append(value(*column));
        }
        self.rows += 1;
        self.left = self.left.map(|left| left - 1);
        if self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    /// Adds rows of all columns.
    pub(crate) fn batch(&mut self, batch: &RecordBatch) -> Read {
        self.go_on()?;
        let wanted = self.left.map_or(batch.num_rows(), |left| left.min(batch.num_rows()));
        self.left = self.left.map(|left| left - wanted);
        self.send(batch.slice(0, wanted).project(&self.projection).map_err(DataFusionError::from)?)
    }

    /// Sends the rows at hand.
    pub(crate) fn flush(&mut self) -> Read {
        if self.rows == 0 {
            return Ok(());
        }
        let arrays: Vec<ArrayRef> = self.builders.iter_mut().map(Builder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        (self.rows, self.bytes) = (0, 0);
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options);
        self.send(batch.map_err(DataFusionError::from)?)
    }

    fn send(&self, batch: RecordBatch) -> Read {
        self.metrics.output_rows.add(batch.num_rows());
        self.to.blocking_send(Ok(batch)).map_err(|_| Stop::Ended)
    }
}

/// Stops what nobody waits for any more.
pub(crate) struct Watched(Sender<Result<RecordBatch>>);

impl Progress for Watched {
    fn should_stop(&self) -> bool {
        self.0.is_closed()
    }
}

/// The values of a column.
enum Builder {
    Integer(Int64Builder),
    Text(StringBuilder),
    Time(TimestampNanosecondBuilder),
    Bytes(BinaryBuilder),
}

impl Builder {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Int64 => Self::Integer(Int64Builder::new()),
            DataType::Timestamp(..) => Self::Time(TimestampNanosecondBuilder::new().with_timezone("UTC")),
            DataType::Binary => Self::Bytes(BinaryBuilder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    /// Adds a value, null where it is of another kind, and says how long it is.
    fn append(&mut self, cell: Cell<'_>) -> usize {
        match (self, cell) {
            (Self::Integer(builder), Cell::Integer(number)) => builder.append_value(number),
            (Self::Time(builder), Cell::Time(time)) => builder.append_value(time),
            (Self::Text(builder), Cell::Text(text)) => {
                builder.append_value(&text);
                return text.len();
            }
            (Self::Bytes(builder), Cell::Bytes(bytes)) => {
                builder.append_value(bytes);
                return bytes.len();
            }
            (Self::Integer(builder), _) => builder.append_null(),
            (Self::Time(builder), _) => builder.append_null(),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Bytes(builder), _) => builder.append_null(),
        }
        size_of::<i64>()
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
            Self::Bytes(builder) => Arc::new(builder.finish()),
        }
    }
}
