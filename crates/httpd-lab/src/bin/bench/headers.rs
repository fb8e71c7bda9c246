//! Instructions that header filters add to a browser's request: exact, and the same on each machine of one architecture.

use crate::instructions::{self, Extra, per_request};
use crate::options::Options;
use crate::table::{Bar, Table, grouped};
use crate::variant;
use httpd_lab::Module;

/// What a filter of requests may cost, as a ratio.
const BAR: f64 = 1.15;

/// What a browser sends besides the host.
pub const BROWSER: [&str; 16] = [
    "Connection: keep-alive",
    "Cache-Control: max-age=0",
    "sec-ch-ua: \"Google Chrome\";v=\"131\", \"Chromium\";v=\"131\", \"Not_A Brand\";v=\"24\"",
    "sec-ch-ua-mobile: ?0",
    "sec-ch-ua-platform: \"Windows\"",
    "Upgrade-Insecure-Requests: 1",
    "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-User: ?1",
    "Sec-Fetch-Dest: document",
    "Referer: https://www.example.com/list?page=2&sort=name",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: de-CH,de;q=0.9,en-US;q=0.8,en;q=0.7",
    "Cookie: _ga=GA1.2.1234567890.1700000000; sid=s%3AabcDEF-123_~.sig; theme=dark",
];

/// The filters. The original drops most of what browsers send.
const FILTERS: [(&str, &str); 3] = [
    ("QS_RequestHeaderFilter on", "QS_RequestHeaderFilter on"),
    ("QS_RequestHeaderFilter size", "QS_RequestHeaderFilter size"),
    ("both filters on", "QS_RequestHeaderFilter on\n<Location />\nQS_ResponseHeaderFilter on\n</Location>"),
];

pub fn measure(options: &Options) {
    let n = options.pick(1000, 200);
    let mut table = Table::new(
        &format!("Instructions per keep-alive request with {} headers, prefork in one process ({n} requests)", BROWSER.len() + 1),
        &["variant", "filter", "no module", "with filter", "ratio", "bar for ours"],
    );
    let without = per_request(Module::None, "", n, Extra::Browser);
    for module in options.modules.iter().filter(|module| **module != Module::None) {
        for (name, config) in FILTERS {
            let with = per_request(*module, &format!("LogLevel qos:crit\n{config}"), n, Extra::Browser);
            let ratio = with / without;
            let judged = if *module == Module::Ours { Bar::AtMost(BAR).judge(Some(ratio)) } else { String::new() };
            table.row(vec![variant::name(*module).to_owned(), name.to_owned(), grouped(without, 0), grouped(with, 0), format!("{ratio:.3}"), judged]);
        }
    }
    table.print();
    if options.profile {
        instructions::profile_of(Module::Ours, "", FILTERS[0].1, n, Extra::Browser);
    }
}
