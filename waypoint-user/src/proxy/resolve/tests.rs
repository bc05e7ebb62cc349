//! Tests of names, with answers of our own and with a name server of our own.

use std::{collections::VecDeque, net::Ipv4Addr};

use tokio::{net::UdpSocket, task::LocalSet};

use super::*;

/// Answers in the order in which they are given; the last one again and again.
#[derive(Clone, Default)]
struct Script(Rc<RefCell<VecDeque<Answer>>>, Rc<Cell<u32>>);

impl Script {
    fn of(answers: Vec<Answer>) -> Self {
        Self(Rc::new(RefCell::new(answers.into())), Rc::default())
    }

    fn names(&self) -> Rc<Names> {
        Rc::new(Names::new(Box::new(self.clone()), Arc::default(), Limit::default()))
    }
}

impl Lookup for Script {
    fn look_up(&self, _: &str) -> Looking {
        self.1.set(self.1.get() + 1);
        let mut answers = self.0.borrow_mut();
        let last = answers.len() == 1;
        let next = if last { answers.front().cloned() } else { answers.pop_front() };
        Box::pin(async move { next.unwrap() })
    }
}

fn found(address: &str, seconds: u64) -> Answer {
    Answer::Found(vec![address.parse().unwrap()], Duration::from_secs(seconds))
}

fn known(names: &Names, name: &str) -> Option<Vec<String>> {
    let addresses = names.addresses(name)?;
    Some(addresses.iter().map(ToString::to_string).collect())
}

async fn in_local(test: impl Future<Output = ()>) {
    tokio::time::pause();
    LocalSet::new().run_until(test).await;
}

/// Lets time pass, and tasks do what is due.
async fn pass(time: Duration) {
    tokio::time::advance(time).await;
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

async fn settle(names: &Rc<Names>, name: &str) {
    names.settle(&[name.to_owned()]).await;
}

#[tokio::test]
async fn a_name_is_known_once_it_was_looked_up_and_again_when_it_changes() {
    in_local(async {
        let names = Script::of(vec![found("192.0.2.1", 30), found("192.0.2.2", 30)]).names();
        assert_eq!(known(&names, "a.example"), None);
        settle(&names, "a.example").await;
        assert_eq!(known(&names, "a.example").unwrap(), ["192.0.2.1"]);
        let version = names.version();
        pass(Duration::from_secs(29)).await;
        assert_eq!((known(&names, "a.example").unwrap().len(), names.version()), (1, version));
        pass(Duration::from_secs(2)).await;
        assert_eq!(known(&names, "a.example").unwrap(), ["192.0.2.2"]);
        assert!(names.version() > version);
    })
    .await;
}

#[tokio::test]
async fn while_nobody_answers_the_last_addresses_stay_and_a_denial_ends_them() {
    in_local(async {
        let failed = Answer::Failed("timeout".to_owned());
        let script = Script::of(vec![found("192.0.2.1", 1), failed, Answer::None]);
        let names = script.names();
        settle(&names, "a.example").await;
        pass(NAME_TTL_MIN + Duration::from_millis(1)).await;
        assert_eq!((script.1.get(), known(&names, "a.example").unwrap().len()), (2, 1));
        pass(NAME_TTL_NONE + Duration::from_millis(1)).await;
        assert_eq!((script.1.get(), known(&names, "a.example").unwrap().len()), (3, 0));
    })
    .await;
}

#[tokio::test]
async fn a_name_that_nobody_asks_for_is_forgotten() {
    in_local(async {
        let script = Script::of(vec![found("192.0.2.1", 30)]);
        let names = script.names();
        settle(&names, "a.example").await;
        pass(NAME_IDLE + NAME_TTL_MAX).await;
        let asked = script.1.get();
        assert_eq!(known(&names, "a.example"), None);
        pass(NAME_TTL_MAX).await;
        assert_eq!(script.1.get(), asked, "it is not looked up any more");
    })
    .await;
}

#[tokio::test]
async fn more_names_than_there_is_room_for_are_not_looked_up() {
    in_local(async {
        let names = Script::of(vec![found("192.0.2.1", 30)]).names();
        let all: Vec<String> = (0..=NAMES_MAX).map(|n| format!("n{n}.example")).collect();
        names.settle(&all).await;
        assert!(names.addresses(&all[NAMES_MAX - 1]).is_some());
        assert!(names.addresses(&all[NAMES_MAX]).is_none());
    })
    .await;
}

/// Answers each query of UDP: the address for A, nothing for AAAA; without an address NXDOMAIN.
async fn serve_names(socket: UdpSocket, address: Option<Ipv4Addr>) {
    let mut buffer = [0; 512];
    loop {
        let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
        let query = &buffer[..length];
        // The question ends with its type and class, before whatever EDNS adds.
        let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
        let is_a = query[end - 3] == 1;
        let answers = u8::from(is_a && address.is_some());
        let code = if address.is_some() { 0x80 } else { 0x83 };
        let mut answer = vec![query[0], query[1], 0x81, code, 0, 1, 0, answers, 0, 0, 0, 0];
        answer.extend(&query[12..end]);
        if let Some(address) = address.filter(|_| is_a) {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            answer.extend(address.octets());
        }
        socket.send_to(&answer, client).await.unwrap();
    }
}

async fn ask(address: Option<Ipv4Addr>) -> Answer {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let dns = Dns::new(&[socket.local_addr().unwrap()]);
    tokio::select! {
        answer = dns.look_up("api.example.test") => answer,
        () = serve_names(socket, address) => unreachable!("it serves for ever"),
    }
}

#[tokio::test]
async fn a_name_server_is_asked_for_the_whole_name() {
    let Answer::Found(addresses, ttl) = ask(Some(Ipv4Addr::new(192, 0, 2, 7))).await else {
        panic!("an address");
    };
    assert_eq!(addresses, ["192.0.2.7".parse::<IpAddr>().unwrap()]);
    assert!(ttl > Duration::from_secs(50) && ttl <= Duration::from_mins(1), "{ttl:?}");
}

#[tokio::test]
async fn a_name_that_there_is_not_has_no_addresses() {
    assert_eq!(ask(None).await, Answer::None);
}

#[tokio::test]
async fn the_hosts_file_counts() {
    let answer = Dns::new(&["127.0.0.1:1".parse().unwrap()]).look_up("localhost").await;
    assert!(matches!(answer, Answer::Found(..)), "{answer:?}");
}
