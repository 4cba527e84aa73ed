//! The server's own certificate authority: signs the server's, the agents' and the engines'
//! certificates. Its key is sealed in the store.
//!
//! An agent is who the key of its certificate says, as looked up in the store: forgetting a node
//! ends its access with its next connection. Certificates are renewed for the same key by agents
//! who ask for it in time; an agent whose certificate has ended is still known by its key.

mod known;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bellwether_protocol::join::Certificates;
use bellwether_store::settings::ServerSettings;
use bellwether_store::{Store, Txn};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};

/// How long a certificate is good for, where nobody says otherwise. What a stolen engine's key is
/// good for ends then, and a server may be away for months before anything does.
pub const LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Years the authority itself is good for.
const AUTHORITY_YEARS: i32 = 25;

/// The purpose the authority's key is sealed for.
const KEY_CONTEXT: &str = "authority-key";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the store did not give the authority: {0}")]
    Store(#[from] bellwether_store::Error),
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS could not be set up: {0}")]
    Tls(String),
    #[error("`{0}` is not the base64 of an ECDSA P-256 public key")]
    PublicKey(&'static str),
}

/// Signs certificates.
pub struct Authority {
    /// Names this server for ever; machines and networks carry it as their owner.
    pub instance: String,
    /// The authority's own certificate, PEM.
    pub certificate: String,
    issuer: Issuer<'static, KeyPair>,
    /// How long what it signs is good for.
    life: Duration,
    /// One TLS configuration for each address that clients dial, for the name in its certificate,
    /// and when it was made.
    configs: Mutex<HashMap<IpAddr, (Arc<ServerConfig>, Instant)>>,
}

/// A public key as it came over the wire.
struct RawKey(Vec<u8>);

impl PublicKeyData for RawKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl Authority {
    /// Loads the authority, or makes it at the first start.
    ///
    /// # Errors
    /// When the store cannot give or keep it.
    pub async fn open(store: &Store) -> Result<Self, Error> {
        if let Some(settings) = store.find::<ServerSettings>(ServerSettings::KEY) {
            let key = store.unseal(KEY_CONTEXT, &settings.object.authority_key)?;
            let key = KeyPair::from_pkcs8_der_and_sign_algo(
                &PrivatePkcs8KeyDer::from(key),
                &PKCS_ECDSA_P256_SHA256,
            )?;
            let settings = settings.object;
            return Ok(Self::new(settings.instance, settings.authority_certificate, key));
        }
        let instance = bellwether_model::ClusterId::generate().to_string();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = authority_params(&instance).self_signed(&key)?.pem();
        let settings = ServerSettings {
            instance: instance.clone(),
            authority_certificate: certificate.clone(),
            authority_key: store.seal(KEY_CONTEXT, &key.serialize_der()),
        };
        store.commit(Txn::new().insert(&settings)).await?;
        Ok(Self::new(instance, certificate, key))
    }

    fn new(instance: String, certificate: String, key: KeyPair) -> Self {
        let issuer = Issuer::new(authority_params(&instance), key);
        Self { instance, certificate, issuer, life: LIFE, configs: Mutex::default() }
    }

    /// What it signs is good for so long.
    #[must_use]
    pub fn with_life(self, life: Duration) -> Self {
        Self { life, ..self }
    }

    /// What a node holds of it: for its agent, to dial the server with, and for its engine, with
    /// the names and addresses that clients and replicas dial.
    ///
    /// # Errors
    /// When a public key is not one.
    pub fn certify(
        &self,
        node: &str,
        (agent_key, engine_key): (&str, &str),
        names: Vec<String>,
    ) -> Result<Certificates, Error> {
        let agent_key = RawKey(decode_key(agent_key, "agent_key")?);
        let engine_key = RawKey(decode_key(engine_key, "engine_key")?);
        let mut agent = self.leaf_params(vec![], node)?;
        agent.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let name = names.first().cloned().unwrap_or_default();
        let mut engine = self.leaf_params(names, &name)?;
        // Engines of a sharded cluster dial each other and show who they are.
        engine.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        Ok(Certificates {
            ca_certificate: self.certificate.clone(),
            agent_certificate: agent.signed_by(&agent_key, &self.issuer)?.pem(),
            engine_certificate: engine.signed_by(&engine_key, &self.issuer)?.pem(),
            good_for_seconds: self.life.as_secs(),
        })
    }

    /// TLS for a connection that came in on this address: its certificate names the address.
    /// Clients may show a certificate of this authority; who shows none is a person or a joining
    /// agent.
    ///
    /// # Errors
    /// When a certificate cannot be made.
    pub fn server_config(&self, address: IpAddr) -> Result<Arc<ServerConfig>, Error> {
        let mut configs = self.configs.lock().expect("nothing panics while it is held");
        if let Some((config, made_at)) = configs.get(&address)
            && made_at.elapsed() < self.life / 3
        {
            return Ok(config.clone());
        }
        let config = Arc::new(self.make_server_config(address)?);
        configs.insert(address, (config.clone(), Instant::now()));
        Ok(config)
    }

    fn make_server_config(&self, address: IpAddr) -> Result<ServerConfig, Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let names = vec!["localhost".into(), "bellwether".into(), address.to_string()];
        let params = self.leaf_params(names, "bellwether")?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let tls = |error: &dyn std::fmt::Display| Error::Tls(error.to_string());
        let mut roots = rustls::RootCertStore::empty();
        let pem = pem_to_der(&self.certificate).ok_or_else(|| tls(&"the authority is not PEM"))?;
        roots.add(CertificateDer::from(pem)).map_err(|e| tls(&e))?;
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
            .allow_unauthenticated()
            .build()
            .map_err(|e| tls(&e))?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder()
            .with_client_cert_verifier(Arc::new(known::ByKey(verifier)))
            .with_single_cert(vec![certificate.der().clone()], key)
            .map_err(|e| tls(&e))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn leaf_params(
        &self,
        names: Vec<String>,
        common_name: &str,
    ) -> Result<CertificateParams, Error> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = named(common_name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        // Back-dated, so that a node whose clock is behind still accepts it.
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = seconds_from_now(self.life)?;
        Ok(params)
    }
}

/// SHA-256 of the public key of a certificate, hexadecimal: who it speaks for is looked up by it.
/// None when that is no certificate.
#[must_use]
pub fn fingerprint(certificate: &CertificateDer<'_>) -> Option<String> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    Some(hash(&parsed.subject_public_key_info()))
}

/// The fingerprint that certificates of this public key have; none where it is not one.
#[must_use]
pub fn key_fingerprint(public_key: &str) -> Option<String> {
    let key = RawKey(decode_key(public_key, "agent_key").ok()?);
    Some(hash(&key.subject_public_key_info()))
}

fn hash(der: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn authority_params(instance: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("Bellwether {instance}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(2020, 1, 1), years_from_now(AUTHORITY_YEARS));
    params
}

fn seconds_from_now(life: Duration) -> Result<time::OffsetDateTime, Error> {
    let now = time::OffsetDateTime::from_unix_timestamp(jiff::Timestamp::now().as_second());
    Ok(now.map_err(|_| rcgen::Error::Time)? + life)
}

fn years_from_now(years: i32) -> time::OffsetDateTime {
    let year = i32::from(jiff::Zoned::now().year());
    rcgen::date_time_ymd(year + years, 1, 1)
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn decode_key(text: &str, field: &'static str) -> Result<Vec<u8>, Error> {
    // An uncompressed point: 0x04, then two coordinates of 32 bytes.
    BASE64
        .decode(text)
        .ok()
        .filter(|key| key.len() == 65 && key[0] == 4)
        .ok_or(Error::PublicKey(field))
}

fn pem_to_der(pem: &str) -> Option<Vec<u8>> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    BASE64.decode(body).ok()
}

#[cfg(test)]
mod tests;
