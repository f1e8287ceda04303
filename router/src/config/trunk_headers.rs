//! Headers of the calls that a trunk is sent: what goes on from the caller's INVITE, what does not, what is added.

use bytes::Bytes;
use sip_core::message::Header;

use super::address::Template;
use super::problem::Report;
use super::raw::{Item, section};

section! {
    /// Headers of the calls that a trunk is sent.
    TrunkHeadersToml "[trunk.NAME]" {
        /// Headers of the INVITEs that this trunk is sent; those that are set to a fixed text also stand in the questions of `check_every`: `{ set = { X-Tenant = "7" }, remove = ["X-Secret"], pass = ["X-*"] }`. Default: what the caller's INVITE has of headers that Fernamt does not know, and Subject, Priority, Organization, Alert-Info, Call-Info, Accept-Language, In-Reply-To, Diversion, History-Info, User-to-User and Geolocation, goes on.
        headers,
    }
}

section! {
    /// Headers of the INVITEs that a trunk is sent. Those that make the call what it is, such as Via, From or Call-ID, are Fernamt's.
    HeaderRulesToml "headers = { … }" {
        /// Of those that would go on by themselves only these do: names, or beginnings of names, `"X-*"`. Default: all.
        pass,
        /// These do not go on. Default: none.
        remove,
        /// These are added, each in place of any that would go on: `{ X-Tenant = "7" }`; `{caller}` and `{called}` may stand in the text. Default: none.
        set,
        /// These stand in what we answer to its requests, OPTIONS included and `100 Trying` apart: `{ X-Vendor = "ours" }`, without places to fill in. Default: none.
        in_answers,
    }
}

/// Headers of the INVITEs that a trunk is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderRules {
    /// Only these go on; `None`: all that do by themselves.
    pub pass: Option<Vec<HeaderName>>,
    /// These do not.
    pub remove: Vec<HeaderName>,
    /// These are added.
    pub set: Vec<(Bytes, Template)>,
    /// These stand in our answers.
    pub in_answers: Vec<(Bytes, Bytes)>,
}

/// A header, or all whose names begin so; in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderName {
    /// The name or its beginning.
    pub text: String,
    /// It is a beginning.
    pub open: bool,
}

/// Headers with a meaning for SIP that a configuration may set all the same: they speak about the call.
const FREE: &[Header] = &[
    Header::AcceptContact,
    Header::AcceptLanguage,
    Header::AlertInfo,
    Header::CallInfo,
    Header::Date,
    Header::Diversion,
    Header::InReplyTo,
    Header::Organization,
    Header::Priority,
    Header::RejectContact,
    Header::ReplyTo,
    Header::RequestDisposition,
    Header::Subject,
    Header::UserToUser,
    Header::Other,
];

/// Unknown to us, and yet not to be written by hand: they say who calls.
const IDENTITIES: &[&str] = &["remote-party-id", "rpid-privacy"];

/// Headers of a rule: each is compared with each header of a call.
const MOST_NAMES: usize = 100;

impl HeaderRules {
    /// A header of the caller's INVITE goes on.
    pub fn passes(&self, name: &[u8]) -> bool {
        let is = |known: &HeaderName| known.matches(name);
        let set = self.set.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        self.pass.as_ref().is_none_or(|pass| pass.iter().any(is)) && !self.remove.iter().any(is) && !set
    }

    /// Headers that are set to the same text in every call.
    pub fn fixed(&self) -> impl Iterator<Item = (Bytes, Bytes)> {
        let set = self.set.iter();
        set.filter_map(|(name, value)| Some((name.clone(), value.fixed()?.to_owned().into())))
    }

    pub(super) fn resolve(raw: &TrunkHeadersToml<'_>, report: &mut Report) -> HeaderRules {
        let Some(item) = &raw.headers.item else { return HeaderRules::default() };
        let Some(table) = item.table("{ set = { X-Tenant = \"7\" } }", report) else {
            return HeaderRules::default();
        };
        let raw = HeaderRulesToml::read(table, &item.key, item.value.span(), report);
        HeaderRules {
            pass: raw.pass.item.as_ref().map(|item| names(item, report)),
            remove: raw.remove.item.as_ref().map(|item| names(item, report)).unwrap_or_default(),
            set: raw.set.item.as_ref().map(|item| set(item, report)).unwrap_or_default(),
            in_answers: raw.in_answers.item.as_ref().map(|item| in_answers(item, report)).unwrap_or_default(),
        }
    }
}

impl HeaderName {
    fn matches(&self, name: &[u8]) -> bool {
        match self.open {
            true => name
                .get(..self.text.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(self.text.as_bytes())),
            false => name.eq_ignore_ascii_case(self.text.as_bytes()),
        }
    }
}

fn names(item: &Item<'_>, report: &mut Report) -> Vec<HeaderName> {
    let list = item.list();
    if let Some(item) = list.get(MOST_NAMES) {
        item.error(report, format!("is one too many; write at most {MOST_NAMES}"));
    }
    list.iter().filter_map(|item| name(item, report)).collect()
}

fn name(item: &Item<'_>, report: &mut Report) -> Option<HeaderName> {
    let text = item.text("\"X-Tenant\"", report)?;
    let (body, open) = text.strip_suffix('*').map_or((text, false), |body| (body, true));
    if !body.bytes().all(is_token) || text.is_empty() {
        item.error(
            report,
            format!("\"{text}\" is no name of a header; write one such as \"X-Tenant\", or \"X-*\""),
        );
        return None;
    }
    if !open && (!is_free(body) && Header::named(body.as_bytes()) != Header::HistoryInfo) {
        item.error(report, format!("{body} is written by Fernamt itself and never goes on; take it out"));
        return None;
    }
    Some(HeaderName { text: body.to_owned(), open })
}

fn set(item: &Item<'_>, report: &mut Report) -> Vec<(Bytes, Template)> {
    let Some(table) = item.table("{ X-Tenant = \"7\" }", report) else { return Vec::new() };
    let entries = item.entries(table);
    if let Some((_, item)) = entries.get(MOST_NAMES) {
        item.error(report, format!("is one too many; write at most {MOST_NAMES}"));
    }
    entries.iter().filter_map(|(name, item)| one(name, item, report)).collect()
}

fn one(name: &str, item: &Item<'_>, report: &mut Report) -> Option<(Bytes, Template)> {
    let text = item.text("\"7\"", report)?;
    let why = if name.is_empty() || !name.bytes().all(is_token) {
        "is no name of a header; write letters, digits and -".to_owned()
    } else if !is_free(name) {
        let cure = match Header::named(name.as_bytes()) {
            Header::PAssertedIdentity | Header::PPreferredIdentity | Header::Privacy => "write identity_out",
            Header::HistoryInfo => "write history = \"add\"",
            _ => "take it out",
        };
        format!("is written by Fernamt itself; {cure}")
    } else if text.chars().any(char::is_control) {
        "a line end in the text would begin another header; write one line".to_owned()
    } else {
        match Template::parse(text) {
            Ok(template) => return Some((Bytes::copy_from_slice(name.as_bytes()), template)),
            Err(why) => why,
        }
    };
    item.error(report, why);
    None
}

/// As [`set`], but an answer belongs to nobody's call.
fn in_answers(item: &Item<'_>, report: &mut Report) -> Vec<(Bytes, Bytes)> {
    let named = set(item, report).into_iter();
    named
        .filter_map(|(name, text)| match text.fixed() {
            Some(text) => Some((name, Bytes::copy_from_slice(text.as_bytes()))),
            None => {
                item.error(
                    report,
                    "has places that only a call could fill; write texts without {caller} and {called}",
                );
                None
            }
        })
        .collect()
}

fn is_free(name: &str) -> bool {
    FREE.contains(&Header::named(name.as_bytes()))
        && !IDENTITIES.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// RFC 3261 §25.1 `token`.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}
