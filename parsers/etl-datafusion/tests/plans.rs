//! What is pushed into a scan, how it is shown, and that it changes nothing but the cost.

use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties as _, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use etl_datafusion::{NotRead, Table, TraceScan};

use crate::common::{Row, fixture, mixed, query, rows, try_query};

/// The plan of a query, after it was executed.
async fn executed(sql: &str) -> Arc<dyn ExecutionPlan> {
    let session = etl_datafusion::session().unwrap();
    let rows = session.sql(sql).await.unwrap();
    let context = Arc::new(rows.task_ctx());
    let plan = rows.create_physical_plan().await.unwrap();
    collect(Arc::clone(&plan), context).await.unwrap();
    plan
}

/// What the scan of a plan counted.
fn counted(plan: &Arc<dyn ExecutionPlan>, name: &str) -> usize {
    let own = plan.downcast_ref::<TraceScan>().and_then(|scan| scan.metrics()?.sum_by_name(name));
    own.map_or(0, |value| value.as_usize())
        + plan.children().into_iter().map(|child| counted(child, name)).sum::<usize>()
}

async fn explained(sql: &str) -> String {
    let plan = query(&format!("EXPLAIN {sql}")).await;
    plan.into_iter().find(|row| row[0] == "physical_plan").unwrap()[1].clone()
}

#[tokio::test]
async fn explain_shows_what_was_pushed_down() {
    let trace = fixture("leak.etl");
    let sql = format!(
        "SELECT time, fields FROM etl_events('{trace}', provider => 'tcpip') \
         WHERE time >= '2026-03-10T09:35:00Z' AND id = 1 AND pid IN (4, 5) AND level > 3"
    );
    let plan = explained(&sql).await;
    println!("{plan}");
    let scan = plan.lines().find(|line| line.contains("TraceScan")).unwrap();
    for part in [
        "table=etl_events, places=1, bytes=1493751, groups=1",
        "projection=[time, level, fields]",
        "pushed_down=[time >= 1773135300000000000 AND id IN (1) AND pid IN (4, 5) AND guid = 2f07e2ee-15db-40f1-90ef-9d7ba282188a]",
        "decodes_payloads=true",
    ] {
        assert!(scan.contains(part), "{part} in {scan}");
    }
    // What is not pushed down is asked of the rows; what is, is not asked twice.
    let filter = plan.lines().find(|line| line.contains("FilterExec")).unwrap();
    assert!(filter.contains("level") && !filter.contains("pid"), "{filter}");
}

#[tokio::test]
async fn less_is_decoded_of_what_is_pushed_down() {
    let trace = fixture("leak.etl");
    let of = |rest: &str| format!("SELECT time, fields FROM etl_events('{trace}') {rest}");
    let all = executed(&of("")).await;
    let filtered = executed(&of("WHERE provider = 'Microsoft-Windows-TCPIP' AND time < '2026-03-10T09:35:00Z'")).await;
    let headers = executed(&format!("SELECT time, pid, provider FROM etl_events('{trace}')")).await;
    let decoded = |plan| counted(plan, "bytes_decoded");
    println!("bytes decoded: all {}, filtered {}, headers {}", decoded(&all), decoded(&filtered), decoded(&headers));
    assert!(decoded(&all) > 4 * decoded(&filtered) && decoded(&filtered) > 0);
    assert_eq!(decoded(&headers), 0);
    assert_eq!(counted(&all, "records"), counted(&headers, "records"));
}

#[tokio::test]
async fn a_limit_ends_the_scan() {
    let trace = fixture("leak.etl");
    let all = executed(&format!("SELECT time FROM etl_events('{trace}')")).await;
    let some = executed(&format!("SELECT time FROM etl_events('{trace}') LIMIT 10")).await;
    assert!(counted(&some, "records") * 10 < counted(&all, "records"));
}

#[tokio::test]
async fn rows_are_the_same_for_any_number_of_partitions() {
    let folder = tempfile::tempdir().unwrap();
    for (number, name) in ["modern-64.etl", "legacy.etl", "compressed.etl", "names-mof.etl"].iter().enumerate() {
        std::fs::copy(fixture(name), folder.path().join(format!("{number}.etl"))).unwrap();
    }
    let sql = format!("SELECT * FROM etl_events('{}/')", folder.path().display());
    let mut first: Option<Vec<Row>> = None;
    for partitions in [1, 3, 16] {
        let config = SessionConfig::new().with_target_partitions(partitions);
        let session = SessionContext::new_with_state(
            SessionStateBuilder::new().with_default_features().with_config(config).build(),
        );
        etl_datafusion::register(&session).unwrap();
        let plan = session.sql(&sql).await.unwrap().create_physical_plan().await.unwrap();
        assert_eq!(plan.output_partitioning().partition_count(), partitions.min(4));
        let found = rows(&collect(plan, session.task_ctx()).await.unwrap());
        assert_eq!(first.get_or_insert_with(|| found.clone()), &found);
    }
}

#[tokio::test]
async fn counts_of_files_and_cases_need_no_reading() {
    let (_guard, folder) = mixed();
    for table in ["etl_files", "outofports_cases"] {
        let plan = explained(&format!("SELECT count(*) FROM {table}('{}/*.etl')", folder.display())).await;
        assert!(!plan.contains("TraceScan"), "{plan}");
    }
    let plan = executed(&format!("SELECT * FROM etl_events('{}/')", folder.display())).await;
    let NotRead { not_traces, unreadable, .. } = TraceScan::not_read(&plan);
    assert_eq!((not_traces, unreadable), (1, 0));
}

#[tokio::test]
async fn a_file_that_is_gone_ends_the_query_unless_it_may_be_left_out() {
    let (_guard, folder) = mixed();
    let session = etl_datafusion::session().unwrap();
    for (options, fails) in [("", true), (", unreadable => 'skip'", false)] {
        let gone = folder.join("gone.etl");
        std::fs::copy(fixture("modern-64.etl"), &gone).unwrap();
        let sql = format!("SELECT file FROM etl_events('{}/*.etl'{options})", folder.display());
        let plan = session.sql(&sql).await.unwrap().create_physical_plan().await.unwrap();
        std::fs::remove_file(&gone).unwrap();
        let found = collect(Arc::clone(&plan), session.task_ctx()).await;
        match found {
            Err(error) => assert!(fails && error.to_string().contains("gone.etl"), "{error}"),
            Ok(batches) => {
                assert!(!fails && !rows(&batches).is_empty());
                assert_eq!(TraceScan::not_read(&plan).unreadable, 1);
            }
        }
    }
}

#[tokio::test]
async fn the_document_has_each_column() {
    let document = include_str!("../README.md");
    for table in Table::ALL {
        for column in table.columns() {
            let line = format!("| `{}` | {} | {} | {} |", column.name, column.kind.name(), column.unit, column.meaning);
            assert!(document.contains(&line), "README.md lacks of {table}:\n{line}");
        }
    }
    // A name that is none of ours is DataFusion's.
    let error = try_query(&etl_datafusion::session().unwrap(), "SELECT * FROM etl_unknown('x')").await.unwrap_err();
    assert!(error.to_string().contains("etl_unknown"), "{error}");
}
