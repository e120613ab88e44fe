//! Forms of a selection that nobody is known to have used: they are avoided where another form costs little more, and where the
//! upstream refuses one it is not used again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The longest list of members that is in no doubt.
pub const PROVEN_LIST: usize = 50;
/// The longest address that is in no doubt, in characters.
pub const PROVEN_ADDRESS: usize = 1300;

/// A form without precedent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The root among others in a list of members.
    RootInList,
    /// A list of more than [`PROVEN_LIST`] members.
    LongList,
    /// An address of more than [`PROVEN_ADDRESS`] characters.
    LongAddress,
    /// Any list of members.
    List,
}

/// What is known of forms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KnownForms {
    /// The upstream answered them.
    pub answered: BTreeSet<Form>,
    /// The upstream refused them.
    pub refused: BTreeSet<Form>,
}

impl KnownForms {
    /// Whether a form is in no doubt.
    #[must_use]
    pub fn is_proven(&self, form: Form) -> bool {
        !self.is_refused(form) && (form == Form::List || self.answered.contains(&form))
    }

    /// Whether the upstream is known to refuse a form.
    #[must_use]
    pub fn is_refused(&self, form: Form) -> bool {
        self.refused.contains(&form)
    }

    /// The same with some forms refused.
    #[must_use]
    pub fn without(&self, forms: &BTreeSet<Form>) -> Self {
        let mut known = self.clone();
        known.refused.extend(forms);
        known
    }
}
