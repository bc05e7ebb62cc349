//! Takes a body out of the bytes of a connection.

use bytes::Bytes;

use super::{Framing, Malformed, Piece, chunks::Chunks};

/// Takes a body out of the bytes of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Decoder(State);

#[derive(Clone, Copy, Debug)]
enum State {
    Length(u64),
    Chunked(Chunks),
    UntilClose,
    Done,
}

impl Decoder {
    /// For a body that is framed so.
    pub fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(Chunks::default()),
            Framing::UntilClose => State::UntilClose,
        })
    }

    /// Takes the next piece from the front of `input`; `None` when more must come first.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Piece>, Malformed> {
        match &mut self.0 {
            State::Done => Ok(Some(Piece::End)),
            State::Length(_) | State::UntilClose if input.is_empty() => Ok(None),
            State::UntilClose => Ok(Some(Piece::Data(std::mem::take(input)))),
            State::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= taken as u64;
                if *left == 0 {
                    self.0 = State::Done;
                }
                Ok(Some(Piece::Data(input.split_to(taken))))
            }
            State::Chunked(chunks) => {
                let piece = chunks.next(input)?;
                if chunks.is_done() {
                    self.0 = State::Done;
                }
                Ok(piece)
            }
        }
    }

    /// Notes that the connection ended, which ends some bodies and cuts others off.
    pub fn close(&mut self) -> Result<(), Malformed> {
        match self.0 {
            State::Done => Ok(()),
            State::UntilClose => {
                self.0 = State::Done;
                Ok(())
            }
            State::Length(_) | State::Chunked(_) => Err(Malformed::Cut),
        }
    }

    /// Whether the whole body was taken.
    pub fn is_done(&self) -> bool {
        matches!(self.0, State::Done)
    }

    /// How many bytes are still to come, where that is known.
    pub fn left(&self) -> Option<u64> {
        match self.0 {
            State::Done => Some(0),
            State::Length(left) => Some(left),
            State::Chunked(_) | State::UntilClose => None,
        }
    }
}
