use super::*;

/// An engine whose protocol the endpoint knows by its refusal only.
struct Unread;

#[async_trait::async_trait]
impl Sessions for Unread {
    fn refusal(&self, words: &str) -> Vec<u8> {
        format!("refused: {words}").into_bytes()
    }

    async fn is_ready(&self) -> bool {
        false
    }

    async fn lead(&self, _: TcpStream, _: Arc<dyn bellwether_contracts::sessions::Way>) {}
}

async fn echo(tag: u8) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut byte = [0];
                while stream.read_exact(&mut byte).await.is_ok() {
                    if stream.write_all(&[tag, byte[0]]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

async fn endpoint(kind: Kind, routes: Routes) -> (SocketAddr, watch::Sender<Routes>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (sender, receiver) = watch::channel(routes);
    let to_primary = Arc::new(ToPrimary::new(receiver.clone()));
    let leader = Leader {
        routes: receiver,
        load: Arc::default(),
        sessions: Some(Arc::new(Unread)),
        to_primary,
    };
    tokio::spawn(serve(listener, kind, leader));
    (address, sender)
}

fn to(address: SocketAddr) -> (String, u16) {
    (address.ip().to_string(), address.port())
}

async fn ask(stream: &mut TcpStream) -> Option<u8> {
    stream.write_all(b"x").await.ok()?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await.ok()?;
    Some(answer[0])
}

fn routes(wait_ms: u64) -> Routes {
    Routes { term: 1, connect_wait_ms: wait_ms, ..Routes::default() }
}

/// Another primary serves the next term, and answers with 2.
async fn take_over(sender: &watch::Sender<Routes>) {
    let next = echo(2).await;
    sender.send_modify(|routes| {
        routes.term = 2;
        routes.primary = Some(to(next));
    });
}

#[tokio::test]
async fn a_new_connection_waits_for_a_primary_and_an_old_one_ends_with_its_term() {
    let (address, sender) = endpoint(Kind::ReadWrite, routes(10_000)).await;
    let mut client = TcpStream::connect(address).await.expect("accepted");
    let asking = tokio::spawn(async move {
        let answer = ask(&mut client).await;
        (client, answer)
    });
    let primary = echo(1).await;
    sender.send_modify(|routes| routes.primary = Some(to(primary)));
    let (mut client, answer) = asking.await.expect("no panic");
    assert_eq!(answer, Some(1));
    take_over(&sender).await;
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.expect("closed");
    let mut client = TcpStream::connect(address).await.expect("accepted");
    assert_eq!(ask(&mut client).await, Some(2));
}

#[tokio::test]
async fn an_attempt_to_reach_a_machine_that_is_gone_ends_when_its_successor_is_known() {
    let mut with = routes(10_000);
    // Packets to this address go nowhere (RFC 5737).
    with.primary = Some(("192.0.2.1".into(), 5432));
    let (address, sender) = endpoint(Kind::ReadWrite, with).await;
    let mut client = TcpStream::connect(address).await.expect("accepted");
    let asking = tokio::spawn(async move { ask(&mut client).await });
    take_over(&sender).await;
    assert_eq!(asking.await.expect("no panic"), Some(2));
}

#[tokio::test]
async fn what_a_frozen_node_never_answered_is_said_to_the_next() {
    // The kernel of a frozen machine still accepts, and nobody reads.
    let frozen = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut with = routes(10_000);
    with.primary = Some(to(frozen.local_addr().expect("an address")));
    let (address, sender) = endpoint(Kind::ReadWrite, with).await;
    let mut client = TcpStream::connect(address).await.expect("accepted");
    let asking = tokio::spawn(async move { ask(&mut client).await });
    let (mut led, _) = frozen.accept().await.expect("led there");
    let mut byte = [0];
    led.read_exact(&mut byte).await.expect("asked");
    take_over(&sender).await;
    assert_eq!(asking.await.expect("no panic"), Some(2));
}

#[tokio::test]
async fn a_replica_that_answers_nothing_is_passed_over() {
    let frozen = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut with = routes(10_000);
    with.replicas = vec![to(frozen.local_addr().expect("an address"))];
    with.primary = Some(to(echo(0).await));
    let (address, _sender) = endpoint(Kind::ReadOnly, with).await;
    let mut client = TcpStream::connect(address).await.expect("accepted");
    assert_eq!(ask(&mut client).await, Some(0));
}

#[tokio::test]
async fn after_the_limit_a_client_is_told_why() {
    let (address, _sender) = endpoint(Kind::ReadWrite, routes(50)).await;
    let mut client = TcpStream::connect(address).await.expect("accepted");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.expect("closed");
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("refused: ") && text.contains("no primary"), "{text}");
}

#[tokio::test]
async fn reads_spread_over_replicas_and_fall_back_to_the_primary() {
    let (primary, one, two) = (echo(0).await, echo(1).await, echo(2).await);
    let mut with = routes(1_000);
    with.primary = Some(to(primary));
    with.replicas = vec![to(one), to(two)];
    // Both at one address count as one in the load, so they are told apart by their order.
    let (address, sender) = endpoint(Kind::ReadOnly, with).await;
    let mut client = TcpStream::connect(address).await.expect("accepted");
    assert_eq!(ask(&mut client).await, Some(1));
    sender.send_modify(|routes| routes.replicas = vec![("127.0.0.1".into(), 1)]);
    let mut client = TcpStream::connect(address).await.expect("accepted");
    assert_eq!(ask(&mut client).await, Some(0));
}
