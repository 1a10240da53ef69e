//! The tables and views of the index.
//!
//! The tables are ours and change with any version; the views are for people (`docs/sql.md`) and stay as they are.
//!
//! Numbers and text lie in the tables as SQLite has them, so that it can seek them. Of what it lacks: a NaN among the
//! numbers of metrics is NULL; an integer that a double cannot hold is the double next to it, and marked; a param that
//! is neither number nor text is its text, and its type tells.

use anyhow::Result;
use rusqlite::Connection;

use crate::index::write::{METRIC, PARAM, TAG};

/// What distinguishes an index from one of another version of the program, whose runs may come to something else.
pub(super) fn version() -> i32 {
    let views = views();
    let parts = [TABLES, &views, INDEXES, env!("CARGO_PKG_VERSION"), LAYOUT];
    let sum = parts.iter().fold(0, |sum, part| crc32c::crc32c_append(sum, part.as_bytes()));
    (sum >> 1) as i32
}

/// Changes with the bytes of brief runs, and with what runs come to.
const LAYOUT: &str = "2";

/// Makes the tables and views.
pub(super) fn create(connection: &Connection) -> Result<()> {
    Ok(connection.execute_batch(&format!("{TABLES}{}", views()))?)
}

/// Makes the indexes, which is faster once the tables are full.
pub(super) fn create_indexes(connection: &Connection) -> Result<()> {
    Ok(connection.execute_batch(INDEXES)?)
}

const TABLES: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE ref(
    id TEXT NOT NULL, place TEXT NOT NULL, packed BLOB, loose BLOB,
    PRIMARY KEY(id, place)
) WITHOUT ROWID;
CREATE TABLE run(
    run INTEGER PRIMARY KEY, id TEXT NOT NULL, tip BLOB NOT NULL, remote TEXT, damage TEXT, is_lasting INTEGER,
    deleted INTEGER NOT NULL, status TEXT, started INTEGER, ended INTEGER, exit_code INTEGER, code INTEGER,
    fingerprint INTEGER, name TEXT, experiment TEXT, user TEXT, host TEXT, signal TEXT, parent TEXT, run_group TEXT, key TEXT,
    command TEXT
);
CREATE TABLE free(run INTEGER PRIMARY KEY);
CREATE TABLE brief(run INTEGER PRIMARY KEY, code INTEGER, tip BLOB NOT NULL, remote TEXT, bytes BLOB NOT NULL);
CREATE TABLE code(
    code INTEGER PRIMARY KEY, uses INTEGER NOT NULL, digest BLOB NOT NULL UNIQUE, commit_id TEXT, tree TEXT, branch TEXT,
    patch_id TEXT, dirty INTEGER NOT NULL, bytes BLOB NOT NULL
);
CREATE TABLE name(
    name INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL, uses INTEGER NOT NULL,
    UNIQUE(kind, text)
);
CREATE TABLE param(
    run INTEGER, name INTEGER, type INTEGER NOT NULL, value, whole TEXT,
    PRIMARY KEY(run, name)
) WITHOUT ROWID;
CREATE TABLE metric(
    run INTEGER, name INTEGER, own INTEGER NOT NULL, shown, last, min, max, last_step, min_step, max_step,
    count INTEGER NOT NULL, nonfinite INTEGER NOT NULL,
    PRIMARY KEY(run, name)
) WITHOUT ROWID;
CREATE TABLE tag(
    run INTEGER, position INTEGER, name INTEGER NOT NULL, value TEXT,
    PRIMARY KEY(run, position)
) WITHOUT ROWID;
CREATE TABLE note(
    run INTEGER, position INTEGER, id TEXT NOT NULL, text TEXT NOT NULL, author TEXT, at INTEGER,
    PRIMARY KEY(run, position)
) WITHOUT ROWID;
CREATE TABLE input(
    run INTEGER, position INTEGER, name TEXT NOT NULL, path TEXT, kind TEXT NOT NULL, sha256 TEXT, digest TEXT,
    size INTEGER, files INTEGER,
    PRIMARY KEY(run, position)
) WITHOUT ROWID;
";

const INDEXES: &str = "
CREATE UNIQUE INDEX run_by_id ON run(id);
CREATE INDEX run_by_suffix ON run(substr(id, 17));
CREATE INDEX run_by_name ON run(name) WHERE name IS NOT NULL;
CREATE INDEX run_by_experiment ON run(experiment) WHERE experiment IS NOT NULL;
CREATE INDEX run_by_start ON run(started, id, deleted);
CREATE INDEX run_by_code ON run(code) WHERE code IS NOT NULL;
CREATE INDEX run_by_fingerprint ON run(fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX run_deleted ON run(run) WHERE deleted;
CREATE INDEX run_damaged ON run(run) WHERE damage IS NOT NULL;
CREATE INDEX run_fetched ON run(run) WHERE remote IS NOT NULL;
CREATE INDEX ref_loose ON ref(id) WHERE loose IS NOT NULL;
CREATE INDEX ref_fetched ON ref(id) WHERE place <> '';
CREATE INDEX param_by_value ON param(name, value, type, run);
CREATE INDEX metric_by_value ON metric(name, shown, run, own, last, min, max);
CREATE INDEX metric_rough ON metric(name, run) WHERE own & 4;
CREATE INDEX tag_by_value ON tag(name, value, run);
CREATE INDEX input_by_name ON input(name, run);
";

/// The views. Their columns are those of the tables wherever people compare or sort by them, so that indexes serve; the kind
/// of a name is said as well (`write` numbers them), so that a name is sought and not scanned for.
fn views() -> String {
    let moment = |micros: &str| {
        let rest = format!("((({micros} % 1000000) + 1000000) % 1000000)");
        format!(
            "strftime('%Y-%m-%dT%H:%M:%S', ({micros} - {rest}) / 1000000, 'unixepoch') || printf('.%06dZ', {rest})"
        )
    };
    let (started, ended, at) = (moment("started"), moment("ended"), moment("at"));
    let types = PARAM_TYPES.iter().enumerate().map(|(number, name)| format!(" WHEN {number} THEN '{name}'"));
    let types: String = types.collect();
    format!(
        "
CREATE VIEW runs AS SELECT
    id, name, experiment, status, {started} AS started, {ended} AS ended, (ended - started) / 1e6 AS duration,
    exit_code, signal, user, host, command, parent, run_group AS \"group\", key, deleted, remote,
    code.commit_id AS code_commit, code.branch AS code_branch, code.tree AS code_tree, code.dirty AS code_dirty,
    started AS started_micros, ended AS ended_micros
    FROM run LEFT JOIN code USING (code) WHERE damage IS NULL;
CREATE VIEW params AS SELECT
    run.id AS run, name.text AS name, CASE param.type{types} END AS type, param.value AS value, param.whole AS whole
    FROM name JOIN param USING (name) JOIN run USING (run) WHERE name.kind = {PARAM};
CREATE VIEW metrics AS SELECT
    run.id AS run, name.text AS name, shown AS value, last, min, max, last_step, min_step, max_step, count, nonfinite
    FROM name JOIN metric USING (name) JOIN run USING (run) WHERE name.kind = {METRIC};
CREATE VIEW tags AS SELECT
    run.id AS run, name.text AS name, tag.value AS value
    FROM name JOIN tag USING (name) JOIN run USING (run) WHERE name.kind = {TAG};
CREATE VIEW notes AS SELECT
    run.id AS run, note.id AS note, text, author, {at} AS at
    FROM note JOIN run USING (run);
CREATE VIEW inputs AS SELECT
    run.id AS run, input.name AS name, path, kind, sha256, digest, size, files
    FROM input JOIN run USING (run);
"
    )
}

/// The types of params, as the view names them; their numbers are those of `rows::ParamType`.
pub(super) const PARAM_TYPES: [&str; 10] =
    ["int", "float", "text", "bool", "null", "bytes", "list", "dict", "json", "text"];
