//! Fingerprints of certificates: RFC 8122 §5.

use std::fmt;

use aws_lc_rs::digest::{self, Algorithm, SHA256, SHA384, SHA512};

/// The hash of a certificate, as it stands in `a=fingerprint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    function: HashFunction,
    hash: Vec<u8>,
}

/// What a certificate is hashed with; the later the stronger. SHA-1 and what is older are not believed (§5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HashFunction {
    /// Which everybody knows, and which we write.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashFunction {
    const ALL: [HashFunction; 3] = [HashFunction::Sha256, HashFunction::Sha384, HashFunction::Sha512];

    fn name(self) -> &'static str {
        match self {
            HashFunction::Sha256 => "sha-256",
            HashFunction::Sha384 => "sha-384",
            HashFunction::Sha512 => "sha-512",
        }
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            HashFunction::Sha256 => &SHA256,
            HashFunction::Sha384 => &SHA384,
            HashFunction::Sha512 => &SHA512,
        }
    }
}

impl Fingerprint {
    /// That of a certificate in DER.
    #[must_use]
    pub fn of(function: HashFunction, certificate: &[u8]) -> Fingerprint {
        let hash = digest::digest(function.algorithm(), certificate).as_ref().to_vec();
        Fingerprint { function, hash }
    }

    /// Reads `sha-256 4A:AD:B9:…`. `None`: of a function that is not believed, or malformed.
    #[must_use]
    pub fn read(value: &str) -> Option<Fingerprint> {
        let (name, text) = value.split_once(' ')?;
        let function = HashFunction::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(name))?;
        let byte = |pair: &str| u8::from_str_radix(pair, 16).ok().filter(|_| pair.len() == 2);
        let hash = text.trim().split(':').map(byte).collect::<Option<Vec<u8>>>()?;
        (hash.len() == function.algorithm().output_len()).then_some(Fingerprint { function, hash })
    }

    /// Whether the certificate is one of those that are named. Of several functions only the strongest counts (§5).
    #[must_use]
    pub fn any_is_of(fingerprints: &[Fingerprint], certificate: &[u8]) -> bool {
        let Some(function) = fingerprints.iter().map(|known| known.function).max() else { return false };
        fingerprints.contains(&Fingerprint::of(function, certificate))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ", self.function.name())?;
        for (n, byte) in self.hash.iter().enumerate() {
            write!(out, "{}{byte:02X}", if n == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_whatever_its_case() {
        for function in HashFunction::ALL {
            let written = Fingerprint::of(function, b"certificate");
            assert_eq!(Fingerprint::read(&written.to_string()), Some(written.clone()));
            assert_eq!(Fingerprint::read(&written.to_string().to_lowercase()), Some(written));
        }
    }

    #[test]
    fn what_is_weak_short_or_no_fingerprint_is_not_believed() {
        let right = Fingerprint::of(HashFunction::Sha256, b"certificate").to_string();
        let sha1 = "sha-1 ".to_owned() + &["AB"; 20].join(":");
        let long = right.clone() + ":00";
        for text in
            ["", "sha-256", "sha-256 ", &sha1, &right[..right.len() - 3], &long, &right.replace(':', "")]
        {
            assert_eq!(Fingerprint::read(text), None, "{text}");
        }
    }

    #[test]
    fn of_several_functions_only_the_strongest_counts() {
        let of = |function, certificate: &[u8]| Fingerprint::of(function, certificate);
        let (weak, strong) = (of(HashFunction::Sha256, b"mine"), of(HashFunction::Sha512, b"other"));
        assert!(Fingerprint::any_is_of(std::slice::from_ref(&weak), b"mine"));
        assert!(!Fingerprint::any_is_of(&[weak.clone(), strong.clone()], b"mine"));
        assert!(Fingerprint::any_is_of(&[weak, strong, of(HashFunction::Sha512, b"mine")], b"mine"));
        assert!(!Fingerprint::any_is_of(&[], b"mine"));
    }
}
