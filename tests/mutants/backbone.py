"""What carries facts from one service to the next, broken one piece at a time."""

from tests.mutants.mutant import Mutant

OUTBOX = [
    Mutant(
        "a fact is said outside the transaction of its change",
        "common/outbox.py",
        "if not self.primary.in_transaction():",
        "if False:",
        "common/test_backbone.py::test_a_fact_outside_a_transaction_is_refused",
    ),
    Mutant(
        "the relay goes by a cursor of ids",
        "common/relay.py",
        "WHERE published_at IS NULL ORDER BY id LIMIT %s",
        "WHERE published_at IS NULL AND (SELECT count(*) FROM outbox AS later"
        " WHERE later.published_at IS NOT NULL AND later.id > outbox.id) = 0 ORDER BY id LIMIT %s",
        "common/test_relay.py::test_late_commits_are_never_skipped",
    ),
    Mutant(
        "the relay waits for every transaction to end",
        "common/relay.py",
        "        WHERE published_at IS NULL ORDER BY id LIMIT %s",
        "        WHERE published_at IS NULL AND xmin::text::bigint"
        " < pg_snapshot_xmin(pg_current_snapshot())::text::bigint ORDER BY id LIMIT %s",
        "common/test_relay.py::test_an_idle_transaction_does_not_stop_the_bus",
    ),
    Mutant(
        "two relays publish at once",
        "common/relay.py",
        "SELECT pg_try_advisory_xact_lock(hashtext('relay'))",
        "SELECT true",
        "common/test_backbone.py::test_a_second_relay_stands_by",
    ),
    Mutant(
        "a loss is not noticed",
        "common/relay.py",
        "if known and (",
        "if not known and (",
        "common/test_backbone.py::test_an_emptied_bus_gets_everything_again",
        "common/test_relay.py::test_a_loss_heals_with_nothing_to_publish",
    ),
    Mutant(
        "what the stream shows is believed, not what it was given",
        "common/relay.py",
        "            held = count + len(rows)\n",
        "            entry_ids[-1], held = streams.extent(self.bus, self.stream)\n",
        "common/test_relay.py::test_a_loss_in_the_middle_of_publishing_is_noticed",
    ),
    Mutant(
        "entries are trimmed by age alone",
        "common/relay.py",
        "mark = streams.acknowledged(self.bus, self.stream, self.groups)",
        "mark = streams.extent(self.bus, self.stream)[0]",
        "common/test_relay.py::test_trimming_never_drops_what_a_slow_group_has_to_read",
    ),
    Mutant(
        "unpublished facts are forgotten when they are old",
        "common/relay.py",
        "WHERE id < %s AND published_at < %s",
        "WHERE id < %s AND coalesce(published_at, '-infinity') < %s",
        "common/test_relay.py::test_old_events_are_forgotten_but_never_unpublished_ones",
        also=(
            "common/relay.py",
            "AND string_to_array(entry_id, '-')::bigint[] < string_to_array(%s, '-')::bigint[]\n",
            "AND (string_to_array(entry_id, '-')::bigint[]"
            " >= string_to_array(%s, '-')::bigint[]) IS NOT TRUE\n",
        ),
    ),
]

INBOX = [
    Mutant(
        "the inbox is ignored",
        "common/inbox.py",
        "return [envelope for envelope in envelopes if new.pop(envelope.id, False)]",
        "return list(envelopes)",
        "common/test_backbone.py::test_what_is_published_twice_has_its_effect_once",
        "common/test_relay.py::test_a_lost_reply_of_publishing_is_harmless",
    ),
    Mutant(
        "the effect and its inbox row do not commit together",
        "common/consume.py",
        "            with self.primary.atomic():\n                new =",
        "            if True:\n                new =",
        "common/test_consume.py::test_a_frozen_consumer_wakes_safely",
    ),
    Mutant(
        "entries are acknowledged before they are handled",
        "common/consume.py",
        "        error = self.failure(entries)\n",
        "        streams.ack(self.bus, self.group, entries)\n"
        "        error = self.failure(entries)\n",
        "common/test_backbone.py::test_only_the_poison_of_a_batch_is_buried_after_three_tries",
    ),
    Mutant(
        "commands to the bus are tried again by themselves",
        "common/stream.py",
        "retry=Retry(NoBackoff(), 0)",
        "retry=Retry(NoBackoff(), 3)",
        "common/test_relay.py::test_a_command_whose_reply_was_lost_is_not_sent_again_by_itself",
    ),
    Mutant(
        "a consumer never looks at what it left pending",
        "common/consume.py",
        "streams.read(self.bus, self.group, self.name, self.streams, BATCH, own=True)",
        "[]",
        "common/test_consume.py::test_a_lost_reply_of_reading_heals",
    ),
    Mutant(
        "a dead consumer's entries are not claimed",
        "common/consume.py",
        "left = streams.claim(self.bus, self.group, self.name, stream, CLAIM_IDLE_MS, BATCH)",
        "left = []",
        "common/test_backbone.py::test_entries_of_a_dead_consumer_are_taken_over",
    ),
    Mutant(
        "a group that was lost begins at what comes next",
        "common/stream.py",
        'bus.xgroup_create(stream, group, id="0", mkstream=True)',
        'bus.xgroup_create(stream, group, id="$", mkstream=True)',
        "common/test_backbone.py::test_a_group_that_was_lost_reads_from_the_beginning",
    ),
    Mutant(
        "a lost group is not made again",
        "common/consume.py",
        "        streams.ensure_groups(self.bus, self.streams, self.group)\n        self",
        "        if self.primary.in_transaction():\n"
        "            streams.ensure_groups(self.bus, self.streams, self.group)\n        self",
        "common/test_consume.py::test_a_group_lost_at_work_is_made_again",
    ),
    Mutant(
        "a poison event fails its whole batch",
        "common/consume.py",
        "elif len(entries) == 1:\n            self.refuse(entries[0], error)",
        "else:\n            return [self.refuse(entry, error) for entry in entries]\n"
        "        if error is None or len(entries) == 1:\n            pass",
        "common/test_backbone.py::test_only_the_poison_of_a_batch_is_buried_after_three_tries",
    ),
    Mutant(
        "a poison event is tried for ever",
        "common/consume.py",
        "if tries >= DELIVERIES_MAX or isinstance(error, Unreadable):",
        "if tries >= 10**9:",
        "common/test_consume.py::test_a_poison_event_blocks_nobody",
    ),
]

EVENTS = [
    Mutant(
        "a published event loses a field",
        "common/events/tracker.py",
        "    jira_id: str | None\n",
        "",
        "common/test_events.py::test_the_catalogue_is_what_the_classes_say",
        "common/test_events.py::test_every_version_ever_published_still_reads",
    ),
    Mutant(
        "a published event asks for one field more",
        "common/events/tracker.py",
        "    jira_id: str | None\n",
        "    jira_id: str | None\n    priority: int\n",
        "common/test_events.py::test_the_catalogue_is_what_the_classes_say",
        "common/test_events.py::test_every_version_ever_published_still_reads",
    ),
]

DATABASE = [
    Mutant(
        "a hung server is waited for",
        "common/deadline.py",
        "if not poller.poll(max(0.0, end - time.monotonic()) * 1000):",
        "if not poller.poll(max(0.0, end + 12 - time.monotonic()) * 1000):",
        "common/test_db.py::test_a_statement_past_its_deadline_raises",
        "common/test_db.py::test_a_hung_server_frees_its_callers_in_seconds",
    ),
    Mutant(
        "the replica is read whatever it shows",
        "common/store.py",
        "            if caught_up:\n                return behind\n",
        "            return behind\n",
        "common/test_db.py::test_a_replica_behind_ones_own_write_makes_way_for_the_primary",
    ),
    Mutant(
        "a lost standby is not replaced by the primary",
        "common/store.py",
        "            return look(self.primary)[0]\n",
        "            return look(self.replica)[0]\n",
        "common/test_db.py::test_without_a_replica_the_primary_is_read",
    ),
    Mutant(
        "the rule of the lot is another one in Python",
        "common/chance.py",
        'return int.from_bytes(digest[:4], "big") * n >> 32',
        'return int.from_bytes(digest[:4], "big") % n',
        "common/test_db.py::test_the_draw_is_the_same_rule_in_sql_and_in_python",
        "tracker/test_domain.py::test_sql_and_python_deal_a_task_to_the_same_worker",
    ),
]

MUTANTS = OUTBOX + INBOX + EVENTS + DATABASE
