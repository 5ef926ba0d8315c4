// SPDX-License-Identifier: LGPL-2.1-or-later
//! Servers on the loopback, each at a port that the system has chosen, which end with the value.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::tools::run;

/// A server of the distribution's, in a process of its own.
#[derive(Debug)]
pub struct Server {
    child: Child,
    url: String,
}

/// Prints its port, and serves the directory that is its argument: as read-only ftp, without asking who it is.
const FTP: &str = "
import sys, logging
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
logging.disable(logging.CRITICAL)
authorizer = DummyAuthorizer()
authorizer.add_anonymous(sys.argv[1])
FTPHandler.authorizer = authorizer
server = FTPServer(('127.0.0.1', 0), FTPHandler)
print(server.address[1], flush=True)
server.serve_forever()
";

/// The same in http; with a certificate and its key as further arguments, in https.
const HTTP: &str = "
import sys, ssl, functools, http.server
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words): pass
handler = functools.partial(Quiet, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
";

impl Server {
    /// Serves a directory by http: Python's server.
    pub fn http(dir: &Path) -> Self {
        Self::start("http", HTTP, &[dir])
    }

    /// The same by https, with a certificate for 127.0.0.1 that nobody vouches for, as it is returned.
    pub fn https(dir: &Path, certificate_in: &Path) -> (Self, PathBuf) {
        let (certificate, key) = (certificate_in.join("server.pem"), certificate_in.join("server.key"));
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
        ]);
        openssl.args([
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ]);
        run(openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate)).expect_success();
        (Self::start("https", HTTP, &[dir, &certificate, &key]), certificate)
    }

    /// Serves a directory by ftp: pyftpdlib's server.
    pub fn ftp(dir: &Path) -> Self {
        Self::start("ftp", FTP, &[dir])
    }

    fn start(scheme: &str, script: &str, arguments: &[&Path]) -> Self {
        // The distribution's Python, which has its modules.
        let mut child = Command::new("/usr/bin/python3")
            .arg("-c")
            .arg(script)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("/usr/bin/python3: {e}"));
        let mut line = String::new();
        let read = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        let port: u16 = match line.trim().parse() {
            Ok(port) => port,
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                panic!(
                    "the {scheme} server did not start: {read:?}; {}",
                    crate::packages::advice("python: pyftpdlib")
                );
            }
        };
        Self { child, url: format!("{scheme}://127.0.0.1:{port}") }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server of http that answers as a test wants it to: also as no server should.
#[derive(Debug)]
pub struct Scripted {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Answers each request by its path; `answer` writes all of it, the header included. It ends with the test's process.
    pub fn new(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|e| panic!("a port: {e}"));
        let address = listener.local_addr().unwrap_or_else(|e| panic!("a port: {e}"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, noted) = (Arc::new(answer), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let (answer, noted) = (Arc::clone(&answer), Arc::clone(&noted));
                std::thread::spawn(move || {
                    let Some(path) = request(&mut stream) else { return };
                    if let Ok(mut noted) = noted.lock() {
                        noted.push(path.clone());
                    }
                    answer(&path, &mut stream);
                });
            }
        });
        Self { address, asked }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The paths that it was asked for.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().map(|asked| asked.clone()).unwrap_or_default()
    }

    /// A proxy that does what squid does as it comes: it fetches what is asked for by a whole URL of http, and connects to a port of
    /// https, which is `https` here; to others it does not.
    pub fn proxy(https: Option<u16>) -> Self {
        Self::new(move |target, stream| {
            let is_https = |target: &str| {
                let port = target.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
                port.is_some() && port == https
            };
            if let Some(rest) = target.strip_prefix("http://") {
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                let Ok(mut server) = TcpStream::connect(host) else { return Self::absent(stream) };
                let _ = write!(server, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
                let _ = std::io::copy(&mut server, stream);
            } else if is_https(target)
                && let Ok(mut server) = TcpStream::connect(target)
                && let (Ok(mut back), Ok(mut there)) = (server.try_clone(), stream.try_clone())
            {
                let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
                let copied = std::thread::spawn(move || std::io::copy(&mut back, &mut there));
                let _ = std::io::copy(stream, &mut server);
                let _ = server.shutdown(std::net::Shutdown::Both);
                let _ = copied.join();
            } else {
                let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
            }
        })
    }

    /// An answer with a body of this length; the body is to be written behind it.
    pub fn ok(stream: &mut TcpStream, len: u64) {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n");
    }

    /// A whole answer.
    pub fn answer(stream: &mut TcpStream, body: &[u8]) {
        Self::ok(stream, body.len() as u64);
        let _ = stream.write_all(body);
    }

    /// There is none.
    pub fn absent(stream: &mut TcpStream) {
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }

    /// It is elsewhere.
    pub fn elsewhere(stream: &mut TcpStream, location: &str) {
        let _ = write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
}

/// The path that is asked for.
fn request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") && read.len() < 16 << 10 {
        stream.read_exact(&mut byte).ok()?;
        read.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&read).into_owned();
    head.split(' ').nth(1).map(str::to_owned)
}
