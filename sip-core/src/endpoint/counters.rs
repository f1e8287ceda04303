//! What an endpoint has done so far, in plain numbers.

use crate::message::StatusCode;
use std::collections::BTreeMap;
use std::fmt;

/// Counts since the start; `live_*` are levels, zero when nothing is left.
///
/// `invites_read` = admitted + challenged + refused + dropped: the first is counted on arrival, the others where the
/// INVITE's fate is decided, so the sum proves that none was forgotten.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Datagrams and framed messages taken in, keep-alives included.
    pub received: u64,
    /// Messages sent, repeats included.
    pub sent: u64,
    /// Messages sent again because a timer ran out or the far end repeated itself.
    pub resent: u64,
    /// Keep-alives and empty datagrams.
    pub keep_alives: u64,
    /// Messages from addresses that belong to nobody: dropped.
    pub unknown_source: u64,
    /// Messages that could not be read, by class of fault.
    pub parse_errors: BTreeMap<&'static str, u64>,
    /// Initial INVITEs seen. A repeat of one that was admitted does not count; a repeat of one that was refused or
    /// dropped without state counts again, and so does its fate.
    pub invites_read: u64,
    /// Those that became a leg and an [`Event::Invite`](super::Event::Invite).
    pub invites_admitted: u64,
    /// Those answered 401 or 407.
    pub invites_challenged: u64,
    /// Those answered without state: malformed, not for us, service not open, full.
    pub invites_refused: u64,
    /// Those dropped in silence.
    pub invites_dropped: u64,
    /// Requests of telephones answered 401, INVITEs among them.
    pub challenged: u64,
    /// Requests of telephones with a wrong user or password, or from somebody who was locked out.
    pub proofs_wrong: u64,
    /// Addresses and users who were locked out for wrong proofs.
    pub lockouts: u64,
    /// REGISTERs that proved a user.
    pub registers: u64,
    /// Of the refused ones: 503 because a limit was reached.
    pub full: u64,
    /// Of the refused ones: 503 because the service is not open.
    pub not_open: u64,
    /// Of the refused ones: because they came late ([`Input::Late`](super::Input::Late)).
    pub shed: u64,
    /// INVITEs sent for new calls, each attempt counted.
    pub invites_sent: u64,
    /// Attempts that gave way to the next address.
    pub failovers: u64,
    /// Requests of the far end repeated by it and recognised.
    pub repeated_requests: u64,
    /// Responses that belong to no transaction of ours.
    pub stray_responses: u64,
    /// ACKs that belong to nothing.
    pub stray_acks: u64,
    /// 2xx of ours that were never acknowledged.
    pub acks_missing: u64,
    /// Sessions whose far end did not refresh them in time, or did not know them any more (RFC 4028).
    pub sessions_expired: u64,
    /// Responses received, by status.
    pub responses_in: ByStatus,
    /// Responses sent, by status; repeats not counted.
    pub responses_out: ByStatus,
    /// Transactions that exist now, lingering ones included.
    pub live_transactions: u64,
    /// Legs that exist now, lingering ones included.
    pub live_legs: u64,
    /// Look-ups and connections under way now.
    pub live_pending: u64,
}

/// A count for each status seen.
#[derive(Clone, Default)]
pub struct ByStatus(Vec<(u16, u64)>);

impl ByStatus {
    pub(super) fn add(&mut self, status: StatusCode) {
        match self.0.binary_search_by_key(&status.code(), |(code, _)| *code) {
            Ok(at) => self.0[at].1 += 1,
            Err(at) => self.0.insert(at, (status.code(), 1)),
        }
    }

    /// How often this status was seen.
    pub fn get(&self, code: u16) -> u64 {
        self.0.binary_search_by_key(&code, |(known, _)| *known).map_or(0, |at| self.0[at].1)
    }

    /// Every status seen and how often, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        self.0.iter().copied()
    }
}

impl fmt::Debug for ByStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
