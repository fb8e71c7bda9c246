//! Parameters of header fields: `form-data; name="a"; filename=b` (RFC 2045 section 5.1).

use super::error::Error;
use std::borrow::Cow;

/// The parameters of a field, behind its first `;`.
pub struct Parameters<'a>(&'a [u8]);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// Its name; compared without regard to case.
    pub name: &'a [u8],
    /// What stands between the quotes, or without quotes up to the next `;`.
    pub value: &'a [u8],
    /// Whether there are quotes.
    pub quoted: bool,
}

impl Parameter<'_> {
    /// Whether a `'` stands within a value without quotes, as in `filename=it's`: for some readers a quoted text begins there, but between the two of `filename*=utf-8''x` stands nothing.
    pub fn begins_quote(&self) -> bool {
        !self.quoted && !self.name.ends_with(b"*") && self.value.contains(&b'\'')
    }
}

/// The value before the first `;`, and the parameters behind it.
pub fn split(field: &[u8]) -> (&[u8], Parameters<'_>) {
    let end = field.iter().position(|byte| *byte == b';').unwrap_or(field.len());
    let (value, rest) = field.split_at_checked(end).unwrap_or((field, b""));
    (trim(value), Parameters(rest))
}

/// Without spaces and tabs around it.
pub fn trim(text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(*byte, b' ' | b'\t' | b'\r' | b'\n');
    let begin = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !blank(byte)).map_or(begin, |last| last + 1);
    text.get(begin..end).unwrap_or_default()
}

/// Whether it is a token (RFC 9110 section 5.6.2).
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// Whether a `,` stands outside of quotes.
pub fn has_comma(field: &[u8]) -> bool {
    let (mut quoted, mut bytes) = (false, field.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => drop(bytes.next()),
            b',' if !quoted => return true,
            _ => {}
        }
    }
    false
}

/// The text of a quoted string. Only quotes and backslashes are escaped: others send paths of files with single backslashes.
pub fn unquote(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.windows(2).any(|two| matches!(two, b"\\\"" | b"\\\\")) {
        return Cow::Borrowed(text);
    }
    let (mut plain, mut rest) = (Vec::with_capacity(text.len()), text);
    while let [first, behind @ ..] = rest {
        rest = match rest {
            [b'\\', escaped @ (b'"' | b'\\'), behind @ ..] => {
                plain.push(*escaped);
                behind
            }
            _ => {
                plain.push(*first);
                behind
            }
        };
    }
    Cow::Owned(plain)
}

/// The length of a quoted string up to its closing quote.
fn quoted_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Result<Parameter<'a>, Error>;

    /// A piece without `=` is no parameter, and skipped. What readers end at different places is an error: blanks around the `=`, and quotes or backslashes
    /// elsewhere than in a quoted string, but for an apostrophe within the name of a file, which .NET sends so.
    fn next(&mut self) -> Option<Self::Item> {
        let has_quotes = |text: &[u8]| text.iter().any(|byte| matches!(byte, b'"' | b'\'' | b'\\'));
        loop {
            let begin = self.0.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b';'))?;
            let text = self.0.get(begin..)?;
            let end = text.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(text.len());
            let (name, rest) = text.split_at_checked(end)?;
            let Some(rest) = rest.strip_prefix(b"=") else {
                if has_quotes(name) {
                    return self.wrong();
                }
                self.0 = rest;
                continue;
            };
            if !is_token(name) || name.contains(&b'\'') || matches!(rest, [b' ' | b'\t', ..]) {
                return self.wrong();
            }
            let (value, rest, quoted) = match rest.strip_prefix(b"\"") {
                Some(inside) => {
                    let Some((value, rest)) = quoted_length(inside).and_then(|length| inside.split_at_checked(length)) else { return self.wrong() };
                    // `"a\\"`: for some readers a backslash before a quote makes a part of the text of it, whatever is before the two.
                    if value.ends_with(b"\\") {
                        return self.wrong();
                    }
                    (value, rest.get(1..)?, true)
                }
                None => {
                    let end = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
                    let (value, rest) = rest.split_at_checked(end)?;
                    let may_have_apostrophes = match value.iter().filter(|byte| **byte == b'\'').count() {
                        0 => true,
                        // `filename*=UTF-8''x`: with another number a quoted text begins in it, for readers that know quotes of this kind.
                        number if name.ends_with(b"*") => number == 2,
                        _ => name.eq_ignore_ascii_case(b"filename") && !value.starts_with(b"'"),
                    };
                    if !may_have_apostrophes || value.iter().any(|byte| matches!(byte, b'"' | b'\\')) {
                        return self.wrong();
                    }
                    (trim(value), rest, false)
                }
            };
            // `"a"b`: readers differ about what that is.
            if trim(rest).first().is_some_and(|byte| *byte != b';') {
                return self.wrong();
            }
            self.0 = rest;
            return Some(Ok(Parameter { name, value, quoted }));
        }
    }
}

impl<'a> Parameters<'a> {
    /// Nothing is read behind an error.
    fn wrong(&mut self) -> Option<Result<Parameter<'a>, Error>> {
        self.0 = b"";
        Some(Err(Error::Header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(field: &str) -> Result<Vec<(String, String)>, Error> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        split(field.as_bytes()).1.map(|parameter| parameter.map(|found| (text(found.name), text(&unquote(found.value))))).collect()
    }

    fn pairs(of: &[(&str, &str)]) -> Result<Vec<(String, String)>, Error> {
        Ok(of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn parameters_are_told_apart() {
        assert_eq!(split(b" form-data ;x").0, b"form-data");
        assert_eq!(read("a; b=c; D=\"e;f\" ;; g ; h=i j ;"), pairs(&[("b", "c"), ("D", "e;f"), ("h", "i j")]));
        assert_eq!(read(r#"a; n="x\"y"; f="C:\dir\new.txt""#), pairs(&[("n", "x\"y"), ("f", r"C:\dir\new.txt")]));
        assert_eq!(read(r#"a; n="\\x"; f="""#), pairs(&[("n", "\\x"), ("f", "")]));
        assert_eq!(read("a"), pairs(&[]));
        assert_eq!(read("a; f*=UTF-8''%3Cy"), pairs(&[("f*", "UTF-8''%3Cy")]));
        assert_eq!(read("a; FileName=it's.txt; b=c"), pairs(&[("FileName", "it's.txt"), ("b", "c")]));
        let apostrophes = |field: &str| split(field.as_bytes()).1.filter_map(Result::ok).filter(Parameter::begins_quote).count();
        assert_eq!(["a; filename=it's; b=c", "a; filename=\"it's\"", "a; filename*=utf-8''x"].map(apostrophes), [1, 0, 0]);
        for bad in [
            "a; b=\"c",
            "a; b=\"c\"d",
            "a; b=\"c\\\"",
            "a; b =c",
            "a; b= c",
            "a; b='c; d=e'",
            "a; b=c'd",
            "a; filename='c",
            "a; filename= 'c",
            "a; b=c\"d",
            "a; b=c\\d",
            "a; \"; b=c; \"",
            "a; '; b=c",
            "a; =c",
            "a; b c=d",
            "a; b*=\"c\"d",
            "a; b*=utf-8'c",
            "a; b'=c",
            r#"a; b="\\"; c=d"#,
            r#"a; b="c\\"; d=e"#,
            "a; b*=utf-8''c'",
        ] {
            assert_eq!(read(bad), Err(Error::Header), "{bad}");
        }
    }

    #[test]
    fn commas_outside_of_quotes() {
        assert!(has_comma(b"a/b, c/d") && !has_comma(b"a/b; x=\"1,2\"") && has_comma(b"a/b; x=\"\\\"\", c/d") && !has_comma(b""));
    }
}
