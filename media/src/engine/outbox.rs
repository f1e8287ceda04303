//! Outputs in order, packets in one buffer that is used again and again.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;

use super::command::{Event, MediaLegKey};
use super::record::Recorded;

/// What waits to be polled.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    waiting: VecDeque<Waiting>,
}

/// One output; a packet's bytes lie in the outbox.
#[derive(Debug)]
pub(crate) enum Waiting {
    Packet { leg: MediaLegKey, rtcp: bool, to: SocketAddr, range: Range<usize> },
    Event(Event),
    Recorded(Recorded),
}

impl Outbox {
    pub(crate) fn event(&mut self, event: Event) {
        self.waiting.push_back(Waiting::Event(event));
    }

    pub(crate) fn recorded(&mut self, recorded: Recorded) {
        self.waiting.push_back(Waiting::Recorded(recorded));
    }

    /// Adds a packet that `write` appends to the buffer; none if it says so.
    pub(crate) fn packet(
        &mut self,
        leg: MediaLegKey,
        rtcp: bool,
        to: SocketAddr,
        write: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) {
        let start = self.bytes.len();
        if write(&mut self.bytes).is_none() {
            return self.bytes.truncate(start);
        }
        self.waiting.push_back(Waiting::Packet { leg, rtcp, to, range: start..self.bytes.len() });
    }

    /// The next output. When none is left the buffer starts over.
    pub(crate) fn next(&mut self) -> Option<Waiting> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            self.bytes.clear();
        }
        next
    }

    /// A packet's bytes, until the last output was polled.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }
}
