from __future__ import annotations

from karrots.secrets import admission

TEXTS = {"password": ("AgB", "AgC"), "t.f.": ("1", "2")}


def test_what_is_told_is_what_was_exchanged() -> None:
    made = admission.exchanged("shop", "a", TEXTS)
    assert admission.told(made) == (("shop", "a"), TEXTS)
    assert made["metadata"]["name"] != admission.exchanged("shop", "b", TEXTS)["metadata"]["name"]


def test_the_probe_tells_one_state_from_another() -> None:
    first, other = (admission.exchanged("shop", "a", {"k": ("1", after)}) for after in ("2", "3"))
    terms = [admission.probe_terms(maps)["data"] for maps in ([first], [other], [first, other], [])]
    assert len({each["t.probe"] for each in terms}) == len(terms)
    assert admission.probe()["data"] == {"probe": terms[0]["f.probe"]}


def test_only_the_probe_of_all_config_maps_is_looked_at() -> None:
    policy, binding = admission.policy("v1")
    sealed, maps = policy["spec"]["matchConstraints"]["resourceRules"]
    assert (sealed["resources"], sealed["operations"]) == (["sealedsecrets"], ["CREATE", "UPDATE"])
    assert (maps["resources"], maps["resourceNames"]) == (["configmaps"], [admission.PROBE])
    assert binding["spec"]["paramRef"]["parameterNotFoundAction"] == "Allow"
