//! REFER, both ways (RFC 3515): the far end's, which our caller takes or refuses and of which the far end is then told
//! by NOTIFY how it goes; and ours, of which we are told.

use super::clients::Purpose;
use super::inside::{Draft, DraftKind};
use super::legs::Stage;
use super::servers::Arrival;
use super::{Endpoint, Event, Reply, RequestKey};
use crate::key::LegKey;
use crate::message::{Body, Header, Message, ReferTo, StatusCode};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// How long the far end is told of a REFER of its own at most. What a caller of the endpoint has not brought to an end
/// by then never will be, and is told as timed out.
const LONGEST: Duration = Duration::from_secs(600);

const SIPFRAG: &[u8] = b"message/sipfrag;version=2.0";

/// The subscription that a REFER of the far end has made (RFC 3515 §2.4.4). It outlives the call if the far end hangs up
/// meanwhile (RFC 5057 §4.1). One NOTIFY at a time, so that none overtakes another; what changes meanwhile is told next,
/// and only the newest of it.
pub(super) struct Referral {
    /// Value of Event: it names the REFER, unless that was the first in the dialog (§2.4.6).
    event: Bytes,
    /// A NOTIFY has no response yet.
    is_under_way: bool,
    /// The last word is said, or about to be.
    is_over: bool,
    next: Option<StatusCode>,
    pub(super) until: Instant,
}

/// REFERs of the far end.
impl Endpoint {
    pub(super) fn refer_received(&mut self, now: Instant, arrival: &Arrival<'_>, leg: u64) {
        if let Some(reply) = self.fault_of_refer(arrival.request, leg) {
            return self.refuse(arrival, reply);
        }
        let Some(server) = self.open_other(now, arrival, leg) else { return };
        let (key, request) = (RequestKey(server), arrival.request.clone());
        self.tell(leg, Event::Refer { leg: LegKey(leg), key, request });
    }

    fn fault_of_refer(&self, request: &Message, leg: u64) -> Option<Reply> {
        let state = self.legs.get(leg)?;
        if !state.told {
            return Some(Reply::new(StatusCode::CALL_DOES_NOT_EXIST));
        }
        // An offer in another dialog may hang on it, so a second one waits like a second offer.
        if state.stage != Stage::Confirmed || state.referral.is_some() {
            return Some(Reply::new(StatusCode::REQUEST_PENDING));
        }
        if let Err(fault) = ReferTo::of(request) {
            let reason = Some(Bytes::from(fault.to_string()));
            return Some(Reply { reason, ..Reply::new(StatusCode::BAD_REQUEST) });
        }
        let busy = self.is_busy().then(|| Reply::new(StatusCode::SERVICE_UNAVAILABLE));
        self.fault_of_require(request, state.terms).or(busy)
    }

    /// Takes a REFER that came as [`Event::Refer`]: `202`, and a first NOTIFY that says `100`. From here on the far end
    /// waits for [`notify`](Self::notify) with a final status, within ten minutes, and also if it hangs up meanwhile.
    ///
    /// A far end that wants to hear nothing more (`Refer-Sub: false`, RFC 4488) gets `200`, and that is all. One whose
    /// dialog is gone hears `481`, and one whose last REFER is not at its end yet `491`.
    pub fn accept_refer(&mut self, now: Instant, leg: LegKey, key: RequestKey) {
        let Some(open) = self.open_request(key.0).filter(|open| open.leg == leg.0) else { return };
        let request = open.request.clone();
        if let Some(status) = self.fault_of_acceptance(leg.0) {
            return drop(self.reply(now, key.0, &Reply::new(status), &[], false));
        }
        let quiet = request.value(Header::ReferSub).is_some_and(|value| is_false(&value));
        let headers = Some((Bytes::from_static(b"Refer-Sub"), Bytes::from_static(b"false")));
        let status = if quiet { StatusCode::OK } else { StatusCode::ACCEPTED };
        let reply = Reply { headers: headers.filter(|_| quiet).into_iter().collect(), ..Reply::new(status) };
        self.reply(now, key.0, &reply, &[], true);
        self.refresh_target(leg.0, &request);
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let Some(state) = self.legs.get_mut(leg.0).filter(|_| !quiet) else { return };
        let event = match std::mem::replace(&mut state.referred, true) {
            true => Bytes::from(format!("refer;id={number}")),
            false => Bytes::from_static(b"refer"),
        };
        let referral =
            Referral { event, is_under_way: false, is_over: false, next: None, until: now + LONGEST };
        state.referral = Some(Box::new(referral));
        self.notify(now, leg, StatusCode::TRYING);
        self.settle(leg.0);
    }

    /// Why a REFER cannot be taken any more: its dialog has gone since it came, or another was taken meanwhile.
    fn fault_of_acceptance(&self, leg: u64) -> Option<StatusCode> {
        match self.legs.get(leg) {
            Some(state) if state.dialog.is_none() => Some(StatusCode::CALL_DOES_NOT_EXIST),
            Some(state) if state.referral.is_some() => Some(StatusCode::REQUEST_PENDING),
            Some(_) => None,
            None => Some(StatusCode::CALL_DOES_NOT_EXIST),
        }
    }

    /// Tells the far end how far its REFER has come; a final status is the last word. Nothing happens without a REFER
    /// that was taken, or after its last word.
    pub fn notify(&mut self, now: Instant, leg: LegKey, status: StatusCode) {
        let Some(state) = self.legs.get_mut(leg.0) else { return };
        let Some(referral) = state.referral.as_mut().filter(|referral| !referral.is_over) else { return };
        referral.is_over = status.is_final();
        referral.next = Some(status);
        self.notify_next(now, leg.0);
    }

    fn notify_next(&mut self, now: Instant, leg: u64) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        let (Some(referral), Some(dialog)) = (state.referral.as_mut(), state.dialog.as_mut()) else { return };
        let Some(status) = referral.next.take_if(|_| !referral.is_under_way) else { return };
        referral.is_under_way = true;
        let subscription = match status.is_final() {
            true => "terminated;reason=noresource".to_owned(),
            false => format!("active;expires={}", referral.until.saturating_duration_since(now).as_secs()),
        };
        let headers = vec![
            (Bytes::from_static(b"Event"), referral.event.clone()),
            (Bytes::from_static(b"Subscription-State"), Bytes::from(subscription)),
        ];
        let line = format!("SIP/2.0 {} {}\r\n", status.code(), status.reason());
        let body = Body { content_type: Bytes::from_static(SIPFRAG), bytes: Bytes::from(line) };
        let cseq = dialog.next_seq();
        self.send_draft(now, leg, Draft { kind: DraftKind::Notify, cseq, headers, body: Some(body) });
    }

    /// A NOTIFY is answered, or in vain: then the far end wants no more of it (RFC 6665 §4.2.2).
    pub(super) fn notified(&mut self, now: Instant, leg: u64, heard: bool) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        let Some(referral) = state.referral.as_mut() else { return };
        referral.is_under_way = false;
        if !heard || (referral.is_over && referral.next.is_none()) {
            state.referral = None;
        }
        self.notify_next(now, leg);
        self.settle(leg);
    }

    pub(super) fn referral_due(&mut self, now: Instant, leg: u64) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        let Some(referral) = state.referral.as_mut().filter(|referral| referral.until <= now) else { return };
        referral.until = now + LONGEST;
        match referral.is_over {
            true => state.referral = None,
            false => self.notify(now, LegKey(leg), StatusCode::REQUEST_TIMEOUT),
        }
    }
}

/// REFERs of ours.
impl Endpoint {
    /// Asks the far end to call somebody else: `headers` has Refer-To. What comes of it is told by [`Event::Referred`].
    /// One at a time, in an answered dialog; else nothing happens.
    pub fn refer(&mut self, now: Instant, leg: LegKey, headers: Vec<(Bytes, Bytes)>) {
        let Some(state) = self.legs.get_mut(leg.0).filter(|state| state.told && !state.referring) else {
            return;
        };
        let (Stage::Confirmed, Some(dialog)) = (state.stage, state.dialog.as_mut()) else { return };
        state.referring = true;
        let cseq = dialog.next_seq();
        self.send_draft(now, leg.0, Draft { kind: DraftKind::Refer, cseq, headers, body: None });
    }

    /// A response to a NOTIFY or a REFER.
    pub(super) fn referral_response(&mut self, now: Instant, client: u64, response: &Message) {
        let (Some(status), Some(tx)) = (response.status(), self.clients.get(client)) else { return };
        let (leg, purpose) = (tx.leg, tx.purpose);
        match purpose {
            _ if status.is_provisional() => {}
            Purpose::Notify => self.notified(now, leg, status.is_success()),
            _ => self.refer_answered(leg, status),
        }
    }

    /// The final response to our REFER, or none.
    pub(super) fn refer_answered(&mut self, leg: u64, status: StatusCode) {
        if !status.is_success() {
            self.referred(leg, status, true);
        }
    }

    /// A NOTIFY of what has come of our REFER. Without a REFER of ours there is no such subscription (RFC 6665 §4.1.3).
    pub(super) fn notify_received(&mut self, now: Instant, arrival: &Arrival<'_>, leg: u64) {
        let Some(state) = self.legs.get(leg) else { return };
        let (referring, tag) = (state.referring, state.tag);
        let body = arrival.request.body();
        let Some(status) = fragment_status(&body).filter(|_| referring) else {
            return self.refuse(arrival, Reply::new(StatusCode::CALL_DOES_NOT_EXIST));
        };
        let is_last = arrival.request.value(Header::SubscriptionState).is_some_and(|value| {
            value.get(..10).is_some_and(|word| word.eq_ignore_ascii_case(b"terminated"))
        });
        if self.is_busy() {
            return self.refuse(arrival, Reply::new(StatusCode::SERVICE_UNAVAILABLE));
        }
        let Some(server) = self.open_other(now, arrival, leg) else { return };
        self.reply(now, server, &Reply::new(StatusCode::OK), tag.as_bytes(), false);
        self.referred(leg, status, is_last);
    }

    fn referred(&mut self, leg: u64, status: StatusCode, is_last: bool) {
        if let Some(state) = self.legs.get_mut(leg) {
            state.referring = !is_last;
        }
        self.tell(leg, Event::Referred { leg: LegKey(leg), status, is_last });
    }
}

impl Purpose {
    /// NOTIFY or REFER: small requests in a dialog of which only the status matters.
    pub(super) fn is_of_referral(self) -> bool {
        matches!(self, Purpose::Notify | Purpose::Refer)
    }
}

fn is_false(value: &[u8]) -> bool {
    value.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"false"))
}

/// The status in a fragment such as `SIP/2.0 180 Ringing`.
fn fragment_status(fragment: &[u8]) -> Option<StatusCode> {
    let line = fragment.split(|b| *b == b'\r' || *b == b'\n').next()?;
    let code = std::str::from_utf8(line.strip_prefix(b"SIP/2.0 ")?.get(..3)?).ok()?;
    StatusCode::new(code.parse().ok()?)
}
