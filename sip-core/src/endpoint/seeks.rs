//! What waits for a name or a connection before it can be sent.

use super::clock::{Alarm, Due};
use super::inside::Draft;
use super::io::{OpenId, ResolveId};
use super::legs::Hop;
use super::{Endpoint, Event, FailCause, Output};
use crate::locate::Located;
use crate::transport::{Flow, Host, PeerId, Target};
use bytes::Bytes;
use std::collections::HashMap;
use std::time::Instant;

/// One look-up or one wait for a connection.
pub(super) struct Seek {
    leg: u64,
    work: Work,
    step: Step,
    until: Instant,
    alarm: Alarm,
}

/// What is to be done when the way is known.
pub(super) enum Work {
    /// The leg's INVITE goes on.
    Invite,
    /// The leg's question goes on.
    Ask,
    /// Requests inside the dialog, in order.
    Drafts(Vec<Draft>),
    /// A response whose connection was gone (RFC 3261 §18.2.2).
    Response(Bytes),
}

enum Step {
    Resolving { host: Host },
    Opening { open: OpenId, hop: Hop, or_udp: bool },
}

/// Connections being opened; several seeks may wait for one.
#[derive(Default)]
pub(super) struct Openings {
    last: u64,
    by_hop: HashMap<Hop, OpenId>,
    by_id: HashMap<OpenId, Opening>,
}

struct Opening {
    hop: Hop,
    seeks: Vec<u64>,
    wanted: usize,
}

impl Seek {
    /// Whoever wants to go waits for it: a far end is to hear something of a call.
    pub(super) fn is_awaited(&self) -> bool {
        !matches!(self.work, Work::Ask)
    }
}

impl Openings {
    /// Lets a seek wait for a connection to `hop`. True if it is the first and the connection has to be asked for.
    fn join(&mut self, hop: Hop, seek: u64) -> (OpenId, bool) {
        if let Some(id) = self.by_hop.get(&hop) {
            if let Some(opening) = self.by_id.get_mut(id) {
                opening.seeks.push(seek);
                opening.wanted += 1;
            }
            return (*id, false);
        }
        self.last += 1;
        let id = OpenId(self.last);
        self.by_hop.insert(hop, id);
        self.by_id.insert(id, Opening { hop, seeks: vec![seek], wanted: 1 });
        (id, true)
    }

    /// One seek waits no more.
    fn leave(&mut self, id: OpenId) {
        let Some(opening) = self.by_id.get_mut(&id) else { return };
        opening.wanted -= 1;
        if opening.wanted == 0 {
            self.take(id);
        }
    }

    fn take(&mut self, id: OpenId) -> Vec<u64> {
        let Some(opening) = self.by_id.remove(&id) else { return Vec::new() };
        self.by_hop.remove(&opening.hop);
        opening.seeks
    }

    /// On whose behalf it was asked for.
    fn peer(&self, id: OpenId) -> Option<PeerId> {
        self.hop(id)?.peer
    }

    fn hop(&self, id: OpenId) -> Option<Hop> {
        Some(self.by_id.get(&id)?.hop)
    }
}

impl Endpoint {
    /// Asks for the addresses of a target. `None`: too much is under way already, or the time is up.
    pub(super) fn seek_name(&mut self, leg: u64, work: Work, target: Target, until: Instant) -> Option<u64> {
        if self.seeks.is_full() {
            return None;
        }
        let step = Step::Resolving { host: target.host.clone() };
        let seek = self.seeks.insert(Seek { leg, work, step, until, alarm: Alarm::default() })?;
        let (id, reach, random) = (ResolveId(seek), self.origins.reach(), self.mint.number());
        self.out.push_back(Output::Resolve { id, target, reach, random });
        self.rearm_seek(seek);
        Some(seek)
    }

    /// Asks for a connection. With `or_udp` the work goes by datagrams if there is none to be had.
    pub(super) fn seek_connection(
        &mut self,
        leg: u64,
        work: Work,
        (hop, or_udp): (Hop, bool),
        server_name: Option<String>,
        until: Instant,
    ) -> Option<u64> {
        if self.seeks.is_full() {
            return None;
        }
        let seek = self.seeks.next_key();
        let (open, first) = self.openings.join(hop, seek);
        let step = Step::Opening { open, hop, or_udp };
        self.seeks.insert(Seek { leg, work, step, until, alarm: Alarm::default() })?;
        if first {
            let Hop { transport, remote, peer } = hop;
            self.out.push_back(Output::Open { id: open, transport, remote, server_name, peer });
        }
        self.rearm_seek(seek);
        Some(seek)
    }

    fn rearm_seek(&mut self, seek: u64) {
        if let Some(waiting) = self.seeks.get_mut(seek) {
            self.clock.set(&mut waiting.alarm, Some((waiting.until, "next hop")), Due::Seek(seek));
        }
    }

    /// A further request of the same dialog joins those that wait.
    pub(super) fn join_seek(&mut self, seek: u64, draft: Draft) -> Result<(), Draft> {
        match self.seeks.get_mut(seek).map(|seek| &mut seek.work) {
            Some(Work::Drafts(drafts)) => {
                drafts.push(draft);
                Ok(())
            }
            _ => Err(draft),
        }
    }

    /// Stops waiting; whatever waited is gone.
    pub(super) fn drop_seek(&mut self, seek: u64) {
        self.take_seek(seek);
    }

    fn take_seek(&mut self, key: u64) -> Option<Box<Seek>> {
        let mut seek = self.seeks.remove(key)?;
        self.clock.clear(&mut seek.alarm);
        if let Step::Opening { open, .. } = seek.step {
            self.openings.leave(open);
        }
        if let Some(leg) = self.legs.get_mut(seek.leg)
            && leg.seek == Some(key)
        {
            leg.seek = None;
        }
        Some(seek)
    }

    pub(super) fn resolved(&mut self, now: Instant, id: ResolveId, located: Located) {
        if !self.seeks.get(id.0).is_some_and(|seek| matches!(seek.step, Step::Resolving { .. })) {
            return;
        }
        let Some(seek) = self.take_seek(id.0) else { return };
        let peer = self.legs.get(seek.leg).and_then(|leg| leg.peer);
        if let (Some(trouble), Step::Resolving { host }) = (located.trouble, &seek.step) {
            let (host, found) = (host.to_string(), located.addresses.len());
            self.out.push_back(Output::Event(Event::NameTrouble { peer, host, trouble, found }));
        }
        let hops = located.addresses.into_iter().map(|(transport, remote)| Hop::new(transport, remote, peer));
        let mut hops: Vec<Hop> = hops.collect();
        if hops.is_empty() {
            return self.seek_failed(now, *seek, FailCause::Unresolved);
        }
        self.doubts.put_last(now, &mut hops);
        match seek.work {
            Work::Invite => self.invite_resolved(now, seek.leg, hops.into()),
            Work::Ask => self.ask_resolved(now, seek.leg, hops.into()),
            Work::Drafts(drafts) => self.hop_found(now, seek.leg, hops.into_iter().next(), drafts),
            Work::Response(_) => {}
        }
    }

    /// A connection is there: for all who wait for it, and for later ones.
    pub(super) fn opened(&mut self, now: Instant, id: OpenId, flow: Flow, names: Vec<String>) {
        // That nobody waits for it any more says nothing about whom it leads to.
        let peer = self.openings.peer(id).or_else(|| self.sources.identify(flow.remote, &names));
        self.roads.opened(flow, peer, names);
        for key in self.openings.take(id) {
            let Some(seek) = self.take_seek(key) else { continue };
            match seek.work {
                Work::Invite => self.invite_on(now, seek.leg, flow),
                Work::Ask => self.ask_on(now, seek.leg, flow),
                Work::Drafts(drafts) => {
                    drafts.into_iter().for_each(|draft| self.send_draft_on(now, seek.leg, draft, flow));
                    self.settle(seek.leg);
                }
                Work::Response(bytes) => self.send(flow, bytes),
            }
        }
    }

    pub(super) fn open_failed(&mut self, now: Instant, id: OpenId) {
        if let Some(hop) = self.openings.hop(id) {
            self.doubts.fails(now, &hop);
        }
        for key in self.openings.take(id) {
            if let Some(seek) = self.take_seek(key) {
                self.seek_failed(now, *seek, FailCause::Unreachable);
            }
        }
    }

    pub(super) fn seek_due(&mut self, now: Instant, at: Instant, key: u64) {
        if self.seeks.get_mut(key).is_some_and(|seek| seek.alarm.is_meant(at))
            && let Some(seek) = self.take_seek(key)
        {
            let cause = match seek.step {
                Step::Resolving { .. } => FailCause::Unresolved,
                Step::Opening { hop, .. } => {
                    self.doubts.fails(now, &hop);
                    FailCause::TimedOut
                }
            };
            self.seek_failed(now, *seek, cause);
        }
    }

    /// No way was found. What was only too large for a datagram goes as one after all (RFC 3261 §18.1.1).
    fn seek_failed(&mut self, now: Instant, seek: Seek, cause: FailCause) {
        let datagrams = match seek.step {
            Step::Opening { hop, or_udp: true, .. } => self.origins.udp_flow(hop.remote),
            Step::Opening { .. } | Step::Resolving { .. } => None,
        };
        match (seek.work, datagrams) {
            (Work::Invite, Some(flow)) => self.invite_on(now, seek.leg, flow),
            (Work::Invite, None) => self.invite_stuck(now, seek.leg, cause),
            (Work::Ask, _) => self.ask_stuck(now, seek.leg, cause),
            (Work::Drafts(drafts), Some(flow)) => {
                drafts.into_iter().for_each(|draft| self.send_draft_on(now, seek.leg, draft, flow));
                self.settle(seek.leg);
            }
            (Work::Drafts(drafts), None) => self.drafts_stuck(now, seek.leg, drafts, cause),
            (Work::Response(_), _) => {}
        }
    }
}
