//! Requests to the admin listener of a running router.

use std::{net::SocketAddr, time::Duration};

use super::CommandError;

/// How long an answer may take, connecting included.
const PATIENCE: Duration = Duration::from_secs(5);

/// `GET path`, the body of a 200.
pub(super) fn get(address: SocketAddr, path: &str) -> Result<String, CommandError> {
    let request =
        ureq::get(url(address, path)).config().timeout_global(Some(PATIENCE)).http_status_as_error(false);
    answer(address, request.build().call())
}

/// `POST path` without a body, the body of a 200.
pub(super) fn post(address: SocketAddr, path: &str) -> Result<String, CommandError> {
    let request =
        ureq::post(url(address, path)).config().timeout_global(Some(PATIENCE)).http_status_as_error(false);
    answer(address, request.build().send_empty())
}

/// `text` as one segment of a path or one value of a query (RFC 3986 §2.1).
pub(super) fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A wildcard address is where to listen, not where to ask: the router is on this machine then.
fn url(address: SocketAddr, path: &str) -> String {
    let host = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], v4.port())),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], v6.port()))
        }
        _ => address,
    };
    format!("http://{host}{path}")
}

fn answer(
    address: SocketAddr,
    response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<String, CommandError> {
    let unreachable = |error: ureq::Error| CommandError::Unreachable { address, reason: error.to_string() };
    let mut response = response.map_err(unreachable)?;
    let text = response.body_mut().read_to_string().map_err(unreachable)?;
    match response.status().is_success() {
        true => Ok(text),
        false => Err(CommandError::Refused { reason: text.trim_end().to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_asked_on_this_machine_and_odd_names_survive_the_url() {
        assert_eq!(url("0.0.0.0:8060".parse().unwrap(), "/x"), "http://127.0.0.1:8060/x");
        assert_eq!(url("[::]:8060".parse().unwrap(), "/x"), "http://[::1]:8060/x");
        assert_eq!(escape("Jörg/1 & co"), "J%C3%B6rg%2F1%20%26%20co");
    }
}
