"""What speech-harness counts on; the failures say what to change."""

from harness_acme import harness_upstreams

from harness.conformance import Check, parametrize_with_checks


@parametrize_with_checks(*harness_upstreams())
def test_it_keeps_the_rules(check: Check) -> None:
    check()
