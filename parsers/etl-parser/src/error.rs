use std::fmt;

/// What is wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The first buffer is not that of a trace.
    NotATrace,
    /// The file ends inside a buffer or a record.
    Truncated,
    /// A buffer's size field cannot be right.
    BufferSizeOutOfRange,
    /// A buffer of a trace with equal buffers has another size, and the next buffer stands where the others' size says.
    IrregularBufferSize,
    /// The compressed buffers so far announce more data than a trace of this size may hold.
    ExpansionBudget,
    /// A buffer's end of data lies outside of it.
    EndOfDataOutOfRange,
    /// The first word of a record is no record marker.
    UnknownMarker,
    /// A record is smaller than its fixed header.
    RecordTooShort,
    /// A record is larger than what is left of its buffer.
    RecordTooLong,
    /// The chain of extended data items leaves its record or does not advance.
    ExtendedItem,
    /// A compressed buffer does not expand to the length it announces.
    Decompression,
    /// Bytes that belong to no buffer.
    StrayBytes,
}

/// What the damage costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Consequence {
    /// Nothing is lost: what is damaged was not needed.
    Nothing,
    /// This record's payload; the next record is read.
    Record,
    /// The rest of this buffer; the records before it are good.
    RestOfBuffer,
    /// This buffer; the others are read.
    Buffer,
    /// Nothing can be read.
    File,
}

/// Damage in a trace: what, where, and what it costs.
///
/// `need` and `have` are bytes, except for [`ErrorKind::UnknownMarker`], where `have` is the word found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// What it costs.
    pub consequence: Consequence,
    /// Absolute offset in the file, in bytes. In a compressed buffer: that of the buffer.
    pub offset: u64,
    /// Number of the buffer in the file, from 0.
    pub buffer: Option<u32>,
    /// Absolute offset of that buffer, in bytes.
    pub buffer_offset: Option<u64>,
    /// Number of the record in its buffer, from 0.
    pub record: Option<u32>,
    /// The field or structure that failed.
    pub field: &'static str,
    /// Bytes needed (or the limit).
    pub need: u64,
    /// Bytes there (or the value found).
    pub have: u64,
}

impl Error {
    pub(crate) fn new(
        kind: ErrorKind,
        consequence: Consequence,
        offset: u64,
        field: &'static str,
        need: u64,
        have: u64,
    ) -> Self {
        Self { kind, consequence, offset, buffer: None, buffer_offset: None, record: None, field, need, have }
    }

    pub(crate) fn in_buffer(mut self, index: u32, offset: u64) -> Self {
        self.buffer = Some(index);
        self.buffer_offset = Some(offset);
        self
    }

    pub(crate) fn in_record(mut self, index: u32) -> Self {
        self.record = Some(index);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(buffer), Some(offset)) = (self.buffer, self.buffer_offset) {
            write!(f, "buffer {buffer} at {offset:#x}")?;
            if let Some(record) = self.record {
                write!(f, ", record {record}")?;
                if self.offset != offset {
                    write!(f, " at {:#x}", self.offset)?;
                }
            }
            write!(f, ": ")?;
        } else {
            write!(f, "at {:#x}: ", self.offset)?;
        }
        let (field, need, have) = (self.field, self.need, self.have);
        match self.kind {
            ErrorKind::NotATrace => write!(f, "not an ETW trace: {field} is {have:#x}, expected {need:#x}")?,
            ErrorKind::Truncated => write!(f, "the file ends early: {field} needs {need} bytes, {have} remain")?,
            ErrorKind::BufferSizeOutOfRange => {
                write!(f, "{field} {have} is not between 72 and {need}")?;
            }
            ErrorKind::IrregularBufferSize => write!(f, "{field} {have} is not the {need} of this trace's buffers")?,
            ErrorKind::ExpansionBudget => write!(f, "{field} exceed {need} bytes with the {have} of this buffer")?,
            ErrorKind::EndOfDataOutOfRange if have < 72 => {
                write!(f, "used bytes {have} are less than the buffer header's 72")?;
            }
            ErrorKind::EndOfDataOutOfRange => write!(f, "used bytes {have} exceed buffer size {need}")?,
            ErrorKind::UnknownMarker => write!(f, "{field} expected, found {have:#010x}")?,
            ErrorKind::RecordTooShort => write!(f, "{field} needs {need} bytes, the record says {have}")?,
            ErrorKind::RecordTooLong => write!(f, "{field} says {need} bytes, {have} remain")?,
            ErrorKind::ExtendedItem => write!(f, "{field} needs {need} bytes, {have} remain")?,
            ErrorKind::Decompression => write!(f, "{field} announces {need} bytes, {have} could be decompressed")?,
            ErrorKind::StrayBytes => write!(f, "{have} bytes belong to no buffer ({field})")?,
        }
        match self.consequence {
            Consequence::Nothing => write!(f, "; nothing of it lost"),
            Consequence::Record => write!(f, "; record skipped"),
            Consequence::RestOfBuffer => write!(f, "; rest of buffer skipped"),
            Consequence::Buffer if self.kind == ErrorKind::StrayBytes => write!(f, "; skipped"),
            Consequence::Buffer => write!(f, "; buffer skipped"),
            Consequence::File => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_where_what_and_what_it_costs() {
        let error = Error::new(ErrorKind::EndOfDataOutOfRange, Consequence::Buffer, 0x290_0030, "Offset", 65536, 70000)
            .in_buffer(41, 0x290_0000);
        assert_eq!(
            error.to_string(),
            "buffer 41 at 0x2900000: used bytes 70000 exceed buffer size 65536; buffer skipped"
        );
        let error =
            Error::new(ErrorKind::RecordTooShort, Consequence::RestOfBuffer, 0x290_0318, "event header", 80, 52)
                .in_buffer(41, 0x290_0000)
                .in_record(7);
        assert_eq!(
            error.to_string(),
            "buffer 41 at 0x2900000, record 7 at 0x2900318: event header needs 80 bytes, the record says 52; rest of buffer skipped"
        );
    }
}
