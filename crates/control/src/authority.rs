//! The server's own certificate authority: signs the server's, the agents' and the engines'
//! certificates. Its key is sealed in the store.
//!
//! An agent is who its certificate's fingerprint says, as looked up in the store: forgetting a node
//! ends its access with its next connection.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bellwether_store::settings::ServerSettings;
use bellwether_store::{Store, Txn};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;

/// Years a certificate is good for.
const YEARS: i32 = 10;

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
    /// One TLS configuration for each address that clients dial, for the name in its certificate.
    configs: Mutex<HashMap<IpAddr, Arc<ServerConfig>>>,
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
        Self { instance, certificate, issuer, configs: Mutex::default() }
    }

    /// A certificate for an agent to dial the server with: PEM and fingerprint.
    ///
    /// # Errors
    /// When the public key is not one.
    pub fn sign_agent(&self, public_key: &str, node: &str) -> Result<(String, String), Error> {
        let key = RawKey(decode_key(public_key, "agent_key")?);
        let mut params = leaf_params(vec![], node)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), fingerprint(certificate.der())))
    }

    /// A certificate for an engine, with the names and addresses clients and replicas dial: PEM.
    ///
    /// # Errors
    /// When the public key is not one.
    pub fn sign_engine(&self, public_key: &str, names: Vec<String>) -> Result<String, Error> {
        let key = RawKey(decode_key(public_key, "engine_key")?);
        let name = names.first().cloned().unwrap_or_default();
        let mut params = leaf_params(names, &name)?;
        // Engines of a sharded cluster dial each other and show who they are.
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        Ok(params.signed_by(&key, &self.issuer)?.pem())
    }

    /// TLS for a connection that came in on this address: its certificate names the address.
    /// Clients may show a certificate of this authority; who shows none is a person or a joining
    /// agent.
    ///
    /// # Errors
    /// When a certificate cannot be made.
    pub fn server_config(&self, address: IpAddr) -> Result<Arc<ServerConfig>, Error> {
        let mut configs = self.configs.lock().expect("nothing panics while it is held");
        if let Some(config) = configs.get(&address) {
            return Ok(config.clone());
        }
        let config = Arc::new(self.make_server_config(address)?);
        configs.insert(address, config.clone());
        Ok(config)
    }

    fn make_server_config(&self, address: IpAddr) -> Result<ServerConfig, Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let names = vec!["localhost".into(), "bellwether".into(), address.to_string()];
        let certificate = leaf_params(names, "bellwether")?.signed_by(&key, &self.issuer)?;
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
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.der().clone()], key)
            .map_err(|e| tls(&e))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// SHA-256 of a certificate, hexadecimal: who it speaks for is looked up by it.
#[must_use]
pub fn fingerprint(der: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn authority_params(instance: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("Bellwether {instance}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), years_from_now(25));
    params
}

fn leaf_params(names: Vec<String>, common_name: &str) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = named(common_name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    // Back-dated, so that a node whose clock is behind still accepts it.
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(2020, 1, 1), years_from_now(YEARS));
    Ok(params)
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
