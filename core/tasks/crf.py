"""A linear-chain conditional random field on a BERT encoder (Lafferty et al. 2001; book 6.3.7)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, BertPreTrainedModel, initialization
from transformers.modeling_outputs import TokenClassifierOutput

from core.tasks.viterbi import (
    IGNORED,
    Chains,
    Decoding,
    TransitionScores,
    compact,
    constrain_transitions,
    viterbi_decode,
)


class LinearChainCrf(nn.Module):
    """Learned scores of transitions between L labels, and the probability of label sequences under them.

    The scores are `speed` times the parameters. Adam moves every parameter by about the learning rate, whatever the
    size of its gradient, so the scores learn `speed` times as fast as the rest of the model. Everything is computed in
    float32 or better, also inside autocast: sums over whole sequences do not fit into half precision.
    """

    def __init__(self, labels: int, *, speed: float = 1.0) -> None:
        super().__init__()
        self.speed = speed
        self.start = nn.Parameter(torch.zeros(labels))
        self.matrix = nn.Parameter(torch.zeros(labels, labels))
        self.end = nn.Parameter(torch.zeros(labels))

    @property
    def scores(self) -> TransitionScores:
        """The scores as they are now, with their gradients."""
        kind = torch.promote_types(self.matrix.dtype, torch.float32)
        return TransitionScores(*(self.speed * part.to(kind) for part in (self.start, self.matrix, self.end)))

    def forward(self, emissions: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
        """Log-likelihoods in nats, (B,): the score of the labels minus the log of the sum over all label sequences.

        Args:
            emissions: (B, T, L).
            labels: (B, T); what stands where the mask is off does not matter.
            mask: (B, T), true at the positions that belong to the sequence; one without any has log-likelihood 0.
        """
        with torch.autocast(emissions.device.type, enabled=False):
            chains = compact(_widen(emissions), mask)
            if not len(chains.valid):
                return chains.emissions.sum((0, 1))  # zeros that a gradient can pass
            scores = self.scores
            steps = labels.gather(1, chains.order).T.masked_fill(~chains.valid, 0)  # (N, B)
            return _score_path(chains, steps, scores) - _sum_paths(chains, scores)

    def decode(self, emissions: Tensor, mask: Tensor) -> Decoding:
        """The likeliest labels: see `viterbi_decode`."""
        return viterbi_decode(emissions, mask, self.scores)

    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Probabilities of each label at each position, (B, T, L), over all label sequences; 0 where the mask is off.

        They are the derivatives of the log of the sum over all sequences by the emissions.
        """
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(emissions.device.type, enabled=False):
            inputs = _widen(emissions).detach().clone().requires_grad_()
            chains = compact(inputs, mask)
            if not len(chains.valid):
                return torch.zeros_like(inputs).detach()
            (found,) = torch.autograd.grad(_sum_paths(chains, self.scores).sum(), inputs)
        return found


class BertForCrfTagging(BertPreTrainedModel):
    """BERT, a linear layer for the emissions, and a CRF; the loss is the mean negative log-likelihood of sequences.

    It starts from a base BERT: then the linear layer is new. Loaded from a model fine-tuned for tagging with the same
    labels (`BertForTokenClassification`, as the book's notebook in fact does), it keeps that model's linear layer. The
    CRF starts from what BIO allows (book 6.3.6). `config.transition_speed` is the `speed` of `LinearChainCrf`.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        dropout = config.classifier_dropout
        labels = len(_names(config))
        self.bert = BertModel(config, add_pooling_layer=False)
        self.dropout = nn.Dropout(config.hidden_dropout_prob if dropout is None else dropout)
        self.classifier = nn.Linear(config.hidden_size, labels)
        self.crf = LinearChainCrf(labels, speed=getattr(config, "transition_speed", 1.0))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, LinearChainCrf):
            scores = constrain_transitions(_names(self.config))
            # These functions leave alone what came from a file.
            initialization.copy_(module.start, scores.start / module.speed)
            initialization.copy_(module.matrix, scores.matrix / module.speed)
            initialization.copy_(module.end, scores.end / module.speed)

    # No **kwargs: the Trainer would take them for a promise to divide the loss by all items of an accumulated step.
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> TokenClassifierOutput:
        """Emissions as ``logits`` (B, T, L), and the loss when `labels` (B, T; -100 outside the sequence) are given."""
        hidden = self.bert(
            input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids, inputs_embeds=inputs_embeds
        ).last_hidden_state  # (B, T, D)
        emissions = self.classifier(self.dropout(hidden))  # (B, T, L)
        loss = None if labels is None else -self.crf(emissions, labels, labels != IGNORED).mean()
        return TokenClassifierOutput(loss=loss, logits=emissions)


def _names(config: BertConfig) -> list[str]:
    """The labels by id."""
    return [str(name) for _, name in sorted((config.id2label or {}).items())]


def _widen(emissions: Tensor) -> Tensor:
    return emissions.to(torch.promote_types(emissions.dtype, torch.float32))


def _score_path(chains: Chains, labels: Tensor, scores: TransitionScores) -> Tensor:
    """The score of one path for each sequence, (B,); labels (N, B)."""
    valid = chains.valid
    emitted = chains.emissions.gather(1, labels[:, None])[:, 0]  # (N, B)
    passed = scores.matrix[labels[:-1], labels[1:]]  # (N - 1, B)
    last = labels.gather(0, (valid.sum(0, keepdim=True) - 1).clamp(min=0))[0]  # (B,)
    ends = torch.where(valid[0], scores.start[labels[0]] + scores.end[last], 0.0)
    return ends + torch.where(valid, emitted, 0.0).sum(0) + torch.where(valid[1:], passed, 0.0).sum(0)


def _sum_paths(chains: Chains, scores: TransitionScores) -> Tensor:
    """The log of the summed exponentials of the scores of all paths, (B,), by the forward algorithm."""
    emitted, valid = chains.emissions.unbind(), chains.valid.unbind()  # N times (L, B) and (B,)
    full = int(chains.valid.all(1).sum())  # steps that no sequence lacks
    reached = scores.start[:, None] + emitted[0]  # (L, B)
    for step in range(1, len(emitted)):
        arriving = torch.logsumexp(reached[:, None] + scores.matrix[:, :, None], dim=0) + emitted[step]  # (L, B)
        reached = arriving if step < full else torch.where(valid[step], arriving, reached)
    return torch.where(valid[0], torch.logsumexp(reached + scores.end[:, None], dim=0), 0.0)
