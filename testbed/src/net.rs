//! A network with a seed: delay, loss, duplication and reordering that happen the same way every time.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::{Rng, rngs::SmallRng};

/// How datagrams travel.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// The shortest way.
    pub delay: Duration,
    /// Added at random, so that datagrams overtake each other.
    pub jitter: Duration,
    /// Share of SIP datagrams lost, 0.0 to 1.0.
    pub loss: f64,
    /// Share of SIP datagrams that arrive twice.
    pub duplicates: f64,
}

impl Link {
    /// Two milliseconds, in order, nothing lost.
    pub fn perfect() -> Link {
        Link { delay: Duration::from_millis(2), jitter: Duration::ZERO, loss: 0.0, duplicates: 0.0 }
    }

    /// Loses `share` of all datagrams, doubles a third as many, and shuffles the rest a little.
    pub fn lossy(share: f64) -> Link {
        Link { jitter: Duration::from_millis(30), loss: share, duplicates: share / 3.0, ..Link::perfect() }
    }
}

/// A datagram under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Sender.
    pub from: SocketAddr,
    /// Receiver.
    pub to: SocketAddr,
    /// What it carries.
    pub bytes: Bytes,
}

impl Datagram {
    /// SIP, as opposed to RTP: both travel, only SIP is written in the ladder.
    pub fn is_sip(&self) -> bool {
        self.bytes.first().is_some_and(u8::is_ascii_alphabetic)
    }

    /// The start line, for ladders and filters.
    pub fn start_line(&self) -> String {
        let line = self.bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        String::from_utf8_lossy(line).into_owned()
    }
}

type Filter = Box<dyn FnMut(&Datagram) -> bool>;

/// Datagrams under way, the next to arrive first.
pub struct Net {
    link: Link,
    random: SmallRng,
    sent: u64,
    under_way: BinaryHeap<Reverse<(Instant, u64, Bagged)>>,
    filters: Vec<Filter>,
}

/// Orders by arrival only.
struct Bagged(Datagram);

impl PartialEq for Bagged {
    fn eq(&self, _: &Bagged) -> bool {
        true
    }
}
impl Eq for Bagged {}
impl PartialOrd for Bagged {
    fn partial_cmp(&self, other: &Bagged) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Bagged {
    fn cmp(&self, _: &Bagged) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

impl Net {
    pub(crate) fn new(link: Link, random: SmallRng) -> Net {
        Net { link, random, sent: 0, under_way: BinaryHeap::new(), filters: Vec::new() }
    }

    pub(crate) fn set_link(&mut self, link: Link) {
        self.link = link;
    }

    /// Every datagram for which `lost` says true is lost.
    pub(crate) fn lose_if(&mut self, lost: Filter) {
        self.filters.push(lost);
    }

    pub(crate) fn send(&mut self, now: Instant, datagram: Datagram) {
        if self.filters.iter_mut().any(|lost| lost(&datagram)) || self.random.random_bool(self.link.loss) {
            return;
        }
        if self.random.random_bool(self.link.duplicates) {
            self.carry(now, datagram.clone());
        }
        self.carry(now, datagram);
    }

    fn carry(&mut self, now: Instant, datagram: Datagram) {
        let jitter = self.link.jitter.mul_f64(self.random.random());
        self.sent += 1;
        self.under_way.push(Reverse((now + self.link.delay + jitter, self.sent, Bagged(datagram))));
    }

    /// Whatever is under way is lost.
    pub(crate) fn lose_all(&mut self) {
        self.under_way.clear();
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse((at, _, _))| *at)
    }

    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Datagram> {
        if self.next_at()? > now {
            return None;
        }
        self.under_way.pop().map(|Reverse((_, _, Bagged(datagram)))| datagram)
    }
}
