//! INVITE client transaction: RFC 3261 §17.1.1, with the Accepted state of RFC 6026 §7.2.

use super::{Action, Pace, Resend, Timers, earlier};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// How long a repeated 3xx to 6xx may still arrive over datagrams, at least (RFC 3261 §17.1.1.2, timer D).
const LEAST_D: Duration = Duration::from_secs(32);

/// One INVITE of ours on its way to one flow.
///
/// It waits for a final response without end once a 1xx is there: how long it may ring is the user's decision
/// (CANCEL, then [`handle_cancelled`](Self::handle_cancelled)).
#[derive(Debug)]
pub struct InviteClient {
    state: State,
    /// What may have to be sent again: the INVITE while Calling, the ACK while Completed, else empty.
    last: Bytes,
    pace: Pace,
}

/// Each state owns its timers, so no timer outlives its state.
#[derive(Debug)]
enum State {
    /// A: when to resend, and the gap (none on a stream). B: when to stop hoping for any response.
    Calling {
        resend: Option<Resend>,
        give_up: Instant,
    },
    /// After a CANCEL of ours: when to stop waiting for the 487 (RFC 3261 §9.1).
    Proceeding {
        give_up: Option<Instant>,
    },
    /// D: repeats of the final response are answered with the ACK.
    Completed {
        until: Instant,
    },
    /// M: 2xx are passed on, from each fork and repeated ones.
    Accepted {
        until: Instant,
    },
    Terminated,
}

impl InviteClient {
    /// Sends `request`. `reliable`: the flow is a stream.
    pub fn new(
        now: Instant,
        request: Bytes,
        reliable: bool,
        timers: Timers,
        out: &mut Vec<Action>,
    ) -> InviteClient {
        let pace = Pace::new(timers, reliable);
        out.push(Action::Send(request.clone()));
        InviteClient {
            state: State::Calling { resend: pace.first_resend(now), give_up: pace.give_up_at(now) },
            last: if reliable { Bytes::new() } else { request },
            pace,
        }
    }

    /// A response with our key. Pushes [`Action::Deliver`] if it is for the user: each 1xx before the final
    /// response, each 2xx, and the first 3xx to 6xx, this one after [`Action::Acknowledge`].
    pub fn handle_response(&mut self, now: Instant, status: u16, out: &mut Vec<Action>) {
        match (&self.state, status) {
            (State::Calling { .. }, 100..=199) => {
                self.last = Bytes::new();
                self.state = State::Proceeding { give_up: None };
                out.push(Action::Deliver);
            }
            (State::Proceeding { .. }, 100..=199) => out.push(Action::Deliver),
            (State::Calling { .. } | State::Proceeding { .. }, 200..=299) => {
                self.last = Bytes::new();
                self.state = State::Accepted { until: self.pace.give_up_at(now) };
                out.push(Action::Deliver);
            }
            (State::Calling { .. } | State::Proceeding { .. }, _) => {
                self.last = Bytes::new();
                self.state = self.completed(now);
                out.push(Action::Acknowledge);
                out.push(Action::Deliver);
            }
            (State::Completed { .. }, 300..) if !self.last.is_empty() => {
                out.push(Action::Send(self.last.clone()));
            }
            (State::Accepted { .. }, 200..=299) => out.push(Action::Deliver),
            _ => {}
        }
    }

    /// The ACK that [`Action::Acknowledge`] asked for: sent now, and again for each repeat of the response.
    pub fn acknowledge(&mut self, ack: Bytes, out: &mut Vec<Action>) {
        if let State::Completed { .. } = self.state {
            self.last = ack.clone();
        }
        out.push(Action::Send(ack));
    }

    /// A CANCEL has been sent for this INVITE. If no final response comes within 64 * T1, the transaction ends
    /// with [`Action::TimedOut`] (RFC 3261 §9.1). Without effect before a 1xx: then there may be no CANCEL.
    pub fn handle_cancelled(&mut self, now: Instant) {
        if let State::Proceeding { give_up: give_up @ None } = &mut self.state {
            *give_up = Some(self.pace.give_up_at(now));
        }
    }

    /// The flow is gone or the far end unreachable (RFC 3261 §17.1.4). After a 2xx that is no matter of ours.
    pub fn handle_unreachable(&mut self, out: &mut Vec<Action>) {
        match self.state {
            State::Calling { .. } | State::Proceeding { .. } => {
                self.terminate();
                out.push(Action::Unreachable);
            }
            // The user has the final response: a lost ACK tells him nothing.
            State::Completed { .. } => self.terminate(),
            State::Accepted { .. } | State::Terminated => {}
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has work next, and which timer it is.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.state {
            State::Calling { resend, give_up } => earlier(resend, "A", give_up, "B"),
            State::Proceeding { give_up } => give_up.map(|at| (at, "cancelled")),
            State::Completed { until } => Some((until, "D")),
            State::Accepted { until } => Some((until, "M")),
            State::Terminated => None,
        }
    }

    /// The time has come, or something like it: a call too early does nothing.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        match &mut self.state {
            State::Calling { give_up, .. } | State::Proceeding { give_up: Some(give_up) }
                if *give_up <= now =>
            {
                self.terminate();
                out.push(Action::TimedOut);
            }
            State::Calling { resend: Some(resend), .. } if resend.at <= now => {
                // Timer A doubles without the cap of T2 (RFC 3261 §17.1.1.2).
                resend.back_off(now, u32::MAX);
                out.push(Action::Send(self.last.clone()));
            }
            State::Completed { until } | State::Accepted { until } if *until <= now => self.terminate(),
            _ => {}
        }
    }

    /// No response at all yet: a CANCEL must wait (RFC 3261 §9.1).
    pub fn is_calling(&self) -> bool {
        matches!(self.state, State::Calling { .. })
    }

    /// A 1xx is there and no final response: a CANCEL may go.
    pub fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// A 2xx is there; further ones may come from other forks (RFC 6026).
    pub fn is_accepted(&self) -> bool {
        matches!(self.state, State::Accepted { .. })
    }

    /// Over: forget it.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn completed(&self, now: Instant) -> State {
        match self.pace.reliable {
            true => State::Terminated,
            false => State::Completed { until: self.pace.give_up_at(now).max(now + LEAST_D) },
        }
    }

    fn terminate(&mut self) {
        self.last = Bytes::new();
        self.state = State::Terminated;
    }
}
