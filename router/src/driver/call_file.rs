//! One recording of a call as a file: stereo WAV, encrypted if there are keys for it, and beside it `NAME.notes`, what is
//! to stand in the manifest, for the case that we end before it is finished.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use age::{Encryptor, Recipient, stream::StreamWriter, x25519};
use media::{
    Absence, Channel, Note, Recorded,
    tone::RATE,
    wav::{HEADER_BYTES, wav_header},
};

use super::recordings_folder::{FRAME_BYTES, append, create, fingerprint, lines};
use crate::{
    journal::fact::Micros,
    manifest::{Entry, Gap, Heard, Paused, Tape, present},
    recording::{About, ENCRYPTED},
};

/// Frames after which the header is brought up to date: 5 s.
const HEADER_EVERY: u64 = RATE as u64 * 5;
/// What a file under way ends in, and what stands beside it.
const PART: &str = ".part";
const NOTES: &str = ".notes";
/// A second of it.
static SILENCE: [u8; RATE as usize * FRAME_BYTES as usize] = [0; RATE as usize * FRAME_BYTES as usize];
/// Bytes of sound in a chunk of age, and what the chunk takes in the file; the header is a little over 200 bytes.
const CHUNK: (u64, u64) = (65_536, 65_552);

/// A file under way.
pub(super) struct CallFile {
    folder: PathBuf,
    name: String,
    sink: Sink,
    notes: File,
    frames: u64,
    header_at: u64,
    tape: Tape,
    /// It could not be written on: what it has is all that comes.
    pub(super) is_cut: bool,
}

enum Sink {
    Plain(File),
    Sealed(Box<StreamWriter<File>>),
}

impl Sink {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Sink::Plain(file) => file.write_all(bytes),
            Sink::Sealed(writer) => writer.write_all(bytes),
        }
    }
}

/// For whom files are encrypted.
///
/// # Errors
/// Which of them is no public key.
pub(super) fn recipients(keys: &[String]) -> Result<Vec<x25519::Recipient>, String> {
    keys.iter().map(|key| key.parse().map_err(|why: &str| format!("{key}: {why}"))).collect()
}

fn ending(is_sealed: bool) -> String {
    format!(".wav{}", if is_sealed { ENCRYPTED } else { "" })
}

fn tape_of(about: &About, file: String, is_sealed: bool) -> Tape {
    Tape {
        file,
        call: about.call.to_string(),
        policy: about.policy.clone(),
        began: about.began,
        format: if is_sealed { "wav+age" } else { "wav" }.to_owned(),
        channels: ["caller".to_owned(), "heard by the caller".to_owned()],
        rate: RATE,
        complete: true,
        keep_until: about
            .began
            .saturating_add(i64::try_from(about.keep_ms).unwrap_or(i64::MAX).saturating_mul(1_000)),
        ..Tape::default()
    }
}

impl CallFile {
    /// Begins a file.
    pub(super) fn create(
        folder: &Path,
        name: &str,
        about: &About,
        keys: &[x25519::Recipient],
    ) -> io::Result<CallFile> {
        let mut notes = create(&folder.join(format!("{name}{NOTES}")))?;
        notes.write_all((about.to_json() + "\n").as_bytes())?;
        let file = format!("{name}{}", ending(!keys.is_empty()));
        let mut part = create(&folder.join(format!("{file}{PART}")))?;
        let sink = match keys.is_empty() {
            true => {
                part.write_all(&wav_header(RATE, 2, 0))?;
                Sink::Plain(part)
            }
            false => {
                let encryptor = Encryptor::with_recipients(keys.iter().map(|key| key as &dyn Recipient));
                let mut writer = encryptor.map_err(io::Error::other)?.wrap_output(part)?;
                writer.write_all(&wav_header(RATE, 2, usize::MAX / 4))?; // nobody can say yet how long it will be
                Sink::Sealed(Box::new(writer))
            }
        };
        let tape = tape_of(about, file, !keys.is_empty());
        let (folder, name) = (folder.to_owned(), name.to_owned());
        Ok(CallFile { folder, name, sink, notes, frames: 0, header_at: 0, tape, is_cut: false })
    }

    pub(super) fn file(&self) -> &str {
        &self.tape.file
    }

    /// Adds a piece, behind silence if pieces before it found no room. True if there was such a gap.
    pub(super) fn write(&mut self, piece: &Recorded) -> io::Result<bool> {
        let gap = piece.at.saturating_sub(self.frames);
        if gap > 0 {
            self.note(Noted::Gap(Gap {
                channel: "both".to_owned(),
                at_ms: millis(self.frames),
                ms: millis(gap),
                why: "disk behind".to_owned(),
            }))?;
        }
        let mut silence = gap * FRAME_BYTES;
        while silence > 0 {
            let now = silence.min(SILENCE.len() as u64);
            self.sink.write_all(&SILENCE[..now as usize])?;
            silence -= now;
        }
        self.frames += gap;
        for note in &piece.notes {
            self.note(Noted::of(note))?;
        }
        let bytes: Vec<u8> = piece.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.sink.write_all(&bytes)?;
        self.frames += piece.frames();
        if self.frames >= self.header_at + HEADER_EVERY {
            self.write_header()?;
        }
        Ok(gap > 0)
    }

    fn note(&mut self, noted: Noted) -> io::Result<()> {
        let line = serde_json::to_string(&noted).map_err(io::Error::other)?;
        noted.enter(&mut self.tape);
        self.notes.write_all((line + "\n").as_bytes())
    }

    fn write_header(&mut self) -> io::Result<()> {
        self.header_at = self.frames;
        match &mut self.sink {
            Sink::Plain(file) => write_header(file, self.frames),
            Sink::Sealed(_) => Ok(()),
        }
    }

    /// The file gets its name and its line in the manifest.
    pub(super) fn finish(mut self, now: Micros) -> io::Result<()> {
        let written = self.write_header();
        let (written, file) = match self.sink {
            Sink::Plain(file) => (written, Ok(file)),
            Sink::Sealed(writer) => (written, writer.finish()),
        };
        let written = written.and(file.and_then(|file| file.sync_all()));
        self.tape.length_ms = millis(self.frames);
        self.tape.complete = !self.is_cut && written.is_ok();
        enter(&self.folder, &self.name, self.tape, now).and(written)
    }
}

/// Writes how long the sound is.
fn write_header(file: &mut File, frames: u64) -> io::Result<()> {
    let samples = usize::try_from(frames * 2).unwrap_or(usize::MAX / 4);
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&wav_header(RATE, 2, samples))?;
    file.seek(SeekFrom::End(0))?;
    Ok(())
}

/// Renames a file that is whole, and enters it in the manifest.
fn enter(folder: &Path, name: &str, mut tape: Tape, now: Micros) -> io::Result<()> {
    let path = folder.join(&tape.file);
    let part = folder.join(format!("{}{PART}", tape.file));
    if part.exists() {
        fs::rename(part, &path)?;
    }
    (tape.bytes, tape.sha256) = fingerprint(&path)?;
    append(folder, now, Entry::Recording(Box::new(tape)))?;
    fs::remove_file(folder.join(format!("{name}{NOTES}")))
}

/// What a crash left: each file is whole up to its last seconds, and gets its line in the manifest. Returns how many, and
/// what could not be done.
pub(super) fn finish_leftovers(folder: &Path, now: Micros) -> (usize, Vec<(String, io::Error)>) {
    let names = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter_map(|name| Some(name.strip_suffix(NOTES)?.to_owned())).collect();
    names.sort();
    let (mut finished, mut failed) = (0, Vec::new());
    for name in names {
        match finish_leftover(folder, &name, now) {
            Ok(()) => finished += 1,
            Err(error) => failed.push((name, error)),
        }
    }
    (finished, failed)
}

fn finish_leftover(folder: &Path, name: &str, now: Micros) -> io::Result<()> {
    let notes = folder.join(format!("{name}{NOTES}"));
    let mut told = BufReader::new(File::open(&notes)?).lines();
    let about = told.next().transpose()?.as_deref().and_then(About::read);
    let about = about.ok_or_else(|| io::Error::other("its notes do not say what it is"))?;
    let found = [false, true].into_iter().find_map(|is_sealed| {
        let file = format!("{name}{}", ending(is_sealed));
        let paths = [folder.join(format!("{file}{PART}")), folder.join(&file)];
        paths.into_iter().find(|path| path.exists()).map(|path| (is_sealed, file, path))
    });
    let Some((is_sealed, file, path)) = found else { return fs::remove_file(notes) };
    if present(&lines(folder)?.0).iter().any(|(_, tape)| tape.file == file) {
        return fs::remove_file(notes); // all was done but this
    }
    let mut tape = tape_of(&about, file, is_sealed);
    // Half a line is what the crash cut off.
    told.map_while(Result::ok)
        .filter_map(|line| serde_json::from_str(&line).ok())
        .for_each(|noted: Noted| noted.enter(&mut tape));
    let bytes = fs::metadata(&path)?.len();
    let sound = match is_sealed {
        true => bytes / CHUNK.1 * CHUNK.0,
        false => bytes.saturating_sub(HEADER_BYTES as u64),
    };
    let frames = sound / FRAME_BYTES;
    if !is_sealed {
        let mut file = OpenOptions::new().write(true).open(&path)?;
        file.set_len(HEADER_BYTES as u64 + frames * FRAME_BYTES)?;
        write_header(&mut file, frames)?;
        file.sync_all()?;
    }
    (tape.length_ms, tape.complete) = (millis(frames), false);
    enter(folder, name, tape, now)
}

/// What is noted beside a file, a line each.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Noted {
    Gap(Gap),
    Pause(Paused),
    Heard(Heard),
}

impl Noted {
    fn of(note: &Note) -> Noted {
        match note {
            Note::Gap { channel, at, length, why } => Noted::Gap(Gap {
                channel: if *channel == Channel::Said { "caller" } else { "heard" }.to_owned(),
                at_ms: millis(*at),
                ms: millis(*length),
                why: in_words(*why).to_owned(),
            }),
            Note::Paused { at, length, reason } => {
                Noted::Pause(Paused { at_ms: millis(*at), ms: millis(*length), reason: reason.to_string() })
            }
            Note::Mark { at, what } => Noted::Heard(Heard { at_ms: millis(*at), who: what.to_string() }),
        }
    }

    fn enter(self, tape: &mut Tape) {
        match self {
            Noted::Gap(gap) => tape.note_gap(gap),
            Noted::Pause(pause) => tape.pauses.push(pause),
            Noted::Heard(heard) => tape.heard.push(heard),
        }
    }
}

fn in_words(why: Absence) -> &'static str {
    match why {
        Absence::HeldByPeer => "held by the caller",
        Absence::HeldByOther => "held by the other",
        Absence::NothingCame => "nothing came",
    }
}

fn millis(frames: u64) -> u64 {
    frames * 1_000 / u64::from(RATE)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use media::{Sides, Title, wav::Wav};

    use super::*;
    use crate::{
        driver::recordings_folder::{prepare, verify},
        journal::fact::CallId,
    };

    const NAME: &str = "20261125T080004Z-65a1f0c2b3d40-2a-1";

    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Folder {
            let name = format!("fernamt-call-file-{test}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            drop(fs::remove_dir_all(&folder));
            prepare(&folder).expect("a folder");
            Folder(folder)
        }

        fn begin(&self, keys: &[x25519::Recipient]) -> CallFile {
            CallFile::create(&self.0, NAME, &about(), keys).expect("a file")
        }

        fn only_tape(&self) -> Tape {
            let (lines, faults) = lines(&self.0).unwrap();
            assert_eq!(faults, []);
            assert_eq!(lines.len(), 1);
            present(&lines)[0].1.clone()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn about() -> About {
        let call = CallId { run: 7, key: 42 };
        About { call, policy: "calls".into(), began: 1_795_593_600_000_000, keep_ms: 86_400_000 }
    }

    fn piece(at: u64, notes: Vec<Note>) -> Recorded {
        let title = Title { name: NAME.into(), sides: Sides::Both, about: about().to_json() };
        Recorded { title: Arc::new(title), at, samples: [1_000, -2_000].repeat(800).into(), notes, end: None }
    }

    #[test]
    fn what_a_crash_left_is_finished_with_all_that_was_noted_and_the_chain_goes_on() {
        let folder = Folder::new("crash");
        let mut file = folder.begin(&[]);
        let note = Note::Paused { at: 800, length: 1_600, reason: "card data".into() };
        (0..62).for_each(|n| assert!(file.write(&piece(n * 800, vec![note.clone()])).is_ok()));
        drop(file); // 6.2 s are on disk, the header tells of 5
        let part = folder.0.join(format!("{NAME}.wav.part"));
        assert_eq!(
            Wav::parse(&fs::read(&part).unwrap()).unwrap().frames(),
            40_000,
            "it can be played as it is"
        );
        OpenOptions::new().append(true).open(&part).unwrap().write_all(&[1, 2, 3]).unwrap(); // not a whole frame
        assert_eq!(finish_leftovers(&folder.0, 9).0, 1);
        let tape = folder.only_tape();
        assert_eq!((tape.length_ms, tape.complete, tape.pauses.len()), (6_200, false, 62));
        assert_eq!(
            (tape.pauses[0].at_ms, tape.pauses[0].ms, tape.pauses[0].reason.as_str()),
            (100, 200, "card data")
        );
        assert_eq!(verify(&folder.0).unwrap(), (1, vec![]));
        assert_eq!(finish_leftovers(&folder.0, 9).0, 0, "nothing is left");
    }

    #[test]
    fn a_crash_between_the_new_name_and_the_line_in_the_manifest_loses_neither() {
        let folder = Folder::new("between");
        let mut file = folder.begin(&[]);
        file.write(&piece(0, vec![])).unwrap();
        drop(file);
        let path = folder.0.join(format!("{NAME}.wav"));
        fs::rename(folder.0.join(format!("{NAME}.wav.part")), &path).unwrap();
        assert_eq!(finish_leftovers(&folder.0, 9).0, 1);
        assert_eq!(folder.only_tape().length_ms, 100);
        fs::write(folder.0.join(format!("{NAME}.notes")), about().to_json()).unwrap(); // and one before its notes were gone
        assert_eq!(finish_leftovers(&folder.0, 9).0, 1);
        assert_eq!((folder.only_tape().length_ms, verify(&folder.0).unwrap()), (100, (1, vec![])));
    }

    #[test]
    fn pieces_that_found_no_room_are_silence_and_a_gap() {
        let folder = Folder::new("behind");
        let mut file = folder.begin(&[]);
        assert!(!file.write(&piece(0, vec![])).unwrap());
        assert!(file.write(&piece(800 + 40_000, vec![])).unwrap());
        file.finish(9).unwrap();
        let tape = folder.only_tape();
        assert_eq!((tape.length_ms, tape.complete), (5_200, true));
        let gap = Gap { channel: "both".into(), at_ms: 100, ms: 5_000, why: "disk behind".into() };
        assert_eq!(tape.gaps, [gap]);
        let bytes = fs::read(folder.0.join(&tape.file)).unwrap();
        let silence = HEADER_BYTES + 3_200..HEADER_BYTES + 3_200 + 160_000;
        assert!(bytes[silence].iter().all(|byte| *byte == 0));
        assert_eq!(bytes.len(), HEADER_BYTES + 2 * 3_200 + 160_000);
    }

    #[test]
    fn an_encrypted_file_that_a_crash_cut_off_is_entered_as_it_is() {
        let folder = Folder::new("sealed");
        let identity = x25519::Identity::generate();
        let mut file = folder.begin(&[identity.to_public()]);
        (0..62).for_each(|n| assert!(file.write(&piece(n * 800, vec![])).is_ok()));
        drop(file);
        assert_eq!(finish_leftovers(&folder.0, 9).0, 1);
        let tape = folder.only_tape();
        assert_eq!((tape.format.as_str(), tape.complete), ("wav+age", false));
        assert!((4_000..=6_200).contains(&tape.length_ms), "all chunks that were whole: {}", tape.length_ms);
        assert_eq!(verify(&folder.0).unwrap(), (1, vec![]));
    }

    #[test]
    fn more_gaps_than_anybody_reads_are_counted() {
        let folder = Folder::new("gaps");
        let mut file = folder.begin(&[]);
        let gap = Note::Gap { channel: Channel::Said, at: 0, length: 160, why: Absence::NothingCame };
        file.write(&piece(0, vec![gap; 1_005])).unwrap();
        file.finish(9).unwrap();
        let tape = folder.only_tape();
        assert_eq!((tape.gaps.len(), tape.gaps_more), (1_000, 5));
        assert_eq!((tape.gaps[0].channel.as_str(), tape.gaps[0].why.as_str()), ("caller", "nothing came"));
    }
}
