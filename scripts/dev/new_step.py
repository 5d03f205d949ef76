"""Write everything a new step needs, in every place it needs it; what it writes passes all tests.

The new step copies its input; put the science in its place.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from lostlight.core.declared import declared
from lostlight.vocab.steps import STEPS, rule, word

STEP = '''"""Step {number}: say here what it does."""

import shutil

from lostlight.core.params import {Params}
from lostlight.core.step import Outputs, Result, Unit, step


@step(
    "{id}",
    after=("{after}",),
    needs=("{role}",),
    makes={{"{word}": "{{unit}}.{word}{suffix}"}},
    params={Params},
    version=1,
)
def {word}(unit: Unit, params: {Params}, out: Outputs) -> Result:
    """Say here, in a sentence anyone understands, what it does for one tile."""
    shutil.copyfile(unit["{role}"], out["{word}"])
    return Result()
'''

RULE = '''rule {rule}_shard:
    """Say here what step {number} does."""
    input:
        before="<run>/{after}/shards/{{scatteritem}}.json",
    output:
        "<run>/{id}/shards/{{scatteritem}}.json",
    log:
        text="<logs>/{id}/{{scatteritem}}.log",
        json="<logs>/{id}/{{scatteritem}}.jsonl",
    benchmark:
        "<logs>/{id}/{{scatteritem}}.bench.tsv"
    conda:
        "../../envs/pipeline.yaml"
    threads: WORKERS
    params:
        spec=spec("{id}"),
        version=version("{id}"),
    shell:
        "python -m lostlight step {id} --upstream {{input.before}}"
        " --out {{output}} --params {{params.spec:q}} --workers {{threads}} --log {{log.json}} > {{log.text}} 2>&1"
'''

PARAMS = '''class {Params}(Params):
    """Step {number}: say here what it does."""


'''

TEST = """from lostlight.core.params import {Params}
from lostlight.core.step import Outputs, Unit
from lostlight.steps.s{id} import {word}


def test_it_copies_its_input(tmp_path):
    (tmp_path / "before").write_bytes(b"content")
    out = Outputs({{"{word}": tmp_path / "after"}})
    {word}(Unit("tile", {{"{role}": tmp_path / "before"}}), {Params}(), out)
    assert out["{word}"].read_bytes() == b"content"
"""


def main() -> None:
    """Read the command line, write the step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="such as 15_trails")
    parser.add_argument("--after", required=True, choices=[s for s in STEPS if "{unit}" in str(declared(s)["makes"])])
    arguments = parser.parse_args()
    if not re.fullmatch(r"\d\d_[a-z]+", arguments.name):
        parser.error(f"{arguments.name}: two digits, an underscore, one lower-case word, such as 15_trails")
    if any(arguments.name.split("_")[position] in step.split("_") for step in STEPS for position in (0, 1)):
        parser.error(f"{arguments.name}: the number or the word is taken; there are {', '.join(STEPS)}")
    write(arguments.name, arguments.after)
    for generator in ("gen_docs.py", "gen_schemas.py"):
        subprocess.run([sys.executable, ROOT / "scripts" / "dev" / generator], check=True)
    print("now: the science with its test, the sentences that begin with `Say here`, and make check")


def write(step_id: str, after: str) -> None:
    """Write the files of a step and its line in those that list all steps."""
    role, product = next(iter(dict(declared(after)["makes"]).items()))  # type: ignore[call-overload]
    names = {
        "id": step_id, "after": after, "role": role, "suffix": Path(product).suffix, "number": step_id[:2],
        "word": word(step_id), "rule": rule(step_id), "Params": f"{word(step_id).title()}Params",
    }  # fmt: skip
    package = ROOT / "scripts" / "lostlight"
    create(package / "steps" / f"s{step_id}.py", STEP.format(**names))
    create(ROOT / "workflow" / "rules" / f"{step_id}.smk", RULE.format(**names))
    create(ROOT / "tests" / "steps" / f"test_s{step_id}.py", TEST.format(**names))
    insert(package / "vocab" / "steps.py", f'    "{step_id}",\n', before=")\n")
    insert(package / "core" / "params" / "__init__.py", PARAMS.format(**names), before="class RunParams")
    extend(package / "core" / "params" / "__init__.py", "    {word}: {Params} = {Params}()\n".format(**names))
    extend(
        ROOT / "config" / "pipeline.yaml", "\n# Step {number}: say here what it does.\n{word}: {{}}\n".format(**names)
    )
    insert(ROOT / "workflow" / "Snakefile", f'include: "rules/{step_id}.smk"\n', before='include: "rules/collect.smk"')


def create(path: Path, content: str) -> None:
    """Write a file that must not be there yet."""
    with path.open("x") as stream:
        stream.write(content)
    print(f"wrote {path.relative_to(ROOT)}")


def insert(path: Path, text: str, before: str) -> None:
    """Put `text` in front of the first line that begins with `before`."""
    content = path.read_text()
    place = content.index(f"\n{before}") + 1
    path.write_text(content[:place] + text + content[place:])
    print(f"changed {path.relative_to(ROOT)}")


def extend(path: Path, text: str) -> None:
    """Put `text` at the end of a file."""
    path.write_text(path.read_text() + text)
    print(f"changed {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
