//! The program itself, as a process: what it refuses to start with, and how it ends.
#![cfg(feature = "driver")]
#![allow(missing_docs)]
#![allow(clippy::disallowed_methods, reason = "a process has a clock of its own")]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use router::{driver::journal_writer, journal::fact::What};

/// How long anything may take that is to happen at once; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

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

fn fernamt(log: &str, arguments: &[&str], config: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_fernamt"));
    program.env("RUST_LOG", log).args(arguments).arg(config);
    program
}

fn output(log: &str, arguments: &[&str], config: &Path) -> Output {
    fernamt(log, arguments, config).output().unwrap()
}

/// A running router; killed if a test fails before it has ended.
struct Router {
    process: Child,
    /// Line by line; at its end when the process has ended.
    log: Receiver<String>,
    sip: SocketAddr,
    config: PathBuf,
    dir: Dir,
}

impl Router {
    /// Answers every number with a queue that nobody serves. Calls come from `carrier`.
    fn start(name: &str, carrier: &UdpSocket) -> Router {
        let dir = Dir::new(name);
        let sip = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (data, carrier) = (dir.0.join("data"), carrier.local_addr().unwrap());
        let config = dir.config(&format!(
            "[node]\ndata_dir = {data:?}\n[listen]\nsip = [\"udp:{sip}\"]\nadmin = \"{admin}\"\n[media]\nports = \"20000-20999\"\n\
             [trunk.carrier]\naccept_from = [\"127.0.0.1\"]\nsend_to = [\"udp:{carrier}\"]\n\
             [[number]]\nmatch = \"*\"\ntrunk = \"carrier\"\nflow = \"wait\"\n\
             [flow.wait]\nsteps = [{{ queue = \"desk\" }}]\n[queue.desk]\n"
        ));
        let (process, log) = spawn(&config);
        let router = Router { process, log, sip, config, dir };
        router.says(&["running"]);
        router
    }

    /// `kill -9`, and a new start.
    fn dies_and_starts_again(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        (self.process, self.log) = spawn(&self.config);
        self.says(&["running"]);
    }

    /// Looks into its journal until `what` is on disk.
    fn has_written(&self, what: impl Fn(&What) -> bool) {
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < PATIENCE, "it is never written");
            let store = journal_writer::read(&self.dir.0.join("data")).unwrap();
            let mut written = false;
            let found = store.facts_after(0, |fact| {
                written |= what(&fact.what);
                Ok(())
            });
            if found.is_ok() && written {
                return;
            }
        }
    }

    /// Reads its log until it says all of this in one line.
    fn says(&self, what: &[&str]) {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("it does not say {what:?}: {error}"));
            if what.iter().all(|words| line.contains(words)) {
                return;
            }
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end of the process.
    fn end(&mut self) -> ExitStatus {
        let more = || self.log.recv_timeout(PATIENCE);
        let last = std::iter::repeat_with(more).find_map(Result::err);
        assert_eq!(last, Some(RecvTimeoutError::Disconnected), "it does not end");
        self.process.wait().unwrap()
    }
}

fn spawn(config: &Path) -> (Child, Receiver<String>) {
    let mut process = fernamt("info", &["run"], config).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let (read, log) = channel();
    thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| read.send(line)));
    (process, log)
}

impl Drop for Router {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The far end of the trunk.
fn carrier() -> UdpSocket {
    let carrier = UdpSocket::bind("127.0.0.1:0").unwrap();
    carrier.set_read_timeout(Some(PATIENCE)).unwrap();
    carrier
}

fn request(method: &str, carrier: &UdpSocket, router: SocketAddr, to_tag: &str, body: &str) -> String {
    let from = carrier.local_addr().unwrap();
    format!(
        "{method} sip:support@{router} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{method}\r\n\
         From: <sip:+4930@{from}>;tag=a\r\nTo: <sip:support@{router}>{to_tag}\r\nCall-ID: one@{from}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:{from}>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The next message that begins so.
fn expect(carrier: &UdpSocket, begin: &str) -> String {
    let mut bytes = [0; 65_536];
    loop {
        let length = carrier.recv(&mut bytes).unwrap();
        let message = String::from_utf8_lossy(&bytes[..length]);
        if message.starts_with(begin) {
            return message.into_owned();
        }
    }
}

/// A call that waits in the queue.
fn call(carrier: &UdpSocket, router: SocketAddr) {
    let offer =
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n";
    carrier.send_to(request("INVITE", carrier, router, "", offer).as_bytes(), router).unwrap();
    let answer = expect(carrier, "SIP/2.0 200");
    let tag = answer.lines().find_map(|line| line.strip_prefix("To: ")?.split_once(";tag=")).unwrap().1;
    carrier.send_to(request("ACK", carrier, router, &format!(";tag={tag}"), "").as_bytes(), router).unwrap();
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
    let refused = output("error", &["run"], &config);
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

#[test]
fn a_router_without_calls_ends_in_order_as_soon_as_it_is_told() {
    let mut router = Router::start("idle", &carrier());
    router.signal("-TERM");
    assert_eq!(router.end().code(), Some(0));
    let told = output("error", &["calls"], &router.config);
    assert!(told.status.success(), "the journal is whole: {}", String::from_utf8_lossy(&told.stderr));
}

#[test]
fn the_first_interrupt_lets_calls_go_on_and_the_second_ends_them_at_once() {
    let carrier = carrier();
    let mut router = Router::start("interrupted", &carrier);
    call(&carrier, router.sip);

    router.signal("-INT");
    router.says(&["draining"]);
    carrier.send_to(request("OPTIONS", &carrier, router.sip, "", "").as_bytes(), router.sip).unwrap();
    expect(&carrier, "SIP/2.0 503");

    router.signal("-INT");
    let bye = expect(&carrier, "BYE ");
    let answer = bye.replacen(bye.lines().next().unwrap(), "SIP/2.0 200 OK", 1);
    let refused = output("error", &["journal", "rebuild"], &router.config);
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("a running fernamt uses this directory; end it"), "{why}");

    carrier.send_to(answer.as_bytes(), router.sip).unwrap();
    assert_eq!(router.end().code(), Some(0));
    let told = output("error", &["calls", "--json"], &router.config);
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains(r#""cause":"shutdown""#), "{told}");
    let rebuilt = output("error", &["journal", "rebuild"], &router.config);
    assert_eq!(String::from_utf8(rebuilt.stdout).unwrap(), "1 call records made anew from the facts\n");
}

#[test]
fn whoever_waited_when_it_was_killed_and_calls_again_has_his_place_again() {
    let carrier = carrier();
    let mut router = Router::start("killed", &carrier);
    call(&carrier, router.sip);
    router.has_written(|what| matches!(what, What::Queued { kept: None, .. }));
    router.dies_and_starts_again();
    call(&carrier, router.sip);
    router.has_written(|what| matches!(what, What::Queued { kept: Some(_), .. }));

    router.signal("-INT");
    router.says(&["draining"]);
    router.signal("-INT");
    let bye = expect(&carrier, "BYE ");
    let answer = bye.replacen(bye.lines().next().unwrap(), "SIP/2.0 200 OK", 1);
    carrier.send_to(answer.as_bytes(), router.sip).unwrap();
    assert_eq!(router.end().code(), Some(0));
    let told = output("error", &["explain", "last"], &router.config);
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("enters desk at place 1, with the place of call "), "{told}");
}

#[test]
fn a_queue_closed_by_hand_is_closed_after_a_kill_too_until_it_is_opened() {
    let carrier = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut router = Router::start("door", &carrier);
    let told = |router: &Router, arguments: &[&str]| {
        let output = output("info", arguments, &router.config);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let close = ["queue", "--reason", "fire", "desk", "close"];
    assert_eq!(told(&router, &close), "desk: closed, 0 waiting\n");
    router.has_written(
        |what| matches!(what, What::QueueSwitched { closed: true, reason, .. } if reason == "fire"),
    );
    router.dies_and_starts_again();
    assert!(told(&router, &["status"]).contains("  closed\n"));
    assert_eq!(told(&router, &["queue", "desk", "open"]), "desk: open, 0 waiting\n");
    router.signal("-TERM");
    assert!(router.end().success());
}

#[test]
fn a_reload_says_which_keys_have_to_wait_for_a_restart() {
    let router = Router::start("reloaded", &carrier());
    let text = fs::read_to_string(&router.config).unwrap();
    let changed =
        text.replace("20000-20999", "20000-21999").replace("[queue.desk]", "[queue.desk]\nmax_waiting = 7");
    for _ in 0..2 {
        fs::write(&router.config, &changed).unwrap();
        router.signal("-HUP");
        router.says(&["configuration reloaded"]);
        router.says(&["need a restart", "keys=\"media.ports\""]);
    }
}
