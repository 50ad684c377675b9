"""What keeps people out, broken one piece at a time."""

from tests.mutants.mutant import Mutant

IDENTITY = [
    Mutant(
        "an identity is good for any path",
        "common/identity.py",
        "return identity if (identity.audience, identity.method, identity.path) == asked else None",
        "return identity if (identity.audience, identity.method) == asked[:2] else None",
        "gateway/test_identity.py::test_what_the_gateway_did_not_sign_for_this_is_refused",
    ),
    Mutant(
        "an identity is good for any service",
        "common/identity.py",
        "return identity if (identity.audience, identity.method, identity.path) == asked else None",
        "return identity if (identity.method, identity.path) == asked[1:] else None",
        "gateway/test_identity.py::test_what_the_gateway_did_not_sign_for_this_is_refused",
    ),
    Mutant(
        "an identity never grows old",
        "common/identity.py",
        "self.signer.unsign(token, max_age=LIFE_S)",
        "self.signer.unsign(token)",
        "gateway/test_identity.py::test_what_it_signed_is_believed_for_half_a_minute",
    ),
    Mutant(
        "who somebody was is not found out",
        "gateway/proxy.py",
        "        if guess and not guess.is_as(self.caller(environ)):\n",
        "        if False:\n",
        "gateway/test_sessions.py::test_a_page_is_for_who_somebody_is_not_who_they_were",
    ),
    Mutant(
        "a session outlives its person's role",
        "gateway/actions.py",
        "        if domain.closes_sessions(before, after):\n",
        "        if False:\n",
        "gateway/test_sessions.py::test_a_copied_cookie_opens_nothing_from_then_on",
    ),
]

FORMS = [
    Mutant(
        "a page's role is not asked for",
        "common/web/__init__.py",
        "    if g.user is None or g.user.role not in roles:\n",
        "    if g.user is None:\n",
        "common/test_web.py::test_a_page_above_ones_role_is_refused",
        "tracker/test_views.py::test_only_managers_withdraw",
    ),
    Mutant(
        "a form's token is not looked at",
        "common/web/csrf.py",
        '    if not matches(settings, str(g.user.session_id), request.form.get(FIELD, "")):\n',
        "    if False:\n",
        "gateway/test_cross_site.py::test_a_forged_form_changes_nothing",
    ),
    Mutant(
        "forms may come from any site",
        "gateway/proxy.py",
        '            return origin in (self.origin, f"{self.scheme}://{host}")\n',
        "            return True\n",
        "gateway/test_proxy.py::test_forms_of_other_sites_are_refused",
    ),
    Mutant(
        "a form's key is ignored",
        "common/web/forms.py",
        "    if not key:\n",
        "    if True:\n",
        "common/test_web.py::test_the_same_form_twice_does_one_thing",
        "common/test_web.py::test_the_same_key_with_another_body_is_refused",
        "tracker/test_views.py::test_a_form_sent_twice_adds_one_task",
    ),
    Mutant(
        "a form's key leads to the first result whatever the form says",
        "common/web/forms.py",
        '            if bytes(known["body_sha256"]) != body:\n',
        "            if False:\n",
        "common/test_web.py::test_the_same_key_with_another_body_is_refused",
    ),
    Mutant(
        "guessing is not counted",
        "gateway/limits.py",
        '            if row["tries"] > most:\n',
        "            if False:\n",
        "gateway/test_limits.py::test_an_address_has_fifty_guesses_whoever_they_are_about",
    ),
    Mutant(
        "a table's cell may be a formula",
        "common/web/respond.py",
        """    return "'" + text if text[:1] in ("=", "+", "-", "@", "\\t", "\\r") else text\n""",
        "    return text\n",
        "common/test_web.py::test_csv_is_no_formula",
    ),
]

WAYS = [
    Mutant(
        "a path may have two readings",
        "gateway/routes.py",
        "return is_plain and not UNCLEAN.search(path) and not HIDDEN_SLASH.search(sent)",
        "return is_plain",
        "corpus/test_wire.py::test_no_path_leads_out_of_its_service",
    ),
    Mutant(
        "a service that hangs is waited for each time",
        "gateway/breaker.py",
        "return self.failures >= self.failures_max",
        "return False",
        "gateway/test_upstream.py::test_what_has_not_answered_thrice_is_not_waited_for",
    ),
    Mutant(
        "a service that hangs takes every thread",
        "gateway/upstream.py",
        "BoundedSemaphore(places)",
        "BoundedSemaphore(99)",
        "gateway/test_upstream.py::test_a_service_that_hangs_takes_its_own_places_only",
    ),
    Mutant(
        "a reset link outlives who was let go",
        "gateway/actions.py",
        """        if not after["is_active"]:\n""",
        "        if False:\n",
        "gateway/test_links.py::test_a_link_of_who_was_let_go_is_none_when_they_are_back",
    ),
    Mutant(
        "a form of 66,000 bytes is waited for in a thread",
        "common/web/worker.py",
        "length > FORM_MAX or",
        "length > 65_536 or",
        "corpus/test_slow.py::test_slow_forms_of_somebody_signed_in_take_no_page_away",
        also=("gateway/uploads.py", "length > FORM_MAX:", "length > 65_536:"),
    ),
    Mutant(
        "a large form is waited for in a thread",
        "gateway/proxy.py",
        "BODY_MAX if path == routes.UPLOAD else FORM_MAX",
        "BODY_MAX",
        "gateway/test_proxy.py::test_nobody_waits_for_what_is_refused_anyway",
    ),
    Mutant(
        "analytics may write through its views",
        "common/migrate.py",
        "GRANT SELECT ON",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON",
        "analytics/test_sources.py::test_the_role_may_write_nowhere_on_the_primary",
    ),
]

MUTANTS = IDENTITY + FORMS + WAYS
