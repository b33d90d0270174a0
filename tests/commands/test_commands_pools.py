"""`ogon pools` at the terminal: set from a file, all or none; listed; closed."""

from pathlib import Path

POOLS = """
pools:
  - type: lead
    name: Desk
    members: [{user: 12, weight: 2}, {user: 14}]
    takes: {outcomes: [review]}
  - type: deal
    name: Sales
    members: [{user: 12, cap: 20}]
    takes: {grades: [AAA]}
"""


def test_pools_from_a_file_to_their_end(ogon, tmp_path: Path) -> None:
    file = tmp_path / "pools.yaml"
    file.write_text(POOLS, encoding="utf-8")
    code, said = ogon("pools", "set", "--file", str(file))
    assert code == 0, said
    code, said = ogon("pools", "list")
    assert (code, "Desk" in said, "Sales" in said, "14: 0" in said) == (0, True, True, True)

    file.write_text(POOLS.replace(", {user: 14}", ""), encoding="utf-8")
    assert ogon("pools", "set", "--file", str(file))[0] == 0
    code, said = ogon("pools", "list")
    assert ("14: 0" in said, said.count("Desk")) == (False, 1), "changed, not opened twice"

    assert ogon("pools", "close", "1")[0] == 0
    code, said = ogon("pools", "list")
    assert ("Desk" in said, "Sales" in said) == (False, True)
    code, said = ogon("pools", "close", "1")
    assert code == 1


def test_a_wrong_file_changes_nothing(ogon, tmp_path: Path) -> None:
    file = tmp_path / "pools.yaml"
    for wrong in (
        POOLS.replace("grades: [AAA]", "outcomes: [deal]"),
        POOLS.replace("weight: 2", "weight: 0"),
        "pools: [",
        "[]",
    ):
        file.write_text(wrong, encoding="utf-8")
        assert ogon("pools", "set", "--file", str(file))[0] == 1
    assert ogon("pools", "set", "--file", str(tmp_path / "none.yaml"))[0] == 1
    assert "Desk" not in ogon("pools", "list")[1]
