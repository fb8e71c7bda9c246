//! A request is judged step by step, in the order of [`qos_core::order::MAIN`] (request-event.md section 2.5).

use super::RequestState;
use super::client_rules;
use super::header_parser::log_env;
use super::limits;
use super::pacing;
use super::{milestones, parameters, set_variables, tuning, turns, url_filter, vip};
use crate::clients;
use crate::httpd::ffi;
use crate::httpd::request::Request;
use crate::httpd::variables::Variables;
use crate::runtime::{ChildState, ConnectionRecord, Runtime, child, runtime};
use qos_core::order::{MAIN, Step, Steps};
use std::ffi::c_int;

/// What the rules of one request work with.
pub struct Asked<'a> {
    /// The request.
    pub request: Request<'a>,
    /// Its connection.
    pub record: &'a ConnectionRecord,
    /// What is kept with it.
    pub state: &'a mut RequestState,
    /// The configuration.
    pub runtime: &'static Runtime,
    /// This child; without it nothing can be counted.
    pub child: Option<&'static ChildState>,
    /// Monotonic seconds.
    pub now: u32,
    variables: Option<Variables<'a>>,
}

impl<'a> Asked<'a> {
    /// Of an initial request, or of one that it was redirected to, which has the state of that.
    pub fn of(request: Request<'a>) -> Option<Asked<'a>> {
        let (record, state) = (ConnectionRecord::of_request(request)?, RequestState::of(request.initial())?);
        Some(Asked { request, record, state, runtime: runtime()?, child: child(), now: clients::now(), variables: None })
    }

    /// The variables that rules ask for, as they are now.
    pub fn variables(&mut self) -> &Variables<'a> {
        let (request, names) = (self.request, &self.runtime.names.set);
        self.variables.get_or_insert_with(|| Variables::of(request, names))
    }

    /// Variables were set or removed: they are looked up again.
    pub fn variables_changed(&mut self) {
        self.variables = None;
    }
}

/// Judges an initial request; `DECLINED` or the status it is denied with. `active`: steps that the configuration asks for.
pub fn judge(request: Request<'_>, active: Steps) -> c_int {
    let Some(mut asked) = Asked::of(request) else { return ffi::DECLINED };
    let mut audited = false;
    let verdict = MAIN.iter().filter(|step| active.has(**step)).find_map(|step| {
        audited |= *step == Step::Audit;
        run(&mut asked, *step)
    });
    // A request that was denied before has its notes all the same (filters.md section 1.1).
    if active.has(Step::Audit) && !audited {
        url_filter::audit(request);
    }
    client_rules::settle(&mut asked, active);
    verdict.unwrap_or(ffi::DECLINED)
}

/// One step. `Some`: the request ends with this status.
fn run(asked: &mut Asked<'_>, step: Step) -> Option<c_int> {
    match step {
        Step::LogEnv => log_env(asked.request, ">HP_3"),
        Step::ClientEventRequestLimit => return client_rules::event_requests(asked),
        Step::ClientStore => return client_rules::store(asked),
        Step::ClientSerialize => return turns::of_client(asked),
        Step::SrvSerialize => return turns::of_server(asked),
        Step::SearchBody => set_variables::search_body(asked),
        Step::Milestones => return milestones::judge(asked),
        Step::Vip => vip::check(asked),
        Step::VipVariable => vip::by_variable(asked),
        Step::Filters => return url_filter::judge(asked),
        Step::Audit => url_filter::audit(asked.request),
        Step::DenyEvent => return url_filter::events(asked),
        Step::KeepAlive => tuning::keep_alive(asked.request, asked.state),
        Step::ReadBody => return parameters::read(asked),
        Step::SetEnvIfParp => return parameters::by_parameters(asked),
        Step::SetEnvIfBody => parameters::by_body(asked),
        Step::SetEnvIfQuery => set_variables::by_query(asked),
        Step::SetEnvIf => set_variables::by_variables(asked),
        Step::SetEnv => set_variables::expand(asked),
        Step::SetReqHeader => set_variables::request_headers(asked.request),
        Step::Timeout => tuning::timeout(asked.request),
        Step::SetEnvIfCmp => set_variables::compare(asked),
        // The filter is added with those of the response, also where no request is judged.
        Step::WatchConnection => (),
        Step::EventLimitCount => return limits::event_counts(asked),
        Step::EventRequestLimit => return limits::event_requests(asked),
        Step::EventRates => limits::event_rates(asked),
        Step::SelectLocation => limits::select(asked),
        Step::LocationLimit => return limits::location_limit(asked),
        Step::ConditionalLimit => return limits::conditional_limit(asked),
        Step::RequestDelay => return pacing::wait(asked),
        Step::Bandwidth => limits::bandwidth(asked),
        Step::Delay => return pacing::delay(asked),
    }
    None
}
