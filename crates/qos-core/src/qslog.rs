//! The line that `QSLog` pipes to its program (connection-client.md section 13.4).

/// What the program is started with, behind its name.
pub const ARGUMENTS: &[u8] = b" -f ISBiDUkEQaC";

/// One request; `None` is written as `-`.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The client's address as httpd shows it.
    pub client: &'a [u8],
    /// Status of the response.
    pub status: u16,
    /// Bytes of the response's body.
    pub sent: u64,
    /// Content-Length of the request, as sent by the client.
    pub content_length: Option<&'a [u8]>,
    /// Microseconds.
    pub duration: u64,
    /// Variable `mod_qos_user_id`.
    pub user_id: Option<&'a [u8]>,
    /// Requests before this one on the connection.
    pub keep_alive: u32,
    /// Variable `Event`.
    pub event: Option<&'a [u8]>,
    /// Variable `mod_qos_ev`.
    pub letters: Option<&'a [u8]>,
    /// Variable `QS_AllConn`.
    pub all_connections: Option<&'a [u8]>,
    /// Name of the server.
    pub server: &'a [u8],
    /// Path of the request.
    pub uri: &'a [u8],
}

impl Line<'_> {
    /// The line with its end. No byte that a client sends leaves its field.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(160 + self.uri.len());
        let number = |line: &mut Vec<u8>, value: u64| {
            line.extend_from_slice(value.to_string().as_bytes());
            line.push(b' ');
        };
        word(&mut line, Some(self.client));
        number(&mut line, u64::from(self.status));
        number(&mut line, self.sent);
        word(&mut line, self.content_length);
        number(&mut line, self.duration);
        word(&mut line, self.user_id);
        number(&mut line, u64::from(self.keep_alive));
        word(&mut line, self.event);
        word(&mut line, self.letters);
        word(&mut line, self.all_connections);
        line.push(b'\'');
        escape(&mut line, self.server, false);
        line.push(b':');
        escape(&mut line, self.uri, false);
        line.extend_from_slice(b"'\n");
        line
    }
}

/// One field and the blank behind it; nothing at all is `-` (W59).
fn word(line: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None | Some([]) => line.push(b'-'),
        Some(value) => escape(line, value, true),
    }
    line.push(b' ');
}

/// As httpd escapes in its access log, and the quote that ends the last field.
fn escape(line: &mut Vec<u8>, text: &[u8], blanks: bool) {
    for byte in text {
        match byte {
            b'"' => line.extend_from_slice(b"\\\""),
            b'\'' => line.extend_from_slice(b"\\x27"),
            b' ' if blanks => line.extend_from_slice(b"\\x20"),
            b'\x08' => line.extend_from_slice(b"\\b"),
            b'\x0b' => line.extend_from_slice(b"\\v"),
            byte => line.extend(std::ascii::escape_default(*byte)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOTHING: Line<'_> = Line {
        client: b"192.0.2.7",
        status: 200,
        sent: 0,
        content_length: None,
        duration: 1234,
        user_id: None,
        keep_alive: 0,
        event: None,
        letters: None,
        all_connections: None,
        server: b"www.example.net",
        uri: b"/",
    };

    #[test]
    fn what_is_missing_is_a_dash() {
        assert_eq!(NOTHING.render(), b"192.0.2.7 200 0 - 1234 - 0 - - - 'www.example.net:/'\n");
    }

    #[test]
    fn a_full_line() {
        let line = Line {
            content_length: Some(b"12"),
            sent: 99,
            user_id: Some(b"u1"),
            keep_alive: 3,
            event: Some(b"Login"),
            letters: Some(b"D;S;"),
            all_connections: Some(b"7"),
            uri: b"/a b/it's\"\\\n\xff",
            ..NOTHING
        };
        assert_eq!(line.render(), b"192.0.2.7 200 99 12 1234 u1 3 Login D;S; 7 'www.example.net:/a b/it\\x27s\\\"\\\\\\n\\xff'\n");
    }

    proptest! {
        #[test]
        fn every_line_has_eleven_fields(user in proptest::collection::vec(any::<u8>(), 0..20), length in proptest::collection::vec(any::<u8>(), 0..20), uri in proptest::collection::vec(any::<u8>(), 0..40)) {
            let line = Line { user_id: Some(&user), content_length: Some(&length), uri: &uri, ..NOTHING }.render();
            let text = String::from_utf8(line).unwrap();
            prop_assert_eq!(text.matches('\n').count(), 1);
            let (head, tail) = text.split_once(" '").unwrap();
            prop_assert_eq!(head.split(' ').count(), 10);
            prop_assert_eq!(tail.matches('\'').count(), 1);
        }
    }
}
