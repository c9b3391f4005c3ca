//! The contract: what every store must do, case by case. A store binds it in its own tests with
//! [`store_contract!`](crate::store_contract).
//!
//! Each case gets an empty database. What runs at once in a case are futures of one task: they meet in the database,
//! which is where the contract has to hold.

pub mod applications;
pub mod approvals;
pub mod audit;
pub mod backups;
pub mod checks;
pub mod deployments;
pub mod engines;
pub mod environments;
pub mod freezes;
pub mod given;
pub mod identities;
pub mod ledger;
pub mod memberships;
pub mod notifications;
pub mod pipelines;
pub mod policies;
pub mod principals;
pub mod projects;
pub mod queue;
pub mod reports;
pub mod requests;
pub mod snapshots;
pub mod steps;
pub mod templates;
pub mod tokens;
pub mod undoing;
pub mod units_of_work;
pub mod versions;
pub mod waiting;

/// Makes one `#[tokio::test]` per case. The argument names an `async fn() -> Option<T>` in the same module, where `T` has
/// a method `store(&self) -> &dyn Store` on an empty database; where it answers `None`, the case is skipped.
#[macro_export]
macro_rules! store_contract {
    ($fixture:ident) => {
        $crate::store_contract! { @cases $fixture
            units_of_work {
                what_is_dropped_never_happened,
                nothing_is_visible_before_the_commit,
                a_snapshot_sees_one_moment,
                a_store_answers_a_ping,
                writers_wait_for_each_other,
            }
            projects {
                what_is_inserted_is_found,
                a_slug_is_taken_once,
                a_slug_is_taken_once_by_many_at_once,
                changes_at_once_come_one_after_the_other,
                a_stale_update_is_a_conflict,
                pages_are_complete_and_in_order,
                members_see_their_projects_only,
            }
            principals {
                what_is_inserted_is_found,
                an_email_is_taken_without_regard_to_case,
                disabling_again_changes_nothing,
                two_admins_cannot_shut_each_other_out,
                pages_select_kinds_and_disabled_ones,
                names_are_found_by_id,
                administrators_come_and_go,
            }
            memberships {
                setting_again_keeps_the_beginning,
                removing_ends_it,
                pages_are_complete_and_in_order,
                of_one_principal_by_slug,
                what_issuers_give_adds_up_and_is_taken_back,
                givers_at_once_leave_what_all_give,
            }
            identities {
                what_is_inserted_is_found,
                a_key_is_taken_once_by_many_at_once,
                one_of_each_provider_and_many_certificates,
                accounts_come_with_everything,
            }
            tokens {
                what_is_inserted_is_found,
                revoking_again_changes_nothing,
                the_last_use_never_goes_back,
                pages_select_active_ones,
                a_bearer_comes_with_everything,
            }
            environments {
                what_is_inserted_is_found,
                a_slug_is_taken_once_per_project,
                changes_at_once_come_one_after_the_other,
                a_stale_update_is_a_conflict,
                pages_go_by_position_then_slug,
            }
            applications {
                what_is_inserted_is_found,
                many_keys_are_looked_up_at_once,
                taken_keys_are_left_out,
                a_key_is_taken_once_by_many_at_once,
                changes_at_once_come_one_after_the_other,
                a_stale_update_is_a_conflict,
                keys_are_ordered_by_bytes,
                pages_select_kinds_and_archived_ones,
            }
            versions {
                what_is_inserted_is_found,
                taken_identifiers_are_left_out,
                an_identifier_is_taken_once_by_many_at_once,
                all_applications_of_the_project_are_asked,
                deprecating_again_changes_nothing,
                pages_go_from_new_to_old,
                many_are_inserted_at_once,
            }
            requests {
                the_first_is_remembered,
                an_old_one_is_replaced,
                keys_are_told_apart,
                one_of_many_at_once_is_first,
                old_ones_are_forgotten_up_to_the_limit,
                a_change_rolled_back_is_not_remembered,
            }
            ledger {
                the_projection_equals_the_records,
                other_times_equal_the_records,
                the_history_equals_the_records,
                concurrent_changes_of_a_cell_leave_the_right_one,
                concurrent_repeats_add_each_record_once,
                what_is_held_is_what_was_committed_last,
                targets_come_in_the_order_of_the_reports,
                projects_are_apart,
                statistics_count_what_was_not_taken_back,
            }
            pipelines {
                what_is_inserted_is_found,
                a_slug_is_taken_once_per_project,
                environments_of_other_projects_are_refused,
                changes_at_once_come_one_after_the_other,
                a_stale_update_is_a_conflict,
                pages_are_complete_and_in_order,
                stages_in_use_guard_environments,
            }
            deployments {
                what_is_inserted_is_found,
                every_state_is_kept,
                numbers_count_up_in_each_project,
                numbers_become_visible_in_their_order,
                an_update_saves_all_but_the_items,
                an_update_from_another_state_is_a_conflict,
                one_deployment_holds_an_environment,
                one_of_many_at_once_gets_the_environment,
                items_are_saved,
                a_problem_is_kept_whatever_its_text,
                changes_at_once_come_one_after_the_other,
                things_of_other_projects_are_refused,
                origins_of_other_environments_are_refused,
                pages_equal_a_list_in_memory,
                projects_are_apart,
                the_summary_counts_what_succeeded,
                the_last_success_is_found,
            }
            queue {
                the_oldest_that_can_run_is_claimed,
                only_what_can_be_carried_out_is_claimed,
                what_may_not_begin_yet_lets_others_go_first,
                each_is_claimed_once_by_many_at_once,
                what_is_left_is_claimed_once_at_a_time,
                a_claim_rolled_back_never_was,
                a_lease_is_over_in_time,
                what_comes_to_an_end_gives_its_lease_back,
                a_change_by_others_leaves_the_lease,
                an_old_claim_changes_nothing,
                claims_and_steps_at_once_keep_their_order,
            }
            steps {
                steps_are_added_once,
                no_step_is_added_begun,
                a_step_ends_once,
                what_applies_an_item_is_undone,
                steps_at_once_end_once_each,
                a_plan_takes_anothers_place_before_it_is_begun,
            }
            checks {
                the_last_of_each_name_and_plan_is_found,
                a_place_is_taken_once,
            }
            templates {
                what_is_inserted_is_found,
                versions_follow_each_other_and_stay,
                a_slug_is_taken_once_until_it_is_deleted,
                pages_are_complete_and_in_order,
            }
            policies {
                what_is_set_is_found,
                one_policy_is_about_one_thing,
                a_stale_change_is_a_conflict,
                those_about_an_environment_are_found,
                what_governs_is_told_without_reading_it,
                pages_are_complete_and_in_order,
            }
            approvals {
                what_is_opened_is_found,
                a_deployment_has_one_current_request,
                a_person_decides_once,
                an_approval_is_withdrawn_once,
                overrides_are_kept_and_reviewed_once,
                voters_are_known_as_they_are,
                makers_had_a_part,
                of_answers_at_once_one_is_kept,
                a_change_from_another_state_is_a_conflict,
                requests_become_overdue,
                pages_equal_a_list_in_memory,
            }
            freezes {
                what_is_inserted_is_found,
                a_slug_is_taken_until_its_window_is_deleted,
                changes_at_once_come_one_after_the_other,
                windows_cover_an_environment,
                pages_are_complete_and_in_order,
                an_override_is_kept,
            }
            waiting {
                what_is_put_off_is_claimed_later,
                a_thaw_lets_go_of_what_is_frozen,
                no_thaw_is_missed,
            }
            undoing {
                one_deployment_undoes_another,
                later_writers_are_those_that_count,
                what_is_under_way_is_found_by_its_environment,
                steps_in_doubt_are_rewritten,
                a_pulse_tells_every_change,
            }
            snapshots {
                what_is_inserted_is_found,
                things_of_others_are_refused,
                pages_equal_a_list_in_memory,
            }
            backups {
                what_is_due_is_claimed,
                each_is_claimed_once_by_many_at_once,
                failures_are_counted_and_told,
                a_deployment_comes_first,
                archived_ones_are_never_due,
            }
            notifications {
                webhooks_are_kept,
                what_happens_goes_into_the_outbox,
                each_event_is_taken_once,
                deliveries_keep_their_order,
                nothing_overtakes_the_outbox,
                a_delivery_is_claimed_once_at_a_time,
                a_disabled_webhook_gets_nothing,
                deliveries_are_listed_and_forgotten,
            }
            engines {
                settings_take_each_others_place,
                a_secret_is_not_kept,
                links_take_each_others_place,
                many_links_are_set_at_once,
                links_at_once_stay_unique,
                credentials_take_each_others_place,
                credentials_at_once_are_one_set,
            }
            reports {
                a_period_is_read,
                what_belongs_to_deployments_is_read,
                what_ended_is_read,
            }
            audit {
                events_are_listed_by_every_filter,
                chains_grow_in_order_and_verify,
                what_is_dropped_leaves_no_event,
                facts_have_the_digests_of_their_rows,
                the_feed_tells_each_change_once,
            }
        }
    };
    (@cases $fixture:ident $($noun:ident { $($case:ident,)+ })+) => {$(
        mod $noun {$(
            #[tokio::test]
            async fn $case() {
                if let Some(fixture) = super::$fixture().await {
                    $crate::contract::$noun::$case(fixture.store()).await;
                }
            }
        )+}
    )+};
}
