//! `fernamt calls [--last N] [--json]`: finished calls from the journal, also while the router runs.

use std::{
    io::{self, Write},
    path::Path,
};

use serde::Serialize;

use super::{
    CommandError,
    table::{clip, date, iso, span},
};
use crate::{
    driver::{
        journal_store::FILE,
        journal_writer::{self, JournalError},
    },
    journal::fact::{LegMedia, Micros},
    reason::Reason,
    record::{CallRecording, Leg, Record, Segment, Transfer},
};

/// Writes the last finished calls of the journal in `data_dir`, oldest first: a ladder for people, or one JSON object
/// a line.
///
/// # Errors
/// [`CommandError::Journal`] if there is no journal or it cannot be read, `Output` if `out` cannot be written.
pub fn calls(data_dir: &Path, last: u32, json: bool, out: &mut dyn Write) -> Result<(), CommandError> {
    let store = journal_writer::read(data_dir)?;
    let database = |source| JournalError::Database { path: data_dir.join(FILE), source };
    let records = store.last_calls(last).map_err(database)?;
    match json {
        true => records.iter().try_for_each(|record| write_line(record, out)),
        false => records.iter().try_for_each(|record| write_ladder(record, out)),
    }
}

/// One record as one JSON object on one line. Times are RFC 3339 in UTC, lengths milliseconds.
///
/// # Errors
/// `Output` if `out` cannot be written.
pub fn write_line(record: &Record, out: &mut dyn Write) -> Result<(), CommandError> {
    serde_json::to_writer(&mut *out, &Line::of(record)).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

/// One record as a ladder: the call, then a rung for each leg. At most 120 columns.
///
/// # Errors
/// `Output` if `out` cannot be written.
pub fn write_ladder(record: &Record, out: &mut dyn Write) -> Result<(), CommandError> {
    let who = format!("{} → {}", shown(&record.from), shown(&record.to));
    let place = match (&record.queue, &record.agent) {
        (Some(queue), Some(agent)) => format!("{queue}/{agent}"),
        (Some(queue), None) => queue.clone(),
        (None, _) => record.flow.clone(),
    };
    let lengths = [("wait", record.wait_ms), ("ring", record.ring_ms), ("talk", record.talk_ms)];
    let lengths = lengths.map(|(name, ms)| format!("{name} {:>6}", span(ms))).join(" ");
    let end = record.cause.map_or("", |cause| cause.word());
    writeln!(
        out,
        "{}  {:<30} {:<14} {lengths}  {}",
        date(record.arrived_at),
        clip(&who, 30),
        clip(&place, 14),
        clip(end, 16)
    )?;
    let last = record.legs.len().saturating_sub(1);
    record.recordings.iter().try_for_each(|recording| write_recording(record, recording, out))?;
    for (index, leg) in record.legs.iter().enumerate() {
        write_rung(record, leg, if index == last { "└" } else { "├" }, out)?;
    }
    Ok(())
}

fn write_recording(
    record: &Record,
    recording: &CallRecording,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let since = |at: Micros| span(u64::try_from((at - record.arrived_at) / 1_000).unwrap_or(0));
    let pauses: Vec<&str> = recording.pauses.iter().map(|pause| pause.reason.as_str()).collect();
    let paused = if pauses.is_empty() { String::new() } else { format!(", paused: {}", pauses.join("; ")) };
    let what = match &recording.failed {
        Some(why) if recording.file.is_empty() => format!("not recorded: {why}"),
        Some(why) => format!("{}{paused}, {why}", recording.file),
        None => format!("{}{paused}", recording.file),
    };
    writeln!(out, "  ├●  {:>6}  {}", since(recording.from), clip(&what, 105))?;
    Ok(())
}

fn write_rung(record: &Record, leg: &Leg, branch: &str, out: &mut dyn Write) -> Result<(), CommandError> {
    let after = span(u64::try_from((leg.invited_at - record.arrived_at) / 1_000).unwrap_or(0));
    let arrow = if leg.leg == 0 { "◀─" } else { "─▶" };
    let party = match &leg.agent {
        Some(agent) => format!("{agent} {}", leg.party),
        None => leg.party.clone(),
    };
    let outcome = match (leg.status, leg.answered_at) {
        (_, Some(answered)) => format!(
            "answered after {}",
            span(u64::try_from((answered - leg.invited_at) / 1_000).unwrap_or(0))
        ),
        (Some(status), None) => format!("{status} {}", leg.phrase.as_deref().unwrap_or_default()),
        (None, None) => "taken back".to_owned(),
    };
    let media = leg.media.as_ref().map(media).unwrap_or_default();
    let rung = format!(
        "  {branch}{arrow} {after:>6}  {:<12} {:<28} {:<22} {media}",
        clip(&leg.trunk, 12),
        clip(shown(&party), 28),
        clip(outcome.trim_end(), 22)
    );
    writeln!(out, "{}", rung.trim_end())?;
    let Leg { q850: cause, reason: text, correlation, .. } = leg.clone();
    match (Reason { cause, text, correlation }).in_words() {
        Some(words) => {
            Ok(writeln!(out, "  {}           {}", if branch == "└" { " " } else { "│" }, clip(&words, 105))?)
        }
        None => Ok(()),
    }
}

fn media(media: &LegMedia) -> String {
    let LegMedia { codec, packets_in, packets_out, lost, jitter_us, srtp, unauthentic, quality, .. } = media;
    let suite = srtp.as_ref().map(|suite| format!(" {suite}")).unwrap_or_default();
    let failed = if *unauthentic > 0 { format!(", {unauthentic} not authentic") } else { String::new() };
    let opinion = quality.as_ref().map(|quality| format!(" MOS {:.1}", quality.mos_listening));
    let opinion = opinion.unwrap_or_default();
    format!(
        "{codec} {}/{} lost {} ±{}ms{opinion}{suite}{failed}",
        short(*packets_in),
        short(*packets_out),
        short(*lost),
        tenths(*jitter_us)
    )
}

/// A count in five characters at most, for a line has 120; the JSON has it whole.
fn short(count: u64) -> String {
    if count < 10_000 { count.to_string() } else { format!("{}k", count / 1_000) }
}

/// Milliseconds, below a hundred with one decimal.
fn tenths(us: u32) -> String {
    if us < 100_000 { format!("{}.{}", us / 1_000, us % 1_000 / 100) } else { (us / 1_000).to_string() }
}

fn shown(address: &str) -> &str {
    if address.is_empty() { "(withheld)" } else { address }
}

/// A record as users of the JSON see it.
#[derive(Debug, Serialize)]
struct Line<'a> {
    call: String,
    generation: u64,
    arrived_at: String,
    answered_at: Option<String>,
    connected_at: Option<String>,
    ended_at: Option<String>,
    trunk: &'a str,
    source: &'a str,
    from: &'a str,
    to: &'a str,
    diverted_from: Option<&'a str>,
    hairpin_of: Option<String>,
    emergency: bool,
    number: &'a str,
    flow: &'a str,
    keys: &'a str,
    queue: Option<&'a str>,
    agent: Option<&'a str>,
    unanswered: u16,
    total_ms: u64,
    flow_ms: u64,
    wait_ms: u64,
    ring_ms: u64,
    talk_ms: u64,
    hold_ms: u64,
    sound_ms: Option<u64>,
    cause: Option<&'static str>,
    fault: Option<&'static str>,
    status: Option<u16>,
    q850: Option<u16>,
    reason: Option<&'a str>,
    correlation: Option<String>,
    legs: Vec<LegLine<'a>>,
    segments: Vec<SegmentLine<'a>>,
    transfers: Vec<TransferLine<'a>>,
    recordings: Vec<RecordingLine<'a>>,
    went_to: Option<String>,
}

/// Two parties who were connected; the legs by their numbers.
#[derive(Debug, Serialize)]
struct SegmentLine<'a> {
    caller: u16,
    leg: u16,
    agent: Option<&'a str>,
    from: String,
    until: Option<String>,
}

/// A transfer that was asked for.
#[derive(Debug, Serialize)]
struct TransferLine<'a> {
    at: String,
    by: u16,
    agent: Option<&'a str>,
    to: &'a str,
    destination: &'a str,
    status: Option<u16>,
}

/// A recording of the call.
#[derive(Debug, Serialize)]
struct RecordingLine<'a> {
    file: &'a str,
    policy: &'a str,
    by: &'a str,
    from: String,
    until: Option<String>,
    pauses: Vec<PauseLine<'a>>,
    failed: Option<&'a str>,
}

/// A time in which nothing was recorded.
#[derive(Debug, Serialize)]
struct PauseLine<'a> {
    from: String,
    until: Option<String>,
    reason: &'a str,
}

#[derive(Debug, Serialize)]
struct LegLine<'a> {
    leg: u16,
    sip_call_id: &'a str,
    trunk: &'a str,
    party: &'a str,
    agent: Option<&'a str>,
    invited_at: String,
    ringing_at: Option<String>,
    answered_at: Option<String>,
    ended_at: Option<String>,
    status: Option<u16>,
    phrase: Option<&'a str>,
    q850: Option<u16>,
    reason: Option<&'a str>,
    correlation: Option<&'a str>,
    remote: Option<bool>,
    dead_air: Option<&'static str>,
    media: Option<&'a LegMedia>,
}

impl<'a> Line<'a> {
    fn of(record: &'a Record) -> Line<'a> {
        Line {
            call: record.call.to_string(),
            generation: record.generation,
            arrived_at: iso(record.arrived_at),
            answered_at: maybe(record.answered_at),
            connected_at: maybe(record.connected_at),
            ended_at: maybe(record.ended_at),
            trunk: &record.trunk,
            source: &record.source,
            from: &record.from,
            to: &record.to,
            diverted_from: record.diverted_from(),
            emergency: record.legs.first().is_some_and(|leg| leg.emergency),
            hairpin_of: record.legs.first().and_then(|leg| leg.hairpin_of).map(|call| call.to_string()),
            number: &record.number,
            flow: &record.flow,
            keys: &record.keys,
            queue: record.queue.as_deref(),
            agent: record.agent.as_deref(),
            unanswered: record.unanswered,
            total_ms: record.total_ms(),
            flow_ms: record.flow_ms,
            wait_ms: record.wait_ms,
            ring_ms: record.ring_ms,
            talk_ms: record.talk_ms,
            hold_ms: record.hold_ms,
            sound_ms: record.sound_ms,
            cause: record.cause.map(|cause| cause.word()),
            fault: record.fault.map(|fault| fault.word()),
            status: record.status,
            q850: record.q850,
            reason: record.reason.as_deref(),
            correlation: record.correlation(),
            legs: record.legs.iter().map(LegLine::of).collect(),
            segments: record.segments.iter().map(SegmentLine::of).collect(),
            transfers: record.transfers.iter().map(TransferLine::of).collect(),
            recordings: record.recordings.iter().map(RecordingLine::of).collect(),
            went_to: record.went_to.map(|call| call.to_string()),
        }
    }
}

impl<'a> SegmentLine<'a> {
    fn of(segment: &'a Segment) -> SegmentLine<'a> {
        let Segment { caller, leg, agent, from, until } = segment;
        SegmentLine {
            caller: *caller,
            leg: *leg,
            agent: agent.as_deref(),
            from: iso(*from),
            until: maybe(*until),
        }
    }
}

impl<'a> TransferLine<'a> {
    fn of(transfer: &'a Transfer) -> TransferLine<'a> {
        let Transfer { at, by, agent, to, destination, status } = transfer;
        TransferLine { at: iso(*at), by: *by, agent: agent.as_deref(), to, destination, status: *status }
    }
}

impl<'a> RecordingLine<'a> {
    fn of(recording: &'a CallRecording) -> RecordingLine<'a> {
        let pauses = recording.pauses.iter().map(|pause| PauseLine {
            from: iso(pause.from),
            until: maybe(pause.until),
            reason: &pause.reason,
        });
        RecordingLine {
            file: &recording.file,
            policy: &recording.policy,
            by: &recording.by,
            from: iso(recording.from),
            until: maybe(recording.until),
            pauses: pauses.collect(),
            failed: recording.failed.as_deref(),
        }
    }
}

impl<'a> LegLine<'a> {
    fn of(leg: &'a Leg) -> LegLine<'a> {
        LegLine {
            leg: leg.leg,
            sip_call_id: &leg.sip_call_id,
            trunk: &leg.trunk,
            party: &leg.party,
            agent: leg.agent.as_deref(),
            invited_at: iso(leg.invited_at),
            ringing_at: maybe(leg.ringing_at),
            answered_at: maybe(leg.answered_at),
            ended_at: maybe(leg.ended_at),
            status: leg.status,
            phrase: leg.phrase.as_deref(),
            q850: leg.q850,
            reason: leg.reason.as_deref(),
            correlation: leg.correlation.as_deref(),
            remote: leg.remote,
            dead_air: leg.dead_air.map(|why| why.word()),
            media: leg.media.as_ref(),
        }
    }
}

fn maybe(at: Option<Micros>) -> Option<String> {
    at.map(iso)
}
