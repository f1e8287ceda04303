//! What never comes as far as a dialog: OPTIONS, methods that Teams does not speak, calls where there is no room.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::{
    Ask, Flow, Message, StatusCode, Target, Transport,
    message::{Header, Method, respond_to},
    transport::Host,
};

use super::{
    dress::dressed,
    judge,
    proxy::{Deed, PEER, PORT, Proxy},
};

impl Proxy {
    /// What never comes as far as a dialog: OPTIONS, methods that Teams does not speak, calls when there is no room.
    pub(super) fn is_answered_here(&mut self, now: Instant, flow: Flow, bytes: &Bytes) -> bool {
        let Ok(request) = Message::parse(bytes.clone()) else { return false };
        if !request.is_request() {
            return false;
        }
        let method = request.method();
        let names = self.certified.get(&flow.connection).cloned().unwrap_or_default();
        let in_dialog = request.to().is_ok_and(|to| to.tag().is_some());
        let status = match method {
            Method::Options if in_dialog => return false,
            Method::Invite if !in_dialog && self.is_overloaded(&flow) => {
                *self.seen.invites.entry(self.centre(&flow)).or_default() += 1;
                StatusCode::SERVICE_UNAVAILABLE
            }
            Method::Options => self.asked_by(now, flow, &request, &names),
            _ if judge::is_forbidden(&method) => {
                self.violates(format!("{method} towards Teams (1.4: Allow)"));
                StatusCode::METHOD_NOT_ALLOWED
            }
            _ => return false,
        };
        let mut answer = respond_to(&request, flow.remote, status, None, Some(b"7a31"));
        answer.header(Header::Allow, b"").header(Header::Server, b"");
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.header(Header::RetryAfter, b"1");
        }
        let bytes = dressed(&answer.finish());
        self.out.push_back(Deed::Transmit { flow, bytes, elsewhere: false });
        true
    }

    /// OPTIONS of theirs; after the first that is good ours go, over a connection of their own (1.4).
    pub(super) fn asked_by(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Message,
        names: &[String],
    ) -> StatusCode {
        if let Some(fault) = judge::of_contact(request, names) {
            self.violates(format!("OPTIONS with {}", fault.why));
            return fault.status.and_then(StatusCode::new).unwrap_or(StatusCode::FORBIDDEN);
        }
        *self.seen.options.entry(self.centre(&flow)).or_default() += 1;
        if !std::mem::replace(&mut self.asked, true) {
            let uri = format!("sip:{}:{PORT};transport=tls", self.trunk());
            let ask = Ask {
                peer: Some(PEER),
                method: Method::Options,
                flow: None,
                target: Target {
                    transport: Some(Transport::Tls),
                    host: Host::new(self.trunk()),
                    port: Some(PORT),
                },
                uri: uri.into(),
                from: format!("<sip:sip-du-a-eu.pstnhub.microsoft.com:{PORT}>").into(),
                to: format!("<sip:{}>", self.trunk()).into(),
                contact: Some(format!("<sip:sip-du-a-eu.pstnhub.microsoft.com:{PORT};transport=tls>").into()),
                contact_user: None,
                headers: Vec::new(),
                series: None,
                login: None,
                timeout: Duration::from_secs(10),
            };
            self.sip.ask(now, ask);
        }
        StatusCode::OK
    }

    pub(super) fn answered(&mut self, answer: Option<&Message>) {
        let good = answer.is_some_and(|answer| {
            let named = answer.contact().is_ok_and(|contact| contact.uri.host() == self.trunk().as_bytes());
            let can = ["REFER", "NOTIFY"].iter().all(|method| answer.has_token(Header::Allow, method));
            answer.status() == Some(StatusCode::OK) && named && can
        });
        match good {
            true => self.seen.answered += 1,
            false => {
                self.asked = false; // it is asked again at their next OPTIONS
                self.violates("our OPTIONS got no 200 with Contact and Allow (1.4)".to_owned());
            }
        }
    }

    /// The data centre that a connection leads to takes no calls: each decides for itself, so that another may be called.
    pub(super) fn is_overloaded(&self, flow: &Flow) -> bool {
        self.switches.overloaded.contains(&self.centre(flow))
    }
}
