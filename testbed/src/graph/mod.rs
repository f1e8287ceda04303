//! A simulator of Microsoft Graph: tokens at the login address, presence in batches, and misbehaviour by switch.
//!
//! It listens on a port of this machine, in the clear or over TLS, on a thread of its own. What it checks and how it
//! refuses follows Microsoft's documentation, except where a comment says that it is unverified.

mod book;
mod server;
mod tls;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::sync::oneshot;

use book::Book;
pub use tls::Authority;

/// The only tenant.
pub const TENANT: &str = "contoso.example";
/// The only registered application.
pub const CLIENT_ID: &str = "0f0f0f0f-1111-4222-8333-444444444444";
/// Its secret.
pub const SECRET: &str = "simulated~secret";

/// How the simulator treats who asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Conduct {
    /// As documented.
    #[default]
    Proper,
    /// Every request for presence gets this status, with `Retry-After` in seconds if there is one.
    Refuses {
        /// 403, 429, 503, …
        status: u16,
        /// Seconds.
        retry_after: Option<u64>,
    },
    /// Every request for a token is refused so: 500, or 401 with this number of Microsoft's (`AADSTS…`).
    NoTokens {
        /// HTTP status.
        status: u16,
        /// `error_codes`.
        number: u32,
    },
    /// Every answer comes so much later.
    Slow(Duration),
    /// Presence is what it was when this began.
    Stale,
    /// 200, and a page that is no JSON, as proxies write it.
    Garbage,
    /// People of whom nothing is known are left out, instead of being `PresenceUnknown`.
    LeavesOut,
    /// Words begin with small letters, and the two fields are swapped, as newer documentation has them.
    Modern,
}

/// What was asked for since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Requests for tokens.
    pub tokens: u32,
    /// Requests for presence, refused ones included.
    pub presence: u32,
    /// `client-request-id` of the last request.
    pub request_id: String,
}

/// The running simulator; it ends when it is dropped.
#[derive(Debug)]
pub struct GraphSim {
    url: String,
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl GraphSim {
    /// Listens at `address` (port 0: any), in the clear.
    ///
    /// # Errors
    /// The address cannot be listened on, or no thread can be had.
    pub fn start(address: SocketAddr) -> io::Result<GraphSim> {
        GraphSim::serve(address, None)
    }

    /// Listens over TLS, as `localhost`, with a certificate of `authority`.
    ///
    /// # Errors
    /// The address cannot be listened on, or no thread can be had.
    pub fn start_tls(address: SocketAddr, authority: &Authority) -> io::Result<GraphSim> {
        GraphSim::serve(address, Some(authority.acceptor()?))
    }

    fn serve(address: SocketAddr, acceptor: Option<tokio_rustls::TlsAcceptor>) -> io::Result<GraphSim> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let url = match acceptor {
            Some(_) => format!("https://localhost:{}", address.port()),
            None => format!("http://{address}"),
        };
        let book = Arc::new(Mutex::new(Book::default()));
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let service = server::routes(Arc::clone(&book));
        let thread = thread::Builder::new().name("graph-sim".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = server::run(listener, acceptor, service) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(GraphSim { url, address, book, stop: Some(stop), thread: Some(thread) })
    }

    /// For `login_url` and `graph_url`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the person with this object id is so. `PUT /sim/presence/ID` does the same.
    pub fn says(&self, id: &str, availability: &str, activity: &str) {
        self.book().says(id, availability, activity);
    }

    /// From now on treats who asks so.
    pub fn conducts(&self, conduct: Conduct) {
        self.book().conducts(conduct);
    }

    /// Tokens that are given from now on last so long. 3,599 s at the start.
    pub fn tokens_last(&self, lifetime: Duration) {
        self.book().lifetime = lifetime;
    }

    /// All tokens that were given are worth nothing any more.
    pub fn withdraws_tokens(&self) {
        self.book().withdraw_tokens();
    }

    /// What was asked for.
    pub fn asked(&self) -> Asked {
        self.book().asked.clone()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for GraphSim {
    fn drop(&mut self) {
        // An error means that it has ended already.
        self.stop.take().map(|stop| stop.send(()).ok());
        self.thread.take().map(|thread| thread.join().ok());
    }
}
