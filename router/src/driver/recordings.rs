//! The thread that puts recordings on disk, and takes old ones from it.
//!
//! The media worker only drops pieces into a queue with a bound; whatever the disk does, no packet waits for it. A piece
//! that found no room is silence in the file. A recording is written as `NAME.wav.part` whose header is brought up to
//! date every few seconds, so that what a crash leaves can be played, and renamed to `NAME.wav` when it is finished.
//! Messages for mailboxes are written here, recordings of calls in `call_file`; what goes wrong with these is told to the
//! shard, once.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use media::{
    Recorded, RecordingEnd,
    tone::RATE,
    wav::{HEADER_BYTES, wav_header},
};
use tracing::{error, info, warn};

use super::{
    call_file::{self, CallFile},
    recordings_folder::{self, create},
    shard_thread::utc_now,
};
use crate::{
    config,
    config::Voicemail,
    recording::{About, RecorderNews},
};

/// Pieces of 100 ms that may wait: 32 MB, as many seconds of a dead disk as a hundred calls bring in ten.
const ROOM: u64 = 10_000;
/// Samples after which the header is brought up to date: 5 s.
const HEADER_EVERY: u64 = RATE as u64 * 5;
/// How often old recordings are looked for.
const SWEEP: Duration = Duration::from_secs(1_800);
/// How often it is tried whether there is room for recordings of calls, and how often while there is none.
const TRY: Duration = Duration::from_secs(10);
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// What the name of a recording under way ends in.
const PART: &str = "wav.part";

/// The running thread.
pub struct Recordings {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// Where the media worker puts pieces.
pub type Store = Box<dyn FnMut(Recorded) + Send>;

/// What is counted for `/metrics`.
#[derive(Debug, Default)]
pub struct Shared {
    waiting: AtomicU64,
    /// Gaps in recordings: pieces that found no room.
    pub gaps: AtomicU64,
    /// Recordings lost or cut short because a file could not be written.
    pub failed: AtomicU64,
    news: Mutex<Vec<RecorderNews>>,
}

impl Shared {
    /// What the shard has not been told yet.
    pub fn take_news(&self) -> Vec<RecorderNews> {
        std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, news: RecorderNews) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).push(news);
    }
}

impl Recordings {
    /// Starts the thread. It ends when the store is gone and all is written.
    ///
    /// # Errors
    /// No thread to be had.
    pub fn start(settings: Voicemail, calls: config::Recordings) -> io::Result<(Recordings, Store)> {
        let (pieces, waiting) = crossbeam_channel::unbounded();
        let shared = Arc::new(Shared::default());
        let writer = Writer::new(settings, calls, Arc::clone(&shared));
        let thread =
            std::thread::Builder::new().name("recordings".into()).spawn(move || writer.run(&waiting))?;
        let store = store(pieces, Arc::clone(&shared));
        Ok((Recordings { shared, thread }, store))
    }

    /// The counters.
    pub fn counters(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Waits until all is written; the store must be gone.
    pub fn join(self) {
        if self.thread.join().is_err() {
            error!("the thread that writes recordings had panicked");
        }
    }
}

/// Ends always find room, or a file would never be finished: there is one a recording, and a leg has one at a time.
fn store(pieces: Sender<Recorded>, shared: Arc<Shared>) -> Store {
    Box::new(move |piece| {
        let is_full = shared.waiting.load(Ordering::Relaxed) >= ROOM;
        if is_full && piece.end.is_none() {
            shared.gaps.fetch_add(1, Ordering::Relaxed);
            return;
        }
        shared.waiting.fetch_add(1, Ordering::Relaxed);
        drop(pieces.send(piece)); // nobody there: the process ends
    })
}

struct Writer {
    settings: Voicemail,
    /// Recordings of calls: where they lie, for whom they are encrypted, and those under way.
    calls: config::Recordings,
    keys: Vec<age::x25519::Recipient>,
    open_calls: BTreeMap<String, Option<CallFile>>,
    /// Recordings of calls cannot be begun, and that was told.
    is_in_trouble: bool,
    shared: Arc<Shared>,
    /// Recordings under way; `None`: there is no file, and that was told.
    open: BTreeMap<String, Option<WavFile>>,
}

impl Writer {
    fn new(settings: Voicemail, calls: config::Recordings, shared: Arc<Shared>) -> Writer {
        let keys = call_file::recipients(&calls.recipients).unwrap_or_else(|why| {
            error!(why, "recordings of calls are not encrypted for anybody, so none are made");
            Vec::new()
        });
        let (open, open_calls) = (BTreeMap::new(), BTreeMap::new());
        Writer { settings, calls, keys, open_calls, is_in_trouble: false, shared, open }
    }

    fn run(mut self, pieces: &Receiver<Recorded>) {
        self.finish_leftovers();
        self.finish_calls();
        let (mut sweep_at, mut try_at) = (Instant::now(), Instant::now());
        loop {
            if sweep_at <= Instant::now() {
                self.forget_old();
                self.forget_old_calls();
                sweep_at = Instant::now() + SWEEP;
            }
            if try_at <= Instant::now() {
                self.try_folder();
                try_at = Instant::now() + if self.is_in_trouble { TRY_AGAIN } else { TRY };
            }
            let next = sweep_at.min(try_at);
            match pieces.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(piece) => {
                    self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
                    self.take(&piece);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        for (_, file) in std::mem::take(&mut self.open_calls) {
            self.finish_call(file);
        }
        for (_, file) in std::mem::take(&mut self.open) {
            let finished = file.map(|file| file.finish(RecordingEnd::Keep));
            self.note(finished.transpose().map(drop));
        }
    }

    fn take(&mut self, piece: &Recorded) {
        match About::read(&piece.title.about) {
            Some(about) => self.take_call(piece, &about),
            None => self.take_message(piece),
        }
    }

    fn take_call(&mut self, piece: &Recorded, about: &About) {
        let name = &piece.title.name;
        if !self.open_calls.contains_key(name) {
            let file = match self.keys.len() == self.calls.recipients.len() {
                true => CallFile::create(&self.calls.folder, name, about, &self.keys),
                false => Err(io::Error::other("recordings.recipients has what is no public key")),
            };
            let file = file.map_err(|error| self.lost(&format!("{name}.wav"), &error)).ok();
            self.open_calls.insert(name.clone(), file);
        }
        if let Some(Some(file)) = self.open_calls.get_mut(name)
            && !file.is_cut
        {
            let written = file.write(piece);
            file.is_cut = written.is_err();
            let file = file.file().to_owned();
            match written {
                Ok(false) => {}
                Ok(true) => self.fell_behind(file),
                Err(error) => self.lost(&file, &error),
            }
        }
        if piece.end.is_some() {
            let file = self.open_calls.remove(name).flatten();
            self.finish_call(file);
        }
    }

    fn finish_call(&mut self, file: Option<CallFile>) {
        let Some(file) = file else { return };
        let name = file.file().to_owned();
        if let Err(error) = file.finish(utc_now()) {
            self.lost(&name, &error);
        }
    }

    /// A recording is cut short, or there is none. That is an alarm the first time; those that follow are told by their facts.
    fn lost(&mut self, file: &str, error: &io::Error) {
        self.shared.failed.fetch_add(1, Ordering::Relaxed);
        self.shared.tell(RecorderNews::Lost { file: file.to_owned(), why: format!("cut short: {error}") });
        self.in_trouble(error);
    }

    fn in_trouble(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_in_trouble, true) {
            let folder = self.calls.folder.display();
            error!(%folder, %error, "calls cannot be recorded: make room there, or let this user write");
            self.shared.tell(RecorderNews::Fails(format!("{folder}: {error}")));
        }
    }

    fn fell_behind(&mut self, file: String) {
        warn!(file, "a recording has a gap, the disk is slow: put recordings.folder on a faster one");
        let why = "has a gap: the disk fell behind".to_owned();
        self.shared.tell(RecorderNews::Lost { file, why });
    }

    /// Whether recordings can be begun, before a call needs to know.
    fn try_folder(&mut self) {
        if self.calls.policies.is_empty() && self.open_calls.is_empty() {
            return; // nobody has said that calls are recorded
        }
        match recordings_folder::prepare(&self.calls.folder) {
            Err(error) => self.in_trouble(&error),
            Ok(()) if std::mem::take(&mut self.is_in_trouble) => {
                info!(folder = %self.calls.folder.display(), "calls can be recorded again");
                self.shared.tell(RecorderNews::Works);
            }
            Ok(()) => {}
        }
    }

    /// Recordings of calls that an earlier run left open.
    fn finish_calls(&mut self) {
        let (finished, failed) = call_file::finish_leftovers(&self.calls.folder, utc_now());
        if finished > 0 {
            info!(finished, "recordings of calls that an earlier run left open are finished");
        }
        for (name, error) in failed {
            warn!(name, %error, "a recording of a call that an earlier run left open stays as it is");
        }
    }

    fn forget_old_calls(&self) {
        let now = utc_now();
        let deleted =
            recordings_folder::delete(&self.calls.folder, now, "retention", |tape| tape.keep_until < now);
        match deleted {
            Ok(deleted) if deleted.is_empty() => {}
            Ok(deleted) => info!(files = deleted.len(), "recordings of calls that are too old are deleted"),
            Err(error) => warn!(%error, "recordings of calls that are too old cannot be deleted"),
        }
    }

    fn take_message(&mut self, piece: &Recorded) {
        let written = self.write(piece);
        if written.is_err() {
            let file = self.open.entry(piece.title.name.clone()).or_insert(None);
            file.iter_mut().for_each(|file| file.is_cut = true);
        }
        self.note(written);
        if let Some(end) = piece.end
            && let Some(file) = self.open.remove(&piece.title.name).flatten()
        {
            let finished = file.finish(end);
            self.note(finished);
        }
    }

    fn write(&mut self, piece: &Recorded) -> io::Result<()> {
        if !self.open.contains_key(&piece.title.name) {
            let file = WavFile::create(&self.settings.folder, &piece.title.name)?;
            self.open.insert(piece.title.name.clone(), Some(file));
        }
        match self.open.get_mut(&piece.title.name) {
            Some(Some(file)) if !file.is_cut => file.write(piece),
            _ => Ok(()),
        }
    }

    fn note(&self, written: io::Result<()>) {
        if let Err(error) = written {
            self.shared.failed.fetch_add(1, Ordering::Relaxed);
            let folder = self.settings.folder.display();
            error!(%folder, %error, "a recording cannot be written and is cut short: make room there, or let this user write");
        }
    }

    /// What a crash left is whole up to its last seconds.
    fn finish_leftovers(&self) {
        for path in files_in(&self.settings.folder).filter(|path| is_ours(path, PART)) {
            match finish_leftover(&path) {
                Ok(()) => {
                    info!(file = %path.display(), "a recording that an earlier run left open is finished")
                }
                Err(error) => {
                    warn!(file = %path.display(), %error, "a recording that an earlier run left open stays as it is")
                }
            }
        }
    }

    fn forget_old(&self) {
        let Some(before) = SystemTime::now().checked_sub(self.settings.keep) else { return };
        let is_old = |path: &PathBuf| {
            let changed = fs::metadata(path).and_then(|about| about.modified());
            is_ours(path, "wav") && changed.is_ok_and(|changed| changed < before)
        };
        for path in files_in(&self.settings.folder).filter(is_old) {
            if let Err(error) = fs::remove_file(&path) {
                warn!(file = %path.display(), %error, "a recording that is too old cannot be deleted");
            }
        }
    }
}

/// None if there is no folder yet.
fn files_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// `20261125T080004Z-65a1f0c2b3d40-10000002a-support.wav`: nobody else's file is touched.
fn is_ours(path: &Path, ending: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some((date, rest)) = name.split_once("Z-") else { return false };
    let is_date = date.len() == 15 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'T');
    is_date && rest.split_once('.').is_some_and(|(_, found)| found == ending)
}

fn finish_leftover(part: &Path) -> io::Result<()> {
    let bytes = fs::metadata(part)?.len();
    let samples = bytes.saturating_sub(HEADER_BYTES as u64) / 2;
    let file = OpenOptions::new().write(true).open(part)?;
    let file = WavFile { file, part: part.to_owned(), samples, is_cut: false, header_at: samples };
    file.finish(RecordingEnd::Keep)
}

/// A file under way.
struct WavFile {
    file: File,
    part: PathBuf,
    samples: u64,
    /// It could not be written on: what it has is all that comes.
    is_cut: bool,
    /// How many samples the header tells of.
    header_at: u64,
}

impl WavFile {
    fn create(folder: &Path, name: &str) -> io::Result<WavFile> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let part = folder.join(format!("{name}.{PART}"));
        let mut file = create(&part)?;
        file.write_all(&wav_header(RATE, 1, 0))?;
        Ok(WavFile { file, part, samples: 0, is_cut: false, header_at: 0 })
    }

    /// Adds a piece, behind silence if there is a gap before it.
    fn write(&mut self, piece: &Recorded) -> io::Result<()> {
        let gap = piece.at.saturating_sub(self.samples);
        if gap > 0 {
            let (file, gap_ms) = (self.part.display(), gap * 1_000 / u64::from(RATE));
            warn!(%file, gap_ms, "a recording has a gap, the disk is slow: put voicemail.folder on a faster one");
        }
        let silence = std::iter::repeat_n(0, usize::try_from(gap).unwrap_or(0));
        let bytes: Vec<u8> =
            silence.chain(piece.samples.iter().copied()).flat_map(i16::to_le_bytes).collect();
        self.file.write_all(&bytes)?;
        self.samples += bytes.len() as u64 / 2;
        if self.samples >= self.header_at + HEADER_EVERY {
            self.write_header()?;
        }
        Ok(())
    }

    fn write_header(&mut self) -> io::Result<()> {
        let samples = usize::try_from(self.samples).unwrap_or(usize::MAX);
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&wav_header(RATE, 1, samples))?;
        self.file.seek(SeekFrom::End(0))?;
        self.header_at = self.samples;
        Ok(())
    }

    fn finish(mut self, end: RecordingEnd) -> io::Result<()> {
        if end == RecordingEnd::Discard {
            return fs::remove_file(&self.part);
        }
        // The journal names it, so whatever there is of it gets that name, and is on disk before.
        let written = self.write_header().and_then(|()| self.file.sync_all());
        fs::rename(&self.part, self.part.with_extension(""))?; // takes `.part` away
        written
    }
}

#[cfg(test)]
mod tests {
    use media::{Sides, Title, wav::Wav};

    use super::*;

    const NAME: &str = "20261125T080004Z-65a1f0c2b3d40-2a-support";

    /// No calls are recorded.
    fn none() -> config::Recordings {
        let folder = std::env::temp_dir().join("fernamt-no-recordings");
        config::Recordings { folder, recipients: vec![], policies: vec![] }
    }

    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Folder {
            let folder =
                std::env::temp_dir().join(format!("fernamt-recordings-{test}-{}", std::process::id()));
            drop(fs::remove_dir_all(&folder));
            Folder(folder)
        }

        fn start(&self, keep: Duration) -> (Recordings, Store) {
            Recordings::start(Voicemail { folder: self.0.clone(), keep }, none()).expect("a thread")
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<_> = files_in(&self.0)
                .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }

        fn frames(&self, name: &str) -> usize {
            let bytes = fs::read(self.0.join(name)).expect("a file");
            Wav::parse(&bytes).expect("a WAV file").frames()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    const MONTH: Duration = Duration::from_secs(30 * 86_400);

    fn piece(at: u64, end: Option<RecordingEnd>) -> Recorded {
        let title = Arc::new(Title { name: NAME.into(), sides: Sides::Peer, about: String::new() });
        Recorded { title, at, samples: vec![1_000; 800].into(), notes: vec![], end }
    }

    #[test]
    fn a_finished_recording_is_a_wav_file_that_only_we_can_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new("finished");
        let (recordings, mut store) = folder.start(MONTH);
        (0..20).for_each(|n| store(piece(n * 800, None)));
        store(piece(16_000, Some(RecordingEnd::Keep)));
        drop(store);
        recordings.join();
        assert_eq!(folder.names(), [format!("{NAME}.wav")]);
        assert_eq!(folder.frames(&format!("{NAME}.wav")), 16_800);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.0), 0o700);
        assert_eq!(mode(&folder.0.join(format!("{NAME}.wav"))), 0o600);
    }

    #[test]
    fn one_that_is_thrown_away_leaves_nothing() {
        let folder = Folder::new("discarded");
        let (recordings, mut store) = folder.start(MONTH);
        store(piece(0, None));
        store(piece(800, Some(RecordingEnd::Discard)));
        drop(store);
        recordings.join();
        assert!(folder.names().is_empty(), "{:?}", folder.names());
    }

    #[test]
    fn one_that_could_not_be_written_on_has_what_came_before_or_is_thrown_away_all_the_same() {
        for (end, left) in
            [(RecordingEnd::Keep, vec![format!("{NAME}.wav")]), (RecordingEnd::Discard, vec![])]
        {
            let folder = Folder::new("cut");
            let settings = Voicemail { folder: folder.0.clone(), keep: MONTH };
            let mut writer = Writer::new(settings, none(), Arc::default());
            (0..50).for_each(|n| writer.take(&piece(n * 800, None)));
            let read_only = File::open(folder.0.join(format!("{NAME}.{PART}"))).unwrap();
            writer.open.get_mut(NAME).unwrap().as_mut().unwrap().file = read_only;
            writer.take(&piece(40_000, None));
            writer.take(&piece(40_800, Some(end)));
            assert_eq!(folder.names(), left);
            assert!(left.is_empty() || folder.frames(&left[0]) == 40_000);
            assert!(writer.shared.failed.load(Ordering::Relaxed) > 0);
        }
    }

    #[test]
    fn a_file_that_a_crash_left_can_be_played_and_the_next_start_finishes_it() {
        let folder = Folder::new("crash");
        let mut file = WavFile::create(&folder.0, NAME).unwrap();
        (0..62).for_each(|n| file.write(&piece(n * 800, None)).unwrap());
        drop(file); // 6.2 s are on disk, the header tells of 5
        assert_eq!(folder.frames(&format!("{NAME}.wav.part")), 40_000);
        let (recordings, store) = folder.start(MONTH);
        drop(store);
        recordings.join();
        assert_eq!(folder.names(), [format!("{NAME}.wav")]);
        assert_eq!(folder.frames(&format!("{NAME}.wav")), 62 * 800);
    }

    #[test]
    fn a_piece_that_found_no_room_is_silence() {
        let folder = Folder::new("gap");
        let mut file = WavFile::create(&folder.0, NAME).unwrap();
        file.write(&piece(0, None)).unwrap();
        file.write(&piece(2_400, None)).unwrap();
        file.finish(RecordingEnd::Keep).unwrap();
        let bytes = fs::read(folder.0.join(format!("{NAME}.wav"))).unwrap();
        let sound: Vec<f32> = Wav::parse(&bytes).unwrap().mono().map(Result::unwrap).collect();
        assert_eq!(sound.len(), 3_200);
        assert!(sound[800..2_400].iter().all(|sample| *sample == 0.0));
        assert!(sound[..800].iter().chain(&sound[2_400..]).all(|sample| *sample > 0.0));
    }

    #[test]
    fn a_full_queue_drops_pieces_and_counts_them_but_never_an_end() {
        let (pieces, waiting) = crossbeam_channel::unbounded();
        let shared = Arc::new(Shared::default());
        let mut store = store(pieces, Arc::clone(&shared));
        (0..ROOM + 5).for_each(|n| store(piece(n * 800, None)));
        store(piece((ROOM + 5) * 800, Some(RecordingEnd::Keep)));
        assert_eq!(shared.gaps.load(Ordering::Relaxed), 5);
        assert_eq!(waiting.len() as u64, ROOM + 1);
    }

    #[test]
    fn a_folder_that_cannot_be_written_costs_the_recording_and_nothing_else() {
        let folder = Folder::new("unwritable");
        fs::write(&folder.0, "a file where the folder should be").unwrap();
        assert!(recordings_folder::prepare(&folder.0).is_err());
        let (recordings, mut store) = folder.start(MONTH);
        let counters = recordings.counters();
        (0..3).for_each(|n| store(piece(n * 800, None)));
        store(piece(2_400, Some(RecordingEnd::Keep)));
        drop(store);
        recordings.join();
        assert_eq!(counters.failed.load(Ordering::Relaxed), 1, "told once");
        fs::remove_file(&folder.0).unwrap();
    }

    #[test]
    fn old_recordings_go_and_foreign_files_stay() {
        let folder = Folder::new("old");
        recordings_folder::prepare(&folder.0).unwrap();
        let old = SystemTime::now() - MONTH - Duration::from_secs(60);
        for name in [format!("{NAME}.wav"), "music.wav".to_owned(), format!("{NAME}.txt")] {
            create(&folder.0.join(name)).unwrap().set_modified(old).unwrap();
        }
        create(&folder.0.join("20261125T090000Z-65a1f0c2b3d40-2b-support.wav")).unwrap();
        let (recordings, store) = folder.start(MONTH);
        drop(store);
        recordings.join();
        let kept = [
            format!("{NAME}.txt"),
            "20261125T090000Z-65a1f0c2b3d40-2b-support.wav".into(),
            "music.wav".into(),
        ];
        assert_eq!(folder.names(), kept);
    }
}
