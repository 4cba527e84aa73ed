use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier as _;

use super::*;

async fn authority() -> (tempfile::TempDir, Authority) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let directory = tempfile::tempdir().expect("a directory");
    let options = bellwether_store::Options { directory: directory.path().to_owned() };
    let store = Store::open(options).expect("a store");
    let authority = Authority::open(&store).await.expect("an authority");
    (directory, authority)
}

fn key() -> String {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    BASE64.encode(key.der_bytes())
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
}

fn roots(authority: &Authority) -> Arc<rustls::RootCertStore> {
    let mut roots = rustls::RootCertStore::empty();
    for trusted in CertificateDer::pem_slice_iter(authority.trusted().expect("read").as_bytes()) {
        roots.add(trusted.expect("a certificate")).expect("added");
    }
    Arc::new(roots)
}

fn from_now(seconds: u64) -> UnixTime {
    let now = UnixTime::now().as_secs();
    UnixTime::since_unix_epoch(Duration::from_secs(now + seconds))
}

#[tokio::test]
async fn who_an_agent_is_stays_the_same_when_its_certificate_is_renewed() {
    let (_directory, authority) = authority().await;
    let (agent, engine) = (key(), key());
    let certify = || authority.certify("n", (&agent, &engine), vec!["demo-1".into()]);
    let (first, second) = (certify().expect("signed"), certify().expect("signed"));
    assert_ne!(first.agent_certificate, second.agent_certificate);
    let known = key_fingerprint(&agent);
    assert!(known.is_some());
    assert_eq!(fingerprint(&der(&first.agent_certificate)), known);
    assert_eq!(fingerprint(&der(&second.agent_certificate)), known);
    assert_ne!(key_fingerprint(&engine), known);
    assert_eq!(key_fingerprint("no key"), None);
    let refused = authority.certify("n", (&agent, "no key"), vec![]).err().expect("refused");
    assert!(refused.to_string().contains("`engine_key`"), "{refused}");
}

#[tokio::test]
async fn an_agent_is_known_after_its_certificate_has_ended_and_an_engine_is_not() {
    let (_directory, authority) = authority().await;
    let authority = authority.with_life(Duration::from_secs(100));
    let (agent, engine) = (key(), key());
    let given = authority.certify("n", (&agent, &engine), vec!["demo-1".into()]).expect("signed");
    assert_eq!(given.good_for_seconds, 100);
    let (agent, engine) = (der(&given.agent_certificate), der(&given.engine_certificate));

    let usual = WebPkiClientVerifier::builder(roots(&authority)).build().expect("a verifier");
    assert!(usual.verify_client_cert(&agent, &[], from_now(90)).is_ok());
    assert!(usual.verify_client_cert(&agent, &[], from_now(110)).is_err());
    let ours = known::ByKey(usual);
    assert!(ours.verify_client_cert(&agent, &[], from_now(110)).is_ok());

    let clients = rustls::client::WebPkiServerVerifier::builder(roots(&authority));
    let clients = clients.build().expect("a verifier");
    let name = ServerName::try_from("demo-1").expect("a name");
    let verify = |at| clients.verify_server_cert(&engine, &[], &name, &[], at);
    assert!(verify(from_now(90)).is_ok());
    assert!(verify(from_now(110)).is_err());
}

#[tokio::test]
async fn whom_another_authority_vouches_for_is_not_let_in() {
    let (_directory, ours) = authority().await;
    let (_other_directory, theirs) = authority().await;
    let given = theirs.certify("n", (&key(), &key()), vec![]).expect("signed");
    let verifier = WebPkiClientVerifier::builder(roots(&ours)).build().expect("a verifier");
    let verifier = known::ByKey(verifier);
    let shown = der(&given.agent_certificate);
    assert!(verifier.verify_client_cert(&shown, &[], from_now(0)).is_err());
}

#[tokio::test]
async fn who_trusts_both_authorities_believes_either_while_one_takes_the_place_of_the_other() {
    let (_directory, authority) = authority().await;
    let (agent, engine) = (key(), key());
    let certify = || authority.certify("n", (&agent, &engine), vec!["demo-1".into()]);
    let name = ServerName::try_from("demo-1").expect("a name");
    let believes = |roots: &Arc<rustls::RootCertStore>, given: &Certificates| {
        let verifier = rustls::client::WebPkiServerVerifier::builder(roots.clone());
        let (shown, now) = (der(&given.engine_certificate), from_now(0));
        let verifier = verifier.build().expect("a verifier");
        verifier.verify_server_cert(&shown, &[], &name, &[], now).is_ok()
    };
    let change = async |change: &dyn Fn(&mut ServerSettings)| {
        let mut settings = ServerSettings::of(&authority.store).expect("there");
        change(&mut settings.object);
        authority.store.commit(Txn::new().update(&settings)).await.expect("saved");
    };
    let (first, former) = (certify().expect("signed"), roots(&authority));
    let (certificate, key) = make(&authority.instance, 1).expect("made");
    let key = authority.store.seal(KEY_CONTEXT, &key);
    change(&|settings| settings.introduce(1, certificate.clone(), key.clone())).await;
    let (second, both) = (certify().expect("signed"), roots(&authority));
    assert_eq!((first.issue, second.issue), (0, 1));
    assert!(believes(&former, &second) && believes(&both, &first) && believes(&both, &second));

    change(&|settings| assert!(settings.change_over())).await;
    let third = certify().expect("signed");
    assert!(believes(&both, &third) && !believes(&former, &third));
    assert!(third.ca_certificate.starts_with(&certificate), "the one that signs is first");

    change(&ServerSettings::end_rotation).await;
    let (fourth, new) = (certify().expect("signed"), roots(&authority));
    assert_eq!((fourth.issue, fourth.ca_certificate.as_str()), (3, certificate.as_str()));
    assert!(believes(&new, &third) && believes(&new, &fourth) && !believes(&new, &second));
    let address = IpAddr::from([127, 0, 0, 1]);
    assert!(authority.server_config(address).is_ok());
}
