//! One telephone that is registered.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::{Flow, message::Uri};

use super::asked::{Contact, Sender};
use super::{Change, Gone};
use crate::config::AgentId;

/// The number of a binding; no two of one process have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindingId(pub(super) u64);

/// A telephone that is registered.
#[derive(Debug, Clone)]
pub struct Binding {
    /// Whose.
    pub agent: AgentId,
    /// What it is called by: the Request-URI, as the telephone wrote it.
    pub contact: Uri,
    /// Proxies on the way, nearest to us first: the Route of what is sent there (RFC 3327 §5.2).
    pub path: Vec<Bytes>,
    /// The way it registered by, and the only one to it.
    pub flow: Flow,
    /// When it expires unless it is renewed.
    pub expires: Instant,
    /// What it says it is; empty if it does not.
    pub device: String,
    pub(super) ask_at: Instant,
    /// Questions in a row that it left unanswered.
    pub(super) misses: u8,
    /// Instance and number of the registration, if the telephone keeps several ways open (RFC 5626 §4.2).
    outbound: Option<(Bytes, u32)>,
    call_id: Bytes,
    cseq: u32,
}

impl Binding {
    pub(super) fn new(
        agent: AgentId,
        contact: Contact,
        flow: Flow,
        (now, keep_alive): (Instant, Duration),
        sender: &Sender,
    ) -> Binding {
        Binding {
            agent,
            contact: contact.uri,
            path: sender.path.clone(),
            flow,
            expires: now + contact.expiry,
            device: sender.device.clone(),
            ask_at: now + keep_alive,
            misses: 0,
            outbound: contact.outbound,
            call_id: sender.call_id.clone(),
            cseq: sender.cseq,
        }
    }

    /// A contact means this telephone: by instance and number if it has them, else by its URI (RFC 5626 §6, RFC 3261
    /// §19.1.4).
    pub(super) fn is_same(&self, contact: &Contact) -> bool {
        match (&self.outbound, &contact.outbound) {
            (Some(own), Some(other)) => own == other,
            (None, None) => self.contact.equivalent(&contact.uri),
            _ => false,
        }
    }

    /// It was made by the same series of requests, and not by an earlier one of it (§10.3 step 7).
    pub(super) fn is_newer_than(&self, sender: &Sender) -> bool {
        self.call_id == sender.call_id && self.cseq >= sender.cseq
    }

    pub(super) fn due(&self) -> Instant {
        self.expires.min(self.ask_at)
    }

    pub(super) fn change(&self, gone: Option<Gone>) -> Change {
        let (contact, device) = (self.contact.to_string(), self.device.clone());
        Change { agent: self.agent, contact, flow: self.flow, device, gone }
    }

    /// The Contact of an answer.
    pub(super) fn as_contact(&self, now: Instant) -> String {
        let left = self.expires.saturating_duration_since(now).as_secs();
        let outbound = self.outbound.iter().map(|(instance, number)| {
            format!(";+sip.instance={};reg-id={number}", String::from_utf8_lossy(instance))
        });
        format!("<{}>{};expires={left}", self.contact, outbound.collect::<String>())
    }
}
