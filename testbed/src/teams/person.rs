//! People in Teams: their number, what they do when they are called, and what came of it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use crate::tone::Tone;

/// What a person, or Teams in his place, does with a call (6.1, point 9, of the sheet).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// Two of his devices ring, one answers after this long.
    Answers(Duration),
    /// The decline button: 603.
    Declines,
    /// 486, with the cause of the Q.850 that Teams writes there: 34.
    IsBusy,
    /// It rings for ever.
    LetsRing,
    /// Rings, is forwarded (181) after this long, and his voicemail answers.
    IsForwarded(Duration),
    /// His voicemail answers at once, without any ringing.
    Voicemail,
    /// 480, nobody is logged in.
    IsAway,
}

/// One person.
pub struct Person {
    /// His name.
    pub name: String,
    /// His number, `+493055500001`.
    pub number: String,
    /// His object id in Entra.
    pub id: String,
    /// His voice, in hertz.
    pub hz: u16,
    /// What he does when he is called.
    pub conduct: Conduct,
    /// A key that he presses as soon as he has answered.
    pub presses: Option<char>,
    /// How often he was called.
    pub called: u32,
    /// Calls that were taken back without a word about where they went: he sees a missed call (1.15).
    pub missed: u32,
    /// Calls that were taken back because somebody else has them: he sees none.
    pub spared: u32,
    /// Names shown with calls, as they came.
    pub shown: BTreeSet<String>,
    pub(super) tone: Arc<Tone>,
}

impl Person {
    /// Somebody who answers after 300 ms.
    pub fn new(name: &str, number: &str, id: &str, hz: u16) -> Person {
        Person {
            name: name.to_owned(),
            number: number.to_owned(),
            id: id.to_owned(),
            hz,
            conduct: Conduct::Answers(Duration::from_millis(300)),
            presses: None,
            called: 0,
            missed: 0,
            spared: 0,
            shown: BTreeSet::new(),
            tone: Arc::new(Tone::new(hz)),
        }
    }
}
