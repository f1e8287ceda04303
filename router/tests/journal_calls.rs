//! `fernamt calls` on a journal.
#![cfg(feature = "driver")]
#![allow(missing_docs)]

mod support;

use router::{
    command::calls::{write_ladder, write_line},
    journal::fact::{Cause, Fact, Fault, What},
    record::{Record, Records, Segment, Transfer},
};
use support::*;

fn record_of(facts: &[Fact]) -> Record {
    let mut records = Records::default();
    facts.iter().find_map(|fact| records.apply(fact)).unwrap()
}

fn ladder(record: &Record) -> String {
    let mut out = Vec::new();
    write_ladder(record, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_queue_call_reads_as_a_ladder_with_a_rung_for_each_leg() {
    let expected = "\
2026-11-25 08:00:00  +491701234567 → +493012345     support/anna   wait  11.0s ring  19.0s talk  1m00s  caller-hung-up
  ├◀─   0.0s  carrier      +491701234567                answered after 0.0s    PCMA 3000/3000 lost 2 ±0.8ms MOS 4.4
  ├─▶  12.0s  teams        bo +4930555001               taken back             PCMA 3000/3000 lost 2 ±0.8ms MOS 4.4
  └─▶  28.0s  teams        anna +4930555001             answered after 4.0s    PCMA 3000/3000 lost 2 ±0.8ms MOS 4.4
";
    assert_eq!(ladder(&record_of(&queue_call(call(1), MORNING))), expected);
}

#[test]
fn no_line_is_wider_than_120_columns_whatever_the_names_are() {
    let long = "sip:".to_owned() + &"ü".repeat(300);
    let mut facts = queue_call(call(1), MORNING);
    facts[0] = fact(call(1), MORNING, arrived(&long));
    let phrase = "x".repeat(200);
    let failed = What::LegFailed {
        leg: 1,
        status: 503,
        phrase,
        q850: None,
        reason: None,
        correlation: None,
        remote: true,
    };
    facts.insert(11, fact(call(1), MORNING + 20 * SECOND, failed));
    let mut record = record_of(&facts);
    record.cause = Some(Cause::RouterRestarted);
    record.talk_ms = 90_061_000;
    record.queue = Some(long.clone());
    for leg in &mut record.legs {
        (leg.trunk, leg.party) = (long.clone(), long.clone());
        if let Some(media) = &mut leg.media {
            (media.packets_in, media.packets_out, media.lost, media.jitter_us) =
                (1_234_567, 1_234_567, 99_999, 999_999);
        }
    }
    let ladder = ladder(&record);
    assert!(ladder.lines().all(|line| line.chars().count() <= 120), "{ladder}");
}

#[test]
fn a_record_as_json_is_one_line_with_iso_times_and_lengths_that_add_up() {
    let mut out = Vec::new();
    write_line(&record_of(&queue_call(call(255), MORNING)), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches('\n').count(), 1);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["call"], format!("{MORNING:x}-ff"));
    assert_eq!(json["arrived_at"], "2026-11-25T08:00:00.000000Z");
    assert_eq!(json["connected_at"], "2026-11-25T08:00:32.000000Z");
    assert_eq!((&json["cause"], &json["fault"]), (&"caller-hung-up".into(), &"none".into()));
    assert_eq!(json["legs"][2]["media"]["jitter_us"], 850);
    assert_eq!(json["legs"][2]["media"]["quality"]["mos_conversational"], 4.39);
    let parts: u64 =
        ["flow_ms", "wait_ms", "ring_ms", "talk_ms"].iter().map(|part| json[*part].as_u64().unwrap()).sum();
    assert_eq!(json["total_ms"], parts);
    assert_eq!(Fault::None.word(), json["fault"]);
}

#[test]
fn the_json_of_a_call_tells_who_spoke_with_whom_and_what_was_transferred() {
    let mut record = record_of(&queue_call(call(1), MORNING));
    let agent = Some("anna".to_owned());
    record.segments = vec![Segment { caller: 0, leg: 2, agent: agent.clone(), from: MORNING, until: None }];
    let (to, destination) = ("8001".to_owned(), "queue.sales".to_owned());
    record.transfers = vec![Transfer { at: MORNING, by: 2, agent, to, destination, status: Some(200) }];
    record.went_to = Some(call(2));
    let mut out = Vec::new();
    write_line(&record, &mut out).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let at = "2026-11-25T08:00:00.000000Z";
    let segment = serde_json::json!({ "caller": 0, "leg": 2, "agent": "anna", "from": at, "until": null });
    let transfer = serde_json::json!({
        "at": at, "by": 2, "agent": "anna", "to": "8001", "destination": "queue.sales", "status": 200,
    });
    assert_eq!((&json["segments"], &json["transfers"]), (&[segment].into(), &[transfer].into()));
    assert_eq!(json["went_to"], call(2).to_string());
}

#[test]
fn a_reader_that_went_away_is_told_apart_from_an_output_that_fails() {
    struct Gone(std::io::ErrorKind);
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let record = record_of(&direct_call(call(1), MORNING));
    for (kind, gone) in [(std::io::ErrorKind::BrokenPipe, true), (std::io::ErrorKind::StorageFull, false)] {
        assert_eq!(write_line(&record, &mut Gone(kind)).unwrap_err().is_broken_pipe(), gone);
        assert_eq!(write_ladder(&record, &mut Gone(kind)).unwrap_err().is_broken_pipe(), gone);
    }
}
