"""`ogon portal list` and `ogon doctor`: a portal that refuses us is seen at a glance."""

import psycopg


def test_a_portal_in_trouble_says_so_and_since_when(ogon, database_conninfo) -> None:
    code, said = ogon("portal", "list")
    assert (code, "refuses us" in said) == (0, False)
    with psycopg.connect(database_conninfo) as connection:
        connection.execute(
            "UPDATE portals SET trouble = 'No money [PAYMENT_REQUIRED]', trouble_since = '2026-08-21 09:00Z'"
        )
    words = ("2026-08-21 09:00 UTC", "No money [PAYMENT_REQUIRED]")
    code, said = ogon("portal", "list")
    assert code == 0
    assert all(word in " ".join(said.split()) for word in ("refuses us since", "PAYMENT_REQUIRED"))
    code, said = ogon("doctor")
    assert code == 1
    assert all(word in said for word in words)
