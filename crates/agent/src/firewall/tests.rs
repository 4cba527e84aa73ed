//! On a real kernel. The tests that change its packet filter are run by the first one, in a network
//! of their own; that takes root, `nft`, `ip` and `unshare`.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command as Process;
use std::time::Instant;

use super::*;
use bellwether_model::allowlist::Cidr;
use bellwether_protocol::assignment::Allowed;

#[test]
fn the_gate_holds_in_a_network_of_its_own() {
    let program = std::env::current_exe().expect("this test's program");
    let script = "ip link set lo up && exec \"$0\" firewall::tests --ignored --test-threads=1";
    let ended = Process::new("unshare").args(["--net", "sh", "-c", script]).arg(program).output();
    let ended = ended.expect("unshare runs");
    let said = String::from_utf8_lossy(&ended.stdout);
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.contains("5 passed"), "{said}{complained}");
}

fn ports() -> EnginePorts {
    EnginePorts {
        gate: 5432,
        read_write: 5000,
        read_only: 5001,
        private: 5431,
        read_gate: 5433,
        peer: 5440,
        bus: 16_378,
    }
}

fn wanted(members: &[IpAddr]) -> Wanted {
    Wanted { ports: ports(), members: members.to_vec(), admission: letting_in(&[]) }
}

fn letting_in(ranges: &[&str]) -> Admission {
    let allowed =
        |text: &&str| Allowed { range: Cidr::parse(text).expect("a range"), expires_at: None };
    Admission { allowed: Some(ranges.iter().map(allowed).collect()), ..Admission::default() }
}

/// Another network that this one has a cable to: 10.9.0.2 and fd09::2, seen from there 10.9.0.1 and
/// fd09::1.
struct Outside {
    holder: std::process::Child,
}

impl Outside {
    fn begin() -> Self {
        let holder = Process::new("unshare").args(["--net", "sleep", "60"]).spawn();
        let holder = holder.expect("unshare runs");
        let pid = holder.id();
        // Until it has left this network, the cable's end would go nowhere.
        let name = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        while name(pid) == name(std::process::id()) {
            std::thread::yield_now();
        }
        for line in [
            "ip link add here type veth peer name there".to_owned(),
            format!("ip link set there netns {pid}"),
            "ip addr add 10.9.0.1/24 dev here && ip addr add fd09::1/64 dev here nodad".to_owned(),
            "ip link set here up".to_owned(),
            format!(
                "nsenter -t {pid} -n sh -c 'ip addr add 10.9.0.2/24 dev there && ip addr add \
                 fd09::2/64 dev there nodad && ip link set there up'"
            ),
        ] {
            let done = Process::new("sh").args(["-c", &line]).status().expect("sh runs");
            assert!(done.success(), "{line}");
        }
        Self { holder }
    }

    /// Whether somebody there is answered at that port, over both families.
    fn reaches(&self, port: u16) -> (bool, bool) {
        let reach = |address: &str| {
            let line = format!(
                "exec 3<>/dev/tcp/{address}/{port} && echo -n x >&3 && head -c 1 <&3 | grep -q x"
            );
            let pid = self.holder.id().to_string();
            let args = ["-t", &pid, "-n", "timeout", "3", "bash", "-c", &line];
            Process::new("nsenter").args(args).output().expect("nsenter runs").status.success()
        };
        (reach("10.9.0.1"), reach("fd09::1"))
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// An engine on the private port and its bus that repeats what it is told.
fn engine() {
    static STARTED: std::sync::Once = std::sync::Once::new();
    STARTED.call_once(|| [5_431, 16_378].into_iter().for_each(start_engine));
}

fn start_engine(port: u16) {
    let listener = TcpListener::bind(("::", port)).expect("a port of the engine's");
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
    let mut firewall = Firewall::build(&wanted(&members)).await.expect("the table");
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
    let mut firewall = Firewall::build(&wanted(&[])).await.expect("the table");
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
    let mut firewall = Firewall::build(&wanted(&members)).await.expect("the table");
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

#[tokio::test]
#[ignore = "run by the first test in a network of its own"]
async fn what_engines_say_to_each_other_is_for_members_alone() {
    engine();
    let outside = Outside::begin();
    let mut firewall = Firewall::build(&wanted(&[])).await.expect("the table");
    firewall.set_admission(&Admission::default()).expect("everybody may come to clients' ports");
    assert_eq!(outside.reaches(16_378), (false, false));
    let members = ["10.9.0.2".parse().expect("one"), "fd09::2".parse().expect("another")];
    firewall.set_members(&members).expect("members");
    assert_eq!(outside.reaches(16_378), (true, true));
}

#[tokio::test]
#[ignore = "run by the first test in a network of its own"]
async fn who_is_not_on_the_list_is_refused_and_counted() {
    engine();
    let outside = Outside::begin();
    let mut firewall = Firewall::build(&wanted(&[])).await.expect("the table");
    firewall.set_gate(60_000).expect("opened");
    assert_eq!(outside.reaches(5432), (false, false), "nobody is on the list");
    firewall.set_admission(&letting_in(&["10.9.0.0/24"])).expect("let in");
    assert_eq!(outside.reaches(5432), (true, false), "one family is on the list");
    let all = ["0.0.0.0/0", "fd09::2", "fd00::/16", "192.0.2.0/25"];
    firewall.set_admission(&letting_in(&all)).expect("let in");
    assert_eq!(outside.reaches(5432), (true, true));
    firewall.set_admission(&letting_in(&["10.9.0.3", "fd09::3"])).expect("let in");
    assert_eq!(outside.reaches(5432), (false, false), "neighbours are on the list");
    let admission = letting_in(&["10.9.0.2", "fd09::2"]);
    drop(firewall);
    let mut firewall = Firewall::build(&Wanted { admission, ..wanted(&[]) }).await.expect("made");
    firewall.set_gate(60_000).expect("opened");
    assert_eq!(outside.reaches(5432), (true, true), "a table made anew has the list in it");
    firewall.set_admission(&letting_in(&[])).expect("closed");
    assert_eq!(outside.reaches(5432), (false, false));
    let listed = Process::new("nft").args(["list", "table", "inet", "bellwether"]).output();
    let listed = String::from_utf8(listed.expect("nft runs").stdout).expect("text");
    for counted in ["packets 2", "10.9.0.2 counter packets 1", "fd09::2 counter packets 1"] {
        assert!(listed.contains(counted), "{counted}: {listed}");
    }
    firewall.set_admission(&Admission::default()).expect("opened");
    assert_eq!(outside.reaches(5432), (true, true), "without a list everybody may come");
}
