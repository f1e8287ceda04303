//! A command that speaks, run by the real system: what it says, what is kept, and what is told when it fails.

mod config_support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use config_support::{DESK, HEAD, wav};
use router::config::{Config, Names, Problems, load};

/// A folder of its own with a command in it, gone with the test.
struct House(PathBuf);

impl House {
    fn new(name: &str, script: &str) -> House {
        let folder = std::env::temp_dir().join(format!("fernamt-tts-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("one.wav"), wav()).unwrap();
        let command = folder.join("speak");
        fs::write(&command, format!("#!/bin/sh\ncd {}\n{script}\n", folder.display())).unwrap();
        fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).unwrap();
        House(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn load(&self, tts: &str, more: &str) -> Result<Config, Problems> {
        let data = self.path("data");
        let text = format!(
            "[node]\ndata_dir = {data:?}\n{HEAD}{DESK}tell = {{}}\n[prompts]\nlanguages = [\"de\"]\ntts = \"{}\"\n{more}",
            tts.replace("SPEAK", &self.path("speak").display().to_string())
        );
        fs::write(self.path("f.toml"), text).unwrap();
        load(&self.path("f.toml"), &mut Names::new())
    }

    /// The one problem, without its place.
    fn told(&self, tts: &str, more: &str) -> String {
        let problems = self.load(tts, more).expect_err("it cannot speak").to_string();
        assert_eq!(problems.lines().count(), 1, "told once: {problems}");
        problems.trim().split_once("prompts.tts: ").unwrap().1.replace(&self.0.display().to_string(), "HERE")
    }

    fn log(&self) -> Vec<String> {
        fs::read_to_string(self.path("log")).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn kept(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn each_word_is_spoken_once_and_kept() {
    let house = House::new("kept", "read text; echo \"$1 $text\" >> log; cat one.wav");
    let config = house.load("SPEAK {lang}", "").unwrap_or_else(|problems| panic!("{problems}"));
    let words = config.snippets.values().next().unwrap().len();
    let log = house.log();
    assert_eq!(log.len(), words);
    assert!(
        log.contains(&"de Sie sind an Position".to_owned()) && log.contains(&"de zwanzig".to_owned()),
        "{log:?}"
    );
    assert_eq!(kept(&house.path("data/speech")), words);
    house.load("SPEAK {lang}", "").unwrap();
    assert_eq!(house.log().len(), words, "nothing is spoken again");
    house.load("SPEAK {lang} -slow", "").unwrap();
    assert_eq!(house.log().len(), 2 * words, "another command has another voice");
}

#[test]
fn the_text_may_be_a_word_of_the_command_and_no_shell_reads_it() {
    let house = House::new("word", "echo \"$#|$2\" >> log; cat one.wav");
    house.load("SPEAK -- {text}", "").unwrap();
    assert!(house.log().contains(&"2|Sie sind an Position".to_owned()), "{:?}", house.log());
    let house = House::new("shell", "echo \"$1\" >> log; cat one.wav");
    house.load("SPEAK $(date);ls", "").unwrap();
    assert!(house.log().iter().all(|line| line == "$(date);ls"));
}

#[test]
fn what_is_recorded_is_not_spoken() {
    let house = House::new("recorded", "read text; echo \"$text\" >> log; cat one.wav");
    fs::write(house.path("3.wav"), wav()).unwrap();
    let folder = format!("snippets = {:?}\n", house.0);
    house.load("SPEAK", &folder).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(!house.log().contains(&"drei".to_owned()) && house.log().contains(&"vier".to_owned()));
}

#[test]
fn a_command_that_fails_is_told_once_with_its_cure() {
    let house = House::new("fails", "echo 'no voice for de' >&2; exit 3");
    assert_eq!(
        house.told("SPEAK", ""),
        "HERE/speak failed with exit status: 3 (no voice for de); run it by hand, with \"null\" to say"
    );
    assert_eq!(
        house.told(&format!("{}/nix", house.0.display()), ""),
        "there is no program HERE/nix; install it, or write another"
    );
    assert_eq!(house.told(" ", ""), "no command; write one such as \"espeak-ng -v {lang} --stdout\"");
    let house = House::new("silent", "exit 0");
    assert_eq!(
        house.told("SPEAK", ""),
        "HERE/speak wrote nothing; it must write a sound file to its standard output"
    );
    let house = House::new("noise", "echo hello");
    let told = house.told("SPEAK", "");
    assert!(told.starts_with("what the command writes is of no use: neither WAV"), "{told}");
    let house = House::new("hangs", "exec sleep 100");
    assert_eq!(
        house.told("SPEAK", "tts_timeout = \"1s\"\n"),
        "HERE/speak spoke for more than 1s; look why it hangs, or write a longer tts_timeout"
    );
}
