//! A body that is inspected reaches the application byte for byte as it came (filters.md section 13.3).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use httpd_lab::http2::curl;
use httpd_lab::{Builder, Mpm, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// Every body is read, by rules about parameters and bodies, and handed to a script: directly, behind a proxy, and by internal redirects of two kinds.
const INSPECTED: &str = "QS_SetEnvIfParp ^(.{0,40}) LINE=$1
QS_BodyData application/octet-stream
SetEnvIf Request_URI . parp=1
ProxyPass /proxied/ http://127.0.0.1:@PORT1@/cgi/
RewriteEngine On
RewriteRule ^/front/(.*) /cgi/$1 [PT]
<Directory @DOCS@/app>
Options FollowSymLinks
RewriteEngine On
RewriteRule ^(.*)$ /cgi/$1
</Directory>
<Directory @DOCS@/hand>
RewriteEngine On
RewriteRule ^(.*)$ http://127.0.0.1:@PORT1@/cgi/$1 [P]
</Directory>
ScriptAlias /later/ @ROOT@/cgi/
<Location /later/>
SetInputFilter DEFLATE
</Location>
<VirtualHost *:@PORT1@>
ScriptAlias /cgi/ @ROOT@/cgi/
SetEnvIf Request_URI . !parp
</VirtualHost>";

const WAYS: [&str; 5] = ["/cgi/hash", "/proxied/hash", "/front/hash", "/app/hash", "/hand/hash"];

fn inspecting() -> Builder {
    let modules = ["proxy", "proxy_http", "rewrite", "deflate"];
    modules.iter().fold(Server::builder(), |builder, name| builder.load(name)).vhost_ports(1).config(INSPECTED).log_env(&[
        "LINE",
        "PARPContentLength",
        "QS_ErrorNotes",
    ])
}

fn start(builder: Builder) -> Server {
    let server = builder.start();
    for folder in ["app", "hand"] {
        std::fs::create_dir(server.docs().join(folder)).unwrap();
    }
    server
}

/// Bytes that have a bit of everything, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn sha256(bytes: &[u8]) -> String {
    let mut sum = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    sum.stdin.take().unwrap().write_all(bytes).unwrap();
    String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap()[..64].to_owned()
}

/// Sizes around what is kept in memory.
const SIZES: [usize; 7] = [0, 1, 8191, 65_537, 1 << 20, (1 << 20) + 1, 5_000_000];

fn head(path: &str, lines: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n{lines}\r\n")
}

fn sized(path: &str, body: &[u8]) -> Vec<u8> {
    [head(path, &format!("Content-Length: {}\r\n", body.len())).as_bytes(), body].concat()
}

fn chunked(path: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = head(path, "Transfer-Encoding: chunked\r\n").into_bytes();
    let mut size = 1;
    let mut rest = body;
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(size.min(rest.len()));
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
        (rest, size) = (behind, (size * 3).min(100_000));
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

#[test]
fn with_a_length_and_in_chunks_on_a_connection_that_is_kept() {
    for mpm in Mpm::ALL {
        let server = start(inspecting().mpm(mpm));
        let mut client = server.client();
        for size in SIZES {
            let body = noise(size);
            let expected = sha256(&body);
            for way in WAYS {
                for (kind, request) in [("sized", sized(way, &body)), ("chunked", chunked(way, &body))] {
                    client.send(request).unwrap();
                    let response = client.read_response().unwrap();
                    let text = response.text();
                    assert_eq!(
                        (response.status, text.get(..64)),
                        (200, Some(expected.as_str())),
                        "{mpm:?} {way} {kind} {size}: {text}\n{}",
                        server.error_log()
                    );
                }
            }
        }
        assert_eq!(server.count_log("mod_qos(0"), server.count_log("mod_qos(009)"), "{}", server.error_log());
        // Each of them was read before. What a request was redirected to has its variables under another name.
        let seen = |size| server.access_log().matches(&format!(" PARPContentLength={size} ")).count();
        let read = || SIZES.iter().filter(|size| **size > 0).all(|size| seen(size) == 2 * (WAYS.len() - 1));
        assert!(wait_until(SECONDS(5), read), "{mpm:?}: {}", server.access_log());
        server.stop();
    }
}

#[test]
fn over_http2_with_and_without_a_length_and_as_an_upload() {
    let server = start(inspecting().http2().tls_config("RewriteEngine On\nRewriteOptions Inherit").expect_crashes());
    let file = server.root().join("body.bin");
    for size in SIZES {
        let body = noise(size);
        std::fs::write(&file, &body).unwrap();
        let (expected, at) = (sha256(&body), format!("@{}", file.display()));
        for way in WAYS {
            for url in [server.url(way), server.tls_url(way)] {
                let with = curl(&["--http2-prior-knowledge", "-H", "Content-Type: application/octet-stream", "--data-binary", &at, &url]);
                assert_eq!(with.out.get(..64), Some(expected.as_str()), "{url} {size}: {with:?}\n{}", server.error_log());
                let upload = format!(
                    "curl -q -sS -k --max-time 20 --http2-prior-knowledge -X POST -H 'Content-Type: application/octet-stream' -T - '{url}' < '{}'",
                    file.display()
                );
                let without = httpd_lab::http2::run("sh", &["-c", &upload]);
                assert_eq!(without.out.get(..64), Some(expected.as_str()), "{url} {size} without a length: {without:?}\n{}", server.error_log());
            }
        }
    }
    assert_eq!(server.count_log("mod_qos(0"), server.count_log("mod_qos(009)"), "{}", server.error_log());
    assert!(!server.error_log().contains("exit signal"), "{}", server.error_log());
}

/// What an administrator has inflated for the application is inflated for it, also where the body was looked at before as it came.
#[test]
fn filters_of_the_application_see_the_body_as_it_came() {
    let server = start(inspecting());
    let body = noise(200_000);
    let mut gzip = Command::new("gzip").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, bytes) = (gzip.stdin.take().unwrap(), body.clone());
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let packed = gzip.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    let lines = format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", packed.len());
    let mut client = server.client();
    for (path, expected) in [("/later/hash", &body), ("/cgi/hash", &packed)] {
        client.send([head(path, &lines).as_bytes(), &packed].concat()).unwrap();
        let text = client.read_response().unwrap().text();
        assert_eq!(text.get(..64), Some(sha256(expected).as_str()), "{path}: {text}\n{}", server.error_log());
    }
    let read = || server.access_log().matches(&format!(" PARPContentLength={} ", packed.len())).count() == 2;
    assert!(wait_until(SECONDS(5), read), "{}", server.access_log());
}
