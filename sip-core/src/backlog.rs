//! What has been read and is not yet handled: calls in progress before new ones, and new ones that have waited too long
//! marked as late, to be refused in the cheapest way.
//!
//! A router that takes in what it cannot finish works on calls whose callers repeat themselves or have gone, and
//! completes fewer the more arrive. So what was read waits here and not in the kernel, where nobody sees how long: as
//! long as the router keeps up, nothing is ever late; beyond that as many calls are refused as are too many, and those in
//! progress do not notice.

use crate::endpoint::Input;
use crate::transport::Flow;
use memchr::memchr_iter;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What waits, in two lines. Whoever owns it reads as much as there is before it handles a few.
pub struct Backlog {
    /// Answers, and requests of dialogs: they free what is in use.
    progress: VecDeque<Input>,
    /// Requests that begin something, and CANCEL, which must not overtake its INVITE.
    beginnings: VecDeque<(Instant, Input)>,
    patience: Duration,
    limit: usize,
    late_first: bool,
    dropped: u64,
}

impl Backlog {
    /// Things that may wait in each of the two lines.
    pub const LIMIT: usize = 4_096;

    /// `patience`: how long a new call may wait before it is late; 100 ms is a good value, a fifth of the time after
    /// which its sender repeats it (T1, RFC 3261 §17.1.1.1).
    pub fn new(patience: Duration) -> Backlog {
        Backlog {
            progress: VecDeque::new(),
            beginnings: VecDeque::new(),
            patience,
            limit: Self::LIMIT,
            late_first: false,
            dropped: 0,
        }
    }

    /// From now on new calls may wait so long.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Takes in what was read at `now`. Too many beginnings: a datagram is dropped, for its sender repeats it; a message
    /// of a connection is late at once.
    pub fn push(&mut self, now: Instant, input: Input) {
        match input {
            Input::Received { flow, bytes } if begins(&bytes) => {
                if self.beginnings.len() < self.limit {
                    self.beginnings.push_back((now, Input::Received { flow, bytes }));
                } else if flow.is_reliable() {
                    self.progress.push_back(Input::Late { flow, bytes });
                } else {
                    self.dropped += 1;
                }
            }
            Input::Closed { flow } => {
                // What it brought must not bring it back to life.
                self.beginnings.retain(|(_, waiting)| !came_over(waiting, &flow));
                self.progress.push_back(Input::Closed { flow });
            }
            input => self.progress.push_back(input),
        }
    }

    /// What is to be handled next. Late beginnings, whose refusal costs next to nothing, and progress take turns; new
    /// calls come when nothing else waits.
    pub fn pop(&mut self, now: Instant) -> Option<Input> {
        let is_late = self
            .beginnings
            .front()
            .is_some_and(|(read, _)| now.saturating_duration_since(*read) > self.patience);
        self.late_first = is_late && !self.late_first;
        if self.late_first {
            return self.beginnings.pop_front().map(|(_, input)| late(input));
        }
        self.progress.pop_front().or_else(|| {
            let (_, input) = self.beginnings.pop_front()?;
            Some(if is_late { late(input) } else { input })
        })
    }

    /// Something waits.
    pub fn is_empty(&self) -> bool {
        self.progress.is_empty() && self.beginnings.is_empty()
    }

    /// Nothing more is to be read for now: datagrams wait in the kernel, connections are not read.
    pub fn is_full(&self) -> bool {
        self.progress.len() >= self.limit
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.progress.len() + self.beginnings.len()
    }

    /// Datagrams dropped because too many beginnings waited.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

fn late(input: Input) -> Input {
    match input {
        Input::Received { flow, bytes } => Input::Late { flow, bytes },
        other => other,
    }
}

fn came_over(input: &Input, closed: &Flow) -> bool {
    matches!(input, Input::Received { flow, .. } if flow == closed)
}

/// Whether a message begins something new, from its first line and its To. Who errs here delays a message and does no
/// other harm: the endpoint knows a late request of a dialog for what it is.
fn begins(message: &[u8]) -> bool {
    const IN_DIALOGS: [&[u8]; 8] =
        [b"SIP/2.0 ", b"ACK ", b"BYE ", b"PRACK ", b"UPDATE ", b"INFO ", b"NOTIFY ", b"REFER "];
    !IN_DIALOGS.iter().any(|start| message.starts_with(start)) && !has_to_tag(message)
}

fn has_to_tag(message: &[u8]) -> bool {
    for end in memchr_iter(b'\n', message) {
        let line = &message[end + 1..];
        let name = match line {
            [b't' | b'T', b'o' | b'O', rest @ ..] => rest,
            [b't' | b'T', rest @ ..] => rest,
            [b'\r' | b'\n', ..] | [] => return false, // the header part is over
            _ => continue,
        };
        if let Some(value) = name.trim_ascii_start().strip_prefix(b":") {
            let value = &value[..memchr::memchr(b'\n', value).unwrap_or(value.len())];
            return memchr::memmem::find(value, b"tag=").is_some();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Transport;
    use bytes::Bytes;

    const PATIENCE: Duration = Duration::from_millis(100);

    /// Any instant: from here on time is the test's.
    #[allow(clippy::disallowed_methods)]
    fn origin() -> Instant {
        Instant::now()
    }

    fn udp() -> Flow {
        Flow::udp("10.0.0.1:5060".parse().unwrap(), "10.0.0.2:5060".parse().unwrap())
    }

    fn message(method: &str, to: &str, flow: Flow) -> Input {
        let text = format!("{method} sip:a SIP/2.0\r\nVia: x\r\n{to}\r\nCall-ID: 1\r\n\r\n");
        Input::Received { flow, bytes: Bytes::from(text) }
    }

    fn said(input: Option<Input>) -> String {
        let (late, bytes) = match input {
            Some(Input::Received { bytes, .. }) => ("", bytes),
            Some(Input::Late { bytes, .. }) => ("late ", bytes),
            Some(other) => return format!("{other:?}"),
            None => return "nothing".to_owned(),
        };
        let word = bytes.split(|b| *b == b' ').next().unwrap();
        format!("{late}{}", String::from_utf8_lossy(word))
    }

    fn all(backlog: &mut Backlog, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| backlog.pop(now)).map(|input| said(Some(input))).collect()
    }

    #[test]
    fn calls_in_progress_come_before_new_ones_and_each_line_keeps_its_order() {
        let (now, mut backlog) = (origin(), Backlog::new(PATIENCE));
        for (method, to) in [
            ("INVITE", "To: <sip:a>"),
            ("CANCEL", "To: <sip:a>"),
            ("OPTIONS", "t: <sip:a>"),
            ("BYE", "To: <sip:a>;tag=1"),
            ("INVITE", "TO : <sip:a> ;tag=1"),
            ("SIP/2.0", "To: <sip:a>;tag=1"),
        ] {
            backlog.push(now, message(method, to, udp()));
        }
        assert_eq!(all(&mut backlog, now), ["BYE", "INVITE", "SIP/2.0", "INVITE", "CANCEL", "OPTIONS"]);
    }

    #[test]
    fn a_new_call_that_has_waited_too_long_is_late_and_does_not_wait_for_all_that_is_in_progress() {
        let (now, mut backlog) = (origin(), Backlog::new(PATIENCE));
        for _ in 0..3 {
            backlog.push(now, message("INVITE", "To: <sip:a>", udp()));
        }
        let later = now + PATIENCE;
        backlog.push(later, message("INVITE", "To: <sip:a>", udp()));
        (0..3).for_each(|_| backlog.push(later, message("BYE", "To: <sip:a>;tag=1", udp())));
        assert_eq!(said(backlog.pop(later)), "BYE", "not late yet");
        let over = later + Duration::from_millis(1);
        let expected = ["late INVITE", "BYE", "late INVITE", "BYE", "late INVITE", "INVITE"];
        assert_eq!(all(&mut backlog, over), expected);
    }

    #[test]
    fn when_too_much_waits_datagrams_are_dropped_and_what_a_connection_brought_is_late() {
        let (now, mut backlog) = (origin(), Backlog::new(PATIENCE));
        for _ in 0..Backlog::LIMIT {
            backlog.push(now, message("INVITE", "To: <sip:a>", udp()));
        }
        backlog.push(now, message("INVITE", "To: <sip:a>", udp()));
        let stream = Flow { connection: 1, transport: Transport::Tcp, ..udp() };
        backlog.push(now, message("INVITE", "To: <sip:a>", stream));
        assert_eq!((backlog.len(), backlog.dropped()), (Backlog::LIMIT + 1, 1));
        assert_eq!(said(backlog.pop(now)), "late INVITE");
        assert!(!backlog.is_full());
        (0..Backlog::LIMIT).for_each(|_| backlog.push(now, message("BYE", "To: <sip:a>;tag=1", stream)));
        assert!(backlog.is_full());
    }

    #[test]
    fn what_a_closed_connection_brought_is_gone_with_it() {
        let (now, mut backlog) = (origin(), Backlog::new(PATIENCE));
        let stream = Flow { connection: 1, transport: Transport::Tcp, ..udp() };
        backlog.push(now, message("INVITE", "To: <sip:a>", stream));
        backlog.push(now, message("OPTIONS", "To: <sip:a>", udp()));
        backlog.push(now, Input::Closed { flow: stream });
        assert!(said(backlog.pop(now)).starts_with("Closed"));
        assert_eq!(all(&mut backlog, now), ["OPTIONS"]);
    }

    #[test]
    fn a_tag_elsewhere_is_no_tag_of_to() {
        for (text, tagged) in [
            ("INVITE sip:a SIP/2.0\r\nFrom: <sip:b>;tag=1\r\nTo: <sip:a>\r\n\r\nTo: x;tag=2", false),
            ("INVITE sip:a SIP/2.0\r\nTimestamp: 1;tag=1\r\nt : <sip:a>;tag=9\r\n\r\n", true),
            ("INVITE sip:a SIP/2.0\r\nToken: ;tag=1\r\n\r\n", false),
            ("INVITE", false),
        ] {
            assert_eq!(has_to_tag(text.as_bytes()), tagged, "{text}");
        }
    }
}
