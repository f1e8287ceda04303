//! Every input the fuzzer ever found worth keeping, replayed as an ordinary test.

use std::fs;
use std::path::Path;

// `pub` there is for the fuzzer's crate.
#[path = "../fuzz/src/config.rs"]
#[allow(unreachable_pub)]
mod config;
#[path = "../fuzz/src/digest.rs"]
#[allow(unreachable_pub)]
mod digest;
#[path = "../fuzz/src/dtmf.rs"]
#[allow(unreachable_pub)]
mod dtmf;
#[path = "../fuzz/src/endpoint/mod.rs"]
#[allow(unreachable_pub)]
mod endpoint;
#[path = "../fuzz/src/engine.rs"]
#[allow(unreachable_pub)]
mod engine;
#[path = "../fuzz/src/message.rs"]
#[allow(unreachable_pub)]
mod message;
#[path = "../fuzz/src/rtcp.rs"]
#[allow(unreachable_pub)]
mod rtcp;
#[path = "../fuzz/src/rtp.rs"]
#[allow(unreachable_pub)]
mod rtp;
#[path = "../fuzz/src/sdp.rs"]
#[allow(unreachable_pub)]
mod sdp;
#[path = "../fuzz/src/sound.rs"]
#[allow(unreachable_pub)]
mod sound;
#[path = "../fuzz/src/srtp.rs"]
#[allow(unreachable_pub)]
mod srtp;
#[path = "../fuzz/src/stream.rs"]
#[allow(unreachable_pub)]
mod stream;

/// Runs `target` over `fuzz/corpus/<name>`; a panic names the file.
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no corpus in {}", folder.display());
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let outcome = std::panic::catch_unwind(|| target(&bytes));
        assert!(outcome.is_ok(), "{} breaks {name}", file.display());
    }
}

#[test]
fn the_corpus_of_configurations_holds() {
    replay("config", config::run);
}

#[test]
fn the_corpus_of_challenges_and_credentials_holds() {
    replay("digest", digest::run);
}

#[test]
fn the_corpus_of_keys_holds() {
    replay("dtmf", dtmf::run);
}

#[test]
fn the_corpus_of_engines_days_holds() {
    replay("engine", engine::run);
}

#[test]
fn the_corpus_of_endpoints_days_holds() {
    replay("endpoint", endpoint::run);
}

#[test]
fn the_corpus_of_messages_holds() {
    replay("message", message::run);
}

#[test]
fn the_corpus_of_streams_holds() {
    replay("stream", stream::run);
}

#[test]
fn the_corpus_of_session_descriptions_holds() {
    replay("sdp", sdp::run);
}

#[test]
fn the_corpus_of_protected_packets_holds() {
    replay("srtp", srtp::run);
}

#[test]
fn the_corpus_of_sound_files_holds() {
    replay("sound", sound::run);
}

#[test]
fn the_corpus_of_media_packets_holds() {
    replay("rtp", rtp::run);
}

#[test]
fn the_corpus_of_reports_holds() {
    replay("rtcp", rtcp::run);
}
