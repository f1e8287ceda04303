//! `fernamt recordings …`: what lies in the folder of recordings, whether it is whole, and what is asked of a running one.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom, Write},
    net::SocketAddr,
    path::Path,
};

use age::{Decryptor, Identity, x25519};
use jiff::Timestamp;
use media::{
    tone::RATE,
    wav::{HEADER_BYTES, wav_header},
};

use super::{
    CommandError, http,
    table::{date, span},
};
use crate::{
    driver::recordings_folder as folder,
    journal::fact::Micros,
    manifest::{Entry, is_call, present},
    recording::RecordingOrder,
    status::RecordingStatus,
};

/// Lists the recordings that are there, oldest first.
///
/// # Errors
/// `Refused` if the manifest cannot be read.
pub fn list(recordings: &Path, out: &mut dyn Write) -> Result<(), CommandError> {
    let (lines, _) = folder::lines(recordings).map_err(|error| trouble(recordings, &error))?;
    let present = present(&lines);
    for (_, tape) in &present {
        let state = if tape.complete { "" } else { ", cut short" };
        let (gaps, pauses) = (tape.gaps.len() as u64 + tape.gaps_more, tape.pauses.len());
        let heard: Vec<&str> = tape.heard.iter().map(|heard| heard.who.as_str()).collect();
        writeln!(
            out,
            "{}  {:>6}  {}  {}  {gaps} gaps, {pauses} pauses{state}  {}",
            date(tape.began),
            span(tape.length_ms),
            tape.file,
            tape.policy,
            heard.join(", ")
        )?;
    }
    let deleted = lines.iter().filter(|(_, line)| matches!(line.entry, Entry::Deleted { .. })).count();
    writeln!(out, "{} recordings, {deleted} deleted", present.len())?;
    Ok(())
}

/// Checks the manifest's chain and every file against it; writes every fault with its place and cure.
///
/// # Errors
/// `Refused` if there is a fault, or the folder cannot be read.
pub fn verify(recordings: &Path, out: &mut dyn Write) -> Result<(), CommandError> {
    let (sound, faults) = folder::verify(recordings).map_err(|error| trouble(recordings, &error))?;
    for fault in &faults {
        writeln!(out, "{}: {}", recordings.join(&fault.place).display(), fault.text)?;
    }
    writeln!(out, "{sound} recordings are whole")?;
    match faults.len() {
        0 => Ok(()),
        faults => Err(CommandError::Refused { reason: format!("{}: {faults} faults", recordings.display()) }),
    }
}

/// Deletes a file, or all of a call; each deletion is a line of the manifest.
///
/// # Errors
/// `Refused` if there is no such recording, or it cannot be deleted.
pub fn erase(recordings: &Path, what: &str, reason: &str, out: &mut dyn Write) -> Result<(), CommandError> {
    let is_meant = |tape: &crate::manifest::Tape| tape.file == what || is_call(tape, what);
    let why = if reason.is_empty() { "erased by hand".to_owned() } else { format!("erased: {reason}") };
    let erased =
        folder::delete(recordings, now(), &why, is_meant).map_err(|error| trouble(recordings, &error))?;
    if erased.is_empty() {
        let reason = format!(
            "there is no recording {what}; `fernamt recordings list` names them, and one under way cannot be erased"
        );
        return Err(CommandError::Refused { reason });
    }
    erased.iter().try_for_each(|file| writeln!(out, "{file}: erased"))?;
    Ok(())
}

/// Decrypts a file with a secret key of age, and puts its length into the header.
///
/// # Errors
/// `Refused`: the key or the file cannot be read, or it is not encrypted for that key. What a crash has cut off is
/// decrypted up to there, and told.
pub fn decrypt(file: &Path, identity: &Path, into: &Path, out: &mut dyn Write) -> Result<(), CommandError> {
    let keys = identities(identity)?;
    let sealed = File::open(file).map_err(|error| trouble(file, &error))?;
    let decryptor = Decryptor::new(BufReader::new(sealed)).map_err(|error| trouble(file, &error))?;
    let keys = keys.iter().map(|key| key as &dyn Identity);
    let mut sound = decryptor.decrypt(keys).map_err(|error| trouble(file, &error))?;
    let mut opened = File::create(into).map_err(|error| trouble(into, &error))?;
    let mut buffer = vec![0; 64 << 10];
    let mut bytes = 0;
    let end = loop {
        match sound.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(read) => {
                opened.write_all(&buffer[..read])?;
                bytes += read;
            }
            Err(error) => break Err(error),
        }
    };
    let samples = bytes.saturating_sub(HEADER_BYTES) / 2;
    opened.seek(SeekFrom::Start(0))?;
    opened.write_all(&wav_header(RATE, 2, samples))?;
    let ms = samples as u64 / 2 * 1_000 / u64::from(RATE);
    writeln!(out, "{}: {}", into.display(), span(ms))?;
    if let Err(error) = end {
        writeln!(out, "{} ends there: {error}; the router was cut off while it wrote", file.display())?;
    }
    Ok(())
}

fn identities(path: &Path) -> Result<Vec<x25519::Identity>, CommandError> {
    let text = std::fs::read_to_string(path).map_err(|error| trouble(path, &error))?;
    let keys = text.lines().filter(|line| line.starts_with("AGE-SECRET-KEY-"));
    let keys: Result<Vec<_>, &str> = keys.map(str::parse).collect();
    match keys {
        Ok(keys) if !keys.is_empty() => Ok(keys),
        Ok(_) => Err(trouble(path, &"there is no secret key in it; name the file that age-keygen wrote")),
        Err(why) => Err(trouble(path, &why)),
    }
}

/// Asks the router at `admin` to begin, pause, resume or end the recording of a call, or of the call in which an agent
/// talks.
///
/// # Errors
/// [`CommandError::Unreachable`] or `Refused` (why it cannot be done).
pub fn order(
    admin: SocketAddr,
    (whose, order): (&str, RecordingOrder),
    policy: Option<&str>,
    reason: &str,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let policy = policy.map(|policy| format!("&policy={}", http::escape(policy))).unwrap_or_default();
    let (whose, reason) = (http::escape(whose), http::escape(reason));
    let path = format!("/recordings/{whose}/{}?reason={reason}{policy}", order.word());
    let now: RecordingStatus = serde_json::from_str(&http::post(admin, &path)?)?;
    let state = match (&now.file, now.paused) {
        (Some(file), false) => format!("recorded in {file}"),
        (Some(file), true) => format!("paused, {file}"),
        (None, _) => "not recorded now".to_owned(),
    };
    writeln!(out, "{}: {state}", now.call)?;
    Ok(())
}

fn trouble(path: &Path, error: &dyn std::fmt::Display) -> CommandError {
    CommandError::Refused { reason: format!("{}: {error}", path.display()) }
}

#[allow(clippy::disallowed_methods, reason = "a deletion is dated by the clock on the wall")]
fn now() -> Micros {
    Timestamp::now().as_microsecond()
}
