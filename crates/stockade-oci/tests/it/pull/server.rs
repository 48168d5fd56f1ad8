//! A server of HTTP/1.1, made by hand, so that it can do wrong.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// What was asked.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// With the query.
    pub(super) path: String,
    /// By their names in lower case.
    pub(super) headers: BTreeMap<String, String>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The first byte that is wanted, if it is not the first of all.
    pub(super) fn range(&self) -> Option<usize> {
        let range = self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?;
        Some(range.parse().expect("a number"))
    }

    pub(super) fn is_blob(&self) -> bool {
        self.path.contains("/blobs/")
    }
}

/// What happens after the bytes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Close,
    /// Nothing, for as long as the client waits.
    Hang,
    /// More and more, for as long as the client reads.
    Endless,
}

#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
    then: Then,
}

impl Answer {
    /// An answer that says how long it is.
    pub(super) fn new(status: u16, body: &[u8]) -> Self {
        let headers = BTreeMap::new();
        let answer = Self { status, headers, body: body.to_owned(), then: Then::Close };
        answer.header("Content-Length", &body.len().to_string())
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Does not say how long it is.
    pub(super) fn unmeasured(mut self) -> Self {
        self.headers.remove("Content-Length");
        self
    }

    /// Breaks off after so many bytes, whatever was said.
    pub(super) fn cut(mut self, after: usize) -> Self {
        self.body.truncate(after);
        self
    }

    /// Sends so many bytes, and then nothing.
    pub(super) fn hang(self, after: usize) -> Self {
        Self { then: Then::Hang, ..self.cut(after) }
    }

    pub(super) fn endless(self) -> Self {
        Self { then: Then::Endless, ..self.unmeasured() }
    }
}

/// The server; it ends with this value.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it has an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let (seen, end, answer) = (requests.clone(), ended.clone(), Arc::new(answer));
        let thread = thread::spawn(move || {
            let mut served = Vec::new();
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let (seen, answer) = (seen.clone(), answer.clone());
                served.push(thread::spawn(move || serve(&stream, &seen, &*answer)));
            }
            for thread in served {
                thread.join().expect("a connection was served");
            }
        });
        Self { address, requests, ended, thread: Some(thread) }
    }

    /// What was asked since this was asked last.
    pub(super) fn asked(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().expect("nobody panicked"))
    }

    /// How many blobs were asked for since.
    pub(super) fn blobs_asked(&self) -> usize {
        self.asked().iter().filter(|request| request.is_blob()).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let woken = TcpStream::connect(self.address);
        let joined = self.thread.take().map(JoinHandle::join);
        drop(woken);
        if !thread::panicking() {
            joined.expect("it ran").expect("it served to its end");
        }
    }
}

/// One connection, of one request.
fn serve(
    stream: &TcpStream,
    seen: &Mutex<Vec<Request>>,
    answer: &(dyn Fn(&Request) -> Answer + Send + Sync),
) {
    let mut reader = BufReader::new(stream);
    let Some(request) = read(&mut reader) else { return };
    seen.lock().expect("nobody panicked").push(request.clone());
    let Answer { status, headers, body, then } = answer(&request);
    let mut text = format!("HTTP/1.1 {status} Said\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let mut writer = stream;
    // A client may have heard enough.
    if writer.write_all(text.as_bytes()).and_then(|()| writer.write_all(&body)).is_err() {
        return;
    }
    match then {
        Then::Close => {}
        Then::Hang => {
            let _ = reader.read(&mut [0]);
        }
        Then::Endless => while writer.write_all(&[0; 4096]).is_ok() {},
    }
    // Closing alone, with something unread, would take back what was sent.
    let _ = stream.shutdown(Shutdown::Write);
    let _ = reader.read(&mut [0]);
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut lines = reader.lines().map_while(Result::ok);
    let first = lines.next()?;
    let path = first.strip_prefix("GET ")?.strip_suffix(" HTTP/1.1")?.to_owned();
    let headers = lines.take_while(|line| !line.is_empty()).map(|line| {
        let (name, value) = line.split_once(':').expect("a header");
        (name.to_ascii_lowercase(), value.trim().to_owned())
    });
    let headers = headers.collect();
    Some(Request { path, headers })
}
