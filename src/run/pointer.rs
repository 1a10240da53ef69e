//! Artifact pointers: which files a run produced, and the digests by which their bytes are found.
//!
//! The pointer is the truth about an artifact; where the bytes lie is `store`'s (inline) and `artifact`'s business.

use crate::error::Problem;
use crate::run::attempt::{FORMAT, Number, Reader, Writer, bad};
use crate::run::id::slug;
use crate::run::text;
use crate::run::value::{Table, Value};

/// One file that a run produced.
#[derive(Debug, Clone, PartialEq)]
pub struct Pointer {
    /// Its path as the user names it; text, or bytes that are none.
    pub path: Value,
    /// The sha256 of its bytes, in hex.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its media type, if known (`image/png`).
    pub media_type: Option<String>,
    /// Whether it may be executed.
    pub executable: bool,
    /// The step it belongs to.
    pub step: Option<Number>,
    /// The key it was logged under.
    pub key: Option<String>,
    /// Whether its bytes lie in the record itself.
    pub inline: bool,
}

impl Pointer {
    /// Where its bytes lie in the record, if they do: `owner` is the attempt or edit that brought it.
    pub fn inline_path(&self, owner: &str) -> String {
        let path = match &self.path {
            Value::Bytes(bytes) => bytes.as_slice(),
            text => text.as_text().unwrap_or_default().as_bytes(),
        };
        format!("artifacts/{owner}/{}-{}", &self.sha256[..16], slug(path))
    }
}

/// The bytes of a pointer file.
pub fn encode(pointers: &[Pointer]) -> Vec<u8> {
    let mut writer = Writer(Table::new());
    writer.put("format", FORMAT);
    writer.list("artifacts", pointers.iter().map(to_value));
    text::write(&writer.0).into_bytes()
}

/// Reads a pointer file.
pub fn decode(bytes: &[u8]) -> Result<Vec<Pointer>, Problem> {
    let table = text::read(bytes)?;
    let reader = Reader(&table);
    reader.format()?;
    reader.tables("artifacts")?.into_iter().map(from_table).collect()
}

fn to_value(pointer: &Pointer) -> Value {
    let mut writer = Writer(Table::new());
    writer.put("path", pointer.path.clone());
    writer.put("sha256", pointer.sha256.clone());
    writer.put("size", pointer.size as i64);
    writer.some("type", pointer.media_type.clone());
    writer.some("mode", pointer.executable.then_some("x"));
    writer.some("step", pointer.step.map(Number::value));
    writer.some("key", pointer.key.clone());
    writer.some("inline", pointer.inline.then_some(true));
    Value::Table(writer.0)
}

fn from_table(table: &Table) -> Result<Pointer, Problem> {
    let reader = Reader(table);
    Ok(Pointer {
        path: reader.text_or_bytes("path")?.ok_or_else(|| bad("path"))?,
        sha256: reader.sha256("sha256")?.ok_or_else(|| bad("sha256"))?,
        size: reader.count("size")?.ok_or_else(|| bad("size"))?,
        media_type: reader.text("type")?,
        executable: match reader.text("mode")?.as_deref() {
            None => false,
            Some("x") => true,
            Some(_) => return Err(bad("mode")),
        },
        step: reader.number("step")?,
        key: reader.text("key")?,
        inline: reader.bool("inline")?.unwrap_or_default(),
    })
}
