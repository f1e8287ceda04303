//! How telephone numbers are written: E.164 with a plus in the house, otherwise on a trunk (ITU-T E.164 §6, RFC 3966 §5.1).

use std::borrow::Cow;

/// How numbers are dialled where a trunk is at home.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dialling {
    /// Country code, `49`; empty: not known.
    pub country: String,
    /// What stands before a number of the own country, `0`; empty where nothing does.
    pub national_prefix: String,
    /// What stands before a number of another country, `00`.
    pub international_prefix: String,
}

/// What digits without any prefix are, on the way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Nothing is read into numbers: they are taken as they come.
    Raw,
    /// As they are dialled in the country: `030…`, `0049…`.
    National,
    /// E.164, with or without the plus: `4930…`.
    E164,
}

/// How numbers are written, on the way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// As they are.
    Raw,
    /// `+4930…`.
    Plus,
    /// `4930…`.
    E164,
    /// As they are dialled in the country: `030…`, `0043…`.
    National,
}

/// A change of numbers that look so; where several might, the first counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// What is matched: `?` is any one character, a `*` at the end whatever follows.
    pub pattern: String,
    /// So many characters are taken away in front.
    pub strip: usize,
    /// This comes before the rest.
    pub add: String,
}

/// Digits of an E.164 number at most (ITU-T E.164 §6.1).
const MOST_DIGITS: usize = 15;

/// Digits that stand alone are an emergency or service number if they are fewer, and no number of a subscriber.
const LEAST_DIGITS: usize = 7;

/// National and international prefix by country code, where they are not `0` and `00` (ITU-T Operational Bulletin,
/// "Dialling procedures").
const PREFIXES: &[(&str, &str, &str)] = &[
    ("1", "1", "011"),
    ("7", "8", "810"),
    ("30", "", "00"),
    ("34", "", "00"),
    ("36", "06", "00"),
    ("39", "", "00"),
    ("45", "", "00"),
    ("47", "", "00"),
    ("48", "", "00"),
    ("61", "0", "0011"),
    ("65", "", "000"),
    ("81", "0", "010"),
    ("82", "0", "001"),
    ("351", "", "00"),
    ("352", "", "00"),
    ("354", "", "00"),
    ("356", "", "00"),
    ("357", "", "00"),
    ("371", "", "00"),
    ("372", "", "00"),
    ("377", "", "00"),
    ("378", "", "00"),
    ("420", "", "00"),
    ("423", "", "00"),
    ("852", "", "001"),
];

impl Dialling {
    /// As is usual in the country with this code; `0` and `00` for one that is not known here.
    pub fn usual_in(country: &str) -> Dialling {
        let known = PREFIXES.iter().find(|(code, ..)| *code == country);
        let (national, international) = known.map_or(("0", "00"), |(_, own, other)| (*own, *other));
        Dialling {
            country: country.to_owned(),
            national_prefix: national.to_owned(),
            international_prefix: international.to_owned(),
        }
    }

    /// The E.164 number that a user part means, `+` included. `None` for what is no such number: a name, an emergency
    /// or service number, an extension.
    pub fn e164(&self, user: &str, reading: Reading) -> Option<String> {
        let (number, params) = user.split_once(';').unwrap_or((user, ""));
        let number = digits(number)?;
        if let Some(digits) = number.strip_prefix('+') {
            return plus(digits);
        }
        if let Some(context) = global_context(params) {
            return plus(&format!("{context}{number}"));
        }
        match reading {
            Reading::Raw => None,
            Reading::E164 if !number.starts_with('0') => {
                plus(&number).filter(|_| number.len() >= LEAST_DIGITS)
            }
            Reading::E164 | Reading::National => self.of_abroad(&number).or_else(|| self.of_here(&number)),
        }
    }

    fn of_abroad(&self, number: &str) -> Option<String> {
        let rest = number.strip_prefix(&self.international_prefix);
        plus(rest.filter(|_| !self.international_prefix.is_empty())?)
    }

    fn of_here(&self, number: &str) -> Option<String> {
        if self.country.is_empty() {
            return None;
        }
        let bare = match self.country.as_str() {
            "1" => number.len() == 10, // North America dials ten digits, with or without the prefix
            _ => self.national_prefix.is_empty() && number.len() >= LEAST_DIGITS,
        };
        let prefixed =
            number.strip_prefix(&self.national_prefix).filter(|_| !self.national_prefix.is_empty());
        let rest = if bare { number } else { prefixed.filter(|rest| rest.len() > 2)? };
        plus(&format!("{}{rest}", self.country))
    }

    /// A user part as it is to be written. What is no number stays, and so do parameters behind one.
    pub fn written<'u>(&self, user: &'u str, writing: Writing) -> Cow<'u, str> {
        if writing == Writing::Raw {
            return Cow::Borrowed(user);
        }
        let (number, params) = user.split_at(user.find(';').unwrap_or(user.len()));
        let Some(e164) = self.e164(number, Reading::National) else { return Cow::Borrowed(user) };
        let digits = &e164[1..];
        let number = match (writing, digits.strip_prefix(&self.country)) {
            (Writing::Raw | Writing::Plus, _) => e164,
            (Writing::E164, _) => digits.to_owned(),
            (Writing::National, Some(rest)) => format!("{}{rest}", self.national_prefix),
            (Writing::National, None) => format!("{}{digits}", self.international_prefix),
        };
        Cow::Owned(format!("{number}{params}"))
    }
}

impl Rewrite {
    /// The number changed, if the pattern matches it.
    pub fn apply(&self, number: &str) -> Option<String> {
        let (fixed, open) = self.fixed_part();
        let mut rest = number.chars();
        let fits = fixed.chars().all(|wanted| rest.next().is_some_and(|c| wanted == '?' || wanted == c));
        if !fits || (!open && rest.next().is_some()) {
            return None;
        }
        let kept: String = number.chars().skip(self.strip).collect();
        Some(format!("{}{kept}", self.add))
    }

    /// What stands before the `*`, and whether there is one.
    pub(super) fn fixed_part(&self) -> (&str, bool) {
        self.pattern.strip_suffix('*').map_or((&self.pattern, false), |fixed| (fixed, true))
    }
}

/// The number changed by the first rule that matches, or as it was.
pub(super) fn rewritten<'n>(rules: &[Rewrite], number: Cow<'n, str>) -> Cow<'n, str> {
    rules.iter().find_map(|rule| rule.apply(&number)).map_or(number, Cow::Owned)
}

/// True for digits with or without a plus: what `user=phone` may be said of (RFC 3261 §19.1.6).
pub fn is_telephone_number(user: &str) -> bool {
    digits(user.split(';').next().unwrap_or_default()).is_some()
}

/// A number without its visual separators (RFC 3966 §5.1.1); `None` if anything else is in it, or no digit.
fn digits(number: &str) -> Option<Cow<'_, str>> {
    let (plus, rest) = number.strip_prefix('+').map_or(("", number), |rest| ("+", rest));
    if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Cow::Borrowed(number));
    }
    let separates = |c: char| matches!(c, '-' | '.' | '(' | ')' | ' ');
    let bare: String = rest.chars().filter(|c| !separates(*c)).collect();
    let is_number = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Cow::Owned(format!("{plus}{bare}")))
}

/// The digits of `phone-context=+49`: a local number of that country or area (RFC 3966 §5.1.5).
fn global_context(params: &str) -> Option<Cow<'_, str>> {
    let mut pairs = params.split(';').filter_map(|param| param.split_once('='));
    let (_, context) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("phone-context"))?;
    digits(context.strip_prefix('+')?)
}

fn plus(digits: &str) -> Option<String> {
    let fits = (1..=MOST_DIGITS).contains(&digits.len()) && !digits.starts_with('0');
    (fits && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(country: &str, reading: Reading, cases: &[(&str, Option<&str>)]) {
        let dialling = Dialling::usual_in(country);
        for (user, number) in cases {
            assert_eq!(dialling.e164(user, reading).as_deref(), *number, "{user} in +{country}");
        }
    }

    #[test]
    fn a_german_number_is_read_as_it_is_dialled() {
        reads(
            "49",
            Reading::National,
            &[
                ("0301234", Some("+49301234")),
                ("(030) 12-34", Some("+49301234")),
                ("0043 1 234", Some("+431234")),
                ("+49301234", Some("+49301234")),
                ("+49-30.1234", Some("+49301234")),
                ("30123;phone-context=+49", Some("+4930123")),
                ("+49301234;ext=7", Some("+49301234")),
                ("112", None),
                ("110", None),
                ("116117", None),
                ("1234567", None), // of the own area, which nobody has told us
                ("anna", None),
                ("0", None),
                ("00", None),
                ("+", None),
                ("", None),
                ("+0301234", None),
                ("*31#0301234", None),
                ("00491234567890123456", None),
            ],
        );
    }

    #[test]
    fn digits_of_e164_without_plus_are_read_where_the_trunk_writes_them_so() {
        reads(
            "49",
            Reading::E164,
            &[
                ("49301234", Some("+49301234")),
                ("0049301234", Some("+49301234")),
                ("0301234", Some("+49301234")),
                ("112", None),
            ],
        );
        reads("", Reading::E164, &[("4312345", Some("+4312345")), ("0301234", None)]);
        reads("7", Reading::E164, &[("84123456789", Some("+84123456789"))]);
    }

    #[test]
    fn countries_without_a_national_prefix_have_their_digits_bare() {
        reads("39", Reading::National, &[("0612345678", Some("+390612345678")), ("0049301", Some("+49301"))]);
        reads("34", Reading::National, &[("912345678", Some("+34912345678")), ("112", None)]);
        reads(
            "1",
            Reading::National,
            &[
                ("2065550100", Some("+12065550100")),
                ("12065550100", Some("+12065550100")),
                ("0114930123", Some("+4930123")),
                ("911", None),
            ],
        );
    }

    #[test]
    fn a_number_is_written_as_the_trunk_wants_it_and_a_name_stays() {
        let german = Dialling::usual_in("49");
        for (user, writing, expected) in [
            ("+49301234", Writing::National, "0301234"),
            ("+431234", Writing::National, "00431234"),
            ("0301234", Writing::Plus, "+49301234"),
            ("+49301234;ext=7", Writing::E164, "49301234;ext=7"),
            ("+49301234", Writing::Raw, "+49301234"),
            ("112", Writing::Plus, "112"),
            ("anna", Writing::National, "anna"),
        ] {
            assert_eq!(german.written(user, writing), expected, "{user}, {writing:?}");
        }
    }

    #[test]
    fn the_first_rule_that_matches_counts() {
        let rule =
            |pattern: &str, strip, add: &str| Rewrite { pattern: pattern.into(), strip, add: add.into() };
        let rules = [rule("11?", 0, ""), rule("1??", 1, "+493012"), rule("99*", 2, "")];
        let cases = [("112", "112"), ("123", "+49301223"), ("990301", "0301"), ("1234", "1234"), ("99", "")];
        for (number, expected) in cases {
            assert_eq!(rewritten(&rules, number.into()), expected);
        }
    }
}
