//! What is said to those who wait, put together from recorded snippets: numbers and the words around them, in German and
//! in English. Each snippet is a file named as here.

use crate::config::Language;

/// The greatest number that can be said.
pub const GREATEST: u32 = 9_999;

/// What a caller is told of his wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Which he is in the queue, from 1.
    pub place: Option<u32>,
    /// How many minutes he will wait at most; 0: less than one.
    pub minutes: Option<u32>,
}

/// For the journal: `place 3, wait 5 min`.
impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = self.place.map(|place| format!("place {place}"));
        let wait = self.minutes.map(|minutes| match minutes {
            0 => "wait under 1 min".to_owned(),
            minutes => format!("wait {minutes} min"),
        });
        f.write_str(&[place, wait].into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// A language of which the grammar is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    /// `de`, `de-AT`, …
    German,
    /// `en`, `en-GB`, …
    English,
}

/// Before the number of the place: "Sie sind an Position", "you are number".
const PLACE: &str = "place";
/// Behind it, in English: "in line".
const IN_LINE: &str = "in-line";
/// Before the time: "die geschätzte Wartezeit beträgt", "the estimated wait is".
const WAIT: &str = "wait";
/// "weniger als eine Minute", "less than a minute".
const LESS: &str = "less-than-a-minute";
/// "eine Minute", "one minute": a number of one needs another word than the rest.
const ONE_MINUTE: &str = "one-minute";
/// "Minuten", "minutes".
const MINUTES: &str = "minutes";

/// Numbers with a word of their own: 0 to 20, and the tens.
const UP_TO_20: [&str; 21] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18",
    "19", "20",
];
const TENS: [&str; 10] = ["0", "10", "20", "30", "40", "50", "60", "70", "80", "90"];

const GERMAN: [&str; 21] = [
    "null",
    "eins",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
    "zwanzig",
];
const GERMAN_TENS: [&str; 10] =
    ["", "", "", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"];
const GERMAN_WORDS: &[(&str, &str)] = &[
    ("ein", "ein"),
    ("und", "und"),
    ("hundert", "hundert"),
    ("tausend", "tausend"),
    (PLACE, "Sie sind an Position"),
    (WAIT, "Die geschätzte Wartezeit beträgt"),
    (LESS, "weniger als eine Minute"),
    (ONE_MINUTE, "eine Minute"),
    (MINUTES, "Minuten"),
];
const ENGLISH: [&str; 21] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];
const ENGLISH_TENS: [&str; 10] =
    ["", "", "", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const ENGLISH_WORDS: &[(&str, &str)] = &[
    ("and", "and"),
    ("hundred", "hundred"),
    ("thousand", "thousand"),
    (PLACE, "You are number"),
    (IN_LINE, "in line"),
    (WAIT, "The estimated wait is"),
    (LESS, "less than a minute"),
    (ONE_MINUTE, "one minute"),
    (MINUTES, "minutes"),
];

impl Tongue {
    /// The grammar of a language; `None` if it is not known.
    pub fn of(language: Language) -> Option<Tongue> {
        match language.as_str().split('-').next()? {
            "de" => Some(Tongue::German),
            "en" => Some(Tongue::English),
            _ => None,
        }
    }

    /// Every snippet that may be needed.
    pub fn snippets(self, place: bool, wait: bool) -> Vec<&'static str> {
        let mut all = UP_TO_20.to_vec();
        all.extend(&TENS[3..]);
        all.extend(match self {
            Tongue::German => &["ein", "und", "hundert", "tausend"][..],
            Tongue::English => &["and", "hundred", "thousand"],
        });
        if place {
            all.push(PLACE);
            all.extend((self == Tongue::English).then_some(IN_LINE));
        }
        if wait {
            all.extend([WAIT, LESS, ONE_MINUTE, MINUTES]);
        }
        all
    }

    /// The words of a snippet, for a voice that reads them.
    pub fn text(self, snippet: &str) -> &'static str {
        let (numbers, tens, words) = match self {
            Tongue::German => (GERMAN, GERMAN_TENS, GERMAN_WORDS),
            Tongue::English => (ENGLISH, ENGLISH_TENS, ENGLISH_WORDS),
        };
        match snippet.parse::<usize>() {
            Ok(number @ 0..=20) => numbers[number],
            Ok(number) => tens.get(number / 10).copied().unwrap_or_default(),
            Err(_) => words.iter().find(|(name, _)| *name == snippet).map_or("", |(_, text)| text),
        }
    }

    /// What is said, one snippet after another; nothing of numbers beyond [`GREATEST`].
    pub fn says(self, told: Told) -> Vec<&'static str> {
        let mut said = Vec::new();
        if let Some(place) = told.place.filter(|place| *place <= GREATEST) {
            said.push(PLACE);
            self.number(place, &mut said);
            said.extend((self == Tongue::English).then_some(IN_LINE));
        }
        match told.minutes.filter(|minutes| *minutes <= GREATEST) {
            None => {}
            Some(0) => said.extend([WAIT, LESS]),
            Some(1) => said.extend([WAIT, ONE_MINUTE]),
            Some(minutes) => {
                said.push(WAIT);
                self.number(minutes, &mut said);
                said.push(MINUTES);
            }
        }
        said
    }

    fn number(self, number: u32, said: &mut Vec<&'static str>) {
        match self {
            Tongue::German => german(number, said),
            Tongue::English => english(number, said),
        }
    }
}

/// "eintausend zweihundert ein und zwanzig": ones stand before tens, and one is "ein" before whatever follows.
fn german(number: u32, said: &mut Vec<&'static str>) {
    let one = |digit: u32| if digit == 1 { "ein" } else { UP_TO_20[digit as usize] };
    for (unit, word) in [(1_000, "tausend"), (100, "hundert")] {
        let count = number / unit % 10;
        if count > 0 {
            said.extend([one(count), word]);
        }
    }
    let rest = number % 100;
    match (rest / 10, rest % 10) {
        (0, 0) if number > 0 => {}
        (tens @ 2.., ones @ 1..) => said.extend([one(ones), "und", TENS[tens as usize]]),
        (tens @ 2.., 0) => said.push(TENS[tens as usize]),
        _ => said.push(UP_TO_20[rest as usize]),
    }
}

/// "one thousand two hundred and twenty one".
fn english(number: u32, said: &mut Vec<&'static str>) {
    for (unit, word) in [(1_000, "thousand"), (100, "hundred")] {
        let count = number / unit % 10;
        if count > 0 {
            said.extend([UP_TO_20[count as usize], word]);
        }
    }
    let rest = number % 100;
    if rest > 0 && number > 100 {
        said.push("and");
    }
    match (rest / 10, rest % 10) {
        (0, 0) if number > 0 => {}
        (tens @ 2.., ones @ 1..) => said.extend([TENS[tens as usize], UP_TO_20[ones as usize]]),
        (tens @ 2.., 0) => said.push(TENS[tens as usize]),
        _ => said.push(UP_TO_20[rest as usize]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn place(tongue: Tongue, place: u32) -> String {
        tongue.says(Told { place: Some(place), minutes: None }).join(" ")
    }

    fn wait(tongue: Tongue, minutes: u32) -> String {
        tongue.says(Told { place: None, minutes: Some(minutes) }).join(" ")
    }

    #[test]
    fn german_numbers_are_said_as_germans_say_them() {
        let cases = [
            (1, "1"),
            (3, "3"),
            (12, "12"),
            (16, "16"),
            (20, "20"),
            (21, "ein und 20"),
            (30, "30"),
            (99, "9 und 90"),
            (100, "ein hundert"),
            (101, "ein hundert 1"),
            (117, "ein hundert 17"),
            (121, "ein hundert ein und 20"),
            (200, "2 hundert"),
            (1_000, "ein tausend"),
            (1_001, "ein tausend 1"),
            (2_345, "2 tausend 3 hundert 5 und 40"),
            (9_999, "9 tausend 9 hundert 9 und 90"),
        ];
        for (number, expected) in cases {
            assert_eq!(place(Tongue::German, number), format!("place {expected}"));
        }
    }

    #[test]
    fn english_numbers_are_said_as_the_english_say_them() {
        let cases = [
            (1, "1"),
            (3, "3"),
            (12, "12"),
            (20, "20"),
            (21, "20 1"),
            (99, "90 9"),
            (100, "1 hundred"),
            (101, "1 hundred and 1"),
            (117, "1 hundred and 17"),
            (121, "1 hundred and 20 1"),
            (1_000, "1 thousand"),
            (1_001, "1 thousand and 1"),
            (1_100, "1 thousand 1 hundred"),
            (2_345, "2 thousand 3 hundred and 40 5"),
            (9_999, "9 thousand 9 hundred and 90 9"),
        ];
        for (number, expected) in cases {
            assert_eq!(place(Tongue::English, number), format!("place {expected} in-line"));
        }
    }

    #[test]
    fn every_snippet_has_its_words() {
        let sentence = |tongue: Tongue, told: Told| {
            let words: Vec<&str> = tongue.says(told).iter().map(|snippet| tongue.text(snippet)).collect();
            words.join(" ")
        };
        let told = Told { place: Some(3), minutes: Some(21) };
        assert_eq!(
            sentence(Tongue::German, told),
            "Sie sind an Position drei Die geschätzte Wartezeit beträgt ein und zwanzig Minuten"
        );
        assert_eq!(
            sentence(Tongue::English, told),
            "You are number three in line The estimated wait is twenty one minutes"
        );
        for tongue in [Tongue::German, Tongue::English] {
            let mut texts: Vec<&str> =
                tongue.snippets(true, true).iter().map(|name| tongue.text(name)).collect();
            texts.sort();
            texts.dedup();
            assert!(texts.len() == tongue.snippets(true, true).len() && !texts.contains(&""), "{texts:?}");
        }
    }

    #[test]
    fn one_minute_and_less_are_not_numbers() {
        for tongue in [Tongue::German, Tongue::English] {
            assert_eq!(wait(tongue, 0), "wait less-than-a-minute");
            assert_eq!(wait(tongue, 1), "wait one-minute");
            assert_eq!(wait(tongue, 2), "wait 2 minutes");
        }
        assert_eq!(wait(Tongue::German, 21), "wait ein und 20 minutes");
        assert_eq!(wait(Tongue::English, 21), "wait 20 1 minutes");
    }

    /// Read back by what each snippet is worth, every number is itself: none is said as another.
    #[test]
    fn every_number_is_said_in_words_of_which_its_value_can_be_told_and_which_are_recorded() {
        for tongue in [Tongue::German, Tongue::English] {
            let known: BTreeSet<&str> = tongue.snippets(true, true).into_iter().collect();
            for number in 0..=GREATEST {
                let mut said = Vec::new();
                tongue.number(number, &mut said);
                assert!(said.iter().all(|word| known.contains(word)), "{tongue:?} {number}: {said:?}");
                let (mut whole, mut part) = (0, 0);
                for word in &said {
                    match *word {
                        "tausend" | "thousand" => (whole, part) = (whole + part * 1_000, 0),
                        "hundert" | "hundred" => (whole, part) = (whole + part * 100, 0),
                        "und" | "and" => {}
                        "ein" => part += 1,
                        word => part += word.parse::<u32>().unwrap(),
                    }
                }
                assert_eq!(whole + part, number, "{tongue:?}: {said:?}");
            }
            assert_eq!(tongue.says(Told { place: Some(GREATEST + 1), minutes: None }), [""; 0]);
        }
    }
}
