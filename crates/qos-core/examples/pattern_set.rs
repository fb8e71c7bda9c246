//! What a search for 200 patterns costs. Instructions per search, once from each of two runs:
//!
//! ```text
//! cargo build --release -p qos-core --example pattern_set
//! for n in 0 10000; do valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/examples/pattern_set $n; done
//! ```

use qos_core::pattern::Pattern;
use qos_core::pattern_set::PatternSet;
use std::time::Instant;

const WORDS: [&str; 10] = ["shop", "app", "admin", "login", "search", "report", "cart", "static", "api", "blog"];
const TYPES: [&str; 10] = ["pdf", "zip", "php", "jsp", "cgi", "iso", "mp4", "csv", "bak", "sql"];

/// URLs of about 40 bytes; each one matches some of the patterns.
const URLS: [&str; 5] = [
    "/app/foo7/products/list/item-12345.html",
    "/shop3/category/images/photo_12345.jpeg",
    "/download/manuals/2024/printer-x200.pdf",
    "/api/v2.1/item9/orders/67890/details.php",
    "/static/js/vendor/jquery-3.7.1.min.js",
];

/// Numbers of the kinds that occur in configurations, mixed.
fn pattern(n: usize) -> String {
    let number = n / 10;
    let word = |n: usize| WORDS.get(n % 10).copied().unwrap_or_default();
    let file = TYPES.get(number % 10).copied().unwrap_or_default();
    let (word, other) = (word(number + n), word(number));
    match n % 10 {
        0 => format!("^/{word}/foo[0-9]+/"),
        1 => format!(r"\.{file}$"),
        2 => format!("/({word}|{other})/x{n}"),
        3 => format!(r"^/{word}{number}/.*\.{file}$"),
        4 => format!("^/{word}{n}/"),
        5 => format!("/{word}/{other}{n}"),
        6 => format!("(?i)/{word}{n}/[^/]*/{other}"),
        // What only PCRE can say.
        7 => format!("^/{word}{number}/(?!public)"),
        8 => format!("^/{word}{n}/[a-z]{{2,10}}/[0-9]+(/|$)"),
        _ => format!(r"^/(?:{word}|{other})/v[0-9]+\.[0-9]+/item"),
    }
}

fn main() -> Result<(), String> {
    let searches: usize = std::env::args().nth(1).and_then(|number| number.parse().ok()).unwrap_or(10_000);
    let patterns = (0..200).map(|n| Pattern::new(pattern(n).as_bytes())).collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    let start = Instant::now();
    let set = PatternSet::new(patterns);
    println!("made in {:?}: {:?}", start.elapsed(), set.ways());
    for url in URLS {
        let mut found = Vec::new();
        set.matches(url.as_bytes(), &mut |index| found.push(pattern(index)));
        println!("{url}: {found:?}");
    }
    let start = Instant::now();
    let mut found = 0;
    for url in URLS.iter().cycle().take(searches) {
        set.matches(url.as_bytes(), &mut |_| found += 1);
    }
    println!("{searches} searches in {:?}, {found} matches", start.elapsed());
    Ok(())
}
