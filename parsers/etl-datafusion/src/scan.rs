//! The scan of a table: what it reads, what it chooses by, and how it shows that.

use std::fmt;
use std::iter::Sum;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray as _, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics, internal_err};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties as _, Partitioning, PlanProperties,
};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use crate::filter::Filter;
use crate::place::Place;
use crate::read::{Metrics, Out, Reading, Stop};
use crate::table::Table;

/// Batches that wait for who asked for them.
const BATCHES_AHEAD: usize = 2;

/// What is read, and what of it is wanted. It goes to executors as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scan {
    pub(crate) table: Table,
    /// Files and cases of all partitions, and their bytes; none where only a part of them is read.
    pub(crate) places: Option<(usize, u64)>,
    /// Columns by their number in the table.
    pub(crate) projection: Vec<usize>,
    pub(crate) filter: Filter,
    /// Rows of each partition that are wanted at most.
    pub(crate) limit: Option<usize>,
    pub(crate) skips_unreadable: bool,
}

impl Scan {
    /// Whether a row is wanted from each place, and nothing less.
    fn is_of_places(&self) -> bool {
        matches!(self.table, Table::Files | Table::Cases) && self.limit.is_none()
    }

    /// The scan of these groups, each a partition.
    pub(crate) fn over(self, groups: &[Vec<Place>]) -> Result<TraceScan> {
        let schema = Arc::new(Schema::new(vec![Field::new("place", DataType::Utf8, false)]));
        let mut partitions = Vec::new();
        for group in groups {
            let texts = group.iter().map(serde_json::to_string).collect::<serde_json::Result<Vec<_>>>();
            let texts = texts.map_err(|error| DataFusionError::External(error.into()))?;
            partitions.push(vec![RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(StringArray::from(texts))])?]);
        }
        let bytes = groups.iter().flatten().map(|place| place.bytes).sum();
        let scan = Self { places: Some((groups.iter().map(Vec::len).sum(), bytes)), ..self };
        TraceScan::new(scan, MemorySourceConfig::try_new_exec(&partitions, schema, None)?)
    }
}

/// Files and cases without rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotRead {
    /// That are no traces.
    pub not_traces: usize,
    /// That could not be opened, and were to be left out.
    pub unreadable: usize,
}

impl Sum for NotRead {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            not_traces: sum.not_traces + one.not_traces,
            unreadable: sum.unreadable + one.unreadable,
        })
    }
}

/// A scan as part of a plan. What it reads is the rows of its input, a table of places in memory: Ballista knows how to share the
/// partitions of such a table out to tasks, and would have each task read all partitions of a scan that it does not know.
#[derive(Debug, Clone)]
pub struct TraceScan {
    pub(crate) scan: Arc<Scan>,
    places: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl TraceScan {
    /// # Errors
    ///
    /// A column that the table does not have.
    pub(crate) fn new(scan: Scan, places: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let schema = Arc::new(scan.table.schema().project(&scan.projection)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(places.output_partitioning().partition_count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let (scan, properties) = (Arc::new(scan), Arc::new(properties));
        Ok(Self { scan, places, properties, metrics: ExecutionPlanMetricsSet::new() })
    }

    /// What a plan left out, once it was executed.
    pub fn not_read(plan: &Arc<dyn ExecutionPlan>) -> NotRead {
        let mut all: NotRead = plan.children().into_iter().map(Self::not_read).sum();
        if let Some(metrics) = plan.downcast_ref::<Self>().map(|scan| scan.metrics.clone_inner()) {
            let count = |name| metrics.sum_by_name(name).map_or(0, |value| value.as_usize());
            all = [all, NotRead { not_traces: count("not_traces"), unreadable: count("unreadable") }].into_iter().sum();
        }
        all
    }

    /// Whether payloads are decoded: a column that is wanted needs that.
    fn decodes(&self) -> bool {
        let columns = self.scan.table.columns();
        self.scan.projection.iter().filter_map(|column| columns.get(*column)).any(|column| column.decodes)
    }
}

impl DisplayAs for TraceScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scan { table, places, filter, limit, .. } = &*self.scan;
        write!(f, "TraceScan: table={table}")?;
        if let Some((places, bytes)) = places {
            write!(f, ", places={places}, bytes={bytes}")?;
        }
        write!(f, ", groups={}, projection=[", self.places.output_partitioning().partition_count())?;
        for (number, field) in self.schema().fields().iter().enumerate() {
            write!(f, "{}{}", if number == 0 { "" } else { ", " }, field.name())?;
        }
        f.write_str("]")?;
        if *filter != Filter::default() {
            write!(f, ", pushed_down=[{filter}]")?;
        }
        if let Some(limit) = limit {
            write!(f, ", limit={limit}")?;
        }
        if *table == Table::Events {
            write!(f, ", decodes_payloads={}", self.decodes())?;
        }
        Ok(())
    }
}

impl ExecutionPlan for TraceScan {
    fn name(&self) -> &'static str {
        "TraceScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.places]
    }

    /// The places are shared out already.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(places) = children.into_iter().next() else { return internal_err!("a scan has a table of places") };
        Ok(Arc::new(Self::new(Scan { places: None, ..(*self.scan).clone() }, places)?))
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match options.children_properties {
            // The same places, elsewhere in memory.
            ChildrenPropertiesMode::Keep => {
                let scan = (*self.scan).clone();
                children.into_iter().next().map_or_else(
                    || internal_err!("a scan has a table of places"),
                    |places| Ok(Arc::new(Self::new(scan, places)?) as Arc<dyn ExecutionPlan>),
                )
            }
            ChildrenPropertiesMode::Recompute => {
                let Some(places) = children.into_iter().next() else {
                    return internal_err!("a scan has a table of places");
                };
                Ok(Arc::new(Self::new(Scan { places: None, ..(*self.scan).clone() }, places)?))
            }
        }
    }

    /// A row for each place where a table has that; else nobody knows before reading.
    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        let Some((places, bytes)) = self.scan.places.filter(|_| args.partition().is_none()) else {
            return Ok(Arc::new(statistics));
        };
        if self.scan.is_of_places() {
            statistics.num_rows = Precision::Exact(places);
        } else {
            statistics.total_byte_size = Precision::Inexact(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        Ok(Arc::new(statistics))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut places = self.places.execute(partition, Arc::clone(&context))?;
        let schema: SchemaRef = self.schema();
        let mut stream = RecordBatchReceiverStream::builder(Arc::clone(&schema), BATCHES_AHEAD);
        let metrics = Metrics::new(&self.metrics, partition);
        let mut out = Out::new(stream.tx(), &self.scan, schema, metrics);
        let scan = Arc::clone(&self.scan);
        stream.spawn(async move {
            let mut group = Vec::new();
            while let Some(batch) = places.try_next().await? {
                for place in batch.column(0).as_string::<i32>().iter().flatten() {
                    let place: Place =
                        serde_json::from_str(place).map_err(|error| DataFusionError::External(error.into()))?;
                    group.push(place);
                }
            }
            for place in group {
                let local = place.fetch(&context.runtime_env()).await?;
                let scan = Arc::clone(&scan);
                let read = move || {
                    out.metrics.places.add(1);
                    let read = Reading { place: &place.name, path: &local.path, scan: &scan, out: &mut out }.read();
                    (out, read)
                };
                let (back, read) = tokio::task::spawn_blocking(read).await.map_err(broken)?;
                out = back;
                match read {
                    Ok(()) => {}
                    Err(Stop::Ended) => break,
                    Err(Stop::Failed(error)) => return Err(error),
                }
            }
            match tokio::task::spawn_blocking(move || out.flush()).await.map_err(broken)? {
                Err(Stop::Failed(error)) => Err(error),
                Ok(()) | Err(Stop::Ended) => Ok(()),
            }
        });
        Ok(stream.build())
    }
}

/// A reader that broke down.
fn broken(error: tokio::task::JoinError) -> DataFusionError {
    DataFusionError::Execution(format!("a reader broke down: {error}"))
}

#[cfg(test)]
mod tests {
    use datafusion::execution::runtime_env::RuntimeEnv;
    use datafusion::physical_plan::collect;

    use super::*;
    use crate::place;

    /// A scan of fixtures: rows of it, and what it counted.
    async fn scanned(
        table: Table,
        pattern: &str,
        columns: &[&str],
        filter: Filter,
        limit: Option<usize>,
    ) -> (usize, TraceScan) {
        let pattern = format!("{}/../../fixtures/synthetic/{pattern}", env!("CARGO_MANIFEST_DIR"));
        let places = place::find(table, &pattern, &RuntimeEnv::default()).await.unwrap();
        let schema = table.schema();
        let scan = Scan {
            table,
            places: None,
            projection: columns.iter().map(|name| schema.index_of(name).unwrap()).collect(),
            filter,
            limit,
            skips_unreadable: false,
        };
        // As it comes to an executor.
        let scan: Scan = serde_json::from_slice(&serde_json::to_vec(&scan).unwrap()).unwrap();
        let plan = scan.over(&place::groups(places, 2)).unwrap();
        let batches = collect(Arc::new(plan.clone()), Arc::new(TaskContext::default())).await.unwrap();
        assert!(batches.iter().all(|batch| batch.num_columns() == columns.len()));
        (batches.iter().map(|batch| batch.num_rows()).sum(), plan)
    }

    fn counted(plan: &TraceScan, name: &str) -> usize {
        plan.metrics().unwrap().sum_by_name(name).map_or(0, |value| value.as_usize())
    }

    #[tokio::test]
    async fn each_table_has_its_rows() {
        let all = Filter::default;
        let (events, plan) = scanned(Table::Events, "modern-64.etl", &["time", "fields"], all(), None).await;
        assert_eq!((events, counted(&plan, "records"), counted(&plan, "places")), (2139, 2139, 1));
        assert!(counted(&plan, "bytes_decoded") > 0);
        let (failures, _) = scanned(Table::Failures, "modern-64.etl", &["owner_pid", "name"], all(), None).await;
        assert_eq!(failures, 74);
        let (files, _) = scanned(Table::Files, "*.etl", &["file", "status", "started"], all(), None).await;
        assert_eq!(files, 5);
        let (cases, _) = scanned(Table::Cases, "modern-64.etl", &["case_id", "state"], all(), None).await;
        assert_eq!(cases, 1);
    }

    #[tokio::test]
    async fn what_is_not_wanted_is_not_decoded() {
        let afd = Filter::of_provider("Winsock-AFD").unwrap();
        let (events, plan) = scanned(Table::Events, "modern-64.etl", &["time", "pid"], afd, None).await;
        assert_eq!((events, counted(&plan, "records"), counted(&plan, "bytes_decoded")), (2132, 2139, 0));
        let (none, _) = scanned(Table::Events, "modern-64.etl", &[], Filter::default(), None).await;
        assert_eq!(none, 2139);
        let (some, plan) = scanned(Table::Events, "leak.etl", &["id"], Filter::default(), Some(7)).await;
        assert!(some == 7 && counted(&plan, "records") < 1000);
    }
}
