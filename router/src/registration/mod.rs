//! Our registration at a carrier: a REGISTER of ours, renewed before it ends (RFC 3261 §10.2).
//!
//! One machine for each trunk that has `register`. It says when to send what and is told the answers; all requests of
//! one registration are one series, with the same Call-ID and rising CSeq (§10.2.4). Failures are repeated ever later
//! (RFC 5626 §4.5), and what a person must put right is not asked for every minute: carriers lock accounts for that.

mod answer;

use std::{
    fmt,
    time::{Duration, Instant},
};

use sip_core::FailCause;

pub use self::answer::Answer;

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Of the whole series.
    pub call_id: String,
    /// Its number.
    pub cseq: u32,
    /// For how long; zero signs off.
    pub expires: Duration,
}

/// Where a registration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was not asked for yet, or the answer to the first request is awaited.
    Trying,
    /// The carrier knows where we are.
    Registered,
    /// It does not, and it is asked again.
    Failed,
    /// It is asked to forget us.
    Leaving,
    /// Over.
    Gone,
}

impl State {
    /// Its word in `/status`.
    pub fn word(self) -> &'static str {
        match self {
            State::Trying => "trying",
            State::Registered => "registered",
            State::Failed => "failed",
            State::Leaving => "leaving",
            State::Gone => "gone",
        }
    }
}

/// Why a request came to nothing, and what an operator can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// No answer.
    Silent(FailCause),
    /// A final answer that is none of success.
    Refused(u16),
    /// The carrier wants a longer registration than there can be, or says nothing of how long.
    TooBrief(Option<Duration>),
    /// It has taken the registration, for less than [`LEAST`].
    NoTime,
    /// The connection that it came by was closed.
    Closed,
}

impl Trouble {
    /// What to do about it.
    pub fn cure(&self) -> &'static str {
        match self {
            Trouble::Refused(401 | 407) => {
                "the password is wrong: see username, password_file and realm of the trunk"
            }
            Trouble::Refused(403) => {
                "the carrier does not let us: see username, and whether it has locked or moved the account"
            }
            Trouble::Refused(404 | 604) => {
                "the carrier does not know the account: see username and register.domain"
            }
            Trouble::Refused(300..=399) => {
                "the carrier is elsewhere, and it is not gone after unasked: write the new address into register.registrar"
            }
            Trouble::Refused(405 | 501) => {
                "nobody can register there: take register out, or write the registrar into register.registrar"
            }
            Trouble::Refused(500..=599) => "the carrier fails at the moment: ask its operator if that lasts",
            Trouble::Refused(_) => "ask the carrier's operator what it means",
            Trouble::Silent(FailCause::Unresolved) => "see register.registrar, and [dns]",
            Trouble::Silent(FailCause::Full) => "we had no room to ask: see whether this node is overloaded",
            Trouble::Silent(_) => "see register.registrar, and the firewalls between",
            Trouble::TooBrief(_) => "write a register.expires that the carrier takes",
            Trouble::NoTime => "ask the carrier's operator why its registrations have hardly any time",
            Trouble::Closed => "see whether a firewall between closes idle connections",
        }
    }

    /// Asking again soon would do harm and no good.
    fn is_for_people(&self) -> bool {
        match self {
            Trouble::Refused(501) | Trouble::TooBrief(_) => true,
            Trouble::Refused(status) => is_unwanted(*status),
            Trouble::Silent(_) | Trouble::NoTime | Trouble::Closed => false,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Silent(cause) => f.write_str(crate::trunks::in_words(*cause)),
            Trouble::Refused(status) => write!(f, "answered with {status}"),
            Trouble::TooBrief(Some(least)) => {
                write!(f, "it wants registrations of {} s at least", least.as_secs())
            }
            Trouble::TooBrief(None) => f.write_str("it wants longer registrations and does not say how long"),
            Trouble::NoTime => write!(f, "taken, but for less than {} s", LEAST.as_secs()),
            Trouble::Closed => f.write_str("the connection was closed"),
        }
    }
}

/// What an answer has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The carrier knows us now, and did not before.
    Registered {
        /// For how long.
        expires: Duration,
    },
    /// It knows us for a while longer.
    Renewed,
    /// The next try comes at this distance; whether calls still come until then is in [`Registration::state`].
    Trouble(Trouble, Duration),
    /// It will be asked again at once, for longer.
    AskedForLonger,
    /// It has forgotten us, as we wanted, or did not answer to that.
    Gone,
    /// Nobody waits for this answer.
    Nothing,
}

/// RFC 5626 §4.5: the first pause after a failure is drawn below twice this, and each doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(1_800);
/// No registration is asked for that is longer than this, whatever a carrier wants.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// No registration is kept up that the carrier lets end sooner: it would be asked for without a pause.
const LEAST: Duration = Duration::from_secs(10);
/// A connection that lived so long after our registration was no bad one.
const LIVED: Duration = Duration::from_secs(60);
/// An answer that never came may have been to a request that had to go out again with other numbers.
const NUMBERS_LOST: u32 = 8;

/// One registration.
#[derive(Debug)]
pub struct Registration {
    call_id: String,
    /// Of the next request.
    cseq: u32,
    /// What is asked for; a carrier may want more.
    expires: Duration,
    state: State,
    /// A request is under way.
    asking: bool,
    /// When the next one is due; none while one is under way or all is over.
    due: Option<Instant>,
    /// Until when the carrier knows us.
    until: Option<Instant>,
    failures: u32,
    /// Connections closed soon after a registration, one after the other.
    closures: u32,
    /// When the carrier took the last request.
    taken_at: Option<Instant>,
    asked_for_longer: bool,
    /// Why the last request failed, if it did.
    pub trouble: Option<Trouble>,
}

impl Registration {
    /// One that is due at once. `call_id` must be like no other.
    pub fn new(now: Instant, call_id: String, expires: Duration) -> Registration {
        Registration {
            call_id,
            cseq: 1,
            expires,
            state: State::Trying,
            asking: false,
            due: Some(now),
            until: None,
            failures: 0,
            closures: 0,
            taken_at: None,
            asked_for_longer: false,
            trouble: None,
        }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Until when the carrier knows us, if it does.
    pub fn until(&self) -> Option<Instant> {
        self.until
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let end = self.until.filter(|_| self.state == State::Registered);
        [self.due, end].into_iter().flatten().min()
    }

    /// What is to be sent now. A registration that could not be renewed in time is over by itself.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Request> {
        if self.state == State::Registered && self.until.is_some_and(|until| until <= now) {
            (self.state, self.until) = (State::Failed, None);
        }
        self.due.take_if(|due| *due <= now)?;
        Some(self.request(self.expires))
    }

    /// It is asked for anew at once, for so long: what the carrier has been told has changed. While an answer is awaited
    /// it is left at that, and told with the next renewal.
    pub fn renew(&mut self, now: Instant, expires: Duration) {
        self.expires = expires;
        if !matches!(self.state, State::Leaving | State::Gone) && !self.asking {
            self.due = Some(now);
        }
    }

    /// Signs off: what is to be sent for it, if the carrier knows us or may.
    pub fn leave(&mut self) -> Option<Request> {
        let is_known = self.until.is_some() || self.asking;
        if matches!(self.state, State::Leaving | State::Gone) {
            return None;
        }
        self.due = None;
        self.state = if is_known { State::Leaving } else { State::Gone };
        is_known.then(|| self.request(Duration::ZERO))
    }

    fn request(&mut self, expires: Duration) -> Request {
        self.asking = true;
        let cseq = self.cseq;
        self.cseq += NUMBERS_LOST;
        Request { call_id: self.call_id.clone(), cseq, expires }
    }

    /// A request has come to its end. `chance(n)` gives a number below n.
    pub fn answered(&mut self, now: Instant, answer: Answer, chance: impl FnMut(u32) -> u32) -> News {
        if !std::mem::take(&mut self.asking) {
            return News::Nothing;
        }
        if let Some(cseq) = answer.cseq() {
            self.cseq = cseq + 1;
        }
        if self.state == State::Leaving {
            (self.state, self.until) = (State::Gone, None);
            return News::Gone;
        }
        match answer {
            Answer::Taken { expires, .. } => match expires.unwrap_or(self.expires) {
                brief if brief < LEAST => self.fails(now, Trouble::NoTime, None, chance),
                expires => self.taken(now, expires, chance),
            },
            Answer::TooBrief { least: Some(least), .. }
                if least > self.expires && least <= LONGEST && !self.asked_for_longer =>
            {
                (self.expires, self.asked_for_longer, self.due) = (least, true, Some(now));
                News::AskedForLonger
            }
            Answer::TooBrief { least, .. } => self.fails(now, Trouble::TooBrief(least), None, chance),
            Answer::Refused { status, retry_after, .. } => {
                // Whatever it knew, it says that it does not want us; who names a time does not mean for ever.
                if is_unwanted(status) && retry_after.is_none() {
                    self.until = None;
                }
                self.fails(now, Trouble::Refused(status), retry_after, chance)
            }
            Answer::None(cause) => self.fails(now, Trouble::Silent(cause), None, chance),
        }
    }

    fn taken(&mut self, now: Instant, expires: Duration, chance: impl FnMut(u32) -> u32) -> News {
        let expires = expires.min(LONGEST);
        let was = std::mem::replace(&mut self.state, State::Registered);
        (self.failures, self.trouble, self.asked_for_longer) = (0, None, false);
        self.taken_at = Some(now);
        self.until = Some(now + expires);
        // Early enough for several tries, and not all trunks and nodes in one second.
        self.due = Some(now + expires.mul_f64(0.7) + some_of(expires / 10, chance));
        if was == State::Registered { News::Renewed } else { News::Registered { expires } }
    }

    fn fails(
        &mut self,
        now: Instant,
        trouble: Trouble,
        wanted: Option<Duration>,
        chance: impl FnMut(u32) -> u32,
    ) -> News {
        let left =
            self.until.and_then(|until| until.checked_duration_since(now)).filter(|left| !left.is_zero());
        let most = match left {
            // While calls still come there is something to lose: several times more before the end.
            Some(left) => (left / 3).clamp(Duration::from_secs(1), FIRST_PAUSE),
            None => {
                self.failures = self.failures.saturating_add(1);
                (self.state, self.until) = (State::Failed, None);
                match trouble.is_for_people() && wanted.is_none() {
                    true => LONGEST_PAUSE,
                    false => (FIRST_PAUSE * 2u32.pow(self.failures.min(10))).min(LONGEST_PAUSE),
                }
            }
        };
        let pause = most / 2 + some_of(most / 2, chance);
        let pause = wanted.map_or(pause, |wanted| pause.max(wanted.min(LONGEST_PAUSE)));
        (self.due, self.trouble) = (Some(now + pause), Some(trouble.clone()));
        News::Trouble(trouble, pause)
    }

    /// The connection that the carrier has for us is gone: it cannot reach us, and is told at once where we are now
    /// (RFC 5626 §4.4). One that closes again and again is not followed faster than other failures.
    pub fn closed(&mut self, now: Instant, chance: impl FnMut(u32) -> u32) -> News {
        if self.state != State::Registered || self.asking {
            return News::Nothing;
        }
        self.until = None;
        if self.taken_at.is_none_or(|at| now.saturating_duration_since(at) >= LIVED) {
            self.closures = 0;
        }
        self.closures = self.closures.saturating_add(1);
        if self.closures == 1 {
            (self.state, self.due, self.trouble) = (State::Failed, Some(now), Some(Trouble::Closed));
            return News::Trouble(Trouble::Closed, Duration::ZERO);
        }
        self.failures = self.closures - 2; // as if none had been taken between
        self.fails(now, Trouble::Closed, None, chance)
    }
}

/// The carrier has looked at the request, and says no to us: not that it cannot just now (408, 480, 486, 491, 5xx).
fn is_unwanted(status: u16) -> bool {
    !matches!(status, 408 | 480 | 486 | 491 | 500..=599)
}

/// Some part of a length, down to milliseconds.
fn some_of(length: Duration, mut chance: impl FnMut(u32) -> u32) -> Duration {
    let millis = u32::try_from(length.as_millis()).unwrap_or(u32::MAX).max(1);
    Duration::from_millis(chance(millis).into())
}

#[cfg(test)]
mod tests;
