//! Recordings of calls on disk: what is written can be played, checked, deleted and, with the key, decrypted; and a disk that
//! is full, slow or not there costs recordings and nothing else.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use age::x25519::Identity;
use media::{Note, Recorded, RecordingEnd, Sides, Title, wav::Wav};
use router::{
    command::{CommandError, check, recordings as command},
    config,
    driver::{recordings::Recordings, recordings_folder as folder},
    journal::fact::CallId,
    manifest::FILE,
    recording::{About, RecorderNews},
};

const HOUR_MS: u64 = 3_600_000;
/// In the year 2100: nothing is too old.
const BEGAN: i64 = 4_102_444_800_000_000;

struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("fernamt-calls-{test}-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn calls(&self) -> PathBuf {
        self.0.join("calls")
    }

    /// Records these calls and waits until all is written; returns what the shard is told.
    fn record(&self, recipients: &[String], pieces: Vec<Recorded>) -> Vec<RecorderNews> {
        let voicemail =
            config::Voicemail { folder: self.0.join("messages"), keep: Duration::from_secs(86_400) };
        let calls = config::Recordings {
            folder: self.calls(),
            recipients: recipients.to_vec(),
            policies: vec![Arc::new(policy())],
        };
        let (recordings, mut store) = Recordings::start(voicemail, calls).expect("a thread");
        let shared = recordings.counters();
        pieces.into_iter().for_each(&mut store);
        drop(store);
        recordings.join();
        shared.take_news()
    }

    fn verified(&self) -> (bool, String) {
        let mut out = Vec::new();
        let done = command::verify(&self.calls(), &mut out);
        (done.is_ok(), String::from_utf8(out).unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn policy() -> config::RecordingPolicy {
    config::RecordingPolicy {
        name: "calls".into(),
        always: true,
        announcement: None,
        tone_every: None,
        key: None,
        pause_key: None,
        required: false,
        keep: Duration::from_secs(86_400),
    }
}

fn name(number: u64) -> String {
    format!("20261125T080004Z-7-{number:x}-1")
}

/// So many blocks of a call; the last one ends it.
fn call(number: u64, began: i64, blocks: u64) -> Vec<Recorded> {
    let call = CallId { run: 7, key: number };
    let about = About { call, policy: "calls".into(), began, keep_ms: HOUR_MS };
    let title = Arc::new(Title { name: name(number), sides: Sides::Both, about: about.to_json() });
    let block = |at: u64| Recorded {
        title: title.clone(),
        at: at * 800,
        samples: (0..800).flat_map(|n| [n as i16, -(n as i16)]).collect(),
        notes: if at == 0 { vec![Note::Mark { at: 0, what: "agent anna".into() }] } else { vec![] },
        end: (at + 1 == blocks).then_some(RecordingEnd::Keep),
    };
    (0..blocks).map(block).collect()
}

#[test]
fn a_finished_recording_plays_stands_in_the_manifest_and_is_whole() {
    let folder = Folder::new("finished");
    assert_eq!(folder.record(&[], [call(1, BEGAN, 20), call(2, BEGAN, 30)].concat()), []);
    let bytes = fs::read(folder.calls().join(format!("{}.wav", name(1)))).unwrap();
    let wav = Wav::parse(&bytes).unwrap();
    assert_eq!((wav.channels(), wav.rate(), wav.frames()), (2, 8_000, 16_000));
    assert_eq!(bytes[44 + 4..44 + 8], [1, 0, 0xff, 0xff], "left first");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let modes = [folder.calls(), folder.calls().join(FILE), folder.calls().join(format!("{}.wav", name(1)))];
    assert_eq!(modes.map(|path| mode(&path)), [0o700, 0o600, 0o600]);
    assert_eq!(folder.verified(), (true, "2 recordings are whole\n".to_owned()));
    let mut out = Vec::new();
    command::list(&folder.calls(), &mut out).unwrap();
    let list = String::from_utf8(out).unwrap();
    assert!(list.contains("2.0s  20261125T080004Z-7-1-1.wav  calls  0 gaps, 0 pauses  agent anna"), "{list}");
    assert!(list.ends_with("2 recordings, 0 deleted\n"));
}

#[test]
fn every_fault_is_named_with_its_place_and_cure() {
    let folder = Folder::new("faults");
    folder.record(&[], [call(1, BEGAN, 2), call(2, BEGAN, 2), call(3, BEGAN, 2)].concat());
    let file = |number| folder.calls().join(format!("{}.wav", name(number)));
    let mut bytes = fs::read(file(1)).unwrap();
    bytes[100] ^= 1;
    fs::write(file(1), bytes).unwrap();
    fs::remove_file(file(2)).unwrap();
    fs::write(folder.calls().join("stranger.wav"), "x").unwrap();
    let (is_sound, told) = folder.verified();
    assert!(!is_sound);
    for (place, text) in [
        ("-1-1.wav (manifest.jsonl:1): ", "has another content"),
        ("-2-1.wav (manifest.jsonl:2): ", "is missing, and no line says that it was deleted; put it back"),
        ("stranger.wav: ", "is in no line of the manifest"),
    ] {
        assert!(told.lines().any(|line| line.contains(place) && line.contains(text)), "{text}: {told}");
    }
    assert!(told.ends_with("1 recordings are whole\n"));
    let manifest = fs::read_to_string(folder.calls().join(FILE)).unwrap();
    fs::write(folder.calls().join(FILE), manifest.replacen("\"length_ms\":200", "\"length_ms\":900", 1))
        .unwrap();
    assert!(folder.verified().1.contains("manifest.jsonl:2: the line before it has been changed"));
}

#[test]
fn an_erased_recording_is_a_line_and_no_hole() {
    let folder = Folder::new("erased");
    folder.record(&[], [call(1, BEGAN, 2), call(2, BEGAN, 2)].concat());
    let erase = |what: &str| command::erase(&folder.calls(), what, "asked by the caller", &mut Vec::new());
    erase("7-1").unwrap();
    assert!(matches!(erase("7-1"), Err(CommandError::Refused { .. })), "once");
    assert_eq!(folder.verified(), (true, "1 recordings are whole\n".to_owned()));
    let manifest = fs::read_to_string(folder.calls().join(FILE)).unwrap();
    assert!(manifest.lines().nth(2).unwrap().contains("erased: asked by the caller"));
    folder.record(&[], call(3, BEGAN, 2));
    assert_eq!(
        folder.verified(),
        (true, "2 recordings are whole\n".to_owned()),
        "the chain goes on behind it"
    );
}

#[test]
fn what_is_too_old_goes_at_the_next_start_and_the_manifest_says_so() {
    let folder = Folder::new("old");
    folder.record(&[], [call(1, 1_000_000, 2), call(2, BEGAN, 2)].concat());
    folder.record(&[], vec![]);
    assert!(!folder.calls().join(format!("{}.wav", name(1))).exists());
    assert_eq!(folder.verified(), (true, "1 recordings are whole\n".to_owned()));
    assert!(fs::read_to_string(folder.calls().join(FILE)).unwrap().contains("\"why\":\"retention\""));
}

#[test]
fn an_encrypted_recording_is_read_with_the_secret_key_and_with_no_other() {
    let folder = Folder::new("sealed");
    let (ours, other) = (Identity::generate(), Identity::generate());
    folder.record(&[ours.to_public().to_string()], call(1, BEGAN, 100));
    let sealed = folder.calls().join(format!("{}.wav.age", name(1)));
    assert!(fs::read(&sealed).unwrap().starts_with(b"age-encryption.org/v1"));
    assert_eq!(folder.verified(), (true, "1 recordings are whole\n".to_owned()));
    let (keys, opened) = (folder.0.join("keys"), folder.0.join("opened.wav"));
    let decrypt = |identity: &Identity| {
        use age::secrecy::ExposeSecret;
        let secret = identity.to_string();
        fs::write(&keys, format!("# created: today\n{}\n", secret.expose_secret())).unwrap();
        command::decrypt(&sealed, &keys, &opened, &mut Vec::new())
    };
    assert!(decrypt(&other).is_err());
    decrypt(&ours).unwrap();
    let bytes = fs::read(&opened).unwrap();
    let wav = Wav::parse(&bytes).unwrap();
    assert_eq!((wav.channels(), wav.frames()), (2, 80_000));
    assert_eq!(bytes[44 + 4..44 + 8], [1, 0, 0xff, 0xff]);
}

#[test]
fn a_full_disk_costs_the_recording_and_is_told_once_and_again_when_there_is_room() {
    let folder = Folder::new("full");
    folder::prepare(&folder.calls()).unwrap();
    let part = folder.calls().join(format!("{}.wav.part", name(1)));
    symlink("/dev/full", &part).unwrap();
    let news = folder.record(&[], [call(1, BEGAN, 30), call(2, BEGAN, 3)].concat());
    let lost = |news: &&RecorderNews| matches!(news, RecorderNews::Lost { file, why } if file.contains("-7-1-1") && why.contains("No space"));
    assert_eq!(news.iter().filter(lost).count(), 1, "{news:?}");
    assert_eq!(news.iter().filter(|news| matches!(news, RecorderNews::Fails(_))).count(), 1, "{news:?}");
    assert!(folder.calls().join(format!("{}.wav", name(2))).exists(), "the next call is recorded");
}

#[test]
fn a_folder_that_cannot_be_written_is_named_at_check_with_its_cure() {
    let folder = Folder::new("unwritable");
    fs::write(folder.calls(), "a file where the folder should be").unwrap();
    let calls = folder.calls();
    let file = folder.0.join("fernamt.toml");
    let text = format!(
        r#"
[node]
name = "n"
[listen]
sip = ["udp:127.0.0.1:5060"]
[media]
address = "127.0.0.1"
[trunk.carrier]
accept_from = ["127.0.0.0/8"]
[[number]]
match = "*"
flow = "over"
[flow.over]
steps = [{{ record = "all" }}, "hangup"]
[recordings]
folder = {calls:?}
[recording.all]
"#
    );
    fs::write(&file, text).unwrap();
    let outcome = check::check(&file, check::Questions::default());
    assert!(
        outcome.text.contains("recordings.folder: ") && outcome.text.contains("let this user write there"),
        "{}",
        outcome.text
    );
    assert_eq!(outcome.code, 2);
    let news = folder.record(&[], call(1, BEGAN, 3));
    assert!(news.iter().any(|news| matches!(news, RecorderNews::Fails(_))), "{news:?}");
}
