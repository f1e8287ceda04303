//! How dialogs with a trunk are kept: session timers, reliable provisional responses, hold.

use std::sync::Arc;
use std::time::Duration;

use sip_core::{Reliability, SessionPolicy, Terms};

use super::music::Music;
use super::problem::Report;
use super::raw::{Field, section};
use super::read::{Bounds, bounds};
use super::scope::Scope;

section! {
    /// How dialogs with a trunk are kept.
    TrunkDialogToml "[trunk.NAME]" {
        /// Longest time until one side must tell the other that it is still there (RFC 4028); a call of which nothing was heard for so long ends. The far end may ask for less, down to `min_se`; one that knows nothing of it is asked by OPTIONS instead when it falls silent. `"90s"` to `"24h"`, or `"off"`. Default `"30m"`.
        session_expires,
        /// Shortest such time that the far end may ask for; less is refused with 422. `"90s"` to `"24h"`, at most `session_expires`. Default `"90s"`.
        min_se,
        /// How we say that we are there: `"reinvite"`, with what was agreed on repeated unchanged, or `"update"` (RFC 3311) where the far end takes it. Default `"reinvite"`.
        refresh,
        /// Provisional responses that are acknowledged (RFC 3262): `"never"`, `"offered"` (our calls leave it to the far end) or `"required"` (our calls insist on it, and calls of a far end that can do it get it). A call that insists on it gets it always. Leave it at `"never"` towards Teams. Default `"never"`.
        reliable,
        /// What a party on this trunk is told when the other side puts it on hold: `"local"`, nothing, it only hears something else; or `"pass"`, a re-INVITE with `sendonly`, so that its telephone shows the hold. Leave it at `"local"` towards Teams, which does not understand it. Default `"local"`.
        hold,
        /// What a party on this trunk hears while the other side has put it on hold: a file, a folder, several, or `{ play = … }`. Default: what the other side sends by itself; if that is nothing (for two seconds, where it said that it sends), the music of the queue that brought the call, or silence.
        hold_music,
        /// Whoever is rung here in vain sees a missed call. False: every CANCEL says that the call was completed elsewhere (RFC 3326), as one does in any case when somebody else has answered, or is rung next by the queue. Default true.
        missed_calls,
        /// An answer of an agent by which a machine shows itself: one that comes within 2 s of the call without ringing, or after the far end has said that it forwards (181). `"take"`: it is an answer as any other; `"refuse"`: it is hung up, and the agent has not answered. Where the queue has a `confirm` with a key that decides in any case. Default `"take"`.
        answers_of_machines,
    }
}

/// How dialogs with a trunk are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkDialog {
    /// Session timers; `None`: off.
    pub session: Option<SessionPolicy>,
    /// Provisional responses that are acknowledged. Default never.
    pub reliable: Reliability,
    /// What a party is told when it is put on hold. Default local.
    pub hold: Hold,
    /// What it hears then; `None`: what the other side sends, else the queue's music.
    pub hold_music: Option<Arc<Music>>,
    /// Whoever is rung in vain sees a missed call. Default true.
    pub missed_calls: bool,
    /// What looks like the answer of a machine is none. Default false.
    pub refuses_machines: bool,
}

/// What a party is told when the other side puts it on hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Hold {
    /// Nothing.
    #[default]
    Local,
    /// That it is on hold, by re-INVITE.
    Pass,
}

/// As a trunk of which nothing is said; also for addresses without a trunk.
impl Default for TrunkDialog {
    fn default() -> TrunkDialog {
        let session = Some(SessionPolicy { expires: 1_800, min_se: 90, by_update: false });
        TrunkDialog {
            session,
            reliable: Reliability::Never,
            hold: Hold::Local,
            hold_music: None,
            missed_calls: true,
            refuses_machines: false,
        }
    }
}

const SESSION_EXPIRES: Bounds = bounds("90s", "24h", "30m");
const MIN_SE: Bounds = bounds("90s", "24h", "90s");

impl TrunkDialog {
    /// The extensions used with this trunk.
    pub fn terms(&self) -> Terms {
        Terms { session: self.session, reliable: self.reliable }
    }

    pub(super) fn resolve(raw: &TrunkDialogToml<'_>, scope: &mut Scope<'_, '_>) -> TrunkDialog {
        let report = &mut *scope.report;
        let reliable = raw.reliable.choice(
            &[
                ("never", Reliability::Never),
                ("offered", Reliability::Offered),
                ("required", Reliability::Required),
            ],
            report,
        );
        let hold = raw.hold.choice(&[("local", Hold::Local), ("pass", Hold::Pass)], report);
        let session = session(raw, report);
        let missed_calls = raw.missed_calls.boolean(true, report);
        let refuses_machines = raw.answers_of_machines.choice(&[("take", false), ("refuse", true)], report);
        let hold_music = raw.hold_music.item.as_ref().and_then(|item| Music::resolve(item, scope));
        TrunkDialog { session, reliable, hold, hold_music, missed_calls, refuses_machines }
    }
}

fn session(raw: &TrunkDialogToml<'_>, report: &mut Report) -> Option<SessionPolicy> {
    let by_update = raw.refresh.choice(&[("reinvite", false), ("update", true)], report);
    let min_se = raw.min_se.duration(MIN_SE, report);
    if is_off(&raw.session_expires) {
        return None;
    }
    let expires = raw.session_expires.duration(SESSION_EXPIRES, report);
    if expires < min_se {
        let longest = raw.session_expires.item.as_ref().or(raw.min_se.item.as_ref());
        longest.into_iter().for_each(|item| {
            item.error(
                report,
                "min_se is longer than session_expires; write the same for both, or a shorter min_se",
            );
        });
    }
    let (expires, min_se) = (whole_seconds(expires), whole_seconds(min_se));
    Some(SessionPolicy { expires, min_se, by_update })
}

fn is_off(field: &Field<'_>) -> bool {
    use toml::de::DeValue;
    let value = field.item.as_ref().map(|item| item.value.get_ref());
    matches!(value, Some(DeValue::String(text)) if text == "off")
}

fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}
