//! How numbers are written on a trunk: what comes becomes E.164, what goes looks as the far end wants it.

use std::borrow::Cow;

use toml::de::{DeTable, DeValue};

use super::number_plan::{Dialling, Reading, Rewrite, Writing, is_telephone_number, rewritten};
use super::problem::Report;
use super::raw::{Field, Item, section};

section! {
    /// How numbers are written on a trunk.
    TrunkNumbersToml "[trunk.NAME]" {
        /// Country code of the far end, `"49"`; needed for `"national"`. Default: not known.
        country,
        /// What is dialled before a number of the own country. Default as usual there: mostly `"0"`, in Italy or Spain `""`, in North America `"1"`.
        national_prefix,
        /// What is dialled before a number of another country. Default as usual there: mostly `"00"`, in North America `"011"`.
        international_prefix,
        /// How numbers come: they are made E.164, `+49301234`, before `[[number]]`, `[callers.NAME]` and all else see them; `fernamt check FILE --number 0301234@NAME` shows it. `"raw"`: taken as they are; `"national"`: as they are dialled in the country, `"0301234"` or `"00431234"`; `"e164"`: with their country code, with or without a plus. `+…` and `;phone-context=+…` are understood in both; names, emergency and service numbers stay as they are. For callers and called numbers apart: `{ caller = "e164", called = "national" }`. Default `"raw"`.
        numbers_in,
        /// How numbers go. `"raw"`: as they are; `"+e164"`; `"e164"`: without the plus; `"national"`. With a `country` national numbers of this file, such as an agent's `call`, are understood. For callers and called numbers apart: `{ caller = "+e164", called = "national" }`. Default `"raw"`.
        numbers_out,
        /// Changes of numbers as the trunk writes them, before `numbers_in`: a list such as `{ match = "1??", add = "+4930123" }`; the first that matches counts. At most 200. Default: none.
        rewrite_in,
        /// The same behind `numbers_out`: what they make is what goes. Default: none.
        rewrite_out,
        /// Numbers, or names in place of one, by which the trunk says that the caller withholds his, beside `anonymous`: `"restricted"`, or a list. Default: none.
        withheld,
        /// Telephone numbers in the addresses we write are marked as such, `;user=phone` (RFC 3261 §19.1.1). Default false.
        user_phone,
    }
}

section! {
    /// A change of numbers that look so.
    RewriteToml "rewrite_in = [{ … }]" {
        /// The whole number; `?` is any one character, a `*` at the end whatever follows. Required.
        pattern = "match",
        /// So many characters are taken away in front, as many as stand before the `*` at most. Default 0.
        strip,
        /// This comes before the rest. Default: nothing; without both a number that looks so is let be.
        add,
        /// `"both"`, `"caller"` or `"called"`: whose numbers. Default `"both"`.
        whose,
    }
}

/// How numbers are written on a trunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrunkNumbers {
    /// How they are dialled at its far end.
    pub dialling: Dialling,
    /// Callers' numbers.
    pub caller: Ways,
    /// Called numbers.
    pub called: Ways,
    /// What stands in place of a withheld number, beside `anonymous`. Default none.
    pub withheld: Vec<String>,
    /// Numbers we write are marked `;user=phone`. Default false.
    pub user_phone: bool,
}

/// How numbers come and go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ways {
    /// What is read into what comes. Default `Raw`.
    pub reading: Reading,
    /// How what goes is written. Default `Raw`.
    pub writing: Writing,
    /// Changes before reading.
    pub rewrite_in: Vec<Rewrite>,
    /// Changes after writing.
    pub rewrite_out: Vec<Rewrite>,
}

/// Whose number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The caller's.
    Caller,
    /// The called one.
    Called,
}

const READINGS: [(&str, Reading); 3] =
    [("raw", Reading::Raw), ("national", Reading::National), ("e164", Reading::E164)];
const WRITINGS: [(&str, Writing); 4] = [
    ("raw", Writing::Raw),
    ("+e164", Writing::Plus),
    ("e164", Writing::E164),
    ("national", Writing::National),
];
const BOTH: [Whose; 2] = [Whose::Caller, Whose::Called];

/// Rules of one list: each is looked at for every number.
const MOST_RULES: usize = 200;

impl Default for Ways {
    fn default() -> Ways {
        let (rewrite_in, rewrite_out) = (Vec::new(), Vec::new());
        Ways { reading: Reading::Raw, writing: Writing::Raw, rewrite_in, rewrite_out }
    }
}

impl TrunkNumbers {
    /// A user part as the trunk wrote it, made E.164 if it is a number.
    pub fn taken<'u>(&self, whose: Whose, user: &'u str) -> Cow<'u, str> {
        let ways = self.of(whose);
        let number = rewritten(&ways.rewrite_in, Cow::Borrowed(user));
        match self.dialling.e164(&number, ways.reading).filter(|_| ways.reading != Reading::Raw) {
            Some(e164) => Cow::Owned(e164),
            None => number,
        }
    }

    /// Numbers that come are read: else they are taken as they are.
    pub fn reads(&self, whose: Whose) -> bool {
        self.of(whose).reading != Reading::Raw
    }

    /// A user part as the trunk wants it; what may not stand in one is escaped before and after.
    pub fn given<'u>(&self, whose: Whose, user: &'u str) -> Cow<'u, str> {
        let ways = self.of(whose);
        let number = rewritten(&ways.rewrite_out, self.dialling.written(user, ways.writing));
        if number.contains('#') { Cow::Owned(number.replace('#', "%23")) } else { number }
    }

    /// `;user=phone` if it is to stand behind this user in an address.
    pub fn mark(&self, user: &str) -> &'static str {
        if self.user_phone && is_telephone_number(user) { ";user=phone" } else { "" }
    }

    /// The trunk says by this that the caller withholds his number.
    pub fn means_withheld(&self, user: &str) -> bool {
        let is = |word: &str| user.eq_ignore_ascii_case(word);
        user.is_empty() || is("anonymous") || self.withheld.iter().any(|word| is(word))
    }

    fn of(&self, whose: Whose) -> &Ways {
        match whose {
            Whose::Caller => &self.caller,
            Whose::Called => &self.called,
        }
    }

    fn of_mut(&mut self, whose: Whose) -> &mut Ways {
        match whose {
            Whose::Caller => &mut self.caller,
            Whose::Called => &mut self.called,
        }
    }

    pub(super) fn resolve(raw: &TrunkNumbersToml<'_>, report: &mut Report) -> TrunkNumbers {
        let mut numbers = TrunkNumbers { dialling: dialling(raw, report), ..TrunkNumbers::default() };
        for whose in BOTH {
            let reading = form(&raw.numbers_in, whose, &READINGS, report);
            let writing = form(&raw.numbers_out, whose, &WRITINGS, report);
            let ways = numbers.of_mut(whose);
            (ways.reading, ways.writing) = (reading, writing);
            ways.rewrite_in = rules(&raw.rewrite_in, whose, report);
            ways.rewrite_out = rules(&raw.rewrite_out, whose, report);
        }
        numbers.needs_country(raw, report);
        let withheld = raw.withheld.list();
        numbers.withheld = withheld
            .iter()
            .filter_map(|item| Some(item.text("\"restricted\"", report)?.to_owned()))
            .collect();
        numbers.user_phone = raw.user_phone.boolean(false, report);
        numbers
    }

    fn needs_country(&self, raw: &TrunkNumbersToml<'_>, report: &mut Report) {
        let reads = BOTH.iter().any(|whose| self.of(*whose).reading == Reading::National);
        let writes = BOTH.iter().any(|whose| self.of(*whose).writing == Writing::National);
        for (field, needs) in [(&raw.numbers_in, reads), (&raw.numbers_out, writes)] {
            if let Some(item) = field.item.as_ref().filter(|_| needs && raw.country.item.is_none()) {
                item.error(report, "\"national\" in which country? Write country = \"49\" beside it");
            }
        }
    }
}

fn dialling(raw: &TrunkNumbersToml<'_>, report: &mut Report) -> Dialling {
    let code = raw.country.text("\"49\"", report).unwrap_or_default();
    let is_code = (1..=3).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_digit())
        && !code.starts_with('0');
    if let Some(item) = raw.country.item.as_ref().filter(|_| !is_code && !code.is_empty()) {
        item.error(
            report,
            format!("\"{code}\" is no country code; write one to three digits, such as \"49\""),
        );
    }
    let usual = Dialling::usual_in(code);
    Dialling {
        national_prefix: prefix(&raw.national_prefix, report).unwrap_or(usual.national_prefix),
        international_prefix: prefix(&raw.international_prefix, report).unwrap_or(usual.international_prefix),
        ..usual
    }
}

fn prefix(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let item = field.item.as_ref()?;
    let text = item.text("\"0\"", report)?;
    if text.len() > 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        item.error(report, format!("\"{text}\" is no prefix; write digits, at most 8, such as \"0\""));
        return None;
    }
    Some(text.to_owned())
}

/// `"e164"`, or `{ caller = "e164", called = "national" }`; what is not said is the first of `forms`.
fn form<T: Copy>(field: &Field<'_>, whose: Whose, forms: &[(&str, T)], report: &mut Report) -> T {
    let Some(item) = &field.item else { return forms[0].1 };
    let DeValue::Table(table) = item.value.get_ref() else { return field.choice(forms, report) };
    super::raw::refuse_unknown(table, &item.key, &["caller", "called"], report);
    let name = if whose == Whose::Caller { "caller" } else { "called" };
    Field::of(table, &item.key, name, item.value.span()).choice(forms, report)
}

fn rules(field: &Field<'_>, whose: Whose, report: &mut Report) -> Vec<Rewrite> {
    let list = field.list();
    if let Some(item) = list.get(MOST_RULES) {
        item.error(report, format!("is one too many; write at most {MOST_RULES}"));
        return Vec::new();
    }
    let mut rules: Vec<Rewrite> = Vec::new();
    for item in &list {
        let Some((rule, of)) = rule(item, report) else { continue };
        if of.is_some_and(|of| of != whose) {
            continue;
        }
        if rules.iter().any(|before| before.pattern == "*") {
            item.warning(
                report,
                "no number comes here: a rule before it matches all; take it out, or put it first",
            );
        }
        rules.push(rule);
    }
    rules
}

fn rule(item: &Item<'_>, report: &mut Report) -> Option<(Rewrite, Option<Whose>)> {
    let table: &DeTable<'_> = item.table("{ match = \"1??\", add = \"+4930123\" }", report)?;
    let raw = RewriteToml::read(table, &item.key, item.value.span(), report);
    let choices = [("both", None), ("caller", Some(Whose::Caller)), ("called", Some(Whose::Called))];
    let whose = raw.whose.choice(&choices, report);
    let add = raw.add.text("\"+4930\"", report).unwrap_or_default();
    if let Some(item) = raw.add.item.as_ref().filter(|_| !add.chars().all(may_stand)) {
        item.error(
            report,
            format!("\"{add}\" has what no number may have; write digits, letters, + * # - _ ."),
        );
    }
    let pattern = raw.pattern.required("match = \"1??\"", report)?;
    let text = pattern.text("\"1??\"", report)?;
    let rule = Rewrite { pattern: text.to_owned(), strip: 0, add: add.to_owned() };
    let (fixed, _) = rule.fixed_part();
    if text.is_empty() || !fixed.chars().all(|c| c == '?' || (may_stand(c) && c != '*')) {
        let cure = "write the number, ? for any one character, a * at the end for any that follow";
        pattern.error(report, format!("\"{text}\" is no pattern of numbers; {cure}"));
        return None;
    }
    let most = fixed.chars().count() as u64;
    let strip = raw.strip.integer(0..=most, 0, report) as usize;
    Some((Rewrite { strip, ..rule }, whose))
}

/// What a number may have in it, or a name in place of one.
fn may_stand(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '*' | '#' | '-' | '_' | '.')
}
