rule step13:
    """Stacks of images of one field, and synthetic moving sources planted in them."""
    input:
        own=given(settings.inject.table),
        images=planted_in,
        frames=frames_before,
    output:
        "<run>/13_inject/manifest.json",
    log:
        text="<logs>/13_inject.log",
        json="<logs>/13_inject.jsonl",
    benchmark:
        "<logs>/13_inject.bench.tsv"
    conda:
        "../../envs/pipeline.yaml" if settings.run.device == "cpu" else "../../envs/gpu.yaml"
    threads: WORKERS
    resources:
        gpu=int(settings.run.device != "cpu"),
    params:
        spec=spec("13_inject"),
        version=version("13_inject"),
        upstream=upstream,
    shell:
        "python -m lostlight step 13_inject {params.upstream}"
        " --out {output} --params {params.spec:q} --workers {threads} --log {log.json} 2>&1"
        # One job of many minutes: how far it is, for who waits.
        " | tee {log.text} | awk 'index($0, \" % (\") {{ print; fflush() }}'"
