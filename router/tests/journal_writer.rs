//! The journal on a real disk: restarts, crashes, a locked file.
#![cfg(feature = "driver")]
#![allow(missing_docs)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use router::{
    config::{JournalConfig, Synchronous},
    driver::journal_writer::{JournalError, JournalSettings, Opened, open, read, rebuild},
    driver::shard_thread::utc_now,
    journal::fact::{Cause, Fact, LeftQueue, Micros, What, Wish},
    record::Records,
    service::{Service, ServiceState},
};
use support::*;

const PATIENCE: Duration = Duration::from_secs(20);
const DAY: Duration = Duration::from_secs(86_400);

/// A directory of this test's own, gone with it.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Dir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("fernamt-journal-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).unwrap();
        Dir(dir)
    }

    fn file(&self) -> PathBuf {
        self.0.join("journal.sqlite")
    }

    /// What the disk holds at this instant, as a `kill -9` would leave it.
    fn as_after_a_crash(&self) -> Dir {
        let copy = Dir::new();
        for name in ["journal.sqlite", "journal.sqlite-wal"] {
            fs::copy(self.0.join(name), copy.0.join(name)).unwrap();
        }
        copy
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn settings(dir: &Path, started_at: Micros) -> JournalSettings {
    JournalSettings {
        data_dir: dir.to_owned(),
        config: JournalConfig {
            retention: 90 * DAY,
            spill: 10_000,
            synchronous: Synchronous::Normal,
            flush: Duration::from_millis(10),
        },
        version: "0.1.0".into(),
        generation: 3,
        started_at,
    }
}

fn start(dir: &Dir, started_at: Micros) -> (Opened, ServiceState) {
    let service = ServiceState::starting();
    service.started();
    (open(settings(&dir.0, started_at), service.clone()).unwrap(), service)
}

fn facts(dir: &Dir) -> Vec<Fact> {
    let mut facts = Vec::new();
    read(&dir.0)
        .unwrap()
        .facts_after(0, |fact| {
            facts.push(fact);
            Ok(())
        })
        .unwrap();
    facts
}

#[test]
fn after_a_clean_stop_every_fact_is_on_disk_in_order_and_each_record_is_the_fold_over_them() {
    let dir = Dir::new();
    let (opened, _) = start(&dir, MORNING);
    let told: Vec<_> = (0..300).flat_map(|key| queue_call(call(key), MORNING)).collect();
    opened.journal.append_all(told.clone());
    assert!(opened.writer.stop(MORNING + 100 * SECOND, 3));

    let written = facts(&dir);
    assert!(written.iter().zip(1..).all(|(fact, seq)| fact.seq == seq), "no hole, nothing twice");
    assert!(matches!(written.first().unwrap().what, What::Started { .. }));
    assert!(matches!(written.last().unwrap().what, What::Stopped));
    let same = |(written, told): (&Fact, &Fact)| Fact { seq: 0, ..written.clone() } == *told;
    assert!(written[1..].iter().zip(&told).all(same));

    let mut records = Records::default();
    let folded: Vec<_> = written.iter().filter_map(|fact| records.apply(fact)).collect();
    assert_eq!(read(&dir.0).unwrap().last_calls(1_000).unwrap(), folded);
    assert_eq!(folded.len(), 300);
}

#[test]
fn a_flush_returns_when_the_facts_before_it_can_be_read_by_others() {
    let dir = Dir::new();
    let (opened, _) = start(&dir, MORNING);
    opened.journal.append_all(direct_call(call(7), MORNING));
    assert!(opened.journal.flush(PATIENCE));
    let records = read(&dir.0).unwrap().last_calls(10).unwrap();
    assert_eq!((records.len(), records[0].call), (1, call(7)));
    let store = read(&dir.0).unwrap();
    assert_eq!(store.facts_of(call(7)).unwrap().len(), direct_call(call(7), MORNING).len());
    assert_eq!(store.facts_of(call(8)).unwrap(), []);
    let counters = opened.journal.counters();
    assert_eq!(
        (counters.facts_written, counters.records_written, counters.waiting, counters.oldest),
        (10, 1, 0, None)
    );
    opened.writer.stop(MORNING, 3);
}

#[test]
fn a_call_that_a_crash_cut_off_gets_its_end_and_record_at_the_next_start_and_numbers_go_on() {
    let dir = Dir::new();
    let (opened, _) = start(&dir, MORNING);
    opened.journal.append_all(queue_call(call(1), MORNING).into_iter().take(8));
    opened.journal.append_all(direct_call(call(2), MORNING));
    assert!(opened.journal.flush(PATIENCE));
    let crashed = dir.as_after_a_crash();
    opened.writer.stop(MORNING, 3);

    let before = facts(&crashed);
    let (opened, _) = start(&crashed, MORNING + 3_600 * SECOND);
    assert_eq!(opened.restored.interrupted, 1);
    let places = serde_json::to_value(&opened.restored.lost_places).unwrap();
    assert_eq!(places[0]["queue"], "support");
    assert_eq!(opened.restored.run, MORNING + 3_600 * SECOND);
    let support = opened.restored.sums.queue("support");
    assert_eq!((support.entered, support.ended, support.waiting), (1, 1, 0));
    opened.writer.stop(MORNING + 3_601 * SECOND, 3);

    let after = facts(&crashed);
    assert!(after.iter().zip(1..).all(|(fact, seq)| fact.seq == seq));
    let new: Vec<_> = after[before.len()..].iter().map(|fact| &fact.what).collect();
    assert!(matches!(
        new[..],
        [
            What::Left { how: LeftQueue::Ended, .. },
            What::Ended { cause: Cause::RouterRestarted, .. },
            What::Started { .. },
            What::Stopped
        ]
    ));
    let records = read(&crashed.0).unwrap().last_calls(10).unwrap();
    let ends: Vec<_> = records.iter().map(|record| (record.call.key, record.cause.unwrap())).collect();
    assert_eq!(ends, [(2, Cause::CallerHungUp), (1, Cause::RouterRestarted)]);
    assert_eq!(records[1].ended_at, Some(MORNING + 8 * SECOND), "the last instant the journal proves");
}

#[test]
fn a_run_that_starts_before_the_last_one_by_a_clock_set_back_still_names_its_calls_differently() {
    let dir = Dir::new();
    let (opened, _) = start(&dir, MORNING);
    opened.writer.stop(MORNING, 3);
    let (opened, _) = start(&dir, MORNING - 3_600 * SECOND);
    assert_eq!(opened.restored.run, MORNING + 1);
    opened.writer.stop(MORNING, 3);
}

#[test]
fn the_last_wish_of_an_agent_survives_a_restart() {
    let dir = Dir::new();
    let (opened, _) = start(&dir, MORNING);
    for wish in [Wish::Ready, Wish::Paused] {
        let what = What::Wished { agent: "anna".into(), wish, reason: "lunch".into() };
        opened.journal.append(Fact { seq: 0, at: MORNING, call: None, generation: 3, what });
    }
    opened.writer.stop(MORNING, 3);
    let (opened, _) = start(&dir, MORNING + SECOND);
    assert_eq!(opened.restored.wishes.get("anna"), Some(&Wish::Paused));
    opened.writer.stop(MORNING, 3);
}

#[test]
fn a_queue_closed_by_hand_is_closed_after_a_restart_and_one_opened_again_is_not() {
    let dir = Dir::new();
    let (opened, _) = start(&dir, MORNING);
    for (queue, closed) in [("sales", true), ("support", true), ("sales", false)] {
        let what = What::QueueSwitched { queue: queue.into(), closed, reason: "fire".into() };
        opened.journal.append(Fact { seq: 0, at: MORNING, call: None, generation: 3, what });
    }
    opened.writer.stop(MORNING, 3);
    let (opened, _) = start(&dir, MORNING + SECOND);
    assert_eq!(Vec::from_iter(&opened.restored.closed), ["support"]);
    opened.writer.stop(MORNING, 3);
}

#[test]
fn a_locked_database_raises_the_alarm_and_loses_only_detail_that_the_gap_counts() {
    let dir = Dir::new();
    let service = ServiceState::starting();
    service.started();
    let mut settings = settings(&dir.0, MORNING);
    settings.config.spill = 400;
    let opened = open(settings, service.clone()).unwrap();
    let intruder = rusqlite::Connection::open(dir.file()).unwrap();
    intruder.execute_batch("BEGIN IMMEDIATE").unwrap();

    let told: Vec<_> = (0..20).flat_map(|key| queue_call(call(key), MORNING)).collect();
    opened.journal.append_all(told.clone());
    wait_until(|| service.get() == Service::NoJournal);
    assert!(!opened.journal.is_healthy());
    assert!(!opened.journal.flush(Duration::ZERO));
    let counters = opened.journal.counters();
    assert_eq!((counters.ok, counters.waiting, counters.facts_lost), (false, 400, told.len() as u64 - 400));

    intruder.execute_batch("COMMIT").unwrap();
    assert!(opened.journal.flush(PATIENCE));
    assert_eq!((service.get(), opened.journal.is_healthy()), (Service::Open, true));
    opened.writer.stop(MORNING, 3);

    let gaps: Vec<_> = facts(&dir).into_iter().filter(|fact| matches!(fact.what, What::Gap { .. })).collect();
    assert!(matches!(gaps[..], [Fact { what: What::Gap { lost: 60, calls: 0 }, .. }]), "{gaps:?}");
    let records = read(&dir.0).unwrap().last_calls(100).unwrap();
    assert_eq!(records.len(), 20);
    assert!(records.iter().all(|record| record.talk_ms == 60_000 && record.agent.as_deref() == Some("anna")));
}

/// `testbed/test` mounts a file system of 8 MB for it.
#[test]
#[ignore = "needs a small file system in FERNAMT_SMALL_DISK"]
fn a_full_disk_raises_the_alarm_and_everything_is_written_when_there_is_room_again() {
    let disk =
        PathBuf::from(std::env::var_os("FERNAMT_SMALL_DISK").expect("a directory on a small file system"));
    let dir = Dir(disk.join("data"));
    let (opened, service) = start(&dir, MORNING);
    let filler = disk.join("filler");
    let full = std::io::copy(&mut std::io::repeat(0), &mut fs::File::create(&filler).unwrap()).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);

    opened.journal.append_all((0..400).flat_map(|key| queue_call(call(key), MORNING)));
    wait_until(|| service.get() == Service::NoJournal);
    assert!(opened.journal.counters().waiting > 0);
    fs::remove_file(&filler).unwrap();
    assert!(opened.journal.flush(PATIENCE));
    assert_eq!((service.get(), opened.journal.counters().facts_lost), (Service::Open, 0));
    assert_eq!(read(&dir.0).unwrap().last_calls(1_000).unwrap().len(), 400);
    opened.writer.stop(MORNING, 3);
}

#[test]
fn the_records_made_anew_from_the_facts_are_the_records_that_were_there() {
    let dir = Dir::new();
    let (opened, _) = start(&dir, MORNING);
    opened.journal.append_all((0..50).flat_map(|key| queue_call(call(key), MORNING)));
    assert!(matches!(rebuild(&dir.0), Err(JournalError::InUse { .. })), "a router runs here");
    opened.writer.stop(MORNING, 3);
    let before = read(&dir.0).unwrap().last_calls(100).unwrap();
    rusqlite::Connection::open(dir.file())
        .unwrap()
        .execute("DELETE FROM calls WHERE key % 3 = 0", [])
        .unwrap();
    assert_eq!(rebuild(&dir.0).unwrap(), 50);
    assert_eq!(read(&dir.0).unwrap().last_calls(100).unwrap(), before);
    let (opened, _) = start(&dir, MORNING + SECOND);
    assert_eq!((opened.restored.interrupted, opened.restored.sums.queue("support").answered), (0, 50));
    opened.writer.stop(MORNING, 3);
}

/// Calls of 100 days ago and of today; the first caller of the old ones is not gone yet when they are forgotten.
#[test]
fn what_is_older_than_the_retention_goes_and_sums_wishes_and_live_calls_stay() {
    let (dir, days) = (Dir::new(), |days: i64| days * 86_400 * SECOND);
    let now = utc_now();
    let (opened, _) = start(&dir, now - days(101));
    let old = now - days(100);
    opened.journal.append_all(queue_call(call(0), old).drain(..8));
    for key in 1..=130 {
        opened.journal.append_all(queue_call(call(key), old));
        assert!(opened.journal.flush(PATIENCE), "a batch each: more than go at once");
    }
    let wished = What::Wished { agent: "anna".into(), wish: Wish::Paused, reason: String::new() };
    opened.journal.append(Fact { call: None, ..fact(call(0), old, wished) });
    assert!(opened.journal.flush(PATIENCE));
    opened.journal.append_all(queue_call(call(200), now));
    assert!(opened.journal.flush(PATIENCE));
    let crashed = dir.as_after_a_crash();
    opened.writer.stop(now, 3);

    let (opened, _) = start(&crashed, now);
    assert_eq!(opened.restored.sums.queue("support").answered, 131);
    let batches = || {
        let sql = "SELECT count(*) FROM batches WHERE last_at < ?1";
        let file = rusqlite::Connection::open(crashed.file()).unwrap();
        file.query_row(sql, [old + days(1)], |row| row.get::<_, i64>(0)).unwrap()
    };
    wait_until(|| batches() == 0);
    opened.writer.stop(now, 3);
    let kept = |dir: &Dir| read(&dir.0).unwrap().last_calls(1_000).unwrap();
    assert_eq!(kept(&crashed).iter().map(|record| record.call.key).collect::<Vec<_>>(), [200, 0]);

    let before = kept(&crashed);
    rusqlite::Connection::open(crashed.file()).unwrap().execute("DELETE FROM checkpoint", []).unwrap();
    assert_eq!(rebuild(&crashed.0).unwrap(), 2);
    assert_eq!(kept(&crashed), before, "the one that had begun before is whole");
    rusqlite::Connection::open(crashed.file()).unwrap().execute("DELETE FROM checkpoint", []).unwrap();
    let (opened, _) = start(&crashed, now + SECOND);
    let support = opened.restored.sums.queue("support");
    assert_eq!((support.entered, support.answered, support.ended, support.waiting), (132, 131, 1, 0));
    assert_eq!(opened.restored.wishes["anna"], Wish::Paused);
    opened.writer.stop(now, 3);
}

#[test]
fn two_routers_on_one_directory_a_newer_file_and_a_missing_one_are_each_refused_with_a_cure() {
    let dir = Dir::new();
    let absent = read(&dir.0).unwrap_err();
    assert!(matches!(absent, JournalError::Absent { .. }));
    assert!(absent.to_string().ends_with("no journal here; `fernamt run` makes it"));
    let (opened, _) = start(&dir, MORNING);
    let second = open(settings(&dir.0, MORNING), ServiceState::starting()).unwrap_err();
    assert!(matches!(second, JournalError::InUse { .. }), "{second}");
    opened.writer.stop(MORNING, 3);
    rusqlite::Connection::open(dir.file()).unwrap().execute("UPDATE meta SET value = 99", []).unwrap();
    assert!(matches!(
        open(settings(&dir.0, MORNING), ServiceState::starting()),
        Err(JournalError::Newer { schema: 99, .. })
    ));
    assert!(matches!(read(&dir.0), Err(JournalError::Newer { .. })));
}

#[test]
fn a_fact_that_cannot_be_read_costs_itself_and_not_the_start() {
    let dir = Dir::new();
    let (opened, _) = start(&dir, MORNING);
    opened.journal.append_all(direct_call(call(1), MORNING));
    assert!(opened.journal.flush(PATIENCE));
    let crashed = dir.as_after_a_crash();
    opened.writer.stop(MORNING, 3);
    let damage = "UPDATE batches SET facts = replace(facts, '\"is\":\"routed\"', '\"is\":\"rooted\"'); DELETE FROM checkpoint";
    rusqlite::Connection::open(crashed.file()).unwrap().execute_batch(damage).unwrap();
    assert_eq!(facts(&crashed).len(), 10, "one of eleven is lost");
    let (opened, _) = start(&crashed, MORNING + SECOND);
    assert_eq!(opened.restored.interrupted, 0);
    opened.writer.stop(MORNING, 3);
}

/// The writer's thread has a clock of its own; a test that waits for it gives up after 20 s.
#[allow(clippy::disallowed_methods)]
fn wait_until(condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it never happened");
        std::thread::yield_now();
    }
}
