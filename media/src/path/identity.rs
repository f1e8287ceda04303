//! Our certificate for DTLS: one for the process, signed by itself, believed by its fingerprint (RFC 5763 §5).

use std::fmt;
use std::sync::Arc;

use rtc_crypto::RTCCryptoProvider;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;

use crate::fingerprint::{Fingerprint, HashFunction};

/// The name in the certificate, and whom we ask for as a client: nobody reads either.
const NAME: &str = "fernamt.invalid";

/// A key (ECDSA by P-256, which RFC 8827 §6.5 asks for) with its certificate. Equal are those with the same certificate.
#[derive(Clone)]
pub struct Identity {
    certificate: Certificate,
    provider: Arc<dyn RTCCryptoProvider>,
    fingerprint: Fingerprint,
}

/// No key could be made: the system has no randomness.
#[derive(Debug, thiserror::Error)]
#[error("no key and certificate for DTLS can be made: {0}")]
pub struct IdentityError(String);

impl Identity {
    /// A new one, with randomness of the system's.
    ///
    /// # Errors
    /// There is no randomness to be had.
    pub fn generate() -> Result<Identity, IdentityError> {
        let provider = rtc_crypto::default_provider().map_err(|error| IdentityError(error.to_string()))?;
        let certificate = Certificate::generate_self_signed([NAME.to_owned()], provider.crypto())
            .map_err(|error| IdentityError(error.to_string()))?;
        let der = certificate.certificate.first().map(|der| der.as_ref()).unwrap_or_default();
        let fingerprint = Fingerprint::of(HashFunction::Sha256, der);
        Ok(Identity { certificate, provider, fingerprint })
    }

    /// What stands in our descriptions.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    pub(super) fn provider(&self) -> &dyn RTCCryptoProvider {
        &*self.provider
    }

    /// For one handshake, in which the peer must show a certificate with one of these fingerprints.
    pub(super) fn config(
        &self,
        active: bool,
        theirs: Vec<Fingerprint>,
    ) -> Result<Arc<HandshakeConfig>, rtc_shared::error::Error> {
        let is_theirs = move |certificates: &[Vec<u8>]| {
            certificates.first().is_some_and(|leaf| Fingerprint::any_is_of(&theirs, leaf))
        };
        let config = ConfigBuilder::default()
            .with_crypto_provider(Arc::clone(&self.provider))
            .with_certificates(vec![self.certificate.clone()])
            .with_srtp_protection_profiles(vec![
                SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
                SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
                SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
            ])
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            // By no authority, but by the fingerprint.
            .with_insecure_skip_verify(true)
            .with_verify_peer_certificate(Some(Arc::new(move |certificates: &[Vec<u8>], _: &[_]| {
                match is_theirs(certificates) {
                    true => Ok(()),
                    false => Err(rtc_shared::error::Error::Other("another certificate".to_owned())),
                }
            })))
            .with_server_name(NAME.to_owned());
        config.build(active, None).map(Arc::new)
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Identity) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Identity {}

impl fmt::Debug for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Identity({})", self.fingerprint)
    }
}
