//! Time is a variable here, and so is chance.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const TEN_MINUTES: Duration = Duration::from_secs(600);

#[allow(clippy::disallowed_methods)] // any instant: from here on time is ours
fn origin() -> Instant {
    Instant::now()
}

/// A registration and the clock of its test; chance always takes the middle.
struct Desk {
    registration: Registration,
    now: Instant,
    last: Option<Request>,
}

impl Desk {
    fn new() -> Desk {
        let start = origin();
        let registration = Registration::new(start, "series@near.test".into(), TEN_MINUTES);
        Desk { registration, now: start, last: None }
    }

    /// Waits until something is to be sent: after how many seconds.
    fn sends(&mut self) -> u64 {
        let before = self.now;
        loop {
            self.now = self.registration.poll_timeout().expect("something is due");
            if let Some(request) = self.registration.handle_timeout(self.now) {
                self.last = Some(request);
                return (self.now - before).as_secs();
            }
        }
    }

    fn hears(&mut self, answer: Answer) -> News {
        self.registration.answered(self.now, answer, |below| below / 2)
    }

    fn taken(&mut self, seconds: u64) -> News {
        let cseq = self.last.as_ref().map(|request| request.cseq);
        self.hears(Answer::Taken { cseq, expires: Some(Duration::from_secs(seconds)) })
    }

    fn refused(&mut self, status: u16) -> News {
        self.hears(Answer::Refused { cseq: None, status, retry_after: None })
    }

    fn cseq(&self) -> u32 {
        self.last.as_ref().map_or(0, |request| request.cseq)
    }
}

#[test]
fn it_is_asked_for_at_once_and_renewed_before_it_ends_in_one_series() {
    let mut desk = Desk::new();
    assert_eq!(desk.sends(), 0);
    assert_eq!(desk.taken(600), News::Registered { expires: TEN_MINUTES });
    for n in 0..5 {
        assert_eq!(desk.sends(), 450, "three quarters of ten minutes");
        let request = desk.last.clone().unwrap();
        assert_eq!((request.call_id.as_str(), request.cseq), ("series@near.test", 2 + n));
        assert_eq!(desk.taken(600), News::Renewed);
    }
    assert_eq!(desk.registration.state(), State::Registered);
}

#[test]
fn the_carrier_decides_for_how_long_each_time_anew() {
    let mut desk = Desk::new();
    desk.sends();
    desk.taken(60);
    assert_eq!(desk.sends(), 45);
    assert_eq!(desk.last.as_ref().map(|request| request.expires), Some(TEN_MINUTES), "we ask as before");
    desk.taken(3_600);
    assert_eq!(desk.sends(), 2_700);
    desk.hears(Answer::Taken { cseq: None, expires: None });
    assert_eq!(desk.sends(), 450, "what it does not say is as asked for");
    assert!(matches!(desk.taken(0), News::Trouble(Trouble::NoTime, _)));
}

#[test]
fn rfc3261_10_2_4_the_series_counts_on_from_what_was_answered_and_never_back() {
    let mut desk = Desk::new();
    desk.sends();
    assert_eq!(desk.cseq(), 1);
    // A challenge was answered on the way: the number that counts is 2.
    desk.hears(Answer::Taken { cseq: Some(2), expires: None });
    desk.sends();
    assert_eq!(desk.cseq(), 3);
    desk.hears(Answer::None(FailCause::TimedOut));
    desk.sends();
    assert!(desk.cseq() >= 3 + 4, "what was lost may have gone out up to four times more");
}

#[test]
fn rfc3261_10_2_8_an_interval_too_brief_is_asked_for_longer_once() {
    let mut desk = Desk::new();
    desk.sends();
    let brief = |least| Answer::TooBrief { cseq: Some(1), least: Some(Duration::from_secs(least)) };
    assert_eq!(desk.hears(brief(3_600)), News::AskedForLonger);
    assert_eq!((desk.sends(), desk.last.as_ref().unwrap().expires), (0, 3_600 * SECOND));
    assert!(matches!(desk.hears(brief(7_200)), News::Trouble(Trouble::TooBrief(_), _)), "no auction");
    let mut desk = Desk::new();
    desk.sends();
    assert!(matches!(desk.hears(brief(1_000_000)), News::Trouble(..)), "not for weeks");
    let mut desk = Desk::new();
    desk.sends();
    assert!(matches!(desk.hears(brief(60)), News::Trouble(..)), "less than was asked for makes no sense");
}

#[test]
fn rfc5626_4_5_failures_are_repeated_ever_later_up_to_half_an_hour() {
    let mut desk = Desk::new();
    let mut pauses = Vec::new();
    desk.sends();
    for _ in 0..9 {
        desk.hears(Answer::None(FailCause::TimedOut));
        pauses.push(desk.sends());
    }
    assert_eq!(pauses, [45, 90, 180, 360, 720, 1_350, 1_350, 1_350, 1_350]);
    desk.taken(600);
    desk.sends();
    desk.hears(Answer::None(FailCause::TimedOut));
    assert_eq!(desk.sends(), 22, "calls still come: sooner");
}

#[test]
fn while_calls_still_come_a_failed_renewal_is_tried_again_before_the_end() {
    let mut desk = Desk::new();
    desk.sends();
    desk.taken(600);
    let (end, mut tries) = (desk.registration.until().unwrap(), 0);
    desk.sends();
    while desk.now < end {
        assert_eq!(desk.registration.state(), State::Registered);
        desk.hears(Answer::None(FailCause::TimedOut));
        tries += 1;
        desk.sends();
    }
    assert!(tries >= 3, "{tries}");
    assert_eq!(desk.registration.state(), State::Failed, "it ends by itself");
    assert_eq!(desk.registration.until(), None);
}

#[test]
fn what_people_must_put_right_is_not_asked_for_every_minute() {
    for status in [401, 403, 404, 302, 501, 603] {
        let mut desk = Desk::new();
        desk.sends();
        let News::Trouble(trouble, pause) = desk.refused(status) else { panic!("{status}") };
        assert!(pause >= LONGEST_PAUSE / 2 && pause <= LONGEST_PAUSE, "{status}: {pause:?}");
        assert!(!trouble.cure().is_empty());
    }
    for status in [408, 500, 503] {
        let mut desk = Desk::new();
        desk.sends();
        let News::Trouble(_, pause) = desk.refused(status) else { panic!("{status}") };
        assert!(pause <= 2 * FIRST_PAUSE, "{status}: {pause:?}");
    }
}

#[test]
fn a_carrier_that_throws_us_out_is_believed_and_one_that_stumbles_is_not() {
    let registered = || {
        let mut desk = Desk::new();
        desk.sends();
        desk.taken(600);
        desk.sends();
        desk
    };
    let mut desk = registered();
    desk.refused(403);
    assert_eq!(desk.registration.state(), State::Failed);
    let mut desk = registered();
    desk.refused(503);
    assert_eq!(desk.registration.state(), State::Registered, "until its time is over");
}

#[test]
fn a_wish_to_be_left_alone_is_heard() {
    let mut desk = Desk::new();
    desk.sends();
    let retry_after = Some(Duration::from_secs(300));
    desk.hears(Answer::Refused { cseq: None, status: 503, retry_after });
    assert_eq!(desk.sends(), 300);
    desk.hears(Answer::Refused { cseq: None, status: 503, retry_after: Some(Duration::from_secs(1 << 30)) });
    assert_eq!(desk.sends(), LONGEST_PAUSE.as_secs(), "but not for years");
}

#[test]
fn rfc5626_4_4_a_closed_connection_is_a_reason_to_register_at_once_but_not_in_a_circle() {
    let mut desk = Desk::new();
    desk.sends();
    desk.taken(600);
    desk.registration.closed(desk.now, |below| below / 2);
    assert_eq!((desk.registration.state(), desk.sends()), (State::Failed, 0));
    desk.hears(Answer::None(FailCause::Unreachable));
    assert!(desk.sends() >= 30);
}

#[test]
fn a_carrier_that_takes_us_and_closes_each_time_is_asked_ever_later() {
    let mut desk = Desk::new();
    let mut pauses = Vec::new();
    desk.sends();
    for _ in 0..6 {
        desk.taken(600);
        desk.registration.closed(desk.now, |below| below / 2);
        pauses.push(desk.sends());
    }
    assert_eq!(pauses, [0, 45, 90, 180, 360, 720]);
    desk.taken(600);
    desk.now += LIVED;
    desk.registration.closed(desk.now, |below| below / 2);
    assert_eq!(desk.sends(), 0, "that one was good for a while");
}

#[test]
fn a_registration_of_a_second_is_none() {
    let mut desk = Desk::new();
    desk.sends();
    assert!(matches!(desk.taken(1), News::Trouble(Trouble::NoTime, _)));
    assert!(desk.sends() >= 30);
}

#[test]
fn who_cannot_just_now_or_names_a_time_has_not_thrown_us_out() {
    for (status, retry_after) in [(480, None), (486, None), (404, Some(20 * SECOND))] {
        let mut desk = Desk::new();
        desk.sends();
        desk.taken(600);
        desk.sends();
        desk.hears(Answer::Refused { cseq: None, status, retry_after });
        assert_eq!(desk.registration.state(), State::Registered, "{status}");
        assert!(desk.sends() <= 30, "{status}");
    }
}

#[test]
fn what_the_carrier_was_told_and_is_no_more_so_is_told_anew_in_the_same_series() {
    let mut desk = Desk::new();
    desk.sends();
    desk.taken(600);
    desk.now += 10 * SECOND;
    desk.registration.renew(desk.now, 2 * TEN_MINUTES);
    assert_eq!(desk.sends(), 0);
    let request = desk.last.clone().unwrap();
    assert_eq!(
        (request.call_id.as_str(), request.cseq, request.expires),
        ("series@near.test", 2, 2 * TEN_MINUTES)
    );
}

#[test]
fn who_leaves_signs_off_once_and_who_was_never_known_does_not() {
    let mut desk = Desk::new();
    assert_eq!((desk.registration.leave(), desk.registration.state()), (None, State::Gone));
    let mut desk = Desk::new();
    desk.sends();
    desk.taken(600);
    let request = desk.registration.leave().unwrap();
    assert_eq!((request.expires, request.cseq), (Duration::ZERO, 2));
    assert_eq!((desk.registration.leave(), desk.registration.poll_timeout()), (None, None));
    assert_eq!(desk.taken(0), News::Gone);
    assert_eq!(desk.registration.state(), State::Gone);
    // The first answer is still awaited: it may have been taken all the same.
    let mut desk = Desk::new();
    desk.sends();
    assert!(desk.registration.leave().is_some());
}
