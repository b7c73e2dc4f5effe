//! The same queries on a scheduler and executors on loopback: equal rows, ends of executors and of the scheduler at any moment.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::common::fixture;

const PROGRAM: &str = env!("CARGO_BIN_EXE_etl-sql");

/// How long a process may take to answer, and a query to end.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that ends with its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn wait_for(port: u16, what: &str) {
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < PATIENCE, "{what} does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
}

struct Executor {
    name: String,
    /// Where others reach it.
    ports: [u16; 2],
    process: Process,
}

impl Executor {
    /// Whether a message says which executor it is about: by name, or by address.
    fn is_named_in(&self, message: &str) -> bool {
        message.contains(&self.name) || self.ports.iter().any(|port| message.contains(&format!("127.0.0.1:{port}")))
    }
}

/// A scheduler and executors on loopback.
pub(crate) struct Cluster {
    folder: TempDir,
    port: u16,
    scheduler: Option<Process>,
    executors: Vec<Executor>,
    started: usize,
}

impl Cluster {
    pub(crate) fn start(executors: usize, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut cluster = Self { folder, port: free_port(), scheduler: None, executors: Vec::new(), started: 0 };
        cluster.start_scheduler(environment);
        (0..executors).for_each(|_| cluster.add_executor(environment));
        cluster
    }

    fn log(&self, name: &str) -> Stdio {
        std::fs::File::options().create(true).append(true).open(self.folder.path().join(name)).unwrap().into()
    }

    fn logged(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    fn start_scheduler(&mut self, environment: &[(&str, &str)]) {
        let (port, log) = (self.port.to_string(), self.log("scheduler"));
        let options = ["scheduler", "--bind-host", "127.0.0.1", "--external-host", "127.0.0.1", "--bind-port", &port];
        // An executor that is silent for some seconds is lost.
        let soon = ["--executor-timeout-seconds", "6", "--expire-dead-executor-interval-seconds", "1"];
        let mut command = Command::new(PROGRAM);
        command.args(options).args(soon).envs(environment.iter().copied()).stdout(Stdio::null()).stderr(log);
        self.scheduler = Some(Process(command.spawn().unwrap()));
        wait_for(self.port, "the scheduler");
    }

    fn add_executor(&mut self, environment: &[(&str, &str)]) {
        self.started += 1;
        let name = format!("executor-{}", self.started);
        let work = self.folder.path().join(&name);
        std::fs::create_dir_all(&work).unwrap();
        let ports = [free_port(), free_port(), free_port()];
        let [flight, grpc, health] = ports.map(|port| port.to_string());
        let mut command = Command::new(PROGRAM);
        command
            .args(["executor", "--id", &name, "--bind-host", "127.0.0.1", "--external-host", "127.0.0.1"])
            .args(["--scheduler-host", "127.0.0.1", "--scheduler-port", &self.port.to_string()])
            .args(["--bind-port", &flight, "--bind-grpc-port", &grpc, "--bind-health-port", &health])
            .args(["--vcores", "2", "--executor-heartbeat-interval-seconds", "1", "--memory-pool-size", "0"])
            .arg("--work-dir")
            .arg(&work)
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(self.log(&format!("{name}.log")));
        let process = Process(command.spawn().unwrap());
        let [flight, grpc, _] = ports;
        wait_for(grpc, &name);
        self.executors.push(Executor { name, ports: [flight, grpc], process });
    }

    fn command(&self, sql: &str, environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(PROGRAM);
        let scheduler = format!("http://127.0.0.1:{}", self.port);
        command.args(["--format", "csv", "--scheduler", &scheduler, sql]).envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What a query that runs ends with. One that does not end fails the test.
    fn ended(&self, running: Child) -> Result<Vec<String>, String> {
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || send.send(running.wait_with_output().unwrap()));
        let done = receive.recv_timeout(PATIENCE);
        rows(done.unwrap_or_else(|_| panic!("a query does not end:\n{}", self.logged("scheduler"))))
    }

    pub(crate) fn rows(&self, sql: &str, environment: &[(&str, &str)]) -> Vec<String> {
        rows(self.command(sql, environment).output().unwrap())
            .unwrap_or_else(|error| panic!("{sql}: {error}\n{}", self.logged("scheduler")))
    }
}

/// The rows of a query, sorted, or what it failed with.
fn rows(done: Output) -> Result<Vec<String>, String> {
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into_owned());
    }
    let mut rows: Vec<String> = String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect();
    rows.sort();
    Ok(rows)
}

/// The same on this machine alone.
pub(crate) fn alone(sql: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let mut command = Command::new(PROGRAM);
    rows(command.args(["--format", "csv", sql]).envs(environment.iter().copied()).output().unwrap()).unwrap()
}

/// Some traces; more of them make a query longer.
fn traces(folder: &Path, copies: usize) -> String {
    for copy in 0..copies {
        for name in ["modern-64.etl", "legacy.etl", "leak.etl", "names-mof.etl"] {
            std::fs::copy(fixture(name), folder.join(format!("{copy:03}-{name}"))).unwrap();
        }
    }
    folder.display().to_string()
}

#[test]
fn one_and_two_executors_give_the_rows_of_one_machine() {
    let folder = tempfile::tempdir().unwrap();
    let traces = traces(folder.path(), 3);
    let queries = [
        format!("SELECT provider, id, count(*) FROM etl_events('{traces}/') WHERE pid <> 4 GROUP BY provider, id"),
        format!("SELECT owner_image, owner_pid, time FROM etl_failures('{traces}/*.etl') WHERE owner_pid = 7312"),
        format!("SELECT path, state, suspect_image, bind_failures FROM outofports_cases('{traces}/*.etl')"),
        format!("SELECT file, status, records FROM etl_files('{traces}/') ORDER BY file"),
    ];
    for executors in [1, 2] {
        let cluster = Cluster::start(executors, &[]);
        for sql in &queries {
            let started = Instant::now();
            let found = cluster.rows(sql, &[]);
            println!("{executors} executors: {} rows in {:.2} s", found.len(), started.elapsed().as_secs_f64());
            let expected = alone(sql, &[]);
            assert!(expected.len() > 3, "{sql}");
            assert_eq!(found, expected, "{sql}");
        }
    }
}

#[test]
fn what_a_pattern_stands_for_is_listed_by_the_scheduler() {
    let folder = tempfile::tempdir().unwrap();
    let traces = traces(folder.path(), 1);
    let cluster = Cluster::start(1, &[]);
    let sql = format!("SELECT count(*) FROM etl_events('{traces}/none/*.etl')");
    let error = rows(cluster.command(&sql, &[]).output().unwrap()).unwrap_err();
    assert!(error.contains("nothing there fits"), "{error}");
}

#[test]
fn after_a_restart_of_the_scheduler_new_queries_work() {
    let folder = tempfile::tempdir().unwrap();
    let traces = traces(folder.path(), 40);
    let mut cluster = Cluster::start(2, &[]);
    let sql = format!("SELECT provider, id, count(fields) FROM etl_events('{traces}/') GROUP BY provider, id");
    let running = cluster.command(&sql, &[]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    cluster.scheduler = None;
    let error = cluster.ended(running).unwrap_err();
    println!("the running query: {}", error.lines().next().unwrap_or_default());
    assert!(!error.is_empty());
    cluster.start_scheduler(&[]);
    // Executors register anew with their next heartbeat.
    let started = Instant::now();
    let few = format!("SELECT count(*) FROM etl_events('{traces}/000-*.etl')");
    let expected = alone(&few, &[]);
    loop {
        match rows(cluster.command(&few, &[]).output().unwrap()) {
            Ok(found) => break assert_eq!(found, expected),
            Err(error) => assert!(started.elapsed() < PATIENCE, "{error}"),
        }
    }
}

/// A number that differs between runs, in no way that anybody relies on.
fn anywhere(below: u64) -> u64 {
    u64::from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos()) % below
}

#[test]
#[ignore = "some minutes: .ci/sql runs it"]
fn an_executor_may_end_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let traces = traces(folder.path(), 12);
    let queries = [
        format!(
            "SELECT provider, id, count(*), min(time), max(fields) FROM etl_events('{traces}/') GROUP BY provider, id"
        ),
        format!("SELECT file, time, id, pid FROM etl_events('{traces}/*-modern-64.etl')"),
    ];
    let expected: Vec<Vec<String>> = queries.iter().map(|sql| alone(sql, &[])).collect();
    let mut cluster = Cluster::start(2, &[]);
    let started = Instant::now();
    cluster.rows(&queries[0], &[]);
    let takes = u64::try_from(started.elapsed().as_millis()).unwrap();
    let (mut whole, mut failed) = (0, 0);
    for round in 0..20 {
        let (sql, expected) = (&queries[round % 2], &expected[round % 2]);
        let running = cluster.command(sql, &[]).spawn().unwrap();
        let moment = anywhere(takes);
        std::thread::sleep(Duration::from_millis(moment));
        let mut victim = cluster.executors.swap_remove(usize::try_from(anywhere(2)).unwrap());
        // Ends this process alone, with the signal that cannot be caught.
        victim.process.0.kill().unwrap();
        let killed = Instant::now();
        let ended = cluster.ended(running);
        let waited = killed.elapsed().as_secs_f64();
        let victim_at = format!("round {round}: {} ended at {moment} ms, the query {waited:.1} s later", victim.name);
        match ended {
            Ok(found) => {
                assert!(found == *expected, "round {round}: {} rows instead of {}", found.len(), expected.len());
                println!("{victim_at}: all {} rows", found.len());
                whole += 1;
            }
            Err(error) => {
                println!("{victim_at}: {}", error.lines().next().unwrap_or_default());
                assert!(victim.is_named_in(&error), "round {round} does not name {}: {error}", victim.name);
                failed += 1;
            }
        }
        cluster.add_executor(&[]);
    }
    println!("20 executors killed: {whole} queries whole, {failed} failed");
    assert_eq!(whole + failed, 20);
}

#[test]
#[ignore = "some minutes: .ci/sql runs it"]
fn an_executor_that_does_not_answer_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let traces = traces(folder.path(), 12);
    let sql = format!("SELECT provider, id, count(*), max(fields) FROM etl_events('{traces}/') GROUP BY provider, id");
    let expected = alone(&sql, &[]);
    let cluster = Cluster::start(2, &[]);
    let running = cluster.command(&sql, &[]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1000));
    // Its connections stay open, and nothing comes over them: as of a host that vanished.
    let victim = &cluster.executors[0];
    assert!(Command::new("kill").args(["-STOP", &victim.process.0.id().to_string()]).status().unwrap().success());
    let stopped = Instant::now();
    let ended = cluster.ended(running);
    println!("the query ended {:.1} s later", stopped.elapsed().as_secs_f64());
    match ended {
        Ok(found) => assert_eq!(found, expected),
        Err(error) => assert!(victim.is_named_in(&error), "{error}"),
    }
}
