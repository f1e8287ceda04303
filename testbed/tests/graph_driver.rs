//! The driver of presence against the simulator of Graph, over real sockets.
#![allow(clippy::disallowed_methods, reason = "real sockets have real time")]

use std::{
    env, fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use router::{
    config::{Graph, SecretPlace, Stale},
    driver::graph::GraphClient,
    presence::{Answer, Ask, Failure, Mapping, ObjectId, Refusal, What},
};
use testbed::graph::{Authority, CLIENT_ID, Conduct, GraphSim, SECRET, TENANT};

const ANNA: &str = "66ad2f10-5a3d-4f4a-8d8f-3b7f0c1e9911";
const BO: &str = "1c9b3e7a-6d1f-4c11-9a53-2f0b6a7e4d22";
const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
/// No test waits for it, except that of what is slow.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A driver, and files of this test's own.
struct Desk {
    client: GraphClient,
    settings: Graph,
    folder: PathBuf,
    number: u64,
}

impl Desk {
    fn at(url: &str, test: &str) -> Desk {
        let folder = env::temp_dir().join(format!("fernamt-graph-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let secret = folder.join("secret");
        fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let settings = Graph {
            tenant: TENANT.to_owned(),
            client_id: CLIENT_ID.to_owned(),
            secret: SecretPlace::File(secret),
            login_url: url.to_owned(),
            graph_url: url.to_owned(),
            trust: None,
            every: Duration::from_secs(5),
            budget: 300,
            timeout: TIMEOUT,
            back_off: Duration::from_secs(60),
            fresh: Duration::from_secs(60),
            stale: Stale::Offer,
            mapping: Mapping::default(),
            own_call_lag: Duration::ZERO,
        };
        Desk { client: GraphClient::start().unwrap(), settings, folder, number: 0 }
    }

    async fn ask(&mut self, what: What) -> Answer {
        self.number += 1;
        let settings = Arc::new(self.settings.clone());
        self.client.ask(Ask { number: self.number, id: 0xfe, settings, what });
        let (number, answer) = self.client.next().await;
        assert_eq!(number, self.number);
        answer
    }

    async fn token(&mut self) -> Answer {
        self.ask(What::Token).await
    }

    /// What is said of these, in order of their ids.
    async fn presence(&mut self, ids: &[&str]) -> Result<Vec<String>, Answer> {
        let ids: Vec<ObjectId> = ids.iter().map(|id| id.parse().unwrap()).collect();
        match self.ask(What::Presence(ids.into())).await {
            Answer::Presence(mut reports) => {
                reports.sort_by_key(|report| report.id);
                Ok(reports.iter().map(|report| report.words.to_string()).collect())
            }
            answer => Err(answer),
        }
    }

    /// Status, code, number and `Retry-After` of a refusal.
    async fn refused(&mut self) -> (u16, String, Option<Duration>) {
        match self.presence(&[ANNA]).await {
            Err(Answer::Refused(Refusal { status, code, retry_after, .. })) => (status, code, retry_after),
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

fn simulator() -> GraphSim {
    let sim = GraphSim::start(ANYWHERE).unwrap();
    sim.says(ANNA, "Available", "Available");
    sim.says(BO, "Busy", "InACall");
    sim
}

#[tokio::test]
async fn a_token_and_then_presence_in_one_request_for_all() {
    let sim = simulator();
    let mut desk = Desk::at(sim.url(), "well");
    assert_eq!(desk.token().await, Answer::Token(Duration::from_secs(3_599)));
    let nobody = "00000000-0000-4000-8000-000000000000";
    let said = desk.presence(&[ANNA, nobody, BO]).await.unwrap();
    assert_eq!(said, ["PresenceUnknown", "Busy, InACall", "Available"]);
    let asked = sim.asked();
    assert_eq!((asked.tokens, asked.presence), (1, 1));
    assert_eq!(asked.request_id, "00000000-0000-0000-0000-0000000000fe", "by this Microsoft finds it");
    sim.conducts(Conduct::Modern);
    assert_eq!(desk.presence(&[BO]).await.unwrap(), ["inACall, busy"]);
    sim.conducts(Conduct::LeavesOut);
    assert_eq!(desk.presence(&[nobody, BO]).await.unwrap(), ["Busy, InACall"]);
    sim.conducts(Conduct::Stale);
    sim.says(BO, "Away", "Away");
    assert_eq!(desk.presence(&[BO]).await.unwrap(), ["Busy, InACall"]);
}

#[tokio::test]
async fn six_hundred_and_fifty_are_asked_for_at_once_and_one_more_is_refused() {
    let sim = simulator();
    let mut desk = Desk::at(sim.url(), "many");
    desk.token().await;
    let ids: Vec<String> = (0..651).map(|n| ObjectId::from(n).to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(desk.presence(&ids[..650]).await.map(|said| said.len()), Ok(650));
    assert!(matches!(desk.presence(&ids).await, Err(Answer::Refused(Refusal { status: 400, .. }))));
}

#[tokio::test]
async fn refusals_are_told_with_their_code_and_their_wish_to_be_left_alone() {
    let sim = simulator();
    let mut desk = Desk::at(sim.url(), "refused");
    assert_eq!(desk.refused().await, (401, "InvalidAuthenticationToken".into(), None), "no token yet");
    desk.token().await;
    sim.withdraws_tokens();
    assert_eq!(desk.refused().await.0, 401);
    desk.token().await;
    assert!(desk.presence(&[ANNA]).await.is_ok());
    for (status, retry_after, code) in [
        (403, None, "Authorization_RequestDenied"),
        (429, Some(17), "TooManyRequests"),
        (503, Some(3), "TooManyRequests"),
    ] {
        sim.conducts(Conduct::Refuses { status, retry_after });
        assert_eq!(desk.refused().await, (status, code.into(), retry_after.map(Duration::from_secs)));
    }
    sim.conducts(Conduct::NoTokens { status: 500, number: 90_033 });
    let answer = desk.token().await;
    assert!(
        matches!(answer, Answer::Refused(Refusal { status: 500, number: Some(90_033), .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn the_secret_is_read_for_each_token_and_a_wrong_one_is_told_by_its_number() {
    let sim = simulator();
    let mut desk = Desk::at(sim.url(), "secret");
    fs::write(desk.folder.join("secret"), "wrong").unwrap();
    let answer = desk.token().await;
    let wrong = Refusal { status: 401, number: Some(7_000_215), ..Refusal::default() };
    assert_eq!(answer, Answer::Refused(Refusal { code: "invalid_client".into(), ..wrong }));
    fs::write(desk.folder.join("secret"), SECRET).unwrap();
    assert!(matches!(desk.token().await, Answer::Token(_)));
    fs::write(desk.folder.join("secret"), " \n").unwrap();
    assert!(matches!(desk.token().await, Answer::Failed(Failure::Secret(_))));
    fs::remove_file(desk.folder.join("secret")).unwrap();
    assert!(matches!(desk.token().await, Answer::Failed(Failure::Secret(_))));
    desk.settings.secret = SecretPlace::Environment("FERNAMT_TEST_NOT_SET".into());
    let answer = desk.token().await;
    assert!(
        matches!(&answer, Answer::Failed(Failure::Secret(why)) if why.contains("FERNAMT_TEST_NOT_SET")),
        "{answer:?}"
    );
}

#[tokio::test]
async fn what_is_slow_is_given_up_in_time_and_the_next_request_is_heard() {
    let sim = simulator();
    let mut desk = Desk::at(sim.url(), "slow");
    desk.token().await;
    sim.conducts(Conduct::Slow(TIMEOUT * 6));
    desk.settings.timeout = Duration::from_millis(300);
    let began = Instant::now();
    assert_eq!(desk.presence(&[ANNA]).await, Err(Answer::Failed(Failure::TimedOut)));
    assert!(began.elapsed() < TIMEOUT);
    sim.conducts(Conduct::Proper);
    desk.settings.timeout = TIMEOUT;
    assert_eq!(desk.presence(&[ANNA]).await.unwrap(), ["Available"]);
}

#[tokio::test]
async fn garbage_and_a_far_end_that_hangs_up_or_is_not_there_are_told_apart() {
    let sim = simulator();
    let mut desk = Desk::at(sim.url(), "garbage");
    desk.token().await;
    sim.conducts(Conduct::Garbage);
    assert!(matches!(desk.presence(&[ANNA]).await, Err(Answer::Failed(Failure::Unreadable(_)))));
    assert!(matches!(desk.token().await, Answer::Failed(Failure::Unreadable(_))));
    let rude = TcpListener::bind(ANYWHERE).unwrap();
    desk.settings.graph_url = format!("http://{}", rude.local_addr().unwrap());
    let hangs_up = std::thread::spawn(move || drop(rude.accept()));
    assert!(matches!(desk.presence(&[ANNA]).await, Err(Answer::Failed(Failure::Unreachable(_)))));
    hangs_up.join().unwrap();
    let answer = desk.presence(&[ANNA]).await;
    assert!(
        matches!(&answer, Err(Answer::Failed(Failure::Unreachable(why))) if why.contains("refused")),
        "{answer:?}"
    );
}

#[tokio::test]
async fn over_tls_only_whom_trust_names_is_given_the_secret() {
    let authority = Authority::new().unwrap();
    let sim = GraphSim::start_tls(ANYWHERE, &authority).unwrap();
    sim.says(ANNA, "Available", "Available");
    let mut desk = Desk::at(sim.url(), "tls");
    let stranger = desk.token().await;
    assert!(
        matches!(&stranger, Answer::Failed(Failure::Unreachable(why)) if why.contains("certificate")),
        "{stranger:?}"
    );
    assert_eq!(sim.asked().tokens, 0);
    let trust = desk.folder.join("ca.pem");
    fs::write(&trust, authority.pem()).unwrap();
    desk.settings.trust = Some(trust);
    assert!(matches!(desk.token().await, Answer::Token(_)));
    assert_eq!(desk.presence(&[ANNA]).await.unwrap(), ["Available"]);
    let other = desk.folder.join("other.pem");
    fs::write(&other, Authority::new().unwrap().pem()).unwrap();
    desk.settings.trust = Some(other);
    assert!(matches!(desk.token().await, Answer::Failed(Failure::Unreachable(_))), "another authority");
}

#[tokio::test]
async fn a_redirection_takes_neither_secret_nor_token_elsewhere() {
    use std::io::{Read, Write};
    let sim = simulator();
    let elsewhere = TcpListener::bind(ANYWHERE).unwrap();
    let mut desk = Desk::at(&format!("http://{}", elsewhere.local_addr().unwrap()), "redirected");
    let target = sim.url().to_owned();
    let redirects = std::thread::spawn(move || {
        let (mut stream, _) = elsewhere.accept().unwrap();
        let mut head = [0; 4_096];
        let _ = stream.read(&mut head);
        write!(stream, "HTTP/1.1 307 Temporary Redirect\r\nLocation: {target}/{TENANT}/oauth2/v2.0/token\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    });
    let answer = desk.token().await;
    assert!(matches!(answer, Answer::Refused(Refusal { status: 307, .. })), "{answer:?}");
    redirects.join().unwrap();
    assert_eq!(sim.asked().tokens, 0);
}
