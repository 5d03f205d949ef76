"""What a step is: errors, configuration, manifests, atomic writes, logging. No numbers, no files of the science."""
