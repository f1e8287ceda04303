//! Who spoke with whom, and what transfers made of it.

use serde::{Deserialize, Serialize};

use super::{Leg, Record, Stage};
use crate::journal::fact::{LegNumber, Micros, TransferStep};

/// Two parties who were connected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// One of them: the caller, or who sits in his place since a transfer.
    pub caller: LegNumber,
    /// The other.
    pub leg: LegNumber,
    /// The agent that the other is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// When they were connected.
    pub from: Micros,
    /// When no longer; absent only while they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Micros>,
}

/// A transfer that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// When.
    pub at: Micros,
    /// Who asked.
    pub by: LegNumber,
    /// The agent that he is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Whom he named.
    pub to: String,
    /// Whom that means; empty if it was refused.
    pub destination: String,
    /// 200 if it went well, else why not. Absent while it is under way, or if the call ended meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl Record {
    pub(super) fn transfer(&mut self, at: Micros, step: &TransferStep) {
        match step {
            TransferStep::Asked { by, agent, to, destination } => {
                self.progress.bridged = None;
                self.progress.stage = Stage::Flow;
                let (agent, to, destination) = (agent.clone(), to.clone(), destination.clone());
                self.transfers.push(Transfer { at, by: *by, agent, to, destination, status: None });
            }
            TransferStep::Refused { by, to, status } => {
                let (to, destination, status) = (to.clone(), String::new(), Some(*status));
                self.transfers.push(Transfer { at, by: *by, agent: None, to, destination, status });
            }
            TransferStep::Seated { leg } => self.progress.seat = *leg,
            TransferStep::Left { .. } => {
                self.progress.bridged = None;
                self.progress.stage = Stage::Flow;
            }
            TransferStep::RingsBack { .. } => {}
            TransferStep::Gave { call } => {
                self.went_to = Some(*call);
                self.progress.bridged = None;
                self.progress.stage = Stage::Flow;
            }
            TransferStep::Came { leg, sip_call_id, trunk, party, agent, .. } => {
                let known = self.leg_there(*leg, at, [sip_call_id, trunk, party]);
                self.legs.push(Leg { agent: agent.clone(), ..known });
            }
            TransferStep::Replaced { by, sip_call_id, trunk, party, agent, .. } => {
                let known = self.leg_there(*by, at, [sip_call_id, trunk, party]);
                self.legs.push(Leg { agent: agent.clone(), ..known });
            }
            TransferStep::CameRound { leg, sip_call_id, trunk, party, .. } => {
                self.progress.bridged = None;
                self.progress.stage = Stage::Flow;
                let (answered_at, status, hairpin_of) = (None, None, Some(self.call));
                let known = self.leg_there(*leg, at, [sip_call_id, trunk, party]);
                self.legs.push(Leg { answered_at, status, hairpin_of, ..known });
            }
            TransferStep::Over { by, status } => {
                let open = |transfer: &&mut Transfer| transfer.by == *by && transfer.status.is_none();
                if let Some(transfer) = self.transfers.iter_mut().rev().find(open) {
                    transfer.status = Some(*status);
                }
            }
        }
    }

    /// A leg that is answered as soon as it is known here.
    fn leg_there(&self, leg: LegNumber, at: Micros, [sip_call_id, trunk, party]: [&String; 3]) -> Leg {
        Leg {
            leg,
            sip_call_id: sip_call_id.clone(),
            trunk: trunk.clone(),
            party: party.clone(),
            invited_at: at,
            answered_at: Some(at),
            status: Some(200),
            ..Leg::default()
        }
    }

    /// The same two who were parted in this very instant have not been parted.
    pub(super) fn open_segment(&mut self, leg: LegNumber, agent: Option<String>, from: Micros) {
        self.close_segment(from);
        let caller = self.progress.seat;
        let goes_on = |last: &&mut Segment| {
            (last.caller, last.leg, &last.agent, last.until) == (caller, leg, &agent, Some(from))
        };
        if let Some(last) = self.segments.last_mut().filter(goes_on) {
            last.until = None;
            return;
        }
        self.segments.push(Segment { caller, leg, agent, from, until: None });
    }

    pub(super) fn close_segment(&mut self, at: Micros) {
        if let Some(open) = self.segments.last_mut().filter(|segment| segment.until.is_none()) {
            open.until = Some(at.max(open.from));
        }
    }

    /// One of the two who talk has put the other on hold.
    pub(super) fn is_held(&self) -> bool {
        let talks = |leg: &LegNumber| *leg == self.progress.seat || Some(*leg) == self.progress.bridged;
        self.progress.stage == Stage::Talking && self.progress.holding.iter().any(talks)
    }
}
