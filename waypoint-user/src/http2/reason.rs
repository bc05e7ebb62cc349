//! Why a stream or a connection ends, as HTTP/2 tells it (RFC 9113 section 7).

use std::fmt;

/// An error code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reason(u32);

impl Reason {
    /// Nothing went wrong.
    pub const NO_ERROR: Self = Self(0x0);
    /// The protocol was broken.
    pub const PROTOCOL_ERROR: Self = Self(0x1);
    /// Something went wrong on the side that tells it.
    pub const INTERNAL_ERROR: Self = Self(0x2);
    /// More was sent than there was room for.
    pub const FLOW_CONTROL_ERROR: Self = Self(0x3);
    /// SETTINGS were never acknowledged.
    pub const SETTINGS_TIMEOUT: Self = Self(0x4);
    /// Something came on a stream that had ended.
    pub const STREAM_CLOSED: Self = Self(0x5);
    /// A frame has a length that it must not have.
    pub const FRAME_SIZE_ERROR: Self = Self(0x6);
    /// The stream was not looked at.
    pub const REFUSED_STREAM: Self = Self(0x7);
    /// The stream is not wanted any more.
    pub const CANCEL: Self = Self(0x8);
    /// Compressed fields cannot be understood.
    pub const COMPRESSION_ERROR: Self = Self(0x9);
    /// What a CONNECT connected to broke.
    pub const CONNECT_ERROR: Self = Self(0xa);
    /// The other side does too much of something.
    pub const ENHANCE_YOUR_CALM: Self = Self(0xb);
    /// The security of the transport is not good enough.
    pub const INADEQUATE_SECURITY: Self = Self(0xc);
    /// HTTP/1.1 is wanted instead.
    pub const HTTP_1_1_REQUIRED: Self = Self(0xd);

    /// The code as a number.
    pub const fn code(self) -> u32 {
        self.0
    }
}

impl From<u32> for Reason {
    fn from(code: u32) -> Self {
        Self(code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = usize::try_from(self.0).ok().and_then(|code| NAMES.get(code));
        match name {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0),
        }
    }
}

/// By number.
const NAMES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];
