//! The pool of media ports: even for RTP, the odd one above for RTCP (RFC 3550 §11). Pure: nothing is bound here.
//!
//! The port that has been free for longest comes first, and one just given back rests: late packets of the call
//! before must not reach the next one.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Even ports of one address.
#[derive(Debug)]
pub struct PortPool {
    /// Oldest first. Ports never used carry no time.
    free: VecDeque<(u16, Option<Instant>)>,
    range: RangeInclusive<u16>,
    /// One bit per pair: in use.
    taken: Vec<u64>,
    in_use: usize,
    quarantine: Duration,
}

impl PortPool {
    /// The pairs (even port and the one above) that lie wholly within `range`, none in use. `quarantine` is how long
    /// a port rests after use.
    pub fn new(range: RangeInclusive<u16>, quarantine: Duration) -> PortPool {
        let first = u32::from(*range.start()).next_multiple_of(2);
        let last = u32::from(*range.end());
        let free: VecDeque<_> = (first..last).step_by(2).map(|port| (port as u16, None)).collect();
        PortPool { free, range, taken: vec![0; 512], in_use: 0, quarantine }
    }

    /// The port free for longest; `None` if all are in use or resting.
    pub fn take(&mut self, now: Instant) -> Option<u16> {
        let (port, since) = *self.free.front()?;
        if since.is_some_and(|since| now.saturating_duration_since(since) < self.quarantine) {
            return None;
        }
        self.free.pop_front();
        self.mark(port, true);
        self.in_use += 1;
        Some(port)
    }

    /// Gives a port back; it rests first. A port that is not in use is ignored.
    pub fn release(&mut self, now: Instant, port: u16) {
        if self.is_taken(port) {
            self.mark(port, false);
            self.in_use -= 1;
            self.free.push_back((port, Some(now)));
        }
    }

    /// A port just taken could not be bound, somebody else has it: it goes to the end of the line and rests, then
    /// it is tried again. Take another one.
    pub fn skip(&mut self, now: Instant, port: u16) {
        self.release(now, port);
    }

    /// Ports taken and not given back.
    pub fn in_use(&self) -> usize {
        self.in_use
    }

    /// Ports that could be taken now.
    pub fn free(&self, now: Instant) -> usize {
        let rested = |since: &Option<Instant>| {
            since.is_none_or(|since| now.saturating_duration_since(since) >= self.quarantine)
        };
        self.free.partition_point(|(_, since)| rested(since))
    }

    /// Pairs in all.
    pub fn capacity(&self) -> usize {
        self.free.len() + self.in_use
    }

    /// The range it was made with.
    pub fn range(&self) -> &RangeInclusive<u16> {
        &self.range
    }

    fn is_taken(&self, port: u16) -> bool {
        port.is_multiple_of(2) && self.taken[usize::from(port / 128)] >> (port / 2 % 64) & 1 == 1
    }

    fn mark(&mut self, port: u16, taken: bool) {
        let (word, bit) = (&mut self.taken[usize::from(port / 128)], 1 << (port / 2 % 64));
        *word = if taken { *word | bit } else { *word & !bit };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::origin;

    const REST: Duration = Duration::from_secs(10);

    #[test]
    fn only_whole_pairs_are_given_out_and_each_once() {
        let (now, mut ports) = (origin(), PortPool::new(10_001..=10_006, REST));
        assert_eq!(ports.capacity(), 2);
        assert_eq!([ports.take(now), ports.take(now), ports.take(now)], [Some(10_002), Some(10_004), None]);
        assert_eq!((ports.in_use(), ports.free(now)), (2, 0));
    }

    #[test]
    fn the_range_may_reach_the_highest_port_there_is() {
        assert_eq!(PortPool::new(65_530..=65_535, REST).capacity(), 3);
        assert_eq!(PortPool::new(65_535..=65_535, REST).capacity(), 0);
    }

    #[test]
    fn a_port_given_back_rests_and_then_waits_behind_the_others() {
        let (now, mut ports) = (origin(), PortPool::new(10_000..=10_005, REST));
        let first = ports.take(now).unwrap();
        ports.release(now, first);
        assert_eq!([ports.take(now), ports.take(now)], [Some(10_002), Some(10_004)]);
        assert_eq!(ports.take(now + REST - Duration::from_nanos(1)), None);
        assert_eq!(ports.take(now + REST), Some(first));
    }

    #[test]
    fn a_port_given_back_twice_or_never_taken_does_not_appear_twice() {
        let (now, mut ports) = (origin(), PortPool::new(10_000..=10_003, Duration::ZERO));
        let port = ports.take(now).unwrap();
        ports.release(now, port);
        ports.release(now, port);
        ports.release(now, 10_002);
        ports.release(now, 10_001);
        ports.release(now, 50_000);
        assert_eq!((ports.in_use(), ports.free(now), ports.capacity()), (0, 2, 2));
    }

    #[test]
    fn a_port_that_cannot_be_bound_is_left_for_later() {
        let (now, mut ports) = (origin(), PortPool::new(10_000..=10_003, REST));
        let port = ports.take(now).unwrap();
        ports.skip(now, port);
        assert_eq!((ports.take(now), ports.take(now)), (Some(10_002), None));
        assert_eq!(ports.take(now + REST), Some(port));
    }
}
