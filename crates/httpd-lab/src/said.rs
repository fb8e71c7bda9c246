//! What a server says of its clients, and what they hear of it.

use std::io::ErrorKind;
use std::time::Duration;

use crate::client::{RawClient, Response};
use crate::server::{HARNESS_ADDRESS, Server};
use crate::wait_until;

/// How long a line may take to be written.
const SOON: Duration = Duration::from_secs(5);

/// Is `text` what the pattern says, in which each `#` stands for a number and each `*` for anything without a blank or comma?
pub fn matches(text: &str, pattern: &str) -> bool {
    let Some(place) = pattern.find(['#', '*']) else { return text == pattern };
    let Some(rest) = text.strip_prefix(&pattern[..place]) else { return false };
    let number = pattern[place..].starts_with('#');
    let end = rest.find(|c: char| if number { !c.is_ascii_digit() } else { matches!(c, ' ' | ',') }).unwrap_or(rest.len());
    end > 0 && matches(&rest[end..], &pattern[place + 1..])
}

/// The variables by which a request says in its query what it is: `/path?QS_Limit=3&QS_Cond=x`, as configuration text.
pub fn by_query(variables: &[&str]) -> String {
    let line = |name: &&str| format!("SetEnvIfExpr \"%{{QUERY_STRING}} =~ /(?:^|&){name}=([^&]*)/\" {name}=$1\n");
    variables.iter().map(line).collect()
}

impl Server {
    /// The lines of the error log with this id, from `mod_qos(` on.
    pub fn lines(&self, id: &str) -> Vec<String> {
        let start = format!("mod_qos({id}): ");
        self.error_log().lines().filter_map(|line| Some(line[line.find(&start)?..].to_owned())).collect()
    }

    /// Waits for a line of the error log that the pattern describes from `mod_qos(` on, see [`matches`].
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn expect_line(&self, pattern: &str) {
        let id = pattern.split(['(', ')']).nth(1).unwrap_or_default();
        let there = || self.lines(id).iter().any(|line| matches(line, pattern));
        assert!(wait_until(SOON, there), "no line '{pattern}' in {:#?}", self.lines(id));
    }

    /// The line of the access log for the request to `path`, which is asked for once only.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn logged(&self, path: &str) -> String {
        let request = format!(" {path} HTTP/");
        assert!(self.wait_for_access(&request, SOON), "{path}: {}", self.access_log());
        self.access_log().lines().find(|line| line.contains(&request)).unwrap_or_default().to_owned()
    }

    /// Waits until so many requests are being worked on, and a moment longer, so that the last one has come to where it waits.
    ///
    /// # Panics
    /// When they do not become so many.
    #[track_caller]
    pub fn wait_busy(&self, requests: usize) {
        let busy = || {
            let text = self.ask(&HARNESS_ADDRESS.to_string(), "/server-status?auto", &[]).map(|response| response.text()).unwrap_or_default();
            // The one that asks is one of them.
            text.lines().find_map(|line| line.strip_prefix("Scoreboard: ")).map_or(0, |board| board.matches('W').count()) == requests + 1
        };
        assert!(wait_until(SOON * 2, busy), "not {requests} requests at work: {}", self.access_log());
        std::thread::sleep(Duration::from_millis(50));
    }

    /// The answer to a request on a connection of its own from `from`; `None`: closed without a byte.
    ///
    /// # Panics
    /// When there is neither an answer nor an end.
    #[track_caller]
    pub fn ask(&self, from: &str, path: &str, headers: &[&str]) -> Option<Response> {
        let mut client = self.client_from(from);
        answer(client.request("GET", path, &[&["Connection: close"], headers].concat(), b""))
    }

    /// The status of [`Server::ask`].
    #[track_caller]
    pub fn status(&self, from: &str, path: &str) -> Option<u16> {
        self.ask(from, path, &[]).map(|response| response.status)
    }
}

/// What became of a request: `None` when the connection was closed without a byte.
///
/// # Panics
/// When it is neither answered nor closed.
#[track_caller]
pub fn answer(result: std::io::Result<Response>) -> Option<Response> {
    match result {
        Ok(response) => Some(response),
        Err(error) => {
            let closed = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::ConnectionAborted];
            assert!(closed.contains(&error.kind()), "{error}");
            None
        }
    }
}

/// Connections from one address that are held, and the answer to a first request on each.
pub fn hold(server: &Server, from: &str, count: usize) -> Vec<RawClient> {
    let one = |n| {
        let mut client = server.client_from(from);
        answer(client.get("/small.txt")).unwrap_or_else(|| panic!("connection {n} of {from} is refused:\n{}", server.error_log()));
        client
    };
    (0..count).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        assert!(matches("max=3, age=12, id=aB-_", "max=3, age=#, id=*"));
        assert!(!matches("max=3, age=, id=x", "max=3, age=#, id=*"));
        assert!(!matches("max=3, age=1, id=x y", "max=3, age=#, id=*"));
        assert!(!matches("max=3, age=1", "max=3, age=#, id=*"));
    }
}
