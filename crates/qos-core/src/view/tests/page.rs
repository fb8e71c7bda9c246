//! The page and the section in mod_status: fragments that tests of others match on.

use super::super::snapshot::*;
use super::super::{html, status};
use super::fixtures::{e16, full, nothing, options};
use super::markup::check;
use crate::text::Text;

const RED: &str = " style=\"background-color: rgb(240,153,155);\"";

fn page(snapshot: &Snapshot, query: &str) -> String {
    let page = html::render(snapshot, &options(query));
    assert_eq!(check(&page), Ok(()));
    page
}

fn has(page: &str, fragments: &[&str]) {
    for fragment in fragments {
        assert!(page.contains(fragment), "{fragment} is missing in\n{page}");
    }
}

#[test]
fn literal_fragments() {
    let page = page(&full(), "option=ip&address=192.0.2.7");
    has(
        &page,
        &[
            "<title>mod_qos</title>",
            "running in 'log only' mode - rules are NOT enforced",
            "connections: 95",
            "load: 1.33",
            "class=\"prog-bar\"",
            "<td colspan=\"1\">192.0.2.7</td><td colspan=\"2\">24.11.2026 23:45:52</td><td colspan=\"1\">yes</td><td colspan=\"1\">3, 7&nbsp;sec</td><td colspan=\"1\">1, 0&nbsp;sec</td><td colspan=\"1\">4</td><td colspan=\"1\">300&nbsp;ms</td><td colspan=\"1\">yes (0x0c)</td>",
            "<div title=\"QS_SrvMaxConn\">max connections</div></td><td colspan=\"3\">100</td></tr>",
            "<div title=\"QS_SrvMaxConnClose\">max connections with keep-alive</div></td><td colspan=\"3\">95</td></tr>",
            "<div title=\"QS_SrvMaxConnPerIP\">max connections per client ip</div></td><td colspan=\"3\">50</td></tr>",
            "<div title=\"QS_SrvMaxConn\">max connections</div></td><td colspan=\"3\">7</td></tr>",
            "<div title=\"QS_SrvMaxConnClose\">max connections with keep-alive</div></td><td colspan=\"3\">-</td></tr>",
            "<td colspan=\"3\">64/256/124</td></tr>",
            "www.example.net:0 (base)",
            "v.example:18081 (virtual)",
            "-:443 (virtual)",
            "<i>uses base server settings and counters</i>",
            "Tue Nov 24 23:45:52 2026, mod_qos 1.2.3",
            "clients in memory",
            " (conditional)",
        ],
    );
    for title in [
        "QS_ClientEntries",
        "QS_ClientPrefer",
        "QS_VipHeaderName|QS_VipIPHeaderName",
        "QS_ClientEventBlockCount",
        "QS_ClientEventLimitCount (QS_Limit)",
        "QS_ClientEventPerSecLimit",
        "QS_ClientEventRequestLimit",
        "QS_ClientContentTypes",
        "QS_EventLimitCount",
        "QS_SrvMaxConnPerIP",
        "QS_SrvMaxConn|QS_SrvMaxConnClose",
        "QS_SrvMinDataRate|QS_SrvRequestRate",
        "QS_LocRequestLimitMatch|QS_LocRequestLimit|QS_CondLocRequestLimitMatch|QS_EventRequestLimit",
        "QS_LocRequestPerSecLimitMatch|QS_LocRequestPerSecLimit|QS_EventPerSecLimit",
        "QS_LocKBytesPerSecLimitMatch|QS_LocKBytesPerSecLimit",
    ] {
        has(&page, &[&format!("title=\"{title}\"")]);
    }
}

#[test]
fn reached_limits_are_red() {
    let page = page(&full(), "option=ip");
    let red = |cell: &str| page.contains(&format!("<td{RED}{cell}"));
    assert!(red(" colspan=\"3\">95</td>"), "current connections");
    assert!(red(" colspan=\"3\">50</td>"), "connections of an address");
    assert!(!red(" colspan=\"3\">1</td>"));
    assert!(red(" class=\"number\" data-label=\"concurrent, current\">10</td>"));
    assert!(!red(" class=\"number\" data-label=\"concurrent, current\">9</td>"));
    assert!(red(" class=\"number\" data-label=\"kbytes/s, wait rate\">250&nbsp;ms</td>"));
    assert!(red(" class=\"number\">6</td>"), "events");
    has(&page, &["20&nbsp;(log only, would have acted 17&nbsp;times)", "8&nbsp;(log only, would have acted 5&nbsp;times)"]);
    // 14 kbytes/s of 13 would be red, but that was 11 seconds ago; 9 requests/s were 31 seconds ago.
    has(&page, &["<td class=\"number\" data-label=\"kbytes/s, current\">0</td>", "<td class=\"number\" data-label=\"requests/s, current\">0</td>"]);
}

#[test]
fn forms_keep_what_others_set() {
    let page = page(&full(), "option=ip&refresh&address=192.0.2.7");
    has(
        &page,
        &[
            "<span>auto refresh</span><input name=\"option\" value=\"ip\" type=\"hidden\"><input name=\"address\" value=\"192.0.2.7\" type=\"hidden\"><input name=\"action\" value=\"disable\" type=\"submit\"></form>",
            "<span>client ip connections</span><input name=\"option\" value=\"no\" type=\"hidden\"><input name=\"address\" value=\"192.0.2.7\" type=\"hidden\"><input name=\"refresh\" value=\"\" type=\"hidden\"><input name=\"action\" value=\"disable\" type=\"submit\"></form>",
            "<span>search a client ip entry</span><input name=\"option\" value=\"ip\" type=\"hidden\"><input name=\"refresh\" value=\"\" type=\"hidden\"><input name=\"address\" value=\"192.0.2.7\" type=\"text\" aria-label=\"address\"><input name=\"action\" value=\"search\" type=\"submit\"></form>",
            "action=\"/qos\" method=\"get\"",
        ],
    );
    let plain = html::render(&full(), &options(""));
    has(
        &plain,
        &[
            "<span>auto refresh</span><input name=\"refresh\" value=\"\" type=\"hidden\"><input name=\"action\" value=\"enable\" type=\"submit\"></form>",
            "<span>client ip connections</span><input name=\"option\" value=\"ip\" type=\"hidden\"><input name=\"action\" value=\"enable\" type=\"submit\"></form>",
            "value=\"0.0.0.0\" type=\"text\"",
        ],
    );
    // Nothing to search without a client table; no addresses without a limit per address.
    let e16 = html::render(&e16(), &options(""));
    assert!(!e16.contains("search a client ip entry") && !e16.contains("client ip connections"));
}

#[test]
fn what_is_unknown_is_said() {
    let page = page(&nothing(), "");
    has(&page, &["connections: n/a", "load: n/a", "-:0 (base)", "<i>uses base server settings and counters</i>"]);
    let search = Search { entry: None, ..full().search.unwrap() };
    has(&html::render(&Snapshot { search: Some(search), ..full() }, &options("")), &["<td colspan=\"1\">192.0.2.7</td><td colspan=\"8\">not found</td>"]);
}

#[test]
fn words_of_a_search() {
    let entry = |entry: ClientEntry| {
        let search = Search { address: crate::address::Address::from([192, 0, 2, 7]), entry: Some(entry) };
        page(&Snapshot { search: Some(search), ..full() }, "")
    };
    has(
        &entry(ClientEntry { limit: Limited::No, ..ClientEntry::default() }),
        &[
            "<td colspan=\"1\">no</td><td colspan=\"1\">no</td><td colspan=\"1\">no</td><td colspan=\"1\">0</td><td colspan=\"1\">0&nbsp;ms</td><td colspan=\"1\">no (0x00)</td>",
            "events:</div></td><td colspan=\"3\" class=\"number\">off</td>",
        ],
    );
    has(&entry(ClientEntry::default()), &["<td colspan=\"1\">no</td><td colspan=\"1\">off</td>"]);
}

#[test]
fn bars_and_long_texts() {
    let nearly_full = Snapshot { all_connections: Some(360), load: Some(10.9), ..full() };
    let page = page(&nearly_full, "");
    has(&page, &["class=\"prog-bar-limit\" width=\"90\"", "class=\"prog-bar\" width=\"50\""]);
    let text = format!("^/{}$", "long/".repeat(20));
    has(&page, &[&format!("{}<wbr>{}", &text[..65], &text[65..])]);
    assert!(!page.contains("style=\"width"));
}

#[test]
fn the_policy_allows_exactly_what_the_page_has() {
    let policy = html::content_security_policy();
    for part in ["default-src 'none'", "connect-src 'self'", "img-src 'self' data:", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{part}");
    }
    assert_eq!(policy.matches("'sha256-").count(), 3);
    assert!(!policy.contains("unsafe-inline"));
    // The hash of the style attribute, as any tool computes it.
    assert!(policy.contains("'sha256-0lWyzkTbfWKEDsNH9vUmH/tRSC8hmrNdMCBJFzONEGg='"), "{policy}");
    let page = html::render(&full(), &options("option=ip"));
    assert_eq!((page.matches("<style>").count(), page.matches("<script>").count()), (1, 1));
    assert!(page.split("style=\"").skip(1).all(|rest| rest.starts_with("background-color: rgb(240,153,155);\"")));
    assert!(!page.contains("http://") && !page.contains("https://"));
}

#[test]
fn the_icon_is_small_and_square() {
    assert_eq!(html::FAVICON.get(..8), Some([0, 0, 1, 0, 1, 0, 16, 16].as_slice()));
    assert_eq!(html::FAVICON.get(22..26), Some(b"\x89PNG".as_slice()));
}

#[test]
fn the_section_of_mod_status() {
    let section = status::render(&full(), &options("option=ip&address=192.0.2.7"));
    assert_eq!(check(&section), Ok(()));
    has(
        &section,
        &[
            "<hr>",
            "mod_qos&nbsp;1.2.3 ",
            "running in 'log only' mode - rules are NOT enforced",
            "<table border=\"1\"",
            "viewer settings",
            "www.example.net:0 (base)",
            "<div title=\"QS_SrvMaxConn\">max connections</div></td><td colspan=\"3\">100</td></tr>",
            "<td colspan=\"1\">192.0.2.7</td><td colspan=\"2\">24.11.2026 23:45:52</td>",
        ],
    );
    assert!(!section.contains("load: ") && !section.contains("<script") && !section.contains("<style"));
}

#[test]
fn names_of_hosts_are_escaped() {
    let mut snapshot = full();
    snapshot.servers[1].host = Some(Text(b"<script>alert(1)</script>\"&\xff\x01".to_vec()));
    let page = page(&snapshot, "address=%3Cscript%3E%22");
    has(&page, &["&lt;script&gt;alert(1)&lt;/script&gt;&quot;&amp;\\xff\\x01:18081 (virtual)", "value=\"&lt;script&gt;&quot;\""]);
}
