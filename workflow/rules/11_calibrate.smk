rule step11:
    """Raw frames to masters and clean lights."""
    input:
        own=given(settings.calibrate.plan, settings.calibrate.cosmetic.bpm),
        frames=raw_frames,
    output:
        "<run>/11_calibrate/manifest.json",
    log:
        text="<logs>/11_calibrate.log",
        json="<logs>/11_calibrate.jsonl",
    benchmark:
        "<logs>/11_calibrate.bench.tsv"
    conda:
        "../../envs/pipeline.yaml"
    threads: WORKERS
    params:
        spec=spec("11_calibrate"),
        version=version("11_calibrate"),
    shell:
        "python -m lostlight step 11_calibrate "
        "--out {output} --params {params.spec:q} --workers {threads} --log {log.json} 2>&1"
        # One job of many minutes: how far it is, for who waits.
        " | tee {log.text} | awk 'index($0, \" % (\") {{ print; fflush() }}'"
