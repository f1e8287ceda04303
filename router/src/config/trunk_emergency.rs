//! What a trunk has to do with emergency calls.

use super::problem::Report;
use super::raw::section;

section! {
    /// What a trunk has to do with emergency calls.
    TrunkEmergencyToml "[trunk.NAME]" {
        /// Emergency calls are sent by this trunk first. All others that send calls are tried after it. Default false.
        emergency,
        /// Calls that come by this trunk are made by agents, from Teams or from telephones behind it: `[emergency]` numbers among them are emergency calls. Telephones that register here need no trunk for that. Default false.
        agents_dial_out,
    }
}

/// What a trunk has to do with emergency calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrunkEmergency {
    /// They are sent by it first. Default false.
    pub preferred: bool,
    /// Calls by it are made by agents. Default false.
    pub agents_dial_out: bool,
}

impl TrunkEmergency {
    /// `sends` and `brings` say what the trunk can do.
    pub(super) fn resolve(
        raw: &TrunkEmergencyToml<'_>,
        (sends, brings): (bool, bool),
        report: &mut Report,
    ) -> TrunkEmergency {
        let emergency = TrunkEmergency {
            preferred: raw.emergency.boolean(false, report),
            agents_dial_out: raw.agents_dial_out.boolean(false, report),
        };
        if let Some(item) = raw.emergency.item.as_ref().filter(|_| emergency.preferred && !sends) {
            item.error(report, "this trunk sends no calls; give it send_to = [\"udp:192.0.2.1:5060\"]");
        }
        if let Some(item) = raw.agents_dial_out.item.as_ref().filter(|_| emergency.agents_dial_out && !brings)
        {
            item.error(report, "this trunk brings no calls; give it accept_from = [\"192.0.2.0/24\"]");
        }
        emergency
    }
}
