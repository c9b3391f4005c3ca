//! Four eyes: nobody agrees to what they asked for themselves, by whatever account.

use std::collections::BTreeSet;

use slipway_kernel::{PrincipalId, Slug};

use crate::{Counted, VoterRole};

/// A principal, and the person who answers for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// The principal.
    pub principal: PrincipalId,
    /// Who owns it, where it is a service account.
    pub owner: Option<PrincipalId>,
}

impl Person {
    /// The person behind the principal: its owner, or itself.
    pub fn behind(self) -> PrincipalId {
        self.owner.unwrap_or(self.principal)
    }
}

/// Somebody who decides, as it is known at that moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// Who it is.
    pub person: Person,
    /// Whether it is shut out, or its owner is.
    pub disabled: bool,
    /// Its roles in the project.
    pub roles: BTreeSet<VoterRole>,
    /// Its groups in the project.
    pub groups: BTreeSet<Slug>,
}

impl Voter {
    /// Whether it administers the project, or the installation.
    pub fn administers(&self) -> bool {
        VoterRole::ADMINISTRATORS
            .iter()
            .any(|role| self.roles.contains(role))
    }
}

/// Why somebody may not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhyNot {
    /// It is disabled, or its owner is.
    #[error("is disabled")]
    Disabled,
    /// No rule asks for it, or it was not there yet when people were asked.
    #[error("is none of those who were asked")]
    NotEligible,
    /// It asked for the deployment or made what it deploys, or is the same person as who did, by another account.
    #[error("asked for it or made it, or the same person did by another account")]
    Excluded,
}

/// Whether somebody may have a say about a deployment in which these people had a part. A service account counts as its
/// owner, whether it decides or is excluded.
pub(crate) fn may_vote(voter: &Voter, excluded: &BTreeSet<PrincipalId>) -> Result<(), WhyNot> {
    if voter.disabled {
        return Err(WhyNot::Disabled);
    }
    if excluded.contains(&voter.person.behind()) {
        return Err(WhyNot::Excluded);
    }
    Ok(())
}

/// Whether somebody may approve or reject a deployment: who had no part in it, and counts for one of the rules at least.
pub fn may_decide(voter: &Voter, rules: &[Counted<'_>], excluded: &[Person]) -> Result<(), WhyNot> {
    may_vote(
        voter,
        &excluded.iter().map(|person| person.behind()).collect(),
    )?;
    if rules.iter().any(|rule| rule.takes(voter)) {
        Ok(())
    } else {
        Err(WhyNot::NotEligible)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::policy::stage_rule;

    fn id(n: u128) -> PrincipalId {
        PrincipalId::from_uuid(Uuid::from_u128(n))
    }

    fn person(n: u128, owner: Option<u128>) -> Person {
        Person {
            principal: id(n),
            owner: owner.map(id),
        }
    }

    fn admin(person: Person) -> Voter {
        Voter {
            person,
            disabled: false,
            roles: [VoterRole::Admin].into(),
            groups: BTreeSet::new(),
        }
    }

    fn decides(voter: &Voter, excluded: &[Person]) -> Result<(), WhyNot> {
        let rule = stage_rule();
        let rules = [Counted {
            rule: &rule,
            candidates: None,
        }];
        may_decide(voter, &rules, excluded)
    }

    #[test]
    fn the_same_person_by_any_account_is_excluded() {
        let cases = [
            ("herself", person(1, None), person(1, None), false),
            ("her machine", person(10, Some(1)), person(1, None), false),
            (
                "the machine's owner",
                person(1, None),
                person(10, Some(1)),
                false,
            ),
            (
                "another machine of hers",
                person(11, Some(1)),
                person(10, Some(1)),
                false,
            ),
            ("somebody else", person(2, None), person(1, None), true),
            (
                "somebody else's machine",
                person(20, Some(2)),
                person(1, None),
                true,
            ),
            (
                "another owner",
                person(20, Some(2)),
                person(10, Some(1)),
                true,
            ),
        ];
        for (who, voter, requester, may) in cases {
            let answer = decides(&admin(voter), &[requester]);
            let expected = if may { Ok(()) } else { Err(WhyNot::Excluded) };
            assert_eq!(answer, expected, "{who}");
        }
    }

    proptest! {
        /// Against what is obvious: people as numbers, accounts as pairs of a number and a person.
        #[test]
        fn nobody_agrees_with_themselves(
            voter in (0_u128..4, any::<bool>()),
            others in prop::collection::vec((0_u128..4, any::<bool>()), 0..4),
            disabled: bool,
            administers: bool,
        ) {
            let account = |(who, machine): (u128, bool)| {
                if machine { person(100 + who, Some(who)) } else { person(who, None) }
            };
            let excluded: Vec<_> = others.iter().copied().map(account).collect();
            let roles = if administers { VoterRole::TenantAdmin } else { VoterRole::Approver };
            let voter_now = Voter {
                disabled,
                roles: [roles].into(),
                ..admin(account(voter))
            };
            let answer = decides(&voter_now, &excluded);
            let had_a_part = others.iter().any(|(who, _)| *who == voter.0);
            prop_assert_eq!(answer.is_ok(), !disabled && administers && !had_a_part);
        }
    }
}
