//! To and from the types of the `rsip` crate, for tools and embedders that speak them.
//!
//! Our parser fills them: `rsip`'s own tokenizers cut dotted users, IPv6 hosts, folded and compact headers, second
//! values of a line and others short, so nothing from the network may go through them. What its types have no room
//! for (URIs that are not SIP, unknown methods, bytes that are no UTF-8) is an error here, never a silent loss.

use bytes::Bytes;
use rsip::param::{OtherParam, OtherParamValue};
use rsip::prelude::UntypedHeader;

use crate::message::{Builder, Header, Message, Method, NameAddr, ParseError, Scheme, StatusCode, Uri, Via};

/// Why a value cannot be said in the types of `rsip`, or theirs not in ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompatError {
    /// There is no place for it in `rsip`.
    #[error("rsip has no room for {0}")]
    NoRoom(&'static str),
    /// `rsip` holds text, and this is none.
    #[error("not UTF-8")]
    NotUtf8,
    /// The value itself is broken.
    #[error(transparent)]
    Broken(#[from] ParseError),
}

fn text(bytes: &[u8]) -> Result<String, CompatError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| CompatError::NotUtf8)
}

impl TryFrom<&Method> for rsip::Method {
    type Error = CompatError;

    fn try_from(method: &Method) -> Result<Self, CompatError> {
        Ok(match method {
            Method::Invite => rsip::Method::Invite,
            Method::Ack => rsip::Method::Ack,
            Method::Bye => rsip::Method::Bye,
            Method::Cancel => rsip::Method::Cancel,
            Method::Options => rsip::Method::Options,
            Method::Register => rsip::Method::Register,
            Method::Info => rsip::Method::Info,
            Method::Update => rsip::Method::Update,
            Method::Prack => rsip::Method::PRack,
            Method::Refer => rsip::Method::Refer,
            Method::Notify => rsip::Method::Notify,
            Method::Subscribe => rsip::Method::Subscribe,
            Method::Message => rsip::Method::Message,
            Method::Publish => rsip::Method::Publish,
            Method::Other(_) => return Err(CompatError::NoRoom("an unknown method")),
        })
    }
}

impl From<&rsip::Method> for Method {
    fn from(method: &rsip::Method) -> Self {
        Method::new(&Bytes::from(method.to_string()))
    }
}

impl From<StatusCode> for rsip::StatusCode {
    fn from(status: StatusCode) -> Self {
        rsip::StatusCode::from(status.code())
    }
}

impl TryFrom<&rsip::StatusCode> for StatusCode {
    type Error = CompatError;

    fn try_from(status: &rsip::StatusCode) -> Result<Self, CompatError> {
        StatusCode::new(status.code()).ok_or(CompatError::NoRoom("a status outside 100 to 699"))
    }
}

impl TryFrom<&Uri> for rsip::Uri {
    type Error = CompatError;

    fn try_from(uri: &Uri) -> Result<Self, CompatError> {
        let scheme = match uri.scheme() {
            Scheme::Sip => rsip::Scheme::Sip,
            Scheme::Sips => rsip::Scheme::Sips,
            Scheme::Tel | Scheme::Urn | Scheme::Other => {
                return Err(CompatError::NoRoom("a URI that is not SIP"));
            }
        };
        if uri.headers().is_some() {
            return Err(CompatError::NoRoom("headers of a URI"));
        }
        let auth = match uri.user() {
            Some(user) => {
                Some(rsip::Auth { user: text(user)?, password: uri.password().map(text).transpose()? })
            }
            None => None,
        };
        let host_with_port = host_with_port(uri.host(), uri.port())?;
        let params = uri.params().map(|(name, value)| param(name, value)).collect::<Result<_, _>>()?;
        Ok(rsip::Uri { scheme: Some(scheme), auth, host_with_port, params, headers: Vec::new() })
    }
}

fn host_with_port(host: &[u8], port: Option<u16>) -> Result<rsip::HostWithPort, CompatError> {
    let host = match crate::message::host_ip(host) {
        Some(address) => rsip::Host::IpAddr(address),
        None => rsip::Host::Domain(text(host)?.into()),
    };
    Ok(rsip::HostWithPort { host, port: port.map(Into::into) })
}

/// The parameters `rsip` knows by name, the others as they are; a transport it does not know is one of the others.
fn param(name: &[u8], value: Option<&[u8]>) -> Result<rsip::Param, CompatError> {
    let (name, value) = (text(name)?, value.map(text).transpose()?);
    let known = match (name.to_ascii_lowercase().as_str(), value.clone()) {
        ("lr", None) => Some(rsip::Param::Lr),
        ("transport", Some(value)) => transport(value.as_bytes()).ok().map(rsip::Param::Transport),
        ("branch", Some(value)) => Some(rsip::Param::Branch(value.into())),
        ("tag", Some(value)) => Some(rsip::Param::Tag(value.into())),
        ("received", Some(value)) => Some(rsip::Param::Received(value.into())),
        ("maddr", Some(value)) => Some(rsip::Param::Maddr(value.into())),
        ("ttl", Some(value)) => Some(rsip::Param::Ttl(value.into())),
        ("user", Some(value)) => Some(rsip::Param::User(value.into())),
        ("expires", Some(value)) => Some(rsip::Param::Expires(value.into())),
        ("q", Some(value)) => Some(rsip::Param::Q(value.into())),
        _ => None,
    };
    let other = || rsip::Param::Other(OtherParam::from(name), value.map(OtherParamValue::from));
    Ok(known.unwrap_or_else(other))
}

fn transport(name: &[u8]) -> Result<rsip::Transport, CompatError> {
    Ok(match name.to_ascii_uppercase().as_slice() {
        b"UDP" => rsip::Transport::Udp,
        b"TCP" => rsip::Transport::Tcp,
        b"TLS" => rsip::Transport::Tls,
        b"SCTP" => rsip::Transport::Sctp,
        b"TLS-SCTP" => rsip::Transport::TlsSctp,
        b"WS" => rsip::Transport::Ws,
        b"WSS" => rsip::Transport::Wss,
        _ => return Err(CompatError::NoRoom("an unknown transport")),
    })
}

impl TryFrom<&rsip::Uri> for Uri {
    type Error = CompatError;

    fn try_from(uri: &rsip::Uri) -> Result<Self, CompatError> {
        let mut written = format!("{}:", uri.scheme.clone().unwrap_or_default());
        if let Some(auth) = &uri.auth {
            written += &format!("{auth}@");
        }
        match &uri.host_with_port.host {
            // Its own writer leaves the brackets out.
            rsip::Host::IpAddr(std::net::IpAddr::V6(address)) => written += &format!("[{address}]"),
            host => written += &host.to_string(),
        }
        if let Some(port) = &uri.host_with_port.port {
            written += &format!(":{port}");
        }
        for param in &uri.params {
            written += &param.to_string();
        }
        Ok(written.parse()?)
    }
}

impl TryFrom<&Via> for rsip::typed::Via {
    type Error = CompatError;

    fn try_from(via: &Via) -> Result<Self, CompatError> {
        Ok(rsip::typed::Via {
            version: rsip::Version::V2,
            transport: transport(&via.transport)?,
            uri: rsip::Uri { host_with_port: host_with_port(&via.host, via.port)?, ..Default::default() },
            params: via.params.iter().map(|(name, value)| param(name, value)).collect::<Result<_, _>>()?,
        })
    }
}

macro_rules! address {
    ($($typed:ident)*) => {$(
        impl TryFrom<&NameAddr> for rsip::typed::$typed {
            type Error = CompatError;

            fn try_from(address: &NameAddr) -> Result<Self, CompatError> {
                Ok(rsip::typed::$typed {
                    display_name: address.display_name().map(|name| text(&name)).transpose()?,
                    uri: rsip::Uri::try_from(&address.uri)?,
                    params: address.params.iter().map(|(name, value)| param(name, value)).collect::<Result<_, _>>()?,
                })
            }
        }
    )*};
}

address!(From To Contact);

impl TryFrom<&Message> for rsip::SipMessage {
    type Error = CompatError;

    /// Long names, unfolded, one field per value of Via, Route, Record-Route and Contact: what `rsip` reads of them.
    fn try_from(message: &Message) -> Result<Self, CompatError> {
        let (headers, body) = (headers(message)?, message.body().to_vec());
        let version = rsip::Version::V2;
        if let Some(status) = message.status() {
            return Ok(rsip::Response { status_code: status.into(), version, headers, body }.into());
        }
        let method = rsip::Method::try_from(&message.method())?;
        let uri = rsip::Uri::try_from(&message.request_uri()?)?;
        Ok(rsip::Request { method, uri, version, headers, body }.into())
    }
}

fn headers(message: &Message) -> Result<rsip::Headers, CompatError> {
    let mut headers = rsip::Headers::default();
    let mut whole = Vec::new();
    for field in message.fields() {
        if matches!(field.header, Header::Via | Header::Route | Header::RecordRoute | Header::Contact) {
            if !whole.contains(&field.header) {
                whole.push(field.header);
                for value in message.values(field.header) {
                    headers.push(header(field.header, field.name, text(&value)?)?);
                }
            }
            continue;
        }
        headers.push(header(field.header, field.name, text(&crate::message::unfold(field.value))?)?);
    }
    Ok(headers)
}

macro_rules! header_by_name {
    ($known:ident, $name:ident, $value:ident: $($variant:ident)*) => {
        match $known {
            $(Header::$variant => rsip::Header::$variant(rsip::headers::$variant::new($value)),)*
            Header::Other => rsip::Header::Other(text($name)?, $value),
            known => rsip::Header::Other(known.name().to_owned(), $value),
        }
    };
}

fn header(known: Header, name: &[u8], value: String) -> Result<rsip::Header, CompatError> {
    Ok(header_by_name! { known, name, value:
        Accept AcceptEncoding AcceptLanguage AlertInfo Allow AuthenticationInfo Authorization CSeq CallId
        CallInfo Contact ContentDisposition ContentEncoding ContentLanguage ContentLength ContentType Date
        ErrorInfo Event Expires From InReplyTo MaxForwards MimeVersion MinExpires Organization Priority
        ProxyAuthenticate ProxyAuthorization ProxyRequire RecordRoute ReplyTo Require RetryAfter Route
        Server Subject SubscriptionState Supported Timestamp To Unsupported UserAgent Via Warning
        WwwAuthenticate
    })
}

impl TryFrom<&rsip::SipMessage> for Message {
    type Error = CompatError;

    /// The body passes byte for byte, which `rsip`'s own writer does not promise; Content-Length is ours.
    fn try_from(message: &rsip::SipMessage) -> Result<Self, CompatError> {
        let (mut builder, headers, body) = match message {
            rsip::SipMessage::Request(request) => {
                let uri = Uri::try_from(&request.uri)?;
                let builder = Builder::request(&Method::from(&request.method), uri.as_bytes());
                (builder, &request.headers, &request.body)
            }
            rsip::SipMessage::Response(response) => {
                let builder = Builder::response(StatusCode::try_from(&response.status_code)?, None);
                (builder, &response.headers, &response.body)
            }
        };
        for header in headers.iter().filter(|header| !matches!(header, rsip::Header::ContentLength(_))) {
            let written = header.to_string();
            if let Some((name, value)) = written.split_once(':') {
                builder.named(name.trim(), value.trim());
            }
        }
        builder.bare_body(body);
        Ok(Message::parse(builder.finish())?)
    }
}
