//! Who holds, who suffered, when, and of which pools.

use super::{MOST, TOP, bounded, row};
use crate::report::html::cell::{Cell, Column, Row, Spark, Table, process_cells, process_columns};
use crate::report::html::picture::{count_spark, level_spark};
use crate::report::summary::{PoolHolders, evidence_name, look_phrase, pattern_word, state_word};
use crate::report::text::holders::age_text;
use crate::report::wording::per_minute;
use crate::report::wording::{known_by, percent_of, who};
use crate::report::{HolderRow, ImageRow, PoolRow, ProcessRow, Report};
use crate::words::{counted, grouped};

/// Processes of an image that are told one by one.
const MEMBERS: usize = 50;

/// The holders of a pool.
pub(in crate::report::html) fn holders(report: &Report, of_pool: &PoolHolders) -> Option<Table> {
    let pool = report.pools.get(of_pool.pool)?;
    let of = |index: &usize| {
        let holder = report.holders.get(*index)?;
        Some((*index, holder, report.processes.get(holder.process)?))
    };
    let rows: Vec<(usize, &HolderRow, &ProcessRow)> = of_pool.holders.iter().filter_map(of).collect();
    let services = rows.iter().any(|(_, _, row)| !row.services.is_empty());
    let course = report.pools_over_time.iter().find(|told| told.pool == of_pool.pool);
    let spark = |process: usize| -> Option<Spark> {
        let told = course?.processes.iter().find(|told| told.process == Some(process))?;
        level_spark(&told.ports)
    };
    let has_sparks = rows.iter().any(|(_, holder, _)| spark(holder.process).is_some());
    let mut columns = process_columns(services);
    columns.extend([
        Column::number("Ports", ""),
        Column::number("Share", "of the pool"),
        Column::number("Growth", "ports/min"),
        Column::number("Oldest", ""),
        Column::text("Known by"),
        Column::text("Looks like"),
    ]);
    if has_sparks {
        columns.push(Column::text("Over time"));
    }
    let line = |(index, holder, process): (usize, &HolderRow, &ProcessRow)| -> Row {
        let pointer = format!("/holders/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let mut cells = process_cells(holder.process, process, services);
        cells.extend([
            Cell::number(holder.ports).at(at("ports")),
            Cell::share(holder.ports, pool.count).at(at("share_of_pool")),
            Cell::text(holder.growth_per_minute.map(per_minute).unwrap_or_default()).at(at("growth_per_minute")),
            Cell::text(process.oldest_port_100ns.map(age_text).unwrap_or_default()),
            Cell::text(evidence_name(holder.evidence)).at(at("evidence")),
            Cell::text(look_phrase(holder.look)).at(at("pattern")),
        ]);
        if has_sparks {
            cells.push(Cell::drawn(spark(holder.process)));
        }
        row(pointer, cells)
    };
    let rows = rows.into_iter().map(line).collect();
    let id = format!("holders-{}", of_pool.pool);
    let caption = "processes, most ports first".to_owned();
    bounded(Table { id, caption, columns, rows, left_out: None }, TOP)
}

/// Images that hold ports of a pool by several processes, which unfold.
pub(in crate::report::html) fn images(report: &Report, of_pool: &PoolHolders) -> Option<Table> {
    let pool = report.pools.get(of_pool.pool)?;
    let images: Vec<(usize, &ImageRow)> =
        report.images.iter().enumerate().filter(|(_, image)| image.pool == of_pool.pool).collect();
    let services = images.iter().any(|(_, image)| !image.services.is_empty());
    let course = report.pools_over_time.iter().find(|told| told.pool == of_pool.pool);
    let spark = |image: usize| -> Option<Spark> {
        level_spark(&course?.holders.iter().find(|told| told.image == Some(image))?.ports)
    };
    let has_sparks = images.iter().any(|(index, _)| spark(*index).is_some());
    let mut columns = vec![Column::text("Image")];
    if services {
        columns.push(Column::text("Services"));
    }
    columns.extend([
        Column::number("Processes", ""),
        Column::number("Ports", ""),
        Column::number("Share", "of the pool"),
        Column::number("Failed binds", ""),
        Column::text("Looks like"),
    ]);
    if has_sparks {
        columns.push(Column::text("Over time"));
    }
    let line = |(index, image): (usize, &ImageRow)| {
        let pointer = format!("/images/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let mut cells = vec![Cell::text(&image.image).at(at("image")).with_items(members(report, image))];
        if services {
            cells.push(Cell::text(image.services.join(", ")).at(at("services")));
        }
        cells.extend([
            Cell::number(image.processes).at(at("processes")),
            Cell::number(image.ports).at(at("ports")),
            Cell::share(image.ports, pool.count).at(at("share_of_pool")),
            Cell::number(image.bind_failures).at(at("bind_failures")),
            Cell::text(image.pattern.map(pattern_word).unwrap_or_default()).at(at("pattern")),
        ]);
        if has_sparks {
            cells.push(Cell::drawn(spark(index)));
        }
        row(pointer, cells)
    };
    let rows = images.into_iter().map(line).collect();
    let (id, caption) = (format!("images-{}", of_pool.pool), "processes of one image together".to_owned());
    bounded(Table { id, caption, columns, rows, left_out: None }, TOP)
}

fn members(report: &Report, image: &ImageRow) -> Vec<Cell> {
    let member = |index: &usize| {
        let holder = report.holders.get(*index)?;
        let row = report.processes.get(holder.process)?;
        let ports = counted(holder.ports.into(), "port");
        Some(Cell::text(format!("{}: {ports}", who(row))).at(format!("/holders/{index}/ports")))
    };
    let mut members: Vec<Cell> = image.holders.iter().take(MEMBERS).filter_map(member).collect();
    let hidden = image.holders.len().saturating_sub(MEMBERS);
    if hidden > 0 {
        members.push(Cell::text(format!("{} more", grouped(hidden as u64))));
    }
    members
}

/// Who suffered.
pub(in crate::report::html) fn sufferers(report: &Report) -> Option<Table> {
    let of = |index: &usize| Some((*index, report.processes.get(*index)?));
    let rows: Vec<(usize, &ProcessRow)> = report.sufferers.iter().filter_map(of).collect();
    let services = rows.iter().any(|(_, row)| !row.services.is_empty());
    let connects = report.failures.connects > 0;
    let mut columns = process_columns(services);
    columns.extend([Column::number("Failed binds", ""), Column::number("Of binds", "")]);
    if connects {
        columns.push(Column::number("Failed connects", ""));
    }
    columns.extend([
        Column::time("First", report.zone),
        Column::time("Last", report.zone),
        Column::text("Owner known by"),
        Column::text("Over time"),
    ]);
    let line = |(index, process): (usize, &ProcessRow)| {
        let pointer = format!("/processes/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let mut cells = process_cells(index, process, services);
        let all = ["binds_ok", "bind_failures", "other_bind_failures"];
        cells.extend([
            Cell::number(process.bind_failures).at(at("bind_failures")),
            Cell::part(process.bind_failures, process.binds_completed(), &pointer, &all).at(at("bind_failures")),
        ]);
        if connects {
            cells.push(Cell::number(process.connect_failures).at(at("connect_failures")));
        }
        let course = report.failures_over_time.iter().find(|told| told.process == index);
        cells.extend([
            Cell::clock(process.first_failure, report.zone).at(at("first_failure")),
            Cell::clock(process.last_failure, report.zone).at(at("last_failure")),
            Cell::text(known_by(process)).at(at("owner_source")),
            Cell::drawn(course.and_then(|told| count_spark(&told.failures))),
        ]);
        row(pointer, cells)
    };
    let rows = rows.into_iter().map(line).collect();
    let caption = "none of these is to blame for that alone".to_owned();
    bounded(Table { id: "sufferers".to_owned(), caption, columns, rows, left_out: None }, TOP)
}

/// Spans of time in which a pool was out of ports.
pub(in crate::report::html) fn outages(report: &Report) -> Option<Table> {
    let line = |(index, outage): (usize, &crate::report::OutageRow)| {
        let pointer = format!("/outages/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let pool = report.pools.get(outage.pool).map(PoolRow::name).unwrap_or_default();
        let top = outage.holders.first();
        let holder = top.and_then(|holder| report.processes.get(holder.process)).map(who).unwrap_or_default();
        let count = report.pools.get(outage.pool).map_or(0, |pool| pool.count);
        let share = top.map(|holder| format!("{} ({})", grouped(holder.ports.into()), percent_of(holder.ports, count)));
        let cells = vec![
            Cell::day_and_time(Some(outage.first), report.zone).at(at("first")),
            Cell::day_and_time(Some(outage.last), report.zone).at(at("last")),
            Cell::text(if outage.lasts { "to the end" } else { "" }),
            Cell::text(pool),
            Cell::number(outage.failures).at(at("failures")),
            Cell::text(holder),
            Cell::text(share.unwrap_or_default()).at(top.map(|_| at("holders/0/ports")).unwrap_or_default()),
        ];
        row(pointer, cells)
    };
    let table = Table {
        id: "outages".to_owned(),
        caption: "spans of time in which a pool was out of ports".to_owned(),
        columns: vec![
            Column::time("First failure", report.zone),
            Column::time("Last failure", report.zone),
            Column::text("Lasts"),
            Column::text("Pool"),
            Column::number("Failures", ""),
            Column::text("Largest holder then"),
            Column::number("Its ports", ""),
        ],
        rows: report.outages.iter().enumerate().map(line).collect(),
        left_out: None,
    };
    bounded(table, TOP)
}

/// The pools.
pub(in crate::report::html) fn pools(report: &Report) -> Option<Table> {
    let line = |(index, pool): (usize, &PoolRow)| {
        let pointer = format!("/pools/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let cells = vec![
            Cell::text(pool.name()),
            Cell::text(format!("{}–{}", pool.start, pool.end())),
            Cell::number(pool.count).at(at("count")),
            Cell::number(pool.occupied_peak).at(at("occupied_peak")),
            Cell::part(pool.explained.into(), pool.count.into(), &pointer, &["count"]).at(at("explained")),
            Cell::number(pool.set_aside).at(at("set_aside")),
            Cell::optional(pool.left_at_end).at(at("left_at_end")),
            Cell::number(pool.bind_failures).at(at("bind_failures")),
            Cell::number(pool.connect_failures).at(at("connect_failures")),
            Cell::text(state_word(pool.state)).at(at("state")),
        ];
        row(pointer, cells)
    };
    let table = Table {
        id: "pools".to_owned(),
        caption: "each protocol and family has its own ports".to_owned(),
        columns: vec![
            Column::text("Pool"),
            Column::text("Ports"),
            Column::number("Size", "ports"),
            Column::number("In use at most", "ports"),
            Column::number("Explained", "of the size"),
            Column::number("Set aside", "ports"),
            Column::number("Left at the end", "ports"),
            Column::number("Failed binds", ""),
            Column::number("Failed connects", ""),
            Column::text("State"),
        ],
        rows: report.pools.iter().enumerate().map(line).collect(),
        left_out: None,
    };
    bounded(table, TOP)
}

/// Every process with sockets.
pub(in crate::report::html) fn all_processes(report: &Report) -> Option<Table> {
    let services = report.processes.iter().any(|row| !row.services.is_empty());
    let mut columns = process_columns(services);
    columns.extend([
        Column::time("Started", report.zone),
        Column::time("Ended", report.zone),
        Column::number("Failed binds", ""),
        Column::number("Failed connects", ""),
        Column::number("Binds that succeeded", ""),
        Column::number("Other failed binds", ""),
        Column::number("Ports at most", ""),
        Column::number("Ports at the end", ""),
    ]);
    let line = |(index, process): (usize, &ProcessRow)| {
        let pointer = format!("/processes/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let mut cells = process_cells(index, process, services);
        cells.extend([
            Cell::day_and_time(process.started, report.zone).at(at("started")),
            Cell::day_and_time(process.ended, report.zone).at(at("ended")),
            Cell::number(process.bind_failures).at(at("bind_failures")),
            Cell::number(process.connect_failures).at(at("connect_failures")),
            Cell::number(process.binds_ok).at(at("binds_ok")),
            Cell::number(process.other_bind_failures).at(at("other_bind_failures")),
            Cell::number(process.ports_held_peak).at(at("ports_held_peak")),
            Cell::number(process.ports_held_end).at(at("ports_held_end")),
        ]);
        row(pointer, cells)
    };
    let table = Table {
        id: "processes".to_owned(),
        caption: "every process that created, bound, failed or held something".to_owned(),
        columns,
        rows: report.processes.iter().enumerate().map(line).collect(),
        left_out: None,
    };
    bounded(table, MOST)
}
