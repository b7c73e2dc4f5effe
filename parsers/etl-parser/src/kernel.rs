//! Kernel records name their event by a hook id: group and type, one byte each.

use crate::Guid;

/// `Group << 8 | Type` of System, Compact and PerfInfo records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HookId(pub u16);

impl HookId {
    /// The log-file header record.
    pub const LOGFILE_HEADER: Self = Self(0);

    /// Group, the high byte.
    pub fn group(self) -> u8 {
        self.0.to_be_bytes()[0]
    }

    /// Type within the group, the low byte: the opcode that consumers see.
    pub fn opcode(self) -> u8 {
        self.0.to_be_bytes()[1]
    }

    /// The provider GUID under which consumers see the event.
    ///
    /// Image load (0x030A) is logged in the Process group and delivered as an Image event.
    pub fn provider(self) -> Guid {
        match self.0 {
            0x030A => group_guid(0x14),
            _ => group_guid(self.group()),
        }
    }
}

/// Name and GUID of each kernel event group, by number.
/// Source: Geoff Chappell, "Hook ids"; dissect.etl `utils.py`; PerfView `KernelTraceEventParser.cs`.
const GROUPS: [(&str, u128); 31] = [
    ("EventTrace", 0x68FD_D900_4A3E_11D1_84F4_0000_F804_64E3),
    ("DiskIo", 0x3D6F_A8D4_FE05_11D0_9DDA_00C0_4FD7_BA7C),
    ("PageFault", 0x3D6F_A8D3_FE05_11D0_9DDA_00C0_4FD7_BA7C),
    ("Process", 0x3D6F_A8D0_FE05_11D0_9DDA_00C0_4FD7_BA7C),
    ("FileIo", 0x90CB_DC39_4A3E_11D1_84F4_0000_F804_64E3),
    ("Thread", 0x3D6F_A8D1_FE05_11D0_9DDA_00C0_4FD7_BA7C),
    ("TcpIp", 0x9A28_0AC0_C8E0_11D1_84E2_00C0_4FB9_98A2),
    ("Job", 0x3282_FC76_FEED_498E_8AA7_E70F_459D_430E),
    ("UdpIp", 0xBF3A_50C5_A9C9_4988_A005_2DF0_B7C8_0F80),
    ("Registry", 0xAE53_722E_C863_11D2_8659_00C0_4FA3_21A1),
    ("DbgPrint", 0x1397_6D09_A327_438C_950B_7F03_1928_15C7),
    ("SystemConfig", 0x0185_3A65_418F_4F36_AEFC_DC0F_1D2F_D235),
    ("Spare1", 0x9913_4383_5248_43FC_834B_5294_54E7_5DF3),
    ("Wnf", 0x4269_5762_EA50_497A_9068_5CBB_B35E_0B95),
    ("Pool", 0x0268_A8B6_74FD_4302_9DD0_6E8F_1795_C0CF),
    ("PerfInfo", 0xCE1D_BFB4_137E_4DA6_87B0_3F59_AA10_2CBC),
    ("Heap", 0x2229_62AB_6180_4B88_A825_346B_75F2_A24A),
    ("Object", 0x8949_7F50_EFFE_4440_8CF2_CE6B_1CDC_ACA7),
    ("Power", 0xE434_45E0_0903_48C3_B878_FF0F_CCEB_DD04),
    ("ModBound", 0xA915_2F00_3F58_4BEE_92A1_70C7_D079_D5DD),
    ("Image", 0x2CB1_5D1D_5FC1_11D2_ABE1_00A0_C911_F518),
    ("Dpc", 0xB2D1_4872_7C5B_463D_8419_EE9B_F7D2_3E04),
    ("Cc", 0x7687_A439_F752_45B8_B741_321A_EC0F_8DF9),
    ("CritSec", 0x3AC6_6736_CC59_4CFF_8115_8DF5_0E39_816B),
    ("StackWalk", 0xDEF2_FE46_7BD6_4B80_BD94_F57F_E20D_0CE3),
    ("Ums", 0x9AEC_974B_5B8E_4118_9B92_3186_D800_2CE5),
    ("Alpc", 0x45D8_CCCD_539F_4B72_A8B7_5C68_3142_609A),
    ("SplitIo", 0xD837_CA92_12B9_44A5_AD6A_3A65_B357_8AA8),
    ("ThreadPool", 0xC861_D0E2_A2C1_4D36_9F9C_970B_AB94_3A12),
    ("Hypervisor", 0x7F2A_405C_69B5_4BF9_A1F5_30E8_F1AF_AB5E),
    ("HypervisorX", 0x2CE9_A149_EFFE_42F0_A635_A1D3_9E26_C8F2),
];

/// The name of a kernel event group; `None` for a group that no source names.
pub fn group_name(group: u8) -> Option<&'static str> {
    GROUPS.get(usize::from(group)).map(|(name, _)| *name)
}

/// The GUID of a kernel event group; null for a group that no source names.
pub fn group_guid(group: u8) -> Guid {
    GROUPS.get(usize::from(group)).map_or(Guid::ZERO, |(_, guid)| Guid::from_u128(*guid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_split_into_group_and_opcode() {
        let hook = HookId(0x0303);
        assert_eq!((hook.group(), hook.opcode()), (3, 3));
        assert_eq!(hook.provider().to_string(), "3d6fa8d0-fe05-11d0-9dda-00c04fd7ba7c");
        assert_eq!(HookId(0x030A).provider().to_string(), "2cb15d1d-5fc1-11d2-abe1-00a0c911f518");
        assert_eq!(group_name(0x0F), Some("PerfInfo"));
        assert_eq!((group_name(0x1F), group_guid(0x1F)), (None, Guid::ZERO));
    }
}
