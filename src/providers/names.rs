//! Names of providers and kernel events, for people. A name is never a key.

use etl_parser::{Guid, HookId, group_name};

/// Providers that turn up in network traces. Source: Microsoft's public provider lists (those of its support tool TSS among
/// them) and manifests, and providers as public event logs name them; PerfView for the
/// classes that a merge adds.
const PROVIDERS: [(u128, &str); 54] = [
    (0xe53c6823_7bb8_44bb_90dc_3f86090d48a6, "Microsoft-Windows-Winsock-AFD"),
    (0x2f07e2ee_15db_40f1_90ef_9d7ba282188a, "Microsoft-Windows-TCPIP"),
    (0x22fb2cd6_0e7b_422b_a0c7_2fad1fd0e716, "Microsoft-Windows-Kernel-Process"),
    (0x7dd42a49_5329_4832_8dfd_43d979153a88, "Microsoft-Windows-Kernel-Network"),
    (0x2ed6006e_4729_4609_b423_3ee7bcd678ef, "Microsoft-Windows-NDIS-PacketCapture"),
    (0x4d4f80d9_c8bd_4d73_bb5b_19c90402c5ac, "Microsoft-Windows-PktMon"),
    (0x83ed54f0_4d48_4e45_b16e_726ffd1fa4af, "Microsoft-Windows-Networking-Correlation"),
    (0x0c478c5b_0351_41b1_8c58_4a6737da32e3, "Microsoft-Windows-WFP"),
    (0x55404e71_4db9_4deb_a5f5_8f86e46dde56, "Microsoft-Windows-Winsock-NameResolution"),
    (0x1c95126e_7eea_49a9_a3fe_a378b03ddb4d, "Microsoft-Windows-DNS-Client"),
    (0x7d44233d_3055_4b9c_ba64_0d47ca40a232, "Microsoft-Windows-WinHttp"),
    (0x43d1a55c_76d6_4f7e_995c_64c711e5cafe, "Microsoft-Windows-WinINet"),
    (0xd5c25f9a_4d47_493e_9184_40dd397a004d, "Microsoft-Windows-Winsock-WS2HELP"),
    (0xeb004a05_9b1a_11d4_9123_0050047759bc, "NETIO"),
    (0xcdead503_17f5_4a3e_b7ae_df8cc2902eb9, "Microsoft-Windows-NDIS"),
    (0x15a7a4f8_0072_4eab_abad_f98a4d666aed, "Microsoft-Windows-Dhcp-Client"),
    (0x314de49f_ce63_4779_ba2b_d616f6963a88, "Microsoft-Windows-NCSI"),
    (0xfbcfac3f_8459_419f_8e48_1f0b49cdb85e, "Microsoft-Windows-NetworkProfile"),
    (0x9580d7dd_0379_4658_9870_d5be7d52d6de, "Microsoft-Windows-WLAN-AutoConfig"),
    (0xd1bc9aff_2abf_4d71_9146_ecb2a986eb85, "Microsoft-Windows-Windows Firewall With Advanced Security"),
    (0x50b3e73c_9370_461d_bb9f_26f32d68887d, "Microsoft-Windows-WebIO"),
    (0xdd5ef90a_6398_47a4_ad34_4dcecdef795f, "Microsoft-Windows-HttpService"),
    (0x988c59c5_0a1c_45b6_a555_0c62276e327d, "Microsoft-Windows-SMBClient"),
    (0x6ad52b32_d609_4be9_ae07_ce8dae937e39, "Microsoft-Windows-RPC"),
    (0xef1cc15b_46c1_414e_bb95_e76b077bd51e, "Microsoft-Windows-Bits-Client"),
    (0x5bbca4a8_b209_48dc_a8c7_b23d3e5216fb, "Microsoft-Windows-CAPI2"),
    (0x945a8954_c147_4acd_923f_40c45405a658, "Microsoft-Windows-WindowsUpdateClient"),
    (0x0063715b_eeda_4007_9429_ad526f62696e, "Microsoft-Windows-Services"),
    (0xa68ca8b7_004f_d7b6_a698_07e2de0f1f5d, "Microsoft-Windows-Kernel-General"),
    (0x331c3b3a_2005_44c2_ac5e_77220c37d6b4, "Microsoft-Windows-Kernel-Power"),
    (0x0f67e49f_fe51_4e9f_b490_6f2948cc6027, "Microsoft-Windows-Kernel-Processor-Power"),
    (0x9c205a39_1250_487d_abd7_e831c6290539, "Microsoft-Windows-Kernel-PnP"),
    (0x70eb4f03_c1de_4f73_a051_33d13d5413bd, "Microsoft-Windows-Kernel-Registry"),
    (0xb675ec37_bdb6_4648_bc92_f3fdc74d3ca2, "Microsoft-Windows-Kernel-EventTracing"),
    (0x802ec45a_1e99_4b83_9920_87c98277ba9d, "Microsoft-Windows-DxgKrnl"),
    (0x3d6fa8d0_fe05_11d0_9dda_00c04fd7ba7c, "Process"),
    (0x2cb15d1d_5fc1_11d2_abe1_00a0c911f518, "Image"),
    (0x3d6fa8d1_fe05_11d0_9dda_00c04fd7ba7c, "Thread"),
    (0x9a280ac0_c8e0_11d1_84e2_00c04fb998a2, "TcpIp"),
    (0xbf3a50c5_a9c9_4988_a005_2df0b7c80f80, "UdpIp"),
    (0xce1dbfb4_137e_4da6_87b0_3f59aa102cbc, "PerfInfo"),
    (0x68fdd900_4a3e_11d1_84f4_0000f80464e3, "EventTrace"),
    (0xbbccf6c1_6cd1_48c4_80ff_839482e37671, "EventMetadata"),
    (0xb3e675d7_2554_4f18_830b_2762732560de, "KernelTraceControl/ImageID"),
    (0x9b79ee91_b5fd_41c0_a243_4248e266e9d0, "SysConfigEx"),
    (0xed54dff8_c409_4cf6_bf83_05e1e61a09c4, "WinSat"),
    (0xbf6ef1cb_89b5_0490_80ac_b180cfbcff0f, "PerfTrack"),
    (0xe13c0d23_ccbc_4e12_931b_d9cc2eee27e4, "Microsoft-Windows-DotNETRuntime"),
    (0xa669021c_c450_4609_a035_5af59af4df18, "Microsoft-Windows-DotNETRuntimeRundown"),
    (0x763fd754_7086_4dfe_95eb_c01a46faf4ca, "Microsoft-Windows-DotNETRuntimePrivate"),
    (0x2e5dba47_a3d2_4d16_8ee0_6671ffdcd7b5, "System.Threading.Tasks.TplEventSource"),
    (0x9e814aad_3204_11d2_9a82_006008a86939, "MSNT_SystemTrace"),
    (0x6a399ae0_4bc6_4de9_870b_3657f8947e7e, "RT_LostEvent"),
    (0xedd08927_9cc4_4e65_b970_c2560fb5c289, "Microsoft-Windows-Kernel-File"),
];

/// The name of a provider or event class; `None` for one that the table does not hold.
pub fn provider_name(guid: Guid) -> Option<&'static str> {
    PROVIDERS.iter().find(|(value, _)| Guid::from_u128(*value) == guid).map(|(_, name)| *name)
}

/// The GUID of a provider or event class by its name, in full or without `Microsoft-Windows-`, in any case.
pub fn provider_guid(name: &str) -> Option<Guid> {
    let short = |full: &str| full.strip_prefix("Microsoft-Windows-").map(str::to_owned);
    let is = |full: &str| {
        full.eq_ignore_ascii_case(name) || short(full).is_some_and(|short| short.eq_ignore_ascii_case(name))
    };
    PROVIDERS.iter().find(|(_, full)| is(full)).map(|(value, _)| Guid::from_u128(*value))
}

/// Names of kernel events. Source: phnt `ntwmi.h`; Geoff Chappell; PerfView `KernelTraceEventParser.cs`.
const HOOKS: [(u16, &str); 62] = [
    (0x0000, "Header"),
    (0x0005, "HeaderExtension"),
    (0x0008, "RundownComplete"),
    (0x0020, "GroupMasksEnd"),
    (0x0030, "RundownBegin"),
    (0x0031, "RundownEnd"),
    (0x0040, "DbgIdRsds"),
    (0x0042, "BuildLab"),
    (0x0043, "BinaryPath"),
    (0x0050, "PartitionInfo"),
    (0x010A, "Read"),
    (0x010B, "Write"),
    (0x010C, "ReadInit"),
    (0x010D, "WriteInit"),
    (0x010E, "Flush"),
    (0x010F, "FlushInit"),
    (0x0301, "Start"),
    (0x0302, "End"),
    (0x0303, "DCStart"),
    (0x0304, "DCEnd"),
    (0x030A, "ImageLoad"),
    (0x030B, "Terminate"),
    (0x0320, "PerfCtr"),
    (0x0321, "PerfCtrRundown"),
    (0x0327, "Defunct"),
    (0x0501, "Start"),
    (0x0502, "End"),
    (0x0503, "DCStart"),
    (0x0504, "DCEnd"),
    (0x0524, "CSwitch"),
    (0x0525, "CSwitchBatch"),
    (0x0532, "ReadyThread"),
    (0x060A, "Send"),
    (0x060B, "Receive"),
    (0x060C, "Connect"),
    (0x060D, "Disconnect"),
    (0x060E, "Retransmit"),
    (0x060F, "Accept"),
    (0x0610, "Reconnect"),
    (0x0611, "Fail"),
    (0x061A, "SendIPv6"),
    (0x061B, "ReceiveIPv6"),
    (0x080A, "Send"),
    (0x080B, "Receive"),
    (0x081A, "SendIPv6"),
    (0x081B, "ReceiveIPv6"),
    (0x0F2E, "SampledProfile"),
    (0x0F42, "ThreadedDPC"),
    (0x0F43, "ISR"),
    (0x0F44, "DPC"),
    (0x0F45, "TimerDPC"),
    (0x0F49, "ProfileIntervalDCStart"),
    (0x0F4A, "ProfileIntervalDCEnd"),
    (0x1402, "Unload"),
    (0x1403, "DCStart"),
    (0x1404, "DCEnd"),
    (0x1421, "KernelBase"),
    (0x1422, "HypercallPage"),
    (0x1820, "Stack"),
    (0x1824, "StackKeyRundown"),
    (0x1825, "StackKeyKernel"),
    (0x1826, "StackKeyUser"),
];

/// `Group/Event` of a kernel event, as far as either is known.
pub fn hook_name(hook: HookId) -> Option<String> {
    let group = group_name(hook.group())?;
    Some(match HOOKS.iter().find(|(value, _)| *value == hook.0) {
        Some((_, event)) => format!("{group}/{event}"),
        None => group.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_for_known_numbers_only() {
        assert_eq!(provider_name(crate::providers::afd::PROVIDER), Some("Microsoft-Windows-Winsock-AFD"));
        assert_eq!(provider_name(Guid::ZERO), None);
        assert_eq!(hook_name(HookId(0x0303)).as_deref(), Some("Process/DCStart"));
        assert_eq!(hook_name(HookId(0x0377)).as_deref(), Some("Process"));
        assert_eq!(hook_name(HookId(0x7700)), None);
    }
}
