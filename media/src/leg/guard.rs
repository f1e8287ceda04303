//! Whether anybody can be heard: a look at the first seconds after an answer.

use std::fmt;
use std::time::{Duration, Instant};

use super::Leg;
use crate::quality::Heard;

/// Frames of digital silence that make a verdict: with fewer nobody can tell.
const FRAMES: u16 = 10;

/// Why nobody is heard though somebody ought to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DeadAir {
    /// Nothing came at all.
    Nothing,
    /// Sound came from another address than the one that was heard before, and was turned away.
    WrongSource,
    /// What came could not be opened by the agreed SRTP key.
    Unauthentic,
    /// What came has a payload type that was not agreed.
    UnknownPayload,
    /// Sound comes, and all of it is one byte of silence: a microphone that is off, a device that is not there. Comfort noise
    /// is none.
    DigitalSilence,
}

impl fmt::Display for DeadAir {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            DeadAir::Nothing => "no packet came",
            DeadAir::WrongSource => "packets came from a wrong address only",
            DeadAir::Unauthentic => "packets came that our SRTP key does not open",
            DeadAir::UnknownPayload => "packets came in a format that was not agreed",
            DeadAir::DigitalSilence => "what came was digital silence",
        })
    }
}

/// What was counted when a leg's guard began, and what its frames were since. Made for some seconds.
#[derive(Debug)]
pub(crate) struct Guard {
    within: Duration,
    until: Instant,
    received: u64,
    rejected: u64,
    unauthentic: u64,
    unknown: u64,
    frames: u16,
    sounded: bool,
}

impl Guard {
    /// One frame, as it sounded.
    pub(crate) fn hear(&mut self, heard: Option<Heard>) {
        self.frames = self.frames.saturating_add(1);
        self.sounded |= heard != Some(Heard::Nothing);
    }

    /// Comfort noise by RFC 3389: the far end is alive and says that nobody speaks.
    pub(crate) fn hear_noise(&mut self) {
        self.sounded = true;
    }

    /// A digit: a far end that can send one is heard.
    pub(crate) fn hear_event(&mut self) {
        self.sounded = true;
    }
}

impl Leg {
    /// Watches what comes from now on, and judges it after this time.
    pub(crate) fn guard(&mut self, now: Instant, within: Duration) {
        let (received, _) = self.incoming.received();
        self.guard = Some(Box::new(Guard {
            within,
            until: now + within,
            received,
            rejected: self.rejected,
            unauthentic: self.turned_away.unauthentic,
            unknown: self.unknown,
            frames: 0,
            sounded: false,
        }));
    }

    /// Something else has been agreed: what came before says nothing.
    pub(super) fn guard_anew(&mut self, now: Instant) {
        if let Some(guard) = self.guard.take() {
            self.guard(now, guard.within);
        }
    }

    pub(super) fn guarded_until(&self) -> Option<Instant> {
        self.guard.as_ref().map(|guard| guard.until)
    }

    /// Once, when the time is over: why nobody was heard. Of one who holds us, or has agreed to send nothing, nothing is
    /// expected.
    pub(crate) fn judge(&mut self, now: Instant) -> Option<DeadAir> {
        let guard = self.guard.take_if(|guard| guard.until <= now).filter(|_| self.expects_sound())?;
        let (received, _) = self.incoming.received();
        match received > guard.received {
            true if guard.frames >= FRAMES && !guard.sounded => Some(DeadAir::DigitalSilence),
            true => None,
            false if self.turned_away.unauthentic > guard.unauthentic => Some(DeadAir::Unauthentic),
            false if self.unknown > guard.unknown => Some(DeadAir::UnknownPayload),
            false if self.rejected > guard.rejected => Some(DeadAir::WrongSource),
            false => Some(DeadAir::Nothing),
        }
    }
}
