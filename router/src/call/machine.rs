//! Machines that answer in a person's place, and people who are not to find calls that others took.

use std::time::Duration;

use sip_core::{HangUp, StatusCode};

use super::{
    Call, Stage,
    end::completed_elsewhere,
    failure::{Failure, Origin},
    leg::Leg,
    ring::Purpose,
};
use crate::{config::TrunkDialog, journal::fact::LegNumber, shard::Switchboard};

/// Nobody sees who calls, makes up his mind and picks up in less.
const AT_ONCE: Duration = Duration::from_secs(2);

impl Call {
    /// How a leg is hung up: one that still rings for an agent says no more than its trunk wants to be seen.
    pub(super) fn without_missed_call(
        &self,
        number: LegNumber,
        hang_up: HangUp,
        board: &Switchboard,
    ) -> HangUp {
        let rings = self.leg(number).is_some_and(|leg| leg.agent.is_some() && !leg.picked_up);
        let unseen = rings && self.dialog_of(number, board).is_some_and(|dialog| !dialog.missed_calls);
        if unseen { completed_elsewhere() } else { hang_up }
    }

    /// Why the answer of an agent for whom somebody waits is none, if his trunk refuses machines and it looks like one's.
    /// Where he has to press a key nothing needs to be guessed.
    pub(super) fn refused_machine(&self, number: LegNumber, board: &Switchboard) -> Option<Failure> {
        let Stage::Ringing(ring) = &self.stage else { return None };
        let Purpose::Assignment(place) = &ring.purpose else { return None };
        let confirms = board.config.queue(place.queue).is_some_and(|queue| queue.confirm.key.is_some());
        let leg = self.leg(number).filter(|leg| leg.agent.is_some() && !confirms)?;
        self.dialog_of(number, board).filter(|dialog| dialog.refuses_machines)?;
        let phrase = leg.answered_like_a_machine(board)?;
        Some(Failure::found(StatusCode::TEMPORARILY_UNAVAILABLE, phrase, Origin::Remote))
    }

    fn dialog_of<'b>(&self, number: LegNumber, board: &'b Switchboard) -> Option<&'b TrunkDialog> {
        let trunk = self.leg(number)?.trunk?;
        Some(&board.config.trunk(trunk)?.dialog)
    }
}

impl Leg {
    fn answered_like_a_machine(&self, board: &Switchboard) -> Option<&'static str> {
        let at_once = self.called_at.is_some_and(|at| board.now.saturating_duration_since(at) < AT_ONCE);
        match self.forwarded {
            true => Some("was forwarded and answered elsewhere (trunk key answers_of_machines)"),
            false if !self.rang && at_once => {
                Some("answered at once without ringing (trunk key answers_of_machines)")
            }
            false => None,
        }
    }
}
