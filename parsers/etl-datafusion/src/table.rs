//! The tables that functions give, and how an engine asks them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use serde::{Deserialize, Serialize};

use crate::filter::Filter;
use crate::place;
use crate::scan::Scan;

/// A table over traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Table {
    /// One row for each event of each file.
    Events,
    /// One row for each bind and connect that failed for want of a port, with its owner.
    Failures,
    /// One row for each file: whether it is a trace, and what of it could be read.
    Files,
    /// One row for each case, as `outofports batch` has it.
    Cases,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 4] = [Self::Events, Self::Failures, Self::Files, Self::Cases];

    /// The function that gives it.
    pub fn function(self) -> &'static str {
        match self {
            Self::Events => "etl_events",
            Self::Failures => "etl_failures",
            Self::Files => "etl_files",
            Self::Cases => "outofports_cases",
        }
    }

    /// Whether a folder may be one thing to be read: a case.
    pub(crate) fn takes_folders(self) -> bool {
        matches!(self, Self::Failures | Self::Cases)
    }

    /// Whether its rows are chosen by what [`Filter`] holds.
    pub(crate) fn takes_filters(self) -> bool {
        matches!(self, Self::Events | Self::Failures)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function())
    }
}

/// What a call of a function asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) table: Table,
    /// Which files, as the user wrote it.
    pub(crate) pattern: String,
    /// What the arguments choose.
    pub(crate) filter: Filter,
    /// A file that cannot be opened has no rows, instead of ending the query.
    pub(crate) skips_unreadable: bool,
}

/// A call as a table. What it stands for is listed when it is scanned, where the plan is made.
#[derive(Debug, Clone)]
pub struct TraceTable {
    pub(crate) call: Call,
    schema: SchemaRef,
}

impl TraceTable {
    pub(crate) fn new(call: Call) -> Self {
        Self { schema: call.table.schema(), call }
    }

    /// What `filter` asks for, as far as a scan of this table can choose by it.
    fn pushed_down(&self, filter: &Expr) -> Option<Filter> {
        Filter::of(filter).filter(|_| self.call.table.takes_filters())
    }
}

#[async_trait]
impl TableProvider for TraceTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let pushed = filters.iter().map(|filter| match self.pushed_down(filter) {
            Some(_) => TableProviderFilterPushDown::Exact,
            None => TableProviderFilterPushDown::Unsupported,
        });
        Ok(pushed.collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Call { table, pattern, filter, skips_unreadable } = self.call.clone();
        let places = place::find(table, &pattern, state.runtime_env()).await?;
        let filter = filters.iter().filter_map(|filter| self.pushed_down(filter)).fold(filter, Filter::and);
        let scan = Scan {
            table,
            places: None,
            projection: projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect()),
            filter,
            limit,
            skips_unreadable,
        };
        Ok(Arc::new(scan.over(&place::groups(places, state.config().target_partitions()))?))
    }
}
