"""Of a step all rows weigh alike, however they are split into batches and over ranks.

TRL takes the mean of each batch, and the trainer the mean of those: a row of a short batch (the last of an epoch)
weighs more, and a mean over tokens weighs rows otherwise for each split. Here a batch counts by its share of the step.
(What compares all rows of a batch at once, as DPO's loss ``aot`` does by sorting them, still sees one batch.)
"""

from __future__ import annotations

from typing import Any

import torch


class StepMean:
    """Of TRL's trainers whose loss is a mean over the rows of a batch."""

    accelerator: Any
    model: Any
    loss_is_scaled_for_ga = True
    """Says to the trainer that it need not divide by the number of batches."""
    _rows: torch.Tensor

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> tuple[list[Any], Any]:
        """The batches of the next step; their rows are counted over all ranks."""
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)  # type: ignore[misc]
        self._rows = self._of_all_ranks(sum(self.rows_in(batch) for batch in batches), device)
        return batches, items

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        loss = super().compute_loss(model, inputs, *args, **kwargs)  # type: ignore[misc]
        return loss * self._share(self.rows_in(inputs), self._rows) if self.model.training else loss

    def rows_in(self, batch: Any) -> int:
        """What the loss of a batch is the mean over; of pairs twice as many, which cancels out."""
        return len(batch["input_ids"])

    def _of_all_ranks(self, count: Any, device: Any) -> torch.Tensor:
        total: torch.Tensor = self.accelerator.gather(torch.as_tensor(count, device=device).reshape(1)).sum()
        return total

    def _share(self, part: Any, whole: torch.Tensor) -> torch.Tensor:
        """Of the step. Gradients of ranks are averaged, which this undoes."""
        return part * self.accelerator.num_processes / whole
