//! What is kept for each list of tables that somebody may read.

use std::sync::Arc;

use jobindsats_bridge::refresh::readable::Readable;
use jobindsats_bridge::sign_in::reader::Tables;

use crate::support::app::{App, AppOptions};
use crate::support::revised::revise;

/// As many lists as are kept beside the one of all tables.
const LISTS: usize = 63;

#[actix_web::test]
async fn lists_are_made_anew_when_something_is_new_and_only_then() {
    let app = App::with(AppOptions { sync: true, ..AppOptions::default() }).await;
    let feeds = &app.service.state.feeds;
    let list = |table: String| feeds.of(Tables::Only(Arc::new([table].into())));
    let lists: Vec<Readable> = (0..LISTS).map(|number| list(format!("y25i0{number}"))).collect();
    let made = || lists.iter().map(|list| (list.catalogue(), list.listed())).collect::<Vec<_>>();
    let same = |one: &[_], other: &[_]| {
        let pairs = one.iter().zip(other);
        pairs.filter(|((a, b), (c, d))| Arc::ptr_eq(a, c) && Arc::ptr_eq(b, d)).count()
    };
    let first = made();
    assert_eq!(same(&first, &made()), LISTS);
    revise(&app, "y25i01", 2);
    let second = made();
    assert_eq!(same(&first, &second), 0);
    assert_eq!(same(&second, &made()), LISTS, "one that is made anew drives no other out");
    let one_more = list("y30r21".to_owned());
    assert!(Arc::ptr_eq(&one_more.catalogue(), &one_more.catalogue()));
    revise(&app, "y25i01", 3);
    let third = made();
    assert_eq!(same(&third, &made()), LISTS, "who asked for nothing since is driven out first");
}
