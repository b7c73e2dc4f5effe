//! No processor forgotten. When a stage is rolled back after an executor was lost, Ballista 55.0 cancels its tasks on the executors
//! that are left, and no longer finds them when they tell that they ended: the vcores that they had are never given out again, and
//! a query waits for ever beside idle executors. Here what an executor has free is counted anew before tasks are given out, from
//! the tasks that run there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::error::Result;
use ballista_core::serde::protobuf::ExecutorHeartbeat;
use ballista_core::serde::scheduler::{ExecutorData, ExecutorMetadata};
use ballista_scheduler::cluster::{BoundTask, ClusterState, ClusterStateEventStream, ExecutorSlot};
use ballista_scheduler::config::TaskDistributionPolicy;
use ballista_scheduler::state::execution_stage::ExecutionStage;
use ballista_scheduler::state::task_manager::JobInfoCache;
use tokio::sync::Mutex;

/// The state of executors, in which no vcore is lost.
pub(super) struct Vcores {
    cluster: Arc<dyn ClusterState>,
    /// By executor. Held while Ballista's own numbers change, so that the two stay the same.
    accounts: Mutex<BTreeMap<String, Account>>,
}

/// The vcores of an executor.
struct Account {
    all: u32,
    /// As Ballista believes.
    free: u32,
}

impl Account {
    /// Takes back as many as were out.
    fn give_back(&mut self, vcores: u32) -> u32 {
        let back = vcores.min(self.all.saturating_sub(self.free));
        self.free += back;
        back
    }
}

impl Vcores {
    pub(super) fn new(cluster: Arc<dyn ClusterState>) -> Self {
        Self { cluster, accounts: Mutex::default() }
    }
}

/// The vcores that running tasks have, by executor.
async fn held(jobs: &HashMap<JobId, JobInfoCache>) -> BTreeMap<String, u32> {
    let mut held: BTreeMap<String, u32> = BTreeMap::new();
    for job in jobs.values() {
        let graph = job.execution_graph.read().await;
        for stage in graph.stages().values() {
            let ExecutionStage::Running(stage) = stage else { continue };
            for (task, _, executor) in stage.running_tasks() {
                let vcores = stage.task_infos.get(task).map_or(0, |info| info.vcores_consumed);
                *held.entry(executor).or_default() += vcores;
            }
        }
    }
    held
}

#[async_trait]
impl ClusterState for Vcores {
    async fn init(&self) -> Result<()> {
        self.cluster.init().await
    }

    async fn bind_schedulable_tasks(
        &self,
        distribution: TaskDistributionPolicy,
        jobs: Arc<HashMap<JobId, JobInfoCache>>,
        executors: Option<HashSet<String>>,
    ) -> Result<Vec<BoundTask>> {
        let mut accounts = self.accounts.lock().await;
        let held = held(&jobs).await;
        let mut forgotten = Vec::new();
        for (executor, account) in &mut *accounts {
            let out = held.get(executor).copied().unwrap_or_default();
            let back = account.give_back(account.all.saturating_sub(out).saturating_sub(account.free));
            if back > 0 {
                forgotten.push((executor.clone(), back));
            }
        }
        self.cluster.unbind_tasks(forgotten).await?;
        let bound = self.cluster.bind_schedulable_tasks(distribution, jobs, executors).await?;
        for (executor, task) in &bound {
            if let Some(account) = accounts.get_mut(executor) {
                account.free = account.free.saturating_sub(task.vcores_consumed);
            }
        }
        Ok(bound)
    }

    async fn unbind_tasks(&self, slots: Vec<ExecutorSlot>) -> Result<()> {
        let mut accounts = self.accounts.lock().await;
        let mut back = Vec::new();
        for (executor, vcores) in slots {
            if let Some(account) = accounts.get_mut(&executor) {
                back.push((executor, account.give_back(vcores)));
            }
        }
        self.cluster.unbind_tasks(back).await
    }

    async fn register_executor(&self, metadata: ExecutorMetadata, data: ExecutorData) -> Result<()> {
        let mut accounts = self.accounts.lock().await;
        let (name, account) = (metadata.id.clone(), Account { all: data.total_vcores, free: data.available_vcores });
        self.cluster.register_executor(metadata, data).await?;
        accounts.insert(name, account);
        Ok(())
    }

    async fn save_executor_metadata(&self, metadata: ExecutorMetadata) -> Result<()> {
        self.cluster.save_executor_metadata(metadata).await
    }

    async fn get_executor_metadata(&self, executor: &str) -> Result<ExecutorMetadata> {
        self.cluster.get_executor_metadata(executor).await
    }

    async fn registered_executor_metadata(&self) -> Vec<ExecutorMetadata> {
        self.cluster.registered_executor_metadata().await
    }

    async fn save_executor_heartbeat(&self, heartbeat: ExecutorHeartbeat) -> Result<()> {
        self.cluster.save_executor_heartbeat(heartbeat).await
    }

    async fn remove_executor(&self, executor: &str) -> Result<()> {
        let mut accounts = self.accounts.lock().await;
        accounts.remove(executor);
        self.cluster.remove_executor(executor).await
    }

    fn executor_heartbeats(&self) -> HashMap<String, ExecutorHeartbeat> {
        self.cluster.executor_heartbeats()
    }

    fn get_executor_heartbeat(&self, executor: &str) -> Option<ExecutorHeartbeat> {
        self.cluster.get_executor_heartbeat(executor)
    }

    async fn cluster_state_events(&self) -> Result<ClusterStateEventStream> {
        self.cluster.cluster_state_events().await
    }
}

#[cfg(test)]
mod tests {
    use ballista_core::serde::scheduler::{ExecutorOperatingSystemSpecification, ExecutorSpecification};
    use ballista_scheduler::cluster::memory::InMemoryClusterState;
    use ballista_scheduler::planner::DefaultDistributedPlanner;
    use ballista_scheduler::state::execution_graph::StaticExecutionGraph;
    use datafusion::arrow::datatypes::Schema;
    use datafusion::physical_plan::empty::EmptyExec;

    use super::*;
    use crate::cluster::config;

    const VCORES: u32 = 1;

    async fn register(cluster: &dyn ClusterState) {
        let metadata = ExecutorMetadata {
            id: "one".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 1,
            grpc_port: 2,
            specification: ExecutorSpecification::default().with_vcores(VCORES),
            os_info: ExecutorOperatingSystemSpecification::default(),
        };
        let data = ExecutorData { executor_id: "one".to_owned(), total_vcores: VCORES, available_vcores: VCORES };
        cluster.register_executor(metadata, data).await.unwrap();
    }

    /// Jobs of one stage, each a task that takes one vcore.
    fn jobs(names: &[&str]) -> Arc<HashMap<JobId, JobInfoCache>> {
        let job = |name: &&str| {
            let (id, config) = (JobId::from((*name).to_owned()), Arc::new(config()));
            let plan = Arc::new(EmptyExec::new(Arc::new(Schema::empty())));
            let mut planner = DefaultDistributedPlanner::new();
            let graph = StaticExecutionGraph::new("s", &id, "", "session", plan, 0, config, &mut planner, None);
            (id, JobInfoCache::new(Box::new(graph.unwrap())))
        };
        Arc::new(names.iter().map(job).collect())
    }

    async fn bind(cluster: &dyn ClusterState, jobs: &Arc<HashMap<JobId, JobInfoCache>>) -> u32 {
        let bound = cluster.bind_schedulable_tasks(TaskDistributionPolicy::Bias, Arc::clone(jobs), None).await;
        bound.unwrap().iter().map(|(_, task)| task.vcores_consumed).sum()
    }

    /// As after the loss of an executor whose results the stage had read; its tasks elsewhere were cancelled.
    async fn roll_back(jobs: &HashMap<JobId, JobInfoCache>) {
        let mut graph = jobs.values().next().unwrap().execution_graph.write().await;
        assert_eq!(graph.rollback_running_stage(1, HashSet::new()).unwrap().len(), 1);
        assert!(graph.resolve_stage(1).unwrap());
    }

    #[tokio::test]
    async fn vcores_of_cancelled_tasks_come_back() {
        let ballista = InMemoryClusterState::default();
        let mended = Vcores::new(Arc::new(InMemoryClusterState::default()));
        // Once Ballista does this itself, all of this file can go.
        for (cluster, again) in [(&ballista as &dyn ClusterState, 0), (&mended as &dyn ClusterState, VCORES)] {
            register(cluster).await;
            let jobs = jobs(&["one"]);
            assert_eq!(bind(cluster, &jobs).await, VCORES);
            assert_eq!(bind(cluster, &jobs).await, 0);
            roll_back(&jobs).await;
            assert_eq!(bind(cluster, &jobs).await, again);
        }
    }

    #[tokio::test]
    async fn no_vcore_comes_back_twice() {
        let mended = Vcores::new(Arc::new(InMemoryClusterState::default()));
        register(&mended).await;
        let first = jobs(&["one"]);
        assert_eq!(bind(&mended, &first).await, VCORES);
        roll_back(&first).await;
        assert_eq!(bind(&mended, &first).await, VCORES);
        // The cancelled task tells late that it ended, and the job is given up.
        mended.unbind_tasks(vec![("one".to_owned(), VCORES)]).await.unwrap();
        mended.unbind_tasks(vec![("one".to_owned(), VCORES), ("gone".to_owned(), 1)]).await.unwrap();
        assert_eq!(bind(&mended, &jobs(&["two", "three"])).await, VCORES);
    }
}
