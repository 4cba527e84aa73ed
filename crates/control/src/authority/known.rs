//! Clients of the server that are known by their key, whatever the calendar says.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

/// The authority has to have signed what a client shows, and the client has to have its key. When
/// it ends does not matter: an agent that could not reach the server for long, or whose clock or
/// ours is wrong, must not be locked out of the very place where certificates are renewed. Whether
/// the key is still let in is looked up.
#[derive(Debug)]
pub(super) struct ByKey(pub(super) Arc<dyn ClientCertVerifier>);

/// A moment in which whatever the authority signed is good: its certificates begin in January 2020.
const WHENEVER: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_600_000_000));

impl ClientCertVerifier for ByKey {
    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.0.verify_client_cert(end_entity, intermediates, WHENEVER)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
