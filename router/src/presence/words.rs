//! What Graph says of a person, and whether he may be given calls by it.

use std::fmt;

/// Longest word that is kept; Graph's have 23 letters at most.
const LONGEST: usize = 40;

/// Words that Graph is known to use, in either field and in any case: availabilities first, then activities.
pub const KNOWN: [&str; 19] = [
    "Available",
    "AvailableIdle",
    "AvailableInactive",
    "Away",
    "BeRightBack",
    "Busy",
    "BusyIdle",
    "DoNotDisturb",
    "Offline",
    "PresenceUnknown",
    "InACall",
    "InAConferenceCall",
    "Inactive",
    "InAMeeting",
    "OffWork",
    "OutOfOffice",
    "Presenting",
    "UrgentInterruptionsOnly",
    "Focusing",
];

/// What Graph says while a person is in a call, ours or another.
const IN_A_CALL: [&str; 2] = ["InACall", "InAConferenceCall"];

/// What Graph says of a person of whom it knows nothing, or may tell nothing.
const UNKNOWN: &str = "PresenceUnknown";

/// Availability and activity, as Graph writes them. Which word stands in which field is not relied on: its
/// documentation has them either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    availability: Box<str>,
    activity: Box<str>,
}

impl Words {
    /// Letters and digits are kept, 40 of them at most; both empty stands for `PresenceUnknown`.
    pub fn new(availability: &str, activity: &str) -> Words {
        let word =
            |text: &str| text.chars().filter(char::is_ascii_alphanumeric).take(LONGEST).collect::<String>();
        let (availability, activity) = (word(availability), word(activity));
        let availability =
            if availability.is_empty() && activity.is_empty() { UNKNOWN.to_owned() } else { availability };
        Words { availability: availability.into(), activity: activity.into() }
    }

    /// One of the two is one of these, in any case.
    pub fn are_among(&self, words: &[impl AsRef<str>]) -> bool {
        self.iter().any(|said| words.iter().any(|word| said.eq_ignore_ascii_case(word.as_ref())))
    }

    /// In a call, which may be one of ours.
    pub fn tell_of_a_call(&self) -> bool {
        self.are_among(&IN_A_CALL)
    }

    /// Graph has nothing to say.
    pub fn tell_nothing(&self) -> bool {
        self.are_among(&[UNKNOWN])
    }

    /// A word that Graph is not known to use.
    pub fn strange(&self) -> Option<&str> {
        self.iter().find(|said| !KNOWN.iter().any(|known| said.eq_ignore_ascii_case(known)))
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        [&*self.availability, &*self.activity].into_iter().filter(|word| !word.is_empty())
    }
}

impl fmt::Display for Words {
    /// `Busy, InACall`; one word if both are the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<&str> = self.iter().collect();
        words.dedup();
        f.write_str(&words.join(", "))
    }
}

/// Which words let a person be given calls: `offer_when` and `never_when`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// One of these must be said. Default `Available`, `AvailableIdle`.
    pub offer_when: Vec<String>,
    /// None of these may be said. Default [`Mapping::NEVER`].
    pub never_when: Vec<String>,
}

impl Mapping {
    /// By default who is free is given calls, also if he has not touched his computer for some minutes.
    pub const OFFER: [&str; 2] = ["Available", "AvailableIdle"];

    /// By default kept from calls whatever else is said: Teams would not ring him, or he is speaking.
    pub const NEVER: [&str; 7] = [
        "OutOfOffice",
        "InACall",
        "InAConferenceCall",
        "DoNotDisturb",
        "Presenting",
        "UrgentInterruptionsOnly",
        "Focusing",
    ];

    /// `word` is one of [`never_when`](Self::never_when).
    pub fn is_never(&self, word: &str) -> bool {
        self.never_when.iter().any(|never| never.eq_ignore_ascii_case(word))
    }

    /// He may be given calls.
    pub fn allows(&self, words: &Words) -> bool {
        words.are_among(&self.offer_when) && !words.are_among(&self.never_when)
    }
}

impl Default for Mapping {
    fn default() -> Mapping {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Mapping { offer_when: list(&Mapping::OFFER), never_when: list(&Mapping::NEVER) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_only_who_is_free_is_given_calls_however_graph_writes_it() {
        let mapping = Mapping::default();
        for (availability, activity, allowed) in [
            ("Available", "Available", true),
            ("available", "available", true),
            ("AvailableIdle", "Inactive", true),
            ("Available", "", true),
            ("", "Available", true),
            ("Available", "OutOfOffice", false),
            ("OutOfOffice", "Available", false),
            ("Busy", "Busy", false),
            ("Busy", "InAMeeting", false),
            ("Busy", "InACall", false),
            ("DoNotDisturb", "Presenting", false),
            ("doNotDisturb", "focusing", false),
            ("BeRightBack", "BeRightBack", false),
            ("Offline", "OffWork", false),
            ("PresenceUnknown", "PresenceUnknown", false),
            ("Levitating", "Levitating", false),
            ("", "", false),
        ] {
            let words = Words::new(availability, activity);
            assert_eq!(mapping.allows(&words), allowed, "{words}");
        }
    }

    #[test]
    fn who_is_offered_calls_when_busy_is_not_when_he_speaks() {
        let offer_when = vec!["Available".to_owned(), "busy".to_owned()];
        let mapping = Mapping { offer_when, ..Mapping::default() };
        assert!(mapping.allows(&Words::new("Busy", "InAMeeting")));
        assert!(!mapping.allows(&Words::new("Busy", "InACall")));
        assert!(!mapping.allows(&Words::new("Busy", "Presenting")));
    }

    #[test]
    fn what_graph_writes_is_cut_to_a_word_before_it_is_kept() {
        let words = Words::new(&format!("Bu\u{7}sy\n{}", "x".repeat(999)), "Busy\"; drop");
        assert_eq!(words.to_string(), format!("Busy{}, Busydrop", "x".repeat(36)));
        assert_eq!(Words::new("Busy", "Busy").to_string(), "Busy");
        assert_eq!(Words::new("", "").to_string(), "PresenceUnknown");
        assert_eq!(Words::new("Busy", "Levitating").strange(), Some("Levitating"));
        assert_eq!(Words::new("busy", "IN\u{ff}ACALL").strange(), None);
    }
}
