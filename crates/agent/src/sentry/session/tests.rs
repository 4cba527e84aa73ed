use futures_util::stream::{SplitSink, SplitStream};
use tokio_rustls::server::TlsStream as ServerStream;
use tokio_tungstenite::WebSocketStream;

use super::*;
use crate::testing::TestServer;

type ServerSocket = WebSocketStream<ServerStream<tokio::net::TcpStream>>;

async fn accept(
    server: &TestServer,
) -> (SplitSink<ServerSocket, Message>, SplitStream<ServerSocket>) {
    let stream = server.accept().await.expect("a client");
    let certificates = stream.get_ref().1.peer_certificates().map(<[_]>::len);
    assert_eq!(certificates, Some(1), "the agent shows its certificate");
    tokio_tungstenite::accept_async(stream).await.expect("a session").split()
}

fn probe() -> Message {
    Message::Text(serde_json::to_string(&FromServer::Probe).expect("plain data").into())
}

struct Kept {
    outgoing: mpsc::Sender<FromAgent>,
    incoming: mpsc::Receiver<FromSession>,
}

fn start(server: &TestServer) -> Kept {
    let (outgoing, to_session) = mpsc::channel(4);
    let (from_session, incoming) = mpsc::channel(4);
    let servers = vec!["https://127.0.0.1:1".into(), server.url.clone()];
    let (_, identity) = watch::channel(server.identity.clone());
    tokio::spawn(keep(servers, identity, to_session, from_session));
    Kept { outgoing, incoming }
}

fn hello(kept: &Kept) {
    let hello = bellwether_protocol::Hello {
        protocol: bellwether_protocol::VERSION,
        agent_version: "1".into(),
        cluster: "c".into(),
        node: "n".into(),
        incarnation: "1".into(),
        assignment_seq: 0,
        known: None,
    };
    kept.outgoing.try_send(FromAgent::Hello(Box::new(hello))).expect("room");
}

#[tokio::test]
async fn a_session_carries_both_ways_and_is_begun_anew_when_it_breaks() {
    let server = TestServer::start().await;
    let mut kept = start(&server);
    for _ in 0..2 {
        // What was meant for an earlier session is not said in a later one.
        hello(&kept);
        hello(&kept);
        let (mut sink, mut stream) = accept(&server).await;
        assert!(matches!(kept.incoming.recv().await, Some(FromSession::Connected)));
        hello(&kept);
        let heard = stream.next().await.expect("a message").expect("whole");
        assert!(heard.to_text().expect("text").contains("\"kind\":\"hello\""), "{heard}");
        sink.send(probe()).await.expect("sent");
        let heard = kept.incoming.recv().await;
        assert!(
            matches!(heard, Some(FromSession::Message(message)) if *message == FromServer::Probe)
        );
        drop((sink, stream));
        assert!(matches!(kept.incoming.recv().await, Some(FromSession::Disconnected)));
    }
}

#[tokio::test]
async fn a_message_too_long_ends_the_session() {
    let server = TestServer::start().await;
    let mut kept = start(&server);
    let (mut sink, _stream) = accept(&server).await;
    assert!(matches!(kept.incoming.recv().await, Some(FromSession::Connected)));
    let long = "x".repeat(MESSAGE_BYTES_MAX + 1);
    // The agent may hang up before all of it is sent.
    let _ = sink.send(Message::Text(long.into())).await;
    assert!(matches!(kept.incoming.recv().await, Some(FromSession::Disconnected)));
}
