//! From, To, Contact, Route and their like: `"name" <uri>;params` or `uri;params` (RFC 3261 §20.10).

use std::borrow::Cow;

use bytes::Bytes;

use super::ParseError;
use super::params::Params;
use super::text::{Cursor, is_blank, quoted_end, trim, unquote};
use super::uri::Uri;

/// One address of a header, each part as written.
#[derive(Debug, Clone)]
pub struct NameAddr {
    /// The display name as written, quotes and escapes kept; `None` if there is none.
    pub display: Option<Bytes>,
    /// The URI, without its angle brackets.
    pub uri: Uri,
    /// What follows the brackets; without brackets all parameters are the header's (RFC 3261 §20).
    pub params: Params,
}

impl NameAddr {
    /// Reads one value of a name-addr header, unfolded.
    ///
    /// More is read than the grammar allows where the meaning is plain: display names of any bytes, blanks inside
    /// the brackets (RFC 4475 §3.1.2.15, §3.1.2.14).
    ///
    /// # Errors
    /// `Malformed` for an open quote or bracket, a URI that is none, and an address without brackets that has `?` or
    /// `,` in it (RFC 3261 §20.10).
    pub fn parse(text: Bytes) -> Result<NameAddr, ParseError> {
        NameAddr::parse_as("address", text)
    }

    pub(crate) fn parse_as(part: &'static str, text: Bytes) -> Result<NameAddr, ParseError> {
        let mut cursor = Cursor::new(part, &text);
        cursor.skip_blanks();
        match bracket(cursor.rest()).map_err(|expected| cursor.error(expected))? {
            Some(open) => bracketed(part, cursor, open),
            None => bare(part, cursor),
        }
    }

    /// The `tag` parameter alone of an address that is not read otherwise.
    pub(crate) fn tag_in(part: &'static str, text: &Bytes) -> Result<Option<Bytes>, ParseError> {
        let mut cursor = Cursor::new(part, text);
        cursor.skip_blanks();
        match bracket(cursor.rest()).map_err(|expected| cursor.error(expected))? {
            Some(open) => drop(inside(&mut cursor, open)?),
            None => drop(bare_uri(&mut cursor)?),
        }
        Ok(Params::read(&mut cursor)?.get_bytes("tag").filter(|tag| !tag.is_empty()))
    }

    /// The `tag` parameter; `None` if absent or empty.
    pub fn tag(&self) -> Option<&[u8]> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The `tag` parameter as its own slice of the message.
    pub fn tag_bytes(&self) -> Option<Bytes> {
        self.params.get_bytes("tag").filter(|tag| !tag.is_empty())
    }

    /// The display name as a person reads it: without quotes and escapes.
    pub fn display_name(&self) -> Option<Cow<'_, [u8]>> {
        self.display.as_deref().map(unquote)
    }
}

/// Where the `<` stands; `None` for an address without brackets.
fn bracket(text: &[u8]) -> Result<Option<usize>, &'static str> {
    if text.first() == Some(&b'"') {
        let name_end = quoted_end(text).ok_or("a closing quote")?;
        let blanks = text[name_end..].iter().take_while(|&&byte| is_blank(byte)).count();
        let open = name_end + blanks;
        return if text.get(open) == Some(&b'<') { Ok(Some(open)) } else { Err("a URI in angle brackets") };
    }
    match text.iter().position(|byte| matches!(byte, b'<' | b';' | b'"')) {
        Some(at) if text[at] == b'<' => Ok(Some(at)),
        Some(at) if text[at] == b'"' => Err("a display name in quotes from its start"),
        _ => Ok(None),
    }
}

/// The display name, and what stands between the brackets; the cursor stands behind them then.
fn inside<'a>(cursor: &mut Cursor<'a>, open: usize) -> Result<(&'a [u8], &'a [u8]), ParseError> {
    let name = trim(cursor.take(open));
    cursor.skip(1);
    let Some(length) = memchr::memchr(b'>', cursor.rest()) else {
        return Err(cursor.error("a closing angle bracket"));
    };
    let uri = trim(cursor.take(length));
    cursor.skip(1);
    Ok((name, uri))
}

fn bracketed(part: &'static str, mut cursor: Cursor<'_>, open: usize) -> Result<NameAddr, ParseError> {
    let (name, uri) = inside(&mut cursor, open)?;
    let display = (!name.is_empty()).then(|| cursor.own(name));
    let uri = Uri::parse_as(part, cursor.own(uri))?;
    let params = Params::read(&mut cursor)?;
    Ok(NameAddr { display, uri, params })
}

fn bare_uri<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], ParseError> {
    let raw = cursor.take_while("a URI", |byte| !matches!(byte, b';' | b'?' | b',') && !is_blank(byte))?;
    match cursor.peek() {
        Some(b'?' | b',') => Err(cursor.error("angle brackets around a URI with ? or ,")),
        _ => Ok(raw),
    }
}

fn bare(part: &'static str, mut cursor: Cursor<'_>) -> Result<NameAddr, ParseError> {
    let raw = bare_uri(&mut cursor)?;
    let uri = Uri::parse_as(part, cursor.own(raw))?;
    let params = Params::read(&mut cursor)?;
    Ok(NameAddr { display: None, uri, params })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<NameAddr, ParseError> {
        NameAddr::parse(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn without_brackets_the_parameters_are_the_headers() {
        let bare = parse("sip:a@b.test;tag=1").unwrap();
        assert_eq!((bare.uri.as_bytes().as_ref(), bare.tag()), (&b"sip:a@b.test"[..], Some(&b"1"[..])));
        let bracketed = parse("<sip:a@b.test;tag=1>").unwrap();
        assert_eq!((bracketed.uri.param("tag"), bracketed.tag()), (Some(&b"1"[..]), None));
    }

    #[test]
    fn a_display_name_may_hold_what_else_separates() {
        let quoted = parse(r#""J. \"<sip:x@y>\", R" <sip:a@b.test> ; tag = 9"#).unwrap();
        assert_eq!(&*quoted.display_name().unwrap(), br#"J. "<sip:x@y>", R"#);
        assert_eq!((quoted.uri.host(), quoted.tag()), (&b"b.test"[..], Some(&b"9"[..])));
        assert_eq!(&*parse("caller<sip:a@b>").unwrap().display_name().unwrap(), b"caller");
        assert_eq!(parse("<sip:a@b>").unwrap().display, None);
    }

    #[test]
    fn the_tag_is_found_alone_where_it_is_found_with_the_rest() {
        for text in [
            "sip:a@b.test;tag=1",
            "<sip:a@b.test;tag=1>",
            r#""x;tag=2>" <sip:a@b;tag=3> ; Tag = 9;x"#,
            "<sip:a@b>;tag=",
            "<sip:a@b>;tag=1;;",
            "sip:a@b?x;tag=1",
            "<sip:a@b",
            "",
        ] {
            let alone = NameAddr::tag_in("To", &Bytes::from_static(text.as_bytes())).ok().flatten();
            assert_eq!(alone, parse(text).ok().and_then(|whole| whole.tag_bytes()), "{text}");
        }
    }

    #[test]
    fn open_quotes_open_brackets_and_bare_headers_are_faults() {
        for bad in
            [r#""Mr. J <sip:j@u>"#, "<sip:a@b", "sip:a@b?Route=x", "", "<>", r#""a" sip:a@b"#, "<sip:a@b> x"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
