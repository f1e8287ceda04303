//! The folder of recordings of calls: its manifest is written on, files are deleted, and all of it can be checked.
//!
//! The running router and `fernamt recordings erase` write the same manifest; a lock on it keeps them apart.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use media::wav::HEADER_BYTES;
use sha2::{Digest, Sha256};

use crate::{
    config,
    journal::fact::Micros,
    manifest::{self, Entry, FILE, Fault, Lines, Tape},
    recording::ENCRYPTED,
};

/// How much of the end of a manifest is looked at first for its last line.
const TAIL: u64 = 64 << 10;
/// As much must fit on the disk for recordings to be begun.
const ROOM: usize = 64 << 10;
/// Bytes of a frame: two channels of 16 bits.
pub(super) const FRAME_BYTES: u64 = 4;

/// Makes the folder if there is none, and sees that there is room to write.
///
/// # Errors
/// What the system says.
pub fn prepare(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let probe = folder.join(format!(".fernamt-{}", std::process::id()));
    let written =
        create(&probe).and_then(|mut file| file.write_all(&[0; ROOM]).and_then(|()| file.sync_data()));
    let removed = fs::remove_file(probe);
    written.and(removed)
}

/// Why recordings of this configuration could not be written by this user; nothing is made. `None`: they can, or there are
/// none.
pub fn trouble(recordings: &config::Recordings) -> Option<String> {
    let folder = Some(&recordings.folder).filter(|_| !recordings.policies.is_empty())?;
    let there = folder.ancestors().find(|part| part.exists())?;
    let probe = there.join(format!(".fernamt-{}", std::process::id()));
    let tried = create(&probe).and_then(|_| fs::remove_file(probe));
    let error = tried.err()?;
    let folder = folder.display();
    Some(format!("{folder} cannot be written: {error}; let this user write there, or name another directory"))
}

pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Adds a line to the manifest, and has it on disk.
///
/// # Errors
/// It cannot be read or written, or its last line is none.
pub fn append(folder: &Path, at: Micros, entry: Entry) -> io::Result<()> {
    let options = OpenOptions::new().read(true).append(true).create(true).mode(0o600).clone();
    let mut file = options.open(folder.join(FILE))?;
    file.lock()?; // until it is closed
    let last = last_line(&mut file)?;
    let line = manifest::next(last.as_deref(), at, entry).map_err(io::Error::other)?;
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

/// The last whole line. What stands behind it was left by a crash in the middle of a line, and is cut off.
fn last_line(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut size = TAIL;
    loop {
        let from = length.saturating_sub(size);
        file.seek(SeekFrom::Start(from))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let ends: Vec<usize> =
            tail.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
        let (end, before) = (ends.last(), ends.iter().rev().nth(1));
        if let (Some(end), true) = (end, before.is_some() || from == 0) {
            file.set_len(from + *end as u64 + 1)?;
            return Ok(Some(tail[before.map_or(0, |before| before + 1)..*end].to_vec()));
        }
        if from == 0 {
            file.set_len(0)?;
            return Ok(None);
        }
        size *= 4;
    }
}

/// What the manifest says, and what is wrong with its chain. None is empty.
///
/// # Errors
/// It is there and cannot be read.
pub fn lines(folder: &Path) -> io::Result<(Lines, Vec<Fault>)> {
    match fs::read(folder.join(FILE)) {
        Ok(bytes) => Ok(manifest::read(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((Vec::new(), Vec::new())),
        Err(error) => Err(error),
    }
}

/// Deletes the files of which `is_meant` says so; each is a line of the manifest. Returns their names.
///
/// # Errors
/// A file cannot be deleted, or the manifest not be written; those before it are deleted.
pub fn delete(
    folder: &Path,
    at: Micros,
    why: &str,
    is_meant: impl Fn(&Tape) -> bool,
) -> io::Result<Vec<String>> {
    let (lines, _) = lines(folder)?;
    let mut deleted = Vec::new();
    for (_, tape) in manifest::present(&lines).into_iter().filter(|(_, tape)| is_meant(tape)) {
        match fs::remove_file(folder.join(&tape.file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => append(folder, at, Entry::Deleted { file: tape.file.clone(), why: why.to_owned() })?,
        }
        deleted.push(tape.file.clone());
    }
    Ok(deleted)
}

/// Length and SHA-256 of a file.
pub(super) fn fingerprint(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    let (mut buffer, mut bytes) = (vec![0; 64 << 10], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, manifest::hexadecimal(&hasher.finalize()))),
            read => {
                hasher.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}

/// Checks the chain, and each file against what is said of it. Returns how many files are as they should be, and every
/// fault.
///
/// # Errors
/// The folder or the manifest cannot be read.
pub fn verify(folder: &Path) -> io::Result<(usize, Vec<Fault>)> {
    let (lines, mut faults) = lines(folder)?;
    let present = manifest::present(&lines);
    let mut sound = 0;
    for (at, tape) in &present {
        let wrong = check(folder, tape);
        sound += usize::from(wrong.is_empty());
        let place = format!("{} ({FILE}:{at})", tape.file);
        faults.extend(wrong.into_iter().map(|text| Fault { place: place.clone(), text }));
    }
    let known: BTreeSet<&str> = present.iter().map(|(_, tape)| tape.file.as_str()).collect();
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    let is_tape = |name: &&String| name.ends_with(".wav") || name.ends_with(&format!(".wav{ENCRYPTED}"));
    for name in names.iter().filter(is_tape).filter(|name| !known.contains(name.as_str())) {
        let text = "is in no line of the manifest, or in one that says it was deleted; take it away, or put the manifest back from a backup";
        faults.push(Fault { place: name.clone(), text: text.to_owned() });
    }
    Ok((sound, faults))
}

fn check(folder: &Path, tape: &Tape) -> Vec<String> {
    let path = folder.join(&tape.file);
    let (bytes, sha256) = match fingerprint(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return vec![
                "is missing, and no line says that it was deleted; put it back from a backup".to_owned(),
            ];
        }
        Err(error) => return vec![format!("cannot be read: {error}; let this user read it")],
    };
    let mut wrong = Vec::new();
    if bytes != tape.bytes {
        wrong.push(format!("has {bytes} bytes instead of {}; put it back from a backup", tape.bytes));
    }
    if sha256 != tape.sha256 {
        wrong.push(
            "has another content than when it was written (SHA-256); put it back from a backup".to_owned(),
        );
    }
    let expected = HEADER_BYTES as u64 + tape.length_ms * u64::from(tape.rate) / 1_000 * FRAME_BYTES;
    if tape.format == "wav"
        && wrong.is_empty()
        && bytes.abs_diff(expected) > FRAME_BYTES * u64::from(tape.rate) / 1_000
    {
        wrong.push(format!("is not as long as its line says ({} ms); compare with a backup", tape.length_ms));
    }
    wrong
}
