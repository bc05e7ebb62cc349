//! A client that sends bytes as they are, and says what came back.

use std::{
    collections::BTreeSet,
    io::{BufReader, ErrorKind, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::Result;

use crate::{
    cases::Case,
    message::{Head, Message},
};

/// Sends the request of a case; what came back, in lines.
pub(crate) fn ask(stream: TcpStream, case: &Case, client: &str) -> Result<BTreeSet<String>> {
    stream.set_read_timeout(Some(SILENCE))?;
    let mut output = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    let mut all = BTreeSet::new();
    // Whoever refuses a request may have closed the connection before all of it was sent.
    let _refused_early = output.write_all(case.request);
    for number in 0..case.answers {
        let before = if number == 0 { "" } else { "next: " };
        for message in answer((&mut input, &mut output), case) {
            match message {
                Ok(message) => {
                    all.extend(message.lines(client).iter().map(|line| format!("{before}{line}")));
                }
                Err(what) => drop(all.insert(format!("{before}{what}"))),
            }
        }
    }
    Ok(all)
}

/// The final response, and those before it.
fn answer(
    (input, output): (&mut BufReader<TcpStream>, &mut TcpStream),
    case: &Case,
) -> Vec<Result<Message, String>> {
    let mut messages = Vec::new();
    loop {
        match Head::read(input) {
            Ok(Some(head)) if (100..200).contains(&head.status()) && head.status() != 101 => {
                if head.status() == 100 {
                    let _refused_after_all = output.write_all(case.rest);
                }
                messages.push(Ok(head.alone()));
            }
            Ok(Some(head)) => {
                let status = head.status();
                let bare = matches!(status, 101 | 204 | 304) || case.request.starts_with(b"HEAD ");
                let message = if bare { Ok(head.alone()) } else { head.with_body(input, true) };
                messages.push(message.map_err(|_| format!("{status}, cut off")));
                return messages;
            }
            Ok(None) => messages.push(Err("closed without an answer".to_owned())),
            Err(error) => messages.push(Err(what(&error))),
        }
        if messages.last().is_some_and(Result::is_err) {
            return messages;
        }
    }
}

fn what(error: &anyhow::Error) -> String {
    match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        Some(ErrorKind::WouldBlock | ErrorKind::TimedOut) => "no answer".to_owned(),
        Some(ErrorKind::ConnectionReset) => "closed without an answer".to_owned(),
        _ => format!("an answer that is none: {error:#}"),
    }
}

/// After this time there is no answer.
const SILENCE: Duration = Duration::from_secs(3);
