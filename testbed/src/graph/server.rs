//! The simulator over HTTP: the two addresses of Microsoft's that are asked, and the switches under `/sim`.
#![allow(clippy::disallowed_methods, reason = "a slow answer is slow by the clock")]

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{post, put},
};
use router::presence::wire;
use serde_json::Value;
use tokio_rustls::TlsAcceptor;

use super::{
    Conduct,
    book::{Book, Reply},
    tls::TlsListener,
};

type Shared = State<Arc<Mutex<Book>>>;

pub(super) fn routes(book: Arc<Mutex<Book>>) -> Router {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route(wire::PRESENCE_PATH, post(presences))
        .route("/sim/presence/{id}", put(set_presence))
        .with_state(book)
}

/// Serves until it is dropped.
pub(super) async fn run(listener: TcpListener, acceptor: Option<TlsAcceptor>, routes: Router) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener that does not block");
    let served = match acceptor {
        None => axum::serve(listener, routes).await,
        Some(acceptor) => axum::serve(TlsListener { listener, acceptor }, routes).await,
    };
    served.unwrap_or_else(|error| eprintln!("the simulator of Graph ended: {error}"));
}

async fn token(State(book): Shared, Path(tenant): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    answer(&book, &headers, |book| {
        // The scope names where presence will be asked for: here, in either scheme.
        let form = form(&body);
        let given = form.get("scope").cloned().unwrap_or_default();
        let here = ["http", "https"].map(|scheme| wire::scope(&format!("{scheme}://{host}")));
        let scope = here.into_iter().find(|scope| *scope == given).unwrap_or_default();
        book.token(&tenant, &form, &scope)
    })
    .await
}

async fn presences(State(book): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let authorization =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    answer(&book, &headers, |book| book.presences(authorization, &body)).await
}

async fn answer(book: &Mutex<Book>, headers: &HeaderMap, reply: impl FnOnce(&mut Book) -> Reply) -> Response {
    let (conduct, reply) = {
        let mut book = lock(book);
        let request_id = headers.get("client-request-id").and_then(|value| value.to_str().ok());
        book.asked.request_id = request_id.unwrap_or_default().to_owned();
        (book.conduct, reply(&mut book))
    };
    match conduct {
        Conduct::Slow(by) => tokio::time::sleep(by).await,
        Conduct::Garbage => return "<html>Please log in to the proxy</html>".into_response(),
        _ => {}
    }
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(reply.body)).into_response();
    if let Some(seconds) = reply.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

async fn set_presence(State(book): Shared, Path(id): Path<String>, Json(said): Json<Value>) -> StatusCode {
    let word = |key: &str| said.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    match lock(&book).says(&id, &word("availability"), &word("activity")) {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::NOT_FOUND,
    }
}

/// `a=b&c=d`, percent-encoded.
fn form(body: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(body);
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (unescaped(key), unescaped(value))).collect()
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex =
            |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).unwrap_or_default() as u8;
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()) << 4 | hex(rest.next()),
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
