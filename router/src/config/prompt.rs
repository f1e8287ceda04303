//! Prompt files: found, read and checked while the configuration is loaded, so that no caller meets a missing one.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use media::PromptError;
use media::prompt::FileKind;

use super::languages::{Language, Languages, PLACEHOLDER};
use super::names::{Interned, PromptId};
use super::problem::Report;
use super::raw::Item;
use super::tts::Tts;

/// Where files beside the configuration come from.
#[derive(Debug, Clone, Default)]
pub enum Files {
    /// The file system.
    #[default]
    Disk,
    /// These and no others: for tests and the simulated world.
    Memory(BTreeMap<PathBuf, Vec<u8>>),
}

/// An hour and a half of CD sound; what is longer was hardly meant as a prompt.
const LARGEST: u64 = 1 << 30;

impl Files {
    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self {
            Files::Disk => {
                let about = std::fs::metadata(path)?;
                if !about.is_file() {
                    return Err(io::Error::other("it is no file"));
                }
                if about.len() > LARGEST {
                    return Err(io::Error::other("it is larger than 1 GiB"));
                }
                std::fs::read(path)
            }
            Files::Memory(files) => files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }

    /// The names of the sound files in a folder, in order; `None` if it is no folder.
    fn sounds_in(&self, folder: &Path) -> Option<Vec<String>> {
        let paths: Vec<PathBuf> = match self {
            Files::Disk => std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect(),
            Files::Memory(files) => {
                let inside = files.keys().filter(|path| path.parent() == Some(folder)).cloned().collect();
                Some(inside).filter(|inside: &Vec<_>| !inside.is_empty())?
            }
        };
        let is_sound = |path: &&PathBuf| {
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            FileKind::ALL.iter().any(|kind| kind.extensions().contains(&ending.to_ascii_lowercase().as_str()))
        };
        let names = paths.iter().filter(is_sound).filter_map(|path| path.file_name()?.to_str());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).map(str::to_owned).collect();
        names.sort();
        Some(names)
    }
}

/// A prompt or a piece of music, ready to play.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// The path as written.
    pub name: String,
    /// Its one file; with `{lang}` in the path one for each language, that of the default first.
    pub files: Vec<(Option<Language>, PromptFile)>,
}

/// One file of a prompt.
#[derive(Debug, Clone)]
pub struct PromptFile {
    /// The path as opened: a relative one starts at the directory of the configuration.
    pub path: PathBuf,
    /// The sound.
    pub sound: Arc<media::Prompt>,
    /// Of the file's bytes: tells whether a reload brought another sound.
    digest: u64,
}

impl PartialEq for PromptFile {
    fn eq(&self, other: &PromptFile) -> bool {
        (&self.path, self.digest) == (&other.path, other.digest)
    }
}

/// Prompts met so far.
pub(super) struct Prompts<'s> {
    files: &'s Files,
    base_dir: &'s Path,
    names: Interned,
    /// Those of the configuration in force: what has not changed since is not decoded again.
    known: &'s BTreeMap<PathBuf, PromptFile>,
    pub(super) languages: Languages,
    /// Those that a leg may agree to.
    codecs: Vec<media::Codec>,
    /// By path as written; `Err` says why its files are of no use.
    loaded: BTreeMap<String, Result<Loaded, Vec<String>>>,
}

/// A file that is of use.
struct Loaded {
    id: PromptId,
    prompt: Prompt,
    /// What names of its files say that they are not.
    misnamed: Vec<String>,
}

impl<'s> Prompts<'s> {
    pub(super) fn new(
        (files, base_dir): (&'s Files, &'s Path),
        names: Interned,
        known: &'s BTreeMap<PathBuf, PromptFile>,
        languages: Languages,
        codecs: Vec<media::Codec>,
    ) -> Prompts<'s> {
        Prompts { files, base_dir, names, known, languages, codecs, loaded: BTreeMap::new() }
    }

    /// The prompt that `item` names; a file of no use is reported at every place that names it.
    pub(super) fn resolve(&mut self, item: &Item<'_>, report: &mut Report) -> Option<PromptId> {
        let name = item.text("\"prompts/welcome.wav\"", report)?;
        if name.is_empty() {
            item.error(report, "an empty path is no file; write one such as \"prompts/welcome.wav\"");
            return None;
        }
        self.prompt(name, item, report)
    }

    fn prompt(&mut self, name: &str, item: &Item<'_>, report: &mut Report) -> Option<PromptId> {
        if !self.loaded.contains_key(name) {
            let loaded = self.load(name);
            self.loaded.insert(name.to_owned(), loaded);
        }
        match &self.loaded[name] {
            Ok(loaded) => {
                loaded.misnamed.iter().for_each(|misnamed| item.warning(report, misnamed));
                Some(loaded.id)
            }
            Err(why) => {
                why.iter().for_each(|why| item.error(report, why));
                None
            }
        }
    }

    /// The prompts that `item` names: one file, or all sound files of a folder by their names.
    pub(super) fn all_of(&mut self, item: &Item<'_>, report: &mut Report) -> Option<Vec<PromptId>> {
        let name = item.text("\"music/\"", report)?;
        let Some(files) = self.files.sounds_in(&self.base_dir.join(name)).filter(|_| !name.is_empty()) else {
            return self.resolve(item, report).map(|id| vec![id]);
        };
        if files.is_empty() {
            item.error(report, format!("no sound file is in the folder {name}; put some there"));
            return None;
        }
        let folder = name.trim_end_matches('/');
        let ids: Vec<_> =
            files.iter().map(|file| self.prompt(&format!("{folder}/{file}"), item, report)).collect();
        ids.into_iter().collect()
    }

    /// Files of these names in a folder, whatever their kind. Those that are missing are one problem, unless they are
    /// spoken.
    pub(super) fn snippets(
        &mut self,
        folder: Option<&str>,
        (names, spoken): (&[&'static str], bool),
        item: &Item<'_>,
        report: &mut Report,
    ) -> BTreeMap<&'static str, PromptId> {
        let Some(folder) = folder else { return BTreeMap::new() };
        let path = self.base_dir.join(folder);
        let there = self.files.sounds_in(&path).unwrap_or_default();
        let file = |name: &str| there.iter().find(|file| Path::new(file).file_stem() == Some(name.as_ref()));
        let missing: Vec<&str> = names.iter().copied().filter(|name| file(name).is_none()).collect();
        if !missing.is_empty() && !spoken {
            let text = format!(
                "the folder {} lacks {}; record each as NAME.wav there, or write tts",
                path.display(),
                missing.join(", ")
            );
            item.error(report, text);
        }
        let found: Vec<_> =
            names.iter().filter_map(|name| Some((*name, format!("{folder}/{}", file(name)?)))).collect();
        found.into_iter().filter_map(|(name, file)| Some((name, self.prompt(&file, item, report)?))).collect()
    }

    /// A text that a command has spoken, now or earlier.
    pub(super) fn spoken(
        &mut self,
        tts: &Tts<'_>,
        language: Language,
        name: &str,
        text: &str,
    ) -> Result<PromptId, String> {
        let Files::Disk = self.files else { return Err("no command is run here; record it".to_owned()) };
        let path = tts.path(language, name, text);
        let kept =
            self.files.read(&path).ok().and_then(|bytes| self.decoded(&bytes, path.clone(), name).ok());
        let file = match kept {
            Some(kept) => kept,
            None => {
                let bytes = tts.speak(language, text, &path)?;
                self.decoded(&bytes, path, name)
                    .map_err(|why| format!("what the command writes is of no use: {why}"))?
            }
        };
        let name = format!("spoken {language} {name}");
        let id = PromptId::from(self.names.intern(&name));
        let prompt = Prompt { name: name.clone(), files: vec![(None, file)] };
        self.loaded.insert(name, Ok(Loaded { id, prompt, misnamed: Vec::new() }));
        Ok(id)
    }

    /// The one line of a small file beside the configuration, without its end.
    pub(super) fn line(&self, name: &str) -> Result<String, String> {
        let bytes = self.files.read(&self.base_dir.join(name)).map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes).map_err(|_| "it is no UTF-8".to_owned())?;
        let line = text.trim_end_matches(['\r', '\n']);
        match line {
            "" => Err("it is empty".to_owned()),
            _ if line.len() > 1_024 || line.contains(char::is_control) => {
                Err("it is more than a line".to_owned())
            }
            _ => Ok(line.to_owned()),
        }
    }

    /// Every prompt that was of use, and their names.
    pub(super) fn finish(self) -> (Vec<(PromptId, Prompt)>, Interned) {
        let loaded = self.loaded.into_values().flatten();
        (loaded.map(|loaded| (loaded.id, loaded.prompt)).collect(), self.names)
    }

    fn load(&mut self, name: &str) -> Result<Loaded, Vec<String>> {
        let wanted: Vec<(Option<Language>, String)> = match name.contains(PLACEHOLDER) {
            false => vec![(None, name.to_owned())],
            true => {
                let of = |language: Language| (Some(language), name.replace(PLACEHOLDER, language.as_str()));
                self.languages.iter().map(of).collect()
            }
        };
        if wanted.is_empty() {
            let text =
                "{lang} stands for a language, and there are none; write languages = [\"de\"] in [prompts]";
            return Err(vec![text.to_owned()]);
        }
        let (mut files, mut misnamed, mut why) = (Vec::new(), Vec::new(), Vec::new());
        for (language, name) in wanted {
            match self.file(&name, language) {
                Ok((file, name)) => {
                    files.push((language, file));
                    misnamed.extend(name);
                }
                Err(text) => why.push(text),
            }
        }
        if !why.is_empty() {
            return Err(why);
        }
        let id = PromptId::from(self.names.intern(name));
        Ok(Loaded { id, prompt: Prompt { name: name.to_owned(), files }, misnamed })
    }

    /// One file, and what its name says that it is not.
    fn file(&self, name: &str, language: Option<Language>) -> Result<(PromptFile, Option<String>), String> {
        let path = self.base_dir.join(name);
        let shown = path.display();
        let bytes = self.files.read(&path).map_err(|error| match (error.kind(), language) {
            (io::ErrorKind::NotFound, Some(language)) => format!(
                "there is no file {shown} for \"{language}\"; put it there, or take \"{language}\" out of prompts.languages"
            ),
            (io::ErrorKind::NotFound, None) => {
                format!("there is no file {shown}; put it there, or write the path of one that is")
            }
            _ => format!("{shown} cannot be read: {error}; make it a readable sound file"),
        })?;
        let misnamed = misnamed(&path, FileKind::of(&bytes));
        let file = self
            .decoded(&bytes, path, name)
            .map_err(|why| format!("{} is of no use: {why}", self.base_dir.join(name).display()))?;
        Ok((file, misnamed))
    }

    /// The sound of these bytes; what is known already is not decoded again.
    fn decoded(&self, bytes: &[u8], path: PathBuf, name: &str) -> Result<PromptFile, PromptError> {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        let digest = hasher.finish();
        let known = self.known.get(&path).filter(|known| known.digest == digest);
        let known = known
            .filter(|known| self.codecs.iter().all(|codec| !codec.is_ours() || known.sound.is_in(*codec)));
        let sound = match known {
            Some(known) => Arc::clone(&known.sound),
            None => Arc::new(media::Prompt::load(bytes, name, &self.codecs)?),
        };
        Ok(PromptFile { path, sound, digest })
    }
}

/// A file whose name ends as if it were of another kind is played all the same; whoever looks for it is misled.
fn misnamed(path: &Path, kind: Option<FileKind>) -> Option<String> {
    let (kind, ending) = (kind?, path.extension()?.to_str()?.to_ascii_lowercase());
    let right = kind.extensions();
    (!right.contains(&ending.as_str())).then(|| {
        let better = path.with_extension(right[0]);
        format!("{} is {} by its content; name it {}", path.display(), kind.name(), better.display())
    })
}
