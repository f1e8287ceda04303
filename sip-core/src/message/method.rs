//! Methods of requests (RFC 3261 §7.1 and the extensions that are known here).

use std::fmt;

use bytes::Bytes;

macro_rules! methods {
    ($($variant:ident $name:literal $source:literal,)*) => {
        /// What a request asks for. Case matters (RFC 3261 §7.1); unknown methods are kept byte for byte.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Method {
            $(#[doc = concat!("`", $name, "`, ", $source, ".")] $variant,)*
            /// Any other token.
            Other(Bytes),
        }

        impl Method {
            /// The method a token names.
            pub fn new(token: &Bytes) -> Method {
                Method::known(token).unwrap_or_else(|| Method::Other(token.clone()))
            }

            /// The method a token names, if it is one of those known here.
            pub fn known(token: &[u8]) -> Option<Method> {
                $(if token == $name.as_bytes() { return Some(Method::$variant); })*
                None
            }

            /// As it stands on the wire.
            pub fn as_bytes(&self) -> &[u8] {
                match self {
                    $(Method::$variant => $name.as_bytes(),)*
                    Method::Other(token) => token,
                }
            }
        }
    };
}

methods! {
    Invite "INVITE" "RFC 3261 §13",
    Ack "ACK" "RFC 3261 §13",
    Bye "BYE" "RFC 3261 §15",
    Cancel "CANCEL" "RFC 3261 §9",
    Options "OPTIONS" "RFC 3261 §11",
    Register "REGISTER" "RFC 3261 §10",
    Info "INFO" "RFC 6086",
    Update "UPDATE" "RFC 3311",
    Prack "PRACK" "RFC 3262",
    Refer "REFER" "RFC 3515",
    Notify "NOTIFY" "RFC 6665",
    Subscribe "SUBSCRIBE" "RFC 6665",
    Message "MESSAGE" "RFC 3428",
    Publish "PUBLISH" "RFC 3903",
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}
