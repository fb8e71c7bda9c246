//! What the packets of a server look like on the wire.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

/// Packets of all interfaces, from now on. Needs the rights of root.
#[derive(Debug)]
pub struct Packets(Socket);

impl Packets {
    /// Begins to listen.
    pub fn listen() -> io::Result<Self> {
        let all = Protocol::from(i32::from((libc::ETH_P_ALL as u16).to_be()));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(all))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        Ok(Self(socket))
    }

    /// Types of service (IPv4) or traffic classes (IPv6) of packets with data that came from a TCP port, until `enough` of them, at most `limit`.
    pub fn services(&mut self, port: u16, limit: Duration, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let (end, mut seen, mut packet) = (Instant::now() + limit, Vec::new(), [0; 256]);
        while !enough(&seen) && Instant::now() < end {
            let length = self.0.read(&mut packet).unwrap_or(0);
            seen.extend(service(&packet[..length], port));
        }
        seen
    }
}

/// The service of an IP packet with TCP data from a port.
fn service(packet: &[u8], from: u16) -> Option<u8> {
    let number = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
    let (service, tcp, end) = match packet.first()? >> 4 {
        4 if packet.get(9) == Some(&6) => (*packet.get(1)?, usize::from(packet.first()? & 15) * 4, usize::from(number(2)?)),
        6 if packet.get(6) == Some(&6) => ((packet.first()? << 4) | (packet.get(1)? >> 4), 40, 40 + usize::from(number(4)?)),
        _ => return None,
    };
    let data = tcp + usize::from(packet.get(tcp + 12)? >> 4) * 4;
    (number(tcp)? == from && end > data).then_some(service)
}
