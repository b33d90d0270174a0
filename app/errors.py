"""The root of the error tree.

Every error that a person may read derives from `OgonError`, and its message says what to do next.
Errors are defined where they are raised; only the root lives here, so that roots (cli, web, worker)
can tell an expected failure from a defect. It must not import anything from app.

    OgonError
    ├── EmbeddedPostgresError  store/cluster.py      the embedded server cannot run here
    ├── DatabaseAway           store/database.py     temporary: the database does not answer
    ├── SecretUnreadable       store/secret_box.py   sealed with another SECRET_KEY
    ├── PortalUnknown          store/portals.py      no such portal
    ├── PortalExists           store/portals.py      its domain is already there
    ├── TokenExists            store/tokens.py       the name is taken
    ├── TokenUnknown           store/tokens.py       no token in use has this name
    ├── RulesetConflict        store/rulesets.py     somebody published a newer version meanwhile
    ├── VersionUnknown         store/rulesets.py     no version of the rules has this number
    ├── RulesetInvalid         store/ruleset_document.py  values of a rule document are wrong
    └── RulesUnreadable        store/ruleset_yaml.py      a file of rules is neither JSON nor YAML

Other packages add their own beneath it, beside the code that raises them.
Apart stands `SettingsError` (settings.py): leaves do not import each other.
"""


class OgonError(Exception):
    """An expected failure. `str(error)` is a full sentence saying what to do; it never holds a secret."""
