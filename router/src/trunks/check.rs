//! What an answer to OPTIONS says of a target, and what an operator can do about it.

use std::fmt;

use sip_core::{FailCause, Message, StatusCode};

/// What came of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Answered with this status.
    Answered(StatusCode),
    /// Not answered.
    Silent(FailCause),
}

/// What a finding says of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is there and says so with 2xx.
    There,
    /// It is there, but an operator should know what it says.
    Odd,
    /// Calls would not be taken.
    Gone,
    /// It says nothing of the target: we had no room to ask.
    Nothing,
}

impl Finding {
    /// Reads the end of an [`Ask`](sip_core::Ask).
    pub fn of(answer: &Result<Message, FailCause>) -> Finding {
        match answer {
            Ok(response) => Finding::Answered(response.status().unwrap_or(StatusCode::OK)),
            Err(cause) => Finding::Silent(*cause),
        }
    }

    /// Any final answer shows that somebody is there, but those who say that calls would not be taken: 403 (we are not
    /// known), 408 (of a proxy with nobody behind it) and 5xx. Who does not know OPTIONS (501) may well know INVITE.
    pub fn verdict(self) -> Verdict {
        match self {
            Finding::Silent(FailCause::Full) => Verdict::Nothing,
            Finding::Silent(_) => Verdict::Gone,
            Finding::Answered(status) => match status.code() {
                200..=299 => Verdict::There,
                403 | 408 => Verdict::Gone,
                501 => Verdict::Odd,
                500..=599 => Verdict::Gone,
                _ => Verdict::Odd,
            },
        }
    }

    /// What to do about it.
    pub fn cure(self) -> &'static str {
        match self {
            Finding::Answered(status) => match status.code() {
                401 | 407 => "it wants a password: see what its operator has given you",
                403 => {
                    "it does not know us: see the name that we advertise, and what its operator has on file for us"
                }
                405 | 501 => "it takes no OPTIONS; calls may work: set check_every = \"0s\" if they do",
                500..=599 => "it takes no calls at the moment: ask its operator",
                _ => "it is there; ask its operator whether it takes calls from us",
            },
            Finding::Silent(FailCause::Unresolved) => {
                "check the name in send_to, and the resolver of this machine"
            }
            Finding::Silent(FailCause::Unreachable) => {
                "check that it runs, the address in send_to, and that listen.sip has its transport"
            }
            Finding::Silent(_) => "check that it runs, the address in send_to, and the firewalls between",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Answered(status) => write!(f, "OPTIONS are answered with {status}"),
            Finding::Silent(cause) => write!(f, "OPTIONS are not answered: {}", in_words(*cause)),
        }
    }
}

/// Our own finding, in words for the record.
pub(crate) fn in_words(cause: FailCause) -> &'static str {
    match cause {
        FailCause::Response => "",
        FailCause::TimedOut => "nothing came in time",
        FailCause::Unreachable => "unreachable",
        FailCause::Unresolved => "the name was not found",
        FailCause::Closed => "the connection was closed",
        FailCause::Full => "no transaction free",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_shows_that_somebody_is_there_unless_it_says_that_calls_are_not_taken() {
        let verdict = |code| Finding::Answered(StatusCode::new(code).unwrap()).verdict();
        for (code, expected) in [
            (200, Verdict::There),
            (404, Verdict::Odd),
            (405, Verdict::Odd),
            (486, Verdict::Odd),
            (501, Verdict::Odd),
            (403, Verdict::Gone),
            (408, Verdict::Gone),
            (500, Verdict::Gone),
            (503, Verdict::Gone),
        ] {
            assert_eq!(verdict(code), expected, "{code}");
        }
        assert_eq!(Finding::Silent(FailCause::TimedOut).verdict(), Verdict::Gone);
        assert_eq!(Finding::Silent(FailCause::Full).verdict(), Verdict::Nothing, "our own want of room");
    }
}
