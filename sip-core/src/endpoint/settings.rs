//! What an endpoint is told once, and its state of service.

use crate::message::Message;
use crate::transaction::Timers;
use crate::transport::{Listener, PeerId};
use std::time::Duration;

/// How one endpoint behaves. [`Settings::new`] gives every default.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The shard's number, from 0: it stands in every key, tag, branch and Call-ID this endpoint makes.
    pub owner: u8,
    /// All randomness grows from it: unguessable in production, fixed in a test. Shards of one process share it.
    pub seed: [u8; 32],
    /// Where we receive. A transport without a listener here is not used for new requests either.
    pub listeners: Vec<Listener>,
    /// T1, T2, T4 (RFC 3261 §17.1.1.1). Default 500 ms, 4 s, 5 s.
    pub timers: Timers,
    /// `User-Agent` of requests and `Server` of responses. Default `Fernamt`; empty: neither is written.
    pub user_agent: String,
    /// Transactions at one time, those that only linger included. One more is refused: an INVITE by `503` without
    /// state, other requests likewise. Default 200_000, at most 2^24 of each side.
    pub max_transactions: usize,
    /// Legs at one time, those that only linger included. Default 50_000, at most 2^24.
    pub max_legs: usize,
    /// Name look-ups and connections that may be under way at one time; one more fails at once. Default 10_000.
    pub max_pending: usize,
    /// Bytes of a whole message; a longer request is answered `513`. Default 32_768.
    pub max_message: usize,
    /// Body bytes a request may bring; more is answered `413`. Default 16_384.
    pub max_body: usize,
    /// Early dialogs one INVITE may fork into before further ones are no longer told apart, and answered ones beside the
    /// first before further ones are left to themselves. Default 12.
    pub max_forks: usize,
    /// Media types taken in an INVITE; others are answered `415`. Default `application/sdp`.
    pub accept: Vec<String>,
    /// Requests longer than this go by TCP when the transport is ours to choose (RFC 3261 §18.1.1). Default 1_300.
    pub large_request: usize,
    /// How long a connection may take to open: then the next address has its turn, or a large request goes by UDP after
    /// all. Default 3 s.
    pub open_timeout: Duration,
    /// What `Retry-After` of a `503` says while draining. Default 60 s.
    pub retry_after: Duration,
}

impl Settings {
    /// Every default, with this seed and these listeners, as shard 0.
    pub fn new(seed: [u8; 32], listeners: Vec<Listener>) -> Settings {
        Settings {
            owner: 0,
            seed,
            listeners,
            timers: Timers::default(),
            user_agent: "Fernamt".to_owned(),
            max_transactions: 200_000,
            max_legs: 50_000,
            max_pending: 10_000,
            max_message: 32_768,
            max_body: 16_384,
            max_forks: 12,
            accept: vec!["application/sdp".to_owned()],
            large_request: 1_300,
            open_timeout: Duration::from_secs(3),
            retry_after: Duration::from_secs(60),
        }
    }
}

/// Calls that are taken whatever the load, and also while no others are: somebody calls for help.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Urgent {
    /// From these peers.
    pub peers: Vec<PeerId>,
    /// To these users of the Request-URI.
    pub users: Vec<String>,
}

impl Urgent {
    /// Of the user what stands before a `;` counts: `112;phone-context=+49` is 112 (RFC 3966 §5.1.5).
    pub(super) fn covers(&self, peer: PeerId, request: &Message) -> bool {
        let called = || request.request_uri().ok()?.user_decoded().map(|user| user.into_owned());
        let is_urgent = |called: Vec<u8>| {
            let number = called.split(|byte| *byte == b';').next().unwrap_or_default();
            self.users.iter().any(|user| user.as_bytes() == number)
        };
        self.peers.contains(&peer) && called().is_some_and(is_urgent)
    }
}

/// Whether new calls are welcome. Calls in progress do not notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Service {
    /// Yes.
    #[default]
    Open,
    /// No more until we are started again: new INVITEs and OPTIONS get `503` with `Retry-After`, which stops a
    /// peer from sending here for that long (RFC 3261 §21.5.4).
    Draining,
    /// Not at the moment: `503` without `Retry-After`.
    Overloaded,
    /// Nothing can be written down at the moment: OPTIONS get `503` without `Retry-After`, so that whoever has another
    /// way takes it; an INVITE that comes all the same is taken, for a call without a record beats no call.
    NoJournal,
}
