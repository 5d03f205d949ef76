rule step14:
    """The search for what moves, and how complete it is: which of the planted sources it finds, and why not the rest."""
    input:
        planted="<run>/13_inject/manifest.json",
    output:
        "<run>/14_recover/manifest.json",
    log:
        text="<logs>/14_recover.log",
        json="<logs>/14_recover.jsonl",
    benchmark:
        "<logs>/14_recover.bench.tsv"
    conda:
        "../../envs/pipeline.yaml" if settings.run.device == "cpu" else "../../envs/gpu.yaml"
    threads: WORKERS
    resources:
        gpu=int(settings.run.device != "cpu"),
    params:
        spec=spec("14_recover"),
        version=version("14_recover"),
    shell:
        "python -m lostlight step 14_recover --upstream {input.planted}"
        " --out {output} --params {params.spec:q} --workers {threads} --log {log.json} 2>&1"
        # One job of many minutes: how far it is, for who waits.
        " | tee {log.text} | awk 'index($0, \" % (\") {{ print; fflush() }}'"
