//! SQL on Windows event traces (`.etl`): table functions for DataFusion, on one machine or on Ballista.
//!
//! ```no_run
//! # async fn query() -> datafusion::common::Result<()> {
//! let session = etl_datafusion::session()?;
//! let events = session.sql("SELECT provider, count(*) FROM etl_events('traces/*.etl') GROUP BY provider").await?;
//! events.show().await?;
//! # Ok(())
//! # }
//! ```
//!
//! | function | a row is |
//! | --- | --- |
//! | `etl_events(pattern, provider => …, unreadable => …)` | an event of a file |
//! | `etl_failures(pattern, …)` | a bind or connect that failed for want of a port, with its owner |
//! | `etl_files(pattern)` | a file: whether it is a trace, and what of it could be read |
//! | `outofports_cases(pattern)` | a case, as `outofports batch` has it |
//!
//! Their columns are in `README.md`, and in the metadata of the schemas.
//!
//! From left to right, each step knowing only those before it: `column` says what a row holds; `place` lists what a pattern stands
//! for; `filter` understands conditions; `event`, `file` and `case` read one place; `read` turns their values into batches; `scan`
//! and `table` are what DataFusion sees; `function` is what SQL sees; `codec` and [`cluster`] are what Ballista needs; [`store`] opens
//! object stores.

mod case;
pub mod cluster;
mod codec;
mod column;
mod event;
mod file;
mod filter;
mod function;
mod place;
mod read;
mod scan;
pub mod store;
mod table;

use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;

pub use self::column::{Column, Kind};
pub use self::scan::{NotRead, TraceScan};
pub use self::table::{Table, TraceTable};

/// A session on this machine that knows our functions, and object stores as the environment says.
///
/// # Errors
///
/// What DataFusion says.
pub fn session() -> Result<SessionContext> {
    let state = SessionStateBuilder::new().with_default_features().with_runtime_env(store::runtime()?).build();
    let session = SessionContext::new_with_state(state);
    register(&session)?;
    Ok(session)
}

/// Makes our functions known to a session.
///
/// # Errors
///
/// What DataFusion says.
pub fn register(session: &SessionContext) -> Result<()> {
    function::register(session)
}
