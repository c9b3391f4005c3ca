//! Four eyes: nobody agrees to what they asked for themselves, by whatever account.

use slipway_kernel::PrincipalId;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voter {
    /// Who it is.
    pub person: Person,
    /// Whether it is shut out, or its owner is.
    pub disabled: bool,
    /// Whether it is an administrator of the project, or of the installation.
    pub administers: bool,
}

/// Why somebody may not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhyNot {
    /// It is disabled, or its owner is.
    #[error("is disabled")]
    Disabled,
    /// It is no administrator.
    #[error("is neither an administrator of the project nor of the installation")]
    NotEligible,
    /// It asked for the deployment, or is the same person as who did, by another account.
    #[error("asked for it, or the same person did by another account")]
    Excluded,
}

/// Whether somebody may approve or reject a deployment in which those excluded had a part. A service account counts as its
/// owner, whether it decides or is excluded.
pub fn may_decide(voter: Voter, excluded: &[Person]) -> Result<(), WhyNot> {
    if voter.disabled {
        return Err(WhyNot::Disabled);
    }
    if !voter.administers {
        return Err(WhyNot::NotEligible);
    }
    let is_behind = |other: &Person| other.behind() == voter.person.behind();
    if excluded.iter().any(is_behind) {
        return Err(WhyNot::Excluded);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

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
            administers: true,
        }
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
            let answer = may_decide(admin(voter), &[requester]);
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
            let answer = may_decide(
                Voter { person: account(voter), disabled, administers },
                &excluded,
            );
            let had_a_part = others.iter().any(|(who, _)| *who == voter.0);
            prop_assert_eq!(answer.is_ok(), !disabled && administers && !had_a_part);
        }
    }
}
