//! A way to the API server that can be closed for a while.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::Result;
use waypoint_tests::kube::ControlPlane;

/// A way to the API server that can be closed for a while.
pub(crate) struct Gap {
    kubeconfig: PathBuf,
    state: Arc<State>,
}

struct State {
    server: SocketAddr,
    is_closed: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Gap {
    /// Another way to this control plane, for whoever uses its kubeconfig.
    pub(crate) fn before(plane: &ControlPlane) -> Result<Self> {
        let server = plane.address();
        let listener = TcpListener::bind((server.ip(), 0))?;
        let text = std::fs::read_to_string(plane.kubeconfig())?;
        let text = text.replace(&server.to_string(), &listener.local_addr()?.to_string());
        let port = listener.local_addr()?.port();
        let kubeconfig = plane.directory().join(format!("gap-{port}.kubeconfig"));
        std::fs::write(&kubeconfig, text)?;
        let (is_closed, open) = (AtomicBool::new(false), Mutex::default());
        let state = Arc::new(State { server, is_closed, open });
        let own = Arc::clone(&state);
        thread::spawn(move || listener.incoming().flatten().for_each(|client| own.take(client)));
        Ok(Self { kubeconfig, state })
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Ends every connection and takes none.
    pub(crate) fn close(&self) {
        self.state.is_closed.store(true, Ordering::SeqCst);
        for stream in self.state.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Takes connections again.
    pub(crate) fn open(&self) {
        self.state.is_closed.store(false, Ordering::SeqCst);
    }
}

impl State {
    fn take(&self, client: TcpStream) {
        if self.is_closed.load(Ordering::SeqCst) {
            return;
        }
        let Ok(server) = TcpStream::connect(self.server) else { return };
        let _ = relay(&client, &server);
        self.open.lock().unwrap().extend([client, server]);
    }
}

fn relay(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    let ways =
        [(client.try_clone()?, server.try_clone()?), (server.try_clone()?, client.try_clone()?)];
    for (mut from, mut to) in ways {
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}
