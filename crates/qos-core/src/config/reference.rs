//! The reference of docs/directives.md, made from the directive table.

use super::directive::Scope;

/// One Markdown table row per directive, in the order of the table.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from("| directive | where | what it does |\n|---|---|---|\n");
    for directive in super::directives() {
        let place = match directive.scope {
            Scope::Global => "main server",
            Scope::Server => "server, virtual host",
            Scope::ServerAndLocation => "server, virtual host, location",
            Scope::Location => "location",
        };
        let usage = directive.usage().replace('|', "\\|");
        text.push_str(&format!("| `{usage}` | {place} | {} |\n", directive.help.to_string_lossy()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On failure: copy what this prints into docs/directives.md.
    #[test]
    fn the_documentation_shows_this_table() {
        let documented = include_str!("../../../../docs/directives.md");
        let expected = reference();
        assert!(documented.contains(&expected), "docs/directives.md has to contain:\n{expected}");
    }

    #[test]
    fn names_are_unique() {
        let mut names = super::super::directives().map(|directive| directive.name().to_ascii_lowercase()).collect::<Vec<_>>();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
