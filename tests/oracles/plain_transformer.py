"""The transformer written out token by token and head by head, slowly, for comparison."""

import math

import torch


def plain_features(weights, tokens, shape, phi=None):
    """Return LN(x^L) of one sequence from standard normal weights, shape (t, N)."""
    x = torch.stack([weights["embedding"][token] + weights["positions"][t] for t, token in enumerate(tokens)])
    n, d, phi = shape.width, shape.head_size, phi or gelu
    for block in range(shape.depth):
        attend, out, up, down = (weights[name][block] for name in ("attend", "out", "up", "down"))
        g = phi(norm(x)) @ attend / math.sqrt(n)
        read = []
        for head in range(shape.heads):
            query, key, value = (g[:, part * n + head * d : part * n + (head + 1) * d] for part in range(3))
            read.append(plain_attention(norm(query), norm(key), value))
        x = x + shape.residual / shape.depth * torch.cat(read, 1) @ out / math.sqrt(n)
        hidden = phi(phi(norm(x)) @ up / math.sqrt(n))
        x = x + shape.residual / shape.depth * hidden @ down / math.sqrt(n)
    return norm(x)


def plain_attention(query, key, value):
    """Return for each token the mean of the values up to it, weighted by exp(q.k/d)."""
    rows = []
    for t in range(query.shape[0]):
        weight = torch.exp(key[: t + 1] @ query[t] / query.shape[1])
        rows.append(weight @ value[: t + 1] / weight.sum())
    return torch.stack(rows)


def plain_output(weights, tokens, shape, phi=None):
    """Return F of one sequence, shape (t, vocabulary)."""
    return plain_features(weights, tokens, shape, phi) @ weights["readout"] / shape.width


def plain_loss(weights, start, tokens, shape, richness, phi=None):
    """Return the mean cross-entropy of sequences, centred by subtracting outputs."""
    losses = []
    for row in tokens:
        now, first = (plain_output(these, row[:-1], shape, phi) for these in (weights, start))
        f = (now - first) / richness
        losses.append(torch.logsumexp(f, 1) - f.gather(1, row[1:, None])[:, 0])
    return torch.cat(losses).mean()


def norm(x):
    """Return rows without their mean and in units of their standard deviation."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-6)


def gelu(x):
    """Return the tanh form of GELU."""
    return x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
