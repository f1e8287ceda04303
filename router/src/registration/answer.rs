//! What a registrar's answer says to us (RFC 3261 §10.2.4, §10.3, §21.4.17).

use std::time::Duration;

use bytes::Bytes;
use sip_core::{
    FailCause, Message,
    message::{Header, NameAddr},
};

/// The end of one REGISTER of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 2xx.
    Taken {
        /// Of the request that was answered, which may have gone out more than once.
        cseq: Option<u32>,
        /// For how long; `None`: it does not say, and what was asked for holds.
        expires: Option<Duration>,
    },
    /// 423.
    TooBrief {
        /// As above.
        cseq: Option<u32>,
        /// What the carrier takes at least.
        least: Option<Duration>,
    },
    /// Any other final answer.
    Refused {
        /// As above.
        cseq: Option<u32>,
        /// Which.
        status: u16,
        /// How long we are to wait.
        retry_after: Option<Duration>,
    },
    /// None.
    None(FailCause),
}

/// The answer to an interval that is too brief.
const TOO_BRIEF: u16 = 423;

impl Answer {
    /// Reads the end of an [`Ask`](sip_core::Ask). `user` is the user part of our Contact: a carrier may know others
    /// under the same account, and may write another host for what it takes us to be behind.
    pub fn of(answer: &Result<Message, FailCause>, user: &str) -> Answer {
        let response = match answer {
            Ok(response) => response,
            Err(cause) => return Answer::None(*cause),
        };
        let cseq = response.cseq().ok().map(|cseq| cseq.number);
        let status = response.status().map_or(500, |status| status.code());
        match status {
            200..=299 => Answer::Taken { cseq, expires: granted(response, user) },
            TOO_BRIEF => Answer::TooBrief { cseq, least: seconds(response, Header::MinExpires) },
            _ => Answer::Refused { cseq, status, retry_after: seconds(response, Header::RetryAfter) },
        }
    }

    pub(super) fn cseq(&self) -> Option<u32> {
        match self {
            Answer::Taken { cseq, .. } | Answer::TooBrief { cseq, .. } | Answer::Refused { cseq, .. } => {
                *cseq
            }
            Answer::None(_) => None,
        }
    }
}

/// What our binding has, then what all have.
fn granted(response: &Message, user: &str) -> Option<Duration> {
    let contacts = response.values(Header::Contact);
    let parsed = contacts.filter_map(|value| NameAddr::parse(Bytes::copy_from_slice(&value)).ok());
    let parsed: Vec<NameAddr> = parsed.collect();
    let is_ours =
        |contact: &&NameAddr| contact.uri.user_decoded().is_some_and(|name| *name == *user.as_bytes());
    // Some write something else altogether; the only one there is is ours then.
    let ours = parsed.iter().find(is_ours).or_else(|| parsed.first().filter(|_| parsed.len() == 1));
    let own = ours.and_then(|contact| number(contact.params.get("expires")?));
    own.or_else(|| seconds(response, Header::Expires))
}

fn seconds(response: &Message, header: Header) -> Option<Duration> {
    number(&response.value(header)?)
}

/// A comment and parameters may follow the number (RFC 3261 §20.33).
fn number(value: &[u8]) -> Option<Duration> {
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let seconds: u64 = std::str::from_utf8(&value[..digits]).ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}
