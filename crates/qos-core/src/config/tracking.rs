//! Directives that know users again and send them elsewhere (request-event.md sections 12 and 16).

use super::directive::{Directive, Family, Outcome, Scope, Target, any, argument, first, required, server};
use super::value::{Wrong, name as usable_name, pattern_with, wrong};
use crate::cookie::{is_attribute, is_name};
use crate::pattern::{Options, Pattern};
use crate::redirect::{Redirect, split_status};
use crate::tracking::Tracking;
use crate::variables::template::Template;

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_UserTrackingCookieName",
        scope: Scope::Server,
        arguments: &[required("name"), any("path|domain|session|jsredirect")],
        help: c"Knows users again by a cookie (variable mod_qos_user_id). With a path, who has no cookie gets that check page first. session: the cookie ends with the browser; jsredirect: a script of the check page asks for the cookie; anything else is the domain of the cookie.",
        read: user_tracking_cookie_name,
    },
    Directive {
        name: c"QS_RedirectIf",
        scope: Scope::ServerAndLocation,
        arguments: &[required("variable"), required("pattern"), required("[status:]url")],
        help: c"Redirects the client if the variable matches the pattern (in any case); $1 in the URL is its first group. Status 301, 302 (default), 307 or 308.",
        read: redirect_if,
    },
];

fn user_tracking_cookie_name(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let cookie = first(arguments);
    if !is_name(cookie) {
        return Err(wrong(name, cookie, "cannot be the name of a cookie", "letters, digits and any of !#$%&'*+-.^_`|~"));
    }
    let mut tracking = Tracking { name: cookie.to_vec(), ..Tracking::default() };
    for option in arguments.iter().skip(1) {
        let place = match option {
            [b'/', ..] => &mut tracking.page,
            _ if option.eq_ignore_ascii_case(b"session") => {
                tracking.session = true;
                continue;
            }
            _ if option.eq_ignore_ascii_case(b"jsredirect") => {
                tracking.js_redirect = true;
                continue;
            }
            _ => &mut tracking.domain,
        };
        if !is_attribute(option) || option.contains(&b'?') {
            return Err(wrong(name, option, "is neither a path nor a domain", "the path of a page, a domain, session or jsredirect"));
        }
        if place.replace(option.to_vec()).is_some() {
            return Err(wrong(name, option, "is not the only one of its kind", "one path and one domain at most, session and jsredirect"));
        }
    }
    // Browsers refuse such a cookie for a path or a domain.
    let for_host = cookie.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"__Host-"));
    if for_host && (tracking.js_redirect || tracking.domain.is_some()) {
        return Err(wrong(name, cookie, "cannot be used with a domain or jsredirect", "a name without __Host-"));
    }
    let alone = tracking.js_redirect && tracking.page.is_none();
    server(name, target)?.tracking = Some(tracking);
    Ok(if alone { Outcome::Warn("with jsredirect has no check page whose script could ask for the cookie: nobody gets it".into()) } else { Outcome::Taken })
}

fn redirect_if(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let variable = usable_name(name, first(arguments), first(arguments), "variable")?;
    let pattern = pattern_with(name, argument(arguments, 1), Options { caseless: true, ..Pattern::OPTIONS })?;
    let text = argument(arguments, 2);
    let (status, url) = split_status(text);
    let printable = !url.is_empty() && url.iter().all(u8::is_ascii_graphic);
    let Some(url) = Template::new(url).filter(|_| printable) else {
        return Err(wrong(name, text, "is no URL", "[301:|302:|307:|308:]url, with blanks and other characters as %20"));
    };
    let rule = Redirect { variable, pattern, status, url };
    match target {
        Target::Server(server) | Target::VirtualHost(server) => server.redirects.push(rule),
        Target::Location(location) => location.redirects.push(rule),
    }
    Ok(Outcome::Taken)
}

#[cfg(test)]
mod tests {
    use super::super::{LocationConfig, ServerConfig, Target, apply, find};
    use super::*;

    fn read(line: &str) -> Result<(ServerConfig, Outcome), String> {
        let mut config = ServerConfig::default();
        let words = line.split(' ').map(str::as_bytes).collect::<Vec<_>>();
        let directive = find(std::str::from_utf8(words[0]).unwrap()).unwrap();
        let outcome = apply(directive, &mut Target::Server(&mut config), &words[1..]).map_err(|wrong| wrong.to_string())?;
        Ok((config, outcome))
    }

    #[test]
    fn options_of_the_tracking_cookie_in_any_order() {
        let of = |line: &str| read(&format!("QS_UserTrackingCookieName {line}")).unwrap().0.tracking.unwrap();
        let plain = Tracking { name: b"uid".to_vec(), ..Tracking::default() };
        assert_eq!(of("uid"), plain);
        let all = Tracking { page: Some(b"/check.html".to_vec()), domain: Some(b".example.org".to_vec()), session: true, js_redirect: true, ..plain };
        assert_eq!(of("uid /check.html .example.org SESSION jsredirect"), all);
        assert_eq!(of("uid JSRedirect .example.org session /check.html"), all);
        assert!(matches!(read("QS_UserTrackingCookieName uid jsredirect").unwrap().1, Outcome::Warn(_)));
    }

    #[test]
    fn redirects_of_servers_and_locations() {
        let (config, _) = read("QS_RedirectIf VAR ^a 308:/b/$1").unwrap();
        let rule = config.redirects.iter().next().unwrap();
        assert_eq!((rule.variable.to_str(), rule.status, rule.pattern.options().caseless), (Ok("VAR"), 308, true));
        let mut location = LocationConfig::default();
        apply(find("QS_RedirectIf").unwrap(), &mut Target::Location(&mut location), &[b"VAR", b"x", b"http://h/"]).unwrap();
        assert_eq!(location.redirects.iter().next().map(|rule| rule.status), Some(302));
    }

    #[test]
    fn bad_values_say_what_would_be_right() {
        for (line, expected) in [
            ("QS_UserTrackingCookieName a;b", "'a;b' cannot be the name of a cookie"),
            ("QS_UserTrackingCookieName uid a b", "'b' is not the only one of its kind"),
            ("QS_UserTrackingCookieName uid /a /b", "'/b' is not the only one of its kind"),
            ("QS_UserTrackingCookieName uid /a;b", "is neither a path nor a domain"),
            ("QS_UserTrackingCookieName uid /a?b", "is neither a path nor a domain"),
            ("QS_UserTrackingCookieName __Host-uid /check.html jsredirect", "cannot be used with a domain or jsredirect"),
            ("QS_UserTrackingCookieName", "an argument is missing"),
            ("QS_RedirectIf VAR ( /b", "is not a regular expression"),
            ("QS_RedirectIf A=B x /b", "'A=B' is not the name of a variable"),
            ("QS_RedirectIf VAR x 301:", "'301:' is no URL"),
            ("QS_RedirectIf VAR x /\u{e4}", "is no URL"),
            ("QS_RedirectIf VAR x", "an argument is missing"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
