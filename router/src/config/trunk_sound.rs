//! What a trunk's far end is asked to report about sound, and what is done when nobody is heard.

use std::time::Duration;

use media::sdp::{Policy, Tones};

use super::problem::Report;
use super::raw::section;
use super::read::bounds;
use super::units::written;

section! {
    /// What is asked and done about the sound of a trunk's calls.
    TrunkSoundToml "[trunk.NAME]" {
        /// Ask the far end for extended reports (RTCP XR, RFC 3611): how our sound reaches it, as it hears it, in call records and `fernamt explain`. What a far end asks for itself it gets in any case. Default false: some far ends stumble over attributes they do not know.
        rtcp_xr,
        /// Within so long after two parties were connected something ought to be heard of a party by this trunk. If not, that is a fact (`fernamt explain`, `/metrics`) and a warning: no packets, packets from a wrong address, packets that the SRTP key does not open or in a format not agreed, digital silence. Comfort noise and a party on hold are no dead air. `"1s"` to `"30s"`; `"0s"`: never. Default `"3s"`.
        dead_air,
        /// What is done then, once a leg. `"nothing"`: it is only told. `"relatch"`: if sound comes from a wrong address, that one is believed from now on, whoever it may be: only where the network in between is your own. `"reinvite"`: the far end gets a re-INVITE with our description once more, by which many devices begin anew; an agent's telephone gets it before the caller is given to somebody else (`queue.NAME.dead_air`). Digital silence is answered by neither. Default `"nothing"`.
        dead_air_cure,
        /// The other party, if it is by this trunk and in a conversation, hears a short tone when nobody can be heard, so that he does not wait in silence for a caller who speaks. Default false.
        dead_air_tone,
        /// How keys come from this trunk and go to it. `"auto"`: as telephone-event where both know it (RFC 4733), else by INFO where the far end allows it, else as tones; tones are sought only while a caller is with us, in menus and queues. `"rfc4733"`: as telephone-event or not at all. `"info"`: by INFO, telephone-event is not offered. `"inband"`: as tones, in conversations too, so that a key is passed on to a party that takes no tones; telephone-event is not offered. Default `"auto"`.
        dtmf,
    }
}

/// What is done when nobody is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeadAirCure {
    /// It is told.
    #[default]
    Nothing,
    /// Whoever sends is believed.
    Relatch,
    /// A re-INVITE.
    Reinvite,
}

/// How keys come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dtmf {
    /// As the far end can.
    #[default]
    Auto,
    /// As telephone-event.
    Events,
    /// By INFO.
    Info,
    /// As tones.
    Tones,
}

impl Dtmf {
    /// The policy with this in it.
    pub fn applied(self, policy: Policy) -> Policy {
        let (telephone_event, tones) = match self {
            Dtmf::Auto => (policy.telephone_event, Tones::Unbridged),
            Dtmf::Events => (true, Tones::Never),
            Dtmf::Info => (false, Tones::Never),
            Dtmf::Tones => (false, Tones::Always),
        };
        Policy { telephone_event, tones, ..policy }
    }
}

/// What is asked and done about the sound of a trunk's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrunkSound {
    /// The far end is asked for extended reports. Default false.
    pub rtcp_xr: bool,
    /// Within so long something ought to be heard. 1 s to 30 s; zero: it is not looked at. Default 3 s.
    pub dead_air: Duration,
    /// What is done if nothing is. Default nothing.
    pub dead_air_cure: DeadAirCure,
    /// The other party hears a tone then, if it is by this trunk. Default false.
    pub dead_air_tone: bool,
    /// How keys come and go. Default as the far end can.
    pub dtmf: Dtmf,
}

impl Default for TrunkSound {
    fn default() -> TrunkSound {
        TrunkSound {
            rtcp_xr: false,
            dead_air: Duration::from_secs(3),
            dead_air_cure: DeadAirCure::Nothing,
            dead_air_tone: false,
            dtmf: Dtmf::Auto,
        }
    }
}

/// Sooner nobody's sound need be there.
const LEAST: Duration = Duration::from_secs(1);

impl TrunkSound {
    pub(super) fn resolve(raw: &TrunkSoundToml<'_>, report: &mut Report) -> TrunkSound {
        let cures = [
            ("nothing", DeadAirCure::Nothing),
            ("relatch", DeadAirCure::Relatch),
            ("reinvite", DeadAirCure::Reinvite),
        ];
        let keys =
            [("auto", Dtmf::Auto), ("rfc4733", Dtmf::Events), ("info", Dtmf::Info), ("inband", Dtmf::Tones)];
        let sound = TrunkSound {
            rtcp_xr: raw.rtcp_xr.boolean(false, report),
            dead_air: raw.dead_air.duration(bounds("0s", "30s", "3s"), report),
            dead_air_cure: raw.dead_air_cure.choice(&cures, report),
            dead_air_tone: raw.dead_air_tone.boolean(false, report),
            dtmf: raw.dtmf.choice(&keys, report),
        };
        if !sound.dead_air.is_zero() && sound.dead_air < LEAST {
            let text = format!(
                "{} is sooner than sound can be there; write \"1s\" or more, or \"0s\" for never",
                written(sound.dead_air)
            );
            raw.dead_air.item.iter().for_each(|item| item.error(report, &text));
        }
        if let Some(item) = raw.dead_air_cure.item.as_ref().filter(|_| sound.dead_air.is_zero()) {
            item.warning(report, "has no effect while dead_air is \"0s\"; take one of them out");
        }
        sound
    }
}
