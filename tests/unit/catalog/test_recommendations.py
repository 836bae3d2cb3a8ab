from __future__ import annotations

from pathlib import Path

import pytest

from rdna1.catalog.recommendations import Recommendation, recommendations
from rdna1.catalog.stacks import stack_names
from rdna1.catalog.yaml_data import DataFileError, load

FILE = Path(__file__).parents[3] / "installer/rdna1/catalog/data/recommendations.yml"


def test_ids_are_unique_and_stacks_exist() -> None:
    ids = [recommendation.id for recommendation in recommendations()]
    assert len(set(ids)) == len(ids)
    assert {r.stack for r in recommendations() if r.stack} <= set(stack_names())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("gains:", "gain:", "unknown field `gain`"),
        ("cards: [rdna1]", "cards: [rdna9]", "Invalid enum value 'rdna9'"),
        ("    - It costs money.", "    - ''", "length >= 1"),
    ],
)
def test_damage_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "recommendations.yml"
    assert old in FILE.read_text()
    path.write_text(FILE.read_text().replace(old, new, 1))
    with pytest.raises(DataFileError) as caught:
        load(path, list[Recommendation])
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}:")
