//! A command that speaks, and what it has spoken, kept on disk.
//!
//! It is run while the configuration is read, at the start, by `check`, and at a reload beside the shard's thread; never
//! for a call. What it says is kept by text, language and command, so that it is run once for each.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use super::languages::{Language, PLACEHOLDER, PromptsToml};
use super::raw::Item;
use super::read::bounds;
use super::scope::Scope;

/// Stands for the text in a command that does not read it from its standard input.
const TEXT: &str = "{text}";
/// More is no word or two.
const MOST_BYTES: u64 = 16 << 20;

/// A command that speaks.
pub(super) struct Tts<'i> {
    pub(super) item: Item<'i>,
    words: Vec<String>,
    limit: Duration,
    folder: PathBuf,
}

impl<'i> Tts<'i> {
    pub(super) fn resolve(
        raw: &PromptsToml<'i>,
        data_dir: &Path,
        scope: &mut Scope<'_, '_>,
    ) -> Option<Tts<'i>> {
        let limit = raw.tts_timeout.duration(bounds("1s", "1m", "10s"), scope.report);
        let item = raw.tts.item.as_ref()?;
        let such_as = "\"espeak-ng -v {lang} --stdout\"";
        let words: Vec<String> =
            item.text(such_as, scope.report)?.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            item.error(scope.report, format!("no command; write one such as {such_as}"));
            return None;
        }
        Some(Tts { item: item.clone(), words, limit, folder: data_dir.join("speech") })
    }

    /// Where what was spoken lies, or will.
    pub(super) fn path(&self, language: Language, name: &str, text: &str) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        (language, text, &self.words).hash(&mut hasher);
        self.folder.join(format!("{language}-{name}-{:016x}.wav", hasher.finish()))
    }

    /// Speaks, as the bytes of a sound file; kept at `path`.
    ///
    /// # Errors
    /// What went wrong, and the cure.
    pub(super) fn speak(&self, language: Language, text: &str, path: &Path) -> Result<Vec<u8>, String> {
        let spoken = self.run(language, text)?;
        keep(path, &spoken).map_err(|error| {
            format!(
                "what is spoken cannot be kept in {}: {error}; make it a folder that can be written",
                self.folder.display()
            )
        })?;
        Ok(spoken)
    }

    fn run(&self, language: Language, text: &str) -> Result<Vec<u8>, String> {
        let words: Vec<String> = self
            .words
            .iter()
            .map(|word| word.replace(PLACEHOLDER, language.as_str()).replace(TEXT, text))
            .collect();
        let shown = words.join(" ");
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    format!("there is no program {}; install it, or write another", words[0])
                }
                _ => format!("{shown} cannot be run: {error}; write a command that can"),
            })?;
        let read =
            listen(&mut child, if self.words.iter().any(|word| word.contains(TEXT)) { "" } else { text });
        let spoken = read.recv_timeout(self.limit);
        if spoken.is_err() {
            drop(child.kill());
        }
        let status = child.wait();
        match spoken {
            Err(_) => Err(format!(
                "{shown} spoke for more than {:?}; look why it hangs, or write a longer tts_timeout",
                self.limit
            )),
            Ok((_, trouble)) if !status.as_ref().is_ok_and(|status| status.success()) => {
                let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                let trouble = trouble.lines().next().unwrap_or("it says nothing").trim();
                Err(format!("{shown} failed with {status} ({trouble}); run it by hand, with {text:?} to say"))
            }
            Ok((spoken, _)) if spoken.is_empty() => {
                Err(format!("{shown} wrote nothing; it must write a sound file to its standard output"))
            }
            Ok((spoken, _)) => Ok(spoken),
        }
    }
}

/// Gives it the text and takes what it writes, on a thread of its own: one that hangs is left alone there.
fn listen(child: &mut Child, text: &str) -> Receiver<(Vec<u8>, String)> {
    let (done, read) = mpsc::channel();
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let text = text.to_owned();
    thread::spawn(move || {
        if let Some(mut stdin) = stdin {
            drop(stdin.write_all(text.as_bytes())); // one that does not read it has ended, and says why
        }
        let (mut spoken, mut trouble) = (Vec::new(), Vec::new());
        if let Some(stdout) = stdout {
            drop(stdout.take(MOST_BYTES).read_to_end(&mut spoken));
        }
        if let Some(stderr) = stderr {
            drop(stderr.take(4_096).read_to_end(&mut trouble));
        }
        drop(done.send((spoken, String::from_utf8_lossy(&trouble).into_owned())));
    });
    read
}

/// Whole or not at all: a start that is cut short leaves no half word.
fn keep(path: &Path, spoken: &[u8]) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
    let part = path.with_extension("part");
    fs::write(&part, spoken)?;
    fs::rename(&part, path)
}
