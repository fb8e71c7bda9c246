//! A slow line between a client and the server: a relay that takes the server's bytes at a steady rate.
//!
//! On loopback a segment has up to 64 KB, and a client that reads slowly opens its window in steps of that size. A
//! real line carries segments of 1460 bytes, and so does this one.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use httpd_lab::ConnectOptions;

/// The segment size of Ethernet.
const SEGMENT: u32 = 1460;

/// How often bytes are taken.
const EVERY: Duration = Duration::from_millis(100);

/// Opens a line for one connection; the client connects to the address returned. The server sees it come from `from`.
pub fn open(server: SocketAddr, from: Ipv4Addr, bytes_per_second: usize) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let addr = listener.local_addr().expect("a bound socket");
    std::thread::spawn(move || {
        let Ok((client, _)) = listener.accept() else { return };
        let Ok(server) = connect(server, from) else { return };
        let (up_from, up_to) = (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
        let up = std::thread::spawn(move || carry_up(up_from, up_to));
        carry_down(&server, &client, bytes_per_second);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
        let _ = up.join();
    });
    addr
}

fn connect(server: SocketAddr, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = ConnectOptions::default().from(from).unconnected(server)?;
    socket.set_tcp_mss(SEGMENT)?;
    socket.connect(&server.into())?;
    Ok(socket.into())
}

/// What the client says goes at once.
fn carry_up(mut client: TcpStream, mut server: TcpStream) {
    let _ = std::io::copy(&mut client, &mut server);
    let _ = server.shutdown(Shutdown::Write);
}

/// What the server says goes at the rate of the line.
fn carry_down(mut server: &TcpStream, mut client: &TcpStream, bytes_per_second: usize) {
    let start = Instant::now();
    let mut buffer = [0; 4096];
    let mut carried = 0;
    loop {
        let allowed = (start.elapsed().as_secs_f64() * bytes_per_second as f64) as usize;
        // A pause in what the server says does not save up for later.
        carried = carried.max(allowed.saturating_sub(bytes_per_second));
        let most = (allowed - carried.min(allowed)).min(buffer.len());
        if most == 0 {
            std::thread::sleep(EVERY);
            continue;
        }
        match server.read(&mut buffer[..most]) {
            Ok(n) if n > 0 && client.write_all(&buffer[..n]).is_ok() => carried += n,
            _ => return,
        }
    }
}
