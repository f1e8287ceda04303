//! The program itself, as a process: what it refuses to start with, and how it ends.
#![cfg(feature = "driver")]
#![allow(missing_docs)]

use std::{
    fs,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A directory of this test's own, gone with it.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let dir = std::env::temp_dir().join(format!("fernamt-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Dir(dir)
    }

    /// A configuration in it.
    fn config(&self, text: &str) -> PathBuf {
        let file = self.0.join("fernamt.toml");
        fs::write(&file, text).unwrap();
        file
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn run(config: &Path) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_fernamt"));
    program.env("RUST_LOG", "error").arg("run").arg(config).output().unwrap()
}

#[test]
fn everything_that_cannot_be_had_is_told_at_once_with_its_place_and_nothing_starts() {
    let dir = Dir::new("refused");
    let sip = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let (taken_at, admin_at) = (taken.local_addr().unwrap(), admin.local_addr().unwrap());
    let data_dir = dir.0.join("data");
    fs::write(&data_dir, "a file").unwrap();
    let config = dir.config(&format!(
        "[node]\ndata_dir = {data_dir:?}\n[listen]\nsip = [\"udp:{sip}\", \"udp:{taken_at}\"]\nadmin = \"{admin_at}\"\n\
         [media]\naddress = \"192.0.2.1\"\nports = \"20000-20999\"\n\
         [trunk.carrier]\naccept_from = [\"127.0.0.1\"]\n"
    ));
    let refused = run(&config);
    let (told, at) = (String::from_utf8(refused.stderr).unwrap(), config.display());
    let told: Vec<&str> = told.lines().collect();
    let cure = "end the program that has it (`ss -lntup` shows it), or write another port";
    let dir = data_dir.display();
    assert_eq!(
        told,
        [
            format!(
                "{at}:2:12: node.data_dir: {dir}: File exists (os error 17); node.data_dir must be a directory that fernamt may write"
            ),
            format!(
                "{at}:4:{}: listen.sip[2]: udp:{taken_at} is in use; {cure}",
                12 + format!("udp:{sip}").len()
            ),
            format!("{at}:5:9: listen.admin: {admin_at} is in use; {cure}"),
            format!(
                "{at}:7:11: media.address: 192.0.2.1 is no address of this machine; write one that `ip address` shows"
            ),
        ]
    );
    assert_eq!(refused.status.code(), Some(2));
    UdpSocket::bind(sip).expect("what could be had was let go again");
}
