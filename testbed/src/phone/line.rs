//! What came over the line, as RTP's own numbers tell it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// What came over the line in one call, as RTP's own numbers tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Different SSRCs.
    pub sources: BTreeSet<u32>,
    /// Packets whose number was not the one after the packet before.
    pub jumps: u32,
    /// Packets whose timestamp was not later than that of the packet before.
    pub backwards: u32,
    /// Longest time between two packets.
    pub longest_gap: Duration,
    last: Option<(Instant, u16, u32)>,
}

impl Line {
    pub(super) fn hear(&mut self, now: Instant, packet: &[u8]) {
        let word =
            |at: usize| u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
        let (sequence, timestamp) = (u16::from_be_bytes([packet[2], packet[3]]), word(4));
        self.sources.insert(word(8));
        if let Some((at, before, earlier)) = self.last.replace((now, sequence, timestamp)) {
            self.jumps += u32::from(sequence != before.wrapping_add(1));
            self.backwards += u32::from(timestamp.wrapping_sub(earlier).cast_signed() < 0);
            self.longest_gap = self.longest_gap.max(now - at);
        }
    }
}
