//! The records of several traces as one stream, by time.

use etl_parser::{OrderedRecord, OrderedRecords, Trace};

use crate::time::FileTime;

/// Gives records with the number of their trace; of records of the same time, that of the first trace first. Of each trace at
/// most one open buffer for each processor is held.
pub struct Streams<'t, 'a> {
    streams: Vec<Stream<'t, 'a>>,
    /// Places that could not be read, so far.
    pub damaged: u64,
}

impl<'t, 'a> Streams<'t, 'a> {
    /// Before the first record.
    pub fn new(traces: &'t [Trace<'a>]) -> Self {
        let mut damaged = traces.iter().map(Trace::damaged).sum();
        let streams = traces.iter().map(|trace| Stream::new(trace, &mut damaged)).collect();
        Self { streams, damaged }
    }

    /// When the next record is, and of which trace.
    pub fn next_time(&self) -> Option<(FileTime, usize)> {
        let times = self.streams.iter().enumerate().filter_map(|(number, stream)| Some((stream.time?, number)));
        times.min()
    }
}

impl<'t> Iterator for Streams<'t, '_> {
    type Item = (usize, OrderedRecord<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        let (_, number) = self.next_time()?;
        let record = self.streams.get_mut(number)?.take(&mut self.damaged)?;
        Some((number, record))
    }
}

/// One trace's records, the next one at hand.
struct Stream<'t, 'a> {
    records: OrderedRecords<'t, 'a>,
    next: Option<OrderedRecord<'t>>,
    /// When the next one is.
    time: Option<FileTime>,
}

impl<'t, 'a> Stream<'t, 'a> {
    fn new(trace: &'t Trace<'a>, damaged: &mut u64) -> Self {
        let mut stream = Self { records: trace.records(), next: None, time: None };
        stream.take(damaged);
        stream
    }

    /// Gives the record at hand and reads on.
    fn take(&mut self, damaged: &mut u64) -> Option<OrderedRecord<'t>> {
        let taken = self.next.take();
        self.next = loop {
            match self.records.next() {
                Some(Ok(record)) => break Some(record),
                Some(Err(_)) => *damaged += 1,
                None => break None,
            }
        };
        self.time = self.next.as_ref().map(OrderedRecord::order_time);
        taken
    }
}
