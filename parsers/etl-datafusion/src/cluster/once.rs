//! No row twice. When an executor is lost, Ballista 55.0 runs the tasks again whose results lay there; those of a last stage it
//! adds to the list of results without taking the earlier ones off, and what an executor that was only thought lost tells late
//! it takes too. A job whose results have a part twice fails here, and names the executors, before its client learns of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::error::Result;
use ballista_core::serde::protobuf::JobStatus;
use ballista_core::serde::protobuf::job_status::Status;
use ballista_core::serde::scheduler::PartitionLocation;
use ballista_core::{JobId, JobStatusSubscriber};
use ballista_scheduler::cluster::{JobState, JobStateEventStream};
use ballista_scheduler::state::execution_graph::{ExecutionGraph, ExecutionGraphBox};
use ballista_scheduler::state::execution_stage::ExecutionStage;
use datafusion::prelude::{SessionConfig, SessionContext};

/// The state of jobs, in which none has rows twice.
pub(super) struct Once(pub(super) Arc<dyn JobState>);

/// Why the results of a job are no results; `None` where each part of each stage was taken once.
fn taken_twice(graph: &dyn ExecutionGraph) -> Option<String> {
    let results = graph.output_locations();
    let last = results.first().map(|location| location.partition_id.stage_id);
    let last = last.and_then(|stage| part_twice(graph, stage, results.iter()));
    last.or_else(|| {
        graph.stages().values().find_map(|stage| {
            let ExecutionStage::Successful(stage) = stage else { return None };
            stage
                .inputs
                .iter()
                .find_map(|(input, output)| part_twice(graph, *input, output.partition_locations.values().flatten()))
        })
    })
}

/// Looks for a part of a stage that two tasks have worked on, both of which are in `locations`.
fn part_twice<'l>(
    graph: &dyn ExecutionGraph,
    stage: usize,
    locations: impl Iterator<Item = &'l PartitionLocation>,
) -> Option<String> {
    let tasks: BTreeMap<usize, &str> =
        locations.map(|location| (location.map_partition_id, location.executor_meta.id.as_str())).collect();
    let infos = graph.stages().get(&stage)?.task_infos()?;
    let mut parts: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for task in tasks.keys() {
        for part in infos.get(*task).into_iter().flat_map(|info| &info.global_input_partition_ids) {
            parts.entry(*part).or_default().insert(*task);
        }
    }
    let (part, twice) = parts.into_iter().find(|(_, tasks)| tasks.len() > 1)?;
    let executors: BTreeSet<&str> = twice.iter().filter_map(|task| tasks.get(task).copied()).collect();
    let executors = executors.into_iter().collect::<Vec<_>>().join(" and executor ");
    Some(format!(
        "part {part} of stage {stage} was read twice after an executor was lost, by executor {executors}: run the query again"
    ))
}

#[async_trait]
impl JobState for Once {
    async fn save_job(&self, job: &JobId, graph: &ExecutionGraphBox) -> Result<()> {
        let is_successful = matches!(graph.status().status, Some(Status::Successful(_)));
        match is_successful.then(|| taken_twice(&**graph)).flatten() {
            Some(why) => {
                let mut failed = graph.cloned();
                failed.fail_job(why);
                self.0.save_job(job, &failed).await
            }
            None => self.0.save_job(job, graph).await,
        }
    }

    fn accept_job(&self, job: &JobId, name: &str, queued_at: u64) -> Result<()> {
        self.0.accept_job(job, name, queued_at)
    }

    fn pending_job_number(&self) -> usize {
        self.0.pending_job_number()
    }

    async fn submit_job(
        &self,
        job: JobId,
        graph: &ExecutionGraphBox,
        subscriber: Option<JobStatusSubscriber>,
    ) -> Result<()> {
        self.0.submit_job(job, graph, subscriber).await
    }

    async fn get_jobs(&self) -> Result<HashSet<JobId>> {
        self.0.get_jobs().await
    }

    async fn get_all_jobs(&self) -> Result<HashSet<JobId>> {
        self.0.get_all_jobs().await
    }

    async fn get_job_status(&self, job: &JobId) -> Result<Option<JobStatus>> {
        self.0.get_job_status(job).await
    }

    async fn get_execution_graph(&self, job: &JobId) -> Result<Option<ExecutionGraphBox>> {
        self.0.get_execution_graph(job).await
    }

    async fn fail_unscheduled_job(&self, job: &JobId, reason: String) -> Result<()> {
        self.0.fail_unscheduled_job(job, reason).await
    }

    async fn remove_job(&self, job: &JobId) -> Result<()> {
        self.0.remove_job(job).await
    }

    async fn try_acquire_job(&self, job: &JobId) -> Result<Option<ExecutionGraphBox>> {
        self.0.try_acquire_job(job).await
    }

    async fn job_state_events(&self) -> Result<JobStateEventStream> {
        self.0.job_state_events().await
    }

    async fn create_or_update_session(&self, session: &str, config: &SessionConfig) -> Result<Arc<SessionContext>> {
        self.0.create_or_update_session(session, config).await
    }

    async fn remove_session(&self, session: &str) -> Result<()> {
        self.0.remove_session(session).await
    }

    fn produce_config(&self) -> SessionConfig {
        self.0.produce_config()
    }
}
