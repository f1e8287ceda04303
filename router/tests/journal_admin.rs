//! The admin listener and the commands that ask it, over a real socket, with a shard that answers by heart.
#![cfg(feature = "driver")]
#![allow(missing_docs)]

mod support;

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use router::{
    command::{self, CommandError},
    driver::{
        admin::{Admin, AdminServer, serve},
        question::{Question, questions},
    },
    estimate::Score,
    journal::{
        Journal,
        fact::{AgentState, Cause, Fault, Wish},
    },
    metrics::{CallsByStage, PresenceNumbers, QueueGauges, Snapshot},
    service::{Service, ServiceState},
    status::{
        AgentPresence, AgentStatus, Door, LiveCall, Order, OrderError, PresenceStatus, PresenceTrouble,
        QueueStatus, Status,
    },
    sums::QueueSums,
};
use support::{MORNING, SECOND};

/// A listener in front of one shard that lives until its listener is gone.
struct Node {
    server: AdminServer,
    service: ServiceState,
}

impl Node {
    fn start() -> Node {
        let (shard, mut asked) = questions();
        thread::spawn(move || {
            while let Some(question) = asked.blocking_recv() {
                answer(question);
            }
        });
        Node::in_front_of(shard)
    }

    fn in_front_of(shard: tokio::sync::mpsc::Sender<Question>) -> Node {
        let service = ServiceState::starting();
        let admin = Admin {
            node: "desk".into(),
            version: "0.1.0".into(),
            started_at: MORNING,
            service: service.clone(),
            journal: Journal::new(1_000),
            shards: vec![shard],
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Node { server: serve(listener, admin).unwrap(), service }
    }

    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Status code and body of one request.
    fn ask(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        write!(stream, "{request}\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

fn answer(question: Question) {
    match question {
        Question::Numbers { reply } => reply.send(numbers()).unwrap(),
        Question::Status { live, reply } => reply.send(status(live)).unwrap(),
        Question::Agent { agent, order, reason, reply } if agent == "Jörg & co" => {
            assert_eq!((order, reason.as_str()), (Order::Pause, "lunch & a walk"));
            reply.send(Ok(an_agent(&agent))).unwrap();
        }
        Question::Queue { queue, door, reason, reply } if queue == "support" => {
            assert_eq!((door, reason.as_str()), (Door::Close, "fire & water"));
            reply.send(Ok(QueueStatus { closed: true, ..a_queue() })).unwrap();
        }
        Question::Queue { queue, reply, .. } => {
            reply.send(Err(OrderError::ClosedInFile { name: queue })).unwrap()
        }
        Question::Agent { agent, reply, .. } => {
            let known = vec!["anna".into(), "bo".into()];
            reply.send(Err(OrderError::UnknownAgent { name: agent, known })).unwrap();
        }
        Question::Recording { whose, .. } => panic!("nobody asked for the recording of {whose}"),
    }
}

fn sums() -> QueueSums {
    let (entered, answered, abandoned, waiting) = (9, 5, 2, 2);
    let (answered_in_time, abandoned_in_time, abandoned_short) = (4, 2, 1);
    QueueSums {
        entered,
        answered,
        abandoned,
        answered_in_time,
        abandoned_in_time,
        abandoned_short,
        waiting,
        ..QueueSums::default()
    }
}

fn numbers() -> Snapshot {
    let mut numbers = Snapshot {
        generation: 4,
        calls: CallsByStage { talking: 7, ..CallsByStage::default() },
        calls_ended: BTreeMap::from([((Cause::Abandoned, Fault::None), 3)]),
        queues: BTreeMap::from([(
            "support".into(),
            QueueGauges {
                waiting: 2,
                closed: true,
                estimate: Some(std::time::Duration::from_millis(95_500)),
                estimates: score(),
                sums: sums(),
                ..QueueGauges::default()
            },
        )]),
        ..Snapshot::default()
    };
    numbers.agents.count(AgentState::Idle);
    numbers.presence = Some(PresenceNumbers {
        ok: false,
        age: Some(std::time::Duration::from_millis(2_500)),
        known: (3, 1),
        unknown: 2,
        requests: BTreeMap::from([("presence", 9), ("throttled", 1)]),
    });
    numbers.certificates.insert("trunk.teams".into(), 1_801_353_600);
    numbers.sip.responses_out.insert(486, 5);
    (numbers.sip.sessions_expired, numbers.emergency_calls) = (4, 2);
    numbers.sip.parse_errors.insert("no Via", 1);
    numbers.dispatch.record(std::time::Duration::from_micros(700));
    numbers
}

fn score() -> Score {
    Score { answered_in: [5; 16], beyond: 20, answered: 90, error_ms: 900_000, ..Score::default() }
}

fn a_queue() -> QueueStatus {
    QueueStatus {
        name: "support".into(),
        waiting: 2,
        closed: false,
        idle: 0,
        logged_in: 2,
        longest_since: Some(MORNING),
        estimate_ms: Some(95_000),
        estimates: score(),
        sums: sums(),
    }
}

fn status(live: usize) -> Status {
    let call = |key: usize| LiveCall {
        recording: None,
        call: format!("{key:x}"),
        arrived_at: MORNING + key as i64,
        stage: "waiting".into(),
        from: "+491701234567".into(),
        to: "+493012345".into(),
        queue: Some("support".into()),
        agents: Vec::new(),
    };
    Status {
        node: "desk".into(),
        version: "0.1.0".into(),
        service: Service::Open,
        now: MORNING + 60 * SECOND,
        started_at: MORNING,
        generation: 4,
        arrived: 200,
        calls: 150,
        legs: 300,
        transactions: 12,
        ports: (300, 20),
        queues: vec![a_queue()],
        agents: vec![an_agent("anna")],
        trunks: Vec::new(),
        presence: Some(PresenceStatus {
            agents: 6,
            offered: 3,
            last_answer: Some(MORNING + 50 * SECOND),
            trouble: Some(PresenceTrouble {
                what: "Graph fails (503)".into(),
                fault: "the far end".into(),
                cure: "nothing to do".into(),
                since: MORNING + 55 * SECOND,
            }),
        }),
        live: (0..150).map(call).take(live).collect(),
    }
}

fn an_agent(name: &str) -> AgentStatus {
    AgentStatus {
        name: name.into(),
        state: AgentState::Talking,
        wish: Wish::Paused,
        since: MORNING,
        queues: vec!["support".into()],
        presence: Some(AgentPresence {
            says: "UrgentInterruptionsOnly, Presenting".into(),
            offered: false,
            seen: Some(MORNING + 50 * SECOND),
        }),
        answered: 5,
        phones: Vec::new(),
        unreached: false,
    }
}

#[test]
fn readyz_tells_the_very_word_that_options_is_answered_by_and_says_why_not() {
    let node = Node::start();
    assert_eq!(node.ask("GET /readyz HTTP/1.1"), (503, "starting\n".into()));
    node.service.started();
    assert_eq!(node.ask("GET /readyz HTTP/1.1"), (200, "open\n".into()));
    for (change, word) in [
        (ServiceState::overloaded as fn(&ServiceState, bool), "overloaded"),
        (ServiceState::journal_failed, "no journal"),
    ] {
        change(&node.service, true);
        let (status, why) = node.ask("GET /readyz HTTP/1.1");
        assert_eq!((status, why.lines().count(), why.split(':').next()), (503, 1, Some(word)));
        change(&node.service, false);
    }
    node.service.drain();
    assert_eq!(node.ask("GET /readyz HTTP/1.1").0, 503);
    assert_eq!(node.ask("GET /healthz HTTP/1.1"), (200, "ok\n".into()), "draining is healthy");
}

#[test]
fn metrics_show_what_the_shard_counts_at_this_instant_and_are_well_formed() {
    let node = Node::start();
    let (status, page) = node.ask("GET /metrics HTTP/1.1");
    assert_eq!(status, 200);
    for line in [
        "fernamt_calls{stage=\"talking\"} 7",
        "fernamt_calls{stage=\"waiting\"} 0",
        "fernamt_emergency_calls_total 2",
        "fernamt_sip_sessions_expired_total 4",
        "fernamt_certificate_not_after_seconds{of=\"trunk.teams\"} 1801353600",
        "fernamt_calls_ended_total{cause=\"abandoned\",fault=\"none\"} 3",
        "fernamt_queue_waiting{queue=\"support\"} 2",
        "fernamt_queue_left_total{queue=\"support\",how=\"answered\"} 5",
        "fernamt_queue_closed{queue=\"support\"} 1",
        "fernamt_queue_estimate_seconds{queue=\"support\"} 95.5",
        "fernamt_queue_estimate_coverage{queue=\"support\"} 0.8",
        "fernamt_queue_estimates_total{queue=\"support\",outcome=\"within\"} 80",
        "fernamt_queue_estimate_error_ms_total{queue=\"support\"} 900000",
        "fernamt_queue_answered_in_time_total{queue=\"support\"} 4",
        "fernamt_queue_abandoned_in_time_total{queue=\"support\"} 2",
        "fernamt_queue_abandoned_short_total{queue=\"support\"} 1",
        "fernamt_agents{state=\"idle\"} 1",
        "fernamt_sip_responses_total{direction=\"out\",code=\"486\"} 5",
        "fernamt_sip_parse_errors_total{class=\"no Via\"} 1",
        "fernamt_dispatch_seconds_bucket{le=\"0.0005\"} 0",
        "fernamt_dispatch_seconds_bucket{le=\"0.001\"} 1",
        "fernamt_dispatch_seconds_bucket{le=\"+Inf\"} 1",
        "fernamt_presence_ok 0",
        "fernamt_presence_age_seconds 2.5",
        "fernamt_presence_agents{presence=\"offered\"} 3",
        "fernamt_presence_agents{presence=\"unknown\"} 2",
        "fernamt_presence_requests_total{outcome=\"throttled\"} 1",
        "fernamt_journal_ok 1",
        "fernamt_config_generation 4",
        "fernamt_service_open 0",
        "fernamt_build_info{version=\"0.1.0\",node=\"desk\"} 1",
    ] {
        assert!(page.lines().any(|known| known == line), "{line}\n{page}");
    }
    assert!(page.ends_with("# EOF\n"));
    let names: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let unique: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(names.len(), unique.len(), "each metric is described once");
}

#[test]
fn a_shard_that_does_not_answer_makes_the_node_unhealthy_but_not_unready() {
    let (shard, asked) = questions();
    drop(asked);
    let node = Node::in_front_of(shard);
    node.service.started();
    assert_eq!(node.ask("GET /healthz HTTP/1.1"), (503, "a shard does not answer\n".into()));
    assert_eq!(node.ask("GET /metrics HTTP/1.1").0, 503);
    assert_eq!(node.ask("GET /readyz HTTP/1.1").0, 200);
}

#[test]
fn what_is_not_there_and_what_a_web_page_must_not_do_is_refused() {
    let node = Node::start();
    assert_eq!(node.ask("GET / HTTP/1.1").0, 404);
    assert_eq!(node.ask("GET /agents/anna/pause HTTP/1.1").0, 405);
    assert_eq!(node.ask("POST /agents/anna/dance HTTP/1.1").0, 404);
    assert_eq!(node.ask("POST /agents/anna/pause HTTP/1.1\r\nOrigin: http://evil.example").0, 403);
    assert_eq!(node.ask("GET /status?live=many HTTP/1.1").0, 400);
}

#[test]
fn the_agent_command_carries_odd_names_and_reasons_and_tells_what_the_agent_does() {
    let node = Node::start();
    let mut out = Vec::new();
    command::agent::agent(node.address(), "Jörg & co", Order::Pause, "lunch & a walk", &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "Jörg & co: talking (asked for: paused)\n");
    let unknown =
        command::agent::agent(node.address(), "carl", Order::Login, "", &mut Vec::new()).unwrap_err();
    assert_eq!(unknown.to_string(), "no agent \"carl\"; there are: anna, bo");
}

#[test]
fn the_queue_command_closes_a_queue_and_says_why_it_cannot_open_one() {
    let node = Node::start();
    let mut out = Vec::new();
    command::queue::queue(node.address(), "support", Door::Close, "fire & water", &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "support: closed, 2 waiting\n");
    let refused =
        command::queue::queue(node.address(), "sales", Door::Open, "", &mut Vec::new()).unwrap_err();
    let told = "queue.sales.closed is true in the configuration; take it out there and reload";
    assert_eq!(refused.to_string(), told);
    assert_eq!(node.ask("POST /queues/sales/open HTTP/1.1").0, 409);
    assert_eq!(node.ask("POST /queues/sales/shut HTTP/1.1").0, 404);
    assert_eq!(node.ask("POST /queues/sales/open HTTP/1.1\r\nOrigin: http://evil.example").0, 403);
}

#[test]
fn the_status_command_shows_queues_agents_and_calls_within_120_columns_or_one_json_object() {
    let node = Node::start();
    node.service.started();
    let (mut people, mut json) = (Vec::new(), Vec::new());
    command::status::status(node.address(), false, &mut people).unwrap();
    let people = String::from_utf8(people).unwrap();
    assert!(people.lines().all(|line| line.chars().count() <= 120), "{people}");
    assert!(
        people.starts_with("desk: open; fernamt 0.1.0, up 1m00s, configuration 4\n150 calls now"),
        "{people}"
    );
    let queue = people.lines().find(|line| line.starts_with("support")).unwrap();
    let columns: Vec<&str> = queue.split_whitespace().collect();
    assert_eq!(
        columns[1..],
        ["2", "1m00s", "1m35s", "80%", "0/2", "9", "5", "50%", "2", "1", "0"],
        "{people}"
    );
    assert!(people.contains("  support  [UrgentInterrupt… 10.0s ago: no calls]\n"), "{people}");
    let presence = "\npresence of 6 agents: 3 may be given calls; Graph last answered 10.0s ago\n\
                    presence is not known for 5.0s: Graph fails (503)\n  fault: the far end; nothing to do\n";
    assert!(people.contains(presence), "{people}");
    assert!(people.ends_with("and 50 more\n"), "{people}");
    command::status::status(node.address(), true, &mut json).unwrap();
    let json: Status = serde_json::from_slice(&json).unwrap();
    assert_eq!((json.service, json.live.len()), (Service::Open, 100));
}

#[test]
fn a_router_that_is_not_there_is_said_with_its_address_and_a_cure() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = command::status::status(free, true, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, CommandError::Unreachable { .. }));
    assert!(error.to_string().starts_with(&format!("no fernamt answers at {free}: ")), "{error}");
}
