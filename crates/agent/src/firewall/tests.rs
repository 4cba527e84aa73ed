//! On a real kernel. The tests that change its packet filter are run by the first one, in a network
//! of their own; that takes root, `nft`, `ip` and `unshare`.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command as Process;
use std::time::Instant;

use super::*;

#[test]
fn the_gate_holds_in_a_network_of_its_own() {
    let program = std::env::current_exe().expect("this test's program");
    let script = "ip link set lo up && exec \"$0\" firewall::tests --ignored --test-threads=1";
    let ended = Process::new("unshare").args(["--net", "sh", "-c", script]).arg(program).output();
    let ended = ended.expect("unshare runs");
    let said = String::from_utf8_lossy(&ended.stdout);
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.contains("3 passed"), "{said}{complained}");
}

fn ports() -> EnginePorts {
    EnginePorts {
        gate: 5432,
        read_write: 5000,
        read_only: 5001,
        private: 5431,
        read_gate: 5433,
        peer: 5440,
    }
}

/// An engine on the private port that repeats what it is told.
fn engine() {
    static STARTED: std::sync::Once = std::sync::Once::new();
    STARTED.call_once(start_engine);
}

fn start_engine() {
    let listener = TcpListener::bind("[::]:5431").expect("the private port");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
            });
        }
    });
}

fn connect(address: &str) -> Result<TcpStream, ErrorKind> {
    let address: SocketAddr = address.parse().expect("an address");
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).map_err(|error| error.kind())
}

fn ask(stream: &mut TcpStream) -> Result<(), ErrorKind> {
    stream.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
    let mut byte = [7];
    stream.write_all(&byte).and_then(|()| stream.read_exact(&mut byte)).map_err(|e| e.kind())
}

const REFUSED: Option<ErrorKind> = Some(ErrorKind::ConnectionRefused);

#[tokio::test]
#[ignore = "run by the first test in a network of its own"]
async fn the_kernel_opens_and_closes_the_gate() {
    engine();
    let members = ["127.0.0.1".parse().expect("one"), "::1".parse().expect("another")];
    let mut firewall = Firewall::build(ports(), &members).await.expect("the table");
    let ways = ["127.0.0.1:5432", "[::1]:5432", "127.0.0.1:5431", "[::1]:5431"];
    for way in ways {
        assert_eq!(connect(way).err(), REFUSED, "{way} with the gate closed");
    }
    firewall.set_gate(400).expect("opened");
    let opened = Instant::now();
    let mut clients: Vec<TcpStream> = ways.map(|way| connect(way).expect(way)).into();
    for client in &mut clients {
        ask(client).expect("an answer");
    }
    // Renewed, it stays open beyond the first timeout; not renewed, it closes by itself.
    while opened.elapsed() < Duration::from_millis(200) {
        ask(&mut clients[0]).expect("an answer");
    }
    firewall.set_gate(400).expect("renewed");
    let renewed = Instant::now();
    // The last answer counts: a question that went out in time may wait for one in vain.
    let mut last = renewed;
    while ask(&mut clients[0]).is_ok() {
        last = Instant::now();
    }
    assert!(last - opened > Duration::from_millis(400), "the renewal was to hold");
    assert!(last - renewed < Duration::from_millis(500), "nothing was to pass after the end");
    for client in &mut clients {
        assert!(ask(client).is_err(), "an open connection is cut");
    }
    assert_eq!(connect(ways[0]).err(), REFUSED);
}

#[tokio::test]
#[ignore = "run by the first test in a network of its own"]
async fn a_hold_refuses_new_connections_only() {
    engine();
    let mut firewall = Firewall::build(ports(), &[]).await.expect("the table");
    firewall.set_gate(10_000).expect("opened");
    let mut client = connect("127.0.0.1:5432").expect("connected");
    firewall.set_hold(10_000).expect("held");
    assert_eq!(connect("127.0.0.1:5432").err(), REFUSED);
    ask(&mut client).expect("an answer");
    firewall.set_hold(0).expect("let go");
    connect("127.0.0.1:5432").expect("connected");
    firewall.set_gate(0).expect("closed");
    assert_eq!(connect("127.0.0.1:5432").err(), REFUSED);
    assert!(ask(&mut client).is_err());
}

#[tokio::test]
#[ignore = "run by the first test in a network of its own"]
async fn the_read_gate_lets_members_in_and_a_lost_table_is_noticed() {
    engine();
    let members = ["127.0.0.1".parse().expect("an address")];
    let mut firewall = Firewall::build(ports(), &members).await.expect("the table");
    firewall.set_read_gate(10_000).expect("opened");
    ask(&mut connect("127.0.0.1:5433").expect("a member")).expect("an answer");
    assert_eq!(connect("[::1]:5433").err(), REFUSED, "no member");
    let begun = Instant::now();
    for _ in 0..1_000 {
        firewall.set_read_gate(10_000).expect("renewed");
    }
    println!("a renewal takes {:?}", begun.elapsed() / 1_000);
    firewall.set_members(&[]).expect("emptied");
    assert_eq!(connect("127.0.0.1:5433").err(), REFUSED, "a member no more");
    run_nft("delete table inet bellwether").await.expect("deleted");
    assert!(firewall.set_read_gate(10_000).is_err());
    assert!(firewall.set_members(&members).is_err());
}
