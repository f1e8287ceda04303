//! RTCP of all legs: when it begins, what it says. RFC 3550 §6.

use std::time::Instant;

use super::Engine;
use crate::leg::Leg;
use crate::rtp::rtcp;
use crate::rtp::xr::{self, Extended};

impl Engine {
    /// Begins to report on a leg when there is something to say and a way to say it. The first report comes after
    /// half an interval (§6.2).
    pub(super) fn wake_reports(&mut self, now: Instant, index: u32) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        if leg.reports.next_at.is_none() && leg.may_report() && leg.is_active() {
            leg.reports.next_at = Some(now + self.dice.around(self.settings.rtcp_interval / 2));
            self.enter_deadline(index);
        }
    }

    /// Sends the report that is due and rolls when the next one is. Hold does not end reporting (RFC 3264 §5.1).
    pub(super) fn report(&mut self, now: Instant, index: u32) {
        let next_at = now + self.dice.around(self.settings.rtcp_interval);
        let Some(leg) = self.legs.get_mut(index) else { return };
        leg.reports.next_at = leg.may_report().then_some(next_at);
        match leg.rating().map(|rating| rating.r) {
            Some(80..) => self.counters.rated_good += 1,
            Some(70..) => self.counters.rated_fair += 1,
            Some(_) => self.counters.rated_poor += 1,
            None => {}
        }
        self.send_report(now, index, false);
    }

    /// A BYE if we ever sent anything (§6.3.7).
    pub(super) fn say_goodbye(&mut self, now: Instant, index: u32) {
        let Some(leg) = self.legs.get(index) else { return };
        if leg.reports.reported || leg.outgoing.packets() > 0 {
            self.send_report(now, index, true);
        }
    }

    fn send_report(&mut self, now: Instant, index: u32, goodbye: bool) {
        let ntp = self.ntp(now);
        let Some(leg) = self.legs.get_mut(index) else { return };
        let Some(to) = leg.rtcp_target().filter(|_| leg.may_report()) else { return };
        let extended = leg.extended(now, ntp);
        let Leg { incoming, outgoing, reports, stream, key, secure, .. } = leg;
        let block = incoming.report().map(|block| reports.complete(now, block));
        let about = block.map_or(0, |block| block.ssrc);
        // A sender is who has sent since the report before the last one (§6.4).
        let is_sender = outgoing.packets() > reports.sent_before[0];
        let sender = if is_sender { outgoing.sender_info(now, ntp) } else { None };
        reports.sent_before = [reports.sent_before[1], outgoing.packets()];
        reports.reported = true;
        let own_socket = stream.as_ref().is_some_and(|stream| !stream.rtcp_mux);
        let (ssrc, cname) = (outgoing.ssrc(), reports.cname);
        self.outbox.packet(*key, own_socket, to, |out| {
            let start = out.len();
            rtcp::write(out, ssrc, cname, sender, block, false);
            xr::write(out, ssrc, about, &extended);
            if goodbye {
                rtcp::write_goodbye(out, ssrc);
            }
            secure.as_mut().map_or(Some(()), |secure| secure.append_rtcp(out, start))
        });
        self.counters.rtcp_sent += 1;
    }

    /// `now` on the wall clock, in NTP's form.
    pub(super) fn ntp(&self, now: Instant) -> u64 {
        rtcp::ntp(self.settings.unix_origin + now.saturating_duration_since(self.settings.origin))
    }
}

impl Leg {
    /// What the peer has asked for (RFC 3611 §5.1), and the answer to a reference time of his, which is one in itself.
    fn extended(&self, now: Instant, ntp: u64) -> Extended {
        let wanted = self.stream.as_ref().map(|stream| stream.wanted_reports).unwrap_or_default();
        Extended {
            reference_time: wanted.reference_time.then_some(ntp),
            delay: self.reports.delay(now),
            voip_metrics: self.voip_metrics().filter(|_| wanted.voip_metrics),
        }
    }

    /// RTCP has a socket and the peer wants it.
    fn may_report(&self) -> bool {
        self.rtcp_open && self.stream.as_ref().is_some_and(|stream| stream.rtcp_wanted)
    }

    /// Something has come or gone that can be reported on.
    fn is_active(&self) -> bool {
        let heard = self.incoming.last_heard().or(self.reports.last_heard());
        heard.is_some() || self.outgoing.packets() > 0
    }
}
