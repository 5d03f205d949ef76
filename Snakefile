# The front door: `snakemake` in this folder runs workflow/Snakefile.
include: "workflow/Snakefile"


# An include does not bring its default target along; without this line the front door would do nothing.
workflow.default_target = "all"
