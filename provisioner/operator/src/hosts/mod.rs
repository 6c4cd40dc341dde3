//! What is special to hosts: orders, timelines, import. Reading and describing them is as with all resources.

mod import;
mod orders;

use crate::route::Route;

/// Routes of hosts alone.
pub(crate) fn routes() -> Vec<Route> {
    let mut all = orders::routes();
    all.extend(import::routes());
    all
}
