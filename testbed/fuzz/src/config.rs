//! Configuration files: any text is a configuration or a list of problems, each with a place in the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use router::config::{Files, Names, Surroundings, parse};

/// The bytes are a file. There is one prompt beside it, `a.wav`, and nothing is read from disk.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let files = BTreeMap::from([(PathBuf::from("a.wav"), wav())]);
    let surroundings = Surroundings { files: Files::Memory(files), ..Surroundings::default() };
    let mut names = Names::new();
    let problems = match parse(text, "f.toml", Path::new(""), &mut names, &surroundings) {
        Ok(config) => {
            assert_eq!(config.difference(&config), "");
            for (id, _) in config.trunks() {
                let _ = config.route(id, "+493012345");
            }
            config.warnings
        }
        Err(problems) => {
            assert!(problems.errors().next().is_some(), "refused without saying why");
            assert_eq!(names.queues(), 0, "a refused file leaves no names");
            problems
        }
    };
    let lines = text.split('\n').count() as u32;
    for problem in problems.iter() {
        assert!((1..=lines).contains(&problem.place.line), "{problem}");
        assert!(!problem.text.is_empty() && !problem.text.contains('\n'), "{problem:?}");
    }
}

/// 20 ms of silence, 8 bit.
fn wav() -> Vec<u8> {
    let mut bytes =
        b"RIFF\xc4\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\xa0\0\0\0"
            .to_vec();
    bytes.extend([0x80; 160]);
    bytes
}
