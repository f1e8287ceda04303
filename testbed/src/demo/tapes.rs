//! What the router has recorded, listened to: the caller's voice left and the agent's right, for as long as they talked.

use std::{fs, path::Path, process::Command};

use media::{tone, wav::Wav};
use router::config::Config;
use serde_json::Value;

use super::{
    books::{Record, Verdict},
    cast,
};

/// Samples of 20 ms, and a second of them.
const FRAME: usize = 160;
const SECOND: usize = 8_000;
/// At this level or above a voice is heard, in decibels; telephones speak at -10.
const HEARD_DBFS: f32 = -13.0;
/// In so many frames of a hundred a voice must be heard, and in no more its own in the other channel.
const HEARD: usize = 90;
const STRAY: usize = 2;
/// Recording and record are dated by two threads: they may differ by so much.
const APART_MS: i64 = 40;

/// A recording that a record names.
struct Tape<'a> {
    file: &'a str,
    length_ms: i64,
    caller: u16,
    agent: u16,
}

impl Tape<'_> {
    fn of(record: &Record) -> Option<Tape<'_>> {
        let recording = record.0["recordings"].get(0)?;
        let at = |key: &str| recording[key].as_str()?.parse::<jiff::Timestamp>().ok();
        let length_ms = at("until")?.as_millisecond() - at("from")?.as_millisecond();
        let caller =
            (0..cast::callers().len() as u8).find(|index| record.0["from"] == cast::number(*index))?;
        let agent = cast::agents().iter().position(|agent| record.0["agent"] == agent.name)?;
        let agent = cast::voice((cast::callers().len() + agent) as u8);
        Some(Tape { file: recording["file"].as_str()?, length_ms, caller: cast::voice(caller), agent })
    }

    /// What is wrong with it.
    fn listen(&self, folder: &Path) -> Result<(), String> {
        let bytes = fs::read(folder.join(self.file)).map_err(|error| error.to_string())?;
        let wav = Wav::parse(&bytes).map_err(|error| error.to_string())?;
        if (wav.channels(), wav.rate()) != (2, 8_000) {
            return Err(format!("{} channels, {} Hz", wav.channels(), wav.rate()));
        }
        let length_ms = (wav.frames() / 8) as i64;
        if (length_ms - self.length_ms).abs() > APART_MS {
            return Err(format!("{length_ms} ms long instead of {}", self.length_ms));
        }
        let sound = &bytes[bytes.len() - wav.frames() * 4..];
        let channel = |skip: usize| -> Vec<i16> {
            sound.chunks_exact(4).map(|frame| i16::from_le_bytes([frame[skip], frame[skip + 1]])).collect()
        };
        let (left, right) = (channel(0), channel(2));
        let sides = [("caller", &left, self.caller, self.agent), ("agent", &right, self.agent, self.caller)];
        for (whose, sound, own, other) in sides {
            let sound = &sound[SECOND / 4..sound.len() - SECOND / 4];
            let (heard, strays) = (percent(sound, own), percent(sound, other));
            if heard < HEARD || strays > STRAY {
                return Err(format!("{whose}: {own} Hz in {heard} % of it, {other} Hz in {strays} %"));
            }
        }
        Ok(())
    }
}

/// In how many frames of a hundred this voice is heard.
fn percent(sound: &[i16], hz: u16) -> usize {
    let heard = |frame: &&[i16]| tone::level_at(frame, f32::from(hz)) >= HEARD_DBFS;
    sound.chunks_exact(FRAME).filter(heard).count() * 100 / (sound.len() / FRAME).max(1)
}

/// Every connected call has its recording in the manifest.
pub(super) fn are_there(config: &Config, talks: usize) -> bool {
    let manifest = fs::read_to_string(config.recordings.folder.join("manifest.jsonl")).unwrap_or_default();
    manifest.lines().count() >= talks
}

/// Listens to all, and lets the program verify them.
pub(super) fn judge(
    config: &Config,
    (fernamt, file): (&Path, &Path),
    records: &[Record],
    verdict: &mut Verdict,
) -> Result<(), String> {
    let connected = |record: &&Record| record.0["connected_at"] != Value::Null;
    let mut played = 0;
    for record in records.iter().filter(connected) {
        match Tape::of(record) {
            None => verdict.hold(false, &format!("a call of {} has no recording", record.0["from"])),
            Some(tape) => match tape.listen(&config.recordings.folder) {
                Ok(()) => played += 1,
                Err(why) => verdict.hold(false, &format!("{}: {why}", tape.file)),
            },
        }
    }
    let verified = Command::new(fernamt).args(["recordings", "verify"]).arg(file).output();
    let verified = verified.map_err(|error| format!("{}: {error}", fernamt.display()))?;
    let told = String::from_utf8_lossy(&verified.stdout);
    verdict.hold(verified.status.success(), &format!("fernamt recordings verify: {told}"));
    println!("\nRecordings ({})", config.recordings.folder.display());
    println!("  {played} played: the caller's tone left, the agent's right, as long as they talked");
    println!("  {}", told.trim_end());
    Ok(())
}
