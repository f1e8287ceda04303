//! Server transaction of every request but INVITE and ACK: RFC 3261 §17.2.2.

use super::{Action, Pace, Timers};
use bytes::Bytes;
use std::time::Instant;

/// One request of the far end. A response that could not be sent changes nothing here (RFC 6026 §8.8).
#[derive(Debug)]
pub struct Server {
    state: State,
    /// The last response, to be repeated for each repeat of the request; empty before the first.
    last: Bytes,
    pace: Pace,
}

#[derive(Debug)]
enum State {
    /// Trying while `last` is empty, then Proceeding. No timer: the user answers.
    Open,
    /// J: repeats of the request get the response again.
    Completed {
        until: Instant,
    },
    Terminated,
}

impl Server {
    /// A request has arrived for which there is no transaction yet. `reliable`: it came over a stream.
    pub fn new(reliable: bool, timers: Timers) -> Server {
        Server { state: State::Open, last: Bytes::new(), pace: Pace::new(timers, reliable) }
    }

    /// The user's response, the final one once; anything after that is not sent.
    ///
    /// `status` is the status code of `response`. Of the 1xx only `100` may be given here, and only when T2 has
    /// passed (RFC 4320 §4.1): that is the user's to know.
    pub fn respond(&mut self, now: Instant, status: u16, response: Bytes, out: &mut Vec<Action>) {
        let State::Open = self.state else { return };
        out.push(Action::Send(response.clone()));
        match (status, self.pace.reliable) {
            (..200, _) => self.last = response,
            (_, true) => self.terminate(),
            (_, false) => {
                self.last = response;
                self.state = State::Completed { until: self.pace.give_up_at(now) };
            }
        }
    }

    /// The request has come again: the last response goes out again, if there is one.
    pub fn handle_retransmission(&mut self, out: &mut Vec<Action>) {
        if !self.last.is_empty() {
            out.push(Action::Send(self.last.clone()));
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has work next, and which timer it is.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.state {
            State::Completed { until } => Some((until, "J")),
            State::Open | State::Terminated => None,
        }
    }

    /// The time has come, or something like it: a call too early does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let State::Completed { until } = self.state
            && until <= now
        {
            self.terminate();
        }
    }

    /// The final response has been given.
    pub fn is_completed(&self) -> bool {
        !matches!(self.state, State::Open)
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
