//! Session timers in dialogs (RFC 4028): what of them is written into which message, and what is due when.

use super::legs::{Leg, Stage};
use super::{Endpoint, Event, Reply, Terms};
use crate::dialog::{
    LEAST_MIN_SE, MOST_MIN_SE, Refresher, SessionDue, SessionExpires, SessionPolicy, SessionTimer, min_se,
};
use crate::key::LegKey;
use crate::message::{Builder, Header, Message, StatusCode};
use bytes::Bytes;
use std::time::Instant;

/// So often a far end may find a session too short in one dialog: one that asks for a second more each time would never
/// have enough.
const MOST_TOO_SHORT: u8 = 3;

impl Leg {
    /// Session-Expires and Min-SE of the INVITE that begins a dialog (RFC 4028 §7.1). The far end chooses who refreshes.
    pub(super) fn add_session_wish(&self, request: &mut Builder) {
        let Some(policy) = self.terms.session else { return };
        add(
            request,
            SessionExpires { seconds: self.session_wish(&policy), refresher: None },
            self.least(&policy),
        );
    }

    /// The same of a request in the dialog, while the session has an end: roles stay as they are (§7.4).
    pub(super) fn add_session_refresh(&self, request: &mut Builder) {
        let (Some(policy), Some(session)) = (self.terms.session, &self.session) else { return };
        let refresher = if session.is_ours() { Refresher::Uac } else { Refresher::Uas };
        let seconds = session.seconds().max(self.their_min_se);
        add(request, SessionExpires { seconds, refresher: Some(refresher) }, self.least(&policy));
    }

    /// What our 2xx to `request` says, and what holds from then on (§9).
    pub(super) fn session_answer(&self, request: &Message) -> Option<SessionExpires> {
        let now_ours = self.session.as_ref().map(|session| session.is_ours());
        self.terms.session?.answer(request, now_ours)
    }

    fn session_wish(&self, policy: &SessionPolicy) -> u32 {
        policy.expires.max(self.their_min_se)
    }

    fn least(&self, policy: &SessionPolicy) -> u32 {
        policy.min_se.max(self.their_min_se)
    }

    /// Their `422` asks for more than we have offered: true if it makes sense to offer that (§7.3).
    pub(super) fn learns_min_se(&mut self, response: &Message) -> bool {
        let Some(policy) = self.terms.session else { return false };
        let offered = self.session.as_ref().map_or(self.session_wish(&policy), |session| session.seconds());
        let least = min_se(response);
        let more = least > offered.max(self.their_min_se) && least <= MOST_MIN_SE;
        if !more || self.too_short >= MOST_TOO_SHORT {
            return false;
        }
        self.their_min_se = least;
        self.too_short += 1;
        true
    }
}

fn add(request: &mut Builder, session: SessionExpires, least: u32) {
    request.header(Header::SessionExpires, session.value());
    if least > LEAST_MIN_SE {
        request.header(Header::MinSe, least.to_string());
    }
}

impl Endpoint {
    /// A session shorter than we want: `422` says how long it must be (RFC 4028 §9).
    pub(super) fn fault_of_session(&self, request: &Message, terms: Terms) -> Option<Reply> {
        let policy = terms.session.filter(|policy| policy.is_too_short(request))?;
        let least = (Bytes::from_static(b"Min-SE"), Bytes::from(policy.min_se.to_string()));
        Some(Reply { headers: vec![least], ..Reply::new(StatusCode::SESSION_INTERVAL_TOO_SMALL) })
    }

    /// A 2xx of ours to this INVITE or UPDATE has left.
    pub(super) fn session_answered(&mut self, now: Instant, leg: u64, request: &Message) {
        if let Some(state) = self.legs.get_mut(leg) {
            let agreed = state.session_answer(request);
            state.session = agreed.map(|agreed| Box::new(SessionTimer::new(now, agreed, false)));
        }
    }

    /// A 2xx to an INVITE or UPDATE of ours has come: without Session-Expires the session has no end (§7.2).
    pub(super) fn session_agreed(&mut self, now: Instant, leg: u64, response: &Message) {
        if let Some(state) = self.legs.get_mut(leg).filter(|state| state.terms.session.is_some()) {
            let agreed = SessionExpires::of(response);
            state.session = agreed.map(|agreed| Box::new(SessionTimer::new(now, agreed, true)));
        }
    }

    pub(super) fn learns_min_se(&mut self, leg: u64, response: &Message) -> bool {
        self.legs.get_mut(leg).is_some_and(|state| state.learns_min_se(response))
    }

    pub(super) fn session_due(&mut self, now: Instant, leg: u64) {
        let Some(state) = self.legs.get_mut(leg).filter(|state| state.stage == Stage::Confirmed) else {
            return;
        };
        let Some(due) = state.session.as_mut().and_then(|session| session.handle_timeout(now)) else {
            return;
        };
        let by_update = state.terms.session.is_some_and(|policy| policy.by_update) && state.abilities.update;
        match due {
            SessionDue::Expired => self.session_over(leg),
            SessionDue::Refresh if by_update => self.refresh_by_update(now, leg),
            SessionDue::Refresh => self.tell(leg, Event::RefreshDue { leg: LegKey(leg) }),
        }
    }

    /// Nobody is there any more.
    pub(super) fn session_over(&mut self, leg: u64) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        if state.session.take().is_some() {
            self.counters.sessions_expired += 1;
            self.tell(leg, Event::SessionExpired { leg: LegKey(leg) });
        }
    }
}
