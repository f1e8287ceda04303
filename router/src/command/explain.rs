//! `fernamt explain CALL`: why a caller waited as long as he did, and why he was given this agent.
//!
//! A fold over the facts of the call: nothing is asked of the running router, so it says the same a year later.

use std::{io::Write, path::Path, str::FromStr};

use super::{
    CommandError,
    table::{clock, date, span, word},
};
use crate::{
    clock::millis_between,
    driver::{
        journal_store::FILE,
        journal_writer::{self, JournalError},
    },
    journal::fact::{
        CallId, CallbackEnd, Cure, DeadAir, Fact, LegMedia, Micros, RecordingStep, TransferStep, Unanswered,
        What,
    },
    reason::Reason,
    standing,
};

/// More of the samples at full scale than one in a hundred is distortion that people hear.
const CLIPPED_PPM: u32 = 10_000;

/// Which call is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// `last`: the last that ended.
    Last,
    /// This one.
    Call(CallId),
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Which, String> {
        if text == "last" {
            return Ok(Which::Last);
        }
        let unknown = |_| "write `last`, or a call as `fernamt calls --json` names it".to_owned();
        text.parse().map(Which::Call).map_err(unknown)
    }
}

/// Writes what happened to a call in queues, a line a step.
///
/// # Errors
/// [`CommandError::Journal`] if there is no journal or it cannot be read, `Refused` if it does not know the call,
/// `Output` if `out` cannot be written.
pub fn explain(data_dir: &Path, which: Which, out: &mut dyn Write) -> Result<(), CommandError> {
    let store = journal_writer::read(data_dir)?;
    let path = data_dir.join(FILE);
    let database = |source| JournalError::Database { path: path.clone(), source };
    let refused = |what: String| CommandError::Refused { reason: format!("{}: {what}", path.display()) };
    let call = match which {
        Which::Call(call) => call,
        Which::Last => {
            let last = store.last_calls(1).map_err(database)?;
            last.first().ok_or_else(|| refused("no call has ended yet".to_owned()))?.call
        }
    };
    let facts = store.facts_of(call).map_err(database)?;
    if facts.is_empty() {
        return Err(refused(format!("there is no call {call}; `fernamt calls --json` names them")));
    }
    if let Some(What::CallbackBegun { callback, .. }) = facts.first().map(|fact| &fact.what) {
        write(&store.facts_of(*callback).map_err(database)?, out)?;
    }
    write(&facts, out)
}

/// The same from the facts of one call.
///
/// # Errors
/// `Output` if `out` cannot be written.
pub fn write(facts: &[Fact], out: &mut dyn Write) -> Result<(), CommandError> {
    let mut beside = 0;
    for fact in facts {
        if let What::Assigned { beside: others, .. } = fact.what {
            beside = others;
        }
        for (at, line) in lines_of(fact, beside).into_iter().enumerate() {
            let time = if at == 0 { clock(fact.at) } else { String::new() };
            writeln!(out, "{time:<12}  {line}")?;
        }
    }
    if !facts.iter().any(|fact| matches!(fact.what, What::Queued { .. } | What::Left { .. })) {
        writeln!(out, "{:<12}  the call was in no queue", "")?;
    }
    Ok(())
}

/// What one fact tells about waiting; nothing for most. `beside`: how many rang already when the last agent was assigned.
fn lines_of(fact: &Fact, beside: u8) -> Vec<String> {
    match &fact.what {
        What::Arrived { from, to, trunk, diverted_from, hairpin_of, .. } => {
            let from = if from.is_empty() { "(withheld)" } else { from };
            let by = diverted_from.as_ref().map(|by| format!(", diverted from {by}")).unwrap_or_default();
            let back = hairpin_of.map(|call| format!("it is call {call} of ours, come back to us"));
            [format!("{}: {from} calls {to} by {trunk}{by}", date(fact.at))].into_iter().chain(back).collect()
        }
        What::Emergency { number, trunks } => {
            vec![format!(
                "is an emergency call to {number}; it is tried by {} in this order",
                trunks.join(", ")
            )]
        }
        What::TollRefused { agent, why } => {
            vec![format!("{agent} may not call there: {}", why.word())]
        }
        What::CallbackAsked { queue, dial, tries, expires, .. } => {
            let until = date(*expires);
            vec![format!("asks to be called back at {dial} by {queue}: {tries} times at most, until {until}")]
        }
        What::CallbackAwaited { queue, callback } => {
            vec![format!("asks to be called back by {queue}, as he had in call {callback}: that one counts")]
        }
        What::CallbackBegun { callback, from, tries, .. } => vec![format!(
            "{}: {from} is to be called back, as he asked in call {callback}; {tries} tries left",
            date(fact.at)
        )],
        What::CallbackPutOff { until, tried, .. } => {
            let why = if *tried { "he was not reached" } else { "he was not called" };
            vec![format!("the callback is put off until {}: {why}", clock(*until))]
        }
        What::CallbackOver { how: CallbackEnd::Reached, .. } => {
            vec!["the callback has reached him".to_owned()]
        }
        What::CallbackOver { how, .. } => vec![format!("the callback is given up: {}", how.word())],
        What::Queued { queue, place, estimate_ms, .. } => {
            let wait = estimate_ms.map(|ms| format!("; estimated to wait {} at most", span(ms)));
            vec![format!("enters {queue} at place {place}{}{}", ahead_by(fact), wait.unwrap_or_default())]
        }
        What::OpenToAll { agent, .. } => vec![format!("waits no longer for {agent} alone")],
        What::Widened { queue, step } => vec![format!("accepts more agents: step {step} of {queue}.widen")],
        What::Assigned { queue, agent, waited_ms, beside: 0 } => {
            vec![format!("is given to {agent} after {} in {queue}", span(*waited_ms))]
        }
        What::Assigned { queue, agent, waited_ms, beside } => {
            let others = if *beside == 1 { "1 other".to_owned() } else { format!("{beside} others") };
            vec![format!("{agent} rings too, beside {others}, after {} in {queue}", span(*waited_ms))]
        }
        What::PathBroken { leg, why } => vec![format!("no sound can come or go at leg {leg}: {why}")],
        What::HeldBack { agents, more, .. } => {
            let names = agents.iter().map(|(agent, says)| format!("{agent} ({says})"));
            let more = (*more > 0).then(|| format!("{more} more"));
            let names = names.chain(more).collect::<Vec<_>>().join(", ");
            vec![format!("not rung because of their presence: {names}")]
        }
        What::Chosen { .. } => why(&fact.what).split_off(usize::from(beside > 0)), // of those beside: why they
        What::Unanswered { agent, why: Unanswered::Silent, .. } => {
            vec![format!("{agent}: answered, but no sound came from the telephone; he keeps his place")]
        }
        What::Unanswered { agent, why, rang_ms } => {
            let place = if why.is_of_the_agent() { "; he keeps his place" } else { "" };
            vec![format!("{agent}: {} after {}{place}", why.word(), span(*rang_ms))]
        }
        What::Left { queue, how, waited_ms, .. } => {
            vec![format!("leaves {queue} after {}: {}", span(*waited_ms), word(how))]
        }
        What::AttemptFailed { target, status, phrase, next, .. } => {
            vec![format!("{target} does not take the call ({status} {phrase}): {next} is tried")]
        }
        What::ConferenceJoined { conference } => vec![format!("joins the conference {conference}")],
        What::ConferenceFull => vec!["finds no room in it".to_owned()],
        What::VoicemailLeft { mailbox, file: Some(file), length_ms, end } => {
            let length = span(*length_ms);
            vec![format!("leaves a message of {length} for {mailbox} (ended by {}): {file}", end.word())]
        }
        What::VoicemailLeft { mailbox, length_ms, end, .. } => {
            let length = span(*length_ms);
            vec![format!(
                "leaves no message for {mailbox}: under a second was said in {length} ({})",
                end.word()
            )]
        }
        What::Recording(step) => vec![recording(step)],
        What::Transfer(step) => transfer(step).into_iter().collect(),
        What::LegFailed { status, phrase, q850, reason, correlation, .. } => {
            let told = Reason { cause: *q850, text: reason.clone(), correlation: correlation.clone() };
            told.in_words()
                .map(|words| format!("a leg fails with {status} {phrase}: {words}"))
                .into_iter()
                .collect()
        }
        What::DeadAir { leg, why, cure } => vec![dead_air(*leg, *why, *cure)],
        What::LegEnded { leg, media } => sound(*leg, media).into_iter().collect(),
        What::Ended { cause, reason, .. } => {
            let words = reason.as_deref().and_then(|reason| Reason::q850(reason).in_words());
            let words = words.map(|words| format!(" ({words})")).unwrap_or_default();
            vec![format!("the call ends: {}{words}", cause.word())]
        }
        _ => vec![],
    }
}

fn recording(step: &RecordingStep) -> String {
    match step {
        RecordingStep::Announced { policy, prompt } => {
            format!("is told that he will be recorded by recording.{policy}: {prompt}")
        }
        RecordingStep::Began { policy, file, by, tone_ms } => {
            let tone = tone_ms.map(|ms| format!(", with a tone every {}", span(ms))).unwrap_or_default();
            format!("is recorded from now on by recording.{policy} ({by}){tone}: {file}")
        }
        RecordingStep::Paused { reason } => format!("the recording is paused: {reason}"),
        RecordingStep::Resumed { by } => format!("the recording goes on ({by})"),
        RecordingStep::Ended { length_ms, why, .. } => {
            format!("the recording ends after {}: {why}", span(*length_ms))
        }
        RecordingStep::Failed { file: None, why } => format!("cannot be recorded: {why}"),
        RecordingStep::Failed { file: Some(file), why } => format!("{file}: {why}"),
    }
}

fn dead_air(leg: u16, why: DeadAir, cure: Cure) -> String {
    let seen = match why {
        DeadAir::Nothing => "no packet came",
        DeadAir::WrongSource => "packets came from a wrong address only",
        DeadAir::Unauthentic => "packets came that the SRTP key does not open",
        DeadAir::UnknownPayload => "packets came in a format that was not agreed",
        DeadAir::DigitalSilence => "digital silence came, as from a microphone that is off",
    };
    let done = match cure {
        Cure::None => "",
        Cure::Relatched => "; that address is believed from now on",
        Cure::Reinvited => "; a re-INVITE is sent",
    };
    format!("nobody is heard on {}: {seen}{done}", leg_name(leg))
}

fn leg_name(leg: u16) -> String {
    if leg == 0 { "the caller's leg".to_owned() } else { format!("leg {leg}") }
}

/// How a leg sounded: in what it differs from a good one.
fn sound(leg: u16, media: &LegMedia) -> Option<String> {
    let quality = media.quality.as_ref()?;
    let mut words = vec![format!(
        "MOS {:.1} listening, {:.1} talking",
        quality.mos_listening, quality.mos_conversational
    )];
    words.extend(quality.mos_remote.map(|mos| format!("{mos:.1} by the far end's report on us")));
    words.extend((quality.lost > 0).then(|| {
        format!(
            "{} packets lost, {} of them in {} bursts",
            quality.lost, quality.lost_in_bursts, quality.bursts
        )
    }));
    words.extend((quality.late > 0).then(|| format!("{} too late", quality.late)));
    words.extend(quality.speech_dbm0.map(|level| format!("speech at {level} dBm0")));
    words.extend(
        (quality.clipped_ppm > CLIPPED_PPM)
            .then(|| format!("clipped for {:.1} %", f64::from(quality.clipped_ppm) / 1e4)),
    );
    words.extend(
        quality
            .nothing_percent
            .filter(|percent| *percent > 0)
            .map(|percent| format!("digital silence for {percent} %")),
    );
    Some(format!("{} sounded: {}", leg_name(leg), words.join(", ")))
}

fn transfer(step: &TransferStep) -> Option<String> {
    let party = |by: &u16| if *by == 0 { "the caller".to_owned() } else { format!("the party of leg {by}") };
    Some(match step {
        TransferStep::Asked { by, agent, to, destination } => {
            let who = agent.clone().unwrap_or_else(|| party(by));
            format!("{who} transfers the other party to {to}: {destination}")
        }
        TransferStep::Refused { by, to, status } => {
            format!("{} may not transfer to {to}: {status}", party(by))
        }
        TransferStep::Over { status: 200, .. } => "the transfer is done".to_owned(),
        TransferStep::Over { status, .. } => format!("the transfer comes to nothing: {status}"),
        TransferStep::Left { .. } => "who transferred him had hung up".to_owned(),
        TransferStep::RingsBack { .. } => "who transferred him is rung".to_owned(),
        TransferStep::Gave { call } => format!("was a consultation: its party goes on in call {call}"),
        TransferStep::Came { from, party, agent, .. } => {
            format!("{} comes over from call {from}", agent.as_ref().unwrap_or(party))
        }
        TransferStep::Replaced { leg, party: new, .. } => format!("{new} takes the place of {}", party(leg)),
        TransferStep::CameRound { of, trunk, .. } => {
            format!("what leg {of} was sent has come round by {trunk}: he goes there himself")
        }
        TransferStep::Seated { .. } => return None,
    })
}

/// By what he stands where he stands.
fn ahead_by(queued: &Fact) -> String {
    let What::Queued { key, arrived, credits, sticky, kept, .. } = &queued.what else { return String::new() };
    if *arrived == 0 {
        // Written by an earlier version.
        let credit_ms = u64::try_from(queued.at).unwrap_or(0).saturating_sub(*key) / 1_000;
        return if credit_ms == 0 {
            String::new()
        } else {
            format!(", as if he had come {} sooner", span(credit_ms))
        };
    }
    let came_before = millis_between(*arrived, queued.at) > 0;
    let since = came_before.then(|| format!(", in line since {}", clock(*arrived)));
    let credits = credits.iter().map(|credit| format!("; {}", credit.in_words(span, clock)));
    let first = sticky.iter().map(|agent| format!("; waits first for {agent} alone, the last he spoke to"));
    let kept = kept.iter().map(|kept| {
        format!(", with the place of call {}, which our end cut off at {}", kept.call, clock(kept.lost_at))
    });
    kept.chain(since).chain(credits).chain(first).collect()
}

fn why(chosen: &What) -> Vec<String> {
    let What::Chosen {
        strategy,
        ahead,
        waiting,
        next_caller_key,
        caller_key,
        agent_key,
        idle,
        next_agent,
        next_agent_key,
        ..
    } = chosen
    else {
        return vec![];
    };
    let instant = |key: u64| clock(Micros::try_from(key).unwrap_or(0));
    let caller = match (waiting, ahead, next_caller_key) {
        (0, _, _) => "why he: nobody else waited".to_owned(),
        (_, 0, Some(next)) => format!(
            "why he: the first of {} (key {}); the next has {}",
            waiting + 1,
            instant(*caller_key),
            instant(*next)
        ),
        (_, ahead, _) => format!(
            "why he: of {} the first whom this agent may serve (key {}); {ahead} with smaller keys accept others",
            waiting + 1,
            instant(*caller_key)
        ),
    };
    let told = |key: u64| standing::in_words(strategy, key, clock);
    let agent = match (next_agent, next_agent_key) {
        _ if strategy == standing::STICKY => "why this agent: the last he spoke to".to_owned(),
        (Some(next), Some(key)) => format!(
            "why this agent: {strategy} ({}); next of {idle} others {next} ({})",
            told(*agent_key),
            told(*key)
        ),
        _ => format!("why this agent: {strategy} ({}); no other was idle for him", told(*agent_key)),
    };
    vec![caller, agent]
}
