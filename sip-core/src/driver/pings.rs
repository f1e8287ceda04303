//! Pings on connections of ours (RFC 5626 §3.5.1): they hold a NAT open, and tell a dead connection from a silent one.

use std::time::Duration;
use tokio::time::Instant;

/// When the next ping is due on one connection, and whether its answer is.
pub(super) struct Pings {
    interval: Duration,
    patience: Duration,
    next: Instant,
    /// Until when the answer to the last one may take.
    awaited: Option<Instant>,
    /// The far end has answered once: from then on silence means something. Many never do.
    answers: bool,
}

/// What is to be done when a deadline of [`Pings`] has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Send,
    /// No answer came, from somebody who used to answer.
    Dead,
}

impl Pings {
    pub(super) fn new(now: Instant, interval: Duration, patience: Duration) -> Pings {
        Pings { interval, patience, next: now + interval, awaited: None, answers: false }
    }

    /// When [`due`](Self::due) has work.
    pub(super) fn at(&self) -> Instant {
        self.awaited.map_or(self.next, |at| at.min(self.next))
    }

    pub(super) fn due(&mut self, now: Instant) -> Due {
        if self.awaited.is_some_and(|at| at <= now) {
            self.awaited = None;
            if self.answers {
                return Due::Dead;
            }
        }
        if self.next > now {
            return Due::Nothing;
        }
        self.next = now + self.interval;
        self.awaited = Some(now + self.patience);
        Due::Send
    }

    /// A message came: the connection lives.
    pub(super) fn heard(&mut self) {
        self.awaited = None;
    }

    /// A line end came. Whether it is the answer to a ping of ours.
    pub(super) fn answered(&mut self) -> bool {
        let awaited = self.awaited.take().is_some();
        self.answers |= awaited;
        awaited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn silence_counts_only_against_who_has_answered_before() {
        let start = Instant::now();
        let mut pings = Pings::new(start, 100 * SECOND, 10 * SECOND);
        assert_eq!((pings.at(), pings.due(start + SECOND)), (start + 100 * SECOND, Due::Nothing));
        assert_eq!(pings.due(start + 100 * SECOND), Due::Send);
        assert_eq!(pings.due(start + 110 * SECOND), Due::Nothing, "it has never answered");
        assert_eq!(pings.due(start + 200 * SECOND), Due::Send);
        assert!(pings.answered() && !pings.answered());
        assert_eq!(pings.due(start + 300 * SECOND), Due::Send);
        assert_eq!((pings.at(), pings.due(start + 310 * SECOND)), (start + 310 * SECOND, Due::Dead));
    }

    #[test]
    fn a_message_is_as_good_as_an_answer() {
        let start = Instant::now();
        let mut pings = Pings::new(start, 100 * SECOND, 10 * SECOND);
        pings.due(start + 100 * SECOND);
        pings.answered();
        pings.due(start + 200 * SECOND);
        pings.heard();
        assert_eq!(pings.due(start + 210 * SECOND), Due::Nothing);
    }
}
