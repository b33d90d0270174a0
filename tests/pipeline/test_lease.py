"""The lease: who was silent for as long as others wait does not go on with what he had begun."""

from app.pipeline.lease import Lease


def test_a_silence_that_others_take_for_death_begins_a_new_stretch_and_a_shorter_one_does_not() -> None:
    now = [0.0]
    lease = Lease(15.0, clock=lambda: now[0])
    begun = lease.number()
    for moment in (5.0, 10.0, 24.9):
        now[0] = moment
        lease.beat(moment)
    assert lease.number() == begun

    now[0] = 40.0
    assert lease.number() == begun + 1, "noticed by whoever asks first"
    now[0] = 56.0
    lease.beat(55.9)
    assert lease.number() == begun + 2, "or by the heartbeat, before it counts"
    now[0] = 70.0
    lease.beat(55.0)
    assert lease.number() == begun + 2
    now[0] = 71.1
    assert lease.number() == begun + 3, "a heartbeat counts from when it began"
