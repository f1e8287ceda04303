//! Dialogs (RFC 3261 §12): what two ends must remember to speak with each other again.

mod abilities;
mod glare;
mod reliable;
mod route_set;
mod session_timer;
mod unacked;

pub use abilities::Abilities;
pub use glare::pause;
pub use reliable::{Acknowledged, RAck, Reliable, Seen, wanted_prack};
pub use route_set::RouteSet;
pub use session_timer::{
    LEAST_MIN_SE, MOST_MIN_SE, Refresher, SessionDue, SessionExpires, SessionPolicy, SessionTimer, min_se,
};
pub use unacked::{Overdue, Unacked};

use crate::message::{Builder, Header, Message, Method, ParseError, Uri};
use bytes::Bytes;

/// One dialog. It holds copies: the messages it was made of can go.
#[derive(Debug)]
pub struct Dialog {
    call_id: Bytes,
    /// Our From or To with our tag, as it stands in every request of ours.
    local: Bytes,
    /// The far end's, with its tag if it has one.
    remote: Bytes,
    remote_tag: Bytes,
    local_seq: u32,
    remote_seq: Option<u32>,
    target: Bytes,
    routes: RouteSet,
    made_call_id: bool,
}

/// How the number of a request inside the dialog compares (RFC 3261 §12.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// It is next, or later: remembered.
    InOrder,
    /// An older one is late: `500`.
    Late,
}

impl Dialog {
    /// The dialog of an INVITE that reached us (§12.1.1); `local_tag` is what we answer with.
    ///
    /// # Errors
    /// `Missing` or `Malformed` From, To, Call-ID, CSeq or Contact.
    pub fn of_request(request: &Message, local_tag: &[u8]) -> Result<Dialog, ParseError> {
        Ok(Dialog {
            call_id: copy(&request.call_id()?),
            local: Bytes::from([&own(request, Header::To)?[..], b";tag=", local_tag].concat()),
            remote: own(request, Header::From)?,
            remote_tag: copy(&request.tag(Header::From).unwrap_or_default()),
            local_seq: 0,
            remote_seq: Some(request.cseq()?.number),
            target: copy(&request.contact()?.uri.without_headers()),
            routes: RouteSet::of_request(request),
            made_call_id: false,
        })
    }

    /// The dialog that a response to an INVITE of ours opens (§12.1.2). A Contact that is absent or unreadable is
    /// replaced by the To URI: better a BYE that may miss than none.
    ///
    /// # Errors
    /// `Missing` or `Malformed` From, To, Call-ID or CSeq.
    pub fn of_response(response: &Message) -> Result<Dialog, ParseError> {
        let target = response.contact().or_else(|_| response.to())?.uri.without_headers();
        Ok(Dialog {
            call_id: copy(&response.call_id()?),
            local: own(response, Header::From)?,
            remote: own(response, Header::To)?,
            remote_tag: copy(&response.tag(Header::To).unwrap_or_default()),
            local_seq: response.cseq()?.number,
            remote_seq: None,
            target: copy(&target),
            routes: RouteSet::of_response(response),
            made_call_id: true,
        })
    }

    /// Whether a request with our tag in To belongs here: same Call-ID, same far end (§12.2.2).
    pub fn owns(&self, request: &Message) -> bool {
        let same_tag = request.tag(Header::From).unwrap_or_default() == self.remote_tag;
        same_tag && request.call_id().is_ok_and(|call_id| call_id == self.call_id)
    }

    /// Whether it is named so: its Call-ID and the far end's tag; `0` stands for none (RFC 3891 §3).
    pub fn is_named(&self, call_id: &[u8], remote_tag: &[u8]) -> bool {
        let same_tag = self.remote_tag == remote_tag || (self.remote_tag.is_empty() && remote_tag == b"0");
        same_tag && self.call_id == call_id
    }

    /// Its Call-ID and the far end's tag.
    pub fn name(&self) -> (Bytes, Bytes) {
        (self.call_id.clone(), self.remote_tag.clone())
    }

    /// Compares a request's number with the last one seen and remembers it. Not for ACK and CANCEL.
    pub fn take_order(&mut self, number: u32) -> Order {
        match self.remote_seq {
            Some(last) if number < last => Order::Late,
            _ => {
                self.remote_seq = Some(number);
                Order::InOrder
            }
        }
    }

    /// The number of our next request.
    pub fn next_seq(&mut self) -> u32 {
        self.local_seq += 1;
        self.local_seq
    }

    /// A target refresh: requests go to the Contact of this message from now on (§12.2.1.2, §12.2.2). True if that
    /// is another URI than before.
    pub fn refresh_target(&mut self, message: &Message) -> bool {
        let Ok(contact) = message.contact() else { return false };
        let target = contact.uri.without_headers();
        let changed = target != self.target;
        if changed {
            self.target = copy(&target);
        }
        changed
    }

    /// Where our requests go, before resolving. `None`: the far end's Contact names no host.
    pub fn next_hop(&self) -> Option<Uri> {
        self.routes.next_hop(&self.target)
    }

    /// Leaves so many numbers out.
    pub fn skip(&mut self, numbers: u32) {
        self.local_seq += numbers;
    }

    /// Whether we made the Call-ID; it decides who waits longer after a glare.
    pub fn made_call_id(&self) -> bool {
        self.made_call_id
    }

    /// The far end's tag; empty for one of RFC 2543.
    pub fn remote_tag(&self) -> &Bytes {
        &self.remote_tag
    }

    /// Begins a request: request line, Via, Max-Forwards, Route, From, To, Call-ID, CSeq (§12.2.1.1).
    pub fn request(&self, method: &Method, number: u32, via: &[u8]) -> Builder {
        let mut request = Builder::request(method, &self.routes.request_uri(&self.target));
        request.header(Header::Via, via).header(Header::MaxForwards, b"70");
        self.routes.write(&self.target, &mut request);
        request.header(Header::From, &self.local).header(Header::To, &self.remote);
        request.header(Header::CallId, &self.call_id);
        write_cseq(&mut request, number, method);
        request
    }
}

/// Writes `CSeq: 1 INVITE`.
pub(crate) fn write_cseq(request: &mut Builder, number: u32, method: &Method) {
    let mut digits = [0u8; 10];
    request.parts(Header::CSeq, &[decimal(number, &mut digits), b" ", method.as_bytes()]);
}

/// The digits of a number, without allocation.
pub(crate) fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

fn copy(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn own(message: &Message, header: Header) -> Result<Bytes, ParseError> {
    let value = message.value(header).ok_or(ParseError::Missing { header: header.name() })?;
    Ok(copy(&value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &'static str) -> Message {
        Message::parse(Bytes::from_static(text.as_bytes())).unwrap()
    }

    const INVITE: &str = "INVITE sip:desk@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKa\r\n\
        From: \"A\" <sip:a@x.test>;tag=far\r\nTo: <sip:desk@x.test>\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\n\
        Contact: <sip:a@10.0.0.2:5070>\r\n\r\n";

    #[test]
    fn the_called_side_swaps_from_and_to_and_sends_to_the_contact() {
        let mut dialog = Dialog::of_request(&message(INVITE), b"near").unwrap();
        let number = dialog.next_seq();
        let bye = dialog.request(&Method::Bye, number, b"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKb").finish();
        assert_eq!(
            bye,
            "BYE sip:a@10.0.0.2:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKb\r\n\
             Max-Forwards: 70\r\nFrom: <sip:desk@x.test>;tag=near\r\nTo: \"A\" <sip:a@x.test>;tag=far\r\n\
             Call-ID: c1\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn a_request_of_another_caller_or_call_does_not_belong_here() {
        let dialog = Dialog::of_request(&message(INVITE), b"near").unwrap();
        assert!(dialog.owns(&message(INVITE)));
        let others = [INVITE.replace("tag=far", "tag=fat"), INVITE.replace("c1", "c2")];
        assert!(others.into_iter().all(|text| !dialog.owns(&Message::parse(text.into()).unwrap())));
    }

    #[test]
    fn a_lower_number_is_late_and_an_equal_or_higher_one_is_not() {
        use Order::{InOrder, Late};
        let mut dialog = Dialog::of_request(&message(INVITE), b"near").unwrap();
        assert_eq!([6, 7, 9, 8].map(|n| dialog.take_order(n)), [Late, InOrder, InOrder, Late]);
    }

    #[test]
    fn a_2xx_without_contact_still_gives_a_dialog_that_can_be_ended() {
        let response = message(
            "SIP/2.0 200 OK\r\nFrom: <sip:d@x>;tag=near\r\nTo: <sip:b@x>;tag=far\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n",
        );
        let dialog = Dialog::of_response(&response).unwrap();
        assert_eq!(dialog.next_hop().unwrap().host(), b"x");
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        let write = |n| String::from_utf8(decimal(n, &mut [0; 10]).to_vec()).unwrap();
        assert_eq!((write(0), write(7), write(u32::MAX)), ("0".into(), "7".into(), "4294967295".into()));
    }
}
