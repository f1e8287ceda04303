//! The messages an endpoint writes, as far as they are the same everywhere.

use super::Reply;
use crate::dialog::{Refresher, SessionExpires, write_cseq};
use crate::message::{Builder, Header, Message, Method, StatusCode, respond_to, unfold};
use bytes::Bytes;
use std::net::SocketAddr;

/// Methods we take, in requests and responses alike (RFC 3261 §20.5).
pub(super) const ALLOW: &[u8] = b"INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, INFO, UPDATE, REFER, NOTIFY";

/// Headers that belong to the endpoint: a caller who writes them too would write them twice.
fn is_ours(header: Header, status: Option<StatusCode>) -> bool {
    match header {
        Header::Contact => status.is_none_or(|s| !s.is_failure()), // a redirection is the caller's
        Header::Via
        | Header::From
        | Header::To
        | Header::CallId
        | Header::CSeq
        | Header::MaxForwards
        | Header::RecordRoute
        | Header::ContentType
        | Header::ContentLength
        | Header::Allow
        | Header::SessionExpires
        | Header::Supported => true,
        _ => false,
    }
}

/// Adds a caller's headers to a request.
pub(super) fn add_headers(request: &mut Builder, headers: &[(Bytes, Bytes)]) {
    for (name, value) in headers.iter().filter(|(name, _)| !is_ours(Header::named(name), None)) {
        request.named(name, value);
    }
}

/// What a response says beside what a caller asked for.
#[derive(Default)]
pub(super) struct Context<'a> {
    /// Goes into To where that has none.
    pub(super) tag: &'a [u8],
    /// Where the response opens or refreshes a dialog, when it also repeats Record-Route (RFC 3261 §12.1.1), or answers
    /// OPTIONS.
    pub(super) contact: Option<&'a [u8]>,
    pub(super) supported: &'a [u8],
    /// The response is reliable, with this number (RFC 3262 §3).
    pub(super) rseq: Option<u32>,
    /// How long the session lasts from now on (RFC 4028 §9).
    pub(super) session: Option<SessionExpires>,
    pub(super) server: &'a str,
    /// Headers of every answer to this peer.
    pub(super) always: &'a [(Bytes, Bytes)],
}

/// The whole of a response that a caller asked for.
pub(super) fn response(request: &Message, source: SocketAddr, reply: &Reply, context: &Context<'_>) -> Bytes {
    let Context { tag, contact, supported, rseq, session, server, always } = *context;
    let mut response = respond_to(request, source, reply.status, reply.reason.as_deref(), Some(tag));
    if let Some(contact) = contact {
        if request.method() != Method::Options {
            response.copy(request, Header::RecordRoute);
        }
        response.header(Header::Contact, contact);
    }
    let asks = matches!(request.method(), Method::Invite | Method::Options | Method::Update);
    let refused = [StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_IMPLEMENTED].contains(&reply.status);
    if refused || (asks && reply.status.is_success()) {
        response.header(Header::Allow, ALLOW);
    }
    if asks && reply.status.is_success() {
        response.header(Header::Supported, supported);
    }
    if let Some(rseq) = rseq {
        response.header(Header::Require, b"100rel").header(Header::RSeq, rseq.to_string());
    }
    if let Some(session) = session.filter(|_| reply.status.is_success()) {
        if session.refresher == Some(Refresher::Uac) {
            response.header(Header::Require, b"timer"); // RFC 4028 §9: the far end must know that it is to refresh
        }
        response.header(Header::SessionExpires, session.value());
    }
    if !server.is_empty() {
        response.header(Header::Server, server);
    }
    let (status, registers) = (Some(reply.status), request.method() == Method::Register);
    // Bindings stand in Contacts, and extensions of a registrar are the registrar's.
    let is_registrars = |header| registers && matches!(header, Header::Contact | Header::Supported);
    let is_callers = |header| is_registrars(header) || !is_ours(header, status);
    let added = reply.headers.iter().chain(always);
    for (name, value) in added.filter(|(name, _)| is_callers(Header::named(name))) {
        response.named(name, value);
    }
    if let Some(body) = &reply.body {
        response.attach(body);
    }
    response.finish()
}

/// A request once more: with another Via on top, the next CSeq, and without the credentials that were not enough
/// (RFC 3261 §22.2).
pub(super) fn again(request: &Message, via: &[u8], cseq: u32) -> Bytes {
    let method = request.method();
    let mut again = Builder::request(&method, &request.request_uri_bytes());
    for field in request.fields() {
        match field.header {
            Header::Via => drop(again.header(Header::Via, via)), // ours, the only one
            Header::CSeq => write_cseq(&mut again, cseq, &method),
            header if is_rewritten(header) => {}
            _ => drop(again.named(field.name, unfold(field.value))),
        }
    }
    again.bare_body(&request.body()).finish()
}

/// The same request with these credentials in place of any other.
pub(super) fn proved(request: &Message, answers: &[(Header, Bytes)]) -> Bytes {
    let mut proved = Builder::request(&request.method(), &request.request_uri_bytes());
    for field in request.fields().filter(|field| !is_rewritten(field.header)) {
        proved.named(field.name, unfold(field.value));
    }
    for (header, answer) in answers {
        proved.header(*header, answer);
    }
    proved.bare_body(&request.body()).finish()
}

fn is_rewritten(header: Header) -> bool {
    matches!(header, Header::Authorization | Header::ProxyAuthorization | Header::ContentLength)
}

/// The ACK of a 3xx to 6xx: same hop, same branch, same routes as the INVITE, To as in the response (RFC 3261
/// §17.1.1.3).
pub(super) fn hop_ack(invite: &Message, response: &Message) -> Bytes {
    let mut ack = same_hop(invite, &Method::Ack);
    ack.copy(invite, Header::From).copy(response, Header::To).copy(invite, Header::CallId);
    write_cseq(&mut ack, invite.cseq().map_or(1, |cseq| cseq.number), &Method::Ack);
    ack.finish()
}

/// The CANCEL of an INVITE (RFC 3261 §9.1).
pub(super) fn cancel(invite: &Message, headers: &[(Bytes, Bytes)]) -> Bytes {
    let mut cancel = same_hop(invite, &Method::Cancel);
    cancel.copy(invite, Header::From).copy(invite, Header::To).copy(invite, Header::CallId);
    write_cseq(&mut cancel, invite.cseq().map_or(1, |cseq| cseq.number), &Method::Cancel);
    add_headers(&mut cancel, headers);
    cancel.finish()
}

fn same_hop(invite: &Message, method: &Method) -> Builder {
    let mut request = Builder::request(method, &invite.request_uri_bytes());
    request.copy(invite, Header::Via).header(Header::MaxForwards, b"70").copy(invite, Header::Route);
    request
}
