//! A strict look at the HTML that we write: every element is closed, every attribute quoted.

const VOID: [&str; 6] = ["meta", "link", "input", "br", "wbr", "hr"];

/// Checks a document or fragment; the error says where.
pub fn check(html: &str) -> Result<(), String> {
    let mut open = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").unwrap_or(html);
    while let Some(at) = rest.find(['<', '>']) {
        let tag = rest[at..].strip_prefix('<').ok_or_else(|| near("'>' outside of a tag", rest, at))?;
        text(&rest[..at])?;
        let end = tag_end(tag).ok_or_else(|| near("a tag without end", rest, at))?;
        let (content, behind) = (&tag[..end], &tag[end + 1..]);
        rest = behind;
        if let Some(name) = content.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(near(&format!("</{name}> closes nothing"), html, html.len() - rest.len()));
            }
            continue;
        }
        let (content, closed) = content.strip_suffix('/').map_or((content, false), |content| (content, true));
        let name = content.split(' ').next().unwrap_or_default();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
            return Err(near("no element", rest, 0));
        }
        attributes(&content[name.len()..])?;
        if name == "style" || name == "script" {
            let end = format!("</{name}>");
            rest = &rest[rest.find(&end).ok_or("raw text without end")? + end.len()..];
        } else if !closed && !VOID.contains(&name) {
            open.push(name);
        }
    }
    text(rest)?;
    if open.is_empty() { Ok(()) } else { Err(format!("not closed: {open:?}")) }
}

fn near(problem: &str, text: &str, at: usize) -> String {
    format!("{problem} near {:?}", text[at..].chars().take(80).collect::<String>())
}

fn tag_end(tag: &str) -> Option<usize> {
    let mut quoted = false;
    tag.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == '>' && !quoted).then_some(at)
    })
}

fn attributes(text: &str) -> Result<(), String> {
    let mut rest = text;
    while !rest.is_empty() {
        let attribute = rest.strip_prefix(' ').ok_or_else(|| near("no blank before an attribute", rest, 0))?;
        let (name, value) = attribute.split_once("=\"").ok_or_else(|| near("an attribute without value", rest, 0))?;
        if !name.chars().all(|c| c.is_ascii_alphabetic() || c == '-') || name.starts_with("on") {
            return Err(near("an attribute that we do not write", rest, 0));
        }
        let (value, behind) = value.split_once('"').ok_or_else(|| near("an attribute without end", rest, 0))?;
        self::text(value)?;
        rest = behind;
    }
    Ok(())
}

/// Every ampersand begins a reference, no control characters.
fn text(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('&') {
        if !["&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&#10;", "&nbsp;"].iter().any(|known| text[at..].starts_with(known)) {
            return Err(near("a bare ampersand", text, at));
        }
    }
    if text.contains(|c: char| c.is_control() && c != '\n') {
        return Err(near("a control character", text, 0));
    }
    Ok(())
}

#[test]
fn what_is_wrong_is_found() {
    assert_eq!(check("<p class=\"x\">a &amp; b<br><i>c</i></p>"), Ok(()));
    for bad in ["<p>", "<p></i>", "a > b", "<p x=y></p>", "a & b", "<p onclick=\"x\"></p>", "\u{1b}", "<B></B>"] {
        assert!(check(bad).is_err(), "{bad}");
    }
}
