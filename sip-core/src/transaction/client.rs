//! Client transaction of every request but INVITE and ACK: RFC 3261 §17.1.2.

use super::{Action, Pace, Resend, Timers, earlier};
use bytes::Bytes;
use std::time::Instant;

/// One request of ours on its way to one flow.
#[derive(Debug)]
pub struct Client {
    state: State,
    /// The request while it may have to be sent again, else empty.
    last: Bytes,
    pace: Pace,
}

/// Each state owns its timers, so no timer outlives its state.
#[derive(Debug)]
enum State {
    /// E: when to resend, and the gap (none on a stream); once a 1xx is there the gap is T2.
    /// F: when to stop hoping.
    Trying {
        resend: Option<Resend>,
        give_up: Instant,
        proceeding: bool,
    },
    /// K: repeats of the response are absorbed.
    Completed {
        until: Instant,
    },
    Terminated,
}

impl Client {
    /// Sends `request`. `reliable`: the flow is a stream.
    pub fn new(
        now: Instant,
        request: Bytes,
        reliable: bool,
        timers: Timers,
        out: &mut Vec<Action>,
    ) -> Client {
        let pace = Pace::new(timers, reliable);
        out.push(Action::Send(request.clone()));
        Client {
            state: State::Trying {
                resend: pace.first_resend(now),
                give_up: pace.give_up_at(now),
                proceeding: false,
            },
            last: if reliable { Bytes::new() } else { request },
            pace,
        }
    }

    /// A response with our key. Pushes [`Action::Deliver`] if it is for the user: each 1xx and the first final
    /// response.
    pub fn handle_response(&mut self, now: Instant, status: u16, out: &mut Vec<Action>) {
        let State::Trying { proceeding, .. } = &mut self.state else { return };
        out.push(Action::Deliver);
        if status < 200 {
            *proceeding = true;
            return;
        }
        self.last = Bytes::new();
        self.state = match self.pace.reliable {
            true => State::Terminated,
            false => State::Completed { until: self.pace.t4_at(now) },
        };
    }

    /// The flow is gone or the far end unreachable (RFC 3261 §17.1.4).
    pub fn handle_unreachable(&mut self, out: &mut Vec<Action>) {
        if let State::Trying { .. } = self.state {
            self.terminate();
            out.push(Action::Unreachable);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has work next, and which timer it is.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.state {
            State::Trying { resend, give_up, .. } => earlier(resend, "E", give_up, "F"),
            State::Completed { until } => Some((until, "K")),
            State::Terminated => None,
        }
    }

    /// The time has come, or something like it: a call too early does nothing.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        match &mut self.state {
            State::Trying { give_up, .. } if *give_up <= now => {
                self.terminate();
                out.push(Action::TimedOut);
            }
            State::Trying { resend: Some(resend), proceeding, .. } if resend.at <= now => {
                if *proceeding {
                    resend.gap_ms = self.pace.t2_ms();
                }
                resend.back_off(now, self.pace.t2_ms());
                out.push(Action::Send(self.last.clone()));
            }
            State::Completed { until } if *until <= now => self.terminate(),
            _ => {}
        }
    }

    /// A final response is there, or the request failed: nothing will be delivered any more.
    pub fn is_completed(&self) -> bool {
        !matches!(self.state, State::Trying { .. })
    }

    /// Over: forget it.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn terminate(&mut self) {
        self.last = Bytes::new();
        self.state = State::Terminated;
    }
}
