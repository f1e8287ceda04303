//! INVITE server transaction: RFC 3261 §17.2.1, with the Accepted state of RFC 6026 §7.1.

use super::{Action, Pace, Resend, Timers, earlier};
use bytes::Bytes;
use std::time::Instant;

/// One INVITE as its server sees it. `now` is given with every call and never goes back.
///
/// It sends no `100 Trying` by itself: who creates it does so in the same turn, with [`respond`](Self::respond).
/// A response that could not be sent changes nothing here: the timers end the transaction (RFC 6026 §8.8).
#[derive(Debug)]
pub struct InviteServer {
    state: State,
    /// The last response while it may have to be repeated, else empty.
    last: Bytes,
    pace: Pace,
}

/// Each state owns its timers, so no timer outlives its state.
#[derive(Debug)]
enum State {
    Proceeding,
    /// G: when to resend, and the gap (none on a stream). H: when to stop waiting for the ACK.
    Completed {
        resend: Option<Resend>,
        give_up: Instant,
    },
    /// I: late ACKs are absorbed.
    Confirmed {
        until: Instant,
    },
    /// L: repeats of the INVITE are absorbed; repeating the 2xx is the dialog's task, not ours.
    Accepted {
        until: Instant,
    },
    Terminated,
}

impl InviteServer {
    /// An INVITE has arrived for which there is no transaction yet. `reliable`: it came over a stream.
    pub fn new(reliable: bool, timers: Timers) -> InviteServer {
        InviteServer { state: State::Proceeding, last: Bytes::new(), pace: Pace::new(timers, reliable) }
    }

    /// The user's response: any number of 1xx, then one final one, then repeats of that one if it was a 2xx.
    ///
    /// `status` is the status code of `response`. A response that no longer fits (a second final one, a 1xx
    /// after it) is not sent.
    pub fn respond(&mut self, now: Instant, status: u16, response: Bytes, out: &mut Vec<Action>) {
        match (&self.state, status) {
            (State::Proceeding, 100..=199) => self.last = response.clone(),
            (State::Proceeding, 200..=299) => {
                self.last = Bytes::new();
                self.state = State::Accepted { until: self.pace.give_up_at(now) };
            }
            (State::Proceeding, _) => {
                self.last = response.clone();
                self.state = State::Completed {
                    resend: self.pace.first_resend(now),
                    give_up: self.pace.give_up_at(now),
                };
            }
            (State::Accepted { .. }, 200..=299) => {}
            _ => return,
        }
        out.push(Action::Send(response));
    }

    /// The INVITE has come again: the last response goes out again, unless it was a 2xx.
    pub fn handle_retransmission(&mut self, out: &mut Vec<Action>) {
        // `last` is empty in every state in which nothing may be repeated.
        if !self.last.is_empty() {
            out.push(Action::Send(self.last.clone()));
        }
    }

    /// An ACK with our key: of our 3xx to 6xx, or (only then delivered) of a 2xx by a client of RFC 2543, or
    /// by one that uses the branch of the INVITE again.
    pub fn handle_ack(&mut self, now: Instant, out: &mut Vec<Action>) {
        match self.state {
            State::Completed { .. } => {
                self.last = Bytes::new();
                self.state = match self.pace.reliable {
                    true => State::Terminated,
                    false => State::Confirmed { until: self.pace.t4_at(now) },
                };
            }
            State::Accepted { .. } => out.push(Action::Deliver),
            State::Proceeding | State::Confirmed { .. } | State::Terminated => {}
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has work next, and which timer it is.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.state {
            State::Completed { resend, give_up } => earlier(resend, "G", give_up, "H"),
            State::Confirmed { until } => Some((until, "I")),
            State::Accepted { until } => Some((until, "L")),
            State::Proceeding | State::Terminated => None,
        }
    }

    /// The time has come, or something like it: a call too early does nothing.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        match &mut self.state {
            State::Completed { give_up, .. } if *give_up <= now => {
                self.last = Bytes::new();
                self.state = State::Terminated;
                out.push(Action::AckTimedOut);
            }
            State::Completed { resend: Some(resend), .. } if resend.at <= now => {
                resend.back_off(now, self.pace.t2_ms());
                out.push(Action::Send(self.last.clone()));
            }
            State::Confirmed { until } | State::Accepted { until } if *until <= now => {
                self.state = State::Terminated;
            }
            _ => {}
        }
    }

    /// No final response has been given yet: a CANCEL still has an effect (RFC 3261 §9.2).
    pub fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding)
    }

    /// A 3xx to 6xx was given and its ACK has not come yet.
    pub fn is_completed(&self) -> bool {
        matches!(self.state, State::Completed { .. })
    }

    /// A 2xx was given and repeats of the INVITE are being absorbed (RFC 6026).
    pub fn is_accepted(&self) -> bool {
        matches!(self.state, State::Accepted { .. })
    }

    /// Over: forget it.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
