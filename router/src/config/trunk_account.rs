//! Who we are to the far end of a trunk that asks.

use std::sync::Arc;

use sip_core::auth::digest::Login;
use toml::de::{DeTable, DeValue};

use super::raw::{Field, section};
use super::scope::{Scope, Section};

section! {
    /// Who we are to the far end of a trunk that asks.
    TrunkAccountToml "[trunk.NAME]" {
        /// User name for a far end that asks who we are (401 or 407, by SHA-256 or MD5). With it a password is needed. Default: none, such an answer is a failure.
        username,
        /// The password. Guard the file, or write `password_file`.
        password,
        /// A file that holds the password and nothing else; a relative path starts at the directory of this file. Read at start and at a reload.
        password_file,
        /// The one realm that is answered. Default: any, so that the far end decides; with a realm nobody on the way can ask for another proof.
        realm,
    }
}

/// Who we are to the far end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrunkAccount {
    /// `None`: we prove nothing.
    pub login: Option<Arc<Login>>,
    /// Its password is in a file of its own, which may change without the configuration.
    pub by_file: bool,
}

impl TrunkAccount {
    pub(super) fn resolve(
        table: &DeTable<'_>,
        section: &Section<'_>,
        scope: &mut Scope<'_, '_>,
    ) -> TrunkAccount {
        let raw = TrunkAccountToml::read_known(table, &section.path, section.span());
        let password = password(&raw, scope);
        let report = &mut *scope.report;
        let realm = raw.realm.text("\"carrier.example\"", report).map(str::to_owned);
        let username = raw.username.text("\"493012345\"", report);
        let login = match (username, password) {
            (Some(username), Some(password)) => {
                Some(Login { username: username.to_owned(), password, realm })
            }
            (Some(_), None) if raw.password.item.is_none() && raw.password_file.item.is_none() => {
                let text = "needs a password; write password_file = \"carrier.password\", or password";
                report.error(&raw.username.section, &raw.username.key, text);
                None
            }
            (None, Some(_)) if raw.username.item.is_none() => {
                report.error(
                    &raw.username.section,
                    &raw.username.key,
                    "is missing; write username = \"493012345\"",
                );
                None
            }
            _ => None,
        };
        TrunkAccount { login: login.map(Arc::new), by_file: raw.password_file.item.is_some() }
    }
}

fn password(raw: &TrunkAccountToml<'_>, scope: &mut Scope<'_, '_>) -> Option<String> {
    match (&raw.password.item, &raw.password_file.item) {
        (Some(_), Some(file)) => {
            file.error(scope.report, "there is a password too; keep one of them");
            None
        }
        (Some(_), None) => secret(&raw.password, scope),
        (None, Some(file)) => {
            let path = file.text("\"carrier.password\"", scope.report)?;
            match scope.prompts.line(path) {
                Ok(line) => Some(line),
                Err(why) => {
                    file.error(
                        scope.report,
                        format!("\"{path}\": {why}; name a file with the password in its one line"),
                    );
                    None
                }
            }
        }
        (None, None) => None,
    }
}

/// The value is never told.
fn secret(field: &Field<'_>, scope: &mut Scope<'_, '_>) -> Option<String> {
    let item = field.item.as_ref()?;
    match item.value.get_ref() {
        DeValue::String(text) if !text.is_empty() && !text.contains(char::is_control) => {
            Some(text.to_string())
        }
        _ => {
            item.error(scope.report, "is no password; write it in quotes");
            None
        }
    }
}
