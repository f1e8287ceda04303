//! The program itself, as a process with a folder of its own, and certificates for it.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses a part; the names say it")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// How long anything may take that is to happen at once; only a failing test waits for it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running `fernamt`. Killed at its end, and its folder is gone with it.
pub struct Program {
    process: Child,
    log: Receiver<String>,
    pub dir: PathBuf,
}

impl Program {
    /// Runs it on this configuration, to which `[node]` and the folder of its data are added, beside these files.
    pub fn start(name: &str, files: &[(&str, String)], config: &str) -> Program {
        let dir = std::env::temp_dir().join(format!("fernamt-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        for (file, text) in files {
            fs::write(dir.join(file), text).unwrap();
        }
        let node = format!("[node]\ndata_dir = {:?}\n", dir.join("data"));
        fs::write(dir.join("fernamt.toml"), node + config).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_fernamt"))
            .env("RUST_LOG", "info")
            .arg("run")
            .arg(dir.join("fernamt.toml"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (read, log) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| read.send(line)));
        let program = Program { process, log, dir };
        program.says("running");
        program
    }

    /// The next line of its log that has these words.
    pub fn says(&self, words: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("it does not say {words:?}: {error}"));
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Reads its configuration and files anew.
    pub fn reloads(&self) {
        let hup = Command::new("kill").args(["-HUP", &self.process.id().to_string()]).status().unwrap();
        assert!(hup.success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        fs::remove_dir_all(&self.dir).ok();
    }
}

/// A certificate authority.
pub struct Ca(pub CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub fn new() -> Ca {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ca(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key in one file.
    pub fn issue(&self, name: &str) -> String {
        self.issue_until(name, 2100)
    }

    /// The same, until the beginning of a year.
    pub fn issue_until(&self, name: &str, year: i32) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.signed_by(&key, &self.0).unwrap().pem() + &key.serialize_pem()
    }
}
