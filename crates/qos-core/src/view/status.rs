//! The section in mod_status (connection-client.md section 11.5). Its short form is [`super::auto`].

use super::Options;
use super::html::parts::{LOG_ONLY, Look, forms, search};
use super::html::server;
use super::snapshot::Snapshot;
use crate::text::{Text, html};

/// The section of the HTML report.
#[must_use]
pub fn render(snapshot: &Snapshot, options: &Options) -> String {
    let path = html(&Text(options.path.clone()).to_string());
    let mut out = format!(
        "\n<hr>\n<table width=\"100%\" cellspacing=\"0\" cellpadding=\"0\"><tr><td bgcolor=\"#0f766e\">\
         <b><font color=\"#ffffff\" face=\"Arial,Helvetica\">mod_qos&nbsp;{} </font></b></td></tr></table>\n",
        html(&snapshot.version)
    );
    if snapshot.log_only {
        out += &format!("<p>{LOG_ONLY}</p>\n");
    }
    out += &Look::Plain.table("");
    out += "<tr><th colspan=\"9\">viewer settings</th></tr>\n";
    out += &forms(snapshot, options, |_, label, content| {
        format!("<tr><td colspan=\"1\">{label}</td><td colspan=\"8\"><form action=\"{path}\" method=\"get\">{content}</form></td></tr>\n")
    });
    out += super::html::parts::TABLE_END;
    if let Some(found) = &snapshot.search {
        out += &search(snapshot, found, Look::Plain);
    }
    for server in &snapshot.servers {
        out += &format!("<h2>{}</h2>\n{}", server::title(server), server::block(snapshot, server, Look::Plain));
    }
    out
}
