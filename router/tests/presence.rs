//! What is asked of Graph and when, and what follows from the answers: two machines, and a clock of our own.
#![allow(missing_docs)]

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use router::{
    config::{AgentId, Graph, SecretPlace, Stale},
    presence::{
        Answer, Ask, Asking, Changes, Failure, Known, Mapping, News, ObjectId, Outcome, Refusal, Report,
        Trouble, What, Words,
    },
};

const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

#[allow(clippy::disallowed_methods, reason = "any instant will do: from here on time is ours")]
fn origin() -> Instant {
    Instant::now()
}

fn settings() -> Graph {
    Graph {
        tenant: "example.com".into(),
        client_id: "app".into(),
        secret: SecretPlace::File(PathBuf::from("secret")),
        login_url: "https://login".into(),
        graph_url: "https://graph".into(),
        trust: None,
        every: 5 * SECOND,
        budget: 300,
        timeout: 10 * SECOND,
        back_off: 60 * SECOND,
        fresh: 60 * SECOND,
        stale: Stale::Offer,
        mapping: Mapping::default(),
        own_call_lag: 15 * SECOND,
    }
}

/// The machine and a clock that goes only as it is told to.
struct Desk {
    asking: Asking,
    start: Instant,
    now: Instant,
    under_way: Option<Ask>,
}

impl Desk {
    fn of(people: u128, settings: Graph) -> Desk {
        let (now, mut asking) = (origin(), Asking::default());
        asking.set(now, Some(Arc::new(settings)), (0..people).map(ObjectId::from).collect());
        Desk { asking, start: now, now, under_way: None }
    }

    /// With a token that lasts an hour, and one round answered.
    fn at_work(people: u128, settings: Graph) -> Desk {
        let mut desk = Desk::of(people, settings);
        assert_eq!(desk.next(), (0, "token".to_owned()));
        desk.answer(Answer::Token(HOUR));
        while desk.asking.poll_ask(desk.now, || 7).map(|ask| desk.under_way = Some(ask)).is_some() {
            desk.answer(Answer::Presence(vec![]));
        }
        desk
    }

    /// Lets time pass until something is asked: after how many milliseconds since the start, and what.
    fn next(&mut self) -> (u128, String) {
        loop {
            if let Some(ask) = self.asking.poll_ask(self.now, || 7) {
                self.under_way = Some(ask);
                return ((self.now - self.start).as_millis(), self.left_asked());
            }
            let at = self.asking.deadline().expect("something is asked one day");
            assert!(at > self.now, "a deadline that is over and does nothing");
            self.now = at;
        }
    }

    /// The request that left last.
    fn left_asked(&self) -> String {
        match self.under_way.as_ref().map(|ask| &ask.what) {
            None => "nothing".to_owned(),
            Some(What::Token) => "token".to_owned(),
            Some(What::Presence(ids)) => format!("presence of {}", ids.len()),
        }
    }

    fn answer(&mut self, answer: Answer) -> Outcome {
        let ask = self.under_way.take().expect("a request");
        self.asking.handle_answer(self.now, ask.number, answer, 1.0)
    }

    fn refuse(&mut self, status: u16, retry_after: Option<u64>) -> Outcome {
        let retry_after = retry_after.map(Duration::from_secs);
        self.answer(Answer::Refused(Refusal { status, retry_after, ..Refusal::default() }))
    }
}

fn asked(time: u128, what: &str) -> (u128, String) {
    (time, what.to_owned())
}

#[test]
fn a_round_asks_for_everybody_in_batches_one_after_the_other_and_the_next_begins_in_time() {
    let mut desk = Desk::of(1_400, settings());
    assert_eq!(desk.next(), asked(0, "token"));
    desk.answer(Answer::Token(HOUR));
    for (time, people) in [(0, 650), (0, 650), (0, 100), (5_000, 650)] {
        assert_eq!(desk.next(), asked(time, &format!("presence of {people}")));
        assert!(desk.asking.poll_ask(desk.now, || 7).is_none(), "one request at a time");
        desk.answer(Answer::Presence(vec![]));
    }
}

#[test]
fn a_token_is_renewed_before_its_end_and_the_old_one_serves_while_there_is_no_new_one() {
    let mut desk = Desk::of(1, settings());
    desk.next();
    desk.answer(Answer::Token(100 * SECOND));
    let mut rounds = Vec::new();
    for _ in 0..22 {
        let (time, what) = desk.next();
        if what == "token" {
            rounds.push(time);
            desk.refuse(503, None);
        } else {
            desk.answer(Answer::Presence(vec![]));
        }
    }
    // At 80 %, and then when the old one is over: it had 20 s left, which is less than a pause of 60 s.
    assert_eq!(rounds, [80_000, 100_000]);
    assert_eq!(desk.asking.trouble().map(|(trouble, _)| trouble.word()), Some("server-error"));
}

#[test]
fn a_token_that_is_refused_is_fetched_anew_once_and_then_only_after_a_long_pause() {
    let mut desk = Desk::at_work(1, settings());
    assert_eq!(desk.next(), asked(5_000, "presence of 1"));
    assert_eq!(desk.refuse(401, None).news, None);
    assert_eq!(desk.next(), asked(5_000, "token"));
    desk.answer(Answer::Token(HOUR));
    assert_eq!(desk.next(), asked(5_000, "presence of 1"));
    let news = desk.refuse(401, None).news;
    assert!(matches!(news, Some(News::Fails(Trouble::Token(_)))), "{news:?}");
    assert_eq!(desk.next(), asked(65_000, "token"));
    desk.answer(Answer::Token(HOUR));
    assert_eq!(desk.next(), asked(65_000, "presence of 1"));
    assert_eq!(desk.answer(Answer::Presence(vec![])).news, Some(News::Recovers(60 * SECOND)));
    desk.next();
    assert_eq!(desk.refuse(401, None).news, None, "after a success once more");
}

#[test]
fn pauses_double_with_each_failure_to_a_bound_and_end_with_the_first_answer() {
    let mut desk = Desk::at_work(1, settings());
    let mut gaps = Vec::new();
    let mut before = 0;
    for _ in 0..6 {
        let (time, _) = desk.next();
        gaps.push(time - before);
        before = time;
        desk.refuse(500, None);
    }
    assert_eq!(gaps, [5_000, 5_000, 10_000, 20_000, 40_000, 60_000]);
    desk.next();
    desk.answer(Answer::Presence(vec![]));
    assert_eq!(desk.asking.trouble(), None);
    let (time, _) = desk.next();
    desk.refuse(500, None);
    assert_eq!(desk.next().0, time + 5_000);
}

#[test]
fn retry_after_is_kept_to_when_it_is_longer_than_the_pause_but_not_for_days() {
    for (retry_after, pause) in [(2, 5_000), (37, 37_000), (86_400, 3_600_000)] {
        let mut desk = Desk::at_work(1, settings());
        let (time, _) = desk.next();
        let news = desk.refuse(429, Some(retry_after)).news;
        assert!(matches!(news, Some(News::Fails(Trouble::Throttled(..)))), "{news:?}");
        assert_eq!(desk.next().0, time + pause, "Retry-After: {retry_after}");
    }
}

#[test]
fn chance_makes_a_pause_half_as_long_at_most() {
    let mut desk = Desk::at_work(1, settings());
    let (time, _) = desk.next();
    let number = desk.under_way.take().unwrap().number;
    desk.asking.handle_answer(desk.now, number, Answer::Failed(Failure::TimedOut), 0.0);
    assert_eq!(desk.next().0, time + 2_500);
}

#[test]
fn what_only_people_can_cure_is_told_once_and_asked_again_slowly() {
    let mut desk = Desk::at_work(1, settings());
    desk.next();
    let Some(News::Fails(trouble)) = desk.refuse(403, None).news else { panic!("no news") };
    assert!(trouble.cure().contains("Presence.Read.All"), "{}", trouble.cure());
    assert_eq!(desk.next(), asked(65_000, "presence of 1"));
    assert_eq!(desk.refuse(403, None).news, None, "the same is no news");
    desk.next();
    assert!(desk.refuse(500, None).news.is_some(), "another one is");
}

#[test]
fn no_more_is_asked_than_the_budget_allows() {
    let mut desk = Desk::of(2 * 650, Graph { budget: 3, ..settings() });
    desk.next();
    desk.answer(Answer::Token(HOUR));
    let mut times = Vec::new();
    for _ in 0..7 {
        let (time, _) = desk.next();
        times.push(time);
        desk.now += SECOND; // each takes so long
        desk.answer(Answer::Presence(vec![]));
    }
    assert_eq!(times, [0, 1_000, 5_000, 30_000, 31_000, 35_000, 60_000]);
}

#[test]
fn one_id_that_is_not_understood_is_found_left_out_and_asked_for_again_an_hour_later() {
    let mut desk = Desk::at_work(650, settings());
    let bad = ObjectId::from(333);
    let mut found = Vec::new();
    let mut requests = 0;
    while desk.next().0 == 5_000 {
        requests += 1;
        let Some(What::Presence(ids)) = desk.under_way.as_ref().map(|ask| ask.what.clone()) else { panic!() };
        let outcome =
            if ids.contains(&bad) { desk.refuse(400, None) } else { desk.answer(Answer::Presence(vec![])) };
        found.extend(outcome.news);
    }
    assert_eq!(found, [News::BadId(bad)]);
    assert!(requests < 25, "{requests}");
    assert_eq!(desk.left_asked(), "presence of 649");
    desk.answer(Answer::Presence(vec![]));
    desk.now += HOUR;
    desk.next();
    desk.answer(Answer::Token(HOUR));
    assert_eq!(desk.next().1, "presence of 650");
}

#[test]
fn when_nothing_is_understood_it_is_not_the_ids() {
    let mut desk = Desk::at_work(650, settings());
    let mut bad = 0;
    loop {
        desk.next();
        match desk.refuse(400, None).news {
            Some(News::BadId(_)) => bad += 1,
            Some(News::Fails(Trouble::Request(_))) => break,
            news => assert_eq!(news, None),
        }
        assert!(bad < 40, "every id is thought bad");
    }
    assert_eq!(desk.next().1, "presence of 650", "all are asked for again");
}

#[test]
fn a_request_that_nobody_answers_is_given_up_and_a_late_answer_is_not_heard() {
    let mut desk = Desk::at_work(1, settings());
    let (time, _) = desk.next();
    let late = desk.under_way.take().unwrap().number;
    desk.now = desk.asking.deadline().unwrap();
    assert_eq!((desk.now - desk.start).as_millis(), time + 15_000);
    let outcome = desk.asking.handle_timeout(desk.now, 1.0);
    assert!(matches!(outcome.news, Some(News::Fails(Trouble::Failed(_, Failure::TimedOut)))));
    desk.next();
    let outcome = desk.asking.handle_answer(desk.now, late, Answer::Presence(vec![]), 1.0);
    assert!(outcome.asked.is_none());
    assert!(desk.answer(Answer::Presence(vec![])).asked.is_some());
}

#[test]
fn a_reload_asks_at_once_and_needs_a_new_token_only_for_another_login() {
    let mut desk = Desk::at_work(1, settings());
    desk.next();
    let under_way = desk.under_way.take().unwrap().number;
    let ids = vec![ObjectId::from(0), ObjectId::from(1)];
    desk.asking.set(desk.now, Some(Arc::new(Graph { budget: 10, ..settings() })), ids.clone());
    assert_eq!(desk.next().1, "presence of 2");
    assert!(desk.asking.handle_answer(desk.now, under_way, Answer::Presence(vec![]), 1.0).asked.is_none());
    desk.answer(Answer::Presence(vec![]));
    desk.asking.set(
        desk.now,
        Some(Arc::new(Graph { tenant: "other.com".into(), ..settings() })),
        ids.clone(),
    );
    assert_eq!(desk.next().1, "token");
    desk.asking.set(desk.now, None, ids);
    assert_eq!(desk.asking.deadline(), None);
    assert!(desk.asking.poll_ask(desk.now, || 7).is_none());
}

/// What is known of two agents, anna and bo, and a clock that goes only as it is told to.
struct Floor {
    known: Known,
    start: Instant,
    seconds: u64,
    talks: bool,
}

const ANNA: AgentId = AgentId(4);
const BO: AgentId = AgentId(2);

impl Floor {
    fn new(settings: Graph) -> Floor {
        let mut floor = Floor { known: Known::default(), start: origin(), seconds: 0, talks: false };
        let first = floor.set(Some(settings));
        assert_eq!(said(&first), ["2 kept: not yet known", "4 kept: not yet known"]);
        floor
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_secs(self.seconds)
    }

    fn set(&mut self, settings: Option<Graph>) -> Changes {
        let ids = [(ANNA, ObjectId::from(4)), (BO, ObjectId::from(2))];
        self.known.set(self.now(), settings.map(Arc::new), &ids)
    }

    /// Both are asked for, and this is what Graph says.
    fn hear(&mut self, reports: &[(u128, &str, &str)]) -> Changes {
        let reports =
            reports.iter().map(|(id, availability, activity)| report(*id, availability, activity, None));
        self.hear_reports(reports.collect())
    }

    fn hear_reports(&mut self, reports: Vec<Report>) -> Changes {
        let (asked, talks, at) = ([ObjectId::from(4), ObjectId::from(2)], self.talks, self.seconds as i64);
        self.known.hear((self.now(), at), &asked, reports, |_| talks)
    }

    fn passes(&mut self, seconds: u64) -> Changes {
        self.seconds += seconds;
        self.known.handle_timeout(self.now())
    }
}

fn report(id: u128, availability: &str, activity: &str, sequence: Option<&str>) -> Report {
    let words = Words::new(availability, activity);
    Report { id: ObjectId::from(id), words, sequence: sequence.map(Into::into) }
}

fn said(changes: &Changes) -> Vec<String> {
    let word = |offered| if offered { "offered" } else { "kept" };
    let verdicts = changes.verdicts.iter();
    verdicts.map(|(agent, verdict)| format!("{agent} {}: {}", word(verdict.offered), verdict.why)).collect()
}

#[test]
fn an_answer_changes_only_those_of_whom_it_says_something_new() {
    let mut floor = Floor::new(settings());
    let changes = floor.hear(&[(2, "Available", "Available"), (4, "Busy", "InACall"), (77, "Busy", "Busy")]);
    assert_eq!(said(&changes), ["2 offered: Available", "4 kept: Busy, InACall"]);
    floor.passes(5);
    let changes = floor.hear(&[(4, "Available", "Available"), (2, "Available", "Available")]);
    assert_eq!(said(&changes), ["4 offered: Available"]);
}

#[test]
fn who_is_not_known_waits_for_the_first_answer_as_long_as_one_holds_and_then_the_rule_decides() {
    for (stale, verdict) in [(Stale::Offer, "offered"), (Stale::Last, "offered"), (Stale::Skip, "kept")] {
        let mut floor = Floor::new(Graph { stale, ..settings() });
        assert_eq!(floor.known.deadline(), Some(floor.start + 60 * SECOND));
        assert_eq!(said(&floor.passes(59)), [""; 0]);
        assert_eq!(
            said(&floor.passes(1)),
            [format!("2 {verdict}: not known"), format!("4 {verdict}: not known")]
        );
        assert_eq!(floor.known.deadline(), None, "nothing changes by itself any more");
    }
}

#[test]
fn what_grows_old_is_not_known_any_more_and_the_rule_decides_until_the_next_answer() {
    for (stale, anna, bo) in [
        (Stale::Offer, "offered", "offered"),
        (Stale::Last, "kept", "offered"),
        (Stale::Skip, "kept", "kept"),
    ] {
        let mut floor = Floor::new(Graph { stale, ..settings() });
        floor.passes(1);
        floor.hear(&[(2, "Available", "Available"), (4, "Away", "Away")]);
        floor.passes(30);
        floor.hear(&[(4, "Away", "Away")]);
        floor.passes(29);
        assert_eq!(said(&floor.passes(1)), [format!("2 {bo}: not known, last Available")], "{stale:?}");
        assert_eq!(said(&floor.passes(29)), [""; 0]);
        assert_eq!(said(&floor.passes(1)), [format!("4 {anna}: not known, last Away")], "{stale:?}");
        let changes = floor.hear(&[(2, "Available", "Available"), (4, "Away", "Away")]);
        assert_eq!(said(&changes), ["2 offered: Available", "4 kept: Away"]);
        assert_eq!(floor.known.deadline(), Some(floor.now() + 60 * SECOND));
    }
}

#[test]
fn that_an_agent_is_in_a_call_is_not_believed_while_it_is_ours_and_a_while_after() {
    let mut floor = Floor::new(settings());
    floor.hear(&[(4, "Available", "Available"), (2, "Available", "Available")]);
    floor.talks = true;
    assert_eq!(said(&floor.hear(&[(4, "Busy", "InACall")])), [""; 0]);
    floor.talks = false;
    floor.known.talk_over(ANNA, floor.now());
    floor.passes(14);
    assert_eq!(said(&floor.hear(&[(4, "Busy", "InACall")])), [""; 0]);
    assert_eq!(
        said(&floor.hear(&[(2, "Busy", "InACall")])),
        ["2 kept: Busy, InACall"],
        "he had no call of ours"
    );
    floor.passes(1);
    assert_eq!(
        said(&floor.hear(&[(4, "Busy", "InACall")])),
        ["4 kept: Busy, InACall"],
        "that is another call"
    );
}

#[test]
fn do_not_disturb_in_a_call_of_ours_is_believed() {
    let mut floor = Floor::new(settings());
    floor.hear(&[(4, "Available", "Available")]);
    floor.talks = true;
    assert_eq!(said(&floor.hear(&[(4, "DoNotDisturb", "DoNotDisturb")])), ["4 kept: DoNotDisturb"]);
}

#[test]
fn an_older_version_is_passed_over_as_long_as_a_newer_one_holds() {
    let mut floor = Floor::new(settings());
    floor.hear_reports(vec![report(4, "Busy", "Busy", Some("A02"))]);
    floor.passes(30);
    assert_eq!(said(&floor.hear_reports(vec![report(4, "Available", "Available", Some("A01"))])), [""; 0]);
    assert_eq!(said(&floor.passes(30)), ["2 offered: not known", "4 offered: not known, last Busy"]);
    let changes = floor.hear_reports(vec![report(4, "Away", "Away", Some("A01"))]);
    assert_eq!(said(&changes), ["4 kept: Away"]);
}

#[test]
fn who_is_left_out_or_unknown_is_told_once_until_graph_speaks_of_him_again() {
    let mut floor = Floor::new(settings());
    let changes = floor.hear(&[(4, "PresenceUnknown", "PresenceUnknown")]);
    assert_eq!(said(&changes), ["4 kept: PresenceUnknown"]);
    assert_eq!(changes.nameless, [BO, ANNA]);
    assert_eq!(floor.hear(&[]).nameless, []);
    floor.hear(&[(4, "Away", "Away")]);
    assert_eq!(floor.hear(&[]).nameless, [ANNA]);
}

#[test]
fn a_strange_word_keeps_from_calls_and_is_told_once() {
    let mut floor = Floor::new(settings());
    let changes = floor.hear(&[(4, "Levitating", "Levitating"), (2, "Levitating", "Away")]);
    assert_eq!(said(&changes), ["4 kept: Levitating", "2 kept: Levitating, Away"]);
    assert_eq!(changes.strange, ["Levitating"]);
    assert!(floor.hear(&[(4, "levitating", "Levitating")]).strange.len() <= 1);
    assert_eq!(floor.hear(&[(4, "Levitating", "Away")]).strange, [""; 0]);
}

#[test]
fn a_reload_keeps_what_is_known_of_those_who_keep_their_id() {
    let mut floor = Floor::new(settings());
    floor.hear(&[(2, "Available", "Available"), (4, "Busy", "Busy")]);
    let busy = Mapping { offer_when: vec!["Busy".to_owned()], never_when: vec![] };
    let changes = floor.set(Some(Graph { mapping: busy, ..settings() }));
    assert_eq!(said(&changes), ["2 kept: Available", "4 offered: Busy"], "by the new words at once");
    let ids = [(ANNA, ObjectId::from(4)), (BO, ObjectId::from(5))];
    let changes = floor.known.set(floor.now(), Some(Arc::new(settings())), &ids);
    assert_eq!(said(&changes), ["2 kept: not yet known", "4 kept: Busy"]);
    let changes = floor.set(None);
    assert_eq!(changes.gone, [BO, ANNA]);
    assert_eq!(floor.known.deadline(), None);
}
