//! Opening a stream: a place on a connection, then CONNECT.

use std::{
    future::{Future, poll_fn},
    rc::Rc,
};

use super::{Attempt, Connection, Io, Key, Lease, Pool};
use crate::{
    hbone::{Connect, Error, Stream, connect, limits::RETRIES_MAX},
    http2::{Broken, Question, Unsent},
};

/// A place, the connection that has it, and whether the caller dialled it.
struct Place {
    lease: Lease,
    connection: Rc<Connection>,
}

impl Pool {
    /// Opens a stream on a connection that has room, or on a new one that `dial` makes. Callers
    /// that come while one dials wait for it.
    ///
    /// Where the connection ends before the peer looked at the stream, it is opened once more on
    /// another; `dial` is used at most once.
    pub async fn open<D>(&self, key: &Key, connect: &Connect, dial: D) -> Result<Stream, Error>
    where
        D: Future<Output = Result<Box<dyn Io>, Error>> + 'static,
    {
        let mut dial = Some(dial);
        let mut retries = 0;
        loop {
            let place = self.place(key, &mut dial).await?;
            let connection = Rc::clone(&place.connection);
            match ask(place, connect).await {
                Ok(stream) => return Ok(stream),
                Err(_) if connection.is_cut() => return Err(Error::Evicted),
                Err(Failure::Unseen(_)) if retries < RETRIES_MAX && dial.is_some() => retries += 1,
                Err(Failure::Unseen(cause) | Failure::Final(cause)) => return Err(cause),
            }
        }
    }

    /// Takes a place on a connection of a key.
    async fn place<D>(&self, key: &Key, dial: &mut Option<D>) -> Result<Place, Error>
    where
        D: Future<Output = Result<Box<dyn Io>, Error>> + 'static,
    {
        loop {
            if let Some(place) = self.free_place(key) {
                return Ok(place);
            }
            let (attempt, lease, is_mine) = self.join(key, dial)?;
            let dialled = attempt.dialling.clone().await;
            let is_kept = self.settle(key, &attempt, dialled.as_ref().ok());
            let connection = dialled?;
            if !is_kept {
                connection.cut();
                return Err(Error::Evicted);
            }
            if !is_mine {
                // What the peer allows is known a moment later, and the first needs not wait.
                connection.settled().await;
                if connection.is_overfull() || !connection.is_usable() {
                    continue;
                }
            }
            return Ok(Place { lease, connection });
        }
    }

    /// A place on a connection that is there.
    fn free_place(&self, key: &Key) -> Option<Place> {
        let shelves = self.shelves.borrow();
        shelves.get(key)?.connections.iter().find_map(|connection| {
            let lease = connection.lease()?;
            Some(Place { lease, connection: Rc::clone(connection) })
        })
    }

    /// A place on a connection that is being made, and whether that is ours.
    fn join<D>(&self, key: &Key, dial: &mut Option<D>) -> Result<(Attempt, Lease, bool), Error>
    where
        D: Future<Output = Result<Box<dyn Io>, Error>> + 'static,
    {
        let streams_max = self.settings.streams_max;
        if let Some(shelf) = self.shelves.borrow_mut().get_mut(key) {
            shelf.connections.retain(|connection| !connection.is_done());
            // What nobody waits for any more was given up, and would never end.
            shelf.attempts.retain(Attempt::is_awaited);
            let joined = |attempt: &Attempt| Some((attempt.clone(), attempt.join(streams_max)?));
            if let Some((attempt, lease)) = shelf.attempts.iter().find_map(joined) {
                return Ok((attempt, lease, false));
            }
        }
        let gone = || Error::Http2("the peer refuses streams on a new connection".to_owned());
        let dial = dial.take().ok_or_else(gone)?;
        self.make_room()?;
        let attempt = Attempt::new(dial, self.settings.clone());
        let lease = attempt.join(streams_max.max(1)).ok_or(Error::Full)?;
        let mut shelves = self.shelves.borrow_mut();
        shelves.entry(key.clone()).or_default().attempts.push(attempt.clone());
        Ok((attempt, lease, true))
    }

    /// Puts what was dialled where others find it, whoever wakes first; false where the key was
    /// evicted meanwhile.
    fn settle(&self, key: &Key, attempt: &Attempt, dialled: Option<&Rc<Connection>>) -> bool {
        let mut shelves = self.shelves.borrow_mut();
        let Some(shelf) = shelves.get_mut(key) else { return false };
        let listed = shelf.attempts.iter().position(|other| other.is(attempt));
        let Some(connection) = dialled else {
            listed.map(|index| shelf.attempts.swap_remove(index));
            return true;
        };
        let is_there = shelf.connections.iter().any(|other| Rc::ptr_eq(other, connection));
        if let Some(index) = listed {
            shelf.attempts.swap_remove(index);
            if !is_there {
                shelf.connections.push(Rc::clone(connection));
            }
        }
        // Where the key was evicted and came back meanwhile, this one is on no shelf.
        (listed.is_some() || is_there) && !connection.is_cut()
    }
}

/// Why a stream was not opened.
enum Failure {
    /// The peer did nothing for it, and nothing was sent on it.
    Unseen(Error),
    /// The peer's answer.
    Final(Error),
}

/// Asks for a stream.
async fn ask(place: Place, connect: &Connect) -> Result<Stream, Failure> {
    let Place { lease, connection } = place;
    let request = connect::write(connect).map_err(Failure::Final)?;
    let question = Question {
        method: request.method(),
        scheme: None,
        authority: request.uri().authority().map_or("", |authority| authority.as_str()),
        path: None,
        protocol: None,
        headers: request.headers(),
    };
    let unsent = |cause: Unsent| Failure::Unseen(Error::Http2(cause.to_string()));
    let (sending, mut receiving) = connection.sender.ask(&question, false).map_err(unsent)?;
    let head = loop {
        let head = poll_fn(|cx| receiving.poll_response(cx)).await;
        let head = head.map_err(|broken| failure(broken, &connection))?;
        if !head.status.is_informational() {
            break head;
        }
    };
    if !head.status.is_success() {
        return Err(Failure::Final(Error::Refused(head.status.as_u16())));
    }
    Ok(Stream::opened(sending, receiving, lease))
}

/// Whether a stream that got no answer may be opened again. None of its bytes was sent, so that
/// the end of its connection is no reason against it; a reset is, but for the one that says so.
fn failure(broken: Broken, connection: &Connection) -> Failure {
    let is_unseen = match broken {
        Broken::Refused | Broken::Closed => true,
        Broken::Reset(_) | Broken::Malformed(_) | Broken::Dropped => connection.broken().is_some(),
    };
    if is_unseen { Failure::Unseen(broken.into()) } else { Failure::Final(broken.into()) }
}
