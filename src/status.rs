//! NTSTATUS values that look like the one that this program is about.

pub use etw_schema::NtStatus;

/// Whether the low 16 bits are those of [`NtStatus::TOO_MANY_ADDRESSES`] and the rest is not:
/// Network Monitor's filter (`Code == 0x209`) matches these too.
pub fn shares_low_word_only(status: NtStatus) -> bool {
    status != NtStatus::TOO_MANY_ADDRESSES && status.0 & 0xFFFF == 0x0209
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_low_word_alone_is_another_status() {
        assert!(shares_low_word_only(NtStatus(0x8000_0209)));
        assert!(shares_low_word_only(NtStatus(0x0000_0209)));
        assert!(!shares_low_word_only(NtStatus::TOO_MANY_ADDRESSES));
        assert!(!shares_low_word_only(NtStatus(0xC000_020A)));
    }
}
