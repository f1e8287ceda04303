//! The admin listener: `/healthz`, `/readyz`, `/metrics`, `/status`, and orders to agents, queues and recordings.
//!
//! It has a thread and a runtime of its own, so that no scrape delays a call. It knows nothing by itself: shards answer
//! [`Question`]s, the journal counts, and whether calls are taken is read from the same word that OPTIONS is.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

use super::{capped::Capped, question::Question};
use crate::{
    journal::{Journal, fact::Micros},
    metrics::{self, About, Snapshot},
    recording::{RecordingOrder, RecordingRefusal},
    service::{Service, ServiceState},
    status::{Door, Order, OrderError, Status},
};

/// How long a shard may take to answer. One that does not is stuck, and `/healthz` says so.
const PATIENCE: Duration = Duration::from_secs(2);

/// Connections at a time; one more waits in the kernel's backlog.
const CONNECTIONS: usize = 64;

/// Live calls that `/status` tells if nobody asks for more or fewer.
const LIVE: usize = 100;

/// What the listener speaks for.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Name of the node.
    pub node: String,
    /// Version of the running binary.
    pub version: String,
    /// When the process started.
    pub started_at: Micros,
    /// Whether new calls are taken.
    pub service: ServiceState,
    /// For its counters.
    pub journal: Journal,
    /// The ways to the shards; the first owns the agents.
    pub shards: Vec<mpsc::Sender<Question>>,
}

/// The running listener; dropping it leaves it running until the process ends.
#[derive(Debug)]
pub struct AdminServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// Serves `admin` on `listener` from a thread of its own.
///
/// # Errors
/// If the listener cannot be used, or no thread can be had.
pub fn serve(listener: TcpListener, admin: Admin) -> io::Result<AdminServer> {
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = oneshot::channel();
    let thread = thread::Builder::new().name("admin".into()).spawn(move || {
        runtime
            .block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::select! {
                    ended = axum::serve(Capped::new(listener, CONNECTIONS), routes(admin)) => ended,
                    _ = stopped => Ok(()),
                }
            })
            .unwrap_or_else(|error: io::Error| tracing::error!(%error, "the admin listener ended"));
    })?;
    Ok(AdminServer { address, stop, thread })
}

impl AdminServer {
    /// Where it listens: of use when port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it; an answer on its way is cut off.
    pub fn stop(self) {
        // An error means that it has ended already.
        self.stop.send(()).ok();
        self.thread.join().ok();
    }
}

fn routes(admin: Admin) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_page))
        .route("/status", get(status))
        .route("/agents/{name}/{order}", post(order_agent))
        .route("/queues/{name}/{door}", post(switch_queue))
        .route("/recordings/{whose}/{order}", post(order_recording))
        .fallback(nothing_here)
        .with_state(Arc::new(admin))
}

type Shared = State<Arc<Admin>>;

/// 200 while every shard answers.
async fn healthz(State(admin): Shared) -> Result<&'static str, Refusal> {
    admin.numbers().await.map(|_| "ok\n")
}

/// 200 exactly while OPTIONS gets 200.
async fn readyz(State(admin): Shared) -> (StatusCode, String) {
    let service = admin.service.get();
    let status = if service == Service::Open { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, format!("{service}\n"))
}

async fn metrics_page(State(admin): Shared) -> Result<Response, Refusal> {
    let numbers = admin.numbers().await?;
    let about = About {
        version: admin.version.clone(),
        node: admin.node.clone(),
        started_at: admin.started_at,
        now: now(),
        service: admin.service.get(),
    };
    let kind = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    Ok((kind, metrics::page(about, numbers, admin.journal.counters())).into_response())
}

#[derive(Debug, Deserialize)]
struct StatusQuery {
    live: Option<usize>,
}

async fn status(State(admin): Shared, Query(query): Query<StatusQuery>) -> Result<Json<Status>, Refusal> {
    let live = query.live.unwrap_or(LIVE);
    let mut whole: Option<Status> = None;
    for shard in &admin.shards {
        let part = ask(shard, |reply| Question::Status { live, reply }).await?;
        match &mut whole {
            Some(whole) => whole.add(part),
            none => *none = Some(part),
        }
    }
    let mut whole = whole.ok_or(Refusal::NoAnswer)?;
    whole.service = admin.service.get();
    whole.live.truncate(live);
    Ok(Json(whole))
}

#[derive(Debug, Deserialize)]
struct OrderQuery {
    #[serde(default)]
    reason: String,
}

async fn order_agent(
    State(admin): Shared,
    Path((agent, order)): Path<(String, String)>,
    Query(query): Query<OrderQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    refuse_pages(&headers)?;
    let order = Order::from_word(&order).ok_or(Refusal::UnknownOrder("login, logout, pause, ready"))?;
    let agents = admin.shards.first().ok_or(Refusal::NoAnswer)?;
    let answer = ask(agents, |reply| Question::Agent { agent, order, reason: query.reason, reply }).await?;
    Ok(Json(answer.map_err(Refusal::Order)?).into_response())
}

async fn switch_queue(
    State(admin): Shared,
    Path((queue, door)): Path<(String, String)>,
    Query(query): Query<OrderQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    refuse_pages(&headers)?;
    let door = Door::from_word(&door).ok_or(Refusal::UnknownOrder("close, open"))?;
    let shard = admin.shards.first().ok_or(Refusal::NoAnswer)?;
    let answer = ask(shard, |reply| Question::Queue { queue, door, reason: query.reason, reply }).await?;
    Ok(Json(answer.map_err(Refusal::Order)?).into_response())
}

#[derive(Debug, Deserialize)]
struct RecordingQuery {
    policy: Option<String>,
    #[serde(default)]
    reason: String,
}

/// The first shard that knows the call answers.
async fn order_recording(
    State(admin): Shared,
    Path((whose, order)): Path<(String, String)>,
    Query(query): Query<RecordingQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    refuse_pages(&headers)?;
    let order =
        RecordingOrder::from_word(&order).ok_or(Refusal::UnknownOrder("start, pause, resume, stop"))?;
    let mut answer = Err(RecordingRefusal::NoCall(whose.clone()));
    for shard in &admin.shards {
        let (whose, policy, reason) = (whose.clone(), query.policy.clone(), query.reason.clone());
        answer = ask(shard, |reply| Question::Recording { whose, order, policy, reason, reply }).await?;
        if !matches!(answer, Err(RecordingRefusal::NoCall(_))) {
            break;
        }
    }
    Ok(Json(answer.map_err(Refusal::Recording)?).into_response())
}

/// Browsers say where a page's request comes from; no page has business here (cross-site request forgery).
fn refuse_pages(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(header::ORIGIN) { Err(Refusal::FromAPage) } else { Ok(()) }
}

async fn nothing_here() -> (StatusCode, &'static str) {
    let there_is = "there is GET /healthz /readyz /metrics /status and POST \
                    /agents/NAME/{login,logout,pause,ready} /queues/NAME/{close,open} \
                    /recordings/CALL/{start,pause,resume,stop}\n";
    (StatusCode::NOT_FOUND, there_is)
}

impl Admin {
    async fn numbers(&self) -> Result<Snapshot, Refusal> {
        let mut sum = Snapshot::default();
        for shard in &self.shards {
            sum.add(&ask(shard, |reply| Question::Numbers { reply }).await?);
        }
        Ok(sum)
    }
}

async fn ask<T>(
    shard: &mpsc::Sender<Question>,
    question: impl FnOnce(oneshot::Sender<T>) -> Question,
) -> Result<T, Refusal> {
    let (reply, answer) = oneshot::channel();
    shard.try_send(question(reply)).map_err(|_| Refusal::NoAnswer)?;
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) | Err(_) => Err(Refusal::NoAnswer),
    }
}

/// Why a request was not answered as wished.
enum Refusal {
    NoAnswer,
    FromAPage,
    /// Not one of these.
    UnknownOrder(&'static str),
    Order(OrderError),
    Recording(RecordingRefusal),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Refusal::NoAnswer => (StatusCode::SERVICE_UNAVAILABLE, "a shard does not answer".to_owned()),
            Refusal::FromAPage => (StatusCode::FORBIDDEN, "not from a web page".to_owned()),
            Refusal::UnknownOrder(known) => (StatusCode::NOT_FOUND, format!("orders are {known}")),
            Refusal::Recording(error) => {
                let unknown =
                    matches!(error, RecordingRefusal::NoCall(_) | RecordingRefusal::UnknownPolicy(_));
                let status = if unknown { StatusCode::NOT_FOUND } else { StatusCode::CONFLICT };
                (status, error.to_string())
            }
            Refusal::Order(error) => {
                let status = match error {
                    OrderError::UnknownAgent { .. } | OrderError::UnknownQueue { .. } => {
                        StatusCode::NOT_FOUND
                    }
                    OrderError::ClosedInFile { .. } => StatusCode::CONFLICT,
                };
                (status, error.to_string())
            }
        };
        (status, text + "\n").into_response()
    }
}

fn now() -> Micros {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
}
