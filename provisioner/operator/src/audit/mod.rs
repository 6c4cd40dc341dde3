//! The audit log for people: pages, a check of its chain, export, and how long it is kept. It is written elsewhere, in the same
//! transactions as what it tells of.

mod export;
mod page;
mod prune;
mod syslog;
mod verify;
mod visible;

pub use prune::{AuditLimits, prune_audit};

use crate::{
    problem::Kind,
    route::{Route, text},
};
use export::ExportQuery;
use page::{AuditPage, AuditQuery};
use verify::Chain;

/// For the router and its document.
pub(crate) fn routes() -> Vec<Route> {
    let refusals = [Kind::Forbidden, Kind::NotFound, Kind::Invalid];
    vec![
        Route::get("/audit", page::list)
            .tag("audit")
            .summary("Show who did what, oldest first, as far as the caller may see it")
            .query::<AuditQuery>()
            .gives::<AuditPage>(200, "A page")
            .problems(&refusals),
        Route::get("/audit/verify", verify::verify)
            .tag("audit")
            .summary("Check the chain of the whole log")
            .slow()
            .gives::<Chain>(200, "What was found")
            .problems(&refusals),
        Route::get("/audit/export", export::export)
            .tag("audit")
            .summary("Write the log out, as JSON lines or for syslog (RFC 5424)")
            .slow()
            .query::<ExportQuery>()
            .gives_as(200, "One entry a line", Some(("application/jsonl", text())))
            .gives_as(200, "One entry a line", Some(("text/plain", text())))
            .problems(&refusals),
    ]
}
