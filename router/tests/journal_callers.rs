//! What a start recalls of callers from the journal of earlier runs.
#![cfg(feature = "driver")]
#![allow(missing_docs)]

mod support;

use std::{fs, path::PathBuf, time::Duration};

use router::{
    callers::Callers,
    config::{self, Config, JournalConfig, Names, Surroundings, Synchronous},
    driver::journal_writer::{JournalSettings, Opened, open},
    journal::{
        Ledger,
        fact::{CallId, Cause, Fact, Fault, Kept, LeftQueue, Micros, What},
    },
    service::ServiceState,
};
use support::*;

/// A directory of this test's own, gone with it.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let dir = std::env::temp_dir().join(format!("fernamt-callers-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Dir(dir)
    }

    fn opened(&self, started_at: Micros) -> Opened {
        let settings = JournalSettings {
            data_dir: self.0.clone(),
            config: JournalConfig {
                retention: Duration::from_secs(90 * 86_400),
                spill: 10_000,
                synchronous: Synchronous::Normal,
                flush: Duration::from_millis(10),
            },
            version: "0.1.0".into(),
            generation: 3,
            started_at,
        };
        open(settings, ServiceState::starting()).unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn config() -> Config {
    let text = "[listen]\nsip = [\"udp:127.0.0.1:5060\"]\n[queue.support]\n[agent.bo]\ncall = \"sip:bo@192.0.2.1\"\nqueues = [\"support\"]\n[agent.anna]\ncall = \"sip:anna@192.0.2.1\"\nqueues = [\"support\"]\n";
    config::parse(text, "f.toml", "".as_ref(), &mut Names::new(), &Surroundings::default()).unwrap()
}

/// A caller who waits for ten seconds and hangs up.
fn abandoned(key: u64, from: &str, start: Micros) -> Vec<Fact> {
    let at = |seconds: Micros, what| fact(call(key), start + seconds * SECOND, what);
    vec![
        at(0, arrived(from)),
        at(0, queued("support", start)),
        at(10, left("support", LeftQueue::Abandoned, 10_000)),
        at(10, ended(Cause::Abandoned, Fault::None)),
    ]
}

#[test]
fn a_start_knows_whom_callers_spoke_to_and_where_they_gave_up() {
    let dir = Dir::new("recall");
    let first = dir.opened(MORNING);
    first.journal.append_all(queue_call(call(1), MORNING)); // +491701234567 speaks to anna until 92 s
    first.journal.append_all(abandoned(2, "+49302", MORNING + 5 * SECOND));
    first.journal.append_all(abandoned(3, "", MORNING));
    assert!(first.writer.stop(MORNING + 100 * SECOND, 3));

    let (config, second) = (config(), dir.opened(MORNING + 200 * SECOND));
    let mut callers = Callers::default();
    callers.recall(&second.restored.met, &config);
    assert_eq!(callers.len(), 2);
    let (support, _) = config.queues().next().unwrap();
    let anna = config.agents().find(|(_, agent)| agent.name == "anna").map(|(id, _)| id);
    let spoke = callers.last_agent("+491701234567");
    assert_eq!((spoke.map(|(agent, _)| agent), spoke.map(|(_, at)| at)), (anna, Some(MORNING + 92 * SECOND)));
    assert_eq!(callers.gave_up_at("+49302", support), Some(MORNING + 15 * SECOND));
    second.writer.stop(MORNING + 300 * SECOND, 3);
}

/// What the disk holds at this instant, as a `kill -9` would leave it.
fn as_after_a_crash(dir: &Dir, name: &str) -> Dir {
    let copy = Dir::new(name);
    for name in ["journal.sqlite", "journal.sqlite-wal"] {
        fs::copy(dir.0.join(name), copy.0.join(name)).unwrap();
    }
    copy
}

fn entered(kept: Option<Kept>) -> What {
    let (queue, key, credits) = ("support".to_owned(), (MORNING - 5 * SECOND) as u64, vec![]);
    What::Queued { queue, key, place: 1, arrived: MORNING, credits, sticky: None, estimate_ms: None, kept }
}

const MINUTE: Micros = 60 * SECOND;

#[test]
fn who_waited_at_a_crash_has_his_place_at_the_next_start_and_not_once_he_has_taken_it() {
    let first = Dir::new("first");
    let run = first.opened(MORNING);
    for (key, from) in [(1, "+49301"), (2, "")] {
        run.journal
            .append_all([fact(call(key), MORNING, arrived(from)), fact(call(key), MORNING, entered(None))]);
    }
    assert!(run.journal.flush(Duration::from_secs(20)));
    let second = as_after_a_crash(&first, "second");
    run.writer.stop(MORNING, 3);

    let (start, again) = (MORNING + 10 * MINUTE, CallId { run: MORNING + 10 * MINUTE, key: 1 });
    let run = second.opened(start);
    let mut places = run.restored.lost_places.clone();
    assert_eq!(places.take("", "support", start, MINUTE), None);
    assert_eq!(places.take("+49301", "sales", start, MINUTE), None);
    assert_eq!(places.take("+49301", "support", start + MINUTE + 1, MINUTE), None);
    let lost = places.take("+49301", "support", start + MINUTE, MINUTE).unwrap();
    assert_eq!((lost.call, lost.key, lost.arrived), (call(1), (MORNING - 5 * SECOND) as u64, MORNING));
    assert_eq!(places.take("+49301", "support", start, MINUTE), None);
    run.journal.append_all([
        fact(again, start + SECOND, arrived("+49301")),
        fact(again, start + SECOND, entered(Some(lost.kept()))),
    ]);
    assert!(run.journal.flush(Duration::from_secs(20)));
    let third = as_after_a_crash(&second, "third");
    run.writer.stop(start, 3);

    let run = third.opened(start + MINUTE);
    let mut places = run.restored.lost_places.clone();
    let lost = places.take("+49301", "support", start + MINUTE, MINUTE);
    assert_eq!(lost.map(|lost| lost.call), Some(again));
    assert_eq!(places.take("+49301", "support", start + MINUTE, MINUTE), None, "the first was taken");
    run.writer.stop(start + MINUTE, 3);
}

#[test]
fn a_place_is_lost_by_our_end_only_and_forgotten_after_an_hour_or_a_day_away() {
    let (waits, day) = ([arrived("+49301"), entered(None)], 24 * 60 * MINUTE);
    let after = |end: What, away: Micros, later: Micros| {
        let mut ledger = Ledger::default();
        let told = [left("support", LeftQueue::Ended, 0), end, What::Started { version: String::new() }];
        for (seq, what) in (1..).zip(waits.iter().cloned().chain(told)) {
            let started = matches!(what, What::Started { .. });
            let at = if started { MORNING + away } else { MORNING };
            ledger.apply(&Fact { seq, call: Some(call(1)).filter(|_| !started), ..fact(call(1), at, what) });
        }
        ledger.lost_places.take("+49301", "support", MORNING + away + later, 60 * MINUTE).is_some()
    };
    assert!(after(ended(Cause::RouterRestarted, Fault::Router), day, 60 * MINUTE));
    assert!(after(ended(Cause::Shutdown, Fault::None), 0, 0));
    assert!(!after(ended(Cause::MediaLost, Fault::CallerSide), 0, 0));
    assert!(!after(ended(Cause::RouterRestarted, Fault::Router), day + 1, 0));
    assert!(!after(ended(Cause::RouterRestarted, Fault::Router), 0, 60 * MINUTE + 1));
}

#[test]
fn what_an_earlier_version_wrote_is_read() {
    let entered: What =
        serde_json::from_str(r#"{"is":"queued","queue":"support","key":5,"place":1}"#).unwrap();
    assert!(matches!(entered, What::Queued { arrived: 0, sticky: None, kept: None, .. }));
    let mut ledger = Ledger::default();
    for (seq, what) in (1..).zip([arrived("+49301"), entered]) {
        ledger.apply(&Fact { seq, ..fact(call(1), MORNING, what) });
    }
    let mut saved = serde_json::to_value(&ledger).unwrap();
    saved.as_object_mut().unwrap().remove("lost_places");
    saved["records"]["live"][0]["progress"].as_object_mut().unwrap().remove("arrived");
    assert_eq!(serde_json::from_value::<Ledger>(saved).unwrap(), ledger);
}
