//! A telephone that proves who it is.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip_core::{Ask, Target, Transport, auth::digest::Login, message::Method};

use super::Phone;

impl Phone {
    /// Who it is from now on, when it registers and calls.
    pub(crate) fn logs_in(&mut self, user: &str, password: &str) {
        let login = Login { username: user.to_owned(), password: password.to_owned(), realm: None };
        self.login = Some(Arc::new(login));
    }

    pub(super) fn register(&mut self, now: Instant, contact: &str, expires: u32) {
        self.series.1 += 2; // the proof takes a number of its own
        let us = Bytes::from(format!("<sip:{}@fernamt>", self.name));
        let header =
            |name: &'static str, value: String| (Bytes::from_static(name.as_bytes()), Bytes::from(value));
        self.registered = 0;
        let ask = Ask {
            method: Method::Register,
            flow: None,
            target: Target::at(Transport::Udp, self.router),
            uri: Bytes::from_static(b"sip:fernamt"),
            from: us.clone(),
            to: us,
            headers: vec![header("Expires", expires.to_string())],
            contact: Some(Bytes::from(contact.to_owned())),
            contact_user: None,
            series: Some(self.series.clone()),
            login: self.login.clone(),
            peer: None,
            timeout: Duration::from_secs(32),
        };
        self.sip.ask(now, ask);
    }
}
