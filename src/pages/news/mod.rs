//! `/nyt`: figures that came, figures of old periods that were changed, and what comes next; for everybody, or for a municipality and a
//! subject. As a page, as an Atom feed, as a calendar of the coming days and as a table.

mod calendar;
mod changes;
mod collected;
mod feed;
mod interest;
mod page;
mod table;

pub use self::calendar::calendar;
pub use self::feed::feed;
pub use self::page::page;
pub use self::table::table;
