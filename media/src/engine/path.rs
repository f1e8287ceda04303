//! ICE and DTLS of all legs that have them.

use std::net::SocketAddr;
use std::time::Instant;

use super::{Engine, Event};
use crate::leg::Secure;
use crate::path::{Datagrams, News, Path};

impl Engine {
    /// STUN on a leg's port: a check, if the leg has ICE.
    pub(super) fn read_stun(&mut self, now: Instant, index: u32, from: SocketAddr, datagram: &[u8]) {
        let mut valid = false;
        self.with_path(now, index, |path, out| {
            let (is_valid, news) = path.handle_stun(now, from, datagram, out);
            valid = is_valid;
            news
        });
        match valid {
            true => self.counters.checks += 1,
            false => self.counters.stun += 1,
        }
    }

    /// DTLS on a leg's port, from where the peer has proved that it is.
    pub(super) fn read_dtls(&mut self, now: Instant, index: u32, from: SocketAddr, datagram: &[u8]) {
        let path = self.legs.get(index).and_then(|leg| leg.path.as_ref());
        if path.is_some_and(|path| path.admits(from)) {
            self.with_path(now, index, |path, out| path.handle_dtls(now, datagram, out));
        } else {
            self.counters.dtls += 1;
        }
    }

    /// Repeats flights, gives up handshakes, notices that a peer is gone.
    pub(super) fn serve_path(&mut self, now: Instant, index: u32) {
        let path = self.legs.get(index).and_then(|leg| leg.path.as_ref());
        if path.and_then(|path| path.poll_timeout()).is_some_and(|at| at <= now) {
            self.with_path(now, index, |path, out| path.handle_timeout(now, out));
        }
    }

    fn with_path(
        &mut self,
        now: Instant,
        index: u32,
        step: impl FnOnce(&mut Path, &mut Datagrams) -> Option<News>,
    ) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        let Some(path) = &mut leg.path else { return };
        let mut out = Vec::new();
        let news = step(path, &mut out);
        for (to, datagram) in out {
            self.outbox.packet(leg.key, false, to, |bytes| {
                bytes.extend_from_slice(&datagram);
                Some(())
            });
        }
        self.follow(now, index, news);
        self.enter_deadline(index);
    }

    fn follow(&mut self, now: Instant, index: u32, news: Option<News>) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        match news {
            Some(News::Keys(keys)) => {
                let suite = keys.send.suite();
                leg.secure = Secure::renew(leg.secure.take(), Some(&keys));
                self.outbox.event(Event::Keyed { leg: leg.key, suite, at: now });
                self.counters.handshakes += 1;
                if leg.is_speaking() {
                    self.begin_speaking(now, index);
                }
                self.wake_reports(now, index);
            }
            Some(News::Broken(why)) => {
                self.outbox.event(Event::PathBroken { leg: leg.key, why });
                self.counters.paths_broken += 1;
            }
            None => {}
        }
    }
}
