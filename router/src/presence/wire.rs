//! What is written to Graph and the login address, and what they answer.
//!
//! Nothing of an answer is relied on beyond its shape: whole members may be missing, more may come, and what is kept
//! of it is cut to size.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ObjectId, Refusal, Report, Words};

/// Longest token that is kept; Microsoft's have some 2,000 bytes.
const LONGEST_TOKEN: usize = 32 * 1024;
/// Longest life of a token that is believed.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// Longest code, request id and sequence number that is kept.
const LONGEST_NAME: usize = 64;

/// Path of presence requests, behind `graph_url`.
pub const PRESENCE_PATH: &str = "/v1.0/communications/getPresencesByUserId";

/// The scope of the application permissions that were granted at `graph_url`.
pub fn scope(graph_url: &str) -> String {
    format!("{graph_url}/.default")
}

/// Path of token requests, behind `login_url`.
pub fn token_path(tenant: &str) -> String {
    format!("/{tenant}/oauth2/v2.0/token")
}

/// The body of a presence request.
pub fn presence_body(ids: &[ObjectId]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body {
        ids: Vec<String>,
    }
    let body = Body { ids: ids.iter().map(ObjectId::to_string).collect() };
    serde_json::to_vec(&body).expect("texts can be written as JSON")
}

/// The token of an answer, and how long it lasts.
///
/// # Errors
/// What is wrong with the answer, without its text: it may hold half a token.
pub fn read_token(body: &[u8]) -> Result<(String, Duration), String> {
    #[derive(Deserialize)]
    struct Token {
        access_token: String,
        expires_in: u64,
    }
    let token: Token = serde_json::from_slice(body)
        .map_err(|error| format!("no token (at {}:{})", error.line(), error.column()))?;
    // It becomes a header field.
    let fits = token.access_token.bytes().all(|byte| byte.is_ascii_graphic());
    if !fits || token.access_token.is_empty() || token.access_token.len() > LONGEST_TOKEN {
        return Err("a token that is none".to_owned());
    }
    Ok((token.access_token, Duration::from_secs(token.expires_in).min(LONGEST_LIFE)))
}

/// The presences of an answer; those without a readable id are left out.
///
/// # Errors
/// What is wrong with the answer.
pub fn read_presences(body: &[u8]) -> Result<Vec<Report>, String> {
    #[derive(Deserialize)]
    struct Answer {
        value: Vec<Presence>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Presence {
        id: Option<String>,
        availability: Option<String>,
        activity: Option<String>,
        sequence_number: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let report = |presence: Presence| {
        let text = |text: Option<String>| text.unwrap_or_default();
        Some(Report {
            id: presence.id?.parse().ok()?,
            words: Words::new(&text(presence.availability), &text(presence.activity)),
            sequence: presence
                .sequence_number
                .filter(|number| number.len() <= LONGEST_NAME)
                .map(String::into),
        })
    };
    Ok(answer.value.into_iter().filter_map(report).collect())
}

/// What a refusal says: Graph's `{"error":{"code":…}}`, or `{"error":…,"error_codes":[…]}` of the login address. The
/// messages are for people and may hold anything: they are not kept.
pub fn read_refusal(status: u16, retry_after: Option<Duration>, request_id: &str, body: &[u8]) -> Refusal {
    #[derive(Deserialize)]
    struct Body {
        error: Error,
        #[serde(default)]
        error_codes: Vec<u32>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Error {
        Graph { code: String },
        Login(String),
    }
    let body: Option<Body> = serde_json::from_slice(body).ok();
    let number = body.as_ref().and_then(|body| body.error_codes.first().copied());
    let code = body.map(|body| match body.error {
        Error::Graph { code } | Error::Login(code) => code,
    });
    Refusal {
        status,
        code: name(&code.unwrap_or_default()),
        number,
        request_id: name(request_id),
        retry_after,
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110 §10.2.3); `now` is the UTC second.
pub fn read_retry_after(text: &str, now: i64) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_second();
    Some(Duration::from_secs(u64::try_from(date - now).unwrap_or(0)))
}

/// Letters, digits and hyphens, so that a line of the log stays one.
fn name(text: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.chars().filter(fits).take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: &str = "66ad2f10-5a3d-4f4a-8d8f-3b7f0c1e9911";

    #[test]
    fn presences_are_read_whatever_else_comes_with_them() {
        let body = format!(
            r#"{{"@odata.context":"x","value":[
                {{"id":"{}","availability":"Busy","activity":"InACall","sequenceNumber":"A01","workLocation":null,
                  "outOfOfficeSettings":{{"message":null,"isOutOfOffice":false}}}},
                {{"id":"no id","availability":"Busy","activity":"Busy"}},
                {{"availability":"Busy"}},
                {{"id":"1c9b3e7a-6d1f-4c11-9a53-2f0b6a7e4d22"}}]}}"#,
            ANNA.to_uppercase()
        );
        let told: Vec<(String, String)> = read_presences(body.as_bytes())
            .unwrap()
            .into_iter()
            .map(|report| (report.id.to_string(), format!("{} {:?}", report.words, report.sequence)))
            .collect();
        let expected = [
            (ANNA, "Busy, InACall Some(\"A01\")"),
            ("1c9b3e7a-6d1f-4c11-9a53-2f0b6a7e4d22", "PresenceUnknown None"),
        ];
        assert_eq!(told, expected.map(|(id, words)| (id.to_owned(), words.to_owned())));
        for garbage in ["", "<html>", "{}", r#"{"value":7}"#, r#"{"value":[{"id":7}]}"#] {
            assert!(read_presences(garbage.as_bytes()).is_err(), "{garbage}");
        }
    }

    #[test]
    fn a_token_that_could_not_be_a_header_is_none_and_its_text_is_in_no_error() {
        let body =
            |token: &str| format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{token}"}}"#);
        let (token, lasts) = read_token(body("eyJ0.abc-_").as_bytes()).unwrap();
        assert_eq!((token.as_str(), lasts), ("eyJ0.abc-_", Duration::from_secs(3_599)));
        for wrong in ["", "two words", "line\\nend", &"x".repeat(40_000)] {
            assert_eq!(read_token(body(wrong).as_bytes()), Err("a token that is none".to_owned()));
        }
        let cut = read_token(br#"{"access_token":"secret-half"#).unwrap_err();
        assert!(!cut.contains("secret"), "{cut}");
    }

    #[test]
    fn a_refusal_is_known_by_its_code_and_number_and_not_by_its_message() {
        let graph =
            br#"{"error":{"code":"Authorization_RequestDenied","message":"a\nb","innerError":{"date":"x"}}}"#;
        let refusal = read_refusal(403, None, "7a\r\n-9", graph);
        assert_eq!(refusal.to_string(), "403 Authorization_RequestDenied, request 7a-9");
        let login =
            br#"{"error":"invalid_client","error_description":"AADSTS7000222: x","error_codes":[7000222]}"#;
        assert_eq!(read_refusal(401, None, "", login).to_string(), "401 invalid_client AADSTS7000222");
        assert_eq!(read_refusal(502, None, "", b"<html>").to_string(), "502");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = 1_445_412_420; // Wed, 21 Oct 2015 07:27:00 GMT
        assert_eq!(read_retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(read_retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(read_retry_after("Wed, 21 Oct 2015 07:26:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(read_retry_after("soon", now), None);
    }

    #[test]
    fn what_is_asked_is_what_graph_documents() {
        let ids: Vec<ObjectId> = vec![ANNA.parse().unwrap()];
        assert_eq!(presence_body(&ids), format!(r#"{{"ids":["{ANNA}"]}}"#).into_bytes());
        assert_eq!(token_path("example.com"), "/example.com/oauth2/v2.0/token");
        assert_eq!(scope("https://graph.microsoft.com"), "https://graph.microsoft.com/.default");
    }
}
