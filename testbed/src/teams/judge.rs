//! What Teams refuses of whoever calls it, and what it is never to be sent. Each sentence names its place in the sheet.

use bytes::Bytes;
use media::sdp::Description;
use sip_core::{
    Message,
    message::{Header, Method},
    transport::carries_name,
};

/// What is wrong with a request.
pub(super) struct Fault {
    /// What it is answered; `None`: it is let through.
    pub(super) status: Option<u16>,
    /// And why.
    pub(super) why: String,
}

fn refused(status: u16, why: impl Into<String>) -> Fault {
    Fault { status: Some(status), why: why.into() }
}

fn noted(why: impl Into<String>) -> Fault {
    Fault { status: None, why: why.into() }
}

/// What Teams does not speak, so that it must never hear it (1.4: Allow).
pub(super) fn is_forbidden(method: &Method) -> bool {
    use Method::{Ack, Bye, Cancel, Invite, Notify, Options};
    !matches!(method, Invite | Ack | Options | Cancel | Bye | Notify)
}

/// The name in Contact must be one that the certificate of the connection carries (1.4, 1.5).
pub(super) fn of_contact(request: &Message, names: &[String]) -> Option<Fault> {
    let Ok(contact) = request.contact() else { return Some(refused(400, "no Contact (1.4)")) };
    let host = String::from_utf8_lossy(contact.uri.host()).into_owned();
    if contact.uri.host_ip().is_some() {
        return Some(refused(403, format!("an address in Contact: {host} (1.4)")));
    }
    if contact.uri.param("transport") != Some(b"tls") {
        return Some(refused(403, "Contact without transport=tls (1.4)"));
    }
    let known = carries_name(names, &host);
    (!known).then(|| refused(403, format!("{host} in Contact is not in the certificate (1.5)")))
}

/// Everything that is wrong with a new call, the worst first.
pub(super) fn of_invite(invite: &Message, names: &[String]) -> Vec<Fault> {
    let mut faults: Vec<Fault> = of_contact(invite, names).into_iter().collect();
    faults.extend(of_numbers(invite));
    faults.extend(of_description(&invite.body()));
    if invite.values(Header::Replaces).next().is_some() {
        faults.push(refused(403, "Replaces towards Teams (1.5)"));
    }
    if invite.has_token(Header::Require, "100rel") {
        faults.push(refused(420, "100rel required (1.6)"));
    }
    if invite.count(Header::RecordRoute) > 0 {
        faults.push(noted("Record-Route of ours (1.5)"));
    }
    if invite.named(b"X-MS-SBC").next().is_none() {
        faults.push(noted("no X-MS-SBC (1.5)"));
    }
    if invite.via().is_ok_and(|via| via.host_ip().is_some()) {
        faults.push(noted("Via without our name (1.5)"));
    }
    faults.sort_by_key(|fault| fault.status.is_none());
    faults
}

fn of_numbers(invite: &Message) -> Option<Fault> {
    let uri = invite.request_uri().ok()?;
    let user = uri.user().unwrap_or_default();
    if !user.is_empty() && !user.starts_with(b"+") {
        return Some(refused(412, "a called number without + (1.5)"));
    }
    if !user.is_empty() && uri.param("user") != Some(b"phone") {
        return Some(noted("a called number without user=phone (1.5)"));
    }
    let from = invite.from().ok()?;
    let caller = from.uri.user().unwrap_or_default();
    let is_named = caller == b"anonymous" || caller.starts_with(b"+");
    (!is_named).then(|| noted("a caller's number without + (1.5)"))
}

/// SRTP with the one suite, no payload type twice, nothing but `sendrecv` or `inactive` (2.1, 2.2, 1.9).
pub(super) fn of_description(body: &Bytes) -> Option<Fault> {
    if body.is_empty() {
        return Some(refused(488, "no offer in the INVITE (1.20)"));
    }
    let Ok(description) = Description::parse(body) else {
        return Some(refused(410, "a description that cannot be read (2.7)"));
    };
    let media = description.media.first()?;
    let mut types: Vec<&str> = media.formats.iter().map(|format| format.name.as_str()).collect();
    types.sort_unstable();
    let twice = types.windows(2).any(|pair| pair[0] == pair[1]);
    let suite = media.crypto.iter().any(|crypto| crypto.0.contains(" AES_CM_128_HMAC_SHA1_80 "));
    match () {
        () if media.protocol != "RTP/SAVP" => {
            Some(refused(488, format!("{} instead of RTP/SAVP (2.1)", media.protocol)))
        }
        () if !suite => Some(refused(488, "no AES_CM_128_HMAC_SHA1_80 (2.1)")),
        () if twice => Some(refused(488, "a payload type twice (2.2)")),
        () => {
            let name = description.direction_of(media).name();
            let known = ["sendrecv", "inactive"].contains(&name);
            (!known).then(|| noted(format!("{name} (1.9)")))
        }
    }
}
