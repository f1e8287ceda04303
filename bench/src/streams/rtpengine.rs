//! rtpengine in userspace, asked for calls over its ng protocol: a cookie and a dictionary in bencode.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{Relay, thread::Thread, traffic::PAYLOAD_TYPE};

/// How long it may take to begin.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Rtpengine {
    process: Child,
    control: UdpSocket,
    legs: Vec<(SocketAddr, SocketAddr)>,
    asked: usize,
}

impl Rtpengine {
    /// # Errors
    /// `NotFound` if it is not installed.
    pub(super) fn start(peers: &[SocketAddr]) -> io::Result<Rtpengine> {
        let control = UdpSocket::bind("127.0.0.1:0")?;
        control.connect(UdpSocket::bind("127.0.0.1:0")?.local_addr()?)?; // a port that is free by then
        control.set_read_timeout(Some(Duration::from_millis(500)))?;
        let process = Command::new("rtpengine")
            .args([
                "--config-file=none",
                "--table=-1",
                "--interface=127.0.0.1",
                "--foreground",
                "--log-stderr",
            ])
            .args(["--log-level=3", "--num-threads=1", "--port-min=20000", "--port-max=39999"])
            .arg(format!("--listen-ng={}", control.peer_addr()?))
            .stderr(Stdio::null())
            .spawn()?;
        let mut rtpengine = Rtpengine { process, control, legs: Vec::new(), asked: 0 };
        rtpengine.await_pong()?;
        for (call, peers) in peers.chunks_exact(2).enumerate() {
            // What it offers to the second peer is where that sends to, and the other way round.
            let second = rtpengine.describe("offer", call, peers[0])?;
            let first = rtpengine.describe("answer", call, peers[1])?;
            rtpengine.legs.push((first, second));
        }
        Ok(rtpengine)
    }

    fn await_pong(&mut self) -> io::Result<()> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if self.ask(&[("command", "ping")]).is_ok_and(|reply| field(&reply, "result") == Some("pong")) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50)); // nobody listens yet: that is told at once
        }
        Err(io::Error::other("rtpengine does not answer"))
    }

    fn describe(&mut self, command: &str, call: usize, peer: SocketAddr) -> io::Result<SocketAddr> {
        let (ip, port, id) = (peer.ip(), peer.port(), format!("call-{call}"));
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {PAYLOAD_TYPE}\r\n"
        );
        let mut fields =
            vec![("call-id", id.as_str()), ("command", command), ("from-tag", "a"), ("sdp", &sdp)];
        fields.extend((command == "answer").then_some(("to-tag", "b")));
        let reply = self.ask(&fields)?;
        let port = field(&reply, "sdp")
            .and_then(|sdp| sdp.split("m=audio ").nth(1)?.split(' ').next()?.parse().ok());
        let port: u16 = port.ok_or_else(|| io::Error::other(format!("rtpengine says {reply}")))?;
        Ok(([127, 0, 0, 1], port).into())
    }

    fn ask(&mut self, fields: &[(&str, &str)]) -> io::Result<String> {
        self.asked += 1;
        let cookie = format!("{} ", self.asked);
        let pairs =
            fields.iter().map(|(name, value)| format!("{}:{name}{}:{value}", name.len(), value.len()));
        let request = format!("{cookie}d{}e", pairs.collect::<String>());
        self.control.send(request.as_bytes())?;
        let mut reply = [0; 4_096];
        let length = self.control.recv(&mut reply)?;
        let reply = String::from_utf8_lossy(&reply[..length]);
        reply
            .strip_prefix(&cookie)
            .map(str::to_owned)
            .ok_or_else(|| io::Error::other("a reply to another question"))
    }
}

/// A string in a dictionary of bencode.
fn field<'a>(reply: &'a str, name: &str) -> Option<&'a str> {
    let name = format!("{}:{name}", name.len());
    let (length, rest) = reply[reply.find(&name)? + name.len()..].split_once(':')?;
    rest.get(..length.parse().ok()?)
}

impl Relay for Rtpengine {
    fn legs(&self) -> Vec<(SocketAddr, SocketAddr)> {
        self.legs.clone()
    }

    fn threads(&self) -> io::Result<Vec<Thread>> {
        Thread::all_of(self.process.id())
    }
}

impl Drop for Rtpengine {
    fn drop(&mut self) {
        // Whatever becomes of it, it has no calls of anybody else.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
