//! Who calls, who is called, and what must become of each call.

use std::{net::SocketAddr, time::Duration};

use media::Codec;

use crate::phone::Behaviour;

/// A caller and the whole of his plan.
pub(super) struct Caller {
    pub(super) name: &'static str,
    pub(super) called: &'static str,
    /// Keys with the time since dialling.
    pub(super) keys: &'static [(u64, char)],
    pub(super) leaves: Leaves,
    pub(super) fate: Fate,
    pub(super) codecs: &'static [Codec],
}

/// When a caller hangs up. Times are milliseconds.
#[derive(Clone, Copy)]
pub(super) enum Leaves {
    /// So long after dialling.
    Dialled(u64),
    /// So long after an agent's voice was heard.
    Heard(u64),
    /// Never: the router ends the call.
    Never,
}

/// What must become of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// An agent answers, and both hear each other.
    Talks,
    /// Hangs up while waiting or while somebody rings.
    GivesUp,
    /// Hangs up in a prompt of ours, before any queue.
    LeavesTheFlow,
    /// Hears that we are closed, and the flow ends.
    Closed,
    /// Is refused with this status.
    Refused(u16),
}

/// Somebody who is called.
pub(super) struct Agent {
    pub(super) name: &'static str,
    pub(super) behaviour: Behaviour,
}

const DESK: &str = "+493012345";
const STRAIGHT: &str = "+493099907";
const SALES: &str = "+493012346";
pub(super) const FRIEDA: &str = "+493012347";
const NOBODY: &str = "+493012399";
const BOTH: &[Codec] = &[Codec::Pcma, Codec::Pcmu];
const AMERICAN: &[Codec] = &[Codec::Pcmu];

/// A caller comes this often.
pub(super) const GAP: Duration = Duration::from_millis(600);
/// Where the telephones take sound, each at its own address.
pub(super) const SOUND_PORT: u16 = 20_000;

/// The twenty, in order of their calls.
pub(super) fn callers() -> Vec<Caller> {
    let talks = |name, called, keys, heard| Caller {
        name,
        called,
        keys,
        leaves: Leaves::Heard(heard),
        fate: Fate::Talks,
        codecs: BOTH,
    };
    let other = |name, called, keys, leaves, fate| Caller { leaves, fate, ..talks(name, called, keys, 0) };
    let american = |caller: Caller| Caller { codecs: AMERICAN, ..caller };
    vec![
        talks("Ada", STRAIGHT, &[], 3_000),
        talks("Ben", DESK, &[(2_600, '1')], 3_200),
        other("Cem", SALES, &[], Leaves::Dialled(2_000), Fate::GivesUp), // while Emil rings, or with music
        american(talks("Dana", STRAIGHT, &[], 2_800)),
        other("Eva", DESK, &[], Leaves::Dialled(1_000), Fate::LeavesTheFlow), // in the welcome
        talks("Finn", DESK, &[(3_000, '1')], 3_000),
        other("Gesa", SALES, &[], Leaves::Never, Fate::Closed), // waits to the end, then the overflow
        american(talks("Hugo", DESK, &[(2_400, '1')], 3_400)),
        talks("Ida", DESK, &[(2_500, '9'), (5_000, '1')], 2_600), // a wrong key first
        other("Jan", FRIEDA, &[], Leaves::Dialled(2_500), Fate::GivesUp), // while it rings: CANCEL
        talks("Kim", DESK, &[], 3_000),                           // lets both times for a key pass
        talks("Leo", DESK, &[(3_300, '1')], 2_700),
        other("Mia", DESK, &[(3_000, '2')], Leaves::Never, Fate::Closed),
        talks("Nils", STRAIGHT, &[], 3_100),
        other("Olga", NOBODY, &[], Leaves::Never, Fate::Refused(404)),
        talks("Paul", DESK, &[(2_800, '1')], 3_000),
        other("Rosa", SALES, &[], Leaves::Dialled(3_600), Fate::GivesUp),
        talks("Sven", DESK, &[(4_500, '1')], 2_900),
        american(talks("Tara", STRAIGHT, &[], 3_000)),
        talks("Uwe", DESK, &[(2_200, '1')], 2_500),
    ]
}

/// Those of `demo.toml`, in the order of their addresses.
pub(super) fn agents() -> Vec<Agent> {
    let answers = |ms| Behaviour::Answers(Duration::from_millis(ms));
    let agent = |name, behaviour| Agent { name, behaviour };
    // Longer than the two seconds within which a hang-up gives the caller back to the queue.
    let cleo = Behaviour::AnswersFor(Duration::from_millis(500), Duration::from_millis(2_400));
    vec![
        agent("anna", answers(700)),
        agent("bo", answers(1_000)),
        agent("cleo", cleo), // hangs up before her callers do
        agent("dora", Behaviour::Busy),
        agent("emil", Behaviour::NeverAnswers),
        agent("frieda", Behaviour::NeverAnswers),
    ]
}

/// Where caller number `index` takes SIP.
pub(super) fn caller_address(index: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 1, index + 1], 5060))
}

/// Where agent number `index` takes SIP, as `demo.toml` says.
pub(super) fn agent_address(index: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 2, index + 1], 5060))
}

/// The number that caller number `index` calls from.
pub(super) fn number(index: u8) -> String {
    format!("+491761000{:02}", index + 1)
}

/// The voice of telephone number `index`, callers first: 120 Hz from the next one, below 3,400 Hz.
pub(super) fn voice(index: u8) -> u16 {
    330 + 120 * u16::from(index)
}
