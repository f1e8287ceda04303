//! Where a call was redirected before it came to us, and what is told of that: Diversion (RFC 5806), History-Info
//! (RFC 7044).

use bytes::Bytes;
use sip_core::{
    Message,
    message::{Header, NameAddr},
};

/// Entries of either header that are read; more is a loop, or somebody's joke.
const MOST_ENTRIES: usize = 32;

/// Whoever was called before us and sent the call on, and is so for the last time; `None` if nobody did, or does not
/// want to be told.
pub(super) fn diverted_from(invite: &Message) -> Option<NameAddr> {
    let entries = history(invite);
    let last = (0..entries.len()).rev().find_map(|at| {
        let entry = &entries[at];
        if entry.uri.header("Reason").is_some() {
            return Some(entry); // RFC 7044 §10.2: why this target did not take the call
        }
        let by_cause = entry.uri.param("cause").is_some() && at > 0; // RFC 4458, 7544: said of the new target
        by_cause.then(|| &entries[at - 1])
    });
    let last = last.cloned().or_else(|| diversions(invite).next());
    last.filter(|address| !is_private(address))
}

/// How often a call was redirected by somebody for whom `is_meant` holds. The last entry of a history is whom it is for
/// now.
pub(super) fn times_diverted_by(invite: &Message, is_meant: impl Fn(&NameAddr) -> bool) -> usize {
    let history = history(invite);
    let before = history.split_last().map_or(&history[..], |(_, before)| before);
    let by_history = before.iter().filter(|address| is_meant(address)).count();
    by_history.max(diversions(invite).filter(|address| is_meant(address)).count())
}

/// The most recent comes first (RFC 5806 §4.1.1).
fn diversions(invite: &Message) -> impl Iterator<Item = NameAddr> {
    addresses(invite, Header::Diversion)
}

fn history(invite: &Message) -> Vec<NameAddr> {
    addresses(invite, Header::HistoryInfo).collect()
}

fn addresses(invite: &Message, header: Header) -> impl Iterator<Item = NameAddr> {
    let values = invite.values(header).take(MOST_ENTRIES);
    values.filter_map(|value| NameAddr::parse(Bytes::copy_from_slice(&value)).ok())
}

/// `privacy=full` (RFC 5806 §4.1.2), `?Privacy=history` (RFC 7044 §10.1.2), with any of their other values.
fn is_private(address: &NameAddr) -> bool {
    let says = |value: Option<&[u8]>| {
        value.is_some_and(|value| {
            !value.is_empty() && !value.eq_ignore_ascii_case(b"none") && !value.eq_ignore_ascii_case(b"off")
        })
    };
    says(address.params.get("privacy")) || says(address.uri.header("Privacy"))
}

/// History-Info with our own decision: whom the call was for when it came, if no entry says so yet, and where we send it
/// instead (RFC 7044 §9.2, §10.3, `mp`: another user than the one called).
pub(super) fn history_with(invite_history: &[Bytes], called: &str, target: &str) -> String {
    let last = invite_history.last().and_then(|value| NameAddr::parse(value.clone()).ok());
    let index =
        last.as_ref().and_then(|last| Some(String::from_utf8_lossy(last.params.get("index")?).into_owned()));
    let is_told = last.is_some_and(|last| last.uri.as_bytes().as_ref() == called.as_bytes());
    let received: Vec<_> =
        invite_history.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    let (own, parent) = match (index, is_told) {
        (Some(index), true) => (None, index),
        (Some(index), false) => (Some(format!("<{called}>;index={index}.1")), format!("{index}.1")),
        (None, _) => (Some(format!("<{called}>;index=1")), "1".to_owned()),
    };
    let ours = format!("<{target}>;index={parent}.1;mp={parent}");
    received.into_iter().chain(own).chain([ours]).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite(headers: &str) -> Message {
        let text = format!(
            "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
             To: <sip:b@h>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n{headers}\r\n"
        );
        Message::parse(text.into()).unwrap()
    }

    #[track_caller]
    fn diverted(headers: &str) -> Option<String> {
        diverted_from(&invite(headers))
            .map(|address| String::from_utf8(address.uri.user().unwrap().to_vec()).unwrap())
    }

    #[test]
    fn the_last_who_sent_the_call_on_is_found_in_either_header() {
        for (headers, by) in [
            ("", None),
            ("Diversion: <sip:+492@h>;reason=unconditional, <sip:+491@h>;reason=no-answer\r\n", Some("+492")),
            ("Diversion: <tel:+492>;reason=user-busy;counter=1\r\n", Some("+492")),
            // As Microsoft writes it: the target that did not take the call says why.
            (
                "History-Info: <sip:+491@h;user=phone?Reason=SIP%3Bcause%3D302%3Btext%3D%22Moved%22>;index=1,\r\n \
                 <sip:+492@h?Reason=SIP%3Bcause%3D486>;index=1.1,<sip:+493@h>;index=1.2\r\n",
                Some("+492"),
            ),
            // As RFC 7544 maps Diversion: the new target says why.
            ("History-Info: <sip:+491@h>;index=1,<sip:+492@h;cause=408>;index=1.1\r\n", Some("+491")),
            // Only a way, no diversion.
            ("History-Info: <sip:+491@h>;index=1\r\n", None),
        ] {
            assert_eq!(diverted(headers).as_deref(), by, "{headers}");
        }
    }

    #[test]
    fn who_does_not_want_to_be_named_is_not() {
        assert_eq!(diverted("Diversion: <sip:+492@h>;reason=unconditional;privacy=full\r\n"), None);
        assert_eq!(diverted("Diversion: <sip:+492@h>;privacy=off\r\n").as_deref(), Some("+492"));
        assert_eq!(
            diverted("History-Info: <sip:+491@h?Reason=SIP%3Bcause%3D302&Privacy=history>;index=1\r\n"),
            None
        );
    }

    #[test]
    fn our_entry_follows_whom_the_call_was_for() {
        let received = [Bytes::from_static(b"<sip:a@h>;index=1"), Bytes::from_static(b"<sip:b@h>;index=1.1")];
        assert_eq!(history_with(&[], "sip:b@h", "sip:c@h"), "<sip:b@h>;index=1, <sip:c@h>;index=1.1;mp=1");
        assert_eq!(
            history_with(&received, "sip:b@h", "sip:c@h"),
            "<sip:a@h>;index=1, <sip:b@h>;index=1.1, <sip:c@h>;index=1.1.1;mp=1.1"
        );
        assert_eq!(
            history_with(&received[..1], "sip:b@h", "sip:c@h"),
            "<sip:a@h>;index=1, <sip:b@h>;index=1.1, <sip:c@h>;index=1.1.1;mp=1.1"
        );
    }
}
