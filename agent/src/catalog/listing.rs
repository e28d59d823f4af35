//! What the catalog knows, a row a cause: `whynotready causes` and `/debug/catalog`.

use serde::Serialize;

use super::load::Catalog;
use super::schema::{Layer, Owner, Repair};

/// A cause, shortly.
#[derive(Debug, Clone, Serialize)]
pub struct Row<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its layer.
    pub layer: Layer,
    /// Its statement.
    pub title: &'a str,
    /// What it is a kind of.
    pub parent: Option<&'a str>,
    /// What would help.
    pub repair: Repair,
    /// Who has to act.
    pub owner: Owner,
}

/// The causes, or those of one layer, by layer and id.
pub fn rows(catalog: &Catalog, layer: Option<Layer>) -> Vec<Row<'_>> {
    let causes = catalog.causes.iter().map(|c| &c.file);
    let mut rows: Vec<Row<'_>> = causes
        .filter(|c| layer.is_none_or(|l| c.layer == l))
        .map(|c| Row {
            id: &c.id,
            layer: c.layer,
            title: &c.title,
            parent: c.parent.as_deref(),
            repair: c.repair,
            owner: c.owner,
        })
        .collect();
    rows.sort_by_key(|r| (r.layer, r.id));
    rows
}
