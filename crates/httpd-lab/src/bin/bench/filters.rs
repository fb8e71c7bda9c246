//! Instructions per request with 100 deny rules, alone and with 20 URL limits, client limits and the filter of request headers.

use httpd_lab::Module;

use crate::clients;
use crate::instructions::{self, Extra, per_request};
use crate::options::Options;
use crate::table::{Bar, Cells, Table};

/// How many there are.
const RULES: u32 = 100;
const LIMITS: u32 = 20;

/// Rules as administrators write them, two of ten with a look-around; one section holds them, another one, inside, two more.
fn rules() -> String {
    let one = |n: u32| match n % 10 {
        0 => format!("QS_DenyRequestLine +r{n} deny \"[\\x00-\\x08]{n}\""),
        1 => format!("QS_DenyPath +r{n} deny \"^/admin{n}\""),
        2 => format!("QS_DenyPath +r{n} deny \"\\.(bak|old|save){n}$\""),
        3 => format!("QS_DenyQuery +r{n} deny \"union\\s+(all\\s+)?select.{{0,20}}t{n}\""),
        4 => format!("QS_DenyQuery +r{n} deny \"<(script|iframe|object)[^>]*{n}>\""),
        5 => format!("QS_DenyQuery +r{n} deny \"(drop|alter|truncate)\\s+table\\s+t{n}\""),
        6 => format!("QS_DenyQuery +r{n} deny \"exec.+\\(.*{n}\""),
        7 => format!("QS_DenyQuery +r{n} deny \"on(error|load|click){n}\\s*=(?!x)\""),
        8 => format!("QS_DenyQuery +r{n} deny \"\\b(or|and)\\b\\s+{n}\\s*=\\s*{n}(?!\\d)\""),
        _ => format!("QS_DenyQuery +r{n} deny \"(\\.\\./){{2,}}etc/f{n}\""),
    };
    let all = (0..RULES).map(|n| format!("{}\n", one(n))).collect::<String>();
    format!(
        "<Location />\nQS_InvalidUrlEncoding deny\n{all}</Location>\n<LocationMatch small>\nQS_DenyPath +s1 deny xyz\nQS_DenyPath -r1 deny x\n</LocationMatch>\n"
    )
}

/// The same with everything else that a request may meet.
fn all() -> String {
    let limits = (0..LIMITS).map(|n| format!("QS_LocRequestLimitMatch ^/(app|shop){n}/ 100\n")).collect::<String>();
    rules() + &limits + &clients::limits(100_000) + "\nQS_RequestHeaderFilter on\n"
}

pub fn measure(options: &Options) {
    let n = options.pick(1000, 200);
    let mut table = Table::of_variants(&format!("Instructions, {RULES} deny rules, prefork in one process ({n} requests)"), "keep-alive request");
    let query = Extra::Queries;
    for (name, config, extra, bar) in [
        ("deny rules", rules(), Extra::Requests, None),
        ("deny rules, with a query", rules(), query, None),
        ("deny rules, 20 URL limits, client limits, header filter, with a query", all(), query, Some(Bar::AtMost(2.0))),
    ] {
        let config_of = |module| if module == Module::None { "" } else { config.as_str() };
        let cells: Cells = options.modules.iter().map(|module| (*module, per_request(*module, config_of(*module), n, extra))).collect();
        table.compare(name, &cells, 0, bar);
    }
    table.print();
    if options.profile {
        instructions::profile_of(Module::Ours, "", &rules(), n, query);
    }
}
