//! The names of Services, for pods: `SERVICE.NAMESPACE.svc.cluster.local` to its addresses.
//!
//! It knows Services with addresses of their own and nothing else: no pods, no headless Services,
//! no names outside the cluster.

mod message;

use std::{
    net::{IpAddr, SocketAddr, UdpSocket as StdSocket},
    path::Path,
    thread,
};

use anyhow::{Context, Result};
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Service;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{
        WatchStreamExt as _,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use tokio::{net::UdpSocket, sync::mpsc};

use crate::lab::{Addresses, Netns};
use message::{Answer, Kind, Question};

/// A server of names; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Dns {
    _alive: mpsc::Sender<()>,
}

impl Dns {
    /// Starts it on an address inside a namespace; it asks the API server from outside.
    pub(super) fn start(netns: &Netns, at: Addresses, kubeconfig: &Path) -> Result<Self> {
        let socket = netns.within(|| {
            let socket = StdSocket::bind(SocketAddr::new(at.v4.into(), PORT))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })?;
        let (alive, end) = mpsc::channel(1);
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::spawn(move || {
            if let Err(error) = runtime.block_on(serve(socket, kubeconfig, end)) {
                eprintln!("names of Services: {error:#}");
            }
        });
        Ok(Self { _alive: alive })
    }
}

async fn serve(socket: StdSocket, known: Kubeconfig, mut end: mpsc::Receiver<()>) -> Result<()> {
    let socket = UdpSocket::from_std(socket)?;
    let config = Config::from_custom_kubeconfig(known, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    let (services, writer) = reflector::store();
    let watch = watcher(Api::<Service>::all(client), watcher::Config::default());
    let watch = watch.default_backoff().reflect(writer).for_each(|_| async {});
    tokio::select! {
        _ended = end.recv() => Ok(()),
        () = watch => Ok(()),
        failed = answer_all(&socket, &services) => failed,
    }
}

async fn answer_all(socket: &UdpSocket, services: &Store<Service>) -> Result<()> {
    let mut packet = [0; LONGEST];
    loop {
        let (length, peer) = socket.recv_from(&mut packet).await.context("receive a question")?;
        let Some(question) = packet.get(..length).and_then(Question::read) else { continue };
        let answer = question.answer(&look_up(&question, services));
        // Who has gone meanwhile does not miss it.
        let _sent = socket.send_to(&answer, peer).await;
    }
}

fn look_up(question: &Question<'_>, services: &Store<Service>) -> Answer {
    let service = reference(&question.name).and_then(|name| services.get(&name));
    let Some(service) = service else { return Answer::NoSuchName };
    let addresses = service.spec.iter().flat_map(|spec| spec.cluster_ips.iter().flatten());
    let addresses = addresses.filter_map(|address| address.parse::<IpAddr>().ok());
    Answer::Addresses(addresses.filter(|address| question.kind == Kind::of(*address)).collect())
}

/// The Service of a name.
fn reference(name: &str) -> Option<ObjectRef<Service>> {
    let (service, namespace) = name.strip_suffix(DOMAIN)?.split_once('.')?;
    Some(ObjectRef::new(service).within(namespace))
}

/// Where questions are expected.
pub(super) const PORT: u16 = 53;
const DOMAIN: &str = ".svc.cluster.local";
/// Of a question; longer ones are of no resolver of ours.
const LONGEST: usize = 512;
