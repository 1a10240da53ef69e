//! Refs that go: by the git program, which alone knows how one that is packed goes, and only from where they are expected.

use anyhow::{Context as _, Result};

use crate::store::operation::Move;
use crate::store::{Moved, Oid, Store, object_id, output_with_input};

impl Store {
    /// Deletes refs, each from what it must point at; what they pointed at is kept for a while. What became of each, in
    /// order; one that moved meanwhile is the error [`Moved`].
    pub fn delete_refs(&self, refs: &[(String, Oid)]) -> Result<Vec<Result<()>>> {
        let tips: Vec<Oid> = refs.iter().map(|(_, tip)| tip.clone()).collect();
        self.keep_dropped(&tips)?;
        self.forget_refs(refs)
    }

    /// Deletes refs, each from what it must point at, and keeps nothing.
    pub fn forget_refs(&self, refs: &[(String, Oid)]) -> Result<Vec<Result<()>>> {
        refs.iter().try_for_each(|(_, tip)| object_id(self, tip).map(drop))?;
        let gone =
            |(name, tip): &(String, Oid)| Move { name: name.clone(), before: Some(tip.clone()), after: None };
        self.foretell(&refs.iter().map(gone).collect::<Vec<_>>());
        let done = match refs.is_empty() || self.delete_together(refs).is_ok() {
            true => refs.iter().map(|_| Ok(())).collect(),
            // One that is in the way holds up all: each by itself.
            false => refs.iter().map(|one| self.delete_one(one)).collect::<Vec<_>>(),
        };
        let failed = refs.iter().zip(&done).filter(|(_, done)| done.is_err());
        self.strike(&failed.map(|((name, _), _)| name.clone()).collect::<Vec<_>>());
        Ok(done)
    }

    fn delete_one(&self, one: &(String, Oid)) -> Result<()> {
        let (name, tip) = one;
        let Err(error) = self.delete_together(std::slice::from_ref(one)) else {
            return Ok(());
        };
        match self.ref_target(name)? {
            None => Ok(()),
            Some(now) if now != *tip => Err(Moved.into()),
            Some(_) => Err(error).with_context(|| format!("cannot remove '{name}'")),
        }
    }

    fn delete_together(&self, refs: &[(String, Oid)]) -> Result<()> {
        let lines: String = refs.iter().map(|(name, tip)| format!("delete {name} {tip}\n")).collect();
        let mut git = self.git();
        git.args(["-c", "core.fsync=all", "update-ref", "--no-deref", "-m", "xtrack", "--stdin"]);
        output_with_input(&mut git, lines.as_bytes()).map(drop)
    }
}
