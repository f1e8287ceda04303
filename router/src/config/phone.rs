//! `phone` of an `[agent.NAME]`: a telephone that registers here, and where it may call.

use sip_core::auth::digest::{Algorithm, Ha1};
use toml::de::DeValue;

use super::names::TrunkId;
use super::problem::Report;
use super::raw::{Field, Item, section};
use super::scope::{Scope, Section};
use super::way_of_sound::WayOfSound;

section! {
    /// A telephone that registers here as this agent. `call = "phone"` rings all that have registered. `fernamt passwd USER --realm REALM` makes the HA1s; a password itself never stands in this file.
    PhoneToml "phone = { … }" {
        /// User name for registering. Default: the agent's name.
        user,
        /// `H(user:realm:password)` by SHA-256, 64 hexadecimal digits (RFC 8760). Guard it like a password.
        ha1_sha256,
        /// The same by MD5, 32 digits, for telephones that know nothing better. One of both is required.
        ha1_md5,
        /// The number shown when the agent calls, and by which other agents' telephones reach him; so is `user`. Default: `user`.
        number,
        /// The trunk by which the agent calls. Default: none, only other agents can be called.
        trunk,
        /// Beginnings of numbers that may be called by the trunk, as its number plan reads what is dialled: `"+49"`, or `"0"` if it has none; `""` is any number. Of `may_call` and `never_call` the longest that fits decides. Default: none.
        may_call,
        /// Beginnings of numbers that may not: `["00", "0900"]`. Default: none.
        never_call,
        /// Calls of the agent by the trunk at once. 1 to 20, default 2.
        calls_at_once,
        /// Calls of the agent by the trunk that may begin within an hour, answered or not. 1 to 10000, default 60.
        calls_per_hour,
        /// How sound comes and goes: `"auto"`, with a telephone that registered by `ws:` or `wss:`, which is a browser, as by `"webrtc"`, else as by `"rtp"`; `"rtp"`: as `agent.NAME.srtp` says; `"webrtc"`: by ICE and DTLS-SRTP (RFC 8445, 5763), with us as the lite end, so `media.advertise` must be reached from where the telephone is. Default `"auto"`.
        media,
    }
}

/// A telephone that registers here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    /// User name; no other agent has it.
    pub user: String,
    /// One or two, each by another algorithm.
    pub ha1s: Vec<Ha1>,
    /// Shown when the agent calls.
    pub number: String,
    /// By which he calls.
    pub trunk: Option<TrunkId>,
    /// Which numbers.
    pub reach: Reach,
    /// By the trunk at once. 1 to 20, default 2.
    pub calls_at_once: usize,
    /// Begun within an hour. 1 to 10,000, default 60.
    pub calls_per_hour: usize,
    /// By which way its sound comes and goes. Default: as it has registered.
    pub media: WayOfSound,
}

/// Beginnings of numbers, and whether they may be called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach(Vec<(String, bool)>);

impl Reach {
    /// Whether a number may be called: the longest beginning that fits decides, none forbids. No number is none.
    pub fn allows(&self, number: &str) -> bool {
        if number.is_empty() {
            return false;
        }
        let fitting = self.0.iter().filter(|(beginning, _)| number.starts_with(beginning.as_str()));
        // Of two as long the one that forbids comes last.
        fitting
            .max_by_key(|(beginning, allowed)| (beginning.len(), !allowed))
            .is_some_and(|(_, allowed)| *allowed)
    }
}

impl Phone {
    /// The telephone of `agent`, if it has one that can be used.
    pub(super) fn resolve(
        field: &Field<'_>,
        agent: &Section<'_>,
        scope: &mut Scope<'_, '_>,
    ) -> Option<Phone> {
        let item = field.item.as_ref()?;
        let table = item.table("phone = { user = \"anna\", ha1_sha256 = \"…\" }", scope.report)?;
        let raw = PhoneToml::read(table, &item.key, item.value.span(), scope.report);
        let user = name(&raw.user, agent.name, scope.report);
        let number = name(&raw.number, &user, scope.report);
        let trunk = trunk(&raw.trunk, scope);
        let report = &mut *scope.report;
        let ha1s = [(&raw.ha1_sha256, Algorithm::Sha256), (&raw.ha1_md5, Algorithm::Md5)];
        let ha1s: Vec<Ha1> = ha1s.into_iter().filter_map(|(field, kind)| ha1(field, kind, report)).collect();
        if raw.ha1_sha256.item.is_none() && raw.ha1_md5.item.is_none() {
            let text = format!("has no password; write what `fernamt passwd {user} --realm REALM` prints");
            item.error(report, text);
        }
        let beginnings = |field: &Field<'_>, allowed, report: &mut Report| -> Vec<(String, bool)> {
            let texts = field.list().into_iter().filter_map(|item| beginning(&item, report));
            texts.map(|text| (text, allowed)).collect()
        };
        let mut reach = beginnings(&raw.may_call, true, report);
        reach.extend(beginnings(&raw.never_call, false, report));
        Some(Phone {
            user,
            ha1s,
            number,
            trunk,
            reach: Reach(reach),
            calls_at_once: raw.calls_at_once.integer(1..=20, 2, report) as usize,
            calls_per_hour: raw.calls_per_hour.integer(1..=10_000, 60, report) as usize,
            media: WayOfSound::of_phone(&raw.media, report),
        })
    }
}

/// A user part that needs no escapes.
fn name(field: &Field<'_>, default: &str, report: &mut Report) -> String {
    let Some(item) = &field.item else { return default.to_owned() };
    let text = item.text("\"anna\"", report).unwrap_or(default);
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.+*".contains(c);
    if text.is_empty() || !text.chars().all(fits) {
        item.error(
            report,
            format!("{text:?} is neither a name nor a number; write letters, digits, - _ . + and *"),
        );
    }
    text.to_owned()
}

/// The value is never told.
fn ha1(field: &Field<'_>, algorithm: Algorithm, report: &mut Report) -> Option<Ha1> {
    let item = field.item.as_ref()?;
    let digits = match item.value.get_ref() {
        DeValue::String(text) => Ha1::from_hex(algorithm, text),
        _ => None,
    };
    if digits.is_none() {
        let text = format!(
            "is no HA1 by {algorithm}: {} hexadecimal digits in quotes; write what `fernamt passwd USER --realm REALM` prints",
            algorithm.digits()
        );
        item.error(report, text);
    }
    digits
}

fn trunk(field: &Field<'_>, scope: &mut Scope<'_, '_>) -> Option<TrunkId> {
    let item = field.item.as_ref()?;
    let name = item.text("\"carrier\"", scope.report)?;
    let id = scope.trunk(item, name)?;
    if scope.mute_trunks.contains(&id) {
        let text = format!(
            "trunk.{name} sends no calls; give it send_to = [\"udp:192.0.2.1:5060\"], or name another"
        );
        item.error(scope.report, text);
    }
    Some(id)
}

fn beginning(item: &Item<'_>, report: &mut Report) -> Option<String> {
    let text = item.text("\"+49\"", report)?;
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "+*#".contains(c)) {
        return Some(text.to_owned());
    }
    let text =
        format!("{text:?} begins no number that could be dialled; write digits, perhaps with + before them");
    item.error(report, text);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_decides_and_of_two_as_long_the_one_that_forbids() {
        let entry = |text: &str, allowed| (text.to_owned(), allowed);
        let reach = Reach(vec![
            entry("0", true),
            entry("0033", true),
            entry("00", false),
            entry("07", true),
            entry("07", false),
        ]);
        let allowed =
            ["030123", "0033123", "0044123", "0711", "1", "+4930"].map(|number| reach.allows(number));
        assert_eq!(allowed, [true, true, false, false, false, false]);
        let all = Reach(vec![entry("", true)]);
        assert!(all.allows("1") && !all.allows("") && !Reach::default().allows("1"));
    }
}
