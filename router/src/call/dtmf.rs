//! Keys: as telephone-event in the sound (RFC 4733), by INFO (`application/dtmf-relay`, `application/dtmf`), or as tones, from
//! and to telephones that know no better. The trunk's `dtmf` decides where there is a choice.

use bytes::Bytes;
use media::{Command, Digit};
use sip_core::{Body, Message, StatusCode};

use super::{Call, dead_air::rule, leg::Leg};
use crate::{config::Dtmf, journal::fact::LegNumber, shard::Switchboard};

/// How long a key counts as pressed when nobody says so, and at most. Milliseconds.
const USUAL_MS: u16 = 160;
const LONGEST_MS: u16 = 8_000;

const RELAY: &str = "application/dtmf-relay";
const PLAIN: &str = "application/dtmf";

/// A key that came by INFO.
struct InfoKey {
    digit: Digit,
    duration_ms: u16,
}

impl InfoKey {
    /// What an INFO says; `None` if it is of another kind or names no key.
    fn of(info: &Message) -> Option<InfoKey> {
        let body = info.body();
        let text = std::str::from_utf8(&body).ok()?;
        if info.has_content_type(RELAY) {
            return InfoKey::read(text);
        }
        let plain = || Some(InfoKey { digit: digit(text.trim())?, duration_ms: USUAL_MS });
        if info.has_content_type(PLAIN) { InfoKey::read(text).or_else(plain) } else { None }
    }

    /// `Signal=5`, `Duration=160`, each on a line of its own.
    fn read(text: &str) -> Option<InfoKey> {
        let value = |name: &str| {
            text.lines().find_map(|line| {
                let (key, value) = line.split_once('=')?;
                key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        let duration_ms =
            value("duration").and_then(|ms| ms.parse().ok()).unwrap_or(USUAL_MS).min(LONGEST_MS);
        Some(InfoKey { digit: digit(value("signal")?)?, duration_ms })
    }
}

/// A key as itself, or as the number of its event (RFC 4733 §3.2): some write 10 for the star.
fn digit(text: &str) -> Option<Digit> {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(key), None) => Digit::from_char(key.to_ascii_uppercase()),
        _ => Digit::from_event(text.parse().ok()?),
    }
}

impl Call {
    /// INFO in a dialog: a key, or a sign of life if it has no body (RFC 6086 §4.2.2 answers what it cannot use by 415).
    pub(super) fn informed(
        &mut self,
        number: LegNumber,
        info: &Message,
        board: &mut Switchboard,
    ) -> StatusCode {
        match InfoKey::of(info) {
            Some(key) => {
                self.key_by_info(number, &key, board);
                StatusCode::OK
            }
            None if info.body().is_empty() => StatusCode::OK,
            None => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// For us it is a key like any other; the other side hears it in the way it understands.
    fn key_by_info(&mut self, number: LegNumber, key: &InfoKey, board: &mut Switchboard) {
        if self.leg(number).is_none_or(|leg| leg.presses_by_event) {
            return; // some say it twice, and we have heard it
        }
        let partner = self.other_party(number);
        self.takes_key(number, key.digit, board);
        if let Some(partner) = partner.and_then(|partner| self.leg(partner)) {
            send(partner, key, Heard::Nothing, board);
        }
    }

    /// A key that was heard as a tone: there are no events on this leg, and the other side has heard the tone too.
    pub(super) fn key_by_tone(
        &mut self,
        number: LegNumber,
        digit: Digit,
        duration_ms: u32,
        board: &mut Switchboard,
    ) {
        self.leg_mut(number).into_iter().for_each(|leg| leg.presses_by_event = true);
        let partner = self.other_party(number).and_then(|partner| self.leg(partner));
        if let Some(partner) = partner {
            send(partner, &InfoKey { digit, duration_ms: at_most(duration_ms) }, Heard::Tone, board);
        }
        self.takes_key(number, digit, board);
    }

    /// A key in the sound. The engine has passed it on, unless the other side knows no telephone-event.
    pub(super) fn key_by_event(
        &mut self,
        number: LegNumber,
        digit: Digit,
        duration_ms: u32,
        board: &mut Switchboard,
    ) {
        self.leg_mut(number).into_iter().for_each(|leg| leg.presses_by_event = true);
        let partner = self.other_party(number).and_then(|partner| self.leg(partner));
        if let Some(partner) = partner.filter(|partner| !partner.takes_events()) {
            send(partner, &InfoKey { digit, duration_ms: at_most(duration_ms) }, Heard::Nothing, board);
        }
        self.takes_key(number, digit, board);
    }

    fn takes_key(&mut self, number: LegNumber, digit: Digit, board: &mut Switchboard) {
        self.agent_pressed(number, digit.as_char(), board);
        match number == self.seat {
            true => self.pressed(digit.as_char(), board),
            false => self.confirmed(number, digit.as_char(), board),
        }
    }
}

/// What the far end knows of a key already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    /// Its tone came through the bridge.
    Tone,
}

fn at_most(duration_ms: u32) -> u16 {
    u16::try_from(duration_ms).unwrap_or(LONGEST_MS).min(LONGEST_MS)
}

/// As event where those were agreed, else by INFO or as a tone, as the trunk says and the far end can.
fn send(leg: &Leg, key: &InfoKey, heard: Heard, board: &mut Switchboard) {
    let dtmf = rule(leg, board).dtmf;
    let by_info = match dtmf {
        Dtmf::Info => true,
        Dtmf::Auto => leg.sip.is_some_and(|sip| board.sip.allows_info(sip)),
        Dtmf::Events | Dtmf::Tones => false,
    };
    let by_tone = heard == Heard::Nothing && matches!(dtmf, Dtmf::Auto | Dtmf::Tones);
    match leg.media_key() {
        _ if by_info && !leg.takes_events() => inform(leg, key, board),
        Some(media) if leg.takes_events() || by_tone => {
            board.media(Command::SendDigit { leg: media, digit: key.digit, duration_ms: key.duration_ms });
        }
        _ => {}
    }
}

fn inform(leg: &Leg, key: &InfoKey, board: &mut Switchboard) {
    let Some(sip) = leg.sip else { return };
    let text = format!("Signal={}\r\nDuration={}\r\n", key.digit.as_char(), key.duration_ms);
    let body = Body { content_type: Bytes::from_static(RELAY.as_bytes()), bytes: text.into() };
    board.sip.info(board.now, sip, body);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(content_type: &str, body: &str) -> Option<(char, u16)> {
        let text = format!("INFO sip:a@x SIP/2.0\r\nContent-Type: {content_type}\r\n\r\n{body}");
        InfoKey::of(&Message::parse(text.into()).unwrap()).map(|key| (key.digit.as_char(), key.duration_ms))
    }

    #[test]
    fn both_kinds_of_info_name_a_key_in_every_spelling_met() {
        assert_eq!(key("application/dtmf-relay", "Signal=5\r\nDuration=250\r\n"), Some(('5', 250)));
        assert_eq!(key("application/dtmf-relay", "signal = *\n"), Some(('*', 160)));
        assert_eq!(key("application/dtmf-relay", "Signal=11\r\nDuration=99999999"), Some(('#', 160)));
        assert_eq!(key("application/dtmf; charset=utf-8", "#"), Some(('#', 160)));
        assert_eq!(key("application/dtmf", "Signal=a\r\nDuration=60000"), Some(('A', 8_000)));
    }

    #[test]
    fn what_names_no_key_is_none() {
        for (kind, body) in [
            ("application/dtmf-relay", "5"),
            ("application/dtmf-relay", "Signal=x\r\n"),
            ("application/dtmf", "55"),
            ("application/dtmf", ""),
            ("text/plain", "5"),
        ] {
            assert_eq!(key(kind, body), None, "{kind} {body}");
        }
    }
}
