//! Process events: payloads of any bytes, MOF in both widths and every version, Kernel-Process of every id and version.
#![no_main]

use synth::process::{KERNEL_PROCESS, MOF_PROCESS, PROCESS_GROUP};
use synth::record::{Descriptor, Origin, Record};
use synth::{Guid, Pointer};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(([form, id, version], payload)) = bytes.split_first_chunk::<3>() else { return };
    let payload = &payload[..payload.len().min(0xC00)];
    let (origin, version, opcode) = (Origin::new(4, 8), *version, *id);
    let hook = PROCESS_GROUP | u16::from(opcode);
    let record = match form % 5 {
        0 => Record::System { origin, hook, version, payload },
        1 => Record::PerfInfo { hook, version, pebs: None, counters: &[], payload },
        2 => Record::Full { origin, provider: MOF_PROCESS, opcode, level: 0, version: version.into(), payload },
        3 => Record::Compact { origin, hook, version, payload },
        _ => Record::Event {
            origin,
            provider: KERNEL_PROCESS,
            descriptor: Descriptor { id: opcode.into(), version, ..Descriptor::default() },
            activity: Guid::default(),
            extended: &[],
            payload,
        },
    };
    let mut encoded = Vec::new();
    record.encode(if form & 0x80 == 0 { Pointer::Eight } else { Pointer::Four }, 1, &mut encoded);
    outofports_fuzz::check(&etl_parser_fuzz::framed(&encoded), &[]);
});
