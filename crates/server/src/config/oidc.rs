//! `[[oidc]]`: the identity providers whose tokens are taken.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use slipway_identity::Role;
use slipway_identity::issuer::{GroupMapping, Mappings};
use slipway_identity::membership::MAX_GROUPS;
use slipway_kernel::Slug;
use slipway_oidc::{ClaimNames, KeySource, Options};

/// The most identity providers, and the most groups of one that mean something.
const MAX_ISSUERS: usize = 50;
const MAX_GRANTS: usize = 10_000;

/// One `[[oidc]]` section: an identity provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Its name, exactly as the claim `iss` of its tokens has it.
    pub issuer: String,
    /// What the claim `aud` of tokens for this installation holds.
    pub audience: String,
    /// The algorithms by which it may sign: of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and `EdDSA`.
    pub algorithms: Vec<String>,
    /// The address of its keys: https, or http on this machine. Redirects are not followed.
    pub jwks_url: Option<String>,
    /// A file with its keys, in place of the address. It is read anew as the address would be asked anew.
    pub jwks_file: Option<PathBuf>,
    /// The claim with the e-mail address. Default: `email`.
    #[serde(default = "email")]
    pub email_claim: String,
    /// The claim with the name shown to people. Default: `name`.
    #[serde(default = "name")]
    pub name_claim: String,
    /// The claim with the groups. Default: `groups`.
    #[serde(default = "groups")]
    pub groups_claim: String,
    /// The group whose members administer the installation. Default: none.
    pub tenant_admin_group: Option<String>,
    /// Whether a first sign-in makes a principal; else only linked identities are taken. Default: true.
    #[serde(default = "yes")]
    pub provision: bool,
    /// How much its clock may differ. Default: 30 s; at most 60 s.
    #[serde(default = "half_a_minute", with = "humantime_serde")]
    pub leeway: Duration,
    /// How old its keys may become before they are asked for anew. Default: 1 h.
    #[serde(default = "one_hour", with = "humantime_serde")]
    pub refresh_interval: Duration,
    /// How long its keys are not asked for again, though a token names one that is unknown. Default: 10 s.
    #[serde(default = "ten_seconds", with = "humantime_serde")]
    pub refresh_pause: Duration,
    /// How long asking may take. Default: 5 s.
    #[serde(default = "five_seconds", with = "humantime_serde")]
    pub timeout: Duration,
    /// What its groups mean.
    #[serde(default)]
    pub grants: Vec<OidcGrant>,
}

/// `[[oidc.grants]]`: what one group means in one project.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcGrant {
    /// The group, exactly as tokens name it.
    pub group: String,
    /// The project.
    pub project: Slug,
    /// The roles that its members have there: at least one.
    pub roles: BTreeSet<Role>,
    /// The groups that they are in there, which policies name.
    #[serde(default)]
    pub groups: BTreeSet<Slug>,
}

fn email() -> String {
    ClaimNames::default().email
}

fn name() -> String {
    ClaimNames::default().name
}

fn groups() -> String {
    ClaimNames::default().groups
}

const fn yes() -> bool {
    true
}

const fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

const fn one_hour() -> Duration {
    Duration::from_hours(1)
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

const fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

impl Oidc {
    /// What the provider is asked and trusted for, or all that is wrong with it.
    pub fn options(&self) -> Result<Options, Vec<String>> {
        let mut problems = Vec::new();
        let issuer = self.issuer.parse();
        if issuer.is_err() {
            problems.push("issuer is too long; at most 512 bytes are allowed".to_owned());
        }
        let mut algorithms = Vec::new();
        for algorithm in &self.algorithms {
            match algorithm.parse() {
                Ok(algorithm) => algorithms.push(algorithm),
                Err(error) => problems.push(format!("algorithms: {error}")),
            }
        }
        let keys = match (&self.jwks_url, &self.jwks_file) {
            (Some(url), None) => KeySource::Url(url.clone()),
            (None, Some(path)) => KeySource::File(path.clone()),
            _ => {
                problems.push("needs either jwks_url or jwks_file".to_owned());
                KeySource::File(PathBuf::new())
            }
        };
        let groups = self.mappings(&mut problems);
        let options = Options {
            issuer: issuer.unwrap_or_default(),
            audience: self.audience.clone(),
            algorithms,
            keys,
            claims: ClaimNames {
                email: self.email_claim.clone(),
                name: self.name_claim.clone(),
                groups: self.groups_claim.clone(),
            },
            mappings: Mappings {
                tenant_admin: self.tenant_admin_group.clone(),
                groups,
            },
            leeway: self.leeway,
            provision: self.provision,
            refresh_interval: self.refresh_interval,
            refresh_pause: self.refresh_pause,
            timeout: self.timeout,
        };
        if problems.is_empty()
            && let Err(error) = options.check()
        {
            problems.push(error.to_string());
        }
        if problems.is_empty() {
            Ok(options)
        } else {
            Err(problems)
        }
    }

    fn mappings(&self, problems: &mut Vec<String>) -> Vec<GroupMapping> {
        if self.grants.len() > MAX_GRANTS {
            problems.push(format!(
                "grants has {} entries; at most {MAX_GRANTS} are allowed",
                self.grants.len()
            ));
        }
        if self.tenant_admin_group.as_deref() == Some("") {
            problems.push("tenant_admin_group is empty; leave it out".to_owned());
        }
        let mut together: BTreeMap<&Slug, BTreeSet<&Slug>> = BTreeMap::new();
        let mut mappings = Vec::new();
        for grant in &self.grants {
            if grant.group.is_empty() {
                problems.push("grants has an entry with an empty group".to_owned());
            }
            together
                .entry(&grant.project)
                .or_default()
                .extend(&grant.groups);
            let roles = grant.roles.clone().try_into();
            match (roles, grant.groups.clone().try_into()) {
                (Ok(roles), Ok(groups)) => mappings.push(GroupMapping {
                    group: grant.group.clone(),
                    project: grant.project.clone(),
                    roles,
                    groups,
                }),
                (Err(error), _) => problems.push(format!(
                    "grants of the group \"{}\": roles {error}",
                    grant.group
                )),
                (_, Err(error)) => problems.push(format!(
                    "grants of the group \"{}\": groups {error}",
                    grant.group
                )),
            }
        }
        for (project, groups) in together {
            if groups.len() > MAX_GROUPS {
                problems.push(format!(
                    "grants name {} groups in the project `{project}`; at most {MAX_GROUPS} are allowed together",
                    groups.len()
                ));
            }
        }
        mappings
    }
}

/// Adds what is wrong with any of them.
pub(super) fn check(issuers: &[Oidc], problems: &mut Vec<String>) {
    if issuers.len() > MAX_ISSUERS {
        problems.push(format!(
            "there are {} sections [[oidc]]; at most {MAX_ISSUERS} are allowed",
            issuers.len()
        ));
    }
    let mut names = BTreeSet::new();
    for issuer in issuers {
        let name = &issuer.issuer;
        if !names.insert(name) {
            problems.push(format!(
                "[[oidc]] issuer = \"{name}\" stands there twice; give each issuer one section"
            ));
        }
        for problem in issuer.options().err().into_iter().flatten() {
            problems.push(format!("[[oidc]] of \"{name}\": {problem}"));
        }
    }
}
