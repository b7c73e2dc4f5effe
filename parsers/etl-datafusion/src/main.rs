//! `etl-sql`: SQL on traces from the command line, and the processes of a cluster.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::pretty::pretty_format_batches_with_schema;
use datafusion::arrow::{csv, json};
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::{collect, execute_stream};
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionContext};
use datafusion::sql::parser::DFParser;
use etl_datafusion::{NotRead, TraceScan, cluster};
use futures::StreamExt as _;
use outofports::batch::tables;
use tracing_subscriber::EnvFilter;

/// Stack of a thread: plans are walked in depth.
const STACK_BYTES: usize = 32 << 20;

/// How long nothing is said while a query runs on a cluster.
const SILENCE: Duration = Duration::from_secs(30);

/// SQL on Windows event traces.
///
/// etl_events('PATTERN', provider => '…'), etl_failures('PATTERN'), etl_files('PATTERN') and outofports_cases('PATTERN') are tables.
/// A pattern is a path or an s3:// URL with * ** ? and []; one that ends in / stands for the traces of a folder, for
/// outofports_cases and etl_failures for folders that are cases.
#[derive(Parser)]
#[command(name = "etl-sql", version, args_conflicts_with_subcommands = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    role: Option<Role>,
    /// Statements.
    sql: Vec<String>,
    /// Reads statements from a file.
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Makes the tables that `outofports batch` wrote to a folder known by their names: cases, holders, images and the others.
    #[arg(long, value_name = "DIR")]
    tables: Option<String>,
    /// Runs the statements on the cluster of a scheduler.
    #[arg(long, value_name = "URL")]
    scheduler: Option<String>,
    /// Form of the rows.
    #[arg(short, long, default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A table in text.
    Table,
    /// CSV with a head.
    Csv,
    /// One JSON object for each row.
    Ndjson,
}

#[derive(Subcommand)]
enum Role {
    /// Runs the scheduler of a cluster.
    Scheduler(Box<ballista_scheduler::config::Config>),
    /// Runs an executor of a cluster.
    Executor(Box<ballista_executor::config::Config>),
}

/// Options of Ballista of which it has other defaults: with its own, an executor that is lost is noticed after three minutes.
const SCHEDULER: [(&str, &str); 2] =
    [("executor_timeout_seconds", "30"), ("expire_dead_executor_interval_seconds", "2")];
const EXECUTOR: [(&str, &str); 1] = [("executor_heartbeat_interval_seconds", "5")];

fn command() -> clap::Command {
    let set = |command: clap::Command, defaults: &[(&'static str, &'static str)]| {
        defaults.iter().fold(command, |command, (name, value)| command.mut_arg(*name, |arg| arg.default_value(*value)))
    };
    Cli::command()
        .mut_subcommand("scheduler", |command| set(command, &SCHEDULER))
        .mut_subcommand("executor", |command| set(command, &EXECUTOR))
}

fn main() -> ExitCode {
    let cli = Cli::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(error.into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(DataFusionError::IoError(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error.strip_backtrace());
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    let external = |error: ballista_core::error::BallistaError| DataFusionError::External(error.into());
    match cli.role {
        Some(Role::Scheduler(options)) => {
            log(&options.log_level_setting);
            return cluster::scheduler(*options).await.map_err(external);
        }
        Some(Role::Executor(options)) => {
            log(&options.log_level_setting);
            return cluster::executor(*options).await.map_err(external);
        }
        None => {}
    }
    let session = match &cli.scheduler {
        Some(scheduler) => cluster::connect(scheduler).await?,
        None => etl_datafusion::session()?,
    };
    if let Some(folder) = &cli.tables {
        register_tables(&session, folder).await?;
    }
    let mut texts = Vec::new();
    for file in &cli.file {
        texts.push(
            std::fs::read_to_string(file)
                .map_err(|error| DataFusionError::Execution(format!("{}: {error}", file.display())))?,
        );
    }
    for text in texts.iter().chain(&cli.sql) {
        for statement in DFParser::parse_sql(text)? {
            let plan = session.state().statement_to_plan(statement).await?;
            let written = write(session.execute_logical_plan(plan).await?, cli.format);
            if cli.scheduler.is_none() {
                written.await?;
                continue;
            }
            tokio::select! {
                done = written => done?,
                never = waits() => never?,
            }
        }
    }
    Ok(())
}

/// Says now and then that a query still runs, and does not end.
async fn waits() -> Result<()> {
    let started = Instant::now();
    loop {
        tokio::time::sleep(SILENCE).await;
        tell(&format!(
            "the query runs for {} s; the scheduler's log tells of executors that are lost",
            started.elapsed().as_secs()
        ));
    }
}

/// What happens is told on standard error; `RUST_LOG` chooses instead of an option.
fn log(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_ansi(false).with_writer(io::stderr).with_env_filter(filter).init();
}

/// The tables of a batch; one that was not written is not there.
async fn register_tables(session: &SessionContext, folder: &str) -> Result<()> {
    let folder = folder.trim_end_matches('/');
    for table in tables::Table::ALL {
        let path = format!("{folder}/{table}/");
        let options = ParquetReadOptions::default().table_partition_cols(vec![("month".to_owned(), DataType::Utf8)]);
        session.register_parquet(table.as_str(), path, options).await?;
    }
    Ok(())
}

async fn write(rows: DataFrame, format: Format) -> Result<()> {
    let context = Arc::new(rows.task_ctx());
    let schema = Arc::clone(rows.schema().inner());
    let plan = rows.create_physical_plan().await?;
    let mut out = io::stdout().lock();
    match format {
        Format::Table => {
            let batches = collect(Arc::clone(&plan), context).await?;
            if !schema.fields().is_empty() {
                writeln!(out, "{}", pretty_format_batches_with_schema(schema, &batches)?)?;
            }
        }
        Format::Csv => {
            let mut writer = csv::WriterBuilder::new().build(&mut out);
            writer.write(&RecordBatch::new_empty(schema))?;
            let mut batches = execute_stream(Arc::clone(&plan), context)?;
            while let Some(batch) = batches.next().await {
                writer.write(&batch?)?;
            }
        }
        Format::Ndjson => {
            let mut writer = json::LineDelimitedWriter::new(&mut out);
            let mut batches = execute_stream(Arc::clone(&plan), context)?;
            while let Some(batch) = batches.next().await {
                writer.write(&batch?)?;
            }
            writer.finish()?;
        }
    }
    out.flush()?;
    let NotRead { not_traces, unreadable, .. } = TraceScan::not_read(&plan);
    if not_traces > 0 || unreadable > 0 {
        tell(&format!("{not_traces} are no traces, {unreadable} cannot be opened: no rows of them; see etl_files"));
    }
    Ok(())
}

fn tell(text: &str) {
    // Where standard error is closed, nobody reads it.
    let _ = writeln!(io::stderr(), "etl-sql: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_executor_is_noticed_within_half_a_minute() {
        command().debug_assert();
        let role = |words: &[&str]| {
            Cli::from_arg_matches(&command().try_get_matches_from(words).unwrap()).unwrap().role.unwrap()
        };
        let Role::Scheduler(options) = role(&["etl-sql", "scheduler"]) else { panic!() };
        assert_eq!((options.executor_timeout_seconds, options.expire_dead_executor_interval_seconds), (30, 2));
        let Role::Executor(options) = role(&["etl-sql", "executor"]) else { panic!() };
        assert_eq!(options.executor_heartbeat_interval_seconds, 5);
        let Role::Scheduler(options) = role(&["etl-sql", "scheduler", "--executor-timeout-seconds", "90"]) else {
            panic!()
        };
        assert_eq!(options.executor_timeout_seconds, 90);
    }
}
