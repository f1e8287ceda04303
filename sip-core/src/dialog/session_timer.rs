//! Session timers (RFC 4028): the two ends of a dialog agree who tells the other in time that it is still there. An end
//! that hears nothing more hangs up.

use crate::message::{Header, Message};
use std::time::{Duration, Instant};

/// The shortest session anybody may ask for, and what is meant where Min-SE is absent (RFC 4028 §5). Seconds.
pub const LEAST_MIN_SE: u32 = 90;

/// The longest Min-SE of a far end that we go by: one that wants more wants no session that ends. Seconds.
pub const MOST_MIN_SE: u32 = 86_400;

/// Refreshes that fail are not repeated sooner than this.
const LEAST_GAP: Duration = Duration::from_secs(10);

/// What we want of sessions with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    /// How long a session may last without a refresh, at most. Seconds, at least `min_se`. 1,800 is usual.
    pub expires: u32,
    /// The shortest session the far end may ask for; less is refused with `422`. Seconds, at least 90.
    pub min_se: u32,
    /// Refresh by UPDATE (RFC 3311) where the far end allows it, else by re-INVITE.
    pub by_update: bool,
}

/// Who refreshes, in the words of the transaction that agreed on it (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// Who sent the request.
    Uac,
    /// Who answered it.
    Uas,
}

/// `Session-Expires` as it stands in a message (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// Length of the session in seconds.
    pub seconds: u32,
    /// Who refreshes; `None`: the called side chooses.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// What a message says; `None` if nothing or nothing that can be read: an end that is not understood is not
    /// promised anything.
    pub fn of(message: &Message) -> Option<SessionExpires> {
        let value = message.value(Header::SessionExpires)?;
        let mut parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let seconds = seconds(parts.next()?)?;
        let refresher = parts.find_map(|part| {
            let (name, value) = std::str::from_utf8(part).ok()?.split_once('=')?;
            name.trim_end().eq_ignore_ascii_case("refresher").then(|| value.trim_start().to_ascii_lowercase())
        });
        let refresher = refresher.and_then(|word| match &word[..] {
            "uac" => Some(Refresher::Uac),
            "uas" => Some(Refresher::Uas),
            _ => None,
        });
        Some(SessionExpires { seconds, refresher })
    }

    /// As it is written.
    pub fn value(&self) -> String {
        match self.refresher {
            None => self.seconds.to_string(),
            Some(Refresher::Uac) => format!("{};refresher=uac", self.seconds),
            Some(Refresher::Uas) => format!("{};refresher=uas", self.seconds),
        }
    }
}

/// Min-SE of a request or a `422`; 90 where it is absent or unreadable (RFC 4028 §5).
pub fn min_se(message: &Message) -> u32 {
    let value = message.value(Header::MinSe);
    let written = value.as_deref().and_then(|value| seconds(value.split(|byte| *byte == b';').next()?));
    written.unwrap_or(LEAST_MIN_SE).max(LEAST_MIN_SE)
}

fn seconds(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

impl SessionPolicy {
    /// Why a request is refused: the session it asks for is shorter than we want it. Only who knows timers can make use
    /// of the `422` (RFC 4028 §9).
    pub fn is_too_short(&self, request: &Message) -> bool {
        let asked = SessionExpires::of(request).filter(|_| knows_timers(request));
        asked.is_some_and(|asked| asked.seconds < self.min_se)
    }

    /// The called side's choice, to be written into the 2xx (RFC 4028 §9): never longer than was asked for, never
    /// shorter than the calling side's Min-SE, up to a day. `None`: the calling side knows nothing of timers, and nobody on the way
    /// asked for one.
    ///
    /// Who refreshes is as the request wishes; else as it was, else we, so that nothing depends on the far end.
    pub fn answer(&self, request: &Message, now_ours: Option<bool>) -> Option<SessionExpires> {
        let (knows, asked) = (knows_timers(request), SessionExpires::of(request));
        if !knows && asked.is_none() {
            return None;
        }
        let seconds = asked.map_or(self.expires, |asked| asked.seconds.min(self.expires));
        let seconds = seconds.max(min_se(request).min(MOST_MIN_SE));
        let wish = asked.and_then(|asked| asked.refresher).filter(|_| knows);
        let ours = if now_ours == Some(false) && knows { Refresher::Uac } else { Refresher::Uas };
        Some(SessionExpires { seconds, refresher: wish.or(Some(ours)) })
    }
}

/// The sender understands session timers (RFC 4028 §3).
fn knows_timers(message: &Message) -> bool {
    message.has_token(Header::Supported, "timer") || message.has_token(Header::Require, "timer")
}

/// A session that has an end.
#[derive(Clone, Copy, Debug)]
pub struct SessionTimer {
    /// As agreed.
    seconds: u32,
    /// We refresh.
    ours: bool,
    refresh_at: Option<Instant>,
    end_at: Instant,
}

/// What the passing of time asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionDue {
    /// Tell the far end that we are there.
    Refresh,
    /// The far end is gone, or cannot be told: BYE (RFC 4028 §10).
    Expired,
}

impl SessionTimer {
    /// A session that was agreed on just now. `as_uac`: by a request of ours. A 2xx that names no refresher means us
    /// (RFC 4028 §7.2), and less than 90 seconds are not believed.
    pub fn new(now: Instant, agreed: SessionExpires, as_uac: bool) -> SessionTimer {
        let seconds = agreed.seconds.max(LEAST_MIN_SE);
        let length = Duration::from_secs(seconds.into());
        let ours = (agreed.refresher.unwrap_or(Refresher::Uac) == Refresher::Uac) == as_uac;
        let end_at = now + length - (length / 3).min(Duration::from_secs(32));
        SessionTimer { seconds, ours, refresh_at: ours.then(|| now + length / 2), end_at }
    }

    /// As agreed, in seconds.
    pub fn seconds(&self) -> u32 {
        self.seconds
    }

    /// Whether we refresh.
    pub fn is_ours(&self) -> bool {
        self.ours
    }

    /// When [`handle_timeout`](Self::handle_timeout) has work next.
    pub fn poll_timeout(&self) -> Instant {
        self.refresh_at.map_or(self.end_at, |at| at.min(self.end_at))
    }

    /// What is due at `now`. A refresh that fails is tried again after half of what then remains.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<SessionDue> {
        if self.end_at <= now {
            return Some(SessionDue::Expired);
        }
        self.refresh_at.filter(|at| *at <= now)?;
        let rest = self.end_at.saturating_duration_since(now);
        self.refresh_at = Some(now + (rest / 2).max(LEAST_GAP));
        Some(SessionDue::Refresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods)]
    fn origin() -> Instant {
        Instant::now() // any instant: from here on time is ours
    }

    fn message(lines: &str) -> Message {
        Message::parse(format!("INVITE sip:a@x SIP/2.0\r\n{lines}\r\n").into()).unwrap()
    }

    fn run(seconds: u32, ours: bool) -> Vec<(u64, SessionDue)> {
        let start = origin();
        let agreed = SessionExpires { seconds, refresher: Some(Refresher::Uac) };
        let (mut timer, mut seen) = (SessionTimer::new(start, agreed, ours), vec![]);
        loop {
            let at = timer.poll_timeout();
            let due = timer.handle_timeout(at).expect("called in time");
            seen.push(((at - start).as_secs(), due));
            if due == SessionDue::Expired {
                return seen;
            }
        }
    }

    #[test]
    fn the_refresher_refreshes_after_half_and_again_after_half_of_what_remains() {
        use SessionDue::{Expired, Refresh};
        assert_eq!(run(90, true), [(45, Refresh), (55, Refresh), (60, Expired)]);
        assert_eq!(run(1_800, true)[..2], [(900, Refresh), (1_334, Refresh)]);
    }

    #[test]
    fn who_only_listens_hangs_up_32_seconds_or_a_third_before_the_end() {
        assert_eq!(run(1_800, false), [(1_768, SessionDue::Expired)]);
        assert_eq!(run(90, false), [(60, SessionDue::Expired)]);
    }

    #[test]
    fn session_expires_is_read_with_blanks_and_in_any_case() {
        let read = |line: &str| SessionExpires::of(&message(line));
        let whole = SessionExpires { seconds: 1_800, refresher: Some(Refresher::Uas) };
        assert_eq!(read("x: 1800 ; x=1; Refresher = UAS\r\n"), Some(whole));
        assert_eq!(read("Session-Expires: 90\r\n").map(|s| s.value()), Some("90".into()));
        assert_eq!(read("Session-Expires: soon\r\n"), None);
        assert_eq!((min_se(&message("Min-SE: 120;x\r\n")), min_se(&message("Min-SE: 5\r\n"))), (120, 90));
    }

    #[test]
    fn the_called_side_shortens_and_follows_the_wish_of_the_calling_side() {
        let policy = SessionPolicy { expires: 1_800, min_se: 100, by_update: false };
        let answer = |lines: &str| policy.answer(&message(lines), None).map(|s| s.value());
        let knows = "Supported: timer\r\n";
        assert_eq!(answer(""), None);
        assert_eq!(answer(knows), Some("1800;refresher=uas".into()));
        assert_eq!(
            answer(&format!("{knows}Session-Expires: 3600;refresher=uac\r\n")),
            Some("1800;refresher=uac".into())
        );
        assert_eq!(
            answer(&format!("{knows}Session-Expires: 3600\r\nMin-SE: 2000\r\n")),
            Some("2000;refresher=uas".into())
        );
        assert_eq!(
            answer(&format!("{knows}Min-SE: 4294967295\r\n")),
            Some("86400;refresher=uas".into()),
            "who has gone is noticed within a day"
        );
        assert_eq!(
            answer("Session-Expires: 600;refresher=uac\r\n"),
            Some("600;refresher=uas".into()),
            "he knows no timers"
        );
        assert!(policy.is_too_short(&message(&format!("{knows}Session-Expires: 95\r\n"))));
        assert!(!policy.is_too_short(&message("Session-Expires: 95\r\n")), "he would not understand the 422");
    }
}
