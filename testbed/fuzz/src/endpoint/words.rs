//! What far ends say: whole messages that fit into what was said before, or nearly.

use super::tape::Tape;
use sip_core::message::{Header, Message, Method};
use std::fmt::Write;

/// What gets far stands here more than once.
const METHODS: [&str; 16] = [
    "ACK", "ACK", "ACK", "BYE", "INVITE", "INVITE", "UPDATE", "UPDATE", "PRACK", "PRACK", "INFO", "REFER",
    "NOTIFY", "OPTIONS", "CANCEL", "NONSENSE",
];
const CONTACTS: [&str; 8] = [
    "<sip:a@10.0.0.2:5060>",
    "<sip:a@10.0.0.3:5060;transport=tcp>",
    "<sip:a@far.test>",
    "<sip:a@[2001:db8::1]>",
    "<sips:a@10.0.0.2>",
    "sip:",
    "*",
    "<sip:a@10.0.0.2:0;transport=ws>",
];
const STATUSES: [u16; 32] = [
    100, 180, 183, 183, 183, 199, 200, 200, 200, 200, 200, 200, 202, 299, 302, 401, 401, 404, 407, 407, 408,
    420, 422, 422, 481, 487, 488, 491, 491, 500, 503, 699,
];
const DURATIONS: [u32; 6] = [90, 91, 600, 86_400, 0, u32::MAX];

/// Headers that change what happens, and perhaps a body. `counter` is another number each time.
fn extras(tape: &mut Tape<'_>, counter: u32) -> String {
    let (how, bits, more) = (tape.byte(), tape.byte(), tape.byte());
    // Mostly what is plain, or wants one thing more.
    let (bits, more) = match how {
        0..64 => (bits & 128, 0),
        64..160 => (bits & 0x8d, more & 0x3c),
        160..208 => (bits, 0),
        208.. => (bits, more),
    };
    let mut text = String::new();
    let mut add = |is: bool, line: String| {
        if is {
            let _ = write!(text, "{line}\r\n");
        }
    };
    let seconds = tape.pick(&DURATIONS);
    add(bits & 1 != 0, "Supported: 100rel, timer, replaces".into());
    add(bits & 2 != 0, "Require: 100rel".into());
    add(bits & 4 != 0, "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, INFO, PRACK".into());
    add(
        bits & 8 != 0,
        format!("Session-Expires: {seconds}{}", tape.pick(&["", ";refresher=uac", ";refresher=uas"])),
    );
    let least = if tape.byte() & 1 == 0 { tape.pick(&DURATIONS) } else { 1_000 + counter };
    add(bits & 16 != 0, format!("Min-SE: {least}"));
    let rseq = if more & 1 == 0 { counter } else { u32::from(more >> 1) };
    add(bits & 32 != 0, format!("RSeq: {rseq}"));
    add(
        bits & 64 != 0,
        tape.pick(&["Record-Route: <sip:10.0.0.7;lr>", "Route: <sip:proxy.test>", "Record-Route: <"]).into(),
    );
    add(more & 2 != 0, challenge(tape, counter));
    add(more & 4 != 0, format!("RAck: {} {} INVITE", counter.wrapping_sub(1), tape.byte()));
    add(more & 8 != 0, "Refer-To: <sip:cy@far.test>".into());
    add(
        more & 16 != 0,
        tape.pick(&["Refer-Sub: false", "Subscription-State: active", "Subscription-State: terminated"])
            .into(),
    );
    add(more & 32 != 0, format!("Contact: {}", tape.pick(&CONTACTS)));
    add(more & 64 != 0, tape.pick(&["Require: timer", "Require: nonsense", "Content-Encoding: gzip"]).into());
    if bits & 128 != 0 {
        let (kind, body) = tape.pick(&[
            ("application/sdp", "v=0\r\n"),
            ("message/sipfrag", "SIP/2.0 200 OK\r\n"),
            ("text/x", "x"),
        ]);
        let _ = write!(text, "Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    } else {
        text.push_str("Content-Length: 0\r\n\r\n");
    }
    text
}

fn challenge(tape: &mut Tape<'_>, counter: u32) -> String {
    let name = tape.pick(&["WWW-Authenticate", "Proxy-Authenticate"]);
    let (realm, stale) = (tape.pick(&["far", "near", ""]), tape.pick(&["", ", stale=true"]));
    format!("{name}: Digest realm=\"{realm}\", nonce=\"n{counter}\", qop=\"auth\", algorithm=SHA-256{stale}")
}

/// A request outside all dialogs, from one of four callers.
pub(super) fn beginning(tape: &mut Tape<'_>, counter: u32) -> String {
    let method = if tape.byte() & 3 == 0 { tape.pick(&METHODS) } else { "INVITE" };
    let (caller, cseq) = (tape.below(4), 1 + tape.below(3));
    let odd = tape.byte() >= 240;
    let uri =
        if odd { tape.pick(&["sips:desk@near.test", "tel:+4930", "http://x"]) } else { "sip:desk@10.0.0.1" };
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{} 10.0.0.2:5060;branch={}\r\nMax-Forwards: {}\r\n\
         From: <sip:a@far.test>;tag=f{caller}\r\nTo: <sip:desk@near.test>\r\nCall-ID: c{caller}\r\n\
         CSeq: {cseq} {method}\r\nContact: {}\r\n{}",
        tape.pick(&["UDP", "TCP"]),
        branch(tape, counter),
        if odd { tape.byte() & 1 } else { 70 },
        CONTACTS[0],
        extras(tape, counter),
    )
}

/// A new one mostly; else an old one, one of RFC 2543, or none.
fn branch(tape: &mut Tape<'_>, counter: u32) -> String {
    match tape.byte() {
        0..240 => format!("z9hG4bKn{counter}"),
        240..248 => format!("z9hG4bKo{}", tape.below(4)),
        _ => tape.pick(&["1", "", "z9hG4bK"]).to_owned(),
    }
}

/// A request in the dialog of something that the endpoint has sent.
pub(super) fn inside(tape: &mut Tape<'_>, said: &Message, counter: u32) -> Option<String> {
    let text = |header| said.value(header).map(|value| String::from_utf8_lossy(&value).into_owned());
    let (from, to) = (text(Header::From)?, text(Header::To)?);
    let (theirs, ours) = if said.is_request() { (to, from) } else { (from, to) };
    let theirs =
        if theirs.contains("tag=") { theirs } else { format!("{theirs};tag={}", tag(tape, counter)) };
    let method = tape.pick(&METHODS);
    let number = said.cseq().ok()?.number;
    let cseq = match tape.byte() & 7 {
        _ if method == "ACK" => number,
        0 => number,
        1 => u32::MAX,
        2 => number.saturating_sub(1),
        _ => 100 + counter,
    };
    let rack = match (method, text(Header::RSeq)) {
        ("PRACK", Some(rseq)) => format!("RAck: {rseq} {number} INVITE\r\n"),
        _ => String::new(),
    };
    Some(format!(
        "{method} sip:10.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch={}\r\nMax-Forwards: 70\r\n\
         From: {theirs}\r\nTo: {ours}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n{rack}{}",
        branch(tape, counter),
        text(Header::CallId)?,
        extras(tape, counter),
    ))
}

/// A response to a request of the endpoint.
pub(super) fn response(tape: &mut Tape<'_>, request: &Message, counter: u32) -> Option<String> {
    let text = |header| request.value(header).map(|value| String::from_utf8_lossy(&value).into_owned());
    let to = text(Header::To)?;
    let to = if to.contains("tag=") { to } else { format!("{to};tag={}", tag(tape, counter)) };
    Some(format!(
        "SIP/2.0 {} Whatever\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: {}\r\n{}",
        tape.pick(&STATUSES),
        text(Header::Via)?,
        text(Header::From)?,
        text(Header::CallId)?,
        text(Header::CSeq)?,
        CONTACTS[0],
        extras(tape, counter),
    ))
}

/// One of a few, or another one each time.
fn tag(tape: &mut Tape<'_>, counter: u32) -> String {
    match tape.byte() & 7 {
        0..5 => "x".to_owned(),
        5 => "y".to_owned(),
        _ => format!("t{counter}"),
    }
}

/// The CANCEL or the ACK of an INVITE that the endpoint has heard.
pub(super) fn of_invite(tape: &mut Tape<'_>, invite: &[u8]) -> Option<String> {
    let text = String::from_utf8(invite.to_vec()).ok().filter(|text| text.starts_with("INVITE "))?;
    let method = tape.pick(&["CANCEL", "ACK"]);
    Some(text.replacen("INVITE", method, 1).replace(" INVITE\r\n", &format!(" {method}\r\n")))
}

/// The same bytes with a few of them changed, cut off or doubled.
pub(super) fn spoiled(tape: &mut Tape<'_>, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..tape.below(4) {
        let at = (tape.below(256) * 256 + tape.below(256)) % (bytes.len() + 1);
        match tape.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.splice(at..at, tape.bytes().iter().copied()).for_each(drop),
            2 => bytes.extend_from_within(at..),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= tape.byte()),
        }
    }
    bytes
}

/// Whether the endpoint waits for a response to this.
pub(super) fn is_asked(said: &Message) -> bool {
    said.is_request() && said.method() != Method::Ack
}

/// Whether a dialog can be read off it.
pub(super) fn is_in_dialog(said: &Message) -> bool {
    said.is_request() || said.to().is_ok_and(|to| to.tag().is_some())
}
