//! `;name=value` parameters of headers and URIs (RFC 3261 §7.3.1, §19.1.1, §25.1).

use bytes::Bytes;

use super::ParseError;
use super::text::{Cursor, ends_param_name, ends_param_value, is_blank, quoted_end};

/// Header parameters, kept as written. Their form was checked once, so that reading cannot fail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Params(Bytes);

impl Params {
    /// Reads `;name`, `;name=value` and `;name="quoted"` up to the end of `text`, blanks allowed around each mark.
    ///
    /// # Errors
    /// `Malformed` with the byte of an empty name, an open quote, or text behind a value.
    pub fn parse(text: &Bytes) -> Result<Params, ParseError> {
        Params::read(&mut Cursor::new("parameters", text))
    }

    /// All that is left of `cursor`.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Params, ParseError> {
        cursor.skip_blanks();
        let params = Params(cursor.own(cursor.rest()));
        let mut rest = cursor.rest();
        while !rest.is_empty() {
            let before = rest.len();
            let param = next(&mut rest);
            cursor.skip(before - rest.len());
            param.map_err(|expected| cursor.error(expected))?;
        }
        Ok(params)
    }

    /// The value of the first parameter of that name (any case); empty for one without value. Quotes are kept.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value.unwrap_or(b""))
    }

    /// True if there is a parameter of that name, with or without value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names and values in order, as written.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || if rest.is_empty() { None } else { next(&mut rest).ok() })
    }

    /// All of them as written, from the first semicolon on; empty if there are none.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The value of `name` as its own slice of the message.
    pub(crate) fn get_bytes(&self, name: &str) -> Option<Bytes> {
        self.get(name).map(|value| self.0.slice_ref(value))
    }
}

type Param<'a> = (&'a [u8], Option<&'a [u8]>);

/// Takes one parameter and the blanks behind it off `rest`; on error `rest` stands at the fault.
fn next<'a>(rest: &mut &'a [u8]) -> Result<Param<'a>, &'static str> {
    if rest.first() != Some(&b';') {
        return Err("a semicolon or the end");
    }
    *rest = skip_blanks(&rest[1..]);
    let name = take(rest, ends_param_name);
    if name.is_empty() {
        return Err("a parameter name");
    }
    *rest = skip_blanks(rest);
    let mut value = None;
    if rest.first() == Some(&b'=') {
        *rest = skip_blanks(&rest[1..]);
        value = Some(take_value(rest)?);
        *rest = skip_blanks(rest);
    }
    Ok((name, value))
}

fn take_value<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], &'static str> {
    if rest.first() != Some(&b'"') {
        return Ok(take(rest, ends_param_value));
    }
    let end = quoted_end(rest).ok_or("a closing quote")?;
    let (value, behind) = rest.split_at(end);
    *rest = behind;
    Ok(value)
}

fn take<'a>(rest: &mut &'a [u8], ends: impl Fn(u8) -> bool) -> &'a [u8] {
    let end = rest.iter().position(|&byte| ends(byte)).unwrap_or(rest.len());
    let (taken, behind) = rest.split_at(end);
    *rest = behind;
    taken
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|&byte| !is_blank(byte)).unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<Params, ParseError> {
        Params::parse(&Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn names_match_in_any_case_and_blanks_do_not_count() {
        let params = parse("; Tag = a1 ;lr; x=\"a;\\\"b\" ").unwrap();
        assert_eq!(params.get("tag"), Some(&b"a1"[..]));
        assert_eq!(params.get("LR"), Some(&b""[..]));
        assert_eq!(params.get("x"), Some(&b"\"a;\\\"b\""[..]));
        assert_eq!(params.get("y"), None);
    }

    #[test]
    fn an_empty_parameter_and_an_open_quote_are_faults() {
        for bad in [";;a", ";", "a", ";=b", ";a=\"b", ";a b", ";a=b c"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_fault_names_its_byte() {
        assert_eq!(
            parse(";a=b;;c"),
            Err(ParseError::Malformed { part: "parameters", offset: 5, expected: "a parameter name" })
        );
    }
}
