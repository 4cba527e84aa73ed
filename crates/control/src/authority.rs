//! The server's own certificate authority: signs the server's, the agents' and the engines'
//! certificates. Its key is sealed in the store.
//!
//! Another authority takes its place when somebody asks for it (`rotation`): both are trusted until
//! every node has a certificate of the new one.
//!
//! An agent is who the key of its certificate says, as looked up in the store: forgetting a node
//! ends its access with its next connection. Certificates are renewed for the same key by agents
//! who ask for it in time; an agent whose certificate has ended is still known by its key.

mod known;
pub mod rotation;

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
use rustls::pki_types::pem::PemObject as _;
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
    #[error("the store has no settings of the server any more")]
    Gone,
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS could not be set up: {0}")]
    Tls(String),
    #[error("`{0}` is not the base64 of an ECDSA P-256 public key")]
    PublicKey(&'static str),
}

/// Signs certificates, by whichever authority signs now.
pub struct Authority {
    /// Names this server for ever; machines and networks carry it as their owner.
    pub instance: String,
    store: Store,
    /// How long what it signs is good for.
    life: Duration,
    /// As the settings of that revision say.
    current: Mutex<(u64, Arc<Signing>)>,
}

/// Who signs, and who is trusted, between two changes of that.
struct Signing {
    issue: u64,
    /// PEM, the one that signs first.
    trusted: String,
    issuer: Issuer<'static, KeyPair>,
    /// One TLS configuration for each address that clients dial, for the name in its certificate,
    /// and when it was made.
    configs: Mutex<HashMap<IpAddr, (Arc<ServerConfig>, Instant)>>,
}

impl Signing {
    fn of(store: &Store, settings: &ServerSettings) -> Result<Self, Error> {
        let key = store.unseal(KEY_CONTEXT, &settings.authority_key)?;
        let key = KeyPair::from_pkcs8_der_and_sign_algo(
            &PrivatePkcs8KeyDer::from(key),
            &PKCS_ECDSA_P256_SHA256,
        )?;
        let params = authority_params(&settings.instance, settings.authority_number);
        Ok(Self {
            issue: settings.issue,
            trusted: settings.trusted(),
            issuer: Issuer::new(params, key),
            configs: Mutex::default(),
        })
    }

    fn server_config(&self, address: IpAddr, life: Duration) -> Result<Arc<ServerConfig>, Error> {
        let mut configs = self.configs.lock().expect("nothing panics while it is held");
        if let Some((config, made_at)) = configs.get(&address)
            && made_at.elapsed() < life / 3
        {
            return Ok(config.clone());
        }
        let config = Arc::new(self.make_server_config(address, life)?);
        configs.insert(address, (config.clone(), Instant::now()));
        Ok(config)
    }

    fn make_server_config(&self, address: IpAddr, life: Duration) -> Result<ServerConfig, Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let names = vec!["localhost".into(), "bellwether".into(), address.to_string()];
        let params = leaf_params(names, "bellwether", life)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let tls = |error: &dyn std::fmt::Display| Error::Tls(error.to_string());
        let mut roots = rustls::RootCertStore::empty();
        for trusted in CertificateDer::pem_slice_iter(self.trusted.as_bytes()) {
            let trusted = trusted.map_err(|_| tls(&"an authority is not PEM"))?;
            roots.add(trusted).map_err(|e| tls(&e))?;
        }
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
        if ServerSettings::of(store).is_none() {
            let instance = bellwether_model::ClusterId::generate().to_string();
            let (certificate, key) = make(&instance, 0)?;
            let settings = ServerSettings {
                authority_certificate: certificate,
                authority_key: store.seal(KEY_CONTEXT, &key),
                instance,
                authority_number: 0,
                issue: 0,
                rotation: None,
            };
            store.commit(Txn::new().insert(&settings)).await?;
        }
        let settings = ServerSettings::of(store).ok_or(Error::Gone)?;
        let signing = Signing::of(store, &settings.object)?;
        Ok(Self {
            instance: settings.object.instance,
            store: store.clone(),
            life: LIFE,
            current: Mutex::new((settings.revision, Arc::new(signing))),
        })
    }

    /// What it signs is good for so long.
    #[must_use]
    pub fn with_life(self, life: Duration) -> Self {
        Self { life, ..self }
    }

    fn signing(&self) -> Result<Arc<Signing>, Error> {
        let settings = ServerSettings::of(&self.store).ok_or(Error::Gone)?;
        let mut current = self.current.lock().expect("nothing panics while it is held");
        if current.0 != settings.revision {
            *current = (settings.revision, Arc::new(Signing::of(&self.store, &settings.object)?));
        }
        Ok(current.1.clone())
    }

    /// Everybody who is trusted, PEM, the one that signs first.
    ///
    /// # Errors
    /// When the store does not give it.
    pub fn trusted(&self) -> Result<String, Error> {
        Ok(self.signing()?.trusted.clone())
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
        let signing = self.signing()?;
        let mut agent = leaf_params(vec![], node, self.life)?;
        agent.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let name = names.first().cloned().unwrap_or_default();
        let mut engine = leaf_params(names, &name, self.life)?;
        // Engines of a sharded cluster dial each other and show who they are.
        engine.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        Ok(Certificates {
            ca_certificate: signing.trusted.clone(),
            agent_certificate: agent.signed_by(&agent_key, &signing.issuer)?.pem(),
            engine_certificate: engine.signed_by(&engine_key, &signing.issuer)?.pem(),
            good_for_seconds: self.life.as_secs(),
            issue: signing.issue,
        })
    }

    /// TLS for a connection that came in on this address: its certificate names the address.
    /// Clients may show a certificate of an authority that is trusted; who shows none is a person
    /// or a joining agent.
    ///
    /// # Errors
    /// When a certificate cannot be made.
    pub fn server_config(&self, address: IpAddr) -> Result<Arc<ServerConfig>, Error> {
        self.signing()?.server_config(address, self.life)
    }
}

/// A new authority: its certificate, PEM, and its key, PKCS #8. It is told from those before it by
/// its name, too, for whoever looks for the signer of a certificate by that.
fn make(instance: &str, number: u64) -> Result<(String, Vec<u8>), Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = authority_params(instance, number).self_signed(&key)?.pem();
    Ok((certificate, key.serialize_der()))
}

fn leaf_params(
    names: Vec<String>,
    common_name: &str,
    life: Duration,
) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = named(common_name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    // Back-dated, so that a node whose clock is behind still accepts it.
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = seconds_from_now(life)?;
    Ok(params)
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

fn authority_params(instance: &str, number: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    let suffix = if number == 0 { String::new() } else { format!(" {number}") };
    params.distinguished_name = named(&format!("Bellwether {instance}{suffix}"));
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

#[cfg(test)]
mod tests;
