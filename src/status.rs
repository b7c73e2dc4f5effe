//! NTSTATUS values that look like the one that this program is about.

pub use etw_schema::NtStatus;

/// Whether the low 16 bits are those of [`NtStatus::TOO_MANY_ADDRESSES`] and the rest is not:
/// Network Monitor's filter (`Code == 0x209`) matches these too.
pub fn shares_low_word_only(status: NtStatus) -> bool {
    status != NtStatus::TOO_MANY_ADDRESSES && status.0 & 0xFFFF == 0x0209
}

/// The statuses that programs may see as a Winsock error; `None` for an error that the table does not hold.
///
/// Sources: `NtStatusToSocketError` of Microsoft's Winsock helper samples, and libuv, which shows 0xC0000209 as 10048 and
/// not as 10055: both are met in the field.
pub fn of_winsock_error(error: u32) -> Option<&'static [NtStatus]> {
    const NO_MEMORY: NtStatus = NtStatus(0xC000_0017);
    const CONFLICTING_ADDRESSES: NtStatus = NtStatus(0xC000_0018);
    const PAGEFILE_QUOTA: NtStatus = NtStatus(0xC000_0007);
    const QUOTA_EXCEEDED: NtStatus = NtStatus(0xC000_0044);
    const WORKING_SET_QUOTA: NtStatus = NtStatus(0xC000_00A1);
    const COMMITMENT_LIMIT: NtStatus = NtStatus(0xC000_012D);
    Some(match error {
        10013 => &[NtStatus::ACCESS_DENIED, NtStatus::SHARING_VIOLATION],
        10048 => &[
            NtStatus::ADDRESS_ALREADY_EXISTS,
            NtStatus::SHARING_VIOLATION,
            CONFLICTING_ADDRESSES,
            NtStatus::TOO_MANY_ADDRESSES,
        ],
        10055 => &[
            NtStatus::TOO_MANY_ADDRESSES,
            NtStatus::INSUFFICIENT_RESOURCES,
            NO_MEMORY,
            CONFLICTING_ADDRESSES,
            PAGEFILE_QUOTA,
            QUOTA_EXCEEDED,
            WORKING_SET_QUOTA,
            COMMITMENT_LIMIT,
        ],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_ports_is_shown_as_either_winsock_error() {
        for error in [10048, 10055] {
            assert!(of_winsock_error(error).unwrap().contains(&NtStatus::TOO_MANY_ADDRESSES), "{error}");
        }
        assert_eq!(of_winsock_error(10035), None);
    }

    #[test]
    fn the_low_word_alone_is_another_status() {
        assert!(shares_low_word_only(NtStatus(0x8000_0209)));
        assert!(shares_low_word_only(NtStatus(0x0000_0209)));
        assert!(!shares_low_word_only(NtStatus::TOO_MANY_ADDRESSES));
        assert!(!shares_low_word_only(NtStatus(0xC000_020A)));
    }
}
