//! Cases as rows: those of `outofports batch`.

use std::io;
use std::path::Path;

use datafusion::common::DataFusionError;
use outofports::batch::{arrow, read_case, tables};

use crate::read::{Read, Reading, Stop};

/// Reads a case. No case ends the query: its row says what is wrong with it.
pub(crate) fn cases(reading: &mut Reading<'_>) -> Read {
    let row = match read_case(reading.path, Path::new(reading.place), 1, &reading.out.watched()) {
        Ok(row) => row,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(Stop::Ended),
        Err(error) => return Err(reading.failed(&error)),
    };
    let columns = tables::Table::Cases.columns();
    let batch = arrow::record_batch(&columns, &[row]).map_err(DataFusionError::from)?;
    reading.out.batch(&batch)
}
