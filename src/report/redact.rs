//! The pass that makes a report fit to be sent, before any face sees it.
//!
//! Each struct is taken apart field by field, so that a new field does not compile before somebody has decided whether it may
//! stand. Numbers, times, codes and names of the format may; names of programs where the caller says so.

use super::{
    AddressRow, AddressUse, CaseDestination, CoverageSummary, Destination, ImageRow, PoolRow, ProcedureRow, ProcessRow,
    Report, SystemEventRow, TraceSummary, Verdict,
};
use crate::case::SideInput;
use crate::diagnosis::advice::Recommendation;
use crate::diagnosis::alternatives::Alternative;
use crate::diagnosis::verdict::Reason;
use crate::words::pseudonyms::Pseudonyms;

impl Report {
    /// Replaces what tells whose machine it is, by `names`, and says at the end of the notes what was replaced and kept.
    /// `paths` are files that sentences of the report may name and that have no row.
    pub fn redact(&mut self, names: &mut Pseudonyms, paths: &[String]) {
        let Self {
            schema_version: _,
            tool: _,
            verdict,
            counted: _,
            traces,
            pools,
            failures: _,
            processes,
            victims: _,
            sufferers: _,
            has_names: _,
            holders: _,
            images,
            unexplained: _,
            timeline: _,
            pools_over_time: _,
            failures_over_time: _,
            finely: _,
            listings_over_time: _,
            outages: _,
            addresses,
            trends: _,
            procedure,
            destinations,
            address_use,
            system_events,
            side_inputs,
            dynamic_ports: _,
            excluded_ports: _,
            ruled_out,
            recommendations,
            known,
            // Numbers, and names of the provider's events.
            evidence: _,
            coverage,
            // Numbers; the name comes from the table of the procedure.
            outside: _,
            mostly_excluded: _,
            is_said_by_log_alone: _,
            outages_apart: _,
            most_handles: _,
            zone: _,
        } = self;
        // Rows first, so that sentences find what stands in them.
        for path in paths {
            names.path(path);
        }
        traces.iter_mut().for_each(|row| trace(row, names));
        side_inputs.iter_mut().for_each(|row| row.path = names.path(&row.path));
        processes.iter_mut().for_each(|row| process(row, names));
        images.iter_mut().for_each(|row| image(row, names));
        procedure.iter_mut().for_each(|row| procedure_row(row, names));
        pools.iter_mut().for_each(|row| pool(row, names));
        addresses.iter_mut().for_each(|row| address(row, names));
        destinations.iter_mut().for_each(|row| destination(row, names));
        address_use.iter_mut().for_each(|row| used_address(row, names));
        system_events.iter_mut().for_each(|row| system_event(row, names));
        let Verdict {
            state: _,
            confidence: _,
            pool: _,
            reasons,
            first_failure: _,
            last_failure: _,
            suspect: _,
            other_pools: _,
            room_made: _,
            closes_older: _,
            filling_again: _,
            assurances: _,
        } = verdict;
        for Reason { code: _, text } in reasons {
            *text = names.sentence(text);
        }
        for Alternative { code: _, standing: _, text, failures: _ } in ruled_out {
            *text = names.sentence(text);
        }
        recommendations.iter_mut().for_each(|row| recommendation(row, names));
        // They name programs.
        if names.replaces_images() {
            known.clear();
        }
        side_inputs.iter_mut().for_each(|row| side_input(row, names));
        notes(coverage, names);
    }
}

fn trace(row: &mut TraceSummary, names: &mut Pseudonyms) {
    let TraceSummary {
        path,
        bytes: _,
        os_build: _,
        processors: _,
        pointer_size: _,
        clock: _,
        log_mode: _,
        boot_time: _,
        started: _,
        ended: _,
        buffers: _,
        buffers_damaged: _,
        records: _,
        events_lost: _,
        buffers_lost: _,
        wrapped: _,
        closed_cleanly: _,
        time_zone_bias_minutes: _,
        speaks: _,
    } = row;
    *path = names.path(path);
}

fn process(row: &mut ProcessRow, names: &mut Pseudonyms) {
    let ProcessRow {
        pid: _,
        image,
        image_path,
        image_source: _,
        services,
        socket_service,
        started: _,
        ended: _,
        pid_given_to,
        roles: _,
        bind_failures: _,
        connect_failures: _,
        first_failure: _,
        last_failure: _,
        binds_ok: _,
        other_bind_failures: _,
        sockets_created: _,
        sockets_closed: _,
        ports_held_peak: _,
        ports_held_end: _,
        ports_obtained: _,
        ports_released: _,
        held_since: _,
        binds_per_minute: _,
        closes_per_minute: _,
        destinations,
        handles: _,
        afd_handles: _,
        owner_source: _,
        oldest_port_100ns: _,
        pid_is_now,
        is_absent: _,
        runs_as: _,
        is_given_again: _,
    } = row;
    for path in image_path.iter_mut() {
        *path = names.image_path(path);
    }
    for name in image.iter_mut().chain(pid_given_to).chain(pid_is_now) {
        *name = names.image(name);
    }
    for service in services.iter_mut().chain(socket_service) {
        *service = names.service(service);
    }
    for Destination { remote, connects: _ } in destinations {
        *remote = names.endpoint(remote);
    }
}

fn image(row: &mut ImageRow, names: &mut Pseudonyms) {
    let ImageRow {
        image,
        services,
        processes: _,
        ports: _,
        share_of_pool: _,
        pool: _,
        bind_failures: _,
        pattern: _,
        time_wait: _,
        holders: _,
        beside: _,
    } = row;
    *image = names.image(image);
    services.iter_mut().for_each(|service| *service = names.service(service));
}

fn procedure_row(row: &mut ProcedureRow, names: &mut Pseudonyms) {
    let ProcedureRow {
        pid: _,
        process: _,
        image,
        services,
        bound: _,
        close_wait: _,
        time_wait: _,
        established: _,
        listening: _,
        other_tcp: _,
        udp: _,
        handles: _,
        afd_handles: _,
        remarks: _,
    } = row;
    image.iter_mut().for_each(|image| *image = names.image(image));
    services.iter_mut().for_each(|service| *service = names.service(service));
}

fn pool(row: &mut PoolRow, names: &mut Pseudonyms) {
    let PoolRow {
        protocol: _,
        family: _,
        compartment: _,
        local_address,
        start: _,
        count: _,
        source: _,
        refuted: _,
        held_peak: _,
        held_end: _,
        time_wait_estimate: _,
        time_wait_estimate_long: _,
        time_wait_seconds: _,
        set_aside: _,
        occupied_peak: _,
        explained: _,
        bind_failures: _,
        connect_failures: _,
        tcpip_refusals: _,
        given: _,
        state: _,
        moment: _,
        left_at_end: _,
        forecast: _,
        wider: _,
        is_of_interest: _,
        is_narrowed: _,
        failed_once: _,
        known_by: _,
        listed_time_wait: _,
        listed_with_room: _,
        most_listed_waiting: _,
        failing_alone: _,
    } = row;
    local_address.iter_mut().for_each(|address| *address = names.endpoint(address));
}

fn address(row: &mut AddressRow, names: &mut Pseudonyms) {
    let AddressRow { family: _, local_address, protocol: _, bind_failures: _, ports_held: _ } = row;
    local_address.iter_mut().for_each(|address| *address = names.endpoint(address));
}

fn destination(row: &mut CaseDestination, names: &mut Pseudonyms) {
    let CaseDestination { remote, port: _, state: _, sockets: _, connects: _ } = row;
    remote.iter_mut().for_each(|remote| *remote = names.ip(*remote));
}

fn used_address(row: &mut AddressUse, names: &mut Pseudonyms) {
    row.local_address = names.ip(row.local_address);
}

fn system_event(row: &mut SystemEventRow, names: &mut Pseudonyms) {
    let SystemEventRow { time: _, provider: _, id: _, source, in_span: _ } = row;
    *source = names.path(source);
}

fn recommendation(row: &mut Recommendation, names: &mut Pseudonyms) {
    let Recommendation { code: _, text, commands, changes_state: _, undo } = row;
    for text in std::iter::once(text).chain(commands).chain(undo) {
        *text = names.sentence(text);
    }
}

fn side_input(row: &mut SideInput, names: &mut Pseudonyms) {
    let SideInput {
        path: _,
        kind: _,
        used: _,
        note,
        rows: _,
        rows_not_understood: _,
        first_not_understood: _,
        encoding: _,
        encoding_by: _,
    } = row;
    note.iter_mut().for_each(|note| *note = names.sentence(note));
}

fn notes(coverage: &mut CoverageSummary, names: &mut Pseudonyms) {
    let CoverageSummary {
        records_decoded: _,
        records_skipped: _,
        records_unknown: _,
        records_malformed: _,
        bytes_skipped: _,
        unknown_versions: _,
        notes,
        buffers: _,
        buffers_damaged: _,
        records: _,
    } = coverage;
    notes.iter_mut().for_each(|note| *note = names.sentence(note));
    notes.push(names.account());
}
