//! Who may connect: QS_SrvMaxConn, QS_SrvMaxConnPerIP and their exceptions
//! (connection-client.md sections 6.2 to 6.9, examples E1 to E5).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use httpd_lab::{Builder, Module, Mpm, RawClient, Server, wait_until};
use std::time::Duration;

/// The configuration that the README explains, as written.
const SEED: &str = "<ifmodule mod_qos.c>
QS_ClientEntries 100000
QS_SrvMaxConnPerIP 50
MaxClients 256
QS_SrvMaxConnClose 180
QS_SrvMinDataRate 150 1000
# LimitRequestFields 30
# QS_LimitRequestBody 102400
</ifmodule>";

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn ours(mpm: Mpm) -> Builder {
    Server::builder().mpm(mpm).module(Module::Ours)
}

/// A connection that was served once and is kept open; `None` if it was closed without an answer.
fn hold(server: &Server, from: &str) -> Option<RawClient> {
    let mut client = server.client_from(from);
    client.get("/small.txt").ok().filter(|response| response.status == 200).map(|_| client)
}

#[test]
fn the_51st_connection_of_one_address_is_refused_and_the_hog_is_served_again_when_it_closes_one() {
    for mpm in Mpm::ALL {
        let server = ours(mpm).config(SEED).config("KeepAliveTimeout 60").workers(256).start();
        let mut held = (0..50).map(|n| hold(&server, "127.0.9.1").unwrap_or_else(|| panic!("{mpm:?}: connection {n}"))).collect::<Vec<_>>();
        assert!(hold(&server, "127.0.9.1").is_none(), "{mpm:?}: the 51st");
        assert!(
            server.wait_for_log("mod_qos(031): access denied, QS_SrvMaxConnPerIP rule: max=50, concurrent connections=51, c=127.0.9.1", SECONDS(5)),
            "{mpm:?}"
        );
        assert!(hold(&server, "127.0.9.2").is_some(), "{mpm:?}: others are served");
        drop(held.pop());
        assert!(wait_until(SECONDS(5), || hold(&server, "127.0.9.1").map(|client| held.push(client)).is_some()), "{mpm:?}: served again");
        assert!(held.iter().all(RawClient::is_open), "{mpm:?}");
        server.stop();
    }
}
