//! The members of a key. All chunks of a plan and all blocks that they were read into have the same ones, mostly, and a set may have hundreds:
//! so it is shared, and told from others by its address or its hash before any id is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::catalogue::id::{DimensionId, MemberId};

type ByDimension = BTreeMap<DimensionId, BTreeSet<MemberId>>;

/// The dimensions that are named, with their members. Clones share them.
#[derive(Debug, Clone)]
pub struct MemberSets(Arc<Hashed>);

#[derive(Debug)]
struct Hashed {
    sets: ByDimension,
    hash: u64,
}

/// Hashes are compared in this process only.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl MemberSets {
    /// Whether both share the same sets. Other ones may be equal, too.
    #[must_use]
    pub fn are_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl From<ByDimension> for MemberSets {
    fn from(sets: ByDimension) -> Self {
        let hash = SEED.hash_one(&sets);
        Self(Arc::new(Hashed { sets, hash }))
    }
}

impl FromIterator<(DimensionId, BTreeSet<MemberId>)> for MemberSets {
    fn from_iter<I: IntoIterator<Item = (DimensionId, BTreeSet<MemberId>)>>(sets: I) -> Self {
        Self::from(sets.into_iter().collect::<ByDimension>())
    }
}

impl Default for MemberSets {
    fn default() -> Self {
        Self::from(ByDimension::new())
    }
}

impl Deref for MemberSets {
    type Target = ByDimension;

    fn deref(&self) -> &ByDimension {
        &self.0.sets
    }
}

impl PartialEq for MemberSets {
    fn eq(&self, other: &Self) -> bool {
        self.are_shared_with(other) || (self.0.hash == other.0.hash && self.0.sets == other.0.sets)
    }
}

impl Eq for MemberSets {}

impl Hash for MemberSets {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl Serialize for MemberSets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.sets.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MemberSets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ByDimension::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(list: &[(&str, &[&str])]) -> MemberSets {
        let ids = |list: &[&str]| list.iter().map(|id| MemberId::from(*id)).collect();
        list.iter().map(|(dimension, members)| (DimensionId::from(*dimension), ids(members))).collect()
    }

    #[test]
    fn sets_are_equal_by_their_ids_whether_they_are_shared_or_not() {
        let one = sets(&[("_kon", &["1", "2"]), ("_omr", &["0.101"])]);
        let same = sets(&[("_omr", &["0.101"]), ("_kon", &["2", "1"])]);
        assert!(one.clone().are_shared_with(&one) && !one.are_shared_with(&same));
        assert_eq!((&one, SEED.hash_one(&one)), (&same, SEED.hash_one(&same)));
        for other in [sets(&[("_kon", &["1", "2"])]), sets(&[("_kon", &["1"]), ("_omr", &["0.101"])])] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn they_are_written_as_an_object_and_read_again() {
        let one = sets(&[("_kon", &["1", "2"])]);
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(text, r#"{"_kon":["1","2"]}"#);
        assert_eq!(serde_json::from_str::<MemberSets>(&text).unwrap(), one);
    }
}
