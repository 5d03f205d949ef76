rule deliver:
    """Put the report and the archive where people look for them, and the latest report on the dashboard."""
    input:
        summary="<run>/09_summary/manifest.json",
        package="<run>/10_package/manifest.json",
    output:
        page=report("<artifacts>/report.html", caption="../report/report.rst", category="Results"),
        table=report("<artifacts>/candidates.ecsv", caption="../report/candidates.rst", category="Results"),
        package=f"<artifacts>/{settings.run.id}.zip",
        sha256=f"<artifacts>/{settings.run.id}.zip.sha256",
    log:
        "<logs>/deliver.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        run=lambda wildcards, input: Path(input.summary).parents[1],
        artifacts=lambda wildcards, output: Path(output.page).parent,
    shell:
        "python -m lostlight deliver {params.run} --artifacts {params.artifacts} > {log} 2>&1"
