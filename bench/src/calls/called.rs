//! The called side: a far end, or the telephones of all agents, that answers at once.

use std::net::SocketAddr;

use bytes::Bytes;
use sip_core::{
    Message, StatusCode,
    message::{Header, Method, respond_to},
};

use super::{
    Load,
    wire::{Out, Side, description},
};

pub(super) struct Called {
    local: SocketAddr,
    contact: String,
    answered: u64,
}

impl Called {
    pub(super) fn new(load: &Load) -> Called {
        Called { local: load.called, contact: load.contact(load.called), answered: 0 }
    }

    /// Answers what came; returns it if it was an INVITE.
    pub(super) fn hear(&mut self, bytes: Bytes, from: SocketAddr, out: &mut Out) -> Option<Message> {
        let message = Message::parse(bytes).ok().filter(Message::is_request)?;
        let method = message.method();
        let reply = match method {
            Method::Ack => return None,
            Method::Invite => self.answer(&message, from),
            _ => respond_to(&message, from, StatusCode::OK, None, None).finish(),
        };
        out.push_back((Side::Called, from, reply));
        (method == Method::Invite).then_some(message)
    }

    fn answer(&mut self, invite: &Message, from: SocketAddr) -> Bytes {
        self.answered += 1;
        let tag = format!("b{}", self.answered);
        let body = description(self.local.ip(), 31_000);
        let mut ok = respond_to(invite, from, StatusCode::OK, None, Some(tag.as_bytes()));
        ok.copy(invite, Header::RecordRoute).header(Header::Contact, &self.contact);
        ok.body(b"application/sdp", body.as_bytes());
        ok.finish()
    }
}
