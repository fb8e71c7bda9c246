//! A headless Chromium that a test looks through: it loads pages, runs expressions in them, takes pictures.
//!
//! It is asked through its own debugging socket on a free loopback port, and lives in a folder of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::{RawClient, sys, wait_until};

const START_LIMIT: Duration = Duration::from_secs(30);

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    process: Child,
    folder: PathBuf,
    socket: BufReader<TcpStream>,
    calls: u32,
}

impl Browser {
    /// The program, if it is installed.
    pub fn program() -> Option<&'static str> {
        ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
            Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null()).status().is_ok_and(|status| status.success())
        })
    }

    /// Starts it with a window of that size, below `folder`.
    ///
    /// # Panics
    /// If it is missing or does not start.
    pub fn start(folder: &Path, width: u32, height: u32) -> Browser {
        Browser::start_with(folder, width, height, "{}")
    }

    /// The same; it takes no cookies.
    ///
    /// # Panics
    /// As [`Browser::start`].
    pub fn start_without_cookies(folder: &Path, width: u32, height: u32) -> Browser {
        Browser::start_with(folder, width, height, "{\"profile\":{\"default_content_setting_values\":{\"cookies\":2}}}")
    }

    fn start_with(folder: &Path, width: u32, height: u32, preferences: &str) -> Browser {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let program = Browser::program().expect("chromium is installed (make setup)");
        let folder = folder.join(format!("browser-{}-{}", NEXT.fetch_add(1, Ordering::Relaxed), std::process::id()));
        std::fs::create_dir_all(folder.join("Default")).unwrap();
        std::fs::write(folder.join("Default/Preferences"), preferences).unwrap();
        let log = std::fs::File::create(folder.join("stderr.log")).unwrap();
        let mut command = Command::new(program);
        command.args(COMMON).arg(format!("--window-size={width},{height}")).arg(format!("--user-data-dir={}", folder.display()));
        command.arg("--remote-debugging-port=0").arg("about:blank").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = crate::spawn::spawn(command).unwrap();
        let mut port = None;
        let started = wait_until(START_LIMIT, || {
            let text = std::fs::read_to_string(folder.join("DevToolsActivePort")).unwrap_or_default();
            port = text.lines().next().and_then(|line| line.parse::<u16>().ok());
            port.is_some()
        });
        assert!(started, "the browser did not start: {}", std::fs::read_to_string(folder.join("stderr.log")).unwrap_or_default());
        let port = port.unwrap();
        let page = page_socket(port);
        let mut browser = Browser { process, folder, socket: open(port, &page), calls: 0 };
        browser.call("Runtime.enable", "{}");
        browser.call("Page.enable", "{}");
        // A window has a least width; what the page sees has not.
        let mobile = width < 500;
        let metrics = format!("{{\"width\":{width},\"height\":{height},\"deviceScaleFactor\":1,\"mobile\":{mobile}}}");
        browser.call("Emulation.setDeviceMetricsOverride", &metrics);
        browser
    }

    /// Loads a page and waits until it is complete.
    pub fn load(&mut self, url: &str) {
        self.call("Page.navigate", &format!("{{\"url\":{}}}", quoted(url)));
        assert!(
            wait_until(START_LIMIT, || self.evaluate("document.readyState + ' ' + (location.href !== 'about:blank')") == "complete true"),
            "{url} is not loaded"
        );
    }

    /// The value of an expression in the page, as text.
    pub fn evaluate(&mut self, expression: &str) -> String {
        let wrapped = format!("(async () => String(await ({expression})))()");
        let parameters = format!("{{\"expression\":{},\"awaitPromise\":true,\"returnByValue\":true}}", quoted(&wrapped));
        let answer = self.call("Runtime.evaluate", &parameters);
        // While a page makes room for another there is nobody to answer.
        string_of(&answer, "value").unwrap_or_default()
    }

    /// A picture of the window, as a PNG file.
    pub fn screenshot(&mut self, file: &Path) {
        let answer = self.call("Page.captureScreenshot", "{\"format\":\"png\"}");
        let text = string_of(&answer, "data").expect("a picture");
        std::fs::write(file, base64(&text)).unwrap();
    }

    /// What the browser complains about: errors of scripts, and of the policy of pages.
    pub fn complaints(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.join("stderr.log")).unwrap_or_default();
        log.lines().filter(|line| line.contains("CONSOLE") || line.contains("Content Security Policy")).map(str::to_owned).collect()
    }

    /// Sends one command and returns its answer; events in between are passed over.
    fn call(&mut self, method: &str, parameters: &str) -> String {
        self.calls += 1;
        let id = self.calls;
        send(self.socket.get_mut(), &format!("{{\"id\":{id},\"method\":\"{method}\",\"params\":{parameters}}}"));
        loop {
            let message = receive(&mut self.socket);
            if message.starts_with(&format!("{{\"id\":{id},")) {
                return message;
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        sys::signal_group(self.process.id(), libc::SIGKILL);
        let _ = self.process.wait();
        // Its other processes may still write for a moment.
        wait_until(Duration::from_secs(5), || std::fs::remove_dir_all(&self.folder).is_ok() || !self.folder.exists());
    }
}

const COMMON: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
];

/// The path of the page's debugging socket.
fn page_socket(port: u16) -> String {
    let mut path = None;
    let found = wait_until(START_LIMIT, || {
        let answer = RawClient::connect(None, (Ipv4Addr::LOCALHOST, port).into()).and_then(|mut client| client.get("/json/list"));
        let text = answer.map(|response| response.text()).unwrap_or_default();
        path = text.split("\"webSocketDebuggerUrl\": \"ws://").skip(1).find_map(|rest| {
            let url = rest.split('"').next()?;
            url.contains("/devtools/page/").then(|| url.split_once('/').map(|(_, path)| format!("/{path}")))?
        });
        path.is_some()
    });
    assert!(found, "the browser has no page");
    path.unwrap()
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the browser listens");
    stream.set_read_timeout(Some(START_LIMIT)).unwrap();
    stream
}

/// Opens a WebSocket (RFC 6455).
fn open(port: u16, path: &str) -> BufReader<TcpStream> {
    let mut stream = connect(port);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains(" 101 "), "{line}");
    while line != "\r\n" {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0);
    }
    reader
}

/// One masked text frame; the mask is zero.
fn send(stream: &mut TcpStream, text: &str) {
    let mut frame = vec![0x81];
    match u16::try_from(text.len()) {
        Ok(len) if len < 126 => frame.push(0x80 | len as u8),
        Ok(len) => frame.extend([&[0x80 | 126][..], &len.to_be_bytes()].concat()),
        Err(_) => frame.extend([&[0x80 | 127][..], &(text.len() as u64).to_be_bytes()].concat()),
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    stream.write_all(&frame).unwrap();
}

/// One message, of one or several frames.
fn receive(reader: &mut BufReader<TcpStream>) -> String {
    let mut message = Vec::new();
    loop {
        let mut head = [0u8; 2];
        reader.read_exact(&mut head).expect("the browser answers");
        let length = match head[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes(read(reader))),
            127 => u64::from_be_bytes(read(reader)),
            length => u64::from(length),
        };
        let start = message.len();
        message.resize(start + usize::try_from(length).unwrap(), 0);
        reader.read_exact(&mut message[start..]).unwrap();
        // Neither ping nor close, and the last frame.
        if head[0] & 0x0f > 2 {
            message.truncate(start);
        } else if head[0] & 0x80 != 0 {
            return String::from_utf8_lossy(&message).into_owned();
        }
    }
}

fn read<const N: usize>(reader: &mut BufReader<TcpStream>) -> [u8; N] {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).unwrap();
    bytes
}

/// Text as a JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

/// The first string of that name in a JSON text.
fn string_of(json: &str, name: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{name}\":\""))?;
    let mut out = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return Some(out),
            '\\' => match chars.next()? {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                'u' => {
                    let code = chars.by_ref().take(4).collect::<String>();
                    out.push(u32::from_str_radix(&code, 16).ok().and_then(char::from_u32).unwrap_or('\u{fffd}'));
                }
                c => out.push(c),
            },
            c => out.push(c),
        }
    }
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut filled) = (Vec::with_capacity(text.len()), 0u32, 0);
    for digit in text.bytes().filter_map(|b| DIGITS.iter().position(|d| *d == b)) {
        bits = bits << 6 | digit as u32;
        filled += 6;
        if filled >= 8 {
            filled -= 8;
            bytes.push((bits >> filled) as u8);
        }
    }
    bytes
}
