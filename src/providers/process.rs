//! Process start, end and rundown: where image names come from.

use etl_parser::{Guid, PointerSize};

use super::Interpreted;
use super::fields::Fields;
use crate::event::{NetEvent, ProcessChange, ProcessEvent, ProcessSource};
use crate::time::FileTime;

/// Microsoft-Windows-Kernel-Process.
pub const KERNEL_PROCESS: Guid = Guid::from_u128(0x22fb_2cd6_0e7b_422b_a0c7_2fad_1fd0_e716);

/// The kernel logger's Process class (MOF), kernel event group 3.
pub const MOF_PROCESS: Guid = Guid::from_u128(0x3d6f_a8d0_fe05_11d0_9dda_00c0_4fd7_ba7c);

/// The newest known version of each Kernel-Process event: start (1), stop (2), rundown (15).
const NEWEST_START: u8 = 5;
const NEWEST_STOP: u8 = 2;
const NEWEST_RUNDOWN: u8 = 3;

/// Newest version known of an event that is decoded here; `None` for the others.
pub(super) fn newest_version(id: u16) -> Option<u8> {
    match id {
        1 => Some(NEWEST_START),
        2 => Some(NEWEST_STOP),
        15 => Some(NEWEST_RUNDOWN),
        _ => None,
    }
}

/// Decodes an event of Microsoft-Windows-Kernel-Process, of a known version.
pub(super) fn decode_kernel_process(id: u16, version: u8, payload: &[u8]) -> Interpreted {
    // No field of these events is a pointer.
    let mut fields = Fields::new(payload, PointerSize::Eight);
    let event = match id {
        1 => start(version, ProcessChange::Start, &mut fields),
        // A rundown event has the layout of the start event two versions later.
        15 => start(version.saturating_add(2), ProcessChange::Rundown, &mut fields),
        2 => stop(version, &mut fields),
        // Threads, images, priorities, freezing, jobs.
        3..=14 | 16..=32 => return Interpreted::NotNeeded,
        _ => return Interpreted::Unknown,
    };
    event.map_or(Interpreted::Malformed, |event| Interpreted::Event(NetEvent::Process(Box::new(event))))
}

fn start(version: u8, change: ProcessChange, fields: &mut Fields<'_>) -> Option<ProcessEvent> {
    let pid = fields.u32()?;
    if version >= 3 {
        fields.skip(8)?; // ProcessSequenceNumber
    }
    let created = FileTime::known(fields.i64()?);
    let parent_pid = Some(fields.u32()?);
    if version >= 3 {
        fields.skip(8)?; // ParentProcessSequenceNumber
    }
    fields.skip(4)?; // SessionID
    if version >= 1 {
        fields.skip(4)?; // Flags
    }
    if version >= 3 {
        fields.skip(8)?; // token elevation type, is elevated
        fields.sid()?; // MandatoryLabel
    }
    // From version 2 on more follows it.
    let image = if version >= 2 { fields.utf16()? } else { fields.last_utf16() };
    Some(ProcessEvent {
        source: ProcessSource::KernelProcess,
        change,
        pid,
        parent_pid,
        eprocess: None,
        created,
        exited: None,
        image: Some(image).filter(|image| !image.is_empty()),
        image_may_be_cut: false,
    })
}

fn stop(version: u8, fields: &mut Fields<'_>) -> Option<ProcessEvent> {
    let pid = fields.u32()?;
    if version >= 2 {
        fields.skip(8)?; // ProcessSequenceNumber
    }
    let created = FileTime::known(fields.i64()?);
    let exited = FileTime::known(fields.i64()?);
    fields.skip(12)?; // exit code, token elevation type, handle count
    fields.skip(16)?; // commit charge and peak
    if version >= 1 {
        fields.skip(28)?; // cycles, operations, transferred KiB, hard faults
    }
    let image = Some(fields.last_ansi()).filter(|image| !image.is_empty());
    Some(ProcessEvent {
        source: ProcessSource::KernelProcess,
        change: ProcessChange::End,
        pid,
        parent_pid: None,
        eprocess: None,
        created,
        exited,
        image,
        image_may_be_cut: true,
    })
}

/// Decodes an event of the MOF Process class, from System, PerfInfo and classic records alike.
///
/// The width of the record's header is tried first; some loggers put 64-bit payloads into 32-bit records, so where that
/// does not use up the payload and the other width does, the other is taken.
pub(super) fn decode_mof(opcode: u16, version: u8, payload: &[u8], width: PointerSize) -> Interpreted {
    let change = match opcode {
        1 => ProcessChange::Start,
        2 => ProcessChange::End,
        3 | 4 => ProcessChange::Rundown,
        0x27 => ProcessChange::Defunct,
        // Terminate, counters, swapping, freezing: no names.
        0x0A | 0x0B | 0x20..=0x26 => return Interpreted::NotNeeded,
        _ => return Interpreted::Unknown,
    };
    let other_width = match width {
        PointerSize::Four => PointerSize::Eight,
        PointerSize::Eight => PointerSize::Four,
    };
    let as_said = mof(change, version, payload, width);
    let (event, other_width_taken) = match as_said {
        Some((event, true)) => (Some(event), false),
        not_exact => match mof(change, version, payload, other_width) {
            Some((event, true)) => (Some(event), true),
            _ => (not_exact.map(|(event, _)| event), false),
        },
    };
    match event {
        Some(event) if other_width_taken => Interpreted::OtherPointerSize(NetEvent::Process(Box::new(event))),
        Some(event) => Interpreted::Event(NetEvent::Process(Box::new(event))),
        None => Interpreted::Malformed,
    }
}

/// The event, and whether it uses the payload up to its last byte.
fn mof(change: ProcessChange, version: u8, payload: &[u8], width: PointerSize) -> Option<(ProcessEvent, bool)> {
    let mut fields = Fields::new(payload, width);
    let mut eprocess = None;
    let (pid, parent_pid);
    if version == 0 {
        pid = u32::try_from(fields.pointer()?).ok()?;
        parent_pid = u32::try_from(fields.pointer()?).ok()?;
    } else {
        let key = fields.pointer()?; // the EPROCESS address from version 2 on, a page directory before
        eprocess = (version >= 2 && key != 0).then_some(key);
        pid = fields.u32()?;
        parent_pid = fields.u32()?;
        fields.skip(8)?; // session id, exit status
        if version >= 3 {
            fields.pointer()?; // DirectoryTableBase
        }
        if version >= 4 {
            fields.skip(4)?; // Flags
        }
    }
    token_user(&mut fields, width)?;
    let strings_behind = match version {
        0 | 1 => 0,
        2 | 3 => 1,
        _ => 3,
    };
    // Where nothing follows it, some writers leave out the NUL.
    let mut exact = fields.rest().contains(&0);
    let image = if strings_behind == 0 { fields.last_ansi() } else { fields.ansi()? };
    for _ in 0..strings_behind {
        // Command line, package, application: not needed, and missing in some writers' events.
        exact &= fields.utf16().is_some();
    }
    // Version 5 and later append fields; the object of an ended process then tells when that was.
    let exited = if change == ProcessChange::Defunct && version >= 5 && exact { fields.i64() } else { None };
    exact &= version >= 5 || fields.is_empty();
    let event = ProcessEvent {
        source: ProcessSource::Mof,
        change,
        pid,
        parent_pid: Some(parent_pid),
        eprocess,
        created: None,
        exited: exited.and_then(FileTime::known),
        image: Some(image).filter(|image| !image.is_empty()),
        image_may_be_cut: false,
    };
    Some((event, exact))
}

/// `TOKEN_USER`: two pointers and a SID, or four zero bytes.
///
/// The SID counts where a plausible one stands there (revision 1, at most 15 sub-authorities), whatever the pointers are.
fn token_user(fields: &mut Fields<'_>, width: PointerSize) -> Option<()> {
    let pointers = 2 * width.bytes();
    let is_sid = |sid: &[u8]| {
        let (Some(&revision), Some(&count)) = (sid.first(), sid.get(1)) else { return false };
        revision == 1 && count <= 15 && sid.len() >= 8 + 4 * usize::from(count)
    };
    if fields.rest().get(pointers..).is_some_and(is_sid) {
        fields.skip(pointers)?;
        return fields.sid();
    }
    match fields.u32()? {
        0 => Some(()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(decoded: Interpreted) -> ProcessEvent {
        match decoded {
            Interpreted::Event(NetEvent::Process(event)) | Interpreted::OtherPointerSize(NetEvent::Process(event)) => {
                *event
            }
            other => panic!("{other:?}"),
        }
    }

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn kernel_process_start_in_every_version() {
        let path = r"\Device\HarddiskVolume2\app\leaky.exe";
        for version in 0..=6_u8 {
            let mut bytes = 4120_u32.to_le_bytes().to_vec();
            if version >= 3 {
                bytes.extend(99_u64.to_le_bytes());
            }
            bytes.extend(0x01DA_0000_0000_0001_i64.to_le_bytes());
            bytes.extend(700_u32.to_le_bytes());
            if version >= 3 {
                bytes.extend(98_u64.to_le_bytes());
            }
            bytes.extend(1_u32.to_le_bytes());
            if version >= 1 {
                bytes.extend(0_u32.to_le_bytes());
            }
            if version >= 3 {
                bytes.extend([0; 8]);
                bytes.extend([1, 1, 0, 0, 0, 0, 0, 16, 0, 0x30, 0, 0]);
            }
            bytes.extend(utf16(path));
            bytes.extend([0; 12]);
            let event = process(decode_kernel_process(1, version, &bytes));
            assert_eq!((event.pid, event.parent_pid), (4120, Some(700)), "version {version}");
            assert_eq!(event.created, Some(FileTime(0x01DA_0000_0000_0001)));
            assert_eq!(event.image.as_deref(), Some(path));
            if let Some(rundown) = version.checked_sub(2).filter(|rundown| *rundown <= NEWEST_RUNDOWN) {
                let same = process(decode_kernel_process(15, rundown, &bytes));
                assert_eq!((same.pid, same.change), (4120, ProcessChange::Rundown));
                assert_eq!(same.image, event.image);
            }
        }
    }

    #[test]
    fn kernel_process_stop_in_every_version() {
        for version in 0..=2_u8 {
            let mut bytes = 4120_u32.to_le_bytes().to_vec();
            if version >= 2 {
                bytes.extend(99_u64.to_le_bytes());
            }
            bytes.extend(1_i64.to_le_bytes());
            bytes.extend(2_i64.to_le_bytes());
            bytes.extend([0; 28]);
            if version >= 1 {
                bytes.extend([0; 28]);
            }
            assert_eq!(bytes.len(), [48, 76, 84][usize::from(version)]);
            bytes.extend(b"leaky.exe\0");
            let event = process(decode_kernel_process(2, version, &bytes));
            assert_eq!((event.pid, event.change), (4120, ProcessChange::End));
            assert_eq!((event.created, event.exited), (Some(FileTime(1)), Some(FileTime(2))));
            assert_eq!(event.image.as_deref(), Some("leaky.exe"));
        }
    }

    /// A MOF payload; `sid` is what stands in the SID's place.
    fn mof_payload(version: u8, width: PointerSize, sid: &[u8]) -> Vec<u8> {
        let pointer = |value: u64| value.to_le_bytes()[..width.bytes()].to_vec();
        let mut bytes = Vec::new();
        if version == 0 {
            bytes.extend(pointer(1776));
            bytes.extend(pointer(988));
        } else {
            bytes.extend(pointer(0x8765_4320));
            bytes.extend(1776_u32.to_le_bytes());
            bytes.extend(988_u32.to_le_bytes());
            bytes.extend([0; 8]);
            if version >= 3 {
                bytes.extend(pointer(0x1AA000));
            }
            if version >= 4 {
                bytes.extend(7_u32.to_le_bytes());
            }
        }
        bytes.extend(sid);
        bytes.extend(b"notepad.exe\0");
        let strings = [0, 0, 1, 1, 3, 3][usize::from(version)];
        for text in ["notepad a.txt", "package", "application"].iter().take(strings) {
            bytes.extend(utf16(text));
        }
        if version >= 5 {
            bytes.extend([9; 8]);
        }
        bytes
    }

    #[test]
    fn mof_in_every_version_width_and_form_of_sid() {
        for version in 0..=5_u8 {
            for width in [PointerSize::Four, PointerSize::Eight] {
                let pointers = |value: u8| vec![value; 2 * width.bytes()];
                let sid = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
                let forms = [vec![0; 4], [pointers(0), sid.to_vec()].concat(), [pointers(7), sid.to_vec()].concat()];
                for form in forms {
                    let bytes = mof_payload(version, width, &form);
                    let decoded = decode_mof(3, version, &bytes, width);
                    assert!(matches!(decoded, Interpreted::Event(_)), "version {version}, {width:?}, {form:?}");
                    let event = process(decoded);
                    assert_eq!((event.pid, event.parent_pid), (1776, Some(988)));
                    assert_eq!(event.image.as_deref(), Some("notepad.exe"));
                    assert_eq!(event.eprocess, (version >= 2).then_some(0x8765_4320));
                }
            }
        }
    }

    #[test]
    fn mof_payload_of_the_other_width_is_found_out() {
        let sid = [vec![0; 16], vec![1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0]].concat();
        let bytes = mof_payload(3, PointerSize::Eight, &sid);
        let decoded = decode_mof(1, 3, &bytes, PointerSize::Four);
        assert!(matches!(decoded, Interpreted::OtherPointerSize(_)));
        assert_eq!(process(decoded).pid, 1776);
    }

    #[test]
    fn opcodes_without_names_are_not_needed() {
        assert!(matches!(decode_mof(0x0B, 2, &[1, 2, 3, 4], PointerSize::Eight), Interpreted::NotNeeded));
        assert!(matches!(decode_mof(1, 4, &[1, 2, 3, 4], PointerSize::Eight), Interpreted::Malformed));
    }
}
