//! The way to a browser: ICE, where we are the lite agent (RFC 8445 §2.4), and the DTLS association that brings the keys of
//! SRTP (RFC 5763, 5764).
//!
//! A machine for each leg that has one: datagrams and the time go in, datagrams, keys and troubles come out. Nothing is
//! heard from, or sent to, an address whose check has not proved that it knows our password.

mod handshake;
mod identity;
mod lite;

use std::net::SocketAddr;
use std::time::Instant;

pub use handshake::PathError;
pub use identity::{Identity, IdentityError};

use handshake::Handshake;
use lite::Lite;

use crate::sdp::{Dtls, Keys};

/// Datagrams to be sent on the leg's own port.
pub(crate) type Datagrams = Vec<(SocketAddr, Vec<u8>)>;

/// ICE and DTLS of one leg.
#[derive(Debug)]
pub(crate) struct Path {
    lite: Lite,
    handshake: Handshake,
    is_broken: bool,
}

/// What has come about.
#[derive(Debug)]
pub(crate) enum News {
    /// The handshake is done: these are the keys.
    Keys(Box<Keys>),
    /// No sound will come or go here any more. Told once.
    Broken(PathError),
}

impl Path {
    /// What holds after an exchange of descriptions, and whether its association is another one, so that keys of before
    /// are void: another certificate or another role (RFC 8842 §5.5). New credentials alone restart only ICE (RFC 8445 §9).
    pub(crate) fn renew(before: Option<Box<Path>>, now: Instant, agreed: Dtls) -> (Box<Path>, bool) {
        match before {
            Some(mut path) if path.handshake.is_of(&agreed) => {
                path.lite.agree(now, agreed.ours, agreed.their_ufrag);
                (path, false)
            }
            _ => {
                let lite = Lite::new(now, agreed.ours.clone(), agreed.their_ufrag.clone());
                let handshake = Handshake::new(agreed);
                (Box::new(Path { lite, handshake, is_broken: false }), true)
            }
        }
    }

    /// Where we send.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.lite.peer()
    }

    /// Whether the peer has proved that it is at this address.
    pub(crate) fn admits(&self, from: SocketAddr) -> bool {
        self.lite.knows(from)
    }

    /// Takes in STUN; true if it was a check of the peer's.
    pub(crate) fn handle_stun(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        out: &mut Datagrams,
    ) -> (bool, Option<News>) {
        let crypto = self.handshake.crypto();
        let checked = self.lite.handle_check(now, from, datagram, crypto);
        out.extend(checked.answer.map(|answer| (from, answer)));
        let news = if checked.is_valid { self.begin(now, out) } else { None };
        (checked.is_valid, news)
    }

    /// The first address is known: the handshake may begin.
    fn begin(&mut self, now: Instant, out: &mut Datagrams) -> Option<News> {
        let begun = self.handshake.begin(now);
        self.send(out);
        self.tell(begun)
    }

    /// Takes in DTLS from an address that [`admits`](Self::admits) knows.
    pub(crate) fn handle_dtls(&mut self, now: Instant, datagram: &[u8], out: &mut Datagrams) -> Option<News> {
        let news = self.handshake.handle_datagram(now, datagram);
        self.send(out);
        self.tell(news)
    }

    /// When [`handle_timeout`](Self::handle_timeout) has work next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let lost_at = Some(self.lite.lost_at()).filter(|_| !self.is_broken);
        [lost_at, self.handshake.poll_timeout()].into_iter().flatten().min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Datagrams) -> Option<News> {
        if !self.is_broken && self.lite.lost_at() <= now {
            let why = if self.lite.peer().is_some() { PathError::ConsentLost } else { PathError::NoCheck };
            return self.tell(Some(News::Broken(why)));
        }
        let news = self.handshake.handle_timeout(now);
        self.send(out);
        self.tell(news)
    }

    fn send(&mut self, out: &mut Datagrams) {
        let peer = self.lite.peer();
        while let Some(datagram) = self.handshake.poll_transmit() {
            out.extend(peer.map(|peer| (peer, datagram)));
        }
    }

    /// What is broken stays so and is told once.
    fn tell(&mut self, news: Option<News>) -> Option<News> {
        let was_broken = self.is_broken;
        self.is_broken |= matches!(news, Some(News::Broken(_)));
        news.filter(|_| !was_broken)
    }
}
