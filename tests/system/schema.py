#!/usr/bin/env python3
"""schema.py FOLDER DOCUMENT…: whether the documents fit the config-schema.json of that folder.

The folder is the runtime specification's own (its schema refers to its other files by name). The
list of calls may stand in a file of its own beside the document, as tests/golden has it.
Each misfit is a line; status 1 if there is any.
"""
import json
import pathlib
import sys
import warnings

import jsonschema


def load(path):
    return json.loads(pathlib.Path(path).read_text())


def whole(name):
    document = load(name)
    linux = document.get('linux', {})
    if isinstance(linux.get('seccomp'), str):
        linux['seccomp'] = load(pathlib.Path(name).with_name(linux['seccomp']))
    return document


def main(folder, *documents):
    folder = pathlib.Path(folder).resolve()
    schema = load(folder / 'config-schema.json')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # newer versions have another class for this
        resolver = jsonschema.RefResolver(folder.as_uri() + '/config-schema.json', schema)
        check = jsonschema.Draft4Validator(schema, resolver=resolver)
        wrong = [f'{name}: {"/".join(map(str, e.absolute_path))}: {e.message[:200]}'
                 for name in documents for e in check.iter_errors(whole(name))]
    print(*wrong, sep='\n')
    return 1 if wrong else 0


sys.exit(main(*sys.argv[1:]))
