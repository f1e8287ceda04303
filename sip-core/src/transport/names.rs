//! Names in a certificate, and the names we want to find there (RFC 6125 §6.4, RFC 5922 §7).

/// Whether a certificate with these DNS names is one of `wanted`.
///
/// Names are compared without regard to case. `*` stands for one whole first label: RFC 5922 §7.2 forbids it in SIP,
/// and Teams, as most SBCs, uses it all the same.
pub fn carries_name(names: &[String], wanted: &str) -> bool {
    names.iter().any(|name| covers(name, wanted))
}

fn covers(name: &str, wanted: &str) -> bool {
    let (name, wanted) = (bare(name), bare(wanted));
    match name.strip_prefix("*.") {
        Some(domain) => wanted.split_once('.').is_some_and(|(first, rest)| {
            !first.is_empty() && domain.contains('.') && rest.eq_ignore_ascii_case(domain)
        }),
        None => !name.is_empty() && name.eq_ignore_ascii_case(wanted),
    }
}

/// Without the dot of the root.
fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_one_label_and_case_does_not_count() {
        let has = |name: &str, wanted: &str| carries_name(&[name.to_owned()], wanted);
        assert!(has("sip.pstnhub.microsoft.com", "SIP.pstnhub.microsoft.com."));
        assert!(has("*.pstnhub.microsoft.com", "sip2.pstnhub.microsoft.com"));
        assert!(!has("*.pstnhub.microsoft.com", "a.sip.pstnhub.microsoft.com"));
        assert!(!has("*.pstnhub.microsoft.com", "pstnhub.microsoft.com"));
        assert!(!has("*.pstnhub.microsoft.com", ".pstnhub.microsoft.com"));
        assert!(!has("*.com", "microsoft.com"), "a whole top-level domain is nobody's");
        assert!(!has("s*.example.com", "sip.example.com"));
        assert!(!has("", "") && !carries_name(&[], "a"));
    }
}
