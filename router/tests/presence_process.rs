//! The program itself asks for presence: from its configuration to `fernamt status`, its log, and a reload.
#![cfg(feature = "driver")]
#![allow(missing_docs)]
#![allow(clippy::disallowed_methods, reason = "a process has a clock of its own")]

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

use router::command;

/// How long anything may take that is to happen at once; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "s3cret~of~the~app";
const TOKEN: &str = "t0ken~of~an~hour";
const ANNA: &str = "1c9b3e7a-6d1f-4c11-9a53-2f0b6a7e4d22";

/// Status line and body that presence is answered with.
type Page = Arc<Mutex<(&'static str, String)>>;

/// Login address and Graph, by heart. Its thread ends with the process.
fn graph(page: Page) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(stream, &page)));
    address
}

fn answer(mut stream: TcpStream, page: &Page) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {
        let line = head.lines().last().unwrap_or_default().to_lowercase();
        length = line.strip_prefix("content-length:").map_or(length, |text| text.trim().parse().unwrap());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (status, text) = if head.contains("/oauth2/v2.0/token") {
        assert!(
            String::from_utf8_lossy(&body).contains(&format!("client_secret={}", SECRET.replace('~', "%7E")))
        );
        ("200 OK", format!(r#"{{"access_token":"{TOKEN}","expires_in":3599}}"#))
    } else {
        assert!(head.contains(&format!("Bearer {TOKEN}")), "{head}");
        page.lock().unwrap().clone()
    };
    let length = text.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}").ok();
}

fn says(word: &str) -> (&'static str, String) {
    ("200 OK", format!(r#"{{"value":[{{"id":"{ANNA}","availability":"{word}","activity":"{word}"}}]}}"#))
}

/// A running router; killed with the test.
struct Router {
    process: Child,
    log: Receiver<String>,
    heard: Vec<String>,
    admin: SocketAddr,
    folder: PathBuf,
}

impl Router {
    fn start(graph: SocketAddr) -> Router {
        let folder = env::temp_dir().join(format!("fernamt-presence-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("graph.secret"), SECRET).unwrap();
        let free = || UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = folder.join("fernamt.toml");
        let (data, sip, carrier) = (folder.join("data"), free(), free());
        fs::write(&config, format!(
            "[node]\ndata_dir = {data:?}\n[listen]\nsip = [\"udp:{sip}\"]\nadmin = \"{admin}\"\n[media]\nports = \"21000-21999\"\n\
             [trunk.carrier]\naccept_from = [\"127.0.0.1\"]\nsend_to = [\"udp:{carrier}\"]\n\
             [[number]]\nmatch = \"*\"\ntrunk = \"carrier\"\nflow = \"wait\"\n\
             [flow.wait]\nsteps = [{{ queue = \"desk\" }}]\n[queue.desk]\n\
             [agent.anna]\ncall = \"1@carrier\"\nqueues = [\"desk\"]\nentra_id = \"{ANNA}\"\n\
             [presence.graph]\ntenant = \"example.com\"\nclient_id = \"66ad2f10-5a3d-4f4a-8d8f-3b7f0c1e9911\"\n\
             client_secret_file = \"graph.secret\"\nlogin_url = \"http://{graph}\"\ngraph_url = \"http://{graph}\"\n\
             every = \"1s\"\nback_off = \"1s\"\n"
        )).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_fernamt"));
        let program = program.env("RUST_LOG", "trace").env("NO_COLOR", "1").arg("run").arg(&config);
        let mut process = program.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (read, log) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| read.send(line)));
        let mut router = Router { process, log, heard: Vec::new(), admin, folder };
        router.logs(&["running"]);
        router
    }

    /// Reads its log until it says all of this in one line.
    fn logs(&mut self, what: &[&str]) {
        let began = Instant::now();
        loop {
            let line = self.log.recv_timeout(PATIENCE.saturating_sub(began.elapsed()));
            let line = line.unwrap_or_else(|error| panic!("it does not say {what:?}: {error}"));
            self.heard.push(line.clone());
            if what.iter().all(|words| line.contains(words)) {
                return;
            }
        }
    }

    /// Asks for its status until it says all of this.
    fn shows(&self, what: &[&str]) {
        let began = Instant::now();
        loop {
            let mut out = Vec::new();
            command::status::status(self.admin, false, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            if what.iter().all(|words| text.contains(words)) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "it does not show {what:?}: {text}");
        }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

#[test]
fn presence_is_asked_for_shown_and_told_of_when_it_fails_and_no_secret_is_in_the_log() {
    let page: Page = Arc::new(Mutex::new(says("DoNotDisturb")));
    let mut router = Router::start(graph(Arc::clone(&page)));
    router.shows(&["not-ready", "[DoNotDisturb", "no calls]", "presence of 1 agents: 0 may be given calls"]);
    *page.lock().unwrap() = says("Available");
    router.shows(&["idle", "[Available", "presence of 1 agents: 1 may be given calls"]);
    *page.lock().unwrap() =
        ("403 Forbidden", r#"{"error":{"code":"Authorization_RequestDenied"}}"#.to_owned());
    router.logs(&["WARN", "Graph does not allow it", "403 Authorization_RequestDenied", "Presence.Read.All"]);
    router.shows(&["presence is not known for", "fault: the tenant's settings"]);
    *page.lock().unwrap() = says("Available");
    router.logs(&["presence is known again"]);
    let config = router.folder.join("fernamt.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("every = \"1s\"", "every = \"1s\"\noffer_when = \"Away\"")).unwrap();
    let hup = Command::new("kill").args(["-HUP", &router.process.id().to_string()]).status().unwrap();
    assert!(hup.success());
    router.shows(&["not-ready", "[Available", "no calls]"]);
    router.logs(&["configuration reloaded", "presence.graph.offer_when default"]);
    let leaks = router.heard.iter().filter(|line| line.contains(SECRET) || line.contains(TOKEN));
    assert_eq!(leaks.collect::<Vec<_>>(), [""; 0]);
}
