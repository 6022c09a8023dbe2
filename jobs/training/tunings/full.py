"""Full fine-tuning: the model is trained as it was loaded."""

from jobs.training.tunings import Implementation

IMPLEMENTATION = Implementation()
