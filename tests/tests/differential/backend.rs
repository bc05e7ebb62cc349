//! The backend of both: it keeps what it gets, and answers as it is told.

use std::{
    io::{BufReader, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::Result;

use crate::{
    cases::Answer,
    message::{Head, Message},
};

/// What all connections share.
#[derive(Debug, Default)]
struct Book {
    answer: Answer,
    got: Vec<Message>,
}

/// A backend that listens until the test ends.
#[derive(Clone, Debug)]
pub(crate) struct Backend(Arc<Mutex<Book>>);

impl Backend {
    /// Serves a listener, from threads that end with the test.
    pub(crate) fn serve(listeners: Vec<TcpListener>) -> Self {
        let backend = Self(Arc::default());
        for listener in listeners {
            let backend = backend.clone();
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let backend = backend.clone();
                    // What breaks here is told by who was to get the answer.
                    thread::spawn(move || backend.talk(stream).is_ok());
                }
            });
        }
        backend
    }

    /// Answers so from now on, and forgets what came.
    pub(crate) fn expect(&self, answer: Answer) {
        *self.book() = Book { answer, got: Vec::new() };
    }

    /// The whole requests that came.
    pub(crate) fn got(&self) -> Vec<Message> {
        self.book().got.clone()
    }

    fn talk(&self, stream: TcpStream) -> Result<()> {
        let mut output = stream.try_clone()?;
        let mut input = BufReader::new(stream);
        while let Some(head) = Head::read(&mut input)? {
            let answer = self.book().answer;
            output.write_all(answer.at_head)?;
            let request = head.with_body(&mut input, false)?;
            self.book().got.push(request);
            output.write_all(answer.at_end)?;
            if answer.closes {
                return Ok(output.shutdown(Shutdown::Both)?);
            }
        }
        Ok(())
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
