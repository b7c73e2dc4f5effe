//! The same queries on many machines: Ballista's scheduler and executors, taught our functions.
//!
//! A client sends a plan that names files by their pattern. The scheduler lists them and makes the scan; executors read them where
//! they are. So a path must mean the same to all of them: a share that is mounted everywhere, or an object store.

mod once;
mod vcores;

use std::net::{AddrParseError, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ballista::prelude::SessionContextExt as _;
use ballista_core::error::{BallistaError, Result};
use ballista_core::extension::{EndpointOverrideFn, SessionConfigExt as _};
use ballista_core::utils::default_session_builder;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_executor::health::spawn_health_server;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};

use self::once::Once;
use self::vcores::Vcores;
use crate::codec::{Logical, Physical};
use crate::store;

/// How long a host may take to take up a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// How long nothing may come over a connection until the other side is asked whether it is there, and how long it may take to answer.
const ASK: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(20));

/// A session whose queries run on the cluster of a scheduler, `http://HOST:PORT`.
///
/// # Errors
///
/// What Ballista says.
pub async fn connect(scheduler: &str) -> datafusion::common::Result<SessionContext> {
    let session = SessionContext::remote_with_state(scheduler, state(config())?).await?;
    crate::register(&session)?;
    Ok(session)
}

/// Runs a scheduler until it is told to end.
///
/// # Errors
///
/// What Ballista says.
pub async fn scheduler(options: ballista_scheduler::config::Config) -> Result<()> {
    let address = address(&options.bind_host, options.bind_port)?;
    let own = SchedulerConfig::try_from(options)?
        .with_override_config_producer(Arc::new(config))
        .with_override_session_builder(Arc::new(state))
        .with_override_create_grpc_client_endpoint(impatient());
    let own = SchedulerConfig {
        override_logical_codec: Some(Arc::new(Logical::default())),
        override_physical_codec: Some(Arc::new(Physical::default())),
        ..own
    };
    let cluster = BallistaCluster::new_from_config(&own).await?;
    let executors = Arc::new(Vcores::new(cluster.cluster_state()));
    let cluster = BallistaCluster::new(executors, Arc::new(Once(cluster.job_state())));
    start_server(cluster, address, Arc::new(own)).await
}

/// Runs an executor until it is told to end. Its health is at `/healthz` and `/readyz` of its own port.
///
/// # Errors
///
/// What Ballista says.
pub async fn executor(options: ballista_executor::config::Config) -> Result<()> {
    let health_address = address(&options.bind_host, options.bind_health_port)?;
    let own = ExecutorProcessConfig {
        override_config_producer: Some(Arc::new(config)),
        override_runtime_producer: Some(Arc::new(|_| store::runtime())),
        override_logical_codec: Some(Arc::new(Logical::default())),
        override_physical_codec: Some(Arc::new(Physical::default())),
        override_create_grpc_client_endpoint: Some(impatient()),
        ..options.try_into()?
    };
    let (end, ended) = tokio::sync::oneshot::channel();
    let health = spawn_health_server(health_address, own.health.clone(), ended);
    let result = start_executor_process(Arc::new(own)).await;
    // An executor that ends has no health to tell.
    drop(end);
    drop(health.await);
    result
}

fn address(host: &str, port: u16) -> Result<SocketAddr> {
    format!("{host}:{port}").parse().map_err(|error: AddrParseError| BallistaError::Configuration(error.to_string()))
}

/// Connections over which a host that vanished is noticed: Ballista's own wait as long as the system does, which may be for ever.
fn impatient() -> EndpointOverrideFn {
    let (silence, answer) = ASK;
    Arc::new(move |endpoint| {
        let endpoint = endpoint.connect_timeout(CONNECT).http2_keep_alive_interval(silence);
        Ok(endpoint.keep_alive_timeout(answer).keep_alive_while_idle(true).tcp_nodelay(true))
    })
}

/// What client, scheduler and executors agree on. The static planner, since of its stages it is known what each has taken.
fn config() -> SessionConfig {
    SessionConfig::new_with_ballista()
        .with_ballista_adaptive_query_planner(false)
        .with_ballista_override_create_grpc_client_endpoint(impatient())
        .with_ballista_logical_extension_codec(Arc::new(Logical::default()))
        .with_ballista_physical_extension_codec(Arc::new(Physical::default()))
}

fn state(config: SessionConfig) -> datafusion::common::Result<SessionState> {
    let state = default_session_builder(config)?;
    let id = state.session_id().to_owned();
    let state = SessionStateBuilder::new_from_existing(state).with_session_id(id).with_runtime_env(store::runtime()?);
    Ok(state.build())
}
