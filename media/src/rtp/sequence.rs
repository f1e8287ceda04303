//! The sequence numbers of one source: RFC 3550 appendix A.1, and A.3 for what is missing.
//!
//! A.1's probation of new sources is left out: the latch has already tied the source to an address.

use crate::quality::Losses;

/// A step forward beyond this is a jump, not loss (A.1).
const MAX_DROPOUT: u16 = 3_000;
/// A step back within this is reordering, beyond it a jump (A.1).
const MAX_MISORDER: u16 = 100;
/// Numbers start one cycle up, so that packets older than the first one have a place below it.
const FIRST_CYCLE: u64 = 1 << 16;
/// Packets we remember, the newest included.
const WINDOW: u64 = 64;

/// What one packet's sequence number says. The number that comes with it is extended: it does not wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Newer than all before; numbers may be missing in between.
    InOrder(u64),
    /// Older than the newest but not seen before.
    Reordered(u64),
    /// Seen before.
    Duplicate,
    /// Older than the 64 packets we remember: new or a duplicate, too late for use in either case.
    Late,
    /// Far off, the first of its kind: one stray packet, or a source that starts afresh.
    Jump,
    /// The second in a row after a jump: the source has started afresh with this number.
    Restarted(u64),
}

/// Sequence numbers of one source since it was first heard.
#[derive(Debug, Clone)]
pub struct Sequence {
    base: u64,
    highest: u64,
    /// Bit n: number `highest - n` has come.
    seen: u64,
    received: u64,
    after_jump: Option<u16>,
    /// Made with the first loss.
    losses: Option<Box<Losses>>,
    prior_expected: u64,
    prior_received: u64,
}

impl Sequence {
    /// A source whose first packet carries `first`; give that packet to [`arrive`](Self::arrive) too.
    pub fn new(first: u16) -> Sequence {
        let base = FIRST_CYCLE + u64::from(first);
        let highest = base - 1;
        Sequence {
            base,
            highest,
            seen: 0,
            received: 0,
            after_jump: None,
            losses: None,
            prior_expected: 0,
            prior_received: 0,
        }
    }

    /// Sorts in one packet (A.1 `update_seq`).
    pub fn arrive(&mut self, sequence: u16) -> Arrival {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        match ahead {
            0 => self.old(0),
            1..MAX_DROPOUT => self.advance(u64::from(ahead)),
            _ if ahead <= 0u16.wrapping_sub(MAX_MISORDER) => self.jump(sequence),
            _ => self.old(u64::from(ahead.wrapping_neg())),
        }
    }

    fn advance(&mut self, by: u64) -> Arrival {
        // In order and with nothing missing behind: the usual case costs this comparison.
        if by > 1 || self.seen >> (WINDOW - 1) == 0 {
            self.lose_what_leaves(by);
        }
        self.highest += by;
        self.seen = if by < WINDOW { self.seen << by | 1 } else { 1 };
        self.received += 1;
        self.after_jump = None;
        Arrival::InOrder(self.highest)
    }

    fn old(&mut self, behind: u64) -> Arrival {
        self.received += 1;
        if behind >= WINDOW {
            return Arrival::Late;
        }
        if self.seen >> behind & 1 == 1 {
            return Arrival::Duplicate;
        }
        self.seen |= 1 << behind;
        Arrival::Reordered(self.highest - behind)
    }

    fn jump(&mut self, sequence: u16) -> Arrival {
        if self.after_jump != Some(sequence) {
            self.after_jump = Some(sequence.wrapping_add(1));
            return Arrival::Jump;
        }
        let losses = self.losses();
        *self = Sequence::new(sequence);
        self.losses = losses.lost.gt(&0).then(|| Box::new(losses));
        self.advance(1);
        Arrival::Restarted(self.highest)
    }

    /// What is not here when it becomes older than our memory is lost.
    #[cold]
    fn lose_what_leaves(&mut self, by: u64) {
        let oldest = (self.highest + 1 - WINDOW).max(self.base);
        let staying = (self.highest + by + 1 - WINDOW).max(self.base);
        self.lose_unseen(oldest, staying.min(self.highest + 1));
        if staying > self.highest + 1 {
            let lost = (staying - self.highest - 1) as u32;
            self.losses.get_or_insert_default().lose(self.highest + 1, lost);
        }
    }

    /// Of the numbers from `first` to before `end`, those that have not come. None is above the highest.
    fn lose_unseen(&mut self, first: u64, end: u64) {
        for number in first..end {
            if self.seen >> (self.highest - number) & 1 == 0 {
                self.losses.get_or_insert_default().lose(number, 1);
            }
        }
    }

    /// What is missing so far, also of the last 64, which might still come.
    #[must_use]
    pub fn losses(&self) -> Losses {
        let mut now = self.clone();
        now.lose_unseen((now.highest + 1).saturating_sub(WINDOW).max(now.base), now.highest + 1);
        now.losses.unwrap_or_default().plus(Losses::default())
    }

    /// Packets that came, duplicates and late ones included (A.3).
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets missing since the start; negative when duplicates outnumber them (A.3).
    pub fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }

    /// Cycles in the upper half, highest number in the lower: the report block's form (§6.4.1).
    pub fn extended_highest(&self) -> u32 {
        (self.highest - FIRST_CYCLE) as u32
    }

    /// Share of packets lost since the last call, in 256ths (A.3). Asking starts a new interval.
    pub fn take_fraction_lost(&mut self) -> u8 {
        let expected = self.expected() - self.prior_expected;
        let received = self.received - self.prior_received;
        self.prior_expected = self.expected();
        self.prior_received = self.received;
        match expected.checked_sub(received) {
            Some(lost) if expected > 0 => (lost * 256 / expected).min(255) as u8,
            _ => 0,
        }
    }

    fn expected(&self) -> u64 {
        self.highest + 1 - self.base
    }
}
