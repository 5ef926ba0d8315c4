// SPDX-License-Identifier: LGPL-2.1-or-later
//! http by a proxy as each knows it: the whole URL is in the request. ureq asks every proxy for a tunnel (CONNECT), which proxies grant
//! to https alone: squid, as it comes, to no other port than 443.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ureq::Proxy;

use super::CONNECT;
use crate::url::Url;

/// The largest header of an answer, in bytes.
const HEADER: u64 = 64 << 10;

/// What a proxy answers.
pub(super) struct Answer {
    pub status: u16,
    /// Where else it is said to be.
    pub location: Option<String>,
    /// What was asked for.
    pub body: Body,
}

/// Asks a proxy for a URL; for its first `len` bytes, where only those are wanted. Nothing is waited for beyond `end`.
///
/// # Errors
/// The system's; `TimedOut`; `InvalidData`: it is no answer of a proxy's.
pub(super) fn get(proxy: &Proxy, url: &Url, len: Option<u64>, end: Instant) -> io::Result<Answer> {
    let mut stream = connect(proxy, end)?;
    let range = len.map(|len| format!("Range: bytes=0-{}\r\n", len - 1)).unwrap_or_default();
    let name = proxy.username().map(|user| {
        let named = format!("{user}:{}", proxy.password().unwrap_or_default());
        format!("Proxy-Authorization: Basic {}\r\n", BASE64.encode(named))
    });
    // Version 1.0: the answer ends with the connection, and comes in one piece.
    let request = format!(
        "GET {url} HTTP/1.0\r\nHost: {}\r\nUser-Agent: kmp/{}\r\nAccept: */*\r\nAccept-Encoding: identity\r\n\
         Connection: close\r\n{range}{}\r\n",
        url.host(),
        env!("CARGO_PKG_VERSION"),
        name.unwrap_or_default()
    );
    stream.set_write_timeout(Some(left(end)?))?;
    stream.write_all(request.as_bytes())?;
    let mut from = BufReader::new(Until { stream, end });
    let head = head(&mut from)?;
    let header = |name: &str| {
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut named = fields.filter(|(field, _)| field.trim().eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim().to_owned())
    };
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.trim().parse().ok());
    let status = status.ok_or_else(|| invalid("it does not answer as a proxy of http does"))?;
    if header("transfer-encoding").is_some() {
        return Err(invalid("it answers in pieces, which was not asked for"));
    }
    let left =
        header("content-length").map(|len| len.parse().map_err(|_| invalid("its answer has no length")));
    Ok(Answer { status, location: header("location"), body: Body { from, left: left.transpose()? } })
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn connect(proxy: &Proxy, end: Instant) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "it has no address");
    for address in (proxy.host(), proxy.port()).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(end)?.min(CONNECT)) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// An answer's lines, up to the empty one.
fn head(from: &mut BufReader<Until>) -> io::Result<String> {
    let mut head = Vec::new();
    let mut limited = from.take(HEADER);
    loop {
        let before = head.len();
        limited.read_until(b'\n', &mut head)?;
        match &head[before..] {
            b"\n" | b"\r\n" => break,
            line if line.ends_with(b"\n") => {}
            _ => return Err(invalid("its answer has no end of its header")),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// A connection from which nothing is read beyond a time.
struct Until {
    stream: TcpStream,
    end: Instant,
}

impl Read for Until {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.end)?))?;
        self.stream.read(buffer).map_err(|error| match error.kind() {
            // What the system says of a time that is up.
            io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
            _ => error,
        })
    }
}

/// What was asked for.
pub(super) struct Body {
    from: BufReader<Until>,
    /// How much there is still to come, where that was said.
    left: Option<u64>,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(left) = &mut self.left else { return self.from.read(buffer) };
        let len = self.from.by_ref().take(*left).read(buffer)?;
        *left -= len as u64;
        if len == 0 && *left > 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends before its end"));
        }
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_as_proxies_read_it() {
        let texts = ["a:", "me:", "me:b", "me:b\u{e9}!"].map(|text| BASE64.encode(text));
        assert_eq!(texts, ["YTo=", "bWU6", "bWU6Yg==", "bWU6YsOpIQ=="]);
    }
}
