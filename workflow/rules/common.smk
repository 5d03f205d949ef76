"""What the rules share: the section of the configuration it depends on, and the processes its jobs may use."""

import json

from lostlight.core.declared import declared
from lostlight.vocab.steps import PLANT, SURVEY, TWIN_STEPS, WHOLE, rule as rule_name

# As many as the machine lends; where that is not said (a cluster, a report), the profile sets the threads.
WORKERS = settings.run.workers or workflow.resource_settings.cores or 1

# In the environment and not in the rules, so that editing the running policy re-runs nothing.
os.environ.update(
    LOSTLIGHT_POLICY=settings.run.model_dump_json(exclude={"id", "shards"}),
    PYTHONPATH=os.pathsep.join(filter(None, [str(SCRIPTS), os.getenv("PYTHONPATH")])),
    PATH=os.pathsep.join([str(Path(sys.executable).parent), os.getenv("PATH", "")]),
)


def spec(step_id):
    """Everything of the configuration that a step depends on, as one line of JSON."""
    return json.dumps(lostlight_config.section(settings, step_id), sort_keys=True)


def version(step_id):
    """The version a step declares; when it changes, the step runs again."""
    return declared(step_id)["version"]


def given(*paths):
    """Files of the user's own, where there are any; editing one re-runs the steps that read it."""
    return [path for path in paths if path and Path(path).is_file()]


def manifests_after(step_id, twin):
    """Manifests of the steps that a step reads; only the stars are planted with an eye on the plates themselves."""
    return [f"<run>/{'' if step_id == PLANT else twin}{parent}/manifest.json" for parent in declared(step_id)["after"]]
