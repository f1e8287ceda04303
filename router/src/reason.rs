//! The Reason header (RFC 3326): why a request or a refusal came, in the words of the telephone network.

use bytes::Bytes;
use sip_core::{Message, message::Header};

/// What a Q.850 value says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reason {
    /// ITU-T Q.850: 16 normal, 17 busy, 31 unspecified, …
    pub cause: Option<u16>,
    /// Its text, without the name of the call that may stand before it.
    pub text: Option<String>,
    /// What the far end calls this call, if it says so: Microsoft finds it by that. A GUID.
    pub correlation: Option<String>,
}

impl Reason {
    /// Reads the Q.850 value of a header; nothing if there is none.
    ///
    /// Teams writes `Q.850;cause=31;text="GUID;phrase"`.
    pub fn q850(header: &str) -> Reason {
        let value = split(header, ',').find(|value| {
            value.split(';').next().is_some_and(|protocol| protocol.trim().eq_ignore_ascii_case("Q.850"))
        });
        let param = |name: &str| {
            let mut params = split(value?, ';').skip(1).filter_map(|param| param.split_once('='));
            params.find(|(known, _)| known.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
        };
        let text = param("text").map(unquoted).filter(|text| !text.is_empty());
        let (correlation, text) = match text.as_deref().and_then(|text| text.split_once(';')) {
            Some((id, phrase)) if is_guid(id) => (Some(id.to_owned()), Some(phrase.trim().to_owned())),
            _ => match text {
                Some(id) if is_guid(&id) => (Some(id), None),
                text => (None, text),
            },
        };
        Reason { cause: param("cause").and_then(|cause| cause.parse().ok()), text, correlation }
    }

    /// For people: `Q.850 31: No callee endpoints were found., correlation 1b2c…`; `None` if it says nothing.
    pub fn in_words(&self) -> Option<String> {
        let cause = self.cause.map(|cause| format!("Q.850 {cause}"));
        let told: Vec<String> = cause.into_iter().chain(self.text.clone()).collect();
        let id = self.correlation.as_ref().map(|id| format!("correlation {id}"));
        let words: Vec<String> =
            Some(told.join(": ")).filter(|told| !told.is_empty()).into_iter().chain(id).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// All values of the header in one line, ready to be sent on.
pub(crate) fn of_message(message: &Message) -> Option<Bytes> {
    let values: Vec<_> = message.values(Header::Reason).filter(|value| !value.is_empty()).collect();
    let line = values.join(&b", "[..]);
    let line: Vec<u8> =
        line.into_iter().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }).collect();
    (!line.is_empty()).then(|| Bytes::from(line))
}

/// Parts between `mark`s that stand outside quotes.
fn split(text: &str, mark: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        let ends = c == mark && !quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        ends
    })
}

fn unquoted(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let (mut plain, mut rest) = (String::with_capacity(inner.len()), inner.chars());
    while let Some(c) = rest.next() {
        plain.extend(if c == '\\' { rest.next() } else { Some(c) });
    }
    plain
}

fn is_guid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_q850_cause_is_found_beside_a_sip_reason() {
        let told = Reason::q850(
            "SIP;cause=486;text=\"a, Q.850;cause=9\", Q.850 ;cause=17;text=\"User \\\"busy\\\"\"",
        );
        assert_eq!((told.cause, told.text.as_deref()), (Some(17), Some("User \"busy\"")));
        assert_eq!(Reason::q850("SIP;cause=200"), Reason::default());
        assert_eq!(Reason::q850("q.850;Cause=16").in_words().as_deref(), Some("Q.850 16"));
        assert_eq!(Reason::default().in_words(), None);
    }

    #[test]
    fn the_name_that_teams_gives_a_call_is_told_apart_from_the_phrase() {
        let id = "0d4e9b1a-2f7c-4a55-9a3e-6a1c2b3d4e5f";
        let told = Reason::q850(&format!("Q.850;cause=31;text=\"{id};No callee endpoints were found.\""));
        assert_eq!(told.correlation.as_deref(), Some(id));
        assert_eq!(told.text.as_deref(), Some("No callee endpoints were found."));
        let words = format!("Q.850 31: No callee endpoints were found., correlation {id}");
        assert_eq!(told.in_words(), Some(words));
        let other = Reason::q850("Q.850;cause=31;text=\"first; second\"");
        assert_eq!((other.text.as_deref(), other.correlation), (Some("first; second"), None));
        assert_eq!(Reason::q850(&format!("Q.850;text=\"{id}\"")).correlation.as_deref(), Some(id));
    }
}
