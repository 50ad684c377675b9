"""What moves tasks, money and letters, broken one piece at a time."""

from tests.mutants.mutant import Mutant

LEDGER = [
    Mutant(
        "a fee has no unique key",
        "accounting/migrations/0001_ledger.py",
        "CREATE UNIQUE INDEX transfer_deal_fee ON transfer (run_id, task_id)",
        "CREATE UNIQUE INDEX transfer_deal_fee ON transfer (run_id, task_id, id)",
        "accounting/test_handlers.py::test_the_same_fact_twice_moves_money_once",
        also=(
            "accounting/ledger.py",
            "ON CONFLICT (run_id, task_id) WHERE",
            "ON CONFLICT (run_id, task_id, id) WHERE",
        ),
    ),
    Mutant(
        "the tally counts who is due again at every posting",
        "accounting/migrations/0006_tally.py",
        "sum((after > 0)::int - (before > 0)::int) AS due,",
        "sum((after > 0)::int) AS due,",
        "accounting/test_verify.py::test_who_is_paid_again_is_still_one_person",
    ),
    Mutant(
        "a reward has no unique key",
        "accounting/migrations/0001_ledger.py",
        "CREATE UNIQUE INDEX transfer_completion_reward ON transfer (task_id)",
        "CREATE UNIQUE INDEX transfer_completion_reward ON transfer (task_id, id)",
        "accounting/test_handlers.py::test_the_same_fact_twice_moves_money_once",
        also=(
            "accounting/ledger.py",
            "ON CONFLICT (task_id) WHERE",
            "ON CONFLICT (task_id, id) WHERE",
        ),
    ),
    Mutant(
        "a payout has no unique key",
        "accounting/migrations/0001_ledger.py",
        "CREATE UNIQUE INDEX transfer_payout",
        "CREATE INDEX transfer_payout",
        "accounting/test_rules.py::test_a_worker_is_paid_once_a_day",
    ),
    Mutant(
        "another fact with a posted key is passed over",
        "accounting/ledger.py",
        "if sentence := primary.value(statement, *columns(facts)):",
        "if sentence := None:",
        "accounting/test_handlers.py::test_the_same_key_for_another_worker_is_refused",
    ),
    Mutant(
        "a fee that comes after its task's withdrawal stays",
        "accounting/ledger.py",
        "        reverse_withdrawn(tasks, (day, now), moved)\n    add",
        "    add",
        "accounting/test_handlers.py::test_the_last_fee_is_given_back_in_whatever_order",
        "flows/test_any_order.py::test_order_and_repetition_change_nothing",
    ),
    Mutant(
        "totals are kept beside the transfers, not with them",
        "accounting/ledger.py",
        "        rewards_cents = total.rewards_cents + excluded.rewards_cents,",
        "        rewards_cents = excluded.rewards_cents,",
        "flows/test_any_order.py::test_order_and_repetition_change_nothing",
    ),
    Mutant(
        "transfers can be changed",
        "accounting/migrations/0001_ledger.py",
        "CREATE TRIGGER transfer_stays BEFORE UPDATE OR DELETE",
        "CREATE TRIGGER transfer_stays BEFORE UPDATE",
        "accounting/test_rules.py::test_a_trigger_says_so_to_those_with_the_right",
    ),
    Mutant(
        "any transfer may go into any day",
        "accounting/migrations/0001_ledger.py",
        "    IF FOUND THEN",
        "    IF false THEN",
        "accounting/test_rules.py::test_a_day_being_closed_takes_nothing_but_payouts",
    ),
]

DAYS = [
    Mutant(
        "posting does not share the books",
        "accounting/books.py",
        "return open_day(now, SHARED)",
        'return open_day(now, "SELECT")',
        "accounting/test_actions.py::test_the_day_one_was_told_is_open_stays_open",
    ),
    Mutant(
        "a day may be closed before it begins",
        "accounting/actions.py",
        "    if day > today:",
        "    if False:",
        "accounting/test_actions.py::test_a_day_that_has_not_begun_is_not_closed",
    ),
    Mutant(
        "after three days one is closed",
        "accounting/actions.py",
        "        while (day := due_day(now)) is not None:",
        "        if (day := due_day(now)) is not None:",
        "accounting/test_actions.py::test_missed_days_are_closed_in_order_and_each_is_paid",
    ),
    Mutant(
        "business days are those of UTC",
        "accounting/books.py",
        "return clock.day_of(now, Agreed.terms.zone)",
        "return now.date()",
        "accounting/test_actions.py::test_each_date_is_closed_once_at_its_end_when_clocks_change",
    ),
    Mutant(
        "two payers take the same batch",
        "accounting/payouts.py",
        "ORDER BY day LIMIT 1 FOR UPDATE",
        "ORDER BY day LIMIT 1",
        "accounting/test_payouts.py::test_two_payers_at_once_pay_each_worker_once",
    ),
    Mutant(
        "a payout run is all or nothing",
        "accounting/payouts.py",
        "done = done + passed.count",
        "done = 0 * passed.count",
        "accounting/test_payouts.py::test_a_payout_run_cut_off_half_way_goes_on_and_pays_nobody_twice",
    ),
]

JOBS = [
    Mutant(
        "the schedule is written once",
        "common/jobs.py",
        "            if service.tick:\n",
        "            if service.tick and not hasattr(self, 'has_begun'):\n",
        "faults/test_money.py::test_a_schedule_lost_from_redis_is_made_again",
        also=(
            "common/jobs.py",
            "        return super().enqueue_jobs()\n",
            "        self.has_begun = True\n        return super().enqueue_jobs()\n",
        ),
    ),
]

TASKS = [
    Mutant(
        "a task is completed by whoever looks at the same moment",
        "tracker/actions.py",
        "        DELETE FROM deal WHERE task_id = %s AND assignee_id = coalesce(%s, assignee_id)\n"
        "        RETURNING task_id, assignee_id, run_id",
        "        SELECT task_id, assignee_id, run_id FROM deal\n"
        "        WHERE task_id = %s AND assignee_id = coalesce(%s, assignee_id)",
        "tracker/test_actions.py::test_its_assignee_completes_a_task_once",
    ),
    Mutant(
        "two jobs deal the same batch",
        "tracker/runs.py",
        '        run = primary.row(DUE + " FOR UPDATE")\n        if run is None or run["state"] ==',
        '        run = primary.row(DUE)\n        if run is None or run["state"] ==',
        "tracker/test_runs.py::test_two_jobs_at_once_deal_each_task_once",
    ),
    Mutant(
        "a run that was cut off begins anew",
        "tracker/runs.py",
        "(%(cursor)s::uuid IS NULL OR task_id > %(cursor)s) AND task_id <= %(upper_id)s",
        "task_id <= %(upper_id)s",
        "tracker/test_runs.py::test_a_job_cut_off_half_way_is_gone_on_with",
    ),
    Mutant(
        "every run has the same seed",
        "common/chance.py",
        "return secrets.token_bytes(32)",
        "return bytes(32)",
        "tracker/test_run_views.py::test_every_run_has_a_seed_of_its_own",
    ),
    Mutant(
        "older news of a person wins over newer",
        "common/people.py",
        "    WHERE person.version < excluded.version\n",
        "",
        "tracker/test_departures.py::test_older_news_of_a_person_changes_nothing",
    ),
]

LETTERS = [
    Mutant(
        "a letter is marked as sent before it is",
        "mailer/sender.py",
        "            self.post.deliver(message_of(letter, self.settings))\n",
        '            self.note(letter, "sent")\n'
        "            self.post.deliver(message_of(letter, self.settings))\n",
        "mailer/test_sender.py::test_a_4xx_is_tried_again_later",
    ),
    Mutant(
        "a letter sent again is another one",
        "mailer/message.py",
        "    message.msgId = message_id(letter.id)\n",
        "",
        "mailer/test_sender.py::test_a_crash_between_250_and_commit_sends_the_same_message_id",
    ),
    Mutant(
        "two senders take the same letter",
        "mailer/letters.py",
        "primary.rows(LEASE_DUE, now + LEASE, now, limit)",
        "primary.rows(LEASE_DUE, now + LEASE, now + 2 * LEASE, limit)",
        "mailer/test_sender.py::test_two_senders_never_take_the_same_letter",
    ),
    Mutant(
        "a silent mail host is asked for each of its letters",
        "mailer/sender.py",
        "            if isinstance(error, Lost):\n",
        "            if False:\n",
        "mailer/test_sender.py::test_a_silent_host_costs_one_timeout_and_not_one_a_letter",
    ),
    Mutant(
        "a name may have several lines",
        "mailer/domain.py",
        'return CONTROL.sub(" ", text).strip()',
        "return text",
        "mailer/test_sender.py::test_a_name_adds_no_header_and_runs_nowhere",
    ),
]

MUTANTS = LEDGER + DAYS + JOBS + TASKS + LETTERS
