//! The CSV of the original: lines with decimal start, decimal end and country (section 10.1).

use super::country::Country;
use super::error::GeoError;
use super::table::{Aliases, Table};
use super::{Database, Kind};
use crate::config::printable;

const NO_RANGE: &str = "has no range; expected three fields as in \"16777216\",\"16777471\",\"AU\"";

/// Reads all lines, so that the error can tell how many are wrong.
pub(super) fn read(bytes: &[u8]) -> Result<Database, GeoError> {
    let mut table = Table::new();
    let mut wrong: Option<(usize, &[u8], &'static str)> = None;
    let mut bad = 0;
    // The first address that no line before has taken, and the start of the line before.
    let (mut free, mut last_start) = (0u64, 0u64);
    for (index, line) in bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|b| *b == b'\n').enumerate() {
        let checked = fields(line).ok_or(NO_RANGE).and_then(|fields| check(fields, free, last_start));
        match checked {
            Ok((start, end, country)) => {
                // The gap before, then the range; what follows is unknown until a line says more.
                table.push(start, country);
                if let Some(next) = end.checked_add(1) {
                    table.push(next, None);
                }
                (free, last_start) = (u64::from(end) + 1, u64::from(start));
            }
            Err(problem) => {
                bad += 1;
                wrong.get_or_insert((index + 1, line, problem));
            }
        }
    }
    if let Some((number, line, problem)) = wrong {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        return Err(GeoError::Line { number, text: printable(line), problem, bad });
    }
    table.shrink();
    Ok(Database { kind: Kind::Csv, v4: table, v6: Table::new(), aliases: Aliases::default() })
}

/// A range as found in a line; `None` is a number beyond 64 bits.
type Fields = (Option<u64>, Option<u64>, Option<Country>);

fn check((start, end, country): Fields, free: u64, last_start: u64) -> Result<(u32, u32, Option<Country>), &'static str> {
    let number = |value: Option<u64>| value.and_then(|value| u32::try_from(value).ok());
    let (Some(start), Some(end)) = (number(start), number(end)) else {
        return Err("has an address above 4294967295");
    };
    if end < start {
        return Err("ends before it starts");
    }
    if u64::from(start) < last_start {
        return Err("starts before the line above; lines have to be sorted by their start");
    }
    if u64::from(start) < free {
        return Err("overlaps a line above");
    }
    Ok((start, end, country))
}

/// The first place where `"digits","digits","CC"` stands.
fn fields(line: &[u8]) -> Option<Fields> {
    let mut rest = line;
    while let Some(quote) = rest.iter().position(|b| *b == b'"') {
        rest = rest.get(quote + 1..)?;
        if let Some(found) = range(rest) {
            return Some(found);
        }
    }
    None
}

/// `digits","digits","CC"`, what follows an opening quote.
fn range(text: &[u8]) -> Option<Fields> {
    let (start, rest) = digits(text)?;
    let (end, rest) = digits(rest.strip_prefix(b"\",\"")?)?;
    let rest = rest.strip_prefix(b"\",\"")?;
    let (code, country) = match rest {
        [b'-', b'"', ..] => return Some((start, end, None)),
        [a, b, b'"', ..] => ([*a, *b], Country::parse(&[*a, *b])?),
        _ => return None,
    };
    (country.code() == code).then_some((start, end, Some(country)))
}

fn digits(text: &[u8]) -> Option<(Option<u64>, &[u8])> {
    let len = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(len).filter(|_| len > 0)?;
    let value = digits.iter().try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::super::{Country, Database, GeoError};
    use crate::address::Address;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Database, String> {
        Database::read(text.as_bytes().to_vec()).map_err(|error| error.to_string())
    }

    fn country(database: &Database, address: &str) -> String {
        database.country(Address::parse(address.as_bytes()).unwrap()).map_or_else(|| "none".to_owned(), |country| country.to_string())
    }

    #[test]
    fn lines_with_and_without_further_fields() {
        let database =
            read("\"1.0.0.0\",\"1.0.0.255\",\"16777216\",\"16777471\",\"AU\",\"Australia\"\r\n\"16777472\",\"16778239\",\"CN\"\n\"16778240\",\"16779263\",\"-\",\"-\"\nx,\"4294967295\",\"4294967295\",\"A1\"")
                .unwrap();
        for (address, expected) in [
            ("0.255.255.255", "none"),
            ("1.0.0.0", "AU"),
            ("1.0.0.255", "AU"),
            ("1.0.1.0", "CN"),
            ("1.0.3.255", "CN"),
            ("1.0.4.1", "none"),
            ("255.255.255.255", "A1"),
            ("255.255.255.254", "none"),
            ("::ffff:1.0.0.7", "AU"),
            ("::1.0.0.7", "none"),
            ("2001:db8::1", "none"),
        ] {
            assert_eq!(country(&database, address), expected, "{address}");
        }
        assert_eq!(database.country(Address::NONE), None);
        assert_eq!(database.ranges(), (3, 0));
    }

    #[test]
    fn wrong_lines_are_named_and_counted() {
        const GOOD: &str = "\"10\",\"20\",\"CH\"\n";
        for (line, problem) in [
            ("", "has no range"),
            ("10,20,CH", "has no range"),
            ("\"30\", \"40\",\"CH\"", "has no range"),
            ("\"30\",\"40\",\"ch\"", "has no range"),
            ("\"30\",\"40\",\"CHE\"", "has no range"),
            ("\"30\",\"40\",\"\"", "has no range"),
            ("\"30\",\"\",\"CH\"", "has no range"),
            ("\"40\",\"30\",\"CH\"", "ends before it starts"),
            ("\"9\",\"9\",\"CH\"", "starts before the line above"),
            ("\"20\",\"40\",\"CH\"", "overlaps"),
            ("\"10\",\"20\",\"CH\"", "overlaps"),
            ("\"30\",\"4294967296\",\"CH\"", "above 4294967295"),
            ("\"30\",\"99999999999999999999999999999\",\"CH\"", "above 4294967295"),
        ] {
            let error = read(&format!("{GOOD}{line}\n\"50\",\"60\",\"DE\"\nwrong\n")).unwrap_err();
            assert!(error.starts_with("line 2: '") && error.contains(problem) && error.ends_with("(2 lines are wrong)"), "{line:?}: {error}");
        }
        assert_eq!(
            read("a\x1b<b>\n").unwrap_err(),
            "line 1: 'a\\x1b<b>' has no range; expected three fields as in \"16777216\",\"16777471\",\"AU\" (1 line is wrong)"
        );
        assert_eq!(Database::read(Vec::new()), Err(GeoError::Empty));
        assert!(read("\n").is_err() && read(&format!("{GOOD}\n\n")).unwrap_err().contains("line 2"));
    }

    proptest! {
        /// Against a plain walk over the ranges, at every edge.
        #[test]
        fn look_ups_find_what_the_lines_say(steps in proptest::collection::vec((1u32..1000, 0u32..1000, "[A-C][A-B]|-"), 1..60)) {
            let (mut text, mut ranges, mut next) = (String::new(), Vec::new(), 0u32);
            for (gap, length, code) in steps {
                let (start, end) = (next + gap - 1, next + gap - 1 + length);
                text.push_str(&format!("\"{start}\",\"{end}\",\"{code}\"\n"));
                ranges.push((start, end, Country::parse(code.as_bytes())));
                next = end + 1;
            }
            let database = Database::read(text.into_bytes()).unwrap();
            for key in ranges.iter().flat_map(|(start, end, _)| [start.saturating_sub(1), *start, *end, end + 1]) {
                let expected = ranges.iter().find(|(start, end, _)| (*start..=*end).contains(&key)).and_then(|range| range.2);
                prop_assert_eq!(database.country(Address::from(key.to_be_bytes())), expected);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Err(error) = Database::read(bytes) {
                prop_assert!(error.to_string().bytes().all(|b| (0x20..0x7f).contains(&b)));
            }
        }
    }
}
