//! What a REGISTER asks for, or why it cannot be done (RFC 3261 §10.3 steps 6 and 7).

use std::time::Duration;

use bytes::Bytes;
use sip_core::message::{Header, NameAddr, Scheme, Uri};
use sip_core::{Message, Reply, StatusCode};

use crate::config::Registrar as Rules;

/// What is asked for.
pub(super) struct Asked {
    pub(super) wanted: Wanted,
    pub(super) sender: Sender,
}

pub(super) enum Wanted {
    /// `Contact: *`: no telephone any more.
    Nothing,
    /// These telephones beside those that are registered; none: only the list.
    Contacts(Vec<Contact>),
}

/// What is the same for all contacts of one REGISTER.
pub(super) struct Sender {
    pub(super) path: Vec<Bytes>,
    pub(super) device: String,
    pub(super) call_id: Bytes,
    pub(super) cseq: u32,
}

pub(super) struct Contact {
    pub(super) uri: Uri,
    /// Zero: it wants to be removed.
    pub(super) expiry: Duration,
    pub(super) outbound: Option<(Bytes, u32)>,
}

/// Contacts in one REGISTER; nobody has more telephones than that.
const MOST: usize = 20;
/// Bytes of a contact, of an instance, of the path: what is kept for as long as it is registered.
const LONGEST: usize = 512;

impl Asked {
    pub(super) fn read(request: &Message, rules: &Rules) -> Result<Asked, Box<Reply>> {
        let bad = |why: &'static str| fault(StatusCode::BAD_REQUEST, why);
        let (Ok(call_id), Ok(cseq)) = (request.call_id(), request.cseq()) else {
            return Err(bad("No Call-ID"));
        };
        let call_id = own(&call_id);
        let path = path_of(request);
        if path.iter().map(Bytes::len).sum::<usize>() > LONGEST || call_id.len() > LONGEST {
            return Err(bad("Too long"));
        }
        let device = request.value(Header::UserAgent).unwrap_or_default();
        let device = String::from_utf8_lossy(&device).chars().filter(|c| !c.is_control()).take(64).collect();
        let sender = Sender { path, device, call_id, cseq: cseq.number };
        Ok(Asked { wanted: wanted(request, rules)?, sender })
    }
}

fn wanted(request: &Message, rules: &Rules) -> Result<Wanted, Box<Reply>> {
    let bad = |why: &'static str| fault(StatusCode::BAD_REQUEST, why);
    // Malformed counts as absent (§20.19).
    let general = request.value(Header::Expires).and_then(|value| seconds(&value));
    if request.value(Header::Contact).as_deref() == Some(b"*") {
        let alone = request.values(Header::Contact).count() == 1 && general == Some(Duration::ZERO);
        return if alone { Ok(Wanted::Nothing) } else { Err(bad("* only alone and with Expires: 0")) };
    }
    let contacts = request.addresses(Header::Contact).map_err(|_| bad("Malformed Contact"))?;
    if contacts.len() > MOST {
        return Err(bad("Too many contacts"));
    }
    let read = contacts.iter().map(|contact| one(contact, general, request, rules));
    Ok(Wanted::Contacts(read.collect::<Result<_, _>>()?))
}

fn one(
    contact: &NameAddr,
    general: Option<Duration>,
    request: &Message,
    rules: &Rules,
) -> Result<Contact, Box<Reply>> {
    let uri = contact.uri.without_headers();
    let is_sip = matches!(contact.uri.scheme(), Scheme::Sip | Scheme::Sips);
    let uri =
        Some(uri).filter(|uri| is_sip && uri.len() <= LONGEST).and_then(|uri| Uri::parse(own(&uri)).ok());
    let uri = uri.ok_or_else(|| fault(StatusCode::BAD_REQUEST, "Contact is no SIP URI"))?;
    let own_expiry = contact.params.get("expires").and_then(seconds);
    let expiry = own_expiry.or(general).unwrap_or_else(|| rules.expiry_by_default());
    if !expiry.is_zero() && expiry < rules.min_expiry {
        let least = Bytes::from(rules.min_expiry.as_secs().to_string());
        let headers = vec![(Bytes::from_static(b"Min-Expires"), least)];
        return Err(Box::new(Reply { headers, ..Reply::new(StatusCode::INTERVAL_TOO_BRIEF) }));
    }
    let outbound = outbound(contact, request)?;
    Ok(Contact { uri, expiry: expiry.min(rules.max_expiry), outbound })
}

/// Instance and number (RFC 5626 §6); both or none. Behind a proxy only if that proxy keeps the way open too.
fn outbound(contact: &NameAddr, request: &Message) -> Result<Option<(Bytes, u32)>, Box<Reply>> {
    let number = contact.params.get("reg-id").and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    let instance = contact.params.get("+sip.instance").filter(|text| text.len() <= LONGEST).map(own);
    let Some(outbound) = instance.zip(number.filter(|number| *number > 0)) else { return Ok(None) };
    let direct = request.vias().count() <= 1;
    let kept = path_of(request).last().and_then(|path| NameAddr::parse(path.clone()).ok());
    if direct || kept.is_some_and(|first| first.uri.param("ob").is_some()) {
        return Ok(Some(outbound));
    }
    match request.has_token(Header::Supported, "outbound") {
        // Without that proxy's help the way would not be the telephone's.
        true => {
            let status = StatusCode::new(439).unwrap_or(StatusCode::BAD_REQUEST);
            Err(fault(status, "First Hop Lacks Outbound Support"))
        }
        false => Ok(None),
    }
}

/// Path values as they are to be in a Route (RFC 3327 §5.3): the nearest proxy is on top.
pub(super) fn path_of(request: &Message) -> Vec<Bytes> {
    request
        .values(Header::Path)
        .map(|value| own(&value))
        .filter(|value| NameAddr::parse(value.clone()).is_ok())
        .collect()
}

fn seconds(text: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()))
}

fn fault(status: StatusCode, why: &'static str) -> Box<Reply> {
    Box::new(Reply { reason: Some(Bytes::from_static(why.as_bytes())), ..Reply::new(status) })
}

/// A copy: what is kept for an hour must not keep the message.
fn own(text: &[u8]) -> Bytes {
    Bytes::copy_from_slice(text)
}
