//! Carries out what [`presence`](crate::presence) asks of the login address and of Graph, on a thread of its own.
//!
//! One request at a time, in the order in which they were asked for, each within its time. The secret is read for each
//! token and forgotten; the token lives here and nowhere else. Nothing of either is ever printed.

use std::{
    env,
    error::Error,
    fs, io,
    path::PathBuf,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use reqwest::{
    Certificate, Client, RequestBuilder, Response,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
    redirect::Policy,
};
use tokio::{
    runtime,
    sync::mpsc::{Receiver, Sender, channel, error::TrySendError},
    time::timeout,
};
use tracing::{debug, warn};

use crate::{
    config::{Graph, SecretPlace},
    presence::{Answer, Ask, Failure, ObjectId, What, wire},
};

/// Requests under way. Only after reloads in a row are there more than one; what finds no room is given up by who asked.
const ROOM: usize = 4;
/// Largest answer that is read: 650 presences have some 500 kB.
const LARGEST: usize = 4 << 20;
/// A connection that was not used for so long is closed.
const IDLE: Duration = Duration::from_secs(90);

/// The way to the thread. Dropping it ends the thread, whatever it is waiting for.
#[derive(Debug)]
pub struct GraphClient {
    asks: Sender<Ask>,
    answers: Receiver<(u64, Answer)>,
}

impl GraphClient {
    /// Starts the thread.
    ///
    /// # Errors
    /// No thread or no descriptors are to be had.
    pub fn start() -> io::Result<GraphClient> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (asks, to_do) = channel(ROOM);
        let (done, answers) = channel(ROOM);
        thread::Builder::new().name("graph".into()).spawn(move || runtime.block_on(serve(to_do, done)))?;
        Ok(GraphClient { asks, answers })
    }

    /// Has a request carried out. Never waits.
    pub fn ask(&self, ask: Ask) {
        match self.asks.try_send(ask) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                debug!("more requests to Graph than are carried out: one is left out")
            }
            Err(TrySendError::Closed(_)) => warn!("the thread that asks Graph has ended"),
        }
    }

    /// The number of the next request that is carried out, and what came of it. Waits for ever if the thread has ended.
    pub async fn next(&mut self) -> (u64, Answer) {
        match self.answers.recv().await {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

async fn serve(mut to_do: Receiver<Ask>, done: Sender<(u64, Answer)>) {
    let mut caller = Caller::default();
    while let Some(ask) = to_do.recv().await {
        let number = ask.number;
        let answer = tokio::select! {
            answer = caller.carry_out(&ask) => answer,
            () = done.closed() => return,
        };
        if done.send((number, answer)).await.is_err() {
            return;
        }
    }
}

/// What is kept from one request to the next.
#[derive(Default)]
struct Caller {
    client: Option<(Client, Option<PathBuf>)>,
    token: Option<Token>,
}

/// A text that is never shown.
struct Token(String);

impl Caller {
    async fn carry_out(&mut self, ask: &Ask) -> Answer {
        let time = ask.settings.timeout;
        let answered = async {
            match &ask.what {
                What::Token => self.fetch_token(ask).await,
                What::Presence(ids) => self.fetch_presence(ask, ids).await,
            }
        };
        match timeout(time, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(failure)) => Answer::Failed(failure),
            Err(_) => Answer::Failed(Failure::TimedOut),
        }
    }

    async fn fetch_token(&mut self, ask: &Ask) -> Result<Answer, Failure> {
        let settings = &ask.settings;
        let secret = secret(&settings.secret)?;
        // Certificates may have been replaced as the secret may: a token is the time to look.
        self.client = None;
        let form = [
            ("client_id", settings.client_id.as_str()),
            ("scope", &wire::scope(&settings.graph_url)),
            ("grant_type", "client_credentials"),
            ("client_secret", &secret),
        ];
        let url = format!("{}{}", settings.login_url, wire::token_path(&settings.tenant));
        let request = self.client(settings)?.post(url).form(&form);
        match call(request, ask).await? {
            Called::Refused(refused) => Ok(refused),
            Called::Body(body) => {
                let (token, lasts) = wire::read_token(&body).map_err(Failure::Unreadable)?;
                self.token = Some(Token(token));
                Ok(Answer::Token(lasts))
            }
        }
    }

    async fn fetch_presence(&mut self, ask: &Ask, ids: &[ObjectId]) -> Result<Answer, Failure> {
        let settings = &ask.settings;
        let token = self.token.as_ref().map(|token| token.0.clone()).unwrap_or_default();
        let url = format!("{}{}", settings.graph_url, wire::PRESENCE_PATH);
        let request = self.client(settings)?.post(url).bearer_auth(token);
        let request = request.header(CONTENT_TYPE, "application/json").body(wire::presence_body(ids));
        match call(request, ask).await? {
            Called::Refused(refused) => Ok(refused),
            Called::Body(body) => {
                wire::read_presences(&body).map(Answer::Presence).map_err(Failure::Unreadable)
            }
        }
    }

    /// One client for as long as `trust` names the same file: it keeps the connections.
    fn client(&mut self, settings: &Graph) -> Result<&Client, Failure> {
        if self.client.as_ref().is_some_and(|(_, trust)| *trust != settings.trust) {
            self.client = None;
        }
        let (client, _) = match self.client.take() {
            Some(made) => self.client.insert(made),
            None => self.client.insert((make_client(settings)?, settings.trust.clone())),
        };
        Ok(client)
    }
}

fn make_client(settings: &Graph) -> Result<Client, Failure> {
    // A redirection would take the secret or a token elsewhere.
    let builder = Client::builder().redirect(Policy::none()).pool_idle_timeout(IDLE);
    let builder = match &settings.trust {
        None => builder,
        Some(path) => builder.tls_certs_only(
            certificates(path).map_err(|why| Failure::Setup(format!("{}: {why}", path.display())))?,
        ),
    };
    builder.build().map_err(|error| Failure::Setup(whole(&error)))
}

fn certificates(path: &PathBuf) -> Result<Vec<Certificate>, String> {
    let pem = fs::read(path).map_err(|error| error.to_string())?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| whole(&error))?;
    if certificates.is_empty() { Err("it has no certificate".to_owned()) } else { Ok(certificates) }
}

/// The secret, as it is at this moment.
fn secret(place: &SecretPlace) -> Result<String, Failure> {
    let (text, shown) = match place {
        SecretPlace::File(path) => {
            let text = fs::read_to_string(path).map_err(|error| error.to_string());
            (text, path.display().to_string())
        }
        SecretPlace::Environment(name) => {
            // Not the error's own words: they hold the value.
            let text = env::var(name).map_err(|_| "is not set, or no text".to_owned());
            (text, format!("environment variable {name}"))
        }
    };
    let text = text.map_err(|why| Failure::Secret(format!("{shown}: {why}")))?;
    match text.trim() {
        "" => Err(Failure::Secret(format!("{shown}: is empty"))),
        secret => Ok(secret.to_owned()),
    }
}

/// What came over HTTP.
enum Called {
    Body(Vec<u8>),
    Refused(Answer),
}

async fn call(request: RequestBuilder, ask: &Ask) -> Result<Called, Failure> {
    let request = request.header("client-request-id", ObjectId::from(ask.id).to_string());
    // Without the address: it is in the configuration, and the causes behind the error say what is new.
    let mut response =
        request.send().await.map_err(|error| Failure::Unreachable(whole(&error.without_url())))?;
    let body = read(&mut response).await?;
    let (status, headers) = (response.status(), response.headers());
    if status.is_success() {
        return Ok(Called::Body(body));
    }
    let header = |name: &str| text(headers, name);
    let retry_after = wire::read_retry_after(header(RETRY_AFTER.as_str()), utc_second());
    let refusal = wire::read_refusal(status.as_u16(), retry_after, header("request-id"), &body);
    Ok(Called::Refused(Answer::Refused(refusal)))
}

async fn read(response: &mut Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| Failure::Unreadable(whole(&error.without_url())))?
    {
        if body.len() + chunk.len() > LARGEST {
            return Err(Failure::Unreadable(format!("more than {LARGEST} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// An error with all its causes: the last says most.
fn whole(error: &dyn Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(behind) = cause {
        texts.push(behind.to_string());
        cause = behind.source();
    }
    texts.dedup();
    texts.join(": ")
}

fn utc_second() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
