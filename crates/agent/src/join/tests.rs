use std::os::unix::fs::PermissionsExt as _;

use tokio_rustls::server::TlsStream as ServerStream;

use super::*;
use crate::testing::TestServer;

fn paths(server: &TestServer, directory: &Path) -> Paths {
    let paths = Paths::below(directory);
    let config = AgentConfig {
        servers: vec![server.url.clone()],
        ca_certificate: server.ca_certificate.clone(),
        token: "secret".into(),
    };
    files::write_json(&paths.config, &config).expect("written");
    paths
}

async fn read_request(stream: &mut ServerStream<TcpStream>) -> JoinRequest {
    let mut text = Vec::new();
    loop {
        let mut part = [0; 4096];
        let length = stream.read(&mut part).await.expect("more of the request");
        text.extend(&part[..length]);
        let text = String::from_utf8_lossy(&text);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(request) = serde_json::from_str(body)
        {
            assert!(head.starts_with("POST /v1/agents/join HTTP/1.1\r\n"), "{head}");
            return request;
        }
    }
}

async fn answer(stream: &mut ServerStream<TcpStream>, status: &str, body: &str) {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.expect("sent");
    let _ = stream.shutdown().await;
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_again_with_the_same_keys() {
    let server = TestServer::start().await;
    let directory = tempfile::tempdir().expect("a directory");
    let paths = paths(&server, directory.path());
    let joining = until_joined(&paths);
    let serving = async {
        let mut stream = server.accept().await.expect("a client");
        let first = read_request(&mut stream).await;
        drop(stream);
        let mut stream = server.accept().await.expect("a client");
        let second = read_request(&mut stream).await;
        assert_eq!(first.token, "secret");
        assert_eq!((first.agent_key, first.engine_key), (second.agent_key, second.engine_key));
        let given = JoinAnswer {
            cluster: "c".into(),
            node: "n".into(),
            node_name: "demo-1".into(),
            certificates: Certificates {
                ca_certificate: server.ca_certificate.clone(),
                agent_certificate: "agent".into(),
                engine_certificate: "engine".into(),
                good_for_seconds: 900,
                issue: 0,
            },
        };
        answer(&mut stream, "200 OK", &serde_json::to_string(&given).expect("plain data")).await;
    };
    tokio::join!(joining, serving);
    let known = identity(&paths).expect("readable").expect("joined");
    assert_eq!((known.node, known.node_name.as_str()), ("n".into(), "demo-1"));
    for (name, mode) in [("engine.key", 0o600), ("identity.json", 0o600), ("ca.pem", 0o644)] {
        let metadata = std::fs::metadata(paths.identity.join(name)).expect(name);
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
    }
    // Who has joined does not ask again.
    until_joined(&paths).await;
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words() {
    let server = TestServer::start().await;
    let directory = tempfile::tempdir().expect("a directory");
    let paths = paths(&server, directory.path());
    let (result, ()) = tokio::join!(join(&paths), async {
        let mut stream = server.accept().await.expect("a client");
        read_request(&mut stream).await;
        answer(&mut stream, "401 Unauthorized", r#"{"detail":"the join token has expired"}"#).await;
    });
    let error = result.expect_err("refused");
    assert!(error.downcast_ref::<Refused>().is_some());
    assert!(format!("{error:#}").contains("the join token has expired"), "{error:#}");
    assert!(identity(&paths).expect("readable").is_none());
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_spoken_with() {
    let (server, other) = (TestServer::start().await, TestServer::start().await);
    let dialled = dial(&server.url, &other.ca_certificate, None);
    let (dialled, accepted) = tokio::join!(dialled, server.accept());
    assert!(dialled.is_err() && accepted.is_err());
}
