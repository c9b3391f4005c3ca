//! The small world in which every sequence happens: who is there, what there is to deploy, and where.

use std::collections::BTreeMap;

use slipway_api::approvals::v1::{ApprovalRule, Eligible, EligibleRole, PolicyTerms};
use slipway_api::catalog::v1::{
    ApplicationKind, CreateApplicationRequest, CreateEnvironmentRequest, CreateVersionRequest,
    Dependency, EnvironmentTier,
};
use slipway_api::identity::v1::Role;
use slipway_tests::{Client, Granted, Project, World};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Person {
    /// The administrator of the installation.
    Root,
    /// An administrator of the project, at first.
    Ada,
    /// An approver and technical lead, at first.
    Pia,
    /// Another one.
    Quin,
    /// A developer, at first.
    Dev,
}

pub(super) const PEOPLE: [Person; 5] = [
    Person::Root,
    Person::Ada,
    Person::Pia,
    Person::Quin,
    Person::Dev,
];

/// What a person is in the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Administers the installation, and is no member.
    TenantAdmin,
    Admin,
    /// An approver in the group `tech-lead`.
    Approver,
    Developer,
    Viewer,
}

impl Person {
    /// What a person is when a sequence begins.
    pub(super) const fn standing(self) -> Standing {
        match self {
            Self::Root => Standing::TenantAdmin,
            Self::Ada => Standing::Admin,
            Self::Pia | Self::Quin => Standing::Approver,
            Self::Dev => Standing::Developer,
        }
    }
}

impl Standing {
    /// As a membership has it.
    pub(super) const fn membership(self) -> (Role, &'static [&'static str]) {
        match self {
            Self::TenantAdmin | Self::Admin => (Role::Admin, &[]),
            Self::Approver => (Role::Approver, &["tech-lead"]),
            Self::Developer => (Role::Developer, &[]),
            Self::Viewer => (Role::Viewer, &[]),
        }
    }
}

/// An application with three versions, the oldest first.
pub(super) struct Application {
    pub(super) key: &'static str,
    pub(super) is_service: bool,
    pub(super) versions: [&'static str; 3],
    /// The order in which they are added to the catalog: what is older is not always what was added earlier.
    added: [usize; 3],
    /// Who made each of them: whose account added it, and who is said to be the author.
    pub(super) makers: [[Person; 2]; 3],
    /// What one version needs: of which other application, as it is written, and which versions of it will do.
    pub(super) needs: &'static [(usize, Need)],
}

pub(super) struct Need {
    pub(super) application: usize,
    requirement: &'static str,
    pub(super) met_by: &'static [usize],
}

pub(super) const APPLICATIONS: [Application; 4] = [
    Application {
        key: "greeting",
        is_service: false,
        versions: ["1.0.0", "1.1.0", "2.0.0"],
        added: [1, 2, 0],
        makers: [
            [Person::Root, Person::Root],
            [Person::Dev, Person::Pia],
            [Person::Ada, Person::Ada],
        ],
        needs: &[],
    },
    Application {
        key: "assistant",
        is_service: false,
        versions: ["1.0.0", "2.0.0", "3.0.0"],
        added: [0, 1, 2],
        makers: [
            [Person::Dev, Person::Dev],
            [Person::Root, Person::Root],
            [Person::Dev, Person::Dev],
        ],
        needs: &[
            (
                1,
                Need {
                    application: 0,
                    requirement: "^1.0",
                    met_by: &[0, 1],
                },
            ),
            (
                2,
                Need {
                    application: 0,
                    requirement: ">=1.1",
                    met_by: &[1, 2],
                },
            ),
        ],
    },
    Application {
        key: "cart",
        is_service: true,
        versions: ["2", "9", "10"],
        added: [2, 0, 1],
        makers: [
            [Person::Root, Person::Root],
            [Person::Dev, Person::Dev],
            [Person::Dev, Person::Dev],
        ],
        needs: &[],
    },
    Application {
        key: "shop",
        is_service: true,
        versions: ["zeta", "beta", "alpha"],
        added: [0, 1, 2],
        makers: [
            [Person::Dev, Person::Dev],
            [Person::Dev, Person::Quin],
            [Person::Root, Person::Root],
        ],
        needs: &[(
            2,
            Need {
                application: 2,
                requirement: "9",
                met_by: &[1],
            },
        )],
    },
];

/// What calls name that is not there.
pub(super) const NOWHERE: &str = "nowhere";

/// The key of an application; of none where there are not so many.
pub(super) fn key(application: usize) -> &'static str {
    APPLICATIONS.get(application).map_or(NOWHERE, |it| it.key)
}

/// The identifier of a version: the fourth is missing everywhere, the fifth is another application's.
pub(super) fn version(application: usize, version: usize) -> &'static str {
    let Some(of) = APPLICATIONS.get(application) else {
        return "1.0.0";
    };
    match version {
        0..3 => of.versions[version],
        3 => "99",
        _ if of.is_service => "1.1.0",
        _ => "zeta",
    }
}

/// What a version needs.
pub(super) fn needs(application: usize, version: usize) -> impl Iterator<Item = &'static Need> {
    let all = APPLICATIONS[application].needs.iter();
    all.filter(move |(of, _)| *of == version)
        .map(|(_, need)| need)
}

/// Where things are deployed. Of production alone something is built in: two people.
pub(super) const ENVIRONMENTS: [(&str, EnvironmentTier); 3] = [
    ("dev", EnvironmentTier::Development),
    ("qa", EnvironmentTier::Testing),
    ("prod", EnvironmentTier::Production),
];
pub(super) const PRODUCTION: usize = 2;

/// The slug of an environment; of none where there are not so many.
pub(super) fn slug(environment: usize) -> &'static str {
    ENVIRONMENTS
        .get(environment)
        .map_or(NOWHERE, |(slug, _)| slug)
}

/// What a policy about an environment may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Terms {
    /// Nothing.
    Nothing,
    /// One approver. Developers may ask.
    OneApprover,
    /// Two people out of approvers and administrators. Developers may ask.
    TwoPeople,
    /// One administrator, about going back too. Reports are refused.
    Strict,
    /// An approver, and for prompts a technical lead besides.
    LeadForPrompts,
    /// One technical lead, for prompts alone.
    PromptsOnly,
    /// Three approvers, and there are two at most.
    Impossible,
}

impl Terms {
    /// As a request has them.
    pub(super) fn written(self) -> PolicyTerms {
        let developers = Eligible {
            roles: vec![EligibleRole::Developer.into()],
            ..Default::default()
        };
        let requesters = matches!(self, Self::OneApprover | Self::TwoPeople).then_some(developers);
        PolicyTerms {
            rules: self.rules(),
            refuse_reports: self == Self::Strict,
            rollback_needs_approval: self == Self::Strict,
            requesters,
            ..Default::default()
        }
    }

    fn rules(self) -> Vec<ApprovalRule> {
        use EligibleRole::{Admin, Approver, TenantAdmin};
        let prompts = |rule: ApprovalRule| ApprovalRule {
            kinds: vec![ApplicationKind::Prompt.into()],
            ..rule
        };
        match self {
            Self::Nothing => Vec::new(),
            Self::OneApprover => vec![rule("approver", 1, &[Approver], &[])],
            Self::TwoPeople => vec![rule("two", 2, &[Approver, Admin, TenantAdmin], &[])],
            Self::Strict => vec![rule("admin", 1, &[Admin, TenantAdmin], &[])],
            Self::LeadForPrompts => vec![
                rule("approver", 1, &[Approver], &[]),
                prompts(rule("lead", 1, &[], &["tech-lead"])),
            ],
            Self::PromptsOnly => vec![prompts(rule("lead", 1, &[], &["tech-lead"]))],
            Self::Impossible => vec![rule("three", 3, &[Approver], &[])],
        }
    }
}

fn rule(name: &str, required: i32, roles: &[EligibleRole], groups: &[&str]) -> ApprovalRule {
    ApprovalRule {
        name: name.to_owned(),
        required,
        eligible: Some(Eligible {
            roles: roles.iter().map(|role| (*role).into()).collect(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The world as the server has it: a project of its own, and the people as they call.
pub(super) struct Place {
    pub(super) project: Project,
    pub(super) people: BTreeMap<Person, Client>,
}

/// The people, whom all sequences share.
pub(super) async fn people(world: &World) -> BTreeMap<Person, Client> {
    let mut people = BTreeMap::from([(Person::Root, world.admin.clone())]);
    for person in &PEOPLE[1..] {
        people.insert(*person, world.user(&format!("{person:?}")).await);
    }
    people
}

impl Place {
    pub(super) async fn new(world: &World, people: &BTreeMap<Person, Client>) -> Self {
        let place = Self {
            project: world.project().await,
            people: people.clone(),
        };
        for person in &PEOPLE[1..] {
            let (role, groups) = person.standing().membership();
            let id = &place.people[person].principal_id;
            place.project.set_groups(id, &[role], groups).await;
        }
        for (slug, tier) in ENVIRONMENTS {
            let request = CreateEnvironmentRequest {
                project: place.project.slug.clone(),
                slug: slug.to_owned(),
                tier: tier.into(),
                ..Default::default()
            };
            let mut environments = place.project.admin.environments();
            environments.create_environment(request).await.granted();
        }
        for (index, application) in APPLICATIONS.iter().enumerate() {
            place.add(index, application).await;
        }
        place
    }

    async fn add(&self, index: usize, application: &Application) {
        let kind = if application.is_service {
            ApplicationKind::Service
        } else {
            ApplicationKind::Prompt
        };
        let request = CreateApplicationRequest {
            project: self.project.slug.clone(),
            key: application.key.to_owned(),
            kind: kind.into(),
            ..Default::default()
        };
        let mut applications = self.project.admin.applications();
        applications.create_application(request).await.granted();
        for version in application.added {
            let [account, author] = application.makers[version];
            let dependencies = needs(index, version).map(|need| Dependency {
                application: key(need.application).to_owned(),
                requirement: need.requirement.to_owned(),
            });
            let request = CreateVersionRequest {
                project: self.project.slug.clone(),
                application: application.key.to_owned(),
                identifier: application.versions[version].to_owned(),
                dependencies: dependencies.collect(),
                author_principal_id: self.people[&author].principal_id.clone(),
                ..Default::default()
            };
            let mut applications = self.people[&account].applications();
            applications.create_version(request).await.granted();
        }
    }
}
