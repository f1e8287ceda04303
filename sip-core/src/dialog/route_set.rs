//! The proxies that want to stay on the path of a dialog (RFC 3261 §12.1, §12.2.1.1).

use crate::message::{Builder, Header, Message, NameAddr, Uri};
use bytes::Bytes;
use std::borrow::Cow;

/// Route values, next hop first, each as the proxy wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteSet {
    routes: Box<[Bytes]>,
    /// The first route has no `lr`: a router of RFC 2543, which wants to find its own URI in the Request-URI.
    strict: bool,
}

impl RouteSet {
    /// The route set of the called side: the Record-Routes of the request, in order (§12.1.1).
    pub fn of_request(request: &Message) -> RouteSet {
        RouteSet::new(record_routes(request).collect())
    }

    /// The route set of the calling side: the Record-Routes of the response, in reverse order (§12.1.2).
    pub fn of_response(response: &Message) -> RouteSet {
        let mut routes: Vec<Bytes> = record_routes(response).collect();
        routes.reverse();
        RouteSet::new(routes)
    }

    fn new(routes: Vec<Bytes>) -> RouteSet {
        let strict = routes.first().is_some_and(|first| uri(first).is_some_and(|u| u.param("lr").is_none()));
        RouteSet { routes: routes.into(), strict }
    }

    /// No proxy stays on the path.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// What a request to `target` has as its Request-URI.
    pub fn request_uri<'a>(&'a self, target: &'a Bytes) -> Cow<'a, [u8]> {
        match (self.strict, self.routes.first().and_then(uri)) {
            (true, Some(first)) => Cow::Owned(request_form(&first)),
            _ => Cow::Borrowed(target),
        }
    }

    /// Writes the Route headers of a request to `target`.
    pub fn write(&self, target: &Bytes, request: &mut Builder) {
        for route in self.routes.iter().skip(usize::from(self.strict)) {
            request.header(Header::Route, route);
        }
        if self.strict {
            request.parts(Header::Route, &[b"<", target, b">"]);
        }
    }

    /// Where a request to `target` is to be sent: to the first route, else to the target itself.
    ///
    /// `None` when that is no SIP URI and so has no host.
    pub fn next_hop(&self, target: &Bytes) -> Option<Uri> {
        let hop = match self.routes.first() {
            Some(first) => uri(first),
            None => Uri::parse(target.clone()).ok(),
        };
        hop.filter(|hop| !hop.host().is_empty())
    }
}

/// Copies of the values that can be read: a route set must not keep a whole message in memory.
fn record_routes(message: &Message) -> impl Iterator<Item = Bytes> {
    let values = message.values(Header::RecordRoute);
    values.map(|value| Bytes::copy_from_slice(&value)).filter(|value| uri(value).is_some())
}

fn uri(route: &Bytes) -> Option<Uri> {
    NameAddr::parse(route.clone()).ok().map(|name_addr| name_addr.uri)
}

/// A URI without what a Request-URI may not have: headers and the `method` parameter (§19.1.1).
fn request_form(uri: &Uri) -> Vec<u8> {
    let text = uri.without_headers();
    let mut parts = text.split(|b| *b == b';');
    let mut out = parts.next().unwrap_or_default().to_vec();
    for part in parts.filter(|part| !part.to_ascii_lowercase().starts_with(b"method=")) {
        out.push(b';');
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Method;

    fn response(record_routes: &str) -> Message {
        let text = format!("SIP/2.0 200 OK\r\n{record_routes}\r\n");
        Message::parse(Bytes::from(text)).unwrap()
    }

    fn written(set: &RouteSet, target: &'static str) -> String {
        let target = Bytes::from_static(target.as_bytes());
        let mut request = Builder::request(&Method::Bye, &set.request_uri(&target));
        set.write(&target, &mut request);
        String::from_utf8(request.finish().to_vec()).unwrap()
    }

    #[test]
    fn the_caller_reverses_the_record_routes_and_keeps_the_target_in_the_request_uri() {
        let set = RouteSet::of_response(&response(
            "Record-Route: <sip:p2.test;lr>, \"P, one\" <sip:p1.test;lr>;x=1\r\nRecord-Route: <sip:p0.test;lr>\r\n",
        ));
        let text = written(&set, "sip:bob@10.0.0.9");
        assert!(text.starts_with(
            "BYE sip:bob@10.0.0.9 SIP/2.0\r\nRoute: <sip:p0.test;lr>\r\n\
             Route: \"P, one\" <sip:p1.test;lr>;x=1\r\nRoute: <sip:p2.test;lr>\r\n"
        ));
        let next = set.next_hop(&Bytes::from_static(b"sip:bob@10.0.0.9")).unwrap();
        assert_eq!(next.host(), b"p0.test");
    }

    #[test]
    fn a_strict_router_stands_in_the_request_uri_and_the_target_is_the_last_route() {
        let set = RouteSet::of_response(&response(
            "Record-Route: <sip:p1.test;lr>\r\nRecord-Route: <sip:p0.test:5070;method=BYE;x=1?a=b>\r\n",
        ));
        assert!(written(&set, "sip:bob@10.0.0.9").starts_with(
            "BYE sip:p0.test:5070;x=1 SIP/2.0\r\nRoute: <sip:p1.test;lr>\r\nRoute: <sip:bob@10.0.0.9>\r\n"
        ));
    }

    #[test]
    fn without_routes_the_target_is_the_next_hop_if_it_has_a_host() {
        let set = RouteSet::of_request(&response(""));
        assert_eq!(set.next_hop(&Bytes::from_static(b"sip:a@b.test")).unwrap().host(), b"b.test");
        assert!(set.next_hop(&Bytes::from_static(b"tel:+4930")).is_none());
    }
}
