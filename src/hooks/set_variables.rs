//! Rules that set variables and headers (request-event.md sections 10 and 11).

use super::judging::Asked;
use super::post_read_request::server_record;
use crate::config::location;
use crate::filters;
use crate::httpd::environment::RequestVariables;
use crate::httpd::request::Request;
use crate::runtime::feature;
use qos_core::variables::headers::unset_all;

/// Step 3: the body of the response is searched.
pub fn search_body(asked: &Asked<'_>) {
    if let Some(rule) = location(asked.request).and_then(|location| location.variables.search.as_ref()) {
        filters::search_body(asked.request, rule);
    }
}

/// Step 12: `QS_SetEnvIfQuery`.
pub fn by_query(asked: &mut Asked<'_>) {
    let request = asked.request;
    let Some(query) = request.query_if_any() else { return };
    let mut variables = RequestVariables::of(request);
    let of_server = server_record(request).into_iter().flat_map(|server| server.config.variables.query.iter());
    let of_location = location(request).into_iter().flat_map(|location| location.variables.query.iter());
    let changed = of_server.chain(of_location).filter(|rule| rule.apply(&mut variables, query)).count() > 0;
    note(asked, changed);
}

/// Step 13: `QS_SetEnvIf`.
pub fn by_variables(asked: &mut Asked<'_>) {
    let changed = set_env_if(asked.request, &mut RequestVariables::of(asked.request));
    note(asked, changed);
}

/// `QS_SetEnvIf` once more at the end of the request, over its whole redirect chain. Says whether variables were set or removed.
pub fn at_end(request: Request<'_>) -> bool {
    feature::any(feature::SET_ENV_IF) && set_env_if(request, &mut RequestVariables::of_chain(request))
}

fn set_env_if(request: Request<'_>, variables: &mut RequestVariables<'_>) -> bool {
    let of_server = server_record(request).into_iter().flat_map(|server| server.config.variables.set_env_if.iter());
    let of_location = location(request).into_iter().flat_map(|location| location.variables.set_env_if.iter());
    of_server.chain(of_location).filter(|rule| rule.apply(variables)).count() > 0
}

/// Step 14: `QS_SetEnv`.
pub fn expand(asked: &mut Asked<'_>) {
    let mut variables = RequestVariables::of(asked.request);
    let rules = server_record(asked.request).into_iter().flat_map(|server| server.config.variables.set_env.iter());
    let changed = rules.filter(|rule| rule.apply(&mut variables)).count() > 0;
    note(asked, changed);
}

/// Step 21: `QS_SetEnvIfCmp`.
pub fn compare(asked: &mut Asked<'_>) {
    let mut variables = RequestVariables::of(asked.request);
    let rules = location(asked.request).into_iter().flat_map(|location| location.variables.compare.iter());
    let changed = rules.filter(|rule| rule.apply(&mut variables)).count() > 0;
    note(asked, changed);
}

fn note(asked: &mut Asked<'_>, changed: bool) {
    if changed {
        asked.variables_changed();
    }
}

/// Step 15: `QS_SetReqHeader` without `late`.
pub fn request_headers(request: Request<'_>) {
    let Some(server) = server_record(request) else { return };
    let (mut variables, mut headers) = (RequestVariables::of(request), request.headers_in());
    server.config.headers.early.iter().for_each(|rule| rule.apply(&mut variables, &mut headers));
}

/// `QS_SetReqHeader` with `late`.
pub fn late_request_headers(request: Request<'_>) {
    if !feature::any(feature::LATE_HEADERS) {
        return;
    }
    let Some(server) = server_record(request) else { return };
    let (mut variables, mut headers) = (RequestVariables::of(request), request.headers_in());
    server.config.headers.late.iter().for_each(|rule| rule.apply(&mut variables, &mut headers));
}

/// `QS_UnsetReqHeader`.
pub fn unset_request_headers(request: Request<'_>) {
    if !feature::any(feature::UNSET_HEADERS) {
        return;
    }
    if let Some(server) = server_record(request) {
        unset_all(server.config.headers.unset_request.iter().map(AsRef::as_ref), &mut request.headers_in());
    }
}

/// Whether rules look at the response of a request.
pub fn look_at_response(request: Request<'_>) -> bool {
    feature::any(feature::RESPONSE_RULES)
        && server_record(request).is_some_and(|server| !server.config.variables.response.is_empty() || server.config.headers.look_at_responses())
}

/// Steps 3 and 4 of a response: `QS_SetEnvResHeaderMatch`, `QS_SetEnvResHeader`, `QS_SetEnvRes`.
pub fn by_response(request: Request<'_>) {
    if !feature::any(feature::RESPONSE_RULES) {
        return;
    }
    let Some(server) = server_record(request) else { return };
    let (rules, mut variables) = (&server.config.headers, RequestVariables::of(request));
    if !(rules.matched.is_empty() && rules.response.is_empty()) {
        for mut headers in request.headers_out() {
            for rule in rules.matched.iter().chain(rules.response.iter()) {
                rule.apply(&mut variables, &mut headers);
            }
        }
    }
    server.config.variables.response.iter().for_each(|rule| {
        rule.apply(&mut variables);
    });
}

/// Step 11 of a response: `QS_UnsetResHeader`.
pub fn unset_response_headers(request: Request<'_>) {
    if !feature::any(feature::RESPONSE_RULES) {
        return;
    }
    if let Some(server) = server_record(request).filter(|server| !server.config.headers.unset_response.is_empty()) {
        for mut headers in request.headers_out() {
            unset_all(server.config.headers.unset_response.iter().map(AsRef::as_ref), &mut headers);
        }
    }
}
