rule step12:
    """Calibrated frames to one level, clean image."""
    input:
        own=given(settings.mosaic.plan),
        frames=stacked,
        calibrated=lights(),
    output:
        "<run>/12_mosaic/manifest.json",
    log:
        text="<logs>/12_mosaic.log",
        json="<logs>/12_mosaic.jsonl",
    benchmark:
        "<logs>/12_mosaic.bench.tsv"
    conda:
        "../../envs/pipeline.yaml" if settings.run.device == "cpu" else "../../envs/gpu.yaml"
    threads: WORKERS
    resources:
        gpu=int(settings.run.device != "cpu"),
    params:
        spec=spec("12_mosaic"),
        version=version("12_mosaic"),
        upstream=lambda wildcards, input: [f"--upstream {manifest}" for manifest in input.calibrated],
    shell:
        "python -m lostlight step 12_mosaic {params.upstream}"
        " --out {output} --params {params.spec:q} --workers {threads} --log {log.json} 2>&1"
        # One job of many minutes: how far it is, for who waits.
        " | tee {log.text} | awk 'index($0, \" % (\") {{ print; fflush() }}'"
